/** @file Numbers and boxes in words: the same as viz/graph/numbers.py and viz/forms/words.py. */

/** @type {Record<string, string>} */
const CATEGORIES = {
  linear: "linear algebra", arithmetic: "arithmetic", activation: "activation", reduction: "reduction", shape: "shape", loss: "loss",
  custom: "custom rule", other: "other operation",
};
/** @type {Record<string, string>} */
const KIND_WORDS = { input: "input", constant: "constant", parameter: "parameter", tensor: "value" };
/** @type {Record<string, string>} */
const WARNINGS = { nan: "NaN or ∞ inside", zero: "all gradients inside are 0" };

/**
 * A number in few characters: 0.0391 is 3.9e−2.
 * @param {Num | null} x
 * @param {number} [digits]
 * @returns {string}
 */
function short(x, digits = 4) {
  if (x === null) return "none";
  if (x === "nan") return "NaN";
  if (x === "inf" || x === "-inf") return x === "inf" ? "∞" : "−∞";
  if (x === 0) return "0";
  let text = x.toExponential(digits - 1);
  const exponent = Number(text.slice(text.indexOf("e") + 1));
  if (Math.abs(x) >= 0.1 && Math.abs(x) < 10 ** Math.max(digits, 3)) {
    text = exponent < digits ? x.toPrecision(digits) : x.toFixed(0);
    if (text.includes(".")) text = text.replace(/\.?0+$/, "");
  } else {
    const mantissa = text.slice(0, text.indexOf("e"));
    text = `${mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa}e${exponent}`;
  }
  return text.replaceAll("-", "−");
}

/**
 * 1 operation, 1,200 operations.
 * @param {number} n
 * @param {string} word
 */
