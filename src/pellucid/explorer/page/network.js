/** The network as a picture: each value a card with its maps, in the order in which they arise. */

import { canvas, fill, h, s } from "./dom.js";
import { colour, enlarge, isDark, picture, scaleOf } from "./colours.js";
import { asImage, offset, place, short } from "./tensor.js";
import { show, shown } from "./state.js";
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
 * @property {string} title
 * @property {number} count  how many parameters it has
 * @property {any} preprocessing
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

const THUMB = 52, GAP = 4, CARD = 128, COLUMN = 176, ROW_GAP = 18, HEAD = 40;
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
 * @param {{viewport: HTMLElement, stage: HTMLElement, mini: HTMLElement}} places
 * @param {Network} net @param {Pass} pass @param {Set<string>} wide  cards of which all maps are shown
 */
export function draw(places, net, pass, wide) {
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
    const element = drawCard(net, pass, card, wide, open, shared);
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
  drawMini(places, boxes, width, tallest + 40);
}

/** @param {Network} net @param {Pass} pass */
function sharedScale(net, pass) {
  if (shown.scale !== "shared") return null;
  const most = Math.max(...net.values.map((_, v) => {
    const tensor = mapsOf(pass, v);
    return tensor ? scaleOf(tensor.data).high : 0;
  }));
  return { low: -most, high: most, diverging: true };
}

/** The numbers that the maps of a value show. @param {Pass} pass @param {number} v @returns {Tensor | undefined} */
export const mapsOf = (pass, v) => (shown.map === "gradient" ? pass.gradients?.[v] : pass.values[v]);

/** @param {Network} net @param {Pass} pass @param {Card} card @param {Set<string>} wide @param {Set<string>} open @param {any} shared */
function drawCard(net, pass, card, wide, open, shared) {
  const value = net.values[card.value], tensor = mapsOf(pass, card.value), dark = isDark();
  const [C, H, W] = asImage(value.shape), vector = H * W === 1;
  const chosen = card.members.includes(shown.value);
  const kinds = card.folded ? texts.layers(card.members.length) : value.kind;
  const parts = [
    h("button", {
      class: "name", "aria-pressed": String(chosen), title: value.options ?? value.kind,
      onclick: () => show({ value: card.value, at: Math.min(shown.at, C * H * W - 1) }),
    }, h("b", {}, card.label), h("span", {}, `${kinds} · ${value.shape.join("×")}`)),
  ];
  let height = HEAD;
  if (tensor) {
    const scale = shared ?? scaleOf(tensor.data);
    const columns = vector ? 1 : Math.min(C, BESIDE);
    const rows = vector ? 1 : Math.ceil(Math.min(C, wide.has(card.key) ? MOST_MAPS : MOST_FOLDED) / columns);
    const side = vector ? Math.min(C * 9, 190) : THUMB, step = THUMB + GAP;
    const drawn = vector ? side : rows * step;
    parts.push(canvas(CARD - 16, drawn, {
      class: "maps", "aria-hidden": "true",
      onclick: (/** @type {MouseEvent} */ event) => {
        const x = event.offsetX, y = event.offsetY;
        const channel = vector ? Math.min(Math.floor(y / side * C), C - 1) : Math.floor(y / step) * columns + Math.min(Math.floor(x / step), columns - 1);
        if (channel < C) {
          const inside = [Math.floor((y % step) / THUMB * H), Math.floor((x % step) / THUMB * W)];
          const position = vector ? [channel, 0, 0] : [channel, Math.min(inside[0], H - 1), Math.min(inside[1], W - 1)];
          show({ value: card.value, at: offset(value.shape, position) });
        }
      },
    }, context => {
      const here = shown.value === card.value ? place(value.shape, shown.at)[0] : -1;
      if (vector) {
        for (let n = 0; n < C; n++) {
          context.fillStyle = `rgb(${colour(tensor.data[n], scale, dark)})`;
          context.fillRect(0, n * side / C, CARD - 16, side / C);
        }
        if (here >= 0) { context.strokeStyle = accent(); context.lineWidth = 2; context.strokeRect(1, here * side / C, CARD - 18, Math.max(side / C, 2)); }
        return;
      }
      for (let n = 0; n < Math.min(C, rows * columns); n++) {
        const x = (n % columns) * step, y = Math.floor(n / columns) * step;
        enlarge(context, picture(tensor, n, scale, dark), x, y, THUMB, THUMB * Math.min(H / W, 1));
        if (n === here) { context.strokeStyle = accent(); context.lineWidth = 2; context.strokeRect(x + 1, y + 1, THUMB - 2, THUMB - 2); }
      }
    }));
    height += drawn + 4;
    const hidden = vector ? 0 : C - (wide.has(card.key) ? MOST_MAPS : MOST_FOLDED);
    if (!vector && C > MOST_FOLDED) {
      parts.push(h("button", { class: "more", onclick: () => { wide.has(card.key) ? wide.delete(card.key) : wide.add(card.key); show({ scale: shown.scale }); redraw(); } },
        wide.has(card.key) ? texts.fewerMaps : texts.moreMaps(Math.max(hidden, C - MOST_FOLDED))));
      height += 24;
    }
    parts.push(h("span", { class: "range" }, `${short(scale.low)} … ${short(scale.high)}`));
    height += 16;
  }
  if (card.folded) {
    parts.push(h("button", { class: "more", onclick: () => show({ open: [...open, card.key].join(",") }) }, texts.unfold));
    height += 24;
  } else {
    const prefix = [...open].find(key => value.name.startsWith(key + ".") || value.name === key);
    if (prefix) {
      parts.push(h("button", { class: "more", onclick: () => show({ open: [...open].filter(key => key !== prefix).join(","), value: card.value }) }, texts.fold(prefix)));
      height += 24;
    }
  }
  const element = h("div", { class: chosen ? "card chosen" : "card", "data-value": card.value }, parts);
  element.drawnHeight = height + 14;
  return element;
}

let redraw = () => {};
/** @param {() => void} action */
export const onRedraw = action => { redraw = action; };

/** The colour of what is chosen, for canvases. */
export const accent = () => (isDark() ? "#ff9a4d" : "#b84a00");

/** @param {any} places @param {any[]} boxes @param {number} width @param {number} height */
function drawMini(places, boxes, width, height) {
  const scale = Math.min(160 / width, 60 / height);
  fill(places.mini, s("svg", { width: width * scale, height: height * scale, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    boxes.map(({ x, y, height: tall, element }) => s("rect", { x, y, width: CARD, height: tall, rx: 12, class: element.classList.contains("chosen") ? "chosen" : "" })),
    s("rect", { class: "view", x: 0, y: 0, width: 0, height: 0 })));
}
