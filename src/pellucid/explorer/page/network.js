/** The network as a picture: each value a card with its maps, in the order in which they arise. */

import { canvas, fill, h, s } from "./dom.js";
import { colour, enlarge, isDark, picture, scaleOf } from "./colours.js";
import { asImage, offset, place, short, size } from "./tensor.js";
import { shown } from "./state.js";
import { texts } from "./texts.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/**
 * @typedef {object} Value
 * @property {string} name
 * @property {string} kind
 * @property {string} [options]
 * @property {number[]} reads
 * @property {number[]} shape
 * @property {any} rule
 * @property {Record<string, string>} [parameters]
 */
/**
 * @typedef {object} Network
 * @property {Value[]} values
 * @property {Map<string, Tensor>} state  parameters and running statistics by path
 * @property {string[]} classes
 * @property {number[]} image
 * @property {Record<string, number>} parts
 * @property {number[]} [saved]  in a saved page, which images it contains
 * @property {string} title
 * @property {number} count  how many parameters it has
 * @property {any} preprocessing
 * @property {string[]} [runs]  the networks that can stand beside one another
 * @property {boolean} [moments]  whether the optimiser that trained it is known
 */
/**
 * One image's way through the network and back.
 * @typedef {object} Pass
 * @property {Tensor} pixels
 * @property {Tensor[]} values
 * @property {Tensor[] | null} gradients
 * @property {Map<string, Tensor>} parameterGradients
 * @property {number[]} probabilities
 * @property {number} target
 * @property {number} objective
 * @property {number | null} label
 */

const THUMB = 52, GAP = 4, CARD = 128, COLUMN = 164, ROW_GAP = 18, HEAD = 54;
const MOST_FOLDED = 8, MOST_MAPS = 64, MANY = 26, BESIDE = 2;

/** @typedef {{key: string, label: string, members: number[], value: number, folded: boolean}} Card */

/**
 * The cards: single values, and groups that are folded because the network has many.
 * @param {Network} net @param {Set<string>} open
 * @returns {Card[]}
 */
export function cards(net, open) {
  const depth = groupDepth(net);
  /** @type {Card[]} */
  const found = [];
  net.values.forEach((value, v) => {
    const prefix = depth === null || v === 0 ? null : value.name.split(".").slice(0, depth).join(".");
    const last = found.at(-1);
    if (prefix !== null && last && last.key === prefix && !open.has(prefix)) {
      last.members.push(v);
      last.value = v;
      return;
    }
    const key = prefix !== null && !open.has(prefix) ? prefix : `${v}`;
    found.push({ key, label: value.name, members: [v], value: v, folded: false });
  });
  for (const card of found) {
    card.folded = card.members.length > 1;
    if (card.folded) card.label = card.key;
  }
  return found;
}

/** How many parts of a name make a group, so that about as many cards are left as one can see. @param {Network} net */
function groupDepth(net) {
  if (net.values.length <= MANY) return null;
  for (let depth = 4; depth > 1; depth--) {
    let groups = 0, before = "";
    for (const { name } of net.values) {
      const prefix = name.split(".").slice(0, depth).join(".");
      groups += Number(prefix !== before);
      before = prefix;
    }
    if (groups <= MANY) return depth;
  }
  return 1;
}

/**
 * Draw the network.
 * @param {{viewport: HTMLElement, stage: HTMLElement, mini: HTMLElement | null}} places
 * @param {Network} net @param {Pass} pass @param {Set<string>} wide  cards of which all maps are shown
 * @param {number | null} here  the value that is chosen
 * @param {(change: any) => void} choose  takes what was chosen
 */
