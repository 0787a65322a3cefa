/** Train while looking: build or choose a network, start, stop, one step at a time, and wind back. */

import { canvas, fill, h } from "./dom.js";
import { isDark } from "./colours.js";
import { shown } from "./state.js";
import { short } from "./tensor.js";
import { texts } from "./texts.js";
import { onEvent } from "./wire.js";

/** @typedef {import("./wire.js").Door} Door */

const OFTEN = 300; // milliseconds between two looks at the network while it learns

/**
 * @param {HTMLElement} place @param {Door} door
 * @param {(begun: boolean) => Promise<void>} changed  looks at the network anew
 * @param {(error: unknown) => void} complain
 */
export function training(place, door, changed, complain) {
  /** @type {any} */
  let known = null;
  /** @type {any} */
  let run = null;
  let looking = false, again = false;
  /** @type {any} */
  const given = { model: "", network: "", optimizer: "adam", lr: 0.002, batch_size: 64, epochs: 3, augment: "", seed: 0 };

  const look = async (begun = false) => {
    if (looking) { again = true; return; }
    looking = true;
    try { await changed(begun); } catch (error) { complain(error); }
    setTimeout(() => { looking = false; if (again) { again = false; void look(); } }, OFTEN);
  };
  onEvent(({ words }) => {
    if (words.event !== "training" || (words.run ?? shown.run) !== shown.run) return;
    run = words;
    drawRun();
    void look();
  });
  const ask = async (/** @type {any} */ words) => {
    try {
      run = (await door.ask({ ask: "train", ...words })).words;
      drawRun();
      if (words.does === "begin" || words.does === "rewind") await look(true);
    } catch (error) { complain(error); }
  };

  const field = (/** @type {string} */ name, /** @type {any} */ properties) => h("label", {}, `${/** @type {any} */ (texts.train)[name]} `, h("input", {
    id: `train-${name}`, value: String(given[name]), ...properties,
    onchange: (/** @type {any} */ e) => { given[name] = properties.type === "number" ? Number(e.target.value) : e.target.value; },
  }));
  const choose = (/** @type {string} */ name, /** @type {string[]} */ options) => h("label", {}, `${/** @type {any} */ (texts.train)[name]} `, h("select", {
    id: `train-${name}`, onchange: (/** @type {any} */ e) => { given[name] = e.target.value; drawChoices(); },
  }, options.map(option => h("option", { value: option, selected: option === given[name] }, option || texts.train.own))));

  const choices = h("div", {}), course = h("div", {}), kept = h("output", { id: "train-kept" });

  function drawChoices() {
    fill(choices, h("div", { class: "tools" },
      choose("model", ["", ...known.models]), choose("optimizer", known.optimizers), field("lr", { type: "number", step: "any", min: "0" }),
      field("batch_size", { type: "number", min: "1" }), field("epochs", { type: "number", min: "1" }), field("augment", { type: "text", placeholder: "crop,flip" }), field("seed", { type: "number", min: "0" }),
      h("button", { id: "train-begin", onclick: () => ask({ does: "begin", ...given, network: given.model === "" ? given.network : "" }) }, texts.train.begin)),
      given.model === "" ? h("label", { class: "network-text" }, texts.train.network, h("textarea", {
        id: "train-network", rows: "8", spellcheck: "false", value: given.network, oninput: (/** @type {any} */ e) => { given.network = e.target.value; check(); },
      }), h("output", { id: "train-check", "aria-live": "polite" })) : null);
    const area = /** @type {any} */ (choices.querySelector("textarea"));
    if (area) { area.value = given.network; check(); }
  }

  let checking = 0;
  /** Shapes are checked while one types. */
  function check() {
    clearTimeout(checking);
    checking = setTimeout(async () => {
      const place_ = choices.querySelector("#train-check");
      try {
        const { words } = await door.ask({ ask: "check", network: given.network, topic: "check" });
        if (place_) place_.textContent = words.problem || texts.train.fits(words.parameters);
        place_?.classList.toggle("wrong", Boolean(words.problem));
      } catch (error) { if (place_) place_.textContent = String(error); }
    }, 200);
  }

  function drawRun() {
    if (!run) return;
    const last = run.points.at(-1);
    fill(course, h("div", { class: "tools" },
      run.running ? h("button", { id: "train-pause", onclick: () => ask({ does: "pause" }) }, texts.pause)
        : h("button", { id: "train-go", disabled: run.finished, onclick: () => ask({ does: "go", steps: 1_000_000 }) }, texts.train.go),
      h("button", { id: "train-step", disabled: run.running || run.finished, onclick: () => ask({ does: "go", steps: 1 }) }, texts.train.step),
      h("button", { id: "train-epoch", disabled: run.running || run.finished, onclick: () => ask({ does: "epoch" }) }, texts.train.oneEpoch),
      h("label", {}, `${texts.train.lr} `, h("input", { id: "train-rate", type: "number", step: "any", min: "0", value: String(run.rate), onchange: (/** @type {any} */ e) => ask({ does: "rate", rate: Number(e.target.value) }) })),
      known.keeps ? h("button", { id: "train-keep", disabled: run.running, onclick: async () => {
        try { kept.textContent = texts.busy; kept.textContent = texts.train.kept((await door.ask({ ask: "train", does: "keep" })).words.kept); } catch (error) { complain(error); kept.textContent = ""; }
      } }, texts.train.keep) : null,
      h("label", {}, `${texts.train.rewind} `, h("input", {
        id: "train-rewind", type: "range", min: "0", max: String(run.snapshots.length - 1), value: String(run.snapshots.length - 1), disabled: run.running,
        "aria-valuetext": texts.train.moment(run.snapshots.at(-1)),
        onchange: (/** @type {any} */ e) => ask({ does: "rewind", step: run.snapshots[Number(e.target.value)] }),
      }))),
      kept, run.problem ? h("p", { class: "wrong", role: "alert" }, run.problem) : null,
      h("p", { class: "readout", "aria-live": "off" }, texts.train.now(run.step, run.epoch, run.epochs, last ? short(last.loss) : "–", last?.accuracy ?? null, run.validation.at(-1)?.accuracy ?? null)),
      h("div", { class: "sources" }, chart(run.points, run.validation, "loss"), chart(run.points, run.validation, "accuracy")));
  }

  /** @param {any[]} points @param {any[]} epochs @param {"loss" | "accuracy"} what */
  function chart(points, epochs, what) {
    const W = 320, H = 130, first = points[0]?.step ?? 0, last = points.at(-1)?.step ?? 1;
    const seen = [...points, ...epochs.filter(({ step }) => step >= first)].map(p => p[what]).filter(x => x !== null && x !== undefined);
    const low = what === "accuracy" ? 0 : Math.min(...seen, 0), high = what === "accuracy" ? 1 : Math.max(...seen, 0.01);
    const x = (/** @type {number} */ step) => 4 + (step - first) / (last - first || 1) * (W - 8), y = (/** @type {number} */ v) => H - 4 - (v - low) / (high - low) * (H - 8);
    return h("figure", {}, canvas(W, H, { class: "chart", role: "img", "aria-label": `${what}: ${seen.length ? short(seen[seen.length - 1]) : "nothing yet"}` }, context => {
      context.strokeStyle = isDark() ? "#8fb8e8" : "#2166ac";
      context.lineWidth = 1.3;
      context.beginPath();
      points.forEach((p, n) => context[n ? "lineTo" : "moveTo"](x(p.step), y(p[what])));
      context.stroke();
      context.fillStyle = isDark() ? "#ff9a4d" : "#b84a00";
      for (const p of epochs) if (p.step >= first && p[what] !== null) { context.beginPath(); context.arc(x(p.step), y(p[what]), 4, 0, 7); context.fill(); }
    }), h("figcaption", {}, texts.train.chart(what, short(high))));
  }

  return async () => {
    place.hidden = !place.hidden;
    if (place.hidden) return;
    known ??= (await door.ask({ ask: "choices" })).words;
    given.network ||= known.network;
    run ??= known.run;
    fill(place, h("h2", {}, texts.train.title), known.trains ? [choices, course] : h("p", {}, texts.train.noData));
    if (known.trains) { drawChoices(); drawRun(); }
  };
}
