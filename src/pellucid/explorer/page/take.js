/** What one takes along: the map, the numbers, the network, and a link to what is shown. */

import { h } from "./dom.js";
import { colour, isDark, scaleOf } from "./colours.js";
import { address, shown } from "./state.js";
import { asImage, place } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./tensor.js").Tensor} Tensor */

/** @param {Network} net @param {import("./wire.js").Door} door @param {(text: string) => void} say */
export function takeAlong(net, door, say) {
  const pass = () => /** @type {any} */ (globalThis).explorer.pass, name = () => net.values[shown.value].name;
  /** @type {Record<string, () => any>} */
  const ways = {
    [texts.takeLink]: async () => { await navigator.clipboard?.writeText(`${location.href.split("#")[0]}#${address()}`); say(texts.copied); },
    [texts.takeMap]: () => /** @type {any} */ (document.getElementById("own-map")).toBlob((/** @type {Blob} */ blob) => save(blob, `${name()}.png`)),
    [texts.takeSvg]: () => save(new Blob([svg(pass())], { type: "image/svg+xml" }), `${name()}.svg`),
    [texts.takeCsv]: () => save(new Blob([csv(net, pass())], { type: "text/csv" }), `${name()}.csv`),
    [texts.takeNpz]: () => save(new Blob([npz(pass())]), `${name()}.npz`),
  };
  if (door.live) {
    ways[texts.takePython] = async () => save(new Blob([(await door.ask({ ask: "source" })).words.python]), "network.py");
    ways[texts.takeToml] = async () => save(new Blob([(await door.ask({ ask: "source" })).words.toml]), "network.toml");
  }
  return h("select", { id: "take", "aria-label": texts.take, onchange: (/** @type {any} */ e) => { void ways[e.target.value]?.(); e.target.value = ""; } },
    h("option", { value: "" }, texts.take), Object.keys(ways).map(way => h("option", {}, way)));
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const where = URL.createObjectURL(blob);
  h("a", { href: where, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(where), 1000);
}

/** The chosen map, a square for each number. @param {any} pass */
export function svg(pass) {
  const tensor = shown.map === "gradient" && pass.gradients ? pass.gradients[shown.value] : /** @type {Tensor} */ (pass.values[shown.value]), [, H, W] = asImage(tensor.shape), [c] = place(tensor.shape, shown.at);
  const scale = scaleOf(tensor.data), dark = isDark(), squares = [];
  for (let n = 0; n < H * W; n++) squares.push(`<rect x="${n % W}" y="${Math.floor(n / W)}" width="1" height="1" fill="rgb(${colour(tensor.data[c * H * W + n], scale, dark)})"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" width="${W * 10}" height="${H * 10}" shape-rendering="crispEdges">${squares.join("")}</svg>`;
}

/** @param {Network} net @param {any} pass */
function csv(net, pass) {
  const v = shown.value, lines = ["channel,row,column,value,gradient"];
  pass.values[v].data.forEach((/** @type {number} */ x, /** @type {number} */ n) => lines.push([...place(net.values[v].shape, n), x, pass.gradients?.[v].data[n] ?? ""].join(",")));
  return lines.join("\n") + "\n";
}

/** Value and gradient as NumPy's file of arrays: a zip without compression. @param {any} pass */
export function npz(pass) {
  const v = shown.value, entries = [{ name: "value.npy", data: npy(pass.values[v]) }];
  if (pass.gradients) entries.push({ name: "gradient.npy", data: npy(pass.gradients[v]) });
  /** @type {Uint8Array[]} */
  const parts = [], listed = [];
  let start = 0;
  for (const { name, data } of entries) {
    const label = new TextEncoder().encode(name), common = [20, 0, 0, 0, 33, crc(data), data.length, data.length, label.length, 0];
    const head = fields("HHHHHIIIHH", common), local = join([fields("I", [0x04034b50]), head, label, data]);
    listed.push(join([fields("IH", [0x02014b50, 20]), head, fields("HHHII", [0, 0, 0, 0, start]), label]));
    parts.push(local);
    start += local.length;
  }
  const directory = join(listed), count = entries.length;
  return join([...parts, directory, fields("IHHHHIIH", [0x06054b50, 0, 0, count, count, directory.length, start, 0])]);
}

/** @param {Tensor} tensor */
function npy({ data, shape }) {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const padded = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n";
  const numbers = Float32Array.from(data);
  return join([Uint8Array.of(0x93, ...new TextEncoder().encode("NUMPY"), 1, 0), fields("H", [padded.length]), new TextEncoder().encode(padded), new Uint8Array(numbers.buffer)]);
}

/** Numbers of two (H) or four (I) bytes, the smallest first. @param {string} kinds @param {number[]} numbers */
function fields(kinds, numbers) {
  const bytes = [];
  for (const [n, number] of numbers.entries()) for (let k = 0; k < (kinds[n] === "I" ? 4 : 2); k++) bytes.push(Math.floor(number / 256 ** k) % 256);
  return Uint8Array.from(bytes);
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) { whole.set(part, start); start += part.length; }
  return whole;
}

/** The check sum of zip files. @param {Uint8Array} data */
function crc(data) {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let k = 0; k < 8; k++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
