/** @file What a step says: in one line for the status, and in full in the panel. Sums over several users get a ledger. */

const NAIVE = "This plays plain recursion: an operation passes on what has arrived as soon as its first contribution is there, and no operation is visited twice.";

/**
 * The step in one line.
 * @param {Timeline} timeline
 * @param {number} at
 */
function stepLine(timeline, at) {
  const { model } = timeline;
  const step = timeline.step(at);
  if (!step) return `The whole picture. ${timeline.last ? "Press ▶ to play it, step by step." : ""}`;
  const node = model.node(step.node);
  const start = `step ${at} of ${timeline.last} · ${step.phase}${timeline.naive && step.phase === "backward" ? ", naive order" : ""} · ${calledFully(node)}: `;
  if (step.phase === "forward") return start + [node.numbers || node.formula, node.numbers ? "" : [`shape ${shapeText(node.shape)}`, sizeText(node.value)].filter(Boolean).join(", ")].filter(Boolean).join("; ");
  const edges = model.into.get(node.id) ?? [];
  const spoilt = timeline.tainted.has(node.id);
  const texts = node.derivatives.map((line) => {
    const edge = edges.find((each) => each.argument === line.argument);
    const flow = spoilt && edge ? timeline.flow(edge) : null;
    return flow && edge ? `${line.shown}${model.node(edge.source).value.size === 1 ? " = " : ": "}${briefText(flow, model.node(edge.source).value.size)}` : spoilt ? line.shown : line.numbers || line.shown;
  });
  const arriving = step.naive ? briefText(step.naive.gradient, node.value.size) : node.gradient ? sizeText(node.gradient) : "none";
  const early = step.naive?.early ? `; passed on ${step.naive.arrived} of ${step.naive.of} contributions: too early` : "";
  return `${start}${[...texts, `arriving gradient ${arriving}`].join("; ")}${early}`;
}

/** The panel's account of the steps. */
class Story {
  /**
   * @param {Model} model
   * @param {{ go: (id: string) => void, seek: (at: number) => void, open: (id: string) => void, isHidden: (id: string) => boolean, play: () => void }} acts
   */
  constructor(model, acts) {
    this.model = model;
    this.acts = acts;
  }

  /**
   * A node's name that leads to it.
   * @param {string} id
   * @param {string} [text]
   */
  link(id, text = this.model.pointed(id)) {
    return button(text, () => this.acts.go(id), { class: "link" });
  }

