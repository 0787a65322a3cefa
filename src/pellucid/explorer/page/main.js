/** The page: it opens a door to Python (or to the numbers in this file) and shows what comes in. */

import { fill, h } from "./dom.js";
import { counterpart, draw, onRedraw as onNetworkRedraw } from "./network.js";
import { forgetCode, onRedraw as onPanelRedraw, panel } from "./panel.js";
import { forgetDrawing, fromFile, picturePanel, redrawAnswer } from "./picture.js";
import { fromAddress, imageOf, keepAddress, onChange, show, shown } from "./state.js";
import { asImage, size } from "./tensor.js";
import { texts } from "./texts.js";
import { takeAlong } from "./take.js";
import { tour } from "./tour.js";
import { training } from "./train.js";
import { togglePlay } from "./walk.js";
import { why } from "./why.js";
import { connect, fromFile as fromSaved, fromNotebook, onEvent, Superseded } from "./wire.js";
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
onEvent(({ words: { event, line } }) => {
  if (event !== "compiling") return;
  $("compiling").textContent = texts.compiling(line);
  $("compiling").hidden = !line;
});

async function main() {
  const { pellucidSaved: saved, pellucidNotebook: inNotebook } = /** @type {any} */ (globalThis);
  const plain = saved ? fromSaved(saved) : inNotebook ? fromNotebook() : await connect(`ws://${location.host}/socket`, complain);
  /** The door of the network that is explored. @type {import("./wire.js").Door} */
  const door = { ...plain, ask: (words, arrays) => plain.ask({ run: shown.run, ...words }, arrays) };
  /** @param {number} [which] @returns {Promise<Network>} */
  const ofNow = async (which = shown.run) => {
    const { words, arrays } = await door.ask({ ask: "network", run: which });
    return { ...words, state: new Map(words.state.map((/** @type {string} */ path, /** @type {number} */ n) => [path, arrays[n]])) };
  };
  const given = fromAddress(location.hash);
  shown.run = given.run ?? 0;
  let net = await ofNow();
  show({ part: Object.keys(net.parts)[0] ?? null, ...given });
  clamp(net);

  let pass = /** @type {Pass} */ (/** @type {unknown} */ (null));
  /** @type {Tensor} */
  let own = { data: new Uint8Array(size(net.image)), shape: net.image };
  /** @type {Set<string>} */
  const wide = new Set();

  /** The network that stands beside, with its own pass of the same image. @type {{net: Network, pass: Pass, name: string} | null} */
  let beside = null;

  const run = async (quick = false) => {
    pass = await passOf(net, shown.run, quick);
    if (shown.beside === null) { beside = null; return; }
    const other = beside && beside.net.runs?.[shown.beside] === beside.name ? beside.net : await ofNow(shown.beside);
    beside = { net: other, pass: await passOf(other, shown.beside, quick), name: other.title };
  };
  /** @param {Network} of @param {number} which @param {boolean} quick @returns {Promise<Pass>} */
  const passOf = async (of, which, quick) => {
    const asked = { ask: "trace", run: which, ...imageOf(), target: shown.target, objective: shown.objective, gradients: !quick, topic: `trace ${which}` };
    return completed(of, which, await door.ask(asked, shown.part === null ? [own] : []));
  };
  /** @param {Network} net @param {number} which @param {import("./wire.js").Answer} answer @returns {Promise<Pass>} */
  const completed = async (net, which, answer) => {
    const { words, arrays: all } = answer, sent = words.values.length;
    const values = all.slice(1, 1 + sent), gradients = words.gradients ? all.slice(1 + sent, 1 + 2 * sent) : null;
    while (values.length < net.values.length) { // a large network is sent in parts
      const of = Array.from({ length: Math.min(net.values.length - values.length, 20) }, (_, n) => values.length + n);
      const more = await door.ask({ ask: "values", run: which, of });
      values.push(...more.arrays.slice(0, of.length));
      gradients?.push(...more.arrays.slice(of.length));
    }
    const learned = all.slice(1 + sent * (words.gradients ? 2 : 1));
    return { ...words, pixels: all[0], values, gradients, parameterGradients: new Map(words.state.map((/** @type {string} */ path, /** @type {number} */ n) => [path, learned[n]])) };
  };

  const drawNetwork = () => {
    draw({ viewport: $("viewport"), stage: $("stage"), mini: $("mini") }, net, pass, wide, shown.value, show);
    $("beside").hidden = beside === null;
    if (!beside) return;
    const { net: other, name } = beside, here = counterpart(net, shown.value, other);
    $("beside-name").textContent = name;
    draw({ viewport: $("beside-viewport"), stage: $("beside-stage"), mini: null }, other, beside.pass, wide, here,
      change => show("value" in change ? { ...change, run: shown.beside ?? 0, beside: shown.run } : change));
  };
  const drawPanel = () => panel($("panel"), net, pass, door, say, (/** @type {HTMLElement} */ body) => why(body, net, pass, door).catch(complain), beside);
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
    if (!quick) picturePanel($("picture"), net, pass, door, use, beside);
    else redrawAnswer($("picture"), net, pass, beside);
    document.body.dataset.passes = String(Number(document.body.dataset.passes ?? 0) + 1);
  };
  const learning = training($("training"), door, async begun => {
    if (begun) { net = await ofNow(); clamp(net); forgetCode(); controls(net, door, learning); }
    else if (shown.tab === "weights" || shown.tab === "forward") net = await ofNow();
    await run();
    drawNetwork();
    if (document.activeElement?.id !== "channel") drawPanel();
    redrawAnswer($("picture"), net, pass, beside);
  }, complain);

  await run();
  if (given.at === undefined) shown.at = telling(net, pass, shown.value);
  controls(net, door, learning);
  const zoom = zoomable($("viewport"), $("stage"), $("mini"), $("beside-viewport"), $("beside-stage"));
  drawAll();
  zoom.fit();
  onNetworkRedraw(drawNetwork);
  onPanelRedraw(drawPanel);
  onChange(async changed => {
    $("error").hidden = true;
    try {
      if (changed.has("part") && shown.part === null) return;
      const other = changed.has("run") || changed.has("beside");
      if (other) net = await ofNow();
      clamp(net);
      if (other) {
        forgetCode();
        controls(net, door, learning);
      }
      if (["run", "beside", "part", "index", "target", "objective"].some(key => changed.has(key))) {
        await run();
        drawAll();
        if (changed.has("beside")) zoom.fit();
        return;
      }
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

/** A number that has much to tell: large, and with a large gradient. @param {Network} net @param {Pass} pass @param {number} v */
function telling(net, pass, v) {
  const { data } = pass.values[v], gradient = pass.gradients?.[v].data, each = size(net.values[v].shape) / asImage(net.values[v].shape)[0];
  let best = 0, most = -1;
  for (let n = 0; n < each; n++) {
    const tells = Math.abs(data[n]) * (1e-30 + Math.abs(gradient?.[n] ?? 0));
    if (tells > most) [best, most] = [n, tells];
  }
  return best;
}

/** Keep what is chosen inside the network and its images. @param {Network} net */
function clamp(net) {
  shown.value = Math.min(shown.value, net.values.length - 1);
  shown.at = Math.min(shown.at, size(net.values[shown.value].shape) - 1);
  if (shown.part !== null && !(shown.part in net.parts)) shown.part = Object.keys(net.parts)[0] ?? null;
  if (shown.part !== null) {
    if (net.saved && !net.saved.includes(shown.index)) shown.index = net.saved[0];
    shown.index = Math.min(shown.index, net.parts[shown.part] - 1);
  }
  const runs = net.runs?.length ?? 1;
  if (shown.beside !== null && (shown.beside >= runs || shown.beside === shown.run)) shown.beside = null;
  document.title = `${net.title} · Pellucid`;
  if (shown.target !== null) shown.target = Math.min(shown.target, net.classes.length - 1);
  keepAddress();
}

/** The number of the image after the one that is shown. @param {Network} net @param {string} part */
function next(net, part) {
  const { saved } = net;
  return saved ? saved[(saved.indexOf(shown.index) + 1) % saved.length] : (shown.index + 1) % net.parts[part];
}

/** @param {Network} net @param {import("./wire.js").Door} door @param {() => void} learning */
function controls(net, door, learning) {
  const choice = (/** @type {string} */ label, /** @type {any[][]} */ options, /** @type {any} */ chosen, /** @type {(value: string) => void} */ act, /** @type {string} */ id) =>
    h("label", {}, `${label} `, h("select", { id, onchange: (/** @type {any} */ e) => act(e.target.value) }, options.map(([value, name]) => h("option", { value, selected: String(value) === String(chosen ?? "") }, name))));
  const runs = (net.runs ?? []).map((name, n) => /** @type {any[]} */ ([n, name])), several = runs.length > 1;
  fill($("title"), net.title, h("small", {}, ` ${texts.parameters(net.count)}`));
  fill($("controls"),
    several ? choice(texts.run, runs, shown.run, value => show({ run: Number(value), beside: Number(value) === shown.beside ? shown.run : shown.beside }), "run") : null,
    several ? choice(texts.beside, [["", texts.nothing], ...runs.filter(([n]) => n !== shown.run)], shown.beside, value => show({ beside: value === "" ? null : Number(value) }), "beside-run") : null,
    choice(texts.maps, [["activation", texts.mapKinds[0]], ["gradient", texts.mapKinds[1]], ["weight", texts.mapKinds[2]]], shown.map, value => show({ map: /** @type {any} */ (value) }), "maps"),
    choice(texts.scale, [["own", texts.scales[0]], ["shared", texts.scales[1]]], shown.scale, value => show({ scale: /** @type {any} */ (value) }), "scale"),
    door.live ? choice(texts.objective, [["loss", texts.loss], ["score", texts.score]], shown.objective, value => show({ objective: /** @type {any} */ (value) }), "objective") : null,
    door.live ? choice(texts.target, [["", texts.mostProbable], ...net.classes.map((name, n) => [n, name])], shown.target, value => show({ target: value === "" ? null : Number(value) }), "target") : null,
    door.live ? h("button", { id: "train", onclick: learning }, texts.trainButton) : null,
    h("button", { id: "start-tour", onclick: () => show({ stop: 0 }) }, texts.tourButton),
    h("button", { id: "theme", onclick: () => {
      const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
      document.documentElement.dataset.theme = dark ? "light" : "dark";
      show({ scale: shown.scale === "own" ? "shared" : "own" });
      show({ scale: shown.scale === "own" ? "shared" : "own" });
    } }, texts.theme),
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
    } else if (e.key === "g") { const kinds = /** @type {const} */ (["activation", "gradient", "weight"]); show({ map: kinds[(kinds.indexOf(shown.map) + 1) % 3] }); }
    else if (e.key === "x" && shown.beside !== null) show({ run: shown.beside, beside: shown.run });
    else if (e.key === "t") show({ teacher: !shown.teacher });
    else if (e.key === "n" && shown.part !== null) { forgetDrawing(); show({ index: next(net, shown.part) }); }
    else if (e.key === "?") help();
    else if (e.key === " " && target.tagName !== "BUTTON") { e.preventDefault(); togglePlay(); }
  });
}

// Parts of the page ask for themselves; what fails is shown, and a question that a newer one replaced is not.
addEventListener("unhandledrejection", event => { event.preventDefault(); complain(event.reason); });
main().catch(complain);
