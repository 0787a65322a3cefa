/** The chosen number step by step: where it comes from, and where its gradient comes from. */

import { canvas, fill, h } from "./dom.js";
import { colour, ink, isDark, scaleOf } from "./colours.js";
import { backward, forward, total } from "./rules.js";
import { asImage, cell, long, place, plus, short } from "./tensor.js";
import { figure, map } from "./map.js";
import { accent } from "./network.js";
import { show, shown } from "./state.js";
import { texts } from "./texts.js";

/** @typedef {import("./network.js").Network} Network */
/** @typedef {import("./network.js").Pass} Pass */
/** @typedef {import("./rules.js").Group} Group */
/** @typedef {import("./rules.js").Term} Term */
/** @typedef {import("./wire.js").Door} Door */

const MOST_GROUPS = 6, MOST_TERMS = 64, SOURCE = 132;

/** How far the steps are played; null for all. @type {number | null} */
let played = null;
let timer = 0;
let everything = false;

let redraw = () => {};
/** @param {() => void} action */
export const onRedraw = action => { redraw = action; };

/** Another number was chosen: its steps begin anew. */
export function restart() {
  stop();
  everything = false;
}

/** Whether all channels and terms are shown. */
export const showsEverything = () => everything;

// Where a number comes from

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass @param {Door} door */
export function drawForward(body, net, pass, door) {
  const v = shown.value, value = net.values[v], at = shown.at, y = pass.values[v].data[at];
  if (value.rule.is === "input") return drawInput(body, net, pass);
  const steps = forward(net, pass, v, at);
  if (!steps) return void drawInfluence(body, net, pass, door);
  const { groups, constant, constantName, facts } = steps;
  const sources = drawSources(net, pass, groups);
  if (value.rule.is === "curve") return void fill(body, sources, drawCurve(value, groups[0].terms[0], y));
  if (value.rule.is === "softmax") return void fill(body, sources, drawSoftmax(net, pass, steps, at));
  const sum = total(groups) + constant, close = Math.abs(sum - y) <= 2e-5 * Math.max(1, Math.abs(y), most(groups));
  const field = h("div", {});
  if (door.live && value.shape.length === 3 && value.rule.is !== "sum") void drawField(field, net, pass, door);
  fill(body, h("div", { class: "sources" }, [...sources.children], field),
    h("p", { class: "formula" }, formula(value, groups, constant, constantName, facts, y)),
    h("p", { class: close ? "check" : "check off" }, close ? texts.checks : texts.differs(long(sum), long(y))),
    value.rule.is === "maximum" || value.rule.takes === "max" ? drawGroups(net, groups, false) : [player(groups, constant), drawGroups(net, groups, true)],
    value.rule.is === "convolution" ? h("p", { class: "says wide" }, texts.im2col(place(value.shape, at), asImage(value.shape)[2], groups.reduce((n, { terms }) => n + terms.length, 0))) : null);
}

/** The part of the image that the number is computed from. @param {HTMLElement} where @param {Network} net @param {Pass} pass @param {Door} door */
async function drawField(where, net, pass, door) {
  const value = net.values[shown.value];
  try {
    const { words: { box: [top, bottom, left, right] } } = await door.ask({ ask: "field", layer: value.name, position: place(value.shape, shown.at), topic: "field" });
    const [, , W] = net.image, marked = [];
    for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) marked.push(i * W + j);
    fill(where, figure(map({ tensor: pass.pixels, channel: 0, colours: true, side: SOURCE, at: null, marked, label: texts.field(bottom - top, right - left) }), texts.field(bottom - top, right - left)));
  } catch { fill(where); } // superseded, or a layer that has no name of its own
}

/** @param {Group[]} groups */
const most = groups => groups.reduce((m, { terms }) => terms.reduce((a, { x, w }) => Math.max(a, Math.abs(x * w)), m), 0);

/** The maps that the numbers are taken from, with a frame around what is read. @param {Network} net @param {Pass} pass @param {Group[]} groups */
function drawSources(net, pass, groups) {
  const ranked = important(groups, everything ? 64 : 4), turn = played === null ? null : groups.flatMap(group => group.terms.map(term => ({ group, term })))[played - 1];
  return h("div", { class: "sources" }, ranked.map(group => {
    const marked = group.terms.flatMap(({ at }) => (at === null ? [] : [at]));
    const shape = net.values[group.value].shape, channel = marked.length ? place(shape, marked[0])[0] : 0;
    return figure(map({
      tensor: pass.values[group.value], channel, side: SOURCE, at: turn?.group === group ? turn.term.at : null, marked,
      label: `${net.values[group.value].name}, ${group.label}, with the numbers that are read`,
      choose: at => show({ value: group.value, at }),
    }), `${net.values[group.value].name}, ${group.label}`);
  }));
}

