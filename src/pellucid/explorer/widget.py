"""The explorer in a notebook: Jupyter, VS Code, Colab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pellucid.errors import PellucidError, missing_extra
from pellucid.explorer.runs import Runs
from pellucid.explorer.saved import whole_page
from pellucid.explorer.session import Session
from pellucid.explorer.wire import pack, unpack
from pellucid.layers import Layer
from pellucid.types import Shape

if TYPE_CHECKING:
    from pellucid.data import DataSet, Splits

_PASS_ON = """
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 1px solid #8888`;
  frame.title = "Pellucid's explorer";
  frame.srcdoc = model.get("page");
  const fromPage = event => {
    if (event.source === frame.contentWindow && event.data.pellucid instanceof Uint8Array) {
      model.send({}, undefined, [event.data.pellucid]);
    }
  };
  const fromPython = (content, buffers) => {
    const { buffer, byteOffset, byteLength } = buffers[0];
    const pellucid = buffer.slice(byteOffset, byteOffset + byteLength);
    frame.contentWindow?.postMessage({ pellucid }, "*");
  };
  addEventListener("message", fromPage);
  model.on("msg:custom", fromPython);
  el.append(frame);
  return () => { removeEventListener("message", fromPage); model.off("msg:custom", fromPython); };
}
export default { render };
"""


def explore(
    model: Layer | Mapping[str, Layer],
    data: DataSet | Splits | None = None,
    *,
    image_shape: Shape | None = None,
    height: int = 900,
) -> Any:
    """Explore a network interactively in a notebook, number by number and gradient by gradient.

    This requires ``pip install "pellucid[explore]"``. Outside a notebook, `pellucid explore RUN`
    opens the same page in a browser.

    Parameters
    ----------
    model
        A classifier with one input, trained or not; or several by name, which the page shows side
        by side: ``{"with dropout": model, "without": other}``.
    data
        Data whose images can be selected on the page. By default images can only be drawn or
        opened from files.
    image_shape
        Shape (C, H, W) of an image. By default it is taken from the model or the data.
    height
        Height of the cell in pixels. Default: 900.

    Raises
    ------
    MissingExtraError
        The package anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise missing_extra("exploring in a notebook", "anywidget", "explore") from error
    models = model if isinstance(model, Mapping) else {type(model).__name__: model}
    parts = _named(data)
    session = Runs([Session(m, parts, name, image_shape) for name, m in models.items()])

    class Explorer(anywidget.AnyWidget):
        _esm = _PASS_ON
        page = traitlets.Unicode(whole_page("globalThis.pellucidNotebook = true")).tag(sync=True)
        height = traitlets.Int().tag(sync=True)

        def __repr__(self) -> str:  # shown if the page cannot be displayed
            return (
                "Pellucid's explorer. Where this line stands in place of the page, install "
                "anywidget in the environment that Jupyter runs in, and reload the notebook."
            )

    widget = Explorer(height=height)

    def answer(_: Any, __: Any, buffers: list[Any]) -> None:
        widget.send({}, [_answered(session, bytes(buffers[0]))])

    widget.on_msg(answer)
    session.listen(lambda status: widget.send({}, [pack(status)]))
    return widget


def _answered(session: Runs, message: bytes) -> bytes:
    words, arrays = unpack(message)
    try:
        answer = session.answer(words, arrays)
    except PellucidError as error:
        return pack({"number": words.get("number"), "error": str(error)})
    return pack(answer.words | {"number": words.get("number")}, answer.arrays)


def _named(data: DataSet | Splits | None) -> dict[str, DataSet]:
    from pellucid.data import Splits

    if data is None:
        return {}
    if not isinstance(data, Splits):
        return {"data": data}
    return (
        {"training": data.train}
        if data.test is None
        else {"test": data.test, "training": data.train}
    )
