/** The page: it opens a door to Python (or to the numbers in this file) and shows what comes in. */

import { fill, h } from "./dom.js";
import { draw, onRedraw as onNetworkRedraw } from "./network.js";
import { forgetCode, onRedraw as onPanelRedraw, panel, togglePlay } from "./panel.js";
import { forgetDrawing, fromFile, picturePanel } from "./picture.js";
import { fromAddress, onChange, show, shown } from "./state.js";
import { size } from "./tensor.js";
import { texts } from "./texts.js";
import { takeAlong } from "./take.js";
import { tour } from "./tour.js";
import { training } from "./train.js";
import { why } from "./why.js";
import { connect, fromFile as fromSaved, fromNotebook, Superseded } from "./wire.js";
import { zoomable } from "./zoom.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const say = (/** @type {string} */ text) => { $("said").textContent = text; };
const complain = (/** @type {unknown} */ error) => {
  if (error instanceof Superseded) return;
  $("error").textContent = error instanceof Error ? error.message : String(error);
  $("error").hidden = false;
};

async function main() {
  const { pellucidSaved: saved, pellucidNotebook: inNotebook } = /** @type {any} */ (globalThis);
  const door = saved ? fromSaved(saved) : inNotebook ? fromNotebook() : await connect(`ws://${location.host}/socket`, complain);
  /** @returns {Promise<Network>} */
  const ofNow = async () => {
    const { words, arrays } = await door.ask({ ask: "network" });
    fill($("title"), words.title, h("small", {}, ` ${words.count.toLocaleString("en")} parameters`));
    return { ...words, state: new Map(words.state.map((/** @type {string} */ path, /** @type {number} */ n) => [path, arrays[n]])) };
  };
  let net = await ofNow();
  document.title = `${net.title} · Pellucid`;
  const [H, W] = net.values[1].shape.length === 3 ? net.values[1].shape.slice(1) : [0, 0];
  show({ part: Object.keys(net.parts)[0] ?? null, at: Math.floor(H / 2) * W + Math.floor(W / 2), ...fromAddress(location.hash) });
  clamp(net);

  /** @type {Pass} */
  let pass;
  /** @type {Tensor} */
  let own = { data: new Uint8Array(size(net.image)), shape: net.image };
  /** @type {Set<string>} */
  const wide = new Set();

  const run = async (quick = false) => {
    const image = shown.part === null ? {} : { part: shown.part, index: shown.index };
    const answer = await door.ask({ ask: "trace", ...image, target: shown.target, objective: shown.objective, gradients: !quick, topic: "trace" }, shown.part === null ? [own] : []);
    pass = await completed(answer);
  };
  /** @param {import("./wire.js").Answer} answer @returns {Promise<Pass>} */
  const completed = async answer => {
    const { words: told, arrays: all } = answer, sent = told.values.length;
    const values = all.slice(1, 1 + sent), gradients = told.gradients ? all.slice(1 + sent, 1 + 2 * sent) : null;
    while (values.length < net.values.length) { // a large network is sent in parts
      const of = Array.from({ length: Math.min(net.values.length - values.length, 20) }, (_, n) => values.length + n);
      const more = await door.ask({ ask: "values", of });
      values.push(...more.arrays.slice(0, of.length));
      gradients?.push(...more.arrays.slice(of.length));
    }
    const learned = all.slice(1 + sent * (told.gradients ? 2 : 1));
    return { ...told, pixels: all[0], values, gradients, parameterGradients: new Map(told.state.map((/** @type {string} */ path, /** @type {number} */ n) => [path, learned[n]])) };
  };

  const drawNetwork = () => draw({ viewport: $("viewport"), stage: $("stage"), mini: $("mini") }, net, pass, wide);
  const drawPanel = () => panel($("panel"), net, pass, door, say, (/** @type {HTMLElement} */ body) => why(body, net, pass, door).catch(complain));
  const use = async (/** @type {Tensor} */ pixels, /** @type {boolean} */ quick) => {
    own = pixels;
    show({ part: null, index: 0 });
    try {
      await run(quick);
      drawAll(quick);
    } catch (error) { complain(error); }
  };
  const drawAll = (quick = false) => {
    drawNetwork();
    drawPanel();
    if (!quick) picturePanel($("picture"), net, pass, door, use);
    else $("picture").querySelector(".probabilities")?.replaceWith(probabilitiesOnly());
    document.body.dataset.passes = String(Number(document.body.dataset.passes ?? 0) + 1);
  };
  const probabilitiesOnly = () => {
    const hidden = h("div", {});
    picturePanel(hidden, net, pass, { ...door, live: false }, use);
    return hidden.querySelector(".probabilities");
  };

  const learning = training($("training"), door, async begun => {
    if (begun) { net = await ofNow(); clamp(net); forgetCode(); controls(net, door, learning); }
    else if (shown.tab === "weights" || shown.tab === "forward") net = await ofNow();
    await run();
    drawNetwork();
    if (document.activeElement?.id !== "channel") drawPanel();
    $("picture").querySelector(".probabilities")?.replaceWith(probabilitiesOnly());
  }, complain);

  await run();
  controls(net, door, learning);
  const zoom = zoomable($("viewport"), $("stage"), $("mini"));
  drawAll();
  zoom.fit();
  onNetworkRedraw(drawNetwork);
  onPanelRedraw(drawPanel);
  onChange(async changed => {
    $("error").hidden = true;
    try {
      if (changed.has("part") && shown.part === null) return;
      if (["part", "index", "target", "objective"].some(key => changed.has(key))) { await run(); drawAll(); return; }
      clamp(net);
      drawNetwork();
      drawPanel();
      document.documentElement.classList.toggle("teacher", shown.teacher);
      tour($("tour"), net);
    } catch (error) { complain(error); }
  });
  document.documentElement.classList.toggle("teacher", shown.teacher);
  tour($("tour"), net);
  keys(() => net);
  addEventListener("hashchange", () => show(fromAddress(location.hash)));
  addEventListener("resize", () => zoom.update());
  addEventListener("paste", e => fromFile([.../** @type {ClipboardEvent} */ (e).clipboardData?.files ?? []][0], net, door, use).catch(complain));
  addEventListener("dragover", e => e.preventDefault());
  addEventListener("drop", e => { e.preventDefault(); fromFile(e.dataTransfer?.files[0], net, door, use).catch(complain); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  /** @type {any} */ (globalThis).explorer = { get net() { return net; }, get pass() { return pass; }, show, shown };
  document.body.dataset.ready = "true";
}

/** Keep what is chosen inside the network. @param {Network} net */
function clamp(net) {
  shown.value = Math.min(shown.value, net.values.length - 1);
  shown.at = Math.min(shown.at, size(net.values[shown.value].shape) - 1);
  if (shown.part !== null && !(shown.part in net.parts)) shown.part = Object.keys(net.parts)[0] ?? null;
  if (shown.target !== null) shown.target = Math.min(shown.target, net.classes.length - 1);
}

/** @param {Network} net @param {import("./wire.js").Door} door @param {() => void} learning */
function controls(net, door, learning) {
  const choice = (/** @type {string} */ label, /** @type {any[][]} */ options, /** @type {any} */ chosen, /** @type {(value: string) => void} */ act, /** @type {string} */ id) =>
    h("label", {}, `${label} `, h("select", { id, onchange: (/** @type {any} */ e) => act(e.target.value) }, options.map(([value, name]) => h("option", { value, selected: String(value) === String(chosen ?? "") }, name))));
  fill($("controls"),
    door.live ? choice(texts.target, [["", texts.mostProbable], ...net.classes.map((name, n) => [n, name])], shown.target, value => show({ target: value === "" ? null : Number(value) }), "target") : null,
    door.live ? choice(texts.objective, [["loss", texts.loss], ["score", texts.score]], shown.objective, value => show({ objective: /** @type {any} */ (value) }), "objective") : null,
    choice("Maps", [["activation", "activations"], ["gradient", "gradients"]], shown.map, value => show({ map: /** @type {any} */ (value) }), "maps"),
    choice("Scale", [["own", "each its own"], ["shared", "one for all"]], shown.scale, value => show({ scale: /** @type {any} */ (value) }), "scale"),
    door.live ? h("button", { id: "train", onclick: learning }, "Train") : null,
    h("button", { id: "start-tour", onclick: () => show({ stop: 0 }) }, "Tour"),
    h("button", { id: "theme", onclick: () => {
      const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
      document.documentElement.dataset.theme = dark ? "light" : "dark";
      show({ scale: shown.scale === "own" ? "shared" : "own" });
      show({ scale: shown.scale === "own" ? "shared" : "own" });
    } }, "Light or dark"),
    takeAlong(net, door, say),
    h("button", { id: "help", "aria-label": "Keyboard shortcuts", onclick: help }, "?"));
}

function help() {
  const dialog = h("dialog", { "aria-labelledby": "help-title", onclose: () => dialog.remove() }, h("h2", { id: "help-title" }, "Keyboard shortcuts"),
    h("dl", {}, texts.shortcuts.map(([key, does]) => [h("dt", {}, key), h("dd", {}, does)])), h("form", { method: "dialog" }, h("button", { autofocus: true }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {() => Network} current */
function keys(current) {
  addEventListener("keydown", e => {
    const net = current(), target = /** @type {HTMLElement} */ (e.target);
    if (e.ctrlKey || e.metaKey || e.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) || document.querySelector("dialog[open]")) return;
    const tabs = /** @type {any} */ ({ f: "forward", b: "backward", w: "weights", c: "code", y: "why" });
    if (e.key in tabs) show({ tab: tabs[e.key] });
    else if (e.key === "[" || e.key === "]") {
      const value = (shown.value + (e.key === "]" ? 1 : -1) + net.values.length) % net.values.length;
      show({ value, at: Math.floor(shown.at / size(net.values[shown.value].shape) * size(net.values[value].shape)) });
    } else if (e.key === "g") show({ map: shown.map === "gradient" ? "activation" : "gradient" });
    else if (e.key === "t") show({ teacher: !shown.teacher });
    else if (e.key === "n" && shown.part !== null) { forgetDrawing(); show({ index: (shown.index + 1) % net.parts[shown.part] }); }
    else if (e.key === "?") help();
    else if (e.key === " " && target.tagName !== "BUTTON") { e.preventDefault(); togglePlay(); }
  });
}

// Parts of the page ask for themselves; what fails is shown, and a question that a newer one replaced is not.
addEventListener("unhandledrejection", event => { event.preventDefault(); complain(event.reason); });
main().catch(complain);
