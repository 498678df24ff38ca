/** @file The drawing: boxes, frames and edges as SVG elements, and how they look after a step. The look is that of viz/forms/svg.py. */

/** @typedef {[number, boolean, number]} Font size, bold, height of a line: as in viz/graph/labels.py */
/** @type {Font} */
const PLAIN = [12, false, 17];
/** @type {Record<string, Font>} */
const FONTS = {
  title: [14, true, 19], class: [12.5, false, 17], formula: [12.5, false, 17], derivative: [12.5, false, 17], muted: [12, false, 17],
  value: [12, false, 17], gradient: [12, false, 17], warn: [12, true, 17],
};
const WIDTHS = [1.4, 2.0, 2.8, 3.7, 4.6];

/**
 * The class, the width and the dashes of an edge.
 * @param {string} state
 * @param {number} level
 * @returns {[string, number, string]}
 */
function strokes(state, level) {
  if (state === "flow") return [`edge-${level}`, WIDTHS[level] ?? 2, ""];
  if (state === "zero") return ["edge-zero", 1.6, "9 5"];
  if (state === "nan") return ["edge-nan", 4.6, ""];
  if (state === "later") return ["edge-later", 1, ""];
  return state === "none" ? ["edge-none", 1.4, "1.5 4"] : ["edge-unknown", 1.4, ""];
}

/**
 * The line shortened by its arrow head, and the corners of the head.
 * @param {Point[]} points
 * @param {number} size
 * @param {boolean} leftRight
 * @returns {[Point[], string]}
 */
function headed(points, size, leftRight) {
  const [x0, y0] = points[points.length - 2] ?? [0, 0];
  const [x1, y1] = points[points.length - 1] ?? [0, 0];
  const dx = leftRight ? (x1 >= x0 ? 1 : -1) : 0;
  const dy = leftRight ? 0 : y1 >= y0 ? 1 : -1;
  const half = size * 0.42, bx = x1 - dx * size, by = y1 - dy * size;
  const corners = [[x1, y1], [bx - dy * half, by + dx * half], [bx + dy * half, by - dx * half]];
  const text = corners.map((corner) => corner.map((v) => v.toFixed(2)).join(",")).join(" ");
  return [[...points.slice(0, -1), [x1 - dx * size * 0.8, y1 - dy * size * 0.8]], text];
}

class Scene {
  /**
   * @param {Model} model
   * @param {SVGGElement} world
   */
  constructor(model, world) {
    this.model = model;
    this.leftRight = model.graph.direction === "LR";
    this.dashes = model.graph.nodes.some((node) => node.tracked);
    this.backs = world.appendChild(svgEl("g", { "aria-hidden": true }));
    this.lines = world.appendChild(svgEl("g", {}));
    this.fronts = world.appendChild(svgEl("g", {}));
    /** @type {Map<string, SVGGElement>} nodes, closed groups, and the title bars of open ones */
    this.boxes = new Map();
    /** @type {Map<string, SVGRectElement>} */
    this.frames = new Map();
    /** @type {Map<string, SVGGElement>} */
    this.edges = new Map();
    /** @type {View} */
    this.view = { root: [], edges: [] };
    /** @type {Placed} */
    this.placed = { width: 1, height: 1, boxes: {}, edges: {} };
  }

