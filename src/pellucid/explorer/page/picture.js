/** The image: from the data, a file, the clipboard, or drawn; and what the network makes of it. */

import { canvas, fill, h } from "./dom.js";
import { enlarge, photo } from "./colours.js";
import { asImage } from "./tensor.js";
import { show, shown } from "./state.js";
import { texts } from "./texts.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./wire.js").Door} Door */

const MOST_BYTES = 10_000_000, SIDE = 224, SHOWN = 12;

/** What one draws on: numbers as the network stores them. @type {Float32Array | null} */
let drawing = null;
/** @type {Float32Array[]} */
const undo = [];
let brush = 255, size = 1.2, centred = false;
const filter = { class: "", mistakes: false, differ: false, order: "number", from: 0 };

/** Whether the tools beyond drawing are shown. */
let opened = false;

/** @typedef {{net: Network, pass: Pass, name: string} | null} Beside */

/**
 * @param {HTMLElement} place @param {Network} net @param {Pass} pass @param {Door} door
 * @param {(pixels: Tensor, quick: boolean) => void} use  takes an image of one's own
 * @param {Beside} beside  the network that stands beside this one
 */
export function picturePanel(place, net, pass, door, use, beside) {
  const [C, H, W] = net.image, scale = SIDE / Math.max(H, W);
  const own = h("canvas", { width: W * scale, height: H * scale, class: "paper", role: "img", "aria-label": `${texts.draw}: ${labelOf(net, pass)}` });
  const context = own.getContext("2d");
  const paint = () => enlarge(context, photo(drawing ? { data: bytes(drawing), shape: net.image } : pass.pixels), 0, 0, W * scale, H * scale);
  paint();
  const canDraw = door.live && (C === 1 || C === 3);
  if (canDraw) drawable(own, net, pass, scale, paint, use);
  const again = () => picturePanel(place, net, pass, door, use, beside);
  const change = (/** @type {(x: Float32Array) => Float32Array} */ f) => { begin(pass); drawing = f(/** @type {any} */ (drawing)); paint(); send(net, use, false); };
  const tool = (/** @type {string} */ name, /** @type {number} */ ink, wide = size) => h("button", { "aria-pressed": String(brush === ink), onclick: () => { brush = ink; size = wide; again(); } }, name);
  fill(place,
    h("h2", {}, labelOf(net, pass)), own,
    canDraw ? [
      h("div", { class: "tools" }, tool(texts.draw, 255), tool(texts.erase, 0),
        h("button", { id: "clear", onclick: () => change(x => new Float32Array(x.length)) }, texts.clear),
        h("button", { disabled: !undo.length, onclick: () => { const last = undo.pop(); if (last) { drawing = last; paint(); send(net, use, false); } } }, texts.undo)),
      h("details", { class: "more-tools", open: opened, ontoggle: (/** @type {any} */ e) => { opened = e.target.open; } }, h("summary", {}, texts.more),
        h("div", { class: "tools" }, tool(texts.cover, 127, 3),
          h("button", { onclick: () => change(x => x.map(value => 255 - value)) }, texts.invert),
          h("button", { onclick: () => change(x => x.map(value => value + 25 * gauss())) }, texts.noise),
          h("button", { onclick: () => change(x => moved(x, net.image, (i, j) => [i, j - 1])) }, `${texts.shift} →`),
          h("button", { onclick: () => change(x => moved(x, net.image, (i, j) => [i - 1, j])) }, `${texts.shift} ↓`),
          h("button", { onclick: () => change(x => turned(x, net.image, 10)) }, `${texts.turn} 10°`),
          C === 1 && H === 28 ? h("label", {}, h("input", { type: "checkbox", checked: centred, onchange: (/** @type {any} */ e) => { centred = e.target.checked; } }), ` ${texts.centred}`) : null,
          h("label", { class: "file" }, texts.drop, h("input", { type: "file", accept: "image/*", id: "file", onchange: (/** @type {any} */ e) => fromFile(e.target.files[0], net, door, use) }))))] : null,
    answer(net, pass, beside), h("div", { id: "browser" }));
  void browse(/** @type {HTMLElement} */ (place.querySelector("#browser")), net, door);
}

/** Draw what the network makes of the image anew, and nothing else. @param {HTMLElement} place @param {Network} net @param {Pass} pass @param {Beside} beside */
export const redrawAnswer = (place, net, pass, beside) => place.querySelector(".answer")?.replaceWith(answer(net, pass, beside));

