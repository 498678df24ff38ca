/** @file The steps: forward in execution order, then backward, and what is known after each of them. */

/** A graph with what the page asks of it again and again. */
class Model extends Outline {
  /** @param {Graph} graph */
  constructor(graph) {
    super(graph);
    this.graph = graph;
    /** @type {Map<string, GraphEdge>} */
    this.edges = new Map(graph.edges.map((edge) => [edge.id, edge]));
    /** @type {Map<string, GraphEdge[]>} */
    this.into = new Map();
    /** @type {Map<string, GraphEdge[]>} */
    this.outOf = new Map();
    /** @type {Map<string, number>} how many nodes have the same name */
    this.alike = new Map();
    for (const edge of graph.edges) {
      for (const [map, end] of /** @type {const} */ ([[this.into, edge.target], [this.outOf, edge.source]])) {
        const edges = map.get(end);
        if (edges) edges.push(edge);
        else map.set(end, [edge]);
      }
    }
    for (const edges of this.into.values()) edges.sort((a, b) => a.argument - b.argument);
  }

  /**
   * @param {string} id
   * @returns {GraphNode}
   */
  node(id) {
    const found = this.nodes.get(id);
    if (!found) throw new Error(`no node ${id}`);
    return found;
  }

  /**
   * The box that holds an operation's result: with detail "full" its own, else the operation itself.
   * @param {string} id
   * @returns {GraphNode}
   */
  result(id) {
    const boxed = (this.outOf.get(id) ?? []).map((edge) => this.node(edge.target)).find((node) => node.kind === "tensor");
    return boxed ?? this.node(id);
  }

  /**
   * The operation that made a node; of a leaf, none.
   * @param {string} id
   * @returns {string | null}
   */
  maker(id) {
    const node = this.node(id);
    return node.kind === "op" ? id : node.kind === "tensor" ? this.into.get(id)?.[0]?.source ?? null : null;
  }

  /**
   * The contributions to a node's gradient, in the order in which they are added up.
   * @param {string} id
   * @returns {GraphEdge[]}
   */
  contributions(id) {
    const edges = (this.outOf.get(id) ?? []).filter((edge) => edge.gradient && this.node(edge.target).kind !== "tensor");
    return edges.sort((a, b) => a.order - b.order);
  }

  /**
   * The operation in whose step something flows back along an edge.
   * @param {GraphEdge} edge
   */
  sender(edge) {
    return this.node(edge.target).kind === "tensor" ? edge.source : edge.target;
  }

  /**
   * A node in the text of another one: of results without a name also where they are, or their value.
   * @param {string} id
   */
  pointed(id) {
    if (!this.alike.size) for (const each of [...this.nodes.keys()].map((key) => this.#pointer(key))) this.alike.set(each, (this.alike.get(each) ?? 0) + 1);
    const node = this.node(id), text = this.#pointer(id);
    return (this.alike.get(text) ?? 0) > 1 ? `${text}, ${node.source || shapeText(node.shape)}` : text;
  }

  /** @param {string} id */
  #pointer(id) {
    const node = this.node(id);
    if (node.name || node.kind !== "op") return called(node);
    const home = this.home(id);
    return node.value.size === 1 && node.shape.length === 0 && !unnumbered(node.value) ? `${node.title} (= ${single(node.value)})` : home ? `${node.title} in ${home}` : node.title;
  }

  /**
   * The path of the modules around a node.
   * @param {string} id
   */
  home(id) {
    const groups = this.lineage(id).slice(1).map((group) => this.groups.get(group));
    return groups.find((group) => group?.path)?.path ?? groups[0]?.title ?? "";
  }
}

/** The steps of one way to play a graph. At 0 the whole picture is seen, at `last` everything has been played. */
class Timeline {
  /**
   * @param {Model} model
   * @param {boolean} naive in the order of plain recursion
   */
  constructor(model, naive) {
    const { steps, naive: recursion } = model.graph;
    this.model = model;
    this.naive = naive && recursion !== null;
    /** @type {Step[]} */
    this.steps = steps.forward.map((node) => ({ phase: "forward", node, naive: null }));
    if (this.naive && recursion) this.steps.push(...recursion.steps.map((step) => ({ phase: /** @type {Phase} */ ("backward"), node: step.node, naive: step })));
    else this.steps.push(...steps.backward.map((node) => ({ phase: /** @type {Phase} */ ("backward"), node, naive: null })));
    this.forward = steps.forward.length;
    this.last = this.steps.length;
    /** @type {Map<string, number>} */
    this.computedAt = new Map(steps.forward.map((node, i) => [node, i + 1]));
    /** @type {Map<string, number>} */
    this.passedAt = new Map(this.steps.slice(this.forward).map((step, i) => [step.node, this.forward + i + 1]));
    this.tainted = this.naive ? this.#taint() : new Set();
  }

