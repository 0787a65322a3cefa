/** Messages to Python and back; see `pellucid/explorer/wire.py` for their form. */

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {{words: any, arrays: Tensor[]}} Answer */
/**
 * @typedef {object} Door
 * @property {(words: any, arrays?: Tensor[]) => Promise<Answer>} ask
 * @property {boolean} live  whether Python answers, or only a file of numbers
 */

const TYPES = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };

/** @param {any} words @param {Tensor[]} arrays */
export function pack(words, arrays = []) {
  /** @type {{type: string, shape: number[], start: number}[]} */
  const listed = [];
  let start = 0;
  for (const { data, shape } of arrays) {
    const type = data instanceof Float32Array ? "float32" : data instanceof Uint8Array ? "uint8" : "int32";
    listed.push({ type, shape, start });
    start += Math.ceil(data.byteLength / 8) * 8;
  }
  let text = new TextEncoder().encode(JSON.stringify({ ...words, arrays: listed }));
  const length = text.length + ((8 - ((text.length + 4) % 8)) % 8);
  const message = new Uint8Array(4 + length + start).fill(32, 4, 4 + length);
  new DataView(message.buffer).setUint32(0, length, true);
  message.set(text, 4);
  arrays.forEach(({ data }, i) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    message.set(bytes, 4 + length + listed[i].start);
  });
  return message;
}

/** @param {ArrayBuffer} buffer @returns {Answer} */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const { arrays, ...words } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return {
    words,
    arrays: arrays.map((/** @type {any} */ { type, shape, start }) => {
      const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
      const Type = TYPES[/** @type {keyof TYPES} */ (type)];
      return { data: new Type(buffer, 4 + length + start, count), shape };
    }),
  };
}

/** Asked too late: a newer question took its place. */
export class Superseded extends Error {}

/**
 * Questions are numbered, and each answer finds its question.
 * @param {(message: Uint8Array) => void} send
 */
function asking(send) {
  /** @type {Map<number, {resolve: (a: Answer) => void, reject: (e: Error) => void}>} */
  const waiting = new Map();
  let number = 0;
  return {
    /** @param {any} words @param {Tensor[]} arrays @returns {Promise<Answer>} */
    ask: (words, arrays = []) => new Promise((resolve, reject) => {
      waiting.set(++number, { resolve, reject });
      send(pack({ ...words, number }, arrays));
    }),
    /** @param {ArrayBuffer} data */
    hear(data) {
      const answer = unpack(data), asked = waiting.get(answer.words.number);
      waiting.delete(answer.words.number);
      if (answer.words.event) for (const listener of listeners) listener(answer);
      if (!asked) return;
      if (answer.words.superseded) asked.reject(new Superseded());
      else if (answer.words.error) asked.reject(new Error(answer.words.error));
      else asked.resolve(answer);
    },
    end() {
      for (const asked of waiting.values()) asked.reject(new Error("closed"));
    },
  };
}

/** @type {((answer: Answer) => void)[]} */
const listeners = [];
/** Hear of what Python says unasked, such as the course of a training run. @param {(answer: Answer) => void} listener */
export const onEvent = listener => listeners.push(listener);

/**
 * The door to a running Python, over a WebSocket.
 * @param {string} address @param {(text: string) => void} lost  called when the connection ends
 * @returns {Promise<Door>}
 */
export function connect(address, lost) {
  const socket = new WebSocket(address), { ask, hear, end } = asking(message => socket.send(message));
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => hear(data);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve({ ask, live: true });
    socket.onclose = () => {
      reject(new Error("closed"));
      end();
      lost("The connection has ended. Start pellucid explore again.");
    };
  });
}

/**
 * The door to a notebook: this page stands in a frame, and the notebook passes messages on.
 * @returns {Door}
 */
export function fromNotebook() {
  const { ask, hear } = asking(message => parent.postMessage({ pellucid: message }, "*"));
  addEventListener("message", ({ data, source }) => {
    if (source === parent && data?.pellucid instanceof ArrayBuffer) hear(data.pellucid);
  });
  return { ask, live: true };
}

/**
 * The door to a saved page: its numbers lie in the file, and what has to be computed is not there.
 * @param {{network: string, images: string[], code: string[]}} saved  messages in base64
 * @returns {Door}
 */
export function fromFile(saved) {
  const decode = (/** @type {string} */ text) =>
    unpack(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer);
  const images = saved.images.map(decode);
  const network = decode(saved.network);
  return {
    live: false,
    async ask(words) {
      if (words.ask === "network") return network;
      if (words.ask === "code") return decode(saved.code[words.value]);
      if (words.ask === "trace" && words.index !== undefined) {
        const found = images.find(({ words: kept }) => kept.index === words.index);
        if (found) return found;
      }
      if (words.ask === "list") {
        const shown = images.map(({ words: w }) => ({
          index: w.index, label: w.label, sure: Math.max(...w.probabilities),
          prediction: w.probabilities.indexOf(Math.max(...w.probabilities)),
        }));
        const data = new Uint8Array(images.flatMap(({ arrays }) => [...arrays[0].data]));
        return {
          words: { found: images.length, images: shown },
          arrays: [{ data, shape: [images.length, ...images[0].arrays[0].shape] }],
        };
      }
      throw new Error("This saved page holds numbers only: for that, start pellucid explore.");
    },
  };
}