/** What the network says, and how sure it is of each class. @param {Network} net @param {Pass} pass @param {Beside} beside */
function answer(net, pass, beside) {
  const { probabilities: p, label } = pass, others = beside?.pass.probabilities, percent = (/** @type {number} */ x) => `${(100 * x).toFixed(1)} %`;
  const first = (/** @type {number[]} */ q) => q.indexOf(Math.max(...q)), prediction = first(p), order = p.map((_, n) => n).sort((a, b) => p[b] - p[a]).slice(0, 10);
  const verdict = (/** @type {number} */ n, /** @type {string} */ text) => h("p", { class: label === null ? "verdict" : n === label ? "verdict right-one" : "verdict wrong-one" }, text);
  const bar = (/** @type {number} */ n, /** @type {number[]} */ q, /** @type {string} */ who) => [h("td", {}, h("meter", { min: "0", max: "1", value: q[n], "aria-label": `${net.classes[n]}${who}` })), h("td", { class: "right" }, percent(q[n]))];
  return h("div", { class: "answer" }, verdict(prediction, beside ? texts.besideSays(net.title, net.classes[prediction], percent(p[prediction])) : texts.says(net.classes[prediction], percent(p[prediction]))),
    beside && others ? verdict(first(others), texts.besideSays(beside.name, net.classes[first(others)], percent(others[first(others)]))) : null,
    h("table", { class: beside ? "probabilities two" : "probabilities" }, h("caption", {}, texts.probabilities),
      beside ? h("thead", {}, h("tr", {}, h("td"), [net.title, beside.name].map(name => h("th", { scope: "colgroup", colspan: "2" }, name)))) : null,
      h("tbody", {}, order.map(n => h("tr", { class: n === label ? "label" : "" },
        h("th", { scope: "row" }, h("button", { class: "class", title: texts.chooseTarget(net.classes[n]), "aria-pressed": String(n === pass.target), onclick: () => show({ target: n }) }, net.classes[n])),
        bar(n, p, ""), others ? bar(n, others, `, ${beside?.name}`) : null)))));
}

/** @param {Network} net @param {Pass} pass */
const labelOf = (net, pass) => shown.part === null ? texts.own : `${shown.part} ${shown.index}, ${texts.label(net.classes[pass.label ?? 0])}`;

/** @param {Float32Array} x */
const bytes = x => Uint8Array.from(x, value => Math.min(Math.max(Math.round(value), 0), 255));

/** Begin to draw on the image as it is. @param {Pass} pass */
function begin(pass) {
  drawing ??= Float32Array.from(pass.pixels.data);
  undo.push(drawing.slice());
  if (undo.length > 50) undo.shift();
}

export const forgetDrawing = () => { drawing = null; undo.length = 0; };

/** @param {Network} net @param {(pixels: Tensor, quick: boolean) => void} use @param {boolean} quick */
function send(net, use, quick) {
  if (drawing) use({ data: bytes(drawing), shape: net.image }, quick);
}

/** @param {HTMLCanvasElement} own @param {Network} net @param {Pass} pass @param {number} scale @param {() => void} paint @param {any} use */
function drawable(own, net, pass, scale, paint, use) {
  const [C, H, W] = net.image;
  let down = false;
  const dab = (/** @type {PointerEvent} */ e) => {
    const box = own.getBoundingClientRect(), x = (e.clientX - box.left) / scale * own.width / box.width, y = (e.clientY - box.top) / scale * own.height / box.height;
    const data = /** @type {Float32Array} */ (drawing), radius = size * Math.max(H, W) / 28;
    for (let i = Math.max(Math.floor(y - radius - 1), 0); i < Math.min(y + radius + 1, H); i++) for (let j = Math.max(Math.floor(x - radius - 1), 0); j < Math.min(x + radius + 1, W); j++) {
      const near = Math.min(Math.max(radius + .5 - Math.hypot(i + .5 - y, j + .5 - x), 0), 1);
      for (let c = 0; c < C; c++) {
        const n = (c * H + i) * W + j;
        data[n] = brush === 255 ? Math.max(data[n], 255 * near) : data[n] + (brush - data[n]) * near;
      }
    }
    paint();
    send(net, use, true);
  };
  own.addEventListener("pointerdown", e => { own.setPointerCapture(e.pointerId); begin(pass); down = true; dab(e); });
  own.addEventListener("pointermove", e => { if (down) for (const part of e.getCoalescedEvents?.() ?? [e]) dab(part); });
  own.addEventListener("pointerup", () => { down = false; send(net, use, false); });
}

const gauss = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** @param {Float32Array} x @param {number[]} shape @param {(i: number, j: number) => number[]} from */
function moved(x, shape, from) {
  const [C, H, W] = asImage(shape), y = new Float32Array(x.length);
  for (let c = 0; c < C; c++) for (let i = 0; i < H; i++) for (let j = 0; j < W; j++) {
    const [r, q] = from(i, j), r0 = Math.floor(r), q0 = Math.floor(q);
    for (const [a, b] of [[0, 0], [0, 1], [1, 0], [1, 1]]) { // between four pixels
      const share = (a ? r - r0 : 1 - r + r0) * (b ? q - q0 : 1 - q + q0);
      if (share && r0 + a >= 0 && r0 + a < H && q0 + b >= 0 && q0 + b < W) y[(c * H + i) * W + j] += share * x[(c * H + r0 + a) * W + q0 + b];
    }
  }
  return y;
}