/** The groups that matter most, in their own order. @param {Group[]} groups @param {number} count */
function important(groups, count) {
  const weight = (/** @type {Group} */ g) => g.terms.reduce((sum, { x, w }) => sum + Math.abs(x * w), 0);
  const kept = new Set([...groups].sort((a, b) => weight(b) - weight(a)).slice(0, count));
  return groups.filter(group => kept.has(group));
}

/** @param {any} value @param {Group[]} groups @param {number} constant @param {string} name @param {Record<string, number>} facts @param {number} y */
function formula(value, groups, constant, name, facts, y) {
  const n = groups.reduce((count, { terms }) => count + terms.length, 0), bias = name ? ` + ${name}` : "";
  const kind = value.rule.is;
  if (kind === "maximum" || value.rule.takes === "max") return `y = max of ${n} numbers = ${short(y)}`;
  if (kind === "normalisation") {
    return `y = γ·(x − mean)/√(variance + ε) + β = ${short(facts.γ)}·(${short(groups[0].terms[0].x)} ${plus(-facts.mean)})/√(${short(facts.variance)} + ${facts.ε}) ${plus(facts.β)} = ${short(y)}`;
  }
  if (n === 1) return `y = x = ${short(y)}`;
  if (kind === "sum") return `y = ${groups.map(g => short(g.terms[0].x)).join(" + ")} = ${short(y)}`;
  if (kind === "average" || kind === "cells") return `y = mean of ${n} numbers = ${short(y)}`;
  return `y = Σ x·w${bias} = ${short(total(groups))}${name ? ` ${plus(constant)}` : ""} = ${short(y)}`;
}

/** @param {Network} net @param {Group[]} groups @param {boolean} products */
export function drawGroups(net, groups, products, xName = "x", wName = "w") {
  const all = groups.length, chosen = important(groups, everything ? all : MOST_GROUPS);
  const more = all > chosen.length
    ? h("p", {}, texts.largest(chosen.length, all), " ", h("button", { onclick: () => { everything = true; redraw(); } }, texts.showAll)) : null;
  let before = 0;
  const start = new Map(groups.map(group => { const n = before; before += group.terms.length; return [group, n]; }));
  return h("div", { class: "groups" }, chosen.map(group => {
    const first = /** @type {number} */ (start.get(group)), sum = total([group]);
    if (group.terms.length > MOST_TERMS) return drawList(net, group, xName, wName);
    return h("section", { class: "group" }, h("h3", {}, group.label, products && group.terms.length > 1 ? h("small", {}, ` Σ ${xName}·${wName} = ${short(sum)}`) : null),
      h("div", { class: "product" },
        numbers(group, ({ x }) => x, xName, first, true), products ? [h("span", { "aria-hidden": "true" }, "⊙"), numbers(group, ({ w }) => w, wName, first),
          h("span", { "aria-hidden": "true" }, "="), numbers(group, ({ x, w }) => x * w, `${xName}·${wName}`, first, true)] : null));
  }), more);
}

/** A grid of numbers, which is also a table for who cannot see it. @param {Group} group @param {(term: Term) => number} number @param {string} caption @param {number} first */
function numbers({ terms, columns }, number, caption, first, hatched = false) {
  const scale = scaleOf(terms.map(number)), dark = isDark(), rows = Math.ceil(terms.length / columns);
  return h("table", { class: "numbers" }, h("caption", {}, caption), h("tbody", {}, Array.from({ length: rows }, (_, r) =>
    h("tr", {}, terms.slice(r * columns, (r + 1) * columns).map((term, c) => {
      const x = number(term), rgb = colour(x, scale, dark), turn = first + r * columns + c;
      const reached = played === null || turn < played;
      return h("td", {
        class: [hatched && term.at === null ? "padding" : "", played !== null && turn === played - 1 ? "current" : "", reached ? "" : "waiting"].join(" "),
        title: term.at === null ? texts.padding : long(x), style: { background: `rgb(${rgb})`, color: ink(rgb) },
      }, cell(x));
    })))));
}