  /**
   * Show another view. What was there before moves to its new place.
   * @param {View} view
   * @param {Placed} placed
   */
  show(view, placed) {
    this.view = view;
    this.placed = placed;
    const former = { boxes: this.boxes, frames: this.frames };
    this.boxes = new Map();
    this.frames = new Map();
    /** @type {[SeenItem, number][]} */
    const stack = [...view.root].reverse().map((item) => [item, 0]);
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const [item, depth] = top;
      const [x = 0, y = 0, w = 0, h = 0] = placed.boxes[item.id] ?? [];
      const open = "children" in item;
      const old = former.boxes.get(item.id);
      const box = old && old.classList.contains("open") === open ? old : this.#box(item.id, w, h, open);
      box.style.transform = `translate(${x}px, ${y}px)`;
      this.boxes.set(item.id, box);
      if (open) {
        const frame = former.frames.get(item.id) ?? svgEl("rect", { rx: 8 });
        frame.setAttribute("class", `frame ${depth % 2 ? "odd" : "even"}`);
        Object.assign(frame.style, { x: `${x}px`, y: `${y}px`, width: `${w}px`, height: `${h}px` });
        filled(frame, { x, y, width: w, height: h }, []);
        box.querySelector(".bar")?.setAttribute("width", String(w));
        this.frames.set(item.id, frame);
        stack.push(...[...item.children].reverse().map((child) => /** @type {[SeenItem, number]} */ ([child, depth + 1])));
      }
    }
    this.backs.replaceChildren(...this.frames.values());
    this.fronts.replaceChildren(...this.boxes.values());
    this.edges = new Map(view.edges.filter((edge) => placed.edges[edge.id]).map((edge) => [edge.id, this.#edge(edge)]));
    this.lines.replaceChildren(...this.edges.values());
  }

  /**
   * A node, a closed group, or the title bar of an open group.
   * @param {string} id
   * @param {number} w
   * @param {number} h
   * @param {boolean} open
   */
  #box(id, w, h, open) {
    const group = this.model.groups.get(id);
    const made = svgEl("g", { "data-id": id, tabindex: 0, role: "button" });
    if (group && open) {
      const title = svgEl("text", { x: 12, y: 18 }, svgEl("tspan", { class: "title", "font-size": 14, "font-weight": "bold" }, `▾ ${group.title}`),
        svgEl("tspan", { class: "class", "font-size": 12.5 }, group.subtitle ? ` ${group.subtitle}` : ""));
      return filled(made, { class: "group open", "aria-expanded": "true", "aria-label": `open group ${groupFacts(group).join(", ")}` },
        [svgEl("rect", { class: "bar", width: w, height: 26, rx: 8 }), title]);
    }
    const node = this.model.nodes.get(id);
    const facts = node ? nodeFacts(node) : group ? groupFacts(group) : [];
    made.append(svgEl("title", {}, facts.join("\n")));
    if (group) {
      filled(made, { class: `group closed ${group.kind} module`, "aria-expanded": "false" }, this.#closed(group, w, h));
      this.#text(made, group.lines, w, h);
      if (group.warn) made.append(this.#alarm(w));
    } else if (node) {
      const dashed = this.dashes && !node.tracked;
      const thick = node.output || node.category === "loss";
      const rx = node.kind === "op" ? 6 : node.kind === "parameter" ? 0 : node.kind === "tensor" ? 3 : Math.min(h / 2, 18);
      const line = node.kind !== "op" ? 1.6 : thick ? 2.8 : node.category === "shape" ? 1 : 1.6;
      filled(made, { class: `node ${node.kind} ${node.category}`.trim() }, [
        svgEl("rect", { class: "box", width: w, height: h, rx, "stroke-width": line, "stroke-dasharray": dashed ? "5 4" : null })]);
      this.#text(made, node.lines, w, h);
      if (this.model.graph.bad?.node === id) made.append(this.#alarm(w));
    }
    return made;
  }

  /**
   * A closed group: a double border; of a folded run, sheets that lie behind.
   * @param {Group} group
   * @param {number} w
   * @param {number} h
   */
  #closed(group, w, h) {
    if (group.kind === "fold" || group.kind === "run") {
      return [6, 3, 0].map((d) => svgEl("rect", { class: "box", x: d, y: d, width: w, height: h, rx: 6, "stroke-width": 1.3 }));
    }
    return [svgEl("rect", { class: "box", width: w, height: h, rx: 8, "stroke-width": 1.6 }),
      svgEl("rect", { class: "box", x: 3, y: 3, width: w - 6, height: h - 6, rx: 5, "stroke-width": 1 })];
  }

  /**
   * The lines of text in a box.
   * @param {SVGGElement} box
   * @param {TextLine[]} lines
   * @param {number} w
   * @param {number} h
   */
  #text(box, lines, w, h) {
    const fonts = lines.map(([style]) => FONTS[style] ?? PLAIN);
    let top = (h - fonts.reduce((sum, font) => sum + font[2], 0)) / 2;
    lines.forEach(([style, text], i) => {
      const [size, bold, high] = fonts[i] ?? PLAIN;
      box.append(svgEl("text", {
        class: style, x: w / 2, y: (top + high * 0.5 + size * 0.36).toFixed(2), "text-anchor": "middle", "font-size": size,
        "font-weight": bold ? "bold" : null, "font-style": style === "derivative" ? "italic" : null,
      }, text));
      top += high;
    });
  }

  /** @param {number} w */
  #alarm(w) {
    return svgEl("g", { class: "alarm" }, svgEl("circle", { class: "badge", cx: w - 2, cy: 2, r: 10 }),
      svgEl("text", { class: "warn", x: w - 2, y: 6, "text-anchor": "middle", "font-size": 12, "font-weight": "bold" }, "⚠"));
  }

  /** @param {SeenEdge} seen */
  #edge(seen) {
    const place = /** @type {PlacedEdge} */ (this.placed.edges[seen.id]);
    const end = place.points[place.points.length - 1] ?? [0, 0];
    const [dx, dy] = this.leftRight ? [-16, -7] : [-11, -6];
    const made = svgEl("g", { class: "edge", "data-id": seen.id }, svgEl("title", {}),
      svgEl("path", { class: "touch", d: layout.path(place.points, this.model.graph.direction) }),
      svgEl("path", { class: "line", fill: "none" }), svgEl("polygon", { class: "head" }));
    if (seen.label && place.label) {
      made.append(svgEl("text", { class: "label", x: place.label[0], y: place.label[1] + 3.9, "text-anchor": "middle", "font-size": 11 }, minus(seen.label)));
    }
    if (seen.sign) made.append(svgEl("text", { class: "sign", x: end[0] + dx, y: end[1] + dy, "text-anchor": "middle", "font-size": 10 }, seen.sign));
    return made;
  }