/** @param {Float32Array} x @param {number[]} shape @param {number} degrees */
function turned(x, shape, degrees) {
  const [, H, W] = asImage(shape), angle = degrees * Math.PI / 180, [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [y0, x0] = [(H - 1) / 2, (W - 1) / 2];
  return moved(x, shape, (i, j) => [y0 + (i - y0) * cos - (j - x0) * sin, x0 + (i - y0) * sin + (j - x0) * cos]);
}

/** @param {File | undefined} file @param {Network} net @param {Door} door @param {any} use */
export async function fromFile(file, net, door, use) {
  if (!file) return;
  if (file.size > MOST_BYTES) throw new Error(texts.tooLarge);
  const data = new Uint8Array(await file.arrayBuffer());
  const { arrays } = await door.ask({ ask: "read" }, [{ data, shape: [data.length] }]);
  await usePixels(arrays[0], net, door, use);
}

/** @param {Tensor} pixels @param {Network} net @param {Door} door @param {any} use */
async function usePixels(pixels, net, door, use) {
  if (centred) pixels = (await door.ask({ ask: "read", drawn: true }, [{ data: pixels.data, shape: net.image }])).arrays[0];
  drawing = Float32Array.from(pixels.data);
  use(pixels, false);
}

/** @param {HTMLElement} place @param {Network} net @param {Door} door */
async function browse(place, net, door) {
  const part = shown.part ?? Object.keys(net.parts)[0];
  if (part === undefined) return;
  const { words, arrays } = await door.ask({
    ask: "list", part, class: filter.class === "" ? null : Number(filter.class), mistakes: filter.mistakes, order: filter.order, from: filter.from, count: SHOWN, topic: "list",
    against: filter.differ ? shown.beside : null,
  });
  const [images] = arrays, each = net.image.reduce((a, b) => a * b, 1);
  const set = (/** @type {any} */ change) => { Object.assign(filter, { from: 0 }, change); void browse(place, net, door); };
  fill(place, h("h3", {}, `${part}: ${texts.found(words.found)}`),
    door.live ? h("div", { class: "filters" },
      Object.keys(net.parts).length > 1 ? h("select", { "aria-label": "part of the data", onchange: (/** @type {any} */ e) => { forgetDrawing(); show({ part: e.target.value, index: 0 }); } },
        Object.keys(net.parts).map(name => h("option", { selected: name === part }, name))) : null,
      h("select", { "aria-label": texts.target, onchange: (/** @type {any} */ e) => set({ class: e.target.value }) },
        h("option", { value: "" }, texts.allClasses), net.classes.map((name, n) => h("option", { value: n, selected: String(n) === filter.class }, name))),
      h("select", { "aria-label": texts.order, onchange: (/** @type {any} */ e) => set({ order: e.target.value }) }, texts.orders.map(name => h("option", { selected: name === filter.order }, name))),
      h("label", {}, h("input", { type: "checkbox", id: "mistakes", checked: filter.mistakes, onchange: (/** @type {any} */ e) => set({ mistakes: e.target.checked }) }), ` ${texts.mistakes}`),
      shown.beside === null ? null : h("label", {}, h("input", { type: "checkbox", id: "differ", checked: filter.differ, onchange: (/** @type {any} */ e) => set({ differ: e.target.checked }) }), ` ${texts.disagree}`)) : null,
    h("div", { class: "thumbs" }, words.images.map((/** @type {any} */ { index, label, prediction, sure }, /** @type {number} */ n) => {
      const pixels = { data: images.data.subarray(n * each, (n + 1) * each), shape: net.image };
      const says = `${index}: ${net.classes[label]}${prediction === label ? "" : `, taken for ${net.classes[prediction]}`}, ${(100 * sure).toFixed(1)} %`;
      return h("button", { title: says, "aria-label": says, "aria-pressed": String(shown.part === part && shown.index === index), class: prediction === label ? "" : "mistake", onclick: () => { forgetDrawing(); show({ part, index }); } },
        canvas(44, 44, { "aria-hidden": "true" }, context => enlarge(context, photo(pixels), 0, 0, 44, 44)));
    })),
    door.live && words.found > SHOWN ? h("div", { class: "tools" },
      h("button", { disabled: filter.from === 0, onclick: () => set({ from: Math.max(filter.from - SHOWN, 0) }) }, texts.previous),
      h("button", { disabled: filter.from + SHOWN >= words.found, onclick: () => set({ from: filter.from + SHOWN }) }, texts.next)) : null);
}
