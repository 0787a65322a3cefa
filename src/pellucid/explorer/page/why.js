/** Why this class: maps of what the decision depends on, and the images that are most alike. */

import { canvas, fill, h } from "./dom.js";
import { enlarge, isDark, photo, scaleOf } from "./colours.js";
import { figure, map } from "./map.js";
import { imageOf, show, shown } from "./state.js";
import { extremes, place, short } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

/** Colours that people with any eyesight tell apart as far as ten colours can be: Okabe and Ito, and two more. */
const CLASSES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7f00", "#7a4fa3", "#999999", "#a0522d"];

/** How all images are shown. @type {{how: "PCA" | "t-SNE", as: "points" | "images"}} */
const view = { how: "PCA", as: "points" };
const MOST = 2000, SIDE = 460, THUMB = 26;

/** All images where their features put them: as points, or some of them as small images. @param {HTMLElement} place @param {Network} net @param {Door} door */
async function allImages(place, net, door) {
  const part = shown.part ?? Object.keys(net.parts)[0];
  place.classList.add("busy");
  const { words, arrays: [points, labels, predictions, images] } = await door.ask({ ask: "map", part, how: view.how, topic: "map" });
  place.classList.remove("busy");
  const count = labels.data.length, each = net.image.reduce((a, b) => a * b, 1), edge = view.as === "images" ? THUMB / 2 + 2 : 8;
  const [[left, right], [low, high]] = [0, 1].map(axis => extremes(points.data.filter((_, n) => n % 2 === axis)));
  const x = (/** @type {number} */ n) => edge + (points.data[2 * n] - left) / (right - left || 1) * (SIDE - 2 * edge), y = (/** @type {number} */ n) => edge + (points.data[2 * n + 1] - low) / (high - low || 1) * (SIDE - 2 * edge);
  const wrong = Array.from(labels.data, (_, n) => n).filter(n => labels.data[n] !== predictions.data[n]), mistaken = new Set(wrong);
  const all = view.as === "images" ? words.shown : Array.from({ length: count }, (_, n) => n);
  const nearest = (/** @type {MouseEvent} */ e) => all.reduce((/** @type {number} */ best, /** @type {number} */ n) => Math.hypot(x(n) - e.offsetX, y(n) - e.offsetY) < Math.hypot(x(best) - e.offsetX, y(best) - e.offsetY) ? n : best, all[0]);
  const says = (/** @type {number} */ n) => `${part} ${n}: ${net.classes[labels.data[n]]}${mistaken.has(n) ? `, taken for ${net.classes[predictions.data[n]]}` : ""}`;
  const thumb = (/** @type {number} */ k) => photo({ data: images.data.subarray(k * each, (k + 1) * each), shape: net.image });
  const under = h("div", { class: "under", "aria-live": "off" }, texts.mapHint);
  const picture = canvas(SIDE, SIDE, {
    class: "map", role: "img", "aria-label": `${texts.map}, ${view.how}: ${count} images of ${part}, ${wrong.length} of them mistakes`,
    onclick: (/** @type {MouseEvent} */ e) => show({ part, index: nearest(e) }),
    onpointermove: (/** @type {PointerEvent} */ e) => {
      const n = nearest(e), k = words.shown.indexOf(n);
      fill(under, k < 0 ? null : canvas(48, 48, { "aria-hidden": "true" }, context => enlarge(context, thumb(k), 0, 0, 48, 48)), says(n));
    },
  }, context => {
    context.lineWidth = 2;
    if (view.as === "images") {
      for (const [k, n] of words.shown.entries()) {
        enlarge(context, thumb(k), x(n) - THUMB / 2, y(n) - THUMB / 2, THUMB, THUMB);
        context.strokeStyle = CLASSES[labels.data[n] % CLASSES.length];
        context.setLineDash(mistaken.has(n) ? [3, 2] : []);
        context.strokeRect(x(n) - THUMB / 2, y(n) - THUMB / 2, THUMB, THUMB);
      }
      return;
    }
    for (let n = 0; n < count; n++) {
      context.fillStyle = CLASSES[labels.data[n] % CLASSES.length];
      context.fillRect(x(n) - 1.5, y(n) - 1.5, 3, 3);
    }
    context.lineWidth = 1;
    context.strokeStyle = isDark() ? "#fff" : "#000";
    for (const n of [...wrong, ...(shown.index < count ? [shown.index] : [])]) { context.beginPath(); context.arc(x(n), y(n), n === shown.index ? 8 : 4, 0, 7); context.stroke(); }
  });
  const choice = (/** @type {any} */ change, /** @type {string} */ name, /** @type {boolean} */ pressed) => h("button", { "aria-pressed": String(pressed), onclick: () => { Object.assign(view, change); void allImages(place, net, door); } }, name);
  fill(place, h("h3", {}, texts.map), h("p", {}, view.as === "images" ? texts.mapImages : texts.mapSays, net.parts[part] > MOST ? ` ${texts.mapFirst(MOST)}` : null),
    h("div", { class: "tools" }, choice({ as: "points" }, texts.points, view.as === "points"), choice({ as: "images" }, texts.thumbnails, view.as === "images"), " ", choice({ how: "PCA" }, "PCA", view.how === "PCA"), choice({ how: "t-SNE" }, "t-SNE", view.how === "t-SNE")),
    picture, under,
    h("ul", { class: "classes" }, net.classes.slice(0, 40).map((name, n) => h("li", {}, h("span", { class: "dot", style: { background: CLASSES[n % CLASSES.length] } }), name))),
    h("details", {}, h("summary", {}, texts.mistakesHere(wrong.length)), wrong.slice(0, 100).map(n => h("button", { class: "link", onclick: () => show({ part, index: n }) }, `${says(n)}; `))));
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
  const own = shown.part === null ? [pass.pixels] : [], asked = { ...imageOf(), target: pass.target };
  const places = Object.keys(texts.methods).map(method => h("div", { id: `why-${method}`, class: "busy" }, texts.busy));
  const alike = h("div", {}), all = h("div", {});
  fill(body, h("h3", {}, `${texts.tabs.why} ${net.classes[pass.target]}, ${(100 * pass.probabilities[pass.target]).toFixed(1)} %`), h("div", { class: "methods" }, places), alike, all);
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
    fill(places[n], figure(map({ tensor: flat, channel: 0, side: 128, at: null, scale, label: `${texts.methods[key]}. ${texts.methodSays[key]} ${short(scale.low)} to ${short(scale.high)}.` }), texts.methods[key]), h("p", { class: "says" }, texts.methodSays[key]));
  }
  const among = Object.keys(net.parts).includes("training") ? "training" : Object.keys(net.parts)[0];
  if (!among) return;
  const { words, arrays } = await door.ask({ ask: "nearest", among, ...asked, topic: "nearest" }, own), each = net.image.reduce((a, b) => a * b, 1);
  fill(alike, h("h3", {}, texts.nearest), h("p", {}, texts.nearestSays), h("div", { class: "thumbs" }, words.images.map((/** @type {any} */ { index, label, distance }, /** @type {number} */ n) => {
    const says = `${among} ${index}: ${net.classes[label]}, distance ${short(distance)}`;
    return h("button", { title: says, "aria-label": says, onclick: () => show({ part: among, index }) }, canvas(52, 52, { "aria-hidden": "true" }, context =>
      enlarge(context, photo({ data: arrays[0].data.subarray(n * each, (n + 1) * each), shape: net.image }), 0, 0, 52, 52)));
  })));
  await allImages(all, net, door);
}
