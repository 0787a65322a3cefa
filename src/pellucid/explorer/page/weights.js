/** What a layer has learned: its weights, how the gradient of one arises, and what an optimiser makes of it. */

import { fill, h } from "./dom.js";
import { scaleOf } from "./colours.js";
import { figure, map } from "./map.js";
import { total, weightGradient } from "./rules.js";
import { imageOf, show, shown } from "./state.js";
import { lines } from "./steps.js";
import { asImage, long, place, plus, short, size } from "./tensor.js";
import { texts } from "./texts.js";
import { drawGroups, drawList, showsEverything } from "./walk.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

const MOST_KERNELS = 12, MOST_TERMS = 200;

let redraw = () => {};
/** @param {() => void} action */
export const onRedraw = action => { redraw = action; };

/** The weights that make the chosen channel, their gradients, and one of them in full. @param {HTMLElement} body @param {Network} net @param {Pass} pass @param {Door} door */
export function drawWeights(body, net, pass, door) {
  const value = net.values[shown.value], paths = value.parameters ?? {};
  const names = Object.keys(paths).filter(name => net.state.has(paths[name])).sort((a, b) => Number(b === "weight") - Number(a === "weight"));
  if (!names.length) return void fill(body, h("p", {}, texts.noWeights));
  const [name, index] = chosen(net, pass, names);
  const filters = names.includes("weight") ? /** @type {any} */ (net.state.get(paths.weight)).shape : [1];
  const f = name === "weight" && filters.length > 1 ? Math.floor(index / size(filters.slice(1))) : place(value.shape, shown.at)[0];
  /** @param {string} kind @param {(path: string) => import("./tensor.js").Tensor | undefined} of */
  const row = (kind, of) => h("div", { class: "sources" }, names.map(n => {
    const tensor = of(paths[n]);
    if (!tensor) return null;
    const part = asMaps(tensor.shape, f), data = tensor.data.subarray(part.first, part.first + size(part.shape)), [C, H, W] = asImage(part.shape);
    const at = name === n && index >= part.first && index < part.first + data.length ? index - part.first : null;
    return Array.from({ length: Math.min(H * W === 1 ? 1 : C, showsEverything() ? 512 : MOST_KERNELS) }, (_, k) => figure(map({
      tensor: { data, shape: part.shape }, channel: k, side: 84, at, scale: scaleOf(data), label: `${kind} ${paths[n]}${H * W === 1 ? "" : `, channel ${k}`}`,
      choose: inside => show({ weight: `${n}:${part.first + inside}` }),
    }), H * W === 1 ? n : `${n}[${f}, ${k}]`));
  }));
  fill(body, h("h3", {}, texts.weightOf(value.name)), row("", path => net.state.get(path)),
    pass.parameterGradients.size ? [h("h3", {}, texts.gradientsOf), row("gradient of", path => pass.parameterGradients.get(path))] : null,
    drawOne(net, pass, door, name, index));
}

/** The weight that is chosen, or else the one of the chosen channel with the largest gradient. @param {Network} net @param {Pass} pass @param {string[]} names @returns {[string, number]} */
function chosen(net, pass, names) {
  const [name, index] = shown.weight.split(":"), value = net.values[shown.value], paths = /** @type {Record<string, string>} */ (value.parameters);
  if (names.includes(name) && Number(index) < /** @type {any} */ (net.state.get(paths[name])).data.length) return [name, Number(index)];
  const first = names[0], path = paths[first], { shape } = /** @type {any} */ (net.state.get(path)), gradient = pass.parameterGradients.get(path)?.data;
  const part = asMaps(shape, place(value.shape, shown.at)[0]);
  let best = part.first;
  if (gradient) for (let n = part.first; n < part.first + size(part.shape); n++) if (Math.abs(gradient[n]) > Math.abs(gradient[best])) best = n;
  return [first, best];
}

/** The part of a weight that makes channel f: (channels, rows, columns). @param {number[]} shape @param {number} f */
function asMaps(shape, f) {
  if (shape.length === 4) return { first: f * size(shape.slice(1)), shape: shape.slice(1) };
  if (shape.length === 2) return { first: f * shape[1], shape: [shape[1]] };
  return { first: 0, shape };
}