export function draw(places, net, pass, wide, here, choose) {
  const open = new Set(shown.open.split(",").filter(Boolean)), list = cards(net, open);
  const of = new Map(list.flatMap((card, n) => card.members.map(v => [v, n])));
  const column = list.map(() => 0);
  list.forEach((card, n) => {
    for (const v of card.members) for (const read of net.values[v].reads) {
      const from = /** @type {number} */ (of.get(read));
      if (from !== n) column[n] = Math.max(column[n], column[from] + 1);
    }
  });
  /** @type {number[]} */
  const heights = [];
  const shared = sharedScale(net, pass);
  const boxes = list.map((card, n) => {
    const element = drawCard({ net, pass, wide, open, shared, here, choose }, card);
    const height = /** @type {any} */ (element).drawnHeight, top = heights[column[n]] ?? 0;
    heights[column[n]] = top + height + ROW_GAP;
    return { element, x: column[n] * COLUMN, y: top, height };
  });
  const tallest = Math.max(...heights, 0);
  for (const [n, box] of boxes.entries()) box.y += (tallest - heights[column[n]]) / 2;
  const width = (Math.max(...column, 0) + 1) * COLUMN;
  /** @type {Element[]} */
  const lines = [];
  list.forEach((card, n) => {
    const from = new Set(card.members.flatMap(v => net.values[v].reads.map(read => of.get(read))));
    for (const source of from) {
      if (source === undefined || source === n) continue;
      const a = boxes[source], b = boxes[n];
      const x0 = a.x + CARD, y0 = a.y + a.height / 2, x1 = b.x, y1 = b.y + b.height / 2, bend = (x1 - x0) / 2;
      const far = x1 - x0 > COLUMN;
      const lift = far ? Math.min(a.y, b.y) - 14 : 0;
      const path = far
        ? `M${x0},${y0} C${x0 + 30},${y0} ${x0 + 20},${lift} ${x0 + 48},${lift} L${x1 - 48},${lift} C${x1 - 20},${lift} ${x1 - 30},${y1} ${x1},${y1}`
        : `M${x0},${y0} C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`;
      lines.push(s("path", { d: path, class: far ? "line around" : "line" }));
    }
  });
  for (const { element, x, y } of boxes) Object.assign(element.style, { left: `${x}px`, top: `${y + 20}px` });
  fill(places.stage, s("svg", { width, height: tallest + 40, viewBox: `0 -20 ${width} ${tallest + 40}`, "aria-hidden": "true" }, lines), ...boxes.map(box => box.element));
  Object.assign(places.stage.style, { width: `${width}px`, height: `${tallest + 40}px` });
  if (places.mini) drawMini(places.mini, boxes, width, tallest + 40);
}

/** @param {Network} net @param {Pass} pass */
function sharedScale(net, pass) {
  if (shown.scale !== "shared") return null;
  const most = Math.max(...net.values.map((_, v) => {
    const tensor = mapsOf(net, pass, v);
    return tensor ? scaleOf(tensor.data).high : 0;
  }));
  return { low: -most, high: most, diverging: true };
}

/** The numbers that the maps of a value show; of a layer without weights nothing. @param {Network} net @param {Pass} pass @param {number} v @returns {Tensor | undefined} */
export function mapsOf(net, pass, v) {
  if (shown.map === "weight") return net.state.get(net.values[v].parameters?.weight ?? "");
  return shown.map === "gradient" ? pass.gradients?.[v] : pass.values[v];
}

/** The same value in another network: of the same name and shape, or else none. @param {Network} net @param {number} v @param {Network} other @returns {number | null} */
export function counterpart(net, v, other) {
  const { name, shape } = net.values[v], found = other.values.findIndex(value => value.name === name);
  return found >= 0 && String(other.values[found].shape) === String(shape) ? found : null;
}

/** @typedef {{net: Network, pass: Pass, wide: Set<string>, open: Set<string>, shared: any, here: number | null, choose: (change: any) => void}} Drawing */

