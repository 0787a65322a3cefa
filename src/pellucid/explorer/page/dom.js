/** Elements in one line each. */

/**
 * Make an element: `h("button", {onclick}, "Play")`. Text is always text, never markup.
 * @param {string} tag @param {Record<string, any>} [properties] @param {...any} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && typeof value !== "string") /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. @param {string} tag @param {Record<string, any>} [attributes] @param {...any} children @returns {any} */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.flat(Infinity));
  return element;
}

/** Replace what an element holds. @param {Element} element @param {...any} children */
export const fill = (element, ...children) =>
  element.replaceChildren(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));

/** A canvas that is sharp on any screen; `paint` gets a context in page pixels. @param {number} width @param {number} height @param {Record<string, any>} properties @param {(context: CanvasRenderingContext2D) => void} paint */
export function canvas(width, height, properties, paint) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const element = h("canvas", { ...properties, width: Math.round(width * ratio), height: Math.round(height * ratio) });
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  const context = element.getContext("2d");
  context.scale(ratio, ratio);
  paint(context);
  return element;
}