/** @param {Network} net @param {Pass} pass @param {Door} door @param {string} name @param {number} index */
function drawOne(net, pass, door, name, index) {
  const value = net.values[shown.value], path = /** @type {any} */ (value.parameters)[name];
  const w = /** @type {any} */ (net.state.get(path)).data[index], made = weightGradient(net, pass, shown.value, name, index);
  const sum = made ? total([/** @type {any} */ (made)]) : undefined, g = pass.parameterGradients.get(path)?.data[index] ?? sum;
  if (g === undefined) return h("p", { class: "formula" }, `${path}[${index}] = ${long(w)}`);
  const group = made && { label: path, value: value.reads[0], columns: made.columns, terms: made.terms };
  return [
    h("h3", {}, texts.oneWeight(`${path}[${index}]`)),
    h("p", { class: "formula" }, `w = ${long(w)}   g = ∂L/∂w = ${long(g)}`),
    drawUpdate(net, pass, door, path, index, w, g),
    group ? [h("h3", {}, texts.whereItsGradient), h("p", {}, texts.weightGradient(group.terms.length)), group.terms.length <= MOST_TERMS ? drawGroups(net, [group], true, "dy", "x") : drawList(net, group, "dy", "x")] : null,
  ];
}

/** What one step is made with: the rate is the optimiser's own until another is written. */
const step = { optimizer: "", rate: /** @type {number | null} */ (null) };

/** @param {Network} net @param {Pass} pass @param {Door} door @param {string} path @param {number} index @param {number} w @param {number} g */
function drawUpdate(net, pass, door, path, index, w, g) {
  const plain = (/** @type {number} */ rate) => h("p", { class: "formula" }, `w ← w − η·g = ${short(w)} ${plus(-rate * g)} = ${long(w - rate * g)}`);
  if (!door.live) return [h("h3", {}, texts.oneStep), plain(step.rate ?? 0.01)];
  const kinds = [...(net.moments ? ["run"] : []), "sgd", "adam", "adamw", "rmsprop", "adagrad"];
  if (!kinds.includes(step.optimizer)) step.optimizer = kinds[0];
  const places = h("div", { class: "busy", "aria-live": "polite" }, texts.busy), said = h("p", { "aria-live": "polite" });
  const asked = { ask: "update", optimizer: step.optimizer, rate: step.rate, target: pass.target, ...imageOf(), weight: path, at: index, topic: "update" };
  const rate = h("input", { id: "rate", type: "number", step: "any", min: "0", value: String(step.rate ?? ""), onchange: (/** @type {any} */ e) => { step.rate = e.target.value === "" ? null : Math.max(Number(e.target.value), 0); redraw(); } });
  const answered = door.ask(asked, shown.part === null ? [pass.pixels] : []).then(({ words }) => {
    const found = lines(words.made), close = Math.abs(found.w - words.made.after.w) <= 1e-5 * Math.max(Math.abs(words.made.after.w), 1e-3);
    rate.placeholder = String(words.made.options.rate);
    places.classList.remove("busy");
    fill(places, h("p", { class: "says wide" }, found.says),
      h("table", { class: "list steps" }, h("tbody", {}, found.lines.map(([formula, numbers, result]) => h("tr", {}, h("th", { scope: "row" }, formula), h("td", {}, numbers), h("td", { class: "right" }, result))))),
      h("p", { class: close ? "check" : "check off" }, close ? texts.checksWeight : texts.differs(long(found.w), long(words.made.after.w))));
    return words;
  }, error => { fill(places, String(error.message ?? error)); return null; });
  return [
    h("h3", {}, texts.oneStep),
    h("div", { class: "tools" },
      h("label", {}, `${texts.optimizer} `, h("select", { id: "update-optimizer", onchange: (/** @type {any} */ e) => { step.optimizer = e.target.value; redraw(); } },
        kinds.map(kind => h("option", { value: kind, selected: kind === step.optimizer }, kind === "run" ? texts.ownOptimizer : kind)))),
      h("label", {}, `${texts.rate} `, rate),
      h("button", { id: "try-update", onclick: async () => {
        const words = await answered;
        if (words) said.textContent = texts.updated(long(words.before), long(words.after));
      } }, texts.tryUpdate)),
    said, places];
}
