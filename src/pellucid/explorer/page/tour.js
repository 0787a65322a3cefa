/** A tour of eight short stops: each shows something of this network and says what one sees. */

import { fill, h } from "./dom.js";
import { show, shown } from "./state.js";
import { size } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */

/** @param {HTMLElement} place @param {Network} net */
export function tour(place, net) {
  place.hidden = shown.stop === null;
  if (shown.stop === null) return;
  const stop = Math.min(shown.stop, texts.tour.length - 1), [title, text] = texts.tour[stop];
  const go = (/** @type {number | null} */ next) => show(next === null ? { stop: null } : { stop: next, ...scene(net, next) });
  fill(place, h("h2", {}, title), h("p", {}, `${text} ${texts.chapter(texts.chapters[stop])}`), h("div", { class: "tools" },
    h("span", {}, texts.tourOf(stop + 1, texts.tour.length)),
    stop > 0 ? h("button", { id: "tour-back", onclick: () => go(stop - 1) }, texts.tourBack) : null,
    stop < texts.tour.length - 1 ? h("button", { id: "tour-next", onclick: () => go(stop + 1) }, texts.tourNext) : null,
    h("button", { id: "tour-end", onclick: () => go(null) }, texts.tourEnd)));
}

/** What a stop shows: the first layer of the right kind, and a number in its middle. @param {Network} net @param {number} stop */
function scene(net, stop) {
  const first = (/** @type {string[]} */ ...kinds) => Math.max(net.values.findIndex(({ rule, kind }) => kinds.includes(rule.is) || kinds.includes(kind)), 0);
  const last = net.values.length - 1, middle = (/** @type {number} */ v) => {
    const { shape } = net.values[v], each = shape.length === 3 ? shape[1] * shape[2] : 1;
    return Math.min(Math.floor(each / 2) + (shape.length === 3 ? Math.floor(shape[2] / 2) : 0), size(shape) - 1);
  };
  const at = (/** @type {number} */ value, /** @type {any} */ tab) => ({ value, at: middle(value), tab });
  const conv = first("convolution", "linear");
  return [
    at(0, "forward"), at(conv, "forward"), at(conv, "forward"), at(first("maximum", "curve", "average"), "forward"),
    at(first("linear") || last, "forward"), { value: last, at: shown.target ?? 0, tab: "backward" }, at(Math.max(net.values[conv].reads[0], 0), "backward"),
    { ...at(conv, "weights"), weight: "weight:0" },
  ][stop];
}