/** Many products: the largest, and the others as one. @param {Network} net @param {Group} group @param {string} xName @param {string} wName */
export function drawList(net, { label, terms, value }, xName, wName) {
  const { shape } = net.values[value], name = (/** @type {number} */ at) => { const [c, i, j] = place(shape, at); return shape.length === 3 ? `${c}, ${i}, ${j}` : String(at); };
  const ordered = [...terms].sort((a, b) => Math.abs(b.x * b.w) - Math.abs(a.x * a.w));
  const kept = ordered.slice(0, everything ? 400 : 12), rest = ordered.slice(kept.length).reduce((sum, { x, w }) => sum + x * w, 0);
  return h("section", { class: "group" }, h("h3", {}, label),
    h("table", { class: "list" }, h("thead", {}, h("tr", {}, [shape.length === 3 ? texts.position : texts.number, xName, wName, `${xName}·${wName}`].map(name => h("th", { scope: "col" }, name)))),
      h("tbody", {}, kept.map(({ at, x, w }) => h("tr", {},
        h("td", {}, at === null ? texts.padding : h("button", { class: "link", onclick: () => show({ value, at }) }, name(at))),
        [x, w, x * w].map(number => h("td", { class: "right" }, short(number))))),
        terms.length > kept.length ? h("tr", {}, h("td", { colspan: "3" }, texts.others), h("td", { class: "right" }, short(rest))) : null)),
    terms.length > kept.length ? h("p", {}, texts.largestTerms(kept.length, terms.length), " ", h("button", { onclick: () => { everything = true; redraw(); } }, texts.showAll)) : null);
}

function stop() { clearInterval(timer); timer = 0; played = null; }

/** Play, step and scrub through the products. @param {Group[]} groups @param {number} constant */
function player(groups, constant) {
  const all = groups.flatMap(({ terms }) => terms), count = all.length;
  if (count < 2) return null;
  const reached = played ?? count;
  const sum = all.slice(0, reached).reduce((s, { x, w }) => s + x * w, 0) + (reached === count ? constant : 0);
  const go = (/** @type {number} */ n) => { played = n >= count ? null : n; redraw(); };
  const toggle = () => {
    if (timer) { clearInterval(timer); timer = 0; redraw(); return; }
    if (played === null) played = 0;
    timer = setInterval(() => { played = (played ?? 0) + 1; if (played >= count) stop(); redraw(); }, Math.max(4000 / count, 40));
    redraw();
  };
  return h("div", { class: "player" },
    h("button", { id: "play", onclick: toggle }, timer ? texts.pause : texts.play),
    h("button", { id: "step-back", onclick: () => go(Math.max(reached - 1, 0)) }, texts.back),
    h("button", { id: "step", onclick: () => go(reached >= count ? 1 : reached + 1) }, texts.step),
    h("input", { id: "scrub", type: "range", min: "0", max: String(count), value: String(reached), "aria-label": "products added", oninput: (/** @type {any} */ e) => go(Number(e.target.value)) }),
    h("span", { "aria-live": "polite" }, texts.sumSoFar(reached, count, short(sum))));
}

export const togglePlay = () => document.getElementById("play")?.click();

/** @param {any} value @param {Term} term @param {number} y */
function drawCurve({ rule, kind }, { x, w }, y) {
  const { x: xs, y: ys } = rule, W = 300, H = 190, low = Math.min(...ys, y), high = Math.max(...ys, y);
  const left = Math.min(xs[0], x), right = Math.max(xs.at(-1), x);
  const px = (/** @type {number} */ a) => 8 + (a - left) / (right - left) * (W - 16), py = (/** @type {number} */ b) => H - 8 - (b - low) / (high - low || 1) * (H - 16);
  return [h("p", { class: "formula" }, `y = ${kind}(${short(x)}) = ${short(y)}; the slope there is ${short(w)}`),
    canvas(W, H, { role: "img", "aria-label": `The curve of ${kind} with the point x = ${short(x)}, y = ${short(y)}` }, context => {
      const ink = isDark() ? "#e9eaec" : "#1b1d21";
      context.strokeStyle = isDark() ? "#555b64" : "#b5b8b2";
      context.beginPath(); context.moveTo(px(left), py(0)); context.lineTo(px(right), py(0)); context.moveTo(px(0), 0); context.lineTo(px(0), H); context.stroke();
      context.strokeStyle = ink; context.lineWidth = 2; context.beginPath();
      xs.forEach((/** @type {number} */ a, /** @type {number} */ n) => context[n ? "lineTo" : "moveTo"](px(a), py(ys[n]))); context.stroke();
      context.fillStyle = accent(); context.beginPath(); context.arc(px(x), py(y), 6, 0, 7); context.fill();
    })];
}