function plural(n, word) {
  return `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
}

/**
 * How much there is in a graph.
 * @param {Record<string, number>} counts
 */
function countsText(counts) {
  const parameters = counts["parameters"] ? `, ${plural(counts["parameters"], "parameter")} with ${plural(counts["numbers"] ?? 0, "number")}` : "";
  return plural(counts["operations"] ?? 0, "operation") + parameters;
}

/**
 * A shape as NumPy writes it.
 * @param {number[] | null} shape
 */
function shapeText(shape) {
  return shape === null ? "" : shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "scalar";
}

/**
 * Whether an array has no numbers at all, as in a derivation, which is formulas.
 * @param {Stats} stats
 */
function unnumbered(stats) {
  return stats.size > 0 && !stats.preview.length;
}

/**
 * One line for an array's numbers.
 * @param {Stats} stats
 */
function statsText(stats) {
  if (unnumbered(stats)) return "no numbers";
  if (stats.size === 0) return "empty";
  if (stats.size === 1) return single(stats);
  const spoilt = [stats.nan ? `${stats.nan} NaN` : "", stats.inf ? `${stats.inf} infinite` : ""];
  const known = stats.rms === null ? [] : [`RMS ${short(stats.rms)}`, `mean ${short(stats.mean)}`, `${short(stats.min)} … ${short(stats.max)}`];
  const zeros = stats.zeros ? `${stats.zeros.toLocaleString("en")} of ${stats.size.toLocaleString("en")} are 0` : "";
  return [...spoilt, ...known, zeros].filter(Boolean).join(", ");
}

/**
 * The one entry of an array.
 * @param {Stats} stats
 */
function single(stats) {
  return stats.nan ? "NaN" : stats.inf ? "∞" : short(stats.preview.length ? /** @type {Num} */ (stats.preview[0]) : stats.mean);
}

/**
 * The size of an array in one number: a scalar's own, else its root mean square.
 * @param {Stats} stats
 */
function sizeText(stats) {
  if (unnumbered(stats)) return "";
  if (stats.size === 1) return single(stats);
  const spoilt = stats.nan || stats.inf ? `${stats.nan + stats.inf} NaN or ∞, ` : "";
  return stats.rms === null ? statsText(stats) : `${spoilt}RMS ${short(stats.rms)}`;
}

/**
 * A gradient in one number.
 * @param {Brief} brief
 * @param {number} size the number of entries
 */
function briefText(brief, size) {
  if (brief.nan) return size === 1 ? minus(brief.text) : `${brief.nan} NaN or ∞`;
  if (brief.zero) return size === 1 ? "0" : "0 (every entry)";
  return size === 1 ? minus(brief.text) : `RMS ${short(brief.rms)}`;
}

/**
 * A value in one number; of whole numbers, as labels are, the range.
 * @param {GraphNode} node
 */
function valueText(node) {
  const { value } = node;
  return /^u?int|^bool/.test(node.dtype) && value.size > 1 && value.min !== null ? `${short(value.min)} … ${short(value.max)}` : sizeText(value);
}

const SUBSCRIPTS = { i: "ᵢ", j: "ⱼ", k: "ₖ", l: "ₗ", m: "ₘ", n: "ₙ", p: "ₚ" };

/**
 * A formula as a person would write it: the same as shown() of viz/graph/formulas.py.
 * @param {string} text
 */
function readable(text) {
  return text.replace(/\[(\w)_ij\u0332 = \(0, …, \d+\)\]/g, "onehot($1)").replaceAll("\u0332", "")
    .replace(/^(\w+ = )(?:\((.*)\)|(\S+)) (?:⊙ )?1\[[^\]]*\]$/s, (_, left, inner, word) => `${left}${inner || word} for each entry`)
    .replace(/(?<=[ΣΠ])_([a-z](?:,[a-z])*)(?= )/g, (_, letters) => [...letters].map((c) => SUBSCRIPTS[/** @type {"i"} */ (c)] ?? "").join(""))
    .replace(/\d+\.\d{5,}(?!\d*e)/g, (digits) => `${digits.slice(0, digits.indexOf(".") + 5)}…`);
}

/**
 * With a true minus sign.
 * @param {string} text
 */
function minus(text) {
  return text.replaceAll("-", "−");
}

/**
 * What a node is.
 * @param {GraphNode} node
 */
function kindText(node) {
  const kind = node.kind === "op" ? CATEGORIES[node.category] ?? "operation" : KIND_WORDS[node.kind] ?? node.kind;
  return node.output ? `${kind}, output` : kind;
}

/**
 * What a node is called in a sentence: the result's name, or its operation; both where it has both.
 * @param {GraphNode} node
 */
function called(node) {
  return node.op && node.name && node.name !== node.op ? `${node.name} (${node.op})` : node.name || node.title;
}

/**
 * A node in a list: its operation too.
 * @param {GraphNode} node
 */
function calledFully(node) {
  return node.op && node.name && node.name !== node.op ? `${node.name} = ${node.op}` : called(node);
}

/**
 * All that is known of a node, line by line.
 * @param {GraphNode} node
 * @param {string | null} [naive] its gradient in the naive order, if that is played
 * @returns {string[]}
 */
function nodeFacts(node, naive = null) {
  const facts = [`${calledFully(node)} (${kindText(node)})`, `shape ${shapeText(node.shape)}, ${node.dtype}`, readable(node.formula), node.numbers];
  for (const line of node.derivatives) facts.push(...line.before.map(readable), line.shown, naive === null ? line.numbers : "");
  facts.push(`value: ${statsText(node.value)}`);
  if (node.gradient) facts.push(naive === null ? `gradient: ${statsText(node.gradient)}` : `gradient in the naive order: ${naive}`);
  else if (!node.tracked) facts.push("no gradient flows here");
  if (node.users > 1) facts.push(`used ${node.users} times`);
  return [...facts, node.source].filter(Boolean);
}

/**
 * All that is known of a group.
 * @param {Group} group
 * @returns {string[]}
 */
function groupFacts(group) {
  const inside = [plural(group.operations, "operation")];
  if (group.parameters) inside.push(`${plural(group.numbers, "number")} in ${plural(group.parameters, "parameter")}`);
  return [`${group.title} ${group.subtitle}`.trim(), group.path === group.title ? "" : group.path, inside.join(", "), WARNINGS[group.warn] ?? ""]
    .filter(Boolean);
}

/**
 * What flows back along an edge, in words.
 * @param {GraphEdge} edge
 * @param {GraphNode} source
 * @param {Timeline} timeline
 */
function flowText(edge, source, timeline) {
  const flow = timeline.flow(edge);
  if (edge.state === "none") return "no gradient flows here";
  if (!flow) return "no gradients yet";
  const part = edge.of > 1 ? `; contribution ${timeline.sequence(source.id).indexOf(edge) + 1} of ${edge.of} to ${called(source)}` : "";
  const wrong = timeline.spoilt(edge) && edge.gradient ? ` (the right order: ${briefText(edge.gradient, source.value.size)})` : "";
  return `gradient that flows back: ${briefText(flow, source.value.size)}${wrong}${part}`;
}