  /**
   * The operations of the naive order whose gradient is not the right one: too early, or fed by such ones.
   * @returns {Set<string>}
   */
  #taint() {
    /** @type {Set<string>} */
    const found = new Set();
    for (const step of this.steps.slice(this.forward)) {
      const spoilt = this.model.contributions(this.model.result(step.node).id)
        .some((edge) => found.has(edge.target) && this.sent(edge, this.passedAt.get(step.node) ?? 0));
      if (step.naive?.early || spoilt) found.add(step.node);
    }
    return found;
  }

  /**
   * @param {number} at
   * @returns {Step | null}
   */
  step(at) {
    return this.steps[at - 1] ?? null;
  }

  /**
   * Whether a node's value is known after so many steps.
   * @param {string} id
   * @param {number} at
   */
  valueKnown(id, at) {
    const maker = this.model.maker(id);
    return at === 0 || maker === null || (this.computedAt.get(maker) ?? 0) <= at;
  }

  /**
   * Whether the gradient on an edge has been sent after so many steps.
   * @param {GraphEdge} edge
   * @param {number} at
   */
  sent(edge, at) {
    return edge.gradient !== null && (at === 0 || (this.passedAt.get(this.model.sender(edge)) ?? Infinity) <= at);
  }

  /**
   * How many of its contributions have arrived at a node, and of how many.
   * @param {string} id
   * @param {number} at
   * @returns {{ count: number, of: number, complete: boolean }}
   */
  arrived(id, at) {
    const edges = this.model.contributions(id);
    const count = edges.filter((edge) => this.sent(edge, at)).length;
    const of = edges.length;
    const begun = at === 0 || at > this.forward;
    return { count, of, complete: begun && count === of };
  }

  /**
   * Whether the naive order gives a node another gradient than the right one.
   * @param {string} id
   */
  wrong(id) {
    if (!this.naive) return false;
    const { kind } = this.model.node(id);
    if (kind !== "op" && kind !== "tensor") return this.model.graph.naive?.wrong.some((row) => row.node === id) ?? false;
    return this.model.contributions(id).some((edge) => this.tainted.has(edge.target));
  }

  // --- the numbers of this order --------------------------------------------------------------------------------------

  /**
   * What flows back along an edge in this order.
   * @param {GraphEdge} edge
   * @returns {Brief | null}
   */
  flow(edge) {
    const sender = this.model.sender(edge);
    const step = this.naive && edge.gradient ? this.steps[(this.passedAt.get(sender) ?? 0) - 1]?.naive : null;
    if (!step) return edge.gradient;
    return sender === edge.source ? step.gradient : step.sent.find((each) => each.argument === edge.argument)?.gradient ?? edge.gradient;
  }

  /**
   * Whether what flows along an edge in this order is not what it should be.
   * @param {GraphEdge} edge
   */
  spoilt(edge) {
    return edge.gradient !== null && this.tainted.has(this.model.sender(edge));
  }

  /**
   * The contributions to a node's gradient in this order.
   * @param {string} id
   */
  sequence(id) {
    const edges = this.model.contributions(id);
    return this.naive ? edges.sort((a, b) => (this.passedAt.get(a.target) ?? 0) - (this.passedAt.get(b.target) ?? 0)) : edges;
  }

