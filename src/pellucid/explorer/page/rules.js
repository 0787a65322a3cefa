/**
 * How one number comes about, and where its gradient comes from.
 *
 * Every rule gives terms: numbers that are multiplied, and where they stand. The sum of the products
 * and a constant is the number itself; the page shows both, so that one can check.
 */

import { asImage, offset, place } from "./tensor.js";

/**
 * @typedef {object} Term
 * @property {number | null} at  where x stands in its value; null in the padding
 * @property {number} x
 * @property {number} w  what x is multiplied by
 */
/**
 * Terms that belong together, in rows as they are drawn.
 * @typedef {object} Group
 * @property {string} label
 * @property {number} value  the number of the value that x is taken from
 * @property {number} columns
 * @property {Term[]} terms
 */
/**
 * @typedef {object} Steps
 * @property {Group[]} groups
 * @property {number} constant
 * @property {string} constantName
 * @property {Record<string, number>} facts  numbers that the formula names
 * @property {boolean} linear  whether the number is the sum of products plus constant
 */

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */

/**
 * How number `at` of value `v` was made of what its layer reads.
 * @param {Network} net @param {Pass} pass @param {number} v @param {number} at
 * @returns {Steps | null}  null where the layer has no rule: ask for its derivatives
 */
export function forward(net, pass, v, at) {
  const value = net.values[v];
  const rule = FORWARD[/** @type {keyof typeof FORWARD} */ (value.rule.is)];
  return rule ? rule({ net, pass, v, at, value, rule: value.rule }) : null;
}

/**
 * What each number that was made from number `at` of value `v` sends back to it.
 * Each group holds the terms of one reader: x is the gradient there, w the derivative.
 * @param {Network} net @param {Pass} pass @param {number} v @param {number} at
 * @returns {{groups: Group[], whole: boolean}}  whole: whether every reader has a rule
 */
export function backward(net, pass, v, at) {
  /** @type {Group[]} */
  const groups = [];
  let whole = true;
  net.values.forEach((value, reader) => {
    value.reads.forEach((read, turn) => {
      if (read !== v) return;
      const rule = BACKWARD[/** @type {keyof typeof BACKWARD} */ (value.rule.is)];
      if (!rule) whole = false;
      else groups.push(...rule({ net, pass, v, at, value, rule: value.rule, reader, turn }));
    });
  });
  return { groups, whole };
}

/** The sum of products. @param {Group[]} groups */
export const total = groups =>
  groups.reduce((sum, { terms }) => terms.reduce((s, { x, w }) => s + x * w, sum), 0);

/** @param {any} c */
const inputOf = c => ({ x: c.pass.values[c.value.reads[0]], shape: c.net.values[c.value.reads[0]].shape, from: c.value.reads[0] });
/** @param {any} c @param {string} name */
const parameter = (c, name) => c.net.state.get(c.value.parameters[name]);
/** What is added to all products, and what it is called; a layer without bias adds nothing. @param {any} c @param {number} f @returns {[number, string]} */
const bias = (c, f) => {
  const found = parameter(c, "bias");
  return found ? [found.data[f], "bias"] : [0, ""];
};

/** @param {Group[]} groups @param {number} constant @param {string} constantName @returns {Steps} */
const linear = (groups, constant = 0, constantName = "", facts = {}) =>
  ({ groups, constant, constantName, facts, linear: true });

/** The index that padding shows at p, for an axis of n; null for zeros. @param {string} mode @param {number} p @param {number} n */
function padded(mode, p, n) {
  if (p >= 0 && p < n) return p;
  if (mode === "zeros") return null;
  if (mode === "circular") return ((p % n) + n) % n;
  if (mode === "replicate") return Math.min(Math.max(p, 0), n - 1);
  const period = Math.max(2 * (n - 1), 1), q = ((p % period) + period) % period;
  return q < n ? q : period - q;
}

/** @param {any} c @param {number} f @param {number} i @param {number} j */
function convolutionWindow(c, f, i, j) {
  const { kernel: [KH, KW], stride, dilation, padding, mode, groups, flip } = c.rule;
  const { x, shape, from } = inputOf(c);
  const [C, H, W] = asImage(shape), weight = parameter(c, "weight");
  const each = C / groups, first = Math.floor(f / (weight.shape[0] / groups)) * each;
  return Array.from({ length: each }, (_, k) => {
    const terms = [];
    for (let a = 0; a < KH; a++) for (let b = 0; b < KW; b++) {
      const r = padded(mode, i * stride[0] + a * dilation[0] - padding[0], H);
      const s = padded(mode, j * stride[1] + b * dilation[1] - padding[1], W);
      const at = r === null || s === null ? null : offset(shape, [first + k, r, s]);
      const tap = flip ? [KH - 1 - a, KW - 1 - b] : [a, b];
      terms.push({ at, x: at === null ? 0 : x.data[at], w: weight.data[((f * each + k) * KH + tap[0]) * KW + tap[1]] });
    }
    return { label: `channel ${first + k}`, value: from, columns: KW, terms };
  });
}