  /**
   * The look after a step: what is known, what is at work.
   * @param {Timeline} timeline
   * @param {number} at
   * @param {Set<string> | null} lit the nodes that are not dimmed
   * @param {string | null} selected
   */
  mark(timeline, at, lit, selected) {
    const { model } = this;
    const step = timeline.step(at);
    const open = new Set(this.frames.keys());
    const current = step ? model.boxOf(step.node, open) : null;
    const result = step ? model.boxOf(model.result(step.node).id, open) : null;
    const feeds = new Set(step ? (model.into.get(step.node) ?? []).map((edge) => edge.id) : []);
    for (const [id, box] of this.boxes) {
      const node = model.nodes.get(id);
      box.classList.toggle("current", id === current || id === result);
      box.classList.toggle("backward", (id === current || id === result) && step?.phase === "backward");
      box.classList.toggle("early", id === current && (step?.naive?.early ?? false));
      box.classList.toggle("selected", id === selected);
      box.classList.toggle("dim", lit !== null && (node ? !lit.has(id) : !model.inside(id).some((inner) => lit.has(inner.id))));
      if (node) this.#markNode(box, node, timeline, at);
      else if (box.classList.contains("closed")) {
        box.setAttribute("aria-label", `closed group ${model.groups.get(id)?.lines.map((line) => line[1]).join(", ") ?? ""}`);
        box.classList.toggle("waiting", !model.inside(id).some((inner) => timeline.valueKnown(inner.id, at) && inner.kind === "op"));
      }
    }
    for (const seen of this.view.edges) this.#markEdge(seen, timeline, at, step, feeds, lit);
  }

