/** @file The page itself: what is open, which step it is, what is chosen; and everything that can be clicked or pressed. */

/** How long a layout may take, in ms, and how many boxes are drawn at most. */
const LIMITS = { layout: 1500, boxes: 3000 };
const TABS = /** @type {const} */ (["step", "node", "compare", "list"]);
const KEYS = [
  ["→  ←", "one step on, one step back"], ["space", "play or pause"], ["Home  End", "to the beginning, to the end"], ["Enter", "open or close the module in focus; show the node in focus"],
  ["f", "fit (not below half size)"], ["+  −", "zoom"], ["/", "search"], ["Esc", "clear"], ["?", "this help"],
];

class App {
  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    this.model = new Model(graph);
    this.timeline = new Timeline(this.model, false);
    this.open = this.opened();
    this.at = 0;
    /** @type {string | null} */
    this.selected = null;
    /** @type {Set<string> | null} */
    this.lit = null;
    /** @type {string | null} what the card tells of */
    this.pointed = null;
    /** @type {number | undefined} */
    this.ticking = undefined;
    /** @type {number | undefined} */
    this.gliding = undefined;
    /** @type {typeof TABS[number]} */
    this.tab = "step";
    this.svg = need("graph", SVGSVGElement);
    this.world = need("world", SVGGElement);
    this.scene = new Scene(this.model, this.world);
    this.camera = new Camera(this.svg, this.world, need("map", SVGSVGElement));
    this.story = new Story(this.model, {
      go: (id) => this.go(id), seek: (at) => this.seek(at), open: (id) => this.reveal(id), play: () => this.play(true),
      isHidden: (id) => this.model.boxOf(id, this.open) !== id,
    });
    this.panel = new Panel(this.model, this.story, {
      toggle: (id) => this.toggle(id), isOpen: (id) => this.open.has(id), paths: (id) => this.only(id),
    });
    this.finder = new Finder(this.model, need("search", HTMLInputElement), need("hits", HTMLElement), (id) => this.go(id));
  }

  /** The groups that are open at first. */
  opened() {
    return new Set(this.graph.groups.filter((group) => group.open).map((group) => group.id));
  }

  // --- what is seen ---------------------------------------------------------------------------------------------------

  /**
   * Show other groups open. If the layout takes too long, all stays as it was.
   * @param {Set<string>} open
   * @param {string | null} [anchor] stays where it is on the screen
   * @returns {boolean}
   */
  arrange(open, anchor = null) {
    const end = performance.now() + LIMITS.layout;
    /** @type {View} */
    let view;
    /** @type {Placed} */
    let placed;
    try {
      view = visible(this.graph, open, this.model);
      if (countBoxes(view) > LIMITS.boxes) throw new TooLong();
      placed = layout(view.root, view.edges, this.graph.direction, () => {
        if (performance.now() > end) throw new TooLong();
      });
    } catch (error) {
      if (!(error instanceof TooLong)) throw error;
      this.say("layout took too long: close some modules");
      return false;
    }
    const focus = document.activeElement?.getAttribute("data-id") ?? null;
    const before = anchor === null ? undefined : this.scene.placed.boxes[anchor];
    this.open = open;
    this.scene.show(view, placed);
    this.camera.mapOf(placed, new Set(this.scene.frames.keys()));
    const after = anchor === null ? undefined : placed.boxes[anchor];
    if (before && after) {
      const middle = (/** @type {number[]} */ box) => (box[0] ?? 0) + Math.min(box[2] ?? 0, 160) / 2;
      this.camera.x += (middle(before) - middle(after)) * this.camera.zoom;
      this.camera.y += ((before[1] ?? 0) - (after[1] ?? 0)) * this.camera.zoom;
    }
    this.camera.apply();
    if (focus !== null) this.scene.boxes.get(this.scene.boxes.has(focus) ? focus : this.model.boxOf(focus, open))?.focus({ preventScroll: true });
    need("legend", HTMLElement).replaceChildren(...legendOf(this.model, view));
    need("summary", HTMLElement).textContent = hiddenText(this.model, view) || countsText(this.graph.counts);
    this.mark();
    return true;
  }

  /** The look and the texts at the present step. */
  mark() {
    const { timeline, at } = this;
    this.scene.mark(timeline, at, this.lit, this.selected);
    need("status", HTMLElement).textContent = stepLine(timeline, at);
    const slider = need("slider", HTMLInputElement);
    slider.max = String(timeline.last);
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", stepLine(timeline, at));
    need("legend", HTMLElement).classList.toggle("playing", at > 0 && at < timeline.last);
    need("legend", HTMLElement).classList.toggle("naively", at > 0 && timeline.naive);
    document.body.dataset["phase"] = timeline.step(at)?.phase ?? "whole";
    this.tell();
    this.point(this.pointed);
  }

  /**
   * Fill the card for what the pointer is over, or what has the focus.
   * @param {string | null} id
   */
  point(id) {
    this.pointed = id;
    const members = this.scene.view.edges.find((edge) => edge.id === id)?.members ?? [];
    const known = id !== null && (this.model.nodes.has(id) || this.model.groups.has(id));
    if (known || members.length) need("card", HTMLElement).replaceChildren(...this.panel.card(known ? id : members.join(" "), this.timeline, this.at));
  }

  /** Fill the sheet that is seen. */
  tell() {
    const sheet = need(`sheet-${this.tab}`, HTMLElement);
    if (this.tab === "step") sheet.replaceChildren(...this.story.tell(this.timeline, this.at));
    if (this.tab === "node") sheet.replaceChildren(...this.panel.chosen(this.selected, this.timeline, this.at));
    if (this.tab === "compare" && !sheet.childElementCount) sheet.replaceChildren(...this.panel.compared());
    if (this.tab === "list" && !sheet.childElementCount) sheet.replaceChildren(...this.panel.list());
  }

  /** @param {typeof TABS[number]} tab */
  show(tab) {
    this.tab = tab;
    document.body.dataset["tab"] = tab;
    for (const each of TABS) {
      const button = need(`tab-${each}`, HTMLButtonElement);
      button.setAttribute("aria-selected", String(each === tab));
      button.tabIndex = each === tab ? 0 : -1;
      need(`sheet-${each}`, HTMLElement).hidden = each !== tab;
    }
    this.tell();
  }

  /** @param {string} text */
  say(text) {
    const toast = need("toast", HTMLElement);
    toast.textContent = text;
    toast.hidden = !text;
    if (text) setTimeout(() => { if (toast.textContent === text) toast.hidden = true; }, 6000);
  }

  // --- steps ----------------------------------------------------------------------------------------------------------

  /** @param {number} at */
  seek(at) {
    this.at = Math.max(0, Math.min(this.timeline.last, at));
    if (this.tab !== "step") this.show("step");
    this.mark();
    const step = this.timeline.step(this.at);
    const box = step ? this.scene.placed.boxes[this.model.boxOf(step.node, this.open)] : undefined;
    if (box) this.glide(() => this.camera.reveal(box));
    need("sheet-step", HTMLElement).scrollTop = 0;
    if (this.at === this.timeline.last) this.play(false);
  }

  /**
   * Play, or pause.
   * @param {boolean} [on]
   */
  play(on = this.ticking === undefined) {
    window.clearInterval(this.ticking);
    this.ticking = undefined;
    const button = need("play", HTMLButtonElement);
    button.classList.toggle("on", on);
    button.setAttribute("aria-label", on ? "pause" : "play");
    if (!on || !this.timeline.last) return;
    if (this.at === this.timeline.last) this.at = 0;
    const speed = Number(need("speed", HTMLSelectElement).value);
    this.ticking = window.setInterval(() => this.seek(this.at + 1), 1800 / speed);
    this.seek(this.at + 1);
  }

  /** @param {boolean} naive */
  setNaive(naive) {
    this.play(false);
    this.timeline = new Timeline(this.model, naive);
    this.seek(naive ? Math.min(this.timeline.forward + 1, this.timeline.last) : Math.min(this.at, this.timeline.last));
  }

  // --- boxes ----------------------------------------------------------------------------------------------------------

  /**
   * Let the drawing move to its place rather than jump, and its boxes too if they are not too many.
   * @param {() => void} action
   * @param {boolean} [boxes]
   */
  glide(action, boxes = false) {
    this.world.classList.add("gliding");
    this.world.classList.toggle("rearranging", boxes && this.scene.boxes.size < 300);
    action();
    window.clearTimeout(this.gliding);
    this.gliding = window.setTimeout(() => this.world.classList.remove("gliding", "rearranging"), 400);
  }

  /** @param {string} group */
  toggle(group) {
    const open = new Set(this.open);
    if (!open.delete(group)) open.add(group);
    this.selected = group;
    this.glide(() => this.arrange(open, group), true);
  }

  /**
   * Open what is around a node, and show it.
   * @param {string} id
   */
  reveal(id) {
    const around = this.model.lineage(id).slice(1).filter((group) => !this.open.has(group));
    if (around.length) this.glide(() => this.arrange(new Set([...this.open, ...around]), this.model.boxOf(id, this.open)), true);
    const box = this.scene.placed.boxes[id];
    if (box) this.glide(() => this.camera.reveal(box));
  }

  /** Go to a node or a group: open what is around it, show it, tell all about it. @param {string} id */
  go(id) {
    this.reveal(id);
    this.select(id);
    const box = this.scene.placed.boxes[id];
    if (box) this.glide(() => this.camera.reveal(box));
  }

  /** @param {string} id */
  select(id) {
    this.selected = id;
    this.show("node");
    this.mark();
    need("sheet-node", HTMLElement).scrollTop = 0;
  }

  /** Dim everything that is on no path from a parameter. @param {string} parameter */
  only(parameter) {
    this.lit = parameter ? pathsFrom(this.model, parameter) : null;
    need("paths", HTMLSelectElement).value = parameter;
    this.mark();
  }
}

/** Thrown to stop a layout. */
class TooLong extends Error {}

/**
 * @param {View} view
 * @returns {number}
 */
function countBoxes(view) {
  let count = 0;
  const stack = [...view.root];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    count += 1;
    if ("children" in item) for (const child of item.children) stack.push(child);
  }
  return count;
}
