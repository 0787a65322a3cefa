/** Zoom and move the network: wheel, fingers, buttons, or plus, minus and the arrow keys. */

/**
 * @param {HTMLElement} viewport @param {HTMLElement} stage @param {HTMLElement} mini
 * @param {HTMLElement} besideViewport @param {HTMLElement} besideStage  what stands beside, which follows
 */
export function zoomable(viewport, stage, mini, besideViewport, besideStage) {
  let scale = 1;
  const update = () => {
    stage.style.transform = besideStage.style.transform = `scale(${scale})`;
    besideViewport.scrollLeft = viewport.scrollLeft;
    const view = mini.querySelector(".view"), svg = mini.querySelector("svg");
    if (!view || !svg) return;
    const box = { x: viewport.scrollLeft / scale, y: viewport.scrollTop / scale, width: viewport.clientWidth / scale, height: viewport.clientHeight / scale };
    for (const [name, number] of Object.entries(box)) view.setAttribute(name, String(number));
  };
  const zoom = (/** @type {number} */ factor, x = viewport.clientWidth / 2, y = viewport.clientHeight / 2) => {
    const next = Math.min(Math.max(scale * factor, 0.15), 3), grown = next / scale;
    scale = next;
    update();
    viewport.scrollLeft = (viewport.scrollLeft + x) * grown - x;
    viewport.scrollTop = (viewport.scrollTop + y) * grown - y;
  };
  const fit = () => {
    scale = Math.min(Math.max((viewport.clientHeight - 12) / (stage.offsetHeight || 1), 0.6), 1);
    update();
  };
  viewport.addEventListener("scroll", update, { passive: true });
  besideViewport.addEventListener("scroll", () => { viewport.scrollLeft = besideViewport.scrollLeft; }, { passive: true });
  viewport.addEventListener("wheel", e => {
    if (!e.ctrlKey) return; // without it the wheel scrolls, as everywhere
    e.preventDefault();
    zoom(Math.exp(-e.deltaY / 300), e.clientX - viewport.getBoundingClientRect().left, e.clientY - viewport.getBoundingClientRect().top);
  }, { passive: false });
  viewport.addEventListener("keydown", e => {
    if (e.target !== viewport) return;
    if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-") zoom(0.8);
    else if (e.key === "0") fit();
  });
  mini.addEventListener("pointerdown", e => {
    const svg = mini.querySelector("svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect(), part = (e.clientX - box.left) / box.width;
    viewport.scrollLeft = part * stage.offsetWidth * scale - viewport.clientWidth / 2;
  });
  for (const [id, act] of /** @type {[string, () => void][]} */ ([["zoom-in", () => zoom(1.25)], ["zoom-out", () => zoom(0.8)], ["zoom-fit", fit]])) {
    document.getElementById(id)?.addEventListener("click", act);
  }
  return { fit, update };
}