  /**
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  tell(timeline, at) {
    const step = timeline.step(at);
    if (!step) return this.#overview(timeline);
    const node = this.model.node(step.node);
    const home = this.model.home(step.node);
    const head = [
      el("p", { class: "chips" }, el("span", { class: `chip ${step.phase}` }, step.phase), el("span", {}, `step ${at} of ${timeline.last}`),
        timeline.naive && step.phase === "backward" ? el("span", { class: "chip early" }, "naive order") : null),
      el("h2", {}, calledFully(node)),
      home || node.source ? el("p", { class: "muted" }, [home ? `in ${home}` : "", node.source].filter(Boolean).join(" · ")) : null,
      timeline.naive && step.phase === "backward" ? el("p", { class: "muted naive-hint" }, NAIVE) : null,
      this.acts.isHidden(node.id) ? el("p", { class: "hint" }, "This happens inside a closed group. ", button("open it", () => this.acts.open(node.id))) : null,
    ];
    const body = step.phase === "forward" ? this.#forward(node) : this.#backward(node, timeline, at, step);
    return [...head, ...body].filter((part) => part !== null);
  }

  /**
   * @param {Timeline} timeline
   * @returns {Node[]}
   */
  #overview(timeline) {
    const { graph } = this.model;
    const sums = graph.nodes.filter((node) => this.model.contributions(node.id).length > 1);
    return [
      el("h2", {}, graph.title),
      el("p", {}, `${countsText(graph.counts)}.`, graph.loss === null ? null : ` The result is ${short(graph.loss)}.`),
      ...(timeline.last ? [el("p", {}, button("▶ play it step by step", this.acts.play, { class: "primary" }))] : []),
      el("ul", { class: "guide" },
        graph.nodes.some((node) => node.derivatives.length)
          ? el("li", {}, "A box is an operation: its formula, and in ", el("em", { class: "derivative" }, "this colour"), " what it sends back to each input. There g is the gradient that arrives at its result.")
          : el("li", {}, "A box is an operation with its formula."),
        el("li", {}, "Arrows point forward, from inputs to results.", graph.gradients ? " Gradients flow back along them: the number, the colour and the width tell how large." : ""),
        el("li", {}, "Click a box for all that is known of it. Click the title of a module, ▾ or ▸, to close or open it.")),
      ...(graph.why ? [el("p", { class: "hint" }, `${graph.gradients ? "Mind that " : "No gradients are shown: "}${graph.why}.`)] : []),
      ...(sums.length && timeline.last > timeline.forward ? [
        el("h3", {}, "Used more than once"),
        el("p", {}, "The gradients of these are sums, one contribution from each use. ", this.whySum(/** @type {GraphNode} */ (sums[0]))),
        el("ul", {}, ...sums.slice(0, 8).map((node) => el("li", {}, this.link(node.id), `: ${this.model.contributions(node.id).length} contributions `,
          button("watch", () => this.acts.seek(this.#firstSum(timeline, node.id)), { class: "link" })))),
        sums.length > 8 ? el("p", { class: "muted" }, `and ${sums.length - 8} more`) : el("span"),
      ] : []),
    ];
  }

  /**
   * Why contributions are added.
   * @param {GraphNode} node
   */
  whySum(node) {
    const ends = this.model.graph.nodes.filter((each) => each.output);
    const end = ends.length === 1 && ends[0] && ends[0].name ? ends[0].name : "the result";
    const two = this.model.contributions(node.id).length === 2;
    return `A small change of ${node.name || called(node)} reaches ${end} along ${two ? "both ways, and the two" : "all ways, and the"} changes add, so the gradients of the ways add.`;
  }

  /**
   * The step in which the first of several contributions to a gradient arrives.
   * @param {Timeline} timeline
   * @param {string} id
   */
  #firstSum(timeline, id) {
    return Math.min(...this.model.contributions(id).map((edge) => timeline.passedAt.get(edge.target) ?? timeline.last));
  }

  /**
   * @param {GraphNode} node
   * @returns {(Node | null)[]}
   */
  #forward(node) {
    const edges = this.model.into.get(node.id) ?? [];
    const rows = edges.map((edge) => {
      const source = this.model.node(edge.source);
      return [edge.sign, this.link(source.id), shapeText(source.shape), valueText(source)];
    });
    const result = this.model.result(node.id);
    return [
      formulaBlock([readable(node.formula) || node.op], node.numbers ? [node.numbers] : [], "formula"),
      rows.length ? table("inputs", ["", "name", "shape", "value"], rows, { class: "plain" }) : null,
      el("h3", {}, "Result ", el("span", { class: "muted" }, `${shapeText(node.shape)} ${node.dtype}`)),
      arrayFacts(`the result of ${called(node)}`, result.value, result.shape),
    ];
  }

  /**
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} at
   * @param {Step} step
   * @returns {(Node | null)[]}
   */
  #backward(node, timeline, at, step) {
    const result = this.model.result(node.id);
    const edges = this.model.into.get(node.id) ?? [];
    const end = step.naive && at === timeline.last ? this.wrongTable() : null;
    return [
      end, ...this.#arrival(node, result, timeline, step),
      el("h3", {}, "What it sends back"),
      ...edges.flatMap((edge, i) => [
        this.#sent(node, edge, timeline),
        edge.of > 1 && edge.gradient && !edges.slice(i + 1).some((later) => later.source === edge.source) ? this.ledger(edge.source, timeline, at) : null,
      ]),
      this.#why(result, step),
    ];
  }

  /**
   * The gradient that arrives.
   * @param {GraphNode} node
   * @param {GraphNode} result
   * @param {Timeline} timeline
   * @param {Step} step
   * @returns {(Node | null)[]}
   */
  #arrival(node, result, timeline, step) {
    const of = this.model.contributions(result.id).length;
    const tainted = timeline.tainted.has(node.id);
    const size = step.naive ? briefText(step.naive.gradient, result.value.size) : result.gradient ? sizeText(result.gradient) : "none";
    const how = of > 1 && !step.naive ? `the sum of ${of} contributions, all of them here` : of === 0 && result.output ? "it starts here: the gradient of the result with respect to itself" : "";
    /** @type {(Node | null)[]} */
    const parts = [el("p", { class: "arrives" }, el("span", {}, "arrives: "), el("b", { class: tainted ? "bad" : null }, `g = ${size}`), how ? el("span", { class: "muted" }, ` (${how})`) : null)];
    if (step.naive?.early) {
      const missing = this.model.contributions(result.id).filter((edge) => (timeline.passedAt.get(edge.target) ?? Infinity) > (timeline.passedAt.get(node.id) ?? 0));
      parts.push(el("div", { class: "alert", role: "alert" },
        el("b", {}, `passed on ${step.naive.arrived} of ${step.naive.of} contributions: too early`),
        el("p", {}, "Still to come: ", ...missing.flatMap((edge, i) => [i ? ", " : "", this.link(edge.target)]),
          `. With all of them, g would be ${result.gradient ? sizeText(result.gradient) : "another"}.`)));
    } else if (tainted) {
      parts.push(el("p", { class: "alert" }, `g is wrong: it comes from an operation that passed on too early. It should be ${result.gradient ? sizeText(result.gradient) : "another"}.`));
    }
    if (!step.naive && result.gradient && result.gradient.size > 1) parts.push(heatMap("the gradient that arrives", result.gradient, result.shape, result.gradient.truncated));
    return parts;
  }

