/** @file The part of the drawing that is seen: zoom around the pointer, drag, pinch, fit, and a small map. */

const ZOOM = { least: 0.1, most: 4, fit: 0.5, readable: 0.76, largest: 1.25 };
const EDGE = 24;
/** The small map: how wide and high it is at most, and from which width of the pane on it is there. */
const MAP = { width: 120, height: 170, part: 0.15, from: 520 };

class Camera {
  /**
   * @param {SVGSVGElement} svg
   * @param {SVGGElement} world
   * @param {SVGSVGElement} map
   */
  constructor(svg, world, map) {
    this.svg = svg;
    this.world = world;
    this.map = map;
    this.x = 0;
    this.y = 0;
    this.zoom = 1;
    this.size = { width: 1, height: 1 };
    /** Where the drawing begins: the middle of its topmost box. */
    this.head = 0;
    /** Whether the reader has moved the drawing. */
    this.touched = false;
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    this.dragged = false;
    this.#listen();
  }

  /** Show the present place. */
  apply() {
    this.world.style.transform = `translate(${this.x.toFixed(2)}px, ${this.y.toFixed(2)}px) scale(${this.zoom.toFixed(4)})`;
    this.#drawMap();
  }

  /** The size of the pane. */
  pane() {
    return { width: this.svg.clientWidth || 800, height: this.svg.clientHeight || 600 };
  }

  /**
   * Everything in the pane; where that would be too small to read, the top of it.
   * @param {number} [floor] the least zoom
   */
  fit(floor = ZOOM.fit) {
    const pane = this.pane();
    const whole = Math.min((pane.width - 2 * EDGE) / this.size.width, (pane.height - 2 * EDGE) / this.size.height);
    this.zoom = Math.min(ZOOM.largest, Math.max(floor, whole));
    this.#sizeMap();
    const mapped = whole < this.zoom && pane.width >= MAP.from; // the small map covers the rest
    const wide = pane.width - this.size.width * this.zoom;
    const covered = mapped ? this.map.width.baseVal.value + 20 : 0;
    const room = wide - covered >= 16 ? wide - covered : wide;
    this.x = room >= 2 * EDGE || (room < wide) ? room / 2 : Math.min(EDGE, Math.max(room - EDGE, pane.width / 2 - this.head * this.zoom));
    this.y = Math.max(pane.height - this.size.height * this.zoom, 2 * EDGE) / 2;
    this.touched = false;
    this.apply();
  }