  /**
   * Value and gradient as far as they are known.
   * @param {SVGGElement} box
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} at
   */
  #markNode(box, node, timeline, at) {
    const known = timeline.valueKnown(node.id, at);
    const { count, of, complete } = timeline.arrived(node.id, at);
    const naive = timeline.naive && at > 0 && node.gradient !== null;
    const wrong = naive && timeline.wrong(node.id) && complete;
    const turn = timeline.passedAt.get(timeline.model.maker(node.id) ?? "") ?? 0;
    const visit = naive ? timeline.step(turn)?.naive : null;
    const early = (visit?.early ?? false) && of > 0 && turn <= at;
    const key = `${known} ${count} ${complete} ${wrong} ${naive} ${early}`;
    box.classList.toggle("waiting", !known);
    box.classList.toggle("wrong", wrong);
    if (box.dataset["state"] === key) return;
    box.dataset["state"] = key;
    const spoilt = early || wrong || (naive && timeline.sequence(node.id).slice(0, count).some((edge) => timeline.spoilt(edge)));
    const shown = node.lines.map(([style, text]) => {
      if (style === "value" && !known) return text.includes(" = ") ? text.replace(/ = .*/s, " = ?") : "?";
      if (style === "gradient" && (early || wrong || !complete)) return count || complete ? this.#gradientLine(node, timeline, count, complete, early ? visit : null) : "grad = ?";
      if (style === "warn" && !(text.includes("value") ? known : complete && !spoilt)) return "";
      return text;
    });
    box.querySelectorAll(":scope > text").forEach((text, i) => {
      text.textContent = shown[i] ?? "";
      text.classList.toggle("unknown", shown[i]?.endsWith("?") ?? false);
      text.classList.toggle("bad", spoilt && node.lines[i]?.[0] === "gradient");
    });
    filled(/** @type {Element} */ (box.querySelector("title")), {}, []).textContent =
      nodeFacts(node, naive ? (count ? timeline.sum(node.id, count).text : "none yet") : null).join("\n");
    box.setAttribute("aria-label", [`${kindText(node)} ${node.name || node.title}`, ...shown].filter(Boolean).join(", "));
    box.querySelector(":scope > .sum")?.remove();
    if (early || (of > 1 && count > 0 && count < of)) {
      box.append(svgEl("g", { class: "sum" }, svgEl("rect", { x: node.width - 22, y: -10, width: 34, height: 20, rx: 10 }),
        svgEl("text", { x: node.width - 5, y: 4, "text-anchor": "middle", "font-size": 12, "font-weight": "bold" }, `${early && visit ? visit.arrived : count}/${of}`)));
    }
  }

  /**
   * A gradient in a box that is not, or not yet, the right one, no wider than the box: a sum so far; what was passed on too early;
   * what the naive order ends with.
   * @param {GraphNode} node
   * @param {Timeline} timeline
   * @param {number} count
   * @param {boolean} complete
   * @param {NaiveStep | null} [early]
   */
  #gradientLine(node, timeline, count, complete, early) {
    const font = `bold 12px ${getComputedStyle(/** @type {Element} */ (this.fronts.querySelector("text"))).fontFamily}`;
    const many = early ? early.arrived : count;
    const { text, entries } = timeline.sum(node.id, many);
    const brief = timeline.sum(node.id, many, 2).text;
    const list = entries && entries.length > 1 && node.lines.some((line) => line[1].startsWith("grad = [")) ? `[${entries.map((x) => short(toNum(x), 2)).join(", ")}]` : text;
    const texts = early ? [`passed on ${list}`, `g = ${list}`, `g = ${text}`, `g = ${brief}`]
      : complete ? [`grad = ${list}`, `grad ${text}`, `grad ${brief}`, brief]
        : [`${list} so far`, `${text} so far`, `${brief} so far`, `${brief} …`];
    return fitted(node.value.size > 1 ? texts.map((each) => each.replace("= RMS", "RMS")) : texts, node.width - 10, font);
  }

  /**
   * @param {SeenEdge} seen
   * @param {Timeline} timeline
   * @param {number} at
   * @param {Step | null} step
   * @param {Set<string>} feeds
   * @param {Set<string> | null} lit
   */
  #markEdge(seen, timeline, at, step, feeds, lit) {
    const made = this.edges.get(seen.id);
    const place = this.placed.edges[seen.id];
    if (!made || !place) return;
    const members = seen.members.map((id) => /** @type {GraphEdge} */ (this.model.edges.get(id)));
    const flowing = members.filter((edge) => edge.gradient);
    const sent = flowing.length > 0 && flowing.every((edge) => timeline.sent(edge, at));
    const spoilt = sent && at > 0 && members.some((edge) => timeline.spoilt(edge));
    const label = spoilt ? this.#naiveLabel(seen, flowing, timeline) : { text: seen.label, level: seen.level };
    const state = !flowing.length ? seen.state : sent ? seen.state : "later";
    const [name, width, dashes] = strokes(spoilt ? "flow" : state, label.level);
    const hot = seen.members.some((id) => feeds.has(id));
    const classes = ["edge", state, name, sent ? "sent" : "", spoilt ? "spoilt" : "", hot ? `hot ${step?.phase}` : ""];
    if (lit && !members.some((edge) => lit.has(edge.source) && lit.has(edge.target))) classes.push("dim");
    made.setAttribute("class", classes.filter(Boolean).join(" "));
    const key = `${name} ${hot} ${hot ? step?.phase : ""} ${label.text} ${timeline.naive}`;
    if (made.dataset["look"] === key) return;
    made.dataset["look"] = key;
    const words = made.querySelector(".label");
    if (words) words.textContent = minus(label.text);
    const facts = members.slice(0, 6).map((edge) => {
      const source = this.model.node(edge.source);
      return `${called(source)} → ${called(this.model.node(edge.target))}, argument ${edge.argument + 1}: ${flowText(edge, source, timeline)}`;
    });
    if (members.length > 6) facts.push(`and ${members.length - 6} more`);
    /** @type {Element} */ (made.querySelector("title")).textContent = facts.join("\n");
    const drawn = hot ? Math.max(width, 2.8) : width;
    const [points, corners] = headed(place.points, 5 + 1.9 * drawn, this.leftRight);
    const d = layout.path(points, this.model.graph.direction);
    filled(/** @type {Element} */ (made.querySelector(".line")), { d, "stroke-width": drawn, "stroke-dasharray": dashes || "none" }, []);
    made.querySelector(".head")?.setAttribute("points", corners);
    made.querySelector(".stream")?.remove();
    if (hot) made.querySelector(".head")?.before(svgEl("path", { class: "stream", d, fill: "none" }));
  }
  /**
   * What the naive order sends along an edge: the largest of its members, in no more room than there is, and its step of the scale.
   * @param {SeenEdge} seen
   * @param {GraphEdge[]} flowing
   * @param {Timeline} timeline
   */
  #naiveLabel(seen, flowing, timeline) {
    const flows = flowing.map((edge) => /** @type {Brief} */ (timeline.flow(edge)));
    const most = flows.reduce((best, flow) => (flow.nan > best.nan || (flow.nan === best.nan && flow.rms > best.rms) ? flow : best));
    const { ramp } = this.model.graph;
    const level = !ramp || ramp.low > ramp.high / 2 ? 2 : most.rms <= ramp.low ? 0 : Math.min(4, Math.floor((5 * Math.log(most.rms / ramp.low)) / Math.log(ramp.high / ramp.low)));
    const entry = most.rows * most.columns === 1 ? most.preview[0] : undefined;
    const text = most.nan ? "NaN!" : most.zero ? "0" : entry !== undefined && most.text.length > seen.label.length ? short(entry, 2) : most.text;
    return { text: seen.members.length > 1 ? `${text} × ${seen.members.length}` : text, level };
  }
}