/** @param {any} c @param {(inside: number, within: number) => number} weigh */
function pooled(c, weigh) {
  const { kernel: [KH, KW], stride, dilation, padding } = c.rule;
  const { x, shape, from } = inputOf(c);
  const [, H, W] = asImage(shape), [k, i, j] = place(c.value.shape, c.at);
  const terms = [];
  for (let a = 0; a < KH; a++) for (let b = 0; b < KW; b++) {
    const r = i * stride[0] + a * dilation[0] - padding[0], s = j * stride[1] + b * dilation[1] - padding[1];
    const inside = r >= 0 && r < H && s >= 0 && s < W;
    const at = inside ? offset(shape, [k, r, s]) : null;
    terms.push({ at, x: at === null ? 0 : x.data[at], w: 0, r, s });
  }
  const inside = terms.filter(t => t.at !== null).length;
  const ends = c.rule.ends ?? [H, W];
  const within = terms.filter(t => t.r < ends[0] && t.s < ends[1]).length;
  const share = weigh(inside, within);
  for (const t of terms) t.w = t.at === null ? 0 : share;
  return [{ label: `channel ${k}`, value: from, columns: KW, terms }];
}

/** The winner is the first of the largest, as in PyTorch. @param {Group} group */
function onlyTheWinner(group) {
  let best = -1;
  group.terms.forEach(({ at, x }, n) => {
    if (at !== null && (best < 0 || x > group.terms[best].x)) best = n;
  });
  group.terms.forEach((term, n) => { term.w = n === best ? 1 : 0; });
  return group;
}

/** @param {number} o @param {number} inputs @param {number} outputs */
const cell = (o, inputs, outputs) => [Math.floor(o * inputs / outputs), Math.ceil((o + 1) * inputs / outputs)];

/** @param {any} c */
function cells(c) {
  const { x, shape, from } = inputOf(c);
  const [, H, W] = asImage(shape), [OH, OW] = c.rule.outputs;
  const [k, i, j] = place(c.value.shape, c.at);
  const [top, bottom] = cell(i, H, OH), [left, right] = cell(j, W, OW);
  const terms = [], count = (bottom - top) * (right - left);
  for (let r = top; r < bottom; r++) for (let s = left; s < right; s++) {
    const at = offset(shape, [k, r, s]);
    terms.push({ at, x: x.data[at], w: 1 / count });
  }
  const group = { label: `channel ${k}`, value: from, columns: right - left, terms };
  return c.rule.takes === "max" ? onlyTheWinner(group) : group;
}

/** @param {any} c @param {number} k */
function normalisation(c, k) {
  const number = (/** @type {string} */ name, /** @type {number} */ otherwise) => parameter(c, name)?.data[k] ?? otherwise;
  const facts = { mean: number("running_mean", 0), variance: number("running_var", 1), γ: number("weight", 1), β: number("bias", 0), ε: c.rule.eps };
  const w = facts.γ / Math.sqrt(facts.variance + facts.ε);
  return { facts, w };
}

