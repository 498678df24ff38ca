/** @file Search by name, operation, module and shape; and what lies on a path from a parameter to the output. */

/**
 * The nodes and groups in which all words of a query are found, those first whose name begins with it.
 * @param {Model} model
 * @param {string} query
 * @param {number} [most]
 * @returns {{ id: string, text: string, more: string }[]}
 */
function search(model, query, most = 12) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = [];
  for (const node of model.nodes.values()) {
    found.push({ id: node.id, text: calledFully(node), more: [model.home(node.id), shapeText(node.shape)].filter(Boolean).join(" · "), rank: 0 });
  }
  for (const group of model.groups.values()) found.push({ id: group.id, text: group.title, more: `${group.path} ${group.subtitle}`.trim(), rank: 0 });
  const hits = found.filter((each) => {
    const name = each.text.toLowerCase();
    const all = `${name} ${each.more.toLowerCase()}`;
    each.rank = name === words[0] ? 0 : name.startsWith(words[0] ?? "") ? 1 : 2;
    return words.every((word) => all.includes(word));
  });
  return hits.sort((a, b) => a.rank - b.rank).slice(0, most);
}

/**
 * The nodes on the paths from a node to the output: all that is computed from it.
 * @param {Model} model
 * @param {string} id
 * @returns {Set<string>}
 */
function pathsFrom(model, id) {
  const found = new Set([id]);
  const stack = [id];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    for (const edge of model.outOf.get(top) ?? []) {
      if (found.has(edge.target)) continue;
      found.add(edge.target);
      stack.push(edge.target);
    }
  }
  return found;
}

/** The search box with its list of hits. */
class Finder {
  /**
   * @param {Model} model
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {(id: string) => void} go
   */
  constructor(model, input, list, go) {
    this.input = input;
    this.list = list;
    this.go = go;
    /** @type {string[]} */
    this.hits = [];
    this.chosen = 0;
    input.addEventListener("input", () => this.#show(search(model, input.value)));
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => setTimeout(() => this.#hide(), 150));
  }

  /** @param {{ id: string, text: string, more: string }[]} hits */
  #show(hits) {
    this.hits = hits.map((hit) => hit.id);
    const empty = this.input.value.trim() && !hits.length ? [el("li", { class: "muted" }, "nothing found")] : [];
    this.list.replaceChildren(...empty, ...hits.map((hit, i) => {
      const row = el("li", { role: "option", id: `hit-${i}` }, el("b", {}, hit.text), el("span", { class: "muted" }, ` ${hit.more}`));
      row.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.#take(i);
      });
      return row;
    }));
    this.list.hidden = !this.list.childElementCount;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.#choose(0);
  }

  /** @param {number} i */
  #choose(i) {
    this.chosen = Math.max(0, Math.min(this.hits.length - 1, i));
    [...this.list.children].forEach((row, j) => row.setAttribute("aria-selected", String(j === this.chosen)));
    if (this.hits.length) this.input.setAttribute("aria-activedescendant", `hit-${this.chosen}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} i */
  #take(i) {
    const id = this.hits[i];
    if (id === undefined) return;
    this.#hide();
    this.go(id);
  }

  #hide() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter") this.#take(this.chosen);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.#choose(this.chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.#hide();
      this.input.blur();
    } else return;
    event.stopPropagation();
  }
}
