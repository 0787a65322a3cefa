/** What is shown. All of it stands in the address, so that a link opens the same again. */

/**
 * @typedef {object} Shown
 * @property {number} run  which of the networks is explored
 * @property {number | null} beside  which one is shown beside it; null for none
 * @property {string | null} part  the part of the data that the image is of; null for one's own
 * @property {number} index
 * @property {number | null} target  the class that the objective is about; null for the most probable
 * @property {"loss" | "score"} objective
 * @property {number} value  the chosen value
 * @property {number} at  the chosen number in it
 * @property {"forward" | "backward" | "weights" | "code" | "why"} tab
 * @property {"activation" | "gradient" | "weight"} map  what the maps show
 * @property {"own" | "shared"} scale
 * @property {string} weight  "name:index" of the chosen weight
 * @property {string} open  the unfolded groups, separated by commas
 * @property {number | null} stop  the stop of the tour; null while there is none
 * @property {boolean} teacher
 */

/** @type {Shown} */
export const shown = {
  run: 0, beside: null, part: null, index: 0, target: null, objective: "loss", value: 1, at: 0, tab: "forward",
  map: "activation", scale: "own", weight: "", open: "", stop: null, teacher: false,
};

const NUMBERS = ["run", "beside", "index", "target", "value", "at", "stop"];

/** @type {((changed: Set<string>) => void)[]} */
const listeners = [];
/** @param {(changed: Set<string>) => void} listener */
export const onChange = listener => listeners.push(listener);

/** Change what is shown, tell everyone, and keep it in the address. @param {Partial<Shown>} change */
export function show(change) {
  const changed = new Set(Object.keys(change).filter(key => /** @type {any} */ (shown)[key] !== /** @type {any} */ (change)[key]));
  if (!changed.size) return;
  Object.assign(shown, change);
  keepAddress();
  for (const listener of listeners) listener(changed);
}

/** Let the address say what is shown. */
export function keepAddress() {
  if (location.protocol !== "about:") history.replaceState(null, "", `#${address()}`);
}

export function address() {
  const entries = Object.entries(shown).filter(([, value]) => value !== null && value !== "" && value !== false);
  return new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
}

/** Take over what an address says, as far as it makes sense. @param {string} text */
export function fromAddress(text) {
  /** @type {any} */
  const change = {};
  for (const [key, value] of new URLSearchParams(text.replace(/^#/, ""))) {
    if (!(key in shown)) continue;
    if (NUMBERS.includes(key)) {
      const number = Number(value);
      if (Number.isInteger(number) && number >= 0) change[key] = number;
    } else if (key === "teacher") change[key] = value === "true";
    else change[key] = value;
  }
  return change;
}

/** How a message names the image; one's own goes with it as an array. */
export const imageOf = () => (shown.part === null ? {} : { part: shown.part, index: shown.index });