const FORWARD = {
  /** @param {any} c */
  convolution(c) {
    const [f, i, j] = place(c.value.shape, c.at);
    return linear(convolutionWindow(c, f, i, j), ...bias(c, f));
  },
  /** @param {any} c */
  "transposed convolution"(c) {
    const [f, i, j] = place(c.value.shape, c.at);
    const { kernel: [KH, KW], stride, dilation, padding, groups } = c.rule;
    const { x, shape, from } = inputOf(c), weight = parameter(c, "weight");
    const [C, H, W] = asImage(shape), each = C / groups, filters = weight.shape[1];
    const first = Math.floor(f / filters) * each;
    const found = Array.from({ length: each }, (_, k) => {
      const terms = [];
      for (let a = 0; a < KH; a++) for (let b = 0; b < KW; b++) {
        const r = (i + padding[0] - a * dilation[0]) / stride[0], s = (j + padding[1] - b * dilation[1]) / stride[1];
        const inside = Number.isInteger(r) && Number.isInteger(s) && r >= 0 && r < H && s >= 0 && s < W;
        const at = inside ? offset(shape, [first + k, r, s]) : null;
        terms.push({ at, x: at === null ? 0 : x.data[at], w: weight.data[(((first + k) * filters + f % filters) * KH + a) * KW + b] });
      }
      return { label: `channel ${first + k}`, value: from, columns: KW, terms };
    });
    return linear(found, ...bias(c, f));
  },
  /** @param {any} c */
  maximum: c => linear(pooled(c, () => 0).map(onlyTheWinner)),
  /** @param {any} c */
  average: c => linear(pooled(c, (inside, within) => 1 / (c.rule.counted ? inside : within))),
  /** @param {any} c */
  cells: c => linear([cells(c)]),
  /** @param {any} c */
  normalisation(c) {
    const [k] = place(c.value.shape, c.at), { facts, w } = normalisation(c, k);
    const { x, from } = inputOf(c);
    const group = { label: `channel ${k}`, value: from, columns: 1, terms: [{ at: c.at, x: x.data[c.at], w }] };
    return linear([group], facts.β - facts.mean * w, "β − mean·γ/σ", facts);
  },
  /** @param {any} c */
  linear(c) {
    const { x, from } = inputOf(c), weight = parameter(c, "weight"), count = weight.shape[1];
    const terms = Array.from({ length: count }, (_, n) => ({ at: n, x: x.data[n], w: weight.data[c.at * count + n] }));
    return linear([{ label: "inputs", value: from, columns: 8, terms }], ...bias(c, c.at));
  },
  /** @param {any} c */
  curve(c) {
    const { x, from } = inputOf(c);
    const terms = [{ at: c.at, x: x.data[c.at], w: slope(c) }];
    return { groups: [{ label: "", value: from, columns: 1, terms }], constant: 0, constantName: "", facts: {}, linear: false };
  },
  /** @param {any} c */
  softmax(c) {
    const { x, from } = inputOf(c), highest = Math.max(...x.data);
    const powers = Array.from(x.data, z => Math.exp(z - highest)), sum = powers.reduce((a, b) => a + b, 0);
    const terms = powers.map((power, n) => ({ at: n, x: x.data[n], w: power / sum }));
    return { groups: [{ label: "scores", value: from, columns: 1, terms }], constant: 0, constantName: "", facts: { "largest score": highest, "sum of exponentials": sum }, linear: false };
  },
  /** @param {any} c */
  sum: c => linear(c.value.reads.map((/** @type {number} */ from) => (
    { label: c.net.values[from].name, value: from, columns: 1, terms: [{ at: c.at, x: c.pass.values[from].data[c.at], w: 1 }] }))),
  /** @param {any} c */
  concatenation(c) {
    const position = place3(c.value.shape, c.at);
    for (const from of c.value.reads) {
      const shape = c.net.values[from].shape;
      if (position[c.rule.axis] < shape[c.rule.axis]) {
        const at = offset3(shape, position);
        return linear([{ label: c.net.values[from].name, value: from, columns: 1, terms: [{ at, x: c.pass.values[from].data[at], w: 1 }] }]);
      }
      position[c.rule.axis] -= shape[c.rule.axis];
    }
    return linear([]);
  },
  /** @param {any} c */
  "same numbers"(c) {
    const { x, from } = inputOf(c);
    return linear([{ label: c.net.values[from].name, value: from, columns: 1, terms: [{ at: c.at, x: x.data[c.at], w: 1 }] }]);
  },
};

/** Where a number lies along each axis, whatever their number. @param {number[]} shape @param {number} at */
function place3(shape, at) {
  const position = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    position.unshift(at % shape[axis]);
    at = Math.floor(at / shape[axis]);
  }
  return position;
}
/** @param {number[]} shape @param {number[]} position */
const offset3 = (shape, position) => position.reduce((at, p, axis) => at * shape[axis] + p, 0);

/** The derivative of a curve at x: exact for a ReLU, else between the points that are known. @param {any} c */
function slope(c) {
  const x = inputOf(c).x.data[c.at];
  if (c.value.kind === "ReLU") return x > 0 ? 1 : 0;
  const { x: xs, slope: slopes } = c.rule, step = xs[1] - xs[0];
  const n = Math.min(Math.max((x - xs[0]) / step, 0), xs.length - 1), low = Math.floor(n), rest = n - low;
  return slopes[low] * (1 - rest) + (slopes[low + 1] ?? 0) * rest;
}

