/** The chosen number: where it comes from, where its gradient comes from, weights, code. */

import { canvas, fill, h } from "./dom.js";
import { colour, isDark, scaleOf } from "./colours.js";
import { asImage, long, place, short, size } from "./tensor.js";
import { figure, map } from "./map.js";
import { counterpart } from "./network.js";
import { show, shown } from "./state.js";
import { texts } from "./texts.js";
import { drawBackward, drawForward, onRedraw as onWalkRedraw, restart } from "./walk.js";
import { drawWeights, onRedraw as onWeightsRedraw } from "./weights.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

const TABS = /** @type {const} */ (["forward", "backward", "weights", "code", "why"]);

/** @typedef {{net: Network, pass: Pass, name: string}} Other  what stands beside: another network, or an image that was kept */

/** @type {string} */
let lastPlace = "";

/**
 * @param {HTMLElement} place_ @param {Network} net @param {Pass} pass @param {Door} door
 * @param {(text: string) => void} say  for screen readers @param {any} why  draws the last tab
 * @param {Other | null} beside  the network that stands beside this one
 */
export function panel(place_, net, pass, door, say, why, beside) {
  const v = shown.value, value = net.values[v], tensor = pass.values[v], gradient = pass.gradients?.[v];
  if (!tensor) return;
  const focused = document.activeElement?.id;
  const here = place(value.shape, shown.at), now = `${v} ${shown.at} ${shown.tab}`;
  if (now !== lastPlace) { restart(); lastPlace = now; }
  const read = texts.readout(value.name, here, long(tensor.data[shown.at]), gradient ? long(gradient.data[shown.at]) : null);
  say(read);
  const readout = h("output", { class: "readout" }, read);
  const shownMap = shown.map === "gradient" && gradient ? gradient : tensor;
  const choose = (/** @type {number} */ at) => show({ at });
  const own = map({
    tensor: shownMap, channel: here[0], label: `${value.name}, ${value.shape.join("×")}`, side: 216, at: shown.at, choose,
    hover: at => { readout.textContent = at === null ? read : texts.readout(value.name, place(value.shape, at), long(tensor.data[at]), gradient ? long(gradient.data[at]) : null); },
  });
  own.id = "own-map";
  const [C] = asImage(value.shape);
  const body = h("div", { class: "body", role: "tabpanel", id: "panel-body", "aria-labelledby": `tab-${shown.tab}`, tabindex: "0" });
  fill(place_,
    h("header", {},
      h("h2", {}, value.name, h("small", {}, ` ${value.options ?? value.kind}`)),
      h("div", { class: "tabs", role: "tablist", "aria-label": "What is shown of the chosen number" }, TABS.map(tab => h("button", {
        role: "tab", id: `tab-${tab}`, "aria-selected": String(tab === shown.tab), "aria-controls": "panel-body", tabindex: tab === shown.tab ? "0" : "-1",
        onclick: () => show({ tab }),
        onkeydown: (/** @type {KeyboardEvent} */ e) => {
          const turn = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
          if (turn) { show({ tab: TABS[(TABS.indexOf(tab) + turn + TABS.length) % TABS.length] }); document.getElementById(`tab-${shown.tab}`)?.focus(); }
        },
      }, texts.tabs[tab])))),
    h("div", { class: "chosen-map" }, figure(own, texts.ownMap(shownMap === gradient ? "gradient" : "activation", here[0])),
      C > 1 && size(value.shape) > C ? h("label", {}, `${texts.channel} `, h("input", {
        type: "number", min: "0", max: String(C - 1), value: String(here[0]), id: "channel",
        onchange: (/** @type {any} */ e) => {
          const c = Math.min(Math.max(Math.round(Number(e.target.value)) || 0, 0), C - 1);
          show({ at: c * (size(value.shape) / C) + shown.at % (size(value.shape) / C) });
        },
      }), ` of ${C}`) : null,
      readout, legend(shownMap.data), others(net, pass, shownMap, here[0], beside)),
    body);
  if (shown.tab === "forward") drawForward(body, net, pass, door);
  else if (shown.tab === "backward") drawBackward(body, net, pass);
  else if (shown.tab === "weights") drawWeights(body, net, pass, door);
  else if (shown.tab === "code") drawCode(body, door);
  else why(body);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** A pass that stays, to compare two images or two moments. @type {Other | null} */
let kept = null;

/** The same map of what stands beside. @param {Network} net @param {Pass} pass @param {import("./tensor.js").Tensor} now @param {number} channel @param {Other | null} beside */
function others(net, pass, now, channel, beside) {
  const button = h("button", { id: "compare", onclick: () => { kept = kept ? null : { net, pass, name: imageName() }; redraw(); } }, kept ? texts.forget : texts.compare);
  return [button, [kept, beside].map(other => {
    if (!other) return null;
    const v = counterpart(net, shown.value, other.net);
    if (v === null) return h("p", { class: "says" }, texts.noCounterpart(other.name, net.values[shown.value].name));
    const tensor = shown.map === "gradient" && other.pass.gradients ? other.pass.gradients[v] : other.pass.values[v];
    const p = `${net.classes[pass.target]} ${(100 * other.pass.probabilities[pass.target]).toFixed(1)} %`;
    return figure(map({ tensor, channel, side: 216, at: shown.at, scale: other === kept ? scaleOf(now.data) : undefined, label: other.name, choose: at => show({ at }) }),
      texts.compared(other.name, short(tensor.data[shown.at]), p));
  })];
}

const imageName = () => (shown.part === null ? texts.own : `${shown.part} ${shown.index}`);

let redraw = () => {};
/** @param {() => void} action */
export function onRedraw(action) {
  redraw = action;
  onWalkRedraw(action);
  onWeightsRedraw(action);
}

/** @param {ArrayLike<number>} data */
function legend(data) {
  const scale = scaleOf(data), dark = isDark();
  return h("div", { class: "legend" }, short(scale.low), canvas(110, 10, { role: "img", "aria-label": `Colours from ${short(scale.low)} to ${short(scale.high)}` }, context => {
    for (let x = 0; x < 110; x++) {
      context.fillStyle = `rgb(${colour(scale.low + (scale.high - scale.low) * x / 109, scale, dark)})`;
      context.fillRect(x, 0, 1, 10);
    }
  }), short(scale.high));
}

// Code

/** @type {Map<number, any>} */
const known = new Map();
export const forgetCode = () => known.clear();

/** @param {HTMLElement} body @param {Door} door */
async function drawCode(body, door) {
  const v = shown.value;
  if (v === 0) return void fill(body, h("p", {}, texts.noWeights));
  if (!known.has(v)) {
    fill(body, h("p", { class: "busy" }, texts.busy));
    known.set(v, (await door.ask({ ask: "code", value: v })).words);
    if (shown.value !== v || shown.tab !== "code") return;
  }
  const { forward: there, backward: back, pellucid, pytorch, keras } = known.get(v);
  const lines = (/** @type {string} */ title, /** @type {any[]} */ found) => [h("h3", {}, title), found.map(({ where, text }) =>
    h("figure", { class: "code" }, h("figcaption", {}, where), h("pre", { tabindex: "0" }, h("code", {}, text))))];
  fill(body, h("table", { class: "list" }, h("tbody", {}, [[texts.ours, pellucid], [texts.pytorch, pytorch], [texts.keras, keras]].filter(([, call]) => call).map(([where, call]) =>
    h("tr", {}, h("th", { scope: "row" }, where), h("td", {}, h("code", {}, call)))))), lines(texts.forwards, there), lines(texts.backwards, back));
}