/** @param {Drawing} drawing @param {Card} card */
function drawCard(drawing, card) {
  const { net, pass, wide, open, here, choose } = drawing;
  const value = net.values[card.value], tensor = mapsOf(net, pass, card.value), total = size(value.shape);
  const chosen = here !== null && card.members.includes(here), kinds = card.folded ? texts.layers(card.members.length) : value.kind;
  const parts = [
    h("button", {
      class: "name", "aria-pressed": String(chosen), title: value.options ?? value.kind,
      onclick: () => choose({ value: card.value, at: Math.min(shown.at, total - 1) }),
    }, h("b", {}, card.label), h("span", {}, kinds), h("span", {}, value.shape.join("×"))),
  ];
  let height = HEAD;
  if (tensor) {
    const scale = drawing.shared ?? scaleOf(tensor.data), many = mapCount(tensor.shape);
    const made = tensor.shape.length === 4 || size(asImage(tensor.shape).slice(1)) > 1 && tensor.shape.length === 3 ? maps(drawing, card, tensor, scale)
      : tensor.shape.length === 2 && shown.map === "weight" ? matrix(drawing, card, tensor, scale) : vector(drawing, card, tensor, scale);
    parts.push(made.element);
    height += made.height + 4;
    if (tensor.shape.length > 2 && many > MOST_FOLDED) {
      parts.push(h("button", { class: "more", onclick: () => { wide.has(card.key) ? wide.delete(card.key) : wide.add(card.key); redraw(); } },
        wide.has(card.key) ? texts.fewerMaps : texts.moreMaps(many - MOST_FOLDED)));
      height += 24;
    }
    parts.push(h("span", { class: "range" }, `${short(scale.low)} … ${short(scale.high)}`));
    height += 16;
  }
  if (card.folded) {
    parts.push(h("button", { class: "more", onclick: () => choose({ open: [...open, card.key].join(",") }) }, texts.unfold));
    height += 24;
  } else {
    const prefix = [...open].find(key => value.name.startsWith(key + ".") || value.name === key);
    if (prefix) {
      parts.push(h("button", { class: "more", onclick: () => choose({ open: [...open].filter(key => key !== prefix).join(","), value: card.value }) }, texts.fold(prefix)));
      height += 24;
    }
  }
  const element = h("div", { class: chosen ? "card chosen" : "card", "data-value": card.value }, parts);
  element.drawnHeight = height + 14;
  return element;
}

/** How many maps a tensor has: the channels of a value, or the filters of a weight. @param {number[]} shape */
const mapCount = shape => (shape.length > 2 ? shape[0] : 1);

/** Maps two by two: a channel each, or a filter each with its kernels in a square. @param {Drawing} drawing @param {Card} card @param {Tensor} tensor @param {any} scale */
function maps({ net, wide, here, choose }, card, tensor, scale) {
  const many = mapCount(tensor.shape), [inside, H, W] = tensor.shape.length === 4 ? tensor.shape.slice(1) : [1, ...tensor.shape.slice(1)];
  const columns = Math.min(many, BESIDE), rows = Math.ceil(Math.min(many, wide.has(card.key) ? MOST_MAPS : MOST_FOLDED) / columns), step = THUMB + GAP;
  const square = Math.ceil(Math.sqrt(inside)), side = THUMB / square, dark = isDark(), value = net.values[card.value];
  const marked = here === card.value ? place(value.shape, shown.at)[0] : -1;
  const element = canvas(CARD - 16, rows * step, {
    class: "maps", "aria-hidden": "true",
    onclick: (/** @type {MouseEvent} */ { offsetX: x, offsetY: y }) => {
      const n = Math.floor(y / step) * columns + Math.min(Math.floor(x / step), columns - 1);
      if (n >= many) return;
      const [, h, w] = asImage(value.shape);
      if (shown.map === "weight") return void choose({ value: card.value, at: offset(value.shape, [n, Math.floor(h / 2), Math.floor(w / 2)]), tab: "weights", weight: "" });
      const at = (/** @type {number} */ z, /** @type {number} */ length) => Math.min(Math.floor((z % step) / THUMB * length), length - 1);
      choose({ value: card.value, at: offset(value.shape, [n, at(y, h), at(x, w)]) });
    },
  }, context => {
    for (let n = 0; n < Math.min(many, rows * columns); n++) {
      const x = (n % columns) * step, y = Math.floor(n / columns) * step;
      for (let k = 0; k < inside; k++) {
        const kernel = { data: tensor.data.subarray((n * inside + k) * H * W, (n * inside + k + 1) * H * W), shape: [1, H, W] }, gap = inside > 1 && side > 6 ? 1 : 0;
        enlarge(context, picture(kernel, 0, scale, dark), x + (k % square) * side, y + Math.floor(k / square) * side, side - gap, (side - gap) * Math.min(H / W, 1));
      }
      if (n === marked) { context.strokeStyle = accent(); context.lineWidth = 2; context.strokeRect(x + 1, y + 1, THUMB - 2, THUMB - 2); }
    }
  });
  return { element, height: rows * step };
}