/** The rows (or columns) of a padded axis that show index r. @param {any} c @param {number} axis @param {number} r */
function shownAt(c, axis, r) {
  const n = asImage(c.net.values[c.v].shape)[axis + 1];
  const { kernel, stride, dilation, padding, mode = "zeros" } = c.rule;
  const last = (asImage(c.value.shape)[axis + 1] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] - padding[axis];
  if (mode === "zeros") return [r];
  const found = [];
  for (let p = -padding[axis]; p <= last; p++) if (padded(mode, p, n) === r) found.push(p);
  return found;
}

/** All (output, tap) along an axis of which the tap reads index r. @param {any} c @param {number} axis @param {number} r */
function readers(c, axis, r) {
  const { kernel, stride, dilation, padding } = c.rule, outputs = asImage(c.value.shape)[axis + 1];
  const found = [];
  for (const p of shownAt(c, axis, r)) for (let tap = 0; tap < kernel[axis]; tap++) {
    const o = (p + padding[axis] - tap * dilation[axis]) / stride[axis];
    if (Number.isInteger(o) && o >= 0 && o < outputs) found.push([o, tap]);
  }
  return found;
}

/** @param {any} c @param {number} at @param {number} w */
const sent = (c, at, w) => ({ at, x: c.pass.gradients[c.reader].data[at], w });
/** @param {any} c @param {Term[]} terms @param {number} columns @returns {Group[]} */
const one = (c, terms, columns = 1) => [{ label: c.value.name, value: c.reader, columns, terms }];

const BACKWARD = {
  /** @param {any} c */
  convolution(c) {
    const [k, r, s] = place(c.net.values[c.v].shape, c.at), weight = parameter(c, "weight");
    const [F, each, KH, KW] = weight.shape, filters = F / c.rule.groups, g = Math.floor(k / each);
    const rows = readers(c, 0, r).reverse(), columns = readers(c, 1, s).reverse();
    return Array.from({ length: filters }, (_, n) => {
      const f = g * filters + n, terms = [];
      for (const [i, a] of rows) for (const [j, b] of columns) {
        const tap = c.rule.flip ? [KH - 1 - a, KW - 1 - b] : [a, b];
        terms.push(sent(c, offset(c.value.shape, [f, i, j]), weight.data[((f * each + k % each) * KH + tap[0]) * KW + tap[1]]));
      }
      return { label: `${c.value.name}, filter ${f}`, value: c.reader, columns: columns.length, terms };
    });
  },
  /** @param {any} c */
  "transposed convolution"(c) {
    const [k, r, s] = place(c.net.values[c.v].shape, c.at), weight = parameter(c, "weight");
    const [C, filters, KH, KW] = weight.shape, [, OH, OW] = asImage(c.value.shape);
    const { stride, dilation, padding, groups } = c.rule, first = Math.floor(k / (C / groups)) * filters;
    return Array.from({ length: filters }, (_, n) => {
      const terms = [];
      for (let a = 0; a < KH; a++) for (let b = 0; b < KW; b++) {
        const i = r * stride[0] - padding[0] + a * dilation[0], j = s * stride[1] - padding[1] + b * dilation[1];
        if (i < 0 || i >= OH || j < 0 || j >= OW) continue;
        terms.push(sent(c, offset(c.value.shape, [first + n, i, j]), weight.data[((k * filters + n) * KH + a) * KW + b]));
      }
      return { label: `${c.value.name}, filter ${first + n}`, value: c.reader, columns: KW, terms };
    });
  },
  maximum: windows,
  average: windows,
  /** @param {any} c */
  cells(c) {
    const [k, r, s] = place(c.net.values[c.v].shape, c.at), [, H, W] = asImage(c.net.values[c.v].shape);
    const [OH, OW] = c.rule.outputs, terms = [];
    for (let i = 0; i < OH; i++) for (let j = 0; j < OW; j++) {
      const [top, bottom] = cell(i, H, OH), [left, right] = cell(j, W, OW);
      if (r < top || r >= bottom || s < left || s >= right) continue;
      const at = (k * OH + i) * OW + j;
      const weight = cells({ ...c, at }).terms.find(term => term.at === c.at);
      terms.push(sent(c, at, weight?.w ?? 0));
    }
    return one(c, terms);
  },
  /** @param {any} c */
  normalisation: c => one(c, [sent(c, c.at, normalisation(c, place(c.value.shape, c.at)[0]).w)]),
  /** @param {any} c */
  linear(c) {
    const weight = parameter(c, "weight"), [outputs, inputs] = weight.shape;
    return one(c, Array.from({ length: outputs }, (_, o) => sent(c, o, weight.data[o * inputs + c.at])), 5);
  },
  /** @param {any} c */
  curve(c) {
    const dy = c.pass.gradients[c.reader].data[c.at], alone = readersOf(c.net, c.v) === 1;
    // with one reader the gradient here is dy · slope, so the slope is known to the last digit
    const w = c.value.kind !== "ReLU" && alone && dy !== 0 ? c.pass.gradients[c.v].data[c.at] / dy : slope(c);
    return one(c, [sent(c, c.at, w)]);
  },
  /** @param {any} c */
  softmax(c) {
    const p = c.pass.values[c.reader].data;
    return one(c, Array.from(p, (_, o) => sent(c, o, p[o] * ((o === c.at ? 1 : 0) - p[c.at]))));
  },
  /** @param {any} c */
  sum: c => one(c, [sent(c, c.at, 1)]),
  /** @param {any} c */
  concatenation(c) {
    const shape = c.net.values[c.v].shape, position = place3(shape, c.at);
    for (const from of c.value.reads.slice(0, c.turn)) position[c.rule.axis] += c.net.values[from].shape[c.rule.axis];
    return one(c, [sent(c, offset3(c.value.shape, position), 1)]);
  },
  /** @param {any} c */
  "same numbers": c => one(c, [sent(c, c.at, 1)]),
};