  /**
   * Zoom, so that a point of the pane stays where it is.
   * @param {number} factor
   * @param {number} [px]
   * @param {number} [py]
   */
  zoomAt(factor, px = this.pane().width / 2, py = this.pane().height / 2) {
    const zoom = Math.min(ZOOM.most, Math.max(ZOOM.least, this.zoom * factor));
    this.x = px - ((px - this.x) * zoom) / this.zoom;
    this.y = py - ((py - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.touched = true;
    this.apply();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.touched = true;
    this.apply();
  }

  /**
   * Move as little as needed to see a box, with some of what is around it.
   * @param {number[]} box x, y, width, height
   * @param {boolean} [middle] to the middle of the pane in any case
   */
  reveal(box, middle = false) {
    const pane = this.pane();
    const [x = 0, y = 0, w = 0, h = 0] = box;
    const left = x * this.zoom + this.x, upper = y * this.zoom + this.y;
    const right = left + w * this.zoom, lower = upper + h * this.zoom;
    const margin = { x: Math.min(70, pane.width / 8), y: Math.min(90, pane.height / 6) };
    const free = pane.width - (this.map.classList.contains("away") ? 8 : this.map.clientWidth + 20); // the small map covers the rest
    if (!middle && left >= 8 && right <= free && upper >= 8 && lower <= pane.height - 8) return;
    if (middle || lower - upper > pane.height || right - left > pane.width) {
      this.x += pane.width / 2 - (left + right) / 2;
      this.y += lower - upper > pane.height ? EDGE - upper : pane.height / 2 - (upper + lower) / 2;
    } else {
      this.x += Math.max(0, margin.x - left) - Math.max(0, right - Math.min(free, pane.width - margin.x));
      this.y += Math.max(0, margin.y - upper) - Math.max(0, lower - (pane.height - margin.y));
    }
    this.apply();
  }

  /** The small map: all boxes, and the part that is seen. Only where not everything is seen. */
  #drawMap() {
    const pane = this.pane();
    const { width, height } = this.size;
    const seen = this.x >= 0 && this.y >= 0 && this.x + width * this.zoom <= pane.width && this.y + height * this.zoom <= pane.height;
    const frame = this.map.querySelector(".seen");
    this.map.classList.toggle("away", seen || pane.width < MAP.from);
    if (!frame || seen) return;
    this.#sizeMap();
    const box = { x: -this.x / this.zoom, y: -this.y / this.zoom, width: pane.width / this.zoom, height: pane.height / this.zoom };
    const left = Math.max(0, Math.min(width, box.x)), upper = Math.max(0, Math.min(height, box.y));
    filled(frame, {
      x: left, y: upper, width: Math.max(0, Math.min(width, box.x + box.width) - left),
      height: Math.max(0, Math.min(height, box.y + box.height) - upper),
    }, []);
  }

  /**
   * Draw the boxes of the small map anew.
   * @param {Placed} placed
   * @param {Set<string>} frames the open groups
   */
  mapOf(placed, frames) {
    this.size = { width: Math.max(placed.width, 1), height: Math.max(placed.height, 1) };
    const { width, height } = this.size;
    const top = Object.values(placed.boxes).reduce((most, box) => ((box[1] ?? 0) < (most[1] ?? 0) ? box : most), [0, Infinity, 0, 0]);
    this.head = (top[0] ?? 0) + (top[2] ?? 0) / 2;
    this.#sizeMap();
    const boxes = Object.entries(placed.boxes).map(([id, [x, y, w, h]]) =>
      svgEl("rect", { class: frames.has(id) ? "frame" : "dot", x, y, width: w, height: h }));
    this.map.replaceChildren(...boxes, svgEl("rect", { class: "seen", "vector-effect": "non-scaling-stroke" }));
  }

  /** The size of the small map, as the pane is. */
  #sizeMap() {
    const { width, height } = this.size, pane = this.pane();
    const scale = Math.min(MAP.width / width, (pane.width * MAP.part) / width, MAP.height / height, (pane.height * 0.4) / height);
    filled(this.map, { viewBox: `0 0 ${width} ${height}`, width: Math.max(24, width * scale), height: Math.max(24, height * scale) }, []);
  }

  #listen() {
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      const at = this.#at(event);
      this.zoomAt(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0015)), at[0], at[1]);
    }, { passive: false });
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.pointers.set(event.pointerId, this.#at(event));
      this.dragged = false;
    });
    this.svg.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      window.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        this.svg.classList.remove("dragging");
      });
    }
    this.map.addEventListener("pointerdown", (event) => this.#jump(event));
    this.map.addEventListener("pointermove", (event) => { if (event.buttons) this.#jump(event); });
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const at = this.#at(event);
    if (!this.dragged && Math.hypot(at[0] - before[0], at[1] - before[1]) < 4) return;
    if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.svg.classList.add("dragging");
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const spread = Math.hypot(before[0] - other[0], before[1] - other[1]) || 1;
      this.zoomAt(Math.hypot(at[0] - other[0], at[1] - other[1]) / spread, (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    } else {
      this.pan(at[0] - before[0], at[1] - before[1]);
    }
    this.pointers.set(event.pointerId, at);
  }

  /**
   * Go to the place that was pointed at on the small map.
   * @param {PointerEvent} event
   */
  #jump(event) {
    event.preventDefault();
    const box = this.map.getBoundingClientRect();
    const pane = this.pane();
    this.x = pane.width / 2 - ((event.clientX - box.left) / box.width) * this.size.width * this.zoom;
    this.y = pane.height / 2 - ((event.clientY - box.top) / box.height) * this.size.height * this.zoom;
    this.touched = true;
    this.apply();
  }

  /**
   * A place in the pane.
   * @param {MouseEvent} event
   * @returns {Point}
   */
  #at(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}