  /**
   * The sum of the first so many contributions to a node's gradient, in words, and its entries where they are known.
   * @param {string} id
   * @param {number} count
   * @param {number} [digits]
   * @returns {{ text: string, entries: number[] | null }}
   */
  sum(id, count, digits = 4) {
    const node = this.model.node(id), { size } = node.value;
    const all = this.sequence(id), edges = all.slice(0, count), last = edges[edges.length - 1];
    /** @param {Brief} brief */
    const told = (brief) => ({ text: briefText(brief, size), entries: entriesOf(brief, node) });
    if (!last) return { text: node.gradient ? sizeText(node.gradient) : "none", entries: node.gradient ? entriesOf(node.gradient, node) : null };
    if (!this.naive) return digits === 4 ? told(last.running ?? /** @type {Brief} */ (last.gradient)) : this.#added([last.running ?? last.gradient], node, digits);
    if (count === all.length && !this.wrong(id) && node.gradient) return { text: sizeText(node.gradient), entries: entriesOf(node.gradient, node) };
    /** @type {(Pick<Brief, "preview" | "rows" | "columns"> & Partial<Brief> | null)[]} */
    const found = edges.map((edge) => this.flow(edge));
    const start = this.#given(node);
    if (start) found.unshift(start);
    const step = this.steps[(this.passedAt.get(this.model.maker(id) ?? "") ?? 0) - 1]?.naive;
    const exact = step?.arrived === count ? step.gradient : count === all.length ? this.model.graph.naive?.wrong.find((row) => row.node === id)?.naive : undefined;
    if (exact && digits === 4) return told(exact);
    return this.#added(found, node, digits);
  }

  /**
   * @param {(Pick<Brief, "preview" | "rows" | "columns"> & Partial<Brief> | null)[]} briefs
   * @param {GraphNode} node
   * @param {number} digits
   */
  #added(briefs, node, digits) {
    const { size } = node.value;
    const parts = briefs.map((brief) => (brief ? entriesOf(brief, node) : null));
    const last = briefs[briefs.length - 1];
    if (parts.includes(null)) return { text: last?.text === undefined ? "" : `RMS ${short(last.rms ?? 0)}${briefs.length > 1 ? " of the contribution" : ""}`, entries: null };
    const entries = Array.from({ length: size }, (_, i) => parts.reduce((sum, part) => sum + (part?.[i] ?? 0), 0));
    const bad = entries.filter((x) => !Number.isFinite(x)).length;
    const rms = Math.sqrt(entries.reduce((sum, x) => sum + x * x, 0) / size);
    const text = size === 1 ? short(toNum(entries[0] ?? 0), digits) : bad ? `${bad} NaN or ∞` : rms ? `RMS ${short(rms, digits)}` : "0 (every entry)";
    return { text, entries };
  }

  /**
   * What is given to an output that has users, too: the rest of its gradient.
   * @param {GraphNode} node
   * @returns {Pick<Brief, "preview" | "rows" | "columns"> | null}
   */
  #given(node) {
    const first = node.output ? this.model.contributions(node.id)[0] : undefined;
    const whole = first?.running ?? node.gradient;
    if (!first?.gradient || !whole) return null;
    const part = entriesOf(first.gradient, node);
    const { rows, columns } = first.gradient;
    return { rows, columns, preview: entriesOf(whole, node)?.map((x, i) => toNum(x - (part?.[i] ?? 0))) ?? [] };
  }
}

/**
 * All entries of an array; null if only its corner is known, or only their sizes.
 * @param {{ rows: number, columns: number, preview: Num[] }} array
 * @param {GraphNode} node
 * @returns {number[] | null}
 */
function entriesOf(array, node) {
  if (array.preview.length < node.value.size || node.dtype.startsWith("complex")) return null;
  return array.preview.map((x) => (typeof x === "number" ? x : x === "nan" ? NaN : x === "inf" ? Infinity : -Infinity));
}

/**
 * A number as the description has it.
 * @param {number} x
 * @returns {Num}
 */
function toNum(x) {
  return Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
}
