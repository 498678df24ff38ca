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
  let dashed = false;
  const some = model.graph.nodes.some((node) => node.tracked);
  for (const edge of view.edges) {
    for (const node of [model.nodes.get(edge.source), model.nodes.get(edge.target)]) {
      if (!node) continue;
      kinds.add(node.kind === "op" ? node.category : node.kind);
      dashed ||= some && !node.tracked;
    }
  }
  const names = { ...KIND_WORDS, ...CATEGORIES };
  const parts = Object.entries(names).filter(([kind]) => kinds.has(kind) && !(kind === "constant" && dashed))
    .map(([kind, text]) => entry(sample(kind, kind === "parameter" ? 0 : kind === "input" || kind === "constant" ? 7 : 3.5, false), text));
  if (dashed) parts.push(entry(sample("constant", 7, true), "no gradient"));
  const states = new Set(view.edges.map((edge) => edge.state));
  if (gradients && ramp && states.has("flow")) {
    const one = short(ramp.low, 2) === short(ramp.high, 2);
    const levels = one ? [2] : [0, 1, 2, 3, 4];
    parts.push(entry(svgEl("svg", { width: 26 * levels.length, height: 14, "aria-hidden": true }, ...levels.map((level, i) => stroke("flow", level, 26 * i, 24))),
      one ? `gradient RMS ${short(ramp.low, 2)}` : `gradient RMS ${short(ramp.low, 2)} … ${short(ramp.high, 2)}`));
  }
  for (const [state, text] of /** @type {const} */ ([["zero", "gradient exactly 0"], ["nan", "NaN or ∞"], ["none", "no gradient flows"], ["unknown", "no gradients"]])) {
    if (states.has(state)) parts.push(entry(svgEl("svg", { width: 34, height: 14, "aria-hidden": true }, stroke(state, 0, 0, 34)), text));
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
 */
function sample(kind, rx, dashed) {
  return svgEl("svg", { width: 24, height: 16, "aria-hidden": true, class: kind },
    svgEl("rect", { class: "box", x: 1, y: 1, width: 22, height: 14, rx, "stroke-width": 1.6, "stroke-dasharray": dashed ? "4 3" : null }));
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
