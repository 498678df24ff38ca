/** @file Small pictures of arrays: the entries as a heat map, their distribution as a histogram. */

/**
 * How much of the colour of its sign an entry has, 0 to 1.
 * @param {Num} x
 * @param {number} most
 */
function strength(x, most) {
  return typeof x === "number" && most > 0 ? Math.min(1, Math.abs(x) / most) : 0;
}

/**
 * The entries of an array, or of its corner, as coloured cells: orange above 0, blue below. A number is told when its cell is
 * pointed at, or reached with the arrow keys.
 * @param {string} name
 * @param {{ rows: number, columns: number, preview: Num[] }} values
 * @param {number[]} shape
 * @param {boolean} truncated
 */
function heatMap(name, values, shape, truncated) {
  const { rows, columns, preview } = values;
  const most = Math.max(0, ...preview.map((x) => (typeof x === "number" ? Math.abs(x) : 0)));
  const told = el("output", { class: "told" }, "point at a cell for its number");
  const cells = preview.map((x) => {
    const cell = el("i", { class: typeof x !== "number" ? "bad" : x < 0 ? "minus" : "plus", title: short(x) });
    cell.style.setProperty("--part", `${Math.round(100 * strength(x, most))}%`);
    if (typeof x !== "number") cell.textContent = "!";
    return cell;
  });
  let chosen = -1;
  /** @param {number} i */
  const choose = (i) => {
    if (i < 0 || i >= cells.length) return;
    cells[chosen]?.classList.remove("chosen");
    chosen = i;
    cells[i]?.classList.add("chosen");
    const place = rows > 1 ? `row ${Math.floor(i / columns)}, column ${i % columns}` : `entry ${i}`;
    told.textContent = `${place}: ${short(/** @type {Num} */ (preview[i]), 6)}`;
  };
  const grid = el("div", {
    class: "heat", tabindex: 0, role: "img", "aria-label": `${name}: ${preview.slice(0, 12).map((x) => short(x)).join(", ")}${preview.length > 12 ? " …" : ""}`,
  }, ...cells);
  grid.style.setProperty("--columns", String(rows > 1 ? columns : Math.min(columns, 12)));
  grid.style.setProperty("--rows", String(rows > 1 ? rows : Math.ceil(cells.length / 12)));
  grid.addEventListener("pointerover", (event) => choose(cells.indexOf(/** @type {HTMLElement} */ (event.target))));
  grid.addEventListener("focus", () => choose(Math.max(chosen, 0)));
  grid.addEventListener("keydown", (event) => {
    const wide = rows > 1 ? columns : Math.min(columns, 12);
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.max(chosen, 0) + by);
  });
  const part = truncated ? `the first ${rows > 1 ? `${rows} × ${columns}` : columns} of ${shapeText(shape)}` : "";
  return el("figure", { class: "entries" }, grid,
    el("figcaption", {}, el("span", { class: "scale" }, el("b", {}, short(-most, 3)), el("i", {}), el("b", {}, short(most, 3))), part ? ` ${part}` : null, told));
}

/**
 * The distribution of the entries.
 * @param {string} name
 * @param {{ low: number, high: number, counts: number[] }} histogram
 */
function histogramChart(name, histogram) {
  const { low, high, counts } = histogram;
  const most = Math.max(...counts, 1), wide = 100 / counts.length;
  const bars = counts.map((count, i) => svgEl("rect", {
    class: "bar", x: i * wide + 0.4, width: wide - 0.8, y: 40 - (38 * count) / most, height: (38 * count) / most },
    svgEl("title", {}, `${short(low + ((high - low) * i) / counts.length, 3)} … ${short(low + ((high - low) * (i + 1)) / counts.length, 3)}: ${count.toLocaleString("en")}`)));
  const zero = low < 0 && high > 0 ? svgEl("line", { class: "zero", x1: (-100 * low) / (high - low), x2: (-100 * low) / (high - low), y1: 0, y2: 40 }) : null;
  return el("figure", { class: "histogram" },
    svgEl("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `distribution of ${name} from ${short(low)} to ${short(high)}` }, ...bars, zero),
    el("figcaption", {}, el("span", {}, short(low, 3)), zero ? el("span", {}, "0 at the line") : null, el("span", {}, short(high, 3))));
}

/**
 * All that is told of an array.
 * @param {string} name
 * @param {Stats} stats
 * @param {number[]} shape
 */
function arrayFacts(name, stats, shape) {
  if (unnumbered(stats)) return el("p", { class: "muted" }, "a formula, without numbers");
  if (stats.size === 1) return el("div", {}, el("p", { class: "number" }, single(stats)));
  /** @type {[string, Num | null][]} */
  const facts = [["min", stats.min], ["max", stats.max], ["mean", stats.mean], ["RMS", stats.rms], ["norm", stats.norm]];
  const list = el("dl", { class: "stats" }, ...facts.flatMap(([word, x]) => [el("dt", {}, word), el("dd", {}, short(x))]),
    el("dt", {}, "zeros"), el("dd", {}, `${stats.zeros.toLocaleString("en")} of ${stats.size.toLocaleString("en")}`));
  const bad = [stats.nan ? `${stats.nan} NaN` : "", stats.inf ? `${stats.inf} infinite` : ""].filter(Boolean).join(", ");
  return el("div", {}, bad ? el("p", { class: "alert" }, `⚠ ${bad}`) : null, list,
    stats.preview.length ? heatMap(name, stats, shape, stats.truncated) : null, stats.histogram && stats.size >= 8 ? histogramChart(name, stats.histogram) : null);
}
