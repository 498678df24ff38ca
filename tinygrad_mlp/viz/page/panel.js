/** @file The panel's other sheets: a node or a group with all its numbers, the comparison, the list; and the card for the pointer. */

/** What is told of the box that is chosen, and of everything in a list. */
class Panel {
  /**
   * @param {Model} model
   * @param {Story} story
   * @param {{ toggle: (group: string) => void, isOpen: (group: string) => boolean, paths: (parameter: string) => void }} acts
   */
  constructor(model, story, acts) {
    this.model = model;
    this.story = story;
    this.acts = acts;
  }

  /**
   * A node, a group, an edge, or nothing yet.
   * @param {string | null} id
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  chosen(id, timeline, at) {
    const node = id === null ? undefined : this.model.nodes.get(id);
    const group = id === null ? undefined : this.model.groups.get(id);
    const edge = id === null ? undefined : this.model.edges.get(id);
    if (node) return this.#node(node, timeline, at);
    if (group) return this.#group(group, timeline, at);
    if (edge) return this.#edge(edge, timeline, at);
    return [el("p", { class: "muted" }, "Click a box, or an arrow, to see its numbers here.")];
  }

  /**
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  #node(node, timeline, at) {
    const { story } = this;
    const users = (this.model.outOf.get(node.id) ?? []).map((edge) => edge.target);
    const home = this.model.home(node.id);
    /** @type {[string, Child[]][]} */
    const facts = [
      ["kind", [kindText(node)]], ["operation", [node.op && node.op !== node.title ? node.op : ""]], ["module", [home]], ["shape", [shapeText(node.shape)]], ["dtype", [node.dtype]],
      ["used by", [...new Set(users)].slice(0, 12).flatMap((id, i) => [i ? ", " : "", story.link(id)])], ["source", [node.source]],
    ];
    const told = facts.filter(([, value]) => value.some(Boolean)).flatMap(([word, value]) => [el("dt", {}, word), el("dd", {}, ...value)]);
    const known = timeline.valueKnown(node.id, at);
    const { count, of, complete } = timeline.arrived(node.id, at);
    return [
      el("h2", {}, calledFully(node)), el("dl", { class: "facts" }, ...told),
      ...(node.kind === "parameter" ? [el("p", {}, button("only paths through it", () => this.acts.paths(node.id)))] : []),
      ...(node.formula ? [formulaBlock([readable(node.formula)], node.numbers && known ? [node.numbers] : [], "formula")] : []),
      ...node.derivatives.map((line) => formulaBlock([...line.before.map(readable), line.shown], line.numbers && complete && !timeline.tainted.has(node.id) ? [line.numbers] : [], "derivative")),
      el("h3", {}, "Value"), known ? arrayFacts(`the value of ${called(node)}`, node.value, node.shape) : el("p", { class: "muted" }, "not computed yet at this step"),
      el("h3", {}, "Gradient"), this.#gradient(node, timeline, at, complete, count),
      ...(of > 1 ? [story.ledger(node.id, timeline, at)] : []),
    ];
  }

  /**
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} at
   * @param {boolean} complete
   * @param {number} count
   */
  #gradient(node, timeline, at, complete, count) {
    if (!node.gradient) return el("p", { class: "muted" }, node.tracked ? "none" : "no gradient flows here");
    if (!complete) return el("p", { class: "muted" }, count ? `a sum that is not complete yet: ${timeline.sum(node.id, count).text} so far` : "not computed yet at this step");
    if (at > 0 && timeline.wrong(node.id)) {
      return el("p", { class: "alert" }, `wrong in the naive order: ${timeline.sum(node.id, count).text} instead of ${sizeText(node.gradient)}`);
    }
    return arrayFacts(`the gradient of ${called(node)}`, node.gradient, node.shape);
  }

  /**
   * A node's gradient in one number; in the naive order what there is of it.
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} at
   */
  #gradientNow(node, timeline, at) {
    if (!node.gradient) return "";
    if (at === 0 || !timeline.naive) return sizeText(node.gradient);
    const { count, complete } = timeline.arrived(node.id, at);
    const { text } = timeline.sum(node.id, count);
    return complete ? (timeline.wrong(node.id) ? el("span", { class: "bad" }, text) : text) : count ? `${text} so far` : "?";
  }

  /**
   * @param {Group} group
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  #group(group, timeline, at) {
    const inside = this.model.inside(group.id);
    const operations = inside.filter((node) => node.kind === "op");
    const parameters = inside.filter((node) => node.kind === "parameter");
    const [name = "", ...facts] = groupFacts(group);
    return [
      el("h2", {}, name), ...facts.map((fact) => el("p", { class: "muted" }, fact)),
      el("p", {}, button(this.acts.isOpen(group.id) ? "▴ close" : "▾ open", () => this.acts.toggle(group.id), { class: "primary" })),
      ...[["Operations", operations], ["Parameters", parameters]].flatMap(([title, nodes]) => (typeof title === "string" && nodes && typeof nodes !== "string" && nodes.length ? [
        el("h3", {}, title),
        table("", ["name", "shape", "value", "gradient"], nodes.slice(0, 60).map((node) => [this.story.link(node.id, calledFully(node)), shapeText(node.shape), valueText(node), this.#gradientNow(node, timeline, at)]), { class: "plain" }),
        nodes.length > 60 ? el("p", { class: "muted" }, `and ${nodes.length - 60} more`) : el("span")] : [])),
    ];
  }

  /**
   * @param {GraphEdge} edge
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  #edge(edge, timeline, at) {
    const source = this.model.node(edge.source);
    const shown = timeline.sent(edge, at), flow = timeline.flow(edge);
    return [
      el("h2", {}, `${called(source)} → ${called(this.model.node(edge.target))}`),
      el("p", {}, this.story.link(edge.source), " is argument ", String(edge.argument + 1), edge.sign ? ` (${edge.sign})` : null, " of ", this.story.link(edge.target), "."),
      el("p", {}, shown || !edge.gradient ? flowText(edge, source, timeline) : "what flows back along it is not known yet at this step"),
      ...(shown && flow && source.value.size > 1 && flow.preview.length
        ? [heatMap("what flows back", flow, source.shape, flow.rows * flow.columns < source.value.size)] : []),
      ...(edge.of > 1 ? [this.story.ledger(edge.source, timeline, at)] : []),
    ];
  }

  /**
   * The comparison that the page was made with.
   * @returns {Node[]}
   */
  compared() {
    const { compare } = this.model.graph;
    if (!compare) {
      return [el("p", {}, "Write ", el("code", {}, 'tg.play(loss, compare=tg.check.compare(model, "cross_entropy", X, y))'), " to see the gradients beside those written by hand and the numeric ones.")];
    }
    const rows = compare.rows.map((row) => el("tr", { class: row.ok ? "ok" : "off" },
      el("td", {}, row.ok ? "✓" : "✗"), ...row.cells.map((cell, i) => el("td", {}, i === 0 && row.node !== null && this.model.nodes.has(row.node) ? this.story.link(row.node, cell) : cell))));
    return [
      el("h2", {}, compare.verdict),
      el("div", { class: "wide" }, el("table", { class: "plain compare" },
        el("thead", {}, el("tr", {}, el("th", {}), ...compare.header.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...rows))),
      ...compare.notes.map((note) => el("p", {}, note)),
    ];
  }

  /**
   * Every node in a table: for screen readers, the browser's search, and to copy.
   * @returns {Node[]}
   */
  list() {
    const { nodes } = this.model.graph;
    const texts = nodes.map((node) => [node.name || node.title, node.op || KIND_WORDS[node.kind] || node.kind, this.model.home(node.id) || "-", shapeText(node.shape), valueText(node), node.gradient ? sizeText(node.gradient) : ""]);
    /** @param {Stats | null} stats */
    const size = (stats) => (stats === null ? -Infinity : stats.size === 1 ? stats.mean ?? Infinity : stats.rms ?? Infinity);
    const keys = nodes.map((node, i) => [...(texts[i] ?? []).slice(0, 3), node.value.size, size(node.value), size(node.gradient)]);
    const made = table("", ["name", "operation", "module", "shape", "value", "gradient"], nodes.map((node, i) => [this.story.link(node.id, texts[i]?.[0]), ...(texts[i] ?? []).slice(1)]), { class: "plain" });
    sortable(made, keys);
    return [el("details", { open: true }, el("summary", {}, `${plural(nodes.length, "node")} in execution order`, el("span", { class: "muted" }, "; click a heading to sort")),
      el("div", { class: "wide" }, made))];
  }

  /**
   * The card for what the pointer is over, or what has the focus.
   * @param {string} id of a node, a group, or edges with spaces between
   * @param {Timeline} timeline
   * @param {number} at
   * @returns {Node[]}
   */
  card(id, timeline, at) {
    const node = this.model.nodes.get(id);
    const group = this.model.groups.get(id);
    if (node) {
      const gradient = at > 0 && timeline.naive ? this.#gradientNow(node, timeline, at) : node.gradient && timeline.arrived(node.id, at).complete ? sizeText(node.gradient) : "?";
      return [el("b", {}, calledFully(node)), el("span", { class: "muted" }, ` ${kindText(node)} · ${shapeText(node.shape)} ${node.dtype}`),
        el("div", {}, readable(node.formula)),
        el("div", {}, unnumbered(node.value) ? null : "value ", el("b", {}, timeline.valueKnown(node.id, at) ? valueText(node) : "?"),
          node.gradient ? " · gradient " : null, node.gradient ? el("b", {}, gradient) : null)];
    }
    if (group) return groupFacts(group).map((fact, i) => el(i ? "div" : "b", i ? { class: "muted" } : {}, fact));
    return id.split(" ").map((each) => this.model.edges.get(each)).filter((edge) => edge !== undefined).slice(0, 4).map((edge) => {
      const source = this.model.node(edge.source);
      const shown = timeline.sent(edge, at) || !edge.gradient;
      return el("div", {}, el("b", {}, `${called(source)} → ${called(this.model.node(edge.target))} `), shown ? flowText(edge, source, timeline) : "nothing has flowed back yet");
    });
  }
}
