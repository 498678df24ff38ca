/** @file Elements of the page. Text from the graph only ever becomes textContent or an attribute, never markup. */

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * Set attributes; null, undefined and false leave one out.
 * @template {Element} T
 * @param {T} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {T}
 */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
function svgEl(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * A part of page.html, which must be there and of its type.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function need(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * A button that does something.
 * @param {Child} text
 * @param {() => void} action
 * @param {Attributes} [attributes]
 * @returns {HTMLButtonElement}
 */
function button(text, action, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", action);
  return made;
}

/**
 * A table with a row of headings.
 * @param {string} caption
 * @param {string[]} header
 * @param {Child[][]} rows
 * @param {Attributes} [attributes]
 * @returns {HTMLTableElement}
 */
function table(caption, header, rows, attributes = {}) {
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))));
  return el("table", attributes, caption ? el("caption", {}, caption) : null,
    el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...body));
}

/**
 * Let a click on a heading sort the rows of a table by a column, a second one the other way round.
 * @param {HTMLTableElement} made
 * @param {(string | number)[][]} keys row by row
 */
function sortable(made, keys) {
  const body = /** @type {HTMLTableSectionElement} */ (made.tBodies[0]), rows = [...body.rows];
  const heads = [...made.querySelectorAll("th")];
  heads.forEach((head, column) => {
    head.replaceChildren(button(head.textContent, () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const order = rows.map((_, i) => i).sort((i, j) => {
        const a = keys[i]?.[column] ?? "", b = keys[j]?.[column] ?? "";
        return sign * (typeof a === "number" && typeof b === "number" ? (a < b ? -1 : a > b ? 1 : 0) : String(a).localeCompare(String(b), "en", { numeric: true }));
      });
      body.append(...order.map((i) => /** @type {HTMLTableRowElement} */ (rows[i])));
    }, { class: "sort" }));
  });
}

const PEN = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * The first of several texts that is no wider than there is room; else the last one cut off.
 * @param {string[]} texts
 * @param {number} room
 * @param {string} font as in CSS
 */
function fitted(texts, room, font) {
  PEN.font = font;
  const wide = (/** @type {string} */ text) => PEN.measureText(text).width;
  const found = texts.find((text) => wide(text) <= room);
  if (found !== undefined) return found;
  let last = texts[texts.length - 1] ?? "";
  while (last && wide(`${last}…`) > room) last = last.slice(0, -1);
  return `${last}…`;
}