/** @param {Network} net @param {Pass} pass @param {any} steps @param {number} at */
function drawSoftmax(net, pass, { groups, facts }, at) {
  const { terms } = groups[0], sum = facts["sum of exponentials"], top = facts["largest score"];
  return [h("p", { class: "formula" }, `y = exp(${short(terms[at].x)} − ${short(top)}) / ${short(sum)} = ${short(pass.values[shown.value].data[at])}`),
    h("table", { class: "list" }, h("thead", {}, h("tr", {}, ["class", "score z", "exp(z − largest)", "probability"].map(t => h("th", { scope: "col" }, t)))),
      h("tbody", {}, terms.map((/** @type {Term} */ { x, w }, /** @type {number} */ n) => h("tr", { class: n === at ? "current" : "" },
        h("td", {}, net.classes[n] ?? n), [x, Math.exp(x - top), w].map(number => h("td", { class: "right" }, short(number)))))))];
}

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass */
function drawInput(body, net, pass) {
  const [c, i, j] = place(net.image, shown.at), { preprocessing } = net, stored = pass.pixels.data[shown.at], x = pass.values[0].data[shown.at];
  fill(body, h("div", { class: "sources" }, figure(map({ tensor: pass.pixels, channel: c, colours: true, side: 200, at: shown.at, label: "the image as it is stored" }), "as it is stored")),
    h("p", { class: "formula" }, preprocessing
      ? `x = (pixel − mean)/scale = (${short(stored)} ${plus(-preprocessing.mean[c])})/${short(preprocessing.scale[c])} = ${short(x)}   at row ${i}, column ${j}`
      : `x = ${short(x)}: this model takes pixels as they are`));
}

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass @param {Door} door */
async function drawInfluence(body, net, pass, door) {
  fill(body, h("p", {}, texts.noRule), door.live ? h("p", { class: "busy" }, texts.busy) : h("p", {}, texts.onlyLive));
  if (!door.live) return;
  const v = shown.value, value = net.values[v], position = multiIndex(value.shape, shown.at);
  const { arrays } = await door.ask({ ask: "influence", value: v, position, topic: "influence" });
  fill(body, h("p", {}, texts.noRule), h("div", { class: "sources" }, arrays.map((tensor, n) => {
    let best = 0;
    tensor.data.forEach((x, i) => { if (Math.abs(x) > Math.abs(tensor.data[best])) best = i; });
    const source = value.reads[n];
    return figure(map({ tensor, channel: place(tensor.shape, best)[0], side: 200, at: best, label: `∂y/∂x of ${net.values[source].name}`, choose: at => show({ value: source, at }) }),
      `∂y/∂x, ${net.values[source].name}; the largest is ${short(tensor.data[best])}`);
  })));
}

/** @param {number[]} shape @param {number} at */
function multiIndex(shape, at) {
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) { index.unshift(at % shape[axis]); at = Math.floor(at / shape[axis]); }
  return index;
}

// Where a gradient comes from

/** @param {HTMLElement} body @param {Network} net @param {Pass} pass */
export function drawBackward(body, net, pass) {
  const v = shown.value, at = shown.at, g = pass.gradients?.[v];
  if (!g) return void fill(body, h("p", {}, texts.onlyLive));
  if (v === net.values.length - 1) {
    const target = pass.target === at;
    return void fill(body, h("p", {}, texts.noReaders), h("p", { class: "formula" }, texts.start(shown.objective === "loss", short(pass.probabilities[at]), target ? "1" : "0")),
      h("p", { class: "formula" }, `dy = ${long(g.data[at])}`));
  }
  const { groups, whole } = backward(net, pass, v, at), sum = total(groups);
  const close = Math.abs(sum - g.data[at]) <= 2e-5 * Math.max(1e-3, Math.abs(g.data[at]), most(groups));
  fill(body,
    h("div", { class: "sources" }, important(groups, 4).map(group => {
      const shape = net.values[group.value].shape, marked = group.terms.flatMap(({ at }) => (at === null ? [] : [at]));
      return figure(map({
        tensor: /** @type {any} */ (pass.gradients)[group.value], channel: marked.length ? place(shape, marked[0])[0] : 0, side: SOURCE, at: null, marked,
        label: `gradient of ${group.label}`, choose: at => show({ value: group.value, at }),
      }), `gradient of ${group.label}`);
    })),
    h("p", { class: "formula" }, `dx = Σ dy·w = ${short(sum)}`),
    whole ? h("p", { class: close ? "check" : "check off" }, close ? texts.checks : texts.differs(long(sum), long(g.data[at])))
      : h("p", {}, `${texts.noRule} dx = ${long(g.data[at])}`),
    player(groups, 0), drawGroups(net, groups, true, "dy", "w"));
}
