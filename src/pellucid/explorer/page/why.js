/** Why this class: maps of what the decision depends on, and the images that are most alike. */

import { canvas, fill, h } from "./dom.js";
import { enlarge, photo, scaleOf } from "./colours.js";
import { figure, map } from "./map.js";
import { imageOf } from "./panel.js";
import { show, shown } from "./state.js";
import { short } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass @param {Door} door */
export async function why(body, net, pass, door) {
  if (!door.live) return void fill(body, h("p", {}, texts.onlyLive));
  const own = shown.part === null ? [pass.pixels] : [], asked = { ...imageOf(pass), target: pass.target };
  const places = Object.keys(texts.methods).map(method => h("div", { id: `why-${method}`, class: "busy" }, texts.busy));
  const alike = h("div", {});
  fill(body, h("h3", {}, `${texts.tabs.why} ${net.classes[pass.target]}, ${(100 * pass.probabilities[pass.target]).toFixed(1)} %`), h("div", { class: "sources" }, places), alike);
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
}
