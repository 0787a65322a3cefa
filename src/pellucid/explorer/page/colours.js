/** Numbers as colours: blue below zero, orange above, the same for people who see few colours. */

import { asImage, extremes } from "./tensor.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {{low: number, high: number, diverging: boolean}} Scale */

const BELOW = [33, 102, 172], ABOVE = [217, 95, 2];

/** The scale of a map: symmetric about zero where it has negative numbers. @param {ArrayLike<number>} data @returns {Scale} */
export function scaleOf(data) {
  const [low, high] = extremes(data);
  if (low >= 0) return { low: 0, high: high || 1, diverging: false };
  const most = Math.max(-low, high) || 1;
  return { low: -most, high: most, diverging: true };
}

/**
 * @param {number} x @param {Scale} scale @param {boolean} dark  whether the page is dark
 * @returns {[number, number, number]}
 */
export function colour(x, { low, high, diverging }, dark) {
  const ground = dark ? [24, 26, 30] : [250, 250, 248];
  if (!Number.isFinite(x)) return [200, 0, 120];
  const t = Math.min(Math.max(diverging ? x / high : (x - low) / (high - low), -1), 1);
  const end = t < 0 ? BELOW : diverging ? ABOVE : dark ? [245, 245, 245] : [20, 20, 24];
  const part = Math.abs(t);
  return /** @type {[number, number, number]} */ (ground.map((g, i) => Math.round(g + (end[i] - g) * part)));
}

/** Black or white, whichever stands out more from a colour (relative luminance, WCAG 2). @param {number[]} rgb */
export function ink(rgb) {
  const [r, g, b] = rgb.map(level => { const c = level / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

export const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

/**
 * One channel of a value as pixels.
 * @param {Tensor} tensor @param {number} channel @param {Scale} scale @param {boolean} dark
 */
export function picture({ data, shape }, channel, scale, dark) {
  const [, H, W] = asImage(shape), image = new ImageData(W, H), first = channel * H * W;
  for (let n = 0; n < H * W; n++) {
    const [r, g, b] = colour(data[first + n], scale, dark);
    image.data.set([r, g, b, 255], 4 * n);
  }
  return image;
}

/** An image as people see it: 1 or 3 channels of stored pixels. @param {Tensor} tensor */
export function photo({ data, shape }) {
  const [C, H, W] = asImage(shape), image = new ImageData(W, H);
  const [low, high] = data instanceof Uint8Array ? [0, 255] : extremes(data);
  const level = (/** @type {number} */ x) => ((x - low) / (high - low || 1)) * 255;
  for (let n = 0; n < H * W; n++) {
    const red = level(data[n]);
    const [green, blue] = C === 3 ? [level(data[H * W + n]), level(data[2 * H * W + n])] : [red, red];
    image.data.set([red, green, blue, 255], 4 * n);
  }
  return image;
}

/**
 * Draw pixels enlarged and sharp.
 * @param {CanvasRenderingContext2D} context @param {ImageData} image
 * @param {number} x @param {number} y @param {number} width @param {number} height
 */
export function enlarge(context, image, x, y, width, height) {
  const small = new OffscreenCanvas(image.width, image.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, x, y, width, height);
}
