/** Arrays as they come from Python, and the arithmetic of their positions. */

/**
 * @typedef {{data: Float32Array | Uint8Array | Int32Array, shape: number[]}} Tensor
 */

/** How many numbers an array of this shape has. @param {number[]} shape */
export const size = shape => shape.reduce((a, b) => a * b, 1);

/**
 * The shape of a value as (channels, height, width); a vector has one channel for each number.
 * @param {number[]} shape
 * @returns {[number, number, number]}
 */
export function asImage(shape) {
  if (shape.length === 3) return [shape[0], shape[1], shape[2]];
  if (shape.length === 2) return [shape[0], 1, shape[1]];
  return [size(shape), 1, 1];
}

/**
 * Where number `at` lies: (channel, row, column).
 * @param {number[]} shape @param {number} at
 * @returns {[number, number, number]}
 */
export function place(shape, at) {
  const [, H, W] = asImage(shape);
  return [Math.floor(at / (H * W)), Math.floor(at / W) % H, at % W];
}

/** The number of (channel, row, column). @param {number[]} shape @param {number[]} position */
export function offset(shape, [c, i, j]) {
  const [, H, W] = asImage(shape);
  return (c * H + i) * W + j;
}

/** @param {ArrayLike<number>} data */
export function extremes(data) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < data.length; i++) {
    if (data[i] < low) low = data[i];
    if (data[i] > high) high = data[i];
  }
  return [low, high];
}

/** A number with few digits, as people write it. @param {number} x */
export function short(x) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : x < 0 ? "−∞" : "not a number";
  const size = Math.abs(x);
  const text = size >= 1000 || size < 0.001 ? x.toExponential(1) : x.toPrecision(3);
  return text.replace("e+", "e").replace(/-/g, "−");
}

/** A number with as many digits as float32 has. @param {number} x */
export const long = x => (!Number.isFinite(x) ? short(x) : x === 0 ? "0" : Math.abs(x) < 1e-3 ? x.toExponential(6) : x.toPrecision(7)).replace(/-/g, "−");

/** A number for a small cell: at most six letters. @param {number} x */
export const cell = x => {
  const size = Math.abs(x), text = size && size < 0.001 ? x.toExponential(0) : size < 1 ? x.toFixed(3) : short(x);
  return x === 0 ? "0" : text.replace(/-/g, "−");
};

/** What is added: "+ 2" or "− 2". @param {number} x */
export const plus = x => (x < 0 ? `− ${short(-x)}` : `+ ${short(x)}`);
