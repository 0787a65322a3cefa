/** Why this class: maps of what the decision depends on, and the images that are most alike. */

import { canvas, fill, h } from "./dom.js";
import { enlarge, isDark, photo, scaleOf } from "./colours.js";
import { figure, map } from "./map.js";
import { imageOf } from "./panel.js";
import { show, shown } from "./state.js";
import { place, short } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

/** Colours that people with any eyesight tell apart as far as ten colours can be: Okabe and Ito, and two more. */
const CLASSES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7f00", "#7a4fa3", "#999999", "#a0522d"];

/** @param {HTMLElement} place @param {Network} net @param {Door} door @param {"PCA" | "t-SNE"} how */
async function allImages(place, net, door, how) {
  const part = shown.part ?? Object.keys(net.parts)[0], side = 380;
  const { arrays: [points, labels, told] } = await door.ask({ ask: "map", part, how, topic: "map" });
  const count = labels.data.length, xs = Array.from({ length: count }, (_, n) => points.data[2 * n]), ys = Array.from({ length: count }, (_, n) => points.data[2 * n + 1]);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const x = (/** @type {number} */ n) => 8 + (xs[n] - left) / (right - left || 1) * (side - 16), y = (/** @type {number} */ n) => 8 + (ys[n] - low) / (high - low || 1) * (side - 16);
  const wrong = Array.from(labels.data, (label, n) => n).filter(n => labels.data[n] !== told.data[n]);
  const picture = canvas(side, side, {
    class: "map", role: "img", "aria-label": `${texts.map}, ${how}: ${count} images of ${part}, ${wrong.length} of them mistakes`,
    onclick: (/** @type {MouseEvent} */ e) => {
      let best = 0;
      for (let n = 1; n < count; n++) if (Math.hypot(x(n) - e.offsetX, y(n) - e.offsetY) < Math.hypot(x(best) - e.offsetX, y(best) - e.offsetY)) best = n;
      show({ part, index: best });
    },
  }, context => {
    for (let n = 0; n < count; n++) {
      context.fillStyle = CLASSES[labels.data[n] % CLASSES.length];
      context.fillRect(x(n) - 1.5, y(n) - 1.5, 3, 3);
    }
    context.strokeStyle = isDark() ? "#fff" : "#000";
    for (const n of [...wrong, ...(shown.index < count ? [shown.index] : [])]) { context.beginPath(); context.arc(x(n), y(n), n === shown.index ? 8 : 4, 0, 7); context.stroke(); }
  });
  fill(place, h("h3", {}, texts.map), h("p", {}, texts.mapSays), picture,
    h("ul", { class: "classes" }, net.classes.slice(0, 40).map((name, n) => h("li", {}, h("span", { class: "dot", style: { background: CLASSES[n % CLASSES.length] } }), name))),
    h("details", {}, h("summary", {}, `${wrong.length} mistakes`), wrong.slice(0, 100).map(n => h("button", { class: "link", onclick: () => show({ part, index: n }) }, `${n}: ${net.classes[labels.data[n]]} taken for ${net.classes[told.data[n]]}; `))),
    h("div", { class: "tools" }, /** @type {const} */ (["PCA", "t-SNE"]).map(name => h("button", { "aria-pressed": String(name === how), onclick: () => allImages(place, net, door, name) }, name))));
}

/** @param {HTMLElement} where @param {Network} net @param {string} layer @param {number} channel @param {Door} door */
async function excite(where, net, layer, channel, door) {
  const among = Object.keys(net.parts).includes("training") ? "training" : Object.keys(net.parts)[0];
  fill(where, h("h3", {}, texts.excites(channel, layer)), h("p", { class: "busy" }, texts.busy));
  const { words, arrays: [made, ...parts] } = await door.ask({ ask: "filter", among, layer, channel, topic: "filter" });
  const look = (/** @type {any} */ pixels, /** @type {string} */ says) => figure(canvas(84, 84 * pixels.shape[1] / pixels.shape[2], { role: "img", "aria-label": says }, context =>
    enlarge(context, photo({ data: pixels.data.map((/** @type {number} */ x) => (Number.isNaN(x) ? 0 : x)), shape: pixels.shape }), 0, 0, 84, 84 * pixels.shape[1] / pixels.shape[2])), says);
  fill(where, h("h3", {}, texts.excites(channel, layer)), h("p", {}, texts.excitesSays),
    h("div", { class: "sources" }, look(made, `${texts.made}: ${short(words.made)}`), parts.map((pixels, n) => look(pixels, `${among} ${words.images[n]}: ${short(words.values[n])}`))));
}

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass @param {Door} door */
export async function why(body, net, pass, door) {
  if (!door.live) return void fill(body, h("p", {}, texts.onlyLive));
  const own = shown.part === null ? [pass.pixels] : [], asked = { ...imageOf(pass), target: pass.target };
  const places = Object.keys(texts.methods).map(method => h("div", { id: `why-${method}`, class: "busy" }, texts.busy));
  const alike = h("div", {}), all = h("div", {});
  fill(body, h("h3", {}, `${texts.tabs.why} ${net.classes[pass.target]}, ${(100 * pass.probabilities[pass.target]).toFixed(1)} %`), h("div", { class: "sources" }, places), alike, all);
  const value = net.values[shown.value], channel = place(value.shape, shown.at)[0], excited = h("div", {});
  if (value.shape.length === 3 && value.kind !== "Input" && Object.keys(net.parts).length) {
    fill(excited, h("h3", {}, texts.excites(channel, value.name)), h("p", {}, texts.excitesSays), h("button", { id: "excite", onclick: () => excite(excited, net, value.name, channel, door) }, texts.show));
    body.insertBefore(excited, alike);
  }
  for (const [n, method] of Object.keys(texts.methods).entries()) {
    const { arrays: [found] } = await door.ask({ ask: "why", method, ...asked, topic: `why ${method}` }, own);
    const flat = { data: found.data, shape: found.shape.length === 2 ? [1, ...found.shape] : found.shape };
    const scale = scaleOf(flat.data), key = /** @type {keyof typeof texts.methods} */ (method);
    places[n].classList.remove("busy");
    fill(places[n], figure(map({ tensor: flat, channel: 0, side: 150, at: null, scale, label: `${texts.methods[key]}. ${texts.methodSays[key]} ${short(scale.low)} to ${short(scale.high)}.` }), texts.methods[key]), h("p", { class: "says" }, texts.methodSays[key]));
  }
  const among = Object.keys(net.parts).includes("training") ? "training" : Object.keys(net.parts)[0];
  if (!among) return;
  const { words, arrays } = await door.ask({ ask: "nearest", among, ...asked, topic: "nearest" }, own), each = net.image.reduce((a, b) => a * b, 1);
  fill(alike, h("h3", {}, texts.nearest), h("p", {}, texts.nearestSays), h("div", { class: "thumbs" }, words.images.map((/** @type {any} */ { index, label, distance }, /** @type {number} */ n) => {
    const says = `${among} ${index}: ${net.classes[label]}, distance ${short(distance)}`;
    return h("button", { title: says, "aria-label": says, onclick: () => show({ part: among, index }) }, canvas(52, 52, { "aria-hidden": "true" }, context =>
      enlarge(context, photo({ data: arrays[0].data.subarray(n * each, (n + 1) * each), shape: net.image }), 0, 0, 52, 52)));
  })));
  await allImages(all, net, door, "PCA");
}