  /**
   * What goes to one input.
   * @param {GraphNode} node
   * @param {GraphEdge} edge
   * @param {Timeline} timeline
   */
  #sent(node, edge, timeline) {
    const source = this.model.node(edge.source);
    const line = node.derivatives.find((each) => each.argument === edge.argument);
    if (!edge.gradient) return el("p", { class: "sent none muted" }, `to ${called(source)}: no gradient flows there`);
    const doubtful = timeline.spoilt(edge), { size } = source.value;
    const text = briefText(/** @type {Brief} */ (timeline.flow(edge)), size), style = { class: doubtful ? "bad" : null };
    const right = doubtful ? el("span", { class: "muted" }, ` (the right order: ${briefText(edge.gradient, size)})`) : null;
    const order = timeline.sequence(source.id).indexOf(edge) + 1;
    const sum = edge.of === 1 ? null : el("p", { class: "sum-line" }, `gradient of ${called(source)} `, el("b", style, `+= ${text}`), right,
      ` (${order} of ${edge.of} contributions), ${order < edge.of ? "sum so far" : "the whole sum is"} `, el("b", { class: timeline.sequence(source.id).slice(0, order).some((each) => timeline.spoilt(each)) ? "bad" : null }, timeline.sum(source.id, order).text),
      timeline.naive && (timeline.passedAt.get(this.model.maker(source.id) ?? "") ?? Infinity) < (timeline.passedAt.get(node.id) ?? 0) ? "; too late: a part was passed on before" : null);
    return el("section", { class: "sent" },
      el("p", {}, "to ", this.link(source.id), edge.sign ? el("span", { class: "muted" }, ` (${edge.sign})`) : null, ...(edge.of === 1 ? [": ", el("b", style, text), right] : [":"])),
      line ? formulaBlock([...line.before.map(readable), line.shown], line.numbers && !doubtful ? [line.numbers] : [], "derivative") : null, sum);
  }

  /**
   * The contributions to a gradient, one after the other, with the sum so far.
   * @param {string} id
   * @param {Timeline} timeline
   * @param {number} at
   */
  ledger(id, timeline, at) {
    const node = this.model.node(id);
    const edges = timeline.sequence(id);
    const { count, of } = timeline.arrived(id, at);
    const maker = this.model.maker(id);
    const left = timeline.naive && maker !== null ? timeline.passedAt.get(maker) ?? Infinity : Infinity;
    const rows = edges.map((edge, i) => {
      const here = timeline.sent(edge, at);
      const late = at > 0 && here && (timeline.passedAt.get(edge.target) ?? 0) > left;
      const flow = here ? timeline.flow(edge) : null;
      const sum = here ? timeline.sum(id, i + 1).text : "";
      const bad = timeline.naive && at > 0 && here && edges.slice(0, i + 1).some((each) => timeline.spoilt(each));
      const now = timeline.step(at)?.node === edge.target;
      return el("tr", { class: [here ? "" : "pending", late ? "late" : "", now ? "now" : ""].filter(Boolean).join(" ") || null },
        el("td", {}, String(i + 1)), el("td", {}, this.link(edge.target), edge.sign ? el("span", { class: "muted" }, ` as ${edge.sign}`) : null, late ? " · too late" : null),
        el("td", { class: "right" }, el("span", { class: here && timeline.spoilt(edge) ? "bad" : null }, flow ? briefText(flow, node.value.size) : "to come")), el("td", { class: "right" }, el("span", { class: bad ? "bad" : null }, sum)));
    });
    if (node.output) {
      rows.unshift(el("tr", {}, el("td"), el("td", { class: "muted" }, "it is an output: given at the start"), el("td"), el("td")));
    }
    return el("div", { class: "ledger" }, el("p", {}, el("b", {}, `gradient of ${called(node)}`), " ", el("span", { class: count < of ? "chip early" : "chip done" }, `${count} of ${of}`)),
      el("table", {}, el("thead", {}, el("tr", {}, ...["", "from", "contribution", "sum so far"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows)),
      el("p", { class: "why muted" }, this.whySum(node)));
  }

  /**
   * Why it is this operation's turn.
   * @param {GraphNode} result
   * @param {Step} step
   */
  #why(result, step) {
    const users = [...new Set(this.model.contributions(result.id).map((edge) => edge.target))];
    if (step.naive) {
      return el("details", {}, el("summary", {}, "Why is this order wrong?"),
        el("p", {}, "Plain recursion passes a gradient on as soon as the first contribution arrives, and visits no operation twice. Whatever comes later never gets further. In topological order all users of a tensor come before it."));
    }
    if (!users.length) return null;
    return el("details", { open: users.length > 1 }, el("summary", {}, "Why this order?"),
      el("p", {}, `The gradient of ${called(result)} is the sum over all of its users. `, users.length > 1 ? "All of them, " : "Its only user, ",
        ...users.slice(0, 6).flatMap((id, i) => [i ? ", " : "", this.link(id)]), users.length > 6 ? ` and ${users.length - 6} more,` : ",",
        users.length > 1 ? " have passed on their contributions, so g is complete and it is its turn. " : " has passed on its contribution, so it is its turn.", users.length > 1 ? this.whySum(result) : null));
  }

  /** The gradients that the naive order gets wrong. */
  wrongTable() {
    const wrong = this.model.graph.naive?.wrong ?? [];
    const rows = wrong.map((row) => {
      const size = this.model.node(row.node).value.size;
      return [this.link(row.node), el("span", { class: "bad" }, briefText(row.naive, size)), briefText(row.right, size)];
    });
    return el("div", { class: "alert" }, el("b", {}, wrong.length ? `The naive order gets ${plural(wrong.length, "gradient")} wrong` : "Here every leaf gets its right gradient by luck"),
      rows.length ? table("", ["gradient of", "naive", "right"], rows, { class: "wrong-table" }) : null);
  }
}

/**
 * Formulas, and under them the same with numbers.
 * @param {string[]} lines
 * @param {string[]} numbers
 * @param {string} style
 */
function formulaBlock(lines, numbers, style) {
  return el("div", { class: `math ${style}` }, ...lines.map((line) => el("div", {}, line)), ...numbers.map((line) => el("div", { class: "with-numbers" }, line)));
}