/** All windows of a pooling layer that the number lies in. @param {any} c @returns {Group[]} */
function windows(c) {
  const [k, r, s] = place(c.net.values[c.v].shape, c.at), terms = [], columns = readers(c, 1, s);
  for (const [i] of readers(c, 0, r)) for (const [j] of columns) {
    const at = offset(c.value.shape, [k, i, j]);
    const [group] = /** @type {Steps} */ (forward(c.net, c.pass, c.reader, at)).groups;
    const term = group.terms.find((/** @type {Term} */ t) => t.at === c.at);
    terms.push(sent(c, at, term?.w ?? 0));
  }
  return one(c, terms, Math.max(columns.length, 1));
}

/** How often value v is read. @param {Network} net @param {number} v */
export const readersOf = (net, v) =>
  net.values.reduce((count, { reads }) => count + reads.filter(read => read === v).length, 0);

/**
 * The gradient of one weight: the products that are added, each position of the output once.
 * @param {Network} net @param {Pass} pass @param {number} v  the layer's value
 * @param {string} name  "weight" or "bias" @param {number} index
 * @returns {{columns: number, terms: Term[]} | null}
 */
export function weightGradient(net, pass, v, name, index) {
  const value = net.values[v], c = { net, pass, v, value, rule: value.rule, at: 0 };
  const dy = pass.gradients?.[v], weight = parameter(c, "weight");
  if (!dy || !["convolution", "linear", "normalisation"].includes(value.rule.is)) return null;
  const [, H, W] = asImage(value.shape), { x, shape } = inputOf(c);
  const f = value.rule.is === "convolution" && name === "weight" ? Math.floor(index / (weight.data.length / weight.shape[0]))
    : value.rule.is === "linear" && name === "weight" ? Math.floor(index / weight.shape[1]) : index;
  const terms = [];
  for (let i = 0; i < H; i++) for (let j = 0; j < W; j++) {
    const out = offset(value.shape, [f, i, j]);
    let at = /** @type {number | null} */ (out), factor = 1;
    if (name === "weight" && value.rule.is === "convolution") {
      const [, each, KH, KW] = weight.shape, tap = index % (KH * KW), k = Math.floor(index / (KH * KW)) % each;
      const turned = value.rule.flip ? KH * KW - 1 - tap : tap;
      const term = convolutionWindow(c, f, i, j)[k].terms[turned];
      at = term.at; factor = term.x;
    } else if (name === "weight" && value.rule.is === "linear") {
      at = index % weight.shape[1]; factor = x.data[at];
    } else if (name === "weight") {
      const { facts } = normalisation(c, f);
      factor = (x.data[out] - facts.mean) / Math.sqrt(facts.variance + facts.ε);
    }
    terms.push({ at, x: dy.data[out], w: factor });
  }
  void shape;
  return { columns: W, terms };
}
