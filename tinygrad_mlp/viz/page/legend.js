/** @file What the forms and colours mean: only those that are in the drawing. */

/**
 * The legend of a view.
 * @param {Model} model
 * @param {View} view
 * @returns {Node[]}
 */
function legendOf(model, view) {
  const { ramp, gradients } = model.graph;
  /** @type {Set<string>} */
  const kinds = new Set();
  let dashed = false, ends = false;
  const some = model.graph.nodes.some((node) => node.tracked);
  for (const edge of view.edges) {
    for (const node of [model.nodes.get(edge.source), model.nodes.get(edge.target)]) {
      if (!node) continue;
      kinds.add(node.kind === "op" ? node.category : node.kind);
      dashed ||= some && !node.tracked;
      ends ||= node.output && node.kind === "op" && node.category !== "loss";
    }
  }
  const names = { ...KIND_WORDS, ...CATEGORIES };
  const parts = Object.entries(names).filter(([kind]) => kinds.has(kind) && !(kind === "constant" && dashed))
    .map(([kind, text]) => entry(sample(kind, kind === "parameter" ? 0 : kind === "input" || kind === "constant" ? 7 : 3.5, false, kind === "loss"), text));
  if (ends) parts.push(entry(sample("tensor", 3.5, false, true), "output"));
  if (dashed) parts.push(entry(sample("constant", 7, true), "no gradient"));
  const states = new Set(view.edges.map((edge) => edge.state));
  if (gradients && ramp && states.has("flow")) {
    const one = short(ramp.low, 2) === short(ramp.high, 2);
    const levels = one ? [2] : [0, 1, 2, 3, 4];
    const numbers = model.graph.edges.every((edge) => edge.state !== "flow" || (edge.gradient !== null && edge.gradient.rows * edge.gradient.columns === 1));
    const title = numbers ? "size of the gradient" : "gradient RMS";
    parts.push(entry(svgEl("svg", { width: 26 * levels.length, height: 14, "aria-hidden": true }, ...levels.map((level, i) => stroke("flow", level, 26 * i, 24))),
      one ? `${title} ${short(ramp.low, 2)}` : `${title} ${short(ramp.low, 2)} … ${short(ramp.high, 2)}`));
  }
  for (const [state, text] of /** @type {const} */ ([["zero", "gradient exactly 0"], ["nan", "NaN or ∞"], ["none", "no gradient flows"], ["unknown", "no gradients"]])) {
    if (states.has(state)) parts.push(entry(svgEl("svg", { width: 34, height: 14, "aria-hidden": true }, stroke(state, 0, 0, 34)), text));
  }
  if (gradients) {
    const later = entry(svgEl("svg", { width: 34, height: 14, "aria-hidden": true }, stroke("later", 0, 0, 34)), "not yet");
    later.classList.add("later");
    parts.push(later);
  }
  if (model.graph.naive) {
    const spoilt = entry(svgEl("svg", { width: 34, height: 14, "aria-hidden": true, class: "edge spoilt" }, stroke("flow", 1, 0, 34)), "wrong in the naive order");
    spoilt.classList.add("naive-only");
    parts.push(spoilt);
  }
  return parts;
}

/**
 * @param {Node} picture
 * @param {string} text
 */
function entry(picture, text) {
  return el("span", { class: "entry" }, picture, text);
}

/**
 * @param {string} kind
 * @param {number} rx
 * @param {boolean} dashed
 * @param {boolean} [thick]
 */
function sample(kind, rx, dashed, thick = false) {
  return svgEl("svg", { width: 24, height: 16, "aria-hidden": true, class: kind },
    svgEl("rect", { class: "box", x: 1.5, y: 1.5, width: 21, height: 13, rx, "stroke-width": thick ? 2.8 : 1.6, "stroke-dasharray": dashed ? "4 3" : null }));
}

/**
 * @param {string} state
 * @param {number} level
 * @param {number} x
 * @param {number} wide
 */
function stroke(state, level, x, wide) {
  const [name, width, dashes] = strokes(state, level);
  return svgEl("g", { class: name }, svgEl("path", { class: "line", d: `M${x} 7H${x + wide}`, "stroke-width": width, "stroke-dasharray": dashes || null }));
}

/**
 * What is not seen, so that nothing is hidden silently.
 * @param {Model} model
 * @param {View} view
 */
function hiddenText(model, view) {
  /** @type {string[]} */
  const closed = [];
  let seen = 0;
  const stack = [...view.root].reverse();
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const group = model.groups.get(item.id);
    if ("children" in item) stack.push(...[...item.children].reverse());
    else if (group) closed.push(group.kind === "fold" ? `${group.subtitle} folded` : `${group.title} closed`);
    else seen += 1;
  }
  if (!closed.length) return "";
  const more = closed.length > 3 ? ` and ${closed.length - 3} more` : "";
  return `showing ${seen.toLocaleString("en")} of ${plural(model.nodes.size, "node")}: ${closed.slice(0, 3).join(", ")}${more}`;
}
