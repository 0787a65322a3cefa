/** A map that one can walk on: with the mouse, a finger, or the arrow keys. */

import { canvas, h } from "./dom.js";
import { enlarge, isDark, photo, picture, scaleOf } from "./colours.js";
import { asImage, offset, place } from "./tensor.js";
import { accent } from "./network.js";
import { texts } from "./texts.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {{at: number, style: "chosen" | "read"}} Mark */

/**
 * @param {object} given
 * @param {Tensor} given.tensor
 * @param {number} given.channel
 * @param {string} given.label  what a screen reader calls it
 * @param {number} given.side  how wide it is drawn at most
 * @param {number | null} given.at  the chosen number, anywhere in the tensor
 * @param {Iterable<number>} [given.marked]  numbers with a frame
 * @param {(at: number) => void} [given.choose]
 * @param {(at: number | null) => void} [given.hover]
 * @param {boolean} [given.colours]  whether it is a photograph
 * @param {import("./colours.js").Scale} [given.scale]
 */
export function map({ tensor, channel, label, side, at, marked = [], choose, hover, colours, scale }) {
  const [C, H, W] = asImage(tensor.shape), vector = H * W === 1;
  const [rows, columns] = vector ? [Math.ceil(C / Math.ceil(Math.sqrt(C))), Math.ceil(Math.sqrt(C))] : [H, W];
  const unit = Math.min(side / Math.max(rows, columns), 40);
  const cellOf = (/** @type {number} */ n) => {
    if (vector) return [Math.floor(n / columns), n % columns];
    const [c, i, j] = place(tensor.shape, n);
    return c === channel || colours ? [i, j] : null;
  };
  const numberAt = (/** @type {number} */ i, /** @type {number} */ j) =>
    vector ? Math.min(i * columns + j, C - 1) : offset(tensor.shape, [channel, i, j]);
  const found = canvas(columns * unit, rows * unit, {
    class: "map", tabindex: choose ? "0" : undefined, role: choose ? "application" : "img",
    "aria-label": choose ? `${label}. ${texts.mapHelp}` : label, "aria-roledescription": choose ? "map of numbers" : undefined,
    onclick: (/** @type {MouseEvent} */ e) => { choose?.(under(e)); },
    onpointermove: (/** @type {PointerEvent} */ e) => hover?.(under(e)),
    onpointerleave: () => hover?.(null),
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (!choose || at === null) return;
      const [i, j] = cellOf(at) ?? [0, 0];
      const moved = /** @type {any} */ ({
        ArrowUp: [i - 1, j], ArrowDown: [i + 1, j], ArrowLeft: [i, j - 1], ArrowRight: [i, j + 1], Home: [0, 0], End: [rows - 1, columns - 1],
      })[e.key];
      const turned = e.key === "PageDown" ? 1 : e.key === "PageUp" ? -1 : 0;
      if (!moved && !turned) return;
      e.preventDefault();
      if (turned) {
        const [c, ...rest] = place(tensor.shape, at);
        choose(offset(tensor.shape, [(c + turned + C) % C, ...rest]));
      } else choose(numberAt(Math.min(Math.max(moved[0], 0), rows - 1), Math.min(Math.max(moved[1], 0), columns - 1)));
    },
  }, context => {
    const dark = isDark();
    if (colours) enlarge(context, photo(tensor), 0, 0, columns * unit, rows * unit);
    else if (vector) {
      const grid = { data: new Float32Array(rows * columns).fill(NaN), shape: [1, rows, columns] };
      grid.data.set(tensor.data);
      const image = picture(grid, 0, scale ?? scaleOf(tensor.data), dark);
      for (let n = C; n < rows * columns; n++) image.data[4 * n + 3] = 0;
      enlarge(context, image, 0, 0, columns * unit, rows * unit);
    } else enlarge(context, picture(tensor, channel, scale ?? scaleOf(tensor.data), dark), 0, 0, columns * unit, rows * unit);
    context.lineWidth = 2;
    context.strokeStyle = accent();
    const cells = [...marked].map(cellOf).filter(cell => cell !== null), taken = new Set(cells.map(String));
    context.beginPath();
    for (const [i, j] of cells) { // the outline of what is marked: sides that no two of them share
      const [x0, y0, x1, y1] = [j * unit, i * unit, (j + 1) * unit, (i + 1) * unit];
      for (const [near, from, to] of /** @type {const} */ ([[[i - 1, j], [x0, y0], [x1, y0]], [[i + 1, j], [x0, y1], [x1, y1]], [[i, j - 1], [x0, y0], [x0, y1]], [[i, j + 1], [x1, y0], [x1, y1]]])) {
        if (taken.has(String(near))) continue;
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
      }
    }
    context.stroke();
    const cell = at === null ? null : cellOf(at);
    if (cell) {
      context.lineWidth = 3;
      context.strokeStyle = dark ? "#fff" : "#000";
      context.strokeRect(cell[1] * unit - 1, cell[0] * unit - 1, unit + 2, unit + 2);
      context.lineWidth = 1.5;
      context.strokeStyle = accent();
      context.strokeRect(cell[1] * unit - 1, cell[0] * unit - 1, unit + 2, unit + 2);
    }
  });
  /** @param {MouseEvent} e */
  function under(e) {
    const i = Math.min(Math.max(Math.floor(e.offsetY / unit), 0), rows - 1), j = Math.min(Math.max(Math.floor(e.offsetX / unit), 0), columns - 1);
    return numberAt(i, j);
  }
  return found;
}

/** A map with a frame and a caption. @param {any} shown @param {string} caption */
export const figure = (shown, caption) => h("figure", {}, shown, h("figcaption", {}, caption));