/** A vector as a column of bars. @param {Drawing} drawing @param {Card} card @param {Tensor} tensor @param {any} scale */
function vector({ net, here, choose }, card, tensor, scale) {
  const count = tensor.data.length, side = Math.min(count * 9, 190), dark = isDark(), { shape } = net.values[card.value];
  const element = canvas(CARD - 16, side, {
    class: "maps", "aria-hidden": "true",
    onclick: (/** @type {MouseEvent} */ { offsetY: y }) => {
      const n = Math.min(Math.floor(y / side * count), count - 1), [, H, W] = asImage(shape);
      choose({ value: card.value, at: Math.min(n * H * W, size(shape) - 1) });
    },
  }, context => {
    for (let n = 0; n < count; n++) {
      context.fillStyle = `rgb(${colour(tensor.data[n], scale, dark)})`;
      context.fillRect(0, n * side / count, CARD - 16, side / count + .5);
    }
    const marked = here === card.value ? place(shape, shown.at)[0] : -1;
    if (marked >= 0) { context.strokeStyle = accent(); context.lineWidth = 2; context.strokeRect(1, marked * side / count, CARD - 18, Math.max(side / count, 2)); }
  });
  return { element, height: side };
}

/** A linear layer's weights: a row for each output. @param {Drawing} drawing @param {Card} card @param {Tensor} tensor @param {any} scale */
function matrix({ choose }, card, tensor, scale) {
  const [rows, columns] = tensor.shape, side = Math.max(Math.min(rows * 9, 190), 24);
  const element = canvas(CARD - 16, side, {
    class: "maps", "aria-hidden": "true",
    onclick: (/** @type {MouseEvent} */ { offsetX: x, offsetY: y }) => {
      const row = Math.min(Math.floor(y / side * rows), rows - 1), column = Math.min(Math.floor(x / (CARD - 16) * columns), columns - 1);
      choose({ value: card.value, at: row, tab: "weights", weight: `weight:${row * columns + column}` });
    },
  }, context => enlarge(context, picture({ data: tensor.data, shape: [1, rows, columns] }, 0, scale, isDark()), 0, 0, CARD - 16, side));
  return { element, height: side };
}

let redraw = () => {};
/** @param {() => void} action */
export const onRedraw = action => { redraw = action; };

/** The colour of what is chosen, for canvases. */
export const accent = () => (isDark() ? "#ff9a4d" : "#b84a00");

/** @param {HTMLElement} mini @param {any[]} boxes @param {number} width @param {number} height */
function drawMini(mini, boxes, width, height) {
  const scale = Math.min(160 / width, 60 / height);
  fill(mini, s("svg", { width: width * scale, height: height * scale, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    boxes.map(({ x, y, height: tall, element }) => s("rect", { x, y, width: CARD, height: tall, rx: 12, class: element.classList.contains("chosen") ? "chosen" : "" })),
    s("rect", { class: "view", x: 0, y: 0, width: 0, height: 0 })));
}
