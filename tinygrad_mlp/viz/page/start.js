/** @file What can be clicked and pressed, and the beginning. */

/**
 * The buttons around the graph.
 * @param {App} app
 */
function wire(app) {
  /** @type {[string, () => void][]} */
  const clicks = [
    ["first", () => app.seek(0)], ["back", () => app.seek(app.at - 1)], ["play", () => app.play()], ["next", () => app.seek(app.at + 1)],
    ["last", () => app.seek(app.timeline.last)], ["closer", () => app.glide(() => app.camera.zoomAt(1.25))], ["farther", () => app.glide(() => app.camera.zoomAt(0.8))],
    ["fit", () => app.glide(() => app.camera.fit())], ["theme", toggleTheme], ["help", () => need("keys", HTMLDialogElement).showModal()],
    ["expand", () => { if (app.arrange(new Set(app.graph.groups.map((group) => group.id)))) app.camera.fit(ZOOM.readable); }],
    ["collapse", () => { if (app.arrange(new Set())) app.camera.fit(ZOOM.readable); }],
    ["reset", () => { app.only(""); if (app.arrange(app.opened())) app.camera.fit(ZOOM.readable); }],
  ];
  for (const [id, action] of clicks) need(id, HTMLButtonElement).addEventListener("click", action);
  const slider = need("slider", HTMLInputElement);
  slider.addEventListener("input", () => app.seek(Number(slider.value)));
  need("speed", HTMLSelectElement).addEventListener("change", () => { if (app.ticking !== undefined) app.play(true); });
  const paths = need("paths", HTMLSelectElement);
  paths.append(el("option", { value: "" }, "everything"), ...app.graph.nodes.filter((node) => node.kind === "parameter").map((node) => el("option", { value: node.id }, called(node))));
  paths.addEventListener("change", () => app.only(paths.value));
  if (paths.length < 2) /** @type {HTMLElement} */ (paths.parentElement).hidden = true;
  for (const tab of TABS) need(`tab-${tab}`, HTMLButtonElement).addEventListener("click", () => app.show(tab));
  need("tabs", HTMLElement).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    event.stopPropagation();
    const tab = TABS[(TABS.indexOf(app.tab) + (event.key === "ArrowRight" ? 1 : TABS.length - 1)) % TABS.length] ?? "step";
    app.show(tab);
    need(`tab-${tab}`, HTMLButtonElement).focus();
  });
  wireNaive(app);
}

/**
 * The other order of the backward pass, where it makes a difference.
 * @param {App} app
 */
function wireNaive(app) {
  const box = need("naive", HTMLInputElement);
  const label = /** @type {HTMLElement} */ (box.parentElement);
  const { naive, steps, nodes } = app.graph;
  box.disabled = naive === null;
  const shared = nodes.filter((node) => node.users > 1);
  label.title = naive ? "the order that plain recursion takes, which visits no operation twice, and where it goes wrong"
    : !steps.backward.length ? "there is no backward pass here"
    : steps.forward.length > 500 ? "shown for graphs of up to 500 operations"
    : shared.some((node) => node.kind === "op" || node.kind === "tensor") ? "plain recursion happens to be right here: whatever has several users is complete when its turn comes"
    : shared.length ? "whatever is used more than once here passes nothing on, so any order gives the same"
    : "every tensor has one user here, so any order gives the same";
  label.classList.toggle("off", naive === null);
  box.addEventListener("change", () => app.setNaive(box.checked));
}

/**
 * Clicks, focus and the pointer on the graph.
 * @param {App} app
 */
function wireGraph(app) {
  /** @param {Event} event */
  const item = (event) => (event.target instanceof Element ? event.target.closest("[data-id]")?.getAttribute("data-id") ?? null : null);
  const members = (/** @type {string} */ id) => app.scene.view.edges.find((edge) => edge.id === id)?.members ?? [];
  /** @param {string | null} id */
  const activate = (id) => {
    if (id === null) return;
    if (app.model.groups.has(id)) app.toggle(id);
    else app.select(app.model.nodes.has(id) ? id : members(id)[0] ?? id);
  };
  app.svg.addEventListener("click", (event) => {
    if (!app.camera.dragged) activate(item(event));
  });
  app.svg.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    activate(item(event));
  });
  /** @param {Event} event */
  const card = (event) => {
    const id = item(event);
    if (id !== null) app.point(id);
  };
  app.svg.addEventListener("pointerover", card);
  app.svg.addEventListener("focusin", (event) => {
    card(event);
    const box = app.scene.placed.boxes[item(event) ?? ""];
    if (box && event.target instanceof Element && event.target.matches(":focus-visible")) app.glide(() => app.camera.reveal(box));
  });
}

/**
 * The keyboard.
 * @param {App} app
 */
function wireKeys(app) {
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowRight: () => app.seek(app.at + 1), ArrowLeft: () => app.seek(app.at - 1), " ": () => app.play(), Home: () => app.seek(0),
    End: () => app.seek(app.timeline.last), f: () => app.glide(() => app.camera.fit()), "+": () => app.glide(() => app.camera.zoomAt(1.25)),
    "=": () => app.glide(() => app.camera.zoomAt(1.25)), "-": () => app.glide(() => app.camera.zoomAt(0.8)), "/": () => need("search", HTMLInputElement).focus(),
    "?": () => need("keys", HTMLDialogElement).showModal(), Escape: () => { app.only(""); app.say(""); },
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    const typing = target.matches("input:not([type=range], [type=checkbox]), select");
    const own = typing || (event.key === " " && target.matches("button, summary, input")) || (event.key.startsWith("Arrow") && target.matches("input[type=range]"));
    const action = keys[event.key];
    if (!action || own || event.ctrlKey || event.metaKey || event.altKey || need("keys", HTMLDialogElement).open) return;
    event.preventDefault();
    action();
  });
  need("keys", HTMLDialogElement).append(el("h2", {}, "Keys"), el("dl", { class: "keys" }, ...KEYS.flatMap(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)])),
    el("p", {}, "Turn the wheel to zoom, drag to move, pinch on a touch screen. Click the title of a module to open or close it."),
    button("close", () => need("keys", HTMLDialogElement).close()));
}

/** From light to dark, and back. */
function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset["theme"] === "dark" || (root.dataset["theme"] !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset["theme"] = dark ? "light" : "dark";
}

function start() {
  /** @type {Graph} */
  const graph = JSON.parse(need("data", HTMLScriptElement).textContent ?? "");
  const app = new App(graph);
  need("title", HTMLElement).textContent = graph.title || "computation graph";
  for (const [id, steps] of /** @type {const} */ ([["phase-forward", graph.steps.forward], ["phase-backward", graph.steps.backward]])) {
    need(id, HTMLElement).style.flexGrow = String(steps.length);
    need(id, HTMLElement).hidden = !steps.length;
  }
  wire(app);
  wireGraph(app);
  wireKeys(app);
  if (graph.bad) {
    const { node, words } = graph.bad;
    const banner = need("banner", HTMLElement);
    banner.append(`⚠ ${words} `, button("go there", () => app.go(node)));
    banner.hidden = false;
  }
  app.show("step");
  if (!app.arrange(app.opened())) app.arrange(new Set());
  app.camera.fit(ZOOM.readable);
  new ResizeObserver(() => { if (app.camera.touched) app.camera.apply(); else app.camera.fit(ZOOM.readable); }).observe(app.svg);
  window.addEventListener("beforeprint", () => {
    app.camera.fit(ZOOM.least);
    app.camera.touched = true; // stays so on paper
  });
  document.documentElement.dataset["ready"] = "true";
}

start();
