/** One step of an optimiser for one weight, line by line with the numbers put in. */

import { long, plus, short } from "./tensor.js";
import { texts } from "./texts.js";

/** @typedef {{w: number, g: number, step: number, kept: Record<string, number>}} Moment  a weight, its gradient, and what is kept for it */
/** @typedef {{options: Record<string, any>, decay: number, before: Moment, after: Moment}} Made */
/** @typedef {[string, string, string]} Line  a formula, the same with numbers, and what it gives */

/**
 * The lines of a step; the formulas are those of `pellucid/reference/update.py`.
 * @param {Made} made
 * @returns {{says: string, lines: Line[], w: number}}
 */
export function lines(made) {
  const { options, before, after, decay } = made, kind = options.type === "AdamW" ? "Adam" : options.type;
  /** @type {Line[]} */
  const found = [];
  let { w } = before, g = after.g; // the gradient as it was clipped
  const line = (/** @type {string} */ formula, /** @type {string} */ numbers, /** @type {number} */ result) => { found.push([formula, numbers, long(result)]); return result; };
  if (g !== before.g) line("g ← g·c/‖g‖", texts.clipped, g);
  if (decay && options.type === "AdamW") w = line("w ← w·(1 − η·λ)", `${short(w)}·(1 − ${short(options.rate)}·${short(decay)})`, w * (1 - options.rate * decay));
  else if (decay && kind !== "Muon") g = line("g ← g + λ·w", `${short(g)} ${plus(decay * w)}`, g + decay * w);
  const change = CHANGES[/** @type {keyof typeof CHANGES} */ (kind)](made, g, line);
  w = line(change.formula, `${short(w)} ${plus(-change.by)}`, w - change.by);
  if (options.lookahead && after.step % options.lookahead === 0 && kind !== "Muon") {
    const slow = before.step ? before.kept.slow : before.w, part = options.lookahead_rate;
    w = line("w ← s + α·(w − s)", `${short(slow)} + ${short(part)}·(${short(w)} ${plus(-slow)})`, slow + part * (w - slow));
  }
  return { says: texts.stepOf(options.type, after.step), lines: found, w };
}

/** @typedef {(formula: string, numbers: string, result: number) => number} Write */

const CHANGES = {
  /** @param {Made} made @param {number} g @param {Write} line */
  SGD({ options: { rate, momentum, nesterov }, before: { kept } }, g, line) {
    if (!momentum) return { formula: "w ← w − η·g", by: rate * g };
    const v = line("v ← μ·v + g", `${short(momentum)}·${signed(kept.momentum)} ${plus(g)}`, momentum * kept.momentum + g);
    return nesterov ? { formula: "w ← w − η·(g + μ·v)", by: rate * (g + momentum * v) } : { formula: "w ← w − η·v", by: rate * v };
  },
  /** @param {Made} made @param {number} g @param {Write} line */
  Adam({ options: { rate, betas: [b1, b2], eps, amsgrad }, before: { kept }, after: { step: t } }, g, line) {
    const m = line("m ← β₁·m + (1 − β₁)·g", `${short(b1)}·${signed(kept.exp_avg)} + ${short(1 - b1)}·${signed(g)}`, b1 * kept.exp_avg + (1 - b1) * g);
    let s = line("s ← β₂·s + (1 − β₂)·g²", `${short(b2)}·${short(kept.exp_avg_sq)} + ${short(1 - b2)}·${signed(g)}²`, b2 * kept.exp_avg_sq + (1 - b2) * g * g);
    if (amsgrad) s = line("s ← max(s, all before)", `max(${short(s)}, ${short(kept.max_exp_avg_sq)})`, Math.max(s, kept.max_exp_avg_sq));
    const mean = line("m̂ = m/(1 − β₁ᵗ)", `${short(m)}/(1 − ${short(b1)}^${t})`, m / (1 - b1 ** t)), size = line("ŝ = s/(1 − β₂ᵗ)", `${short(s)}/(1 − ${short(b2)}^${t})`, s / (1 - b2 ** t));
    return { formula: "w ← w − η·m̂/(√ŝ + ε)", by: rate * mean / (Math.sqrt(size) + eps) };
  },
  /** @param {Made} made @param {number} g @param {Write} line */
  RMSprop({ options: { rate, alpha, eps, momentum, centered }, before: { kept } }, g, line) {
    let s = line("s ← α·s + (1 − α)·g²", `${short(alpha)}·${short(kept.square_avg)} + ${short(1 - alpha)}·${signed(g)}²`, alpha * kept.square_avg + (1 - alpha) * g * g);
    if (centered) {
      const m = line("m ← α·m + (1 − α)·g", `${short(alpha)}·${signed(kept.grad_avg)} + ${short(1 - alpha)}·${signed(g)}`, alpha * kept.grad_avg + (1 - alpha) * g);
      s = line("s − m²", `${short(s)} ${plus(-m * m)}`, Math.max(s - m * m, 0));
    }
    const change = g / (Math.sqrt(s) + eps);
    if (!momentum) return { formula: "w ← w − η·g/(√s + ε)", by: rate * change };
    return { formula: "w ← w − η·v", by: rate * line("v ← μ·v + g/(√s + ε)", `${short(momentum)}·${signed(kept.momentum)} ${plus(change)}`, momentum * kept.momentum + change) };
  },
  /** The matrix O depends on all weights: the line shows what came out. @param {Made} made @param {number} g @param {Write} line */
  Muon({ options: { momentum }, before, after }, g, line) {
    line("v ← μ·v + g", `${short(momentum)}·${signed(before.kept.momentum)} ${plus(g)}`, momentum * before.kept.momentum + g);
    return { formula: texts.orthogonal, by: before.w - after.w };
  },
  /** @param {Made} made @param {number} g @param {Write} line */
  Adagrad({ options: { rate, lr_decay, eps }, before: { kept }, after: { step: t } }, g, line) {
    const s = line("s ← s + g²", `${short(kept.sum)} + ${signed(g)}²`, kept.sum + g * g);
    return { formula: lr_decay ? "w ← w − η/(1 + (t − 1)·d)·g/(√s + ε)" : "w ← w − η·g/(√s + ε)", by: rate / (1 + (t - 1) * (lr_decay ?? 0)) * g / (Math.sqrt(s) + eps) };
  },
};

/** A factor: a negative one in brackets. @param {number} x */
const signed = x => (x < 0 ? `(${short(x)})` : short(x));
