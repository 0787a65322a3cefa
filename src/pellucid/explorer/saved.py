"""The explorer as a single file with the page, its scripts, and the values for some images."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

from pellucid.errors import PellucidError
from pellucid.explorer.server import pages
from pellucid.explorer.session import Session
from pellucid.explorer.wire import pack
from pellucid.files import atomic_write

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def save(session: Session, path: str | Path, images: int = 10) -> Path:
    """Write a self-contained page that works without a server, from disk or from any web host.

    Parameters
    ----------
    session
        Session to save; it must have data.
    path
        File to write.
    images
        Number of images in the file, of different classes as far as possible. Default: 10.
    """
    if not session.data:
        raise PellucidError("a saved page holds some images of the data, and this model has none")
    part, data = next(iter(session.data.items()))
    network = session.answer({"ask": "network"})
    chosen = _varied(np.asarray(data.labels), images)
    described = network.words | {"parts": {part: len(data)}, "saved": chosen}
    passes = []
    for index in chosen:
        words, arrays = session.answer({"ask": "trace", "part": part, "index": index})
        # the page computes the gradients of weights itself: they would be most of the file
        arrays = arrays[: len(arrays) - len(words["state"])]
        passes.append(_text(pack(words | {"index": index, "state": []}, arrays)))
    code = [
        _text(pack(session.answer({"ask": "code", "value": value}).words, []))
        for value in range(len(network.words["values"]))
    ]
    packed = _text(pack(described, network.arrays))
    saved = {"network": packed, "images": passes, "code": code}  # in Base64
    target = Path(path)
    atomic_write(target, whole_page(f"globalThis.pellucidSaved = {json.dumps(saved)}").encode())
    return target


def _varied(labels: np.ndarray, count: int) -> list[int]:
    """Return numbers of images: the first of each class, then the second of each, and so on."""
    turn = np.zeros(len(labels), int)
    for label in np.unique(labels):
        found = np.flatnonzero(labels == label)
        turn[found] = np.arange(len(found))
    return [int(i) for i in np.lexsort((labels, turn))[:count]]


def _text(message: bytes) -> str:
    return base64.b64encode(message).decode()


def whole_page(first: str) -> str:
    """Return the page as one file; the script `first` runs before the others.

    A page opened from disk may not import neighbouring files. So each module becomes a data URI,
    and an import map names these URIs.
    """
    files = {name: data.decode() for name, data in pages().items()}
    modules = {
        f"pellucid/{name}": "data:text/javascript;base64,"
        + _text(source.replace('from "./', 'from "pellucid/').encode())
        for name, source in files.items()
        if name.endswith(".js")
    }
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>{files['style.css']}</style>\n"
        f'<script type="importmap">{json.dumps({"imports": modules})}</script>\n'
        f"<script>{first}</script>\n"
        '<script type="module">import "pellucid/main.js";</script>'
    )
    html = files["index.html"].replace('<link rel="stylesheet" href="style.css">\n', "")
    return html.replace('<script type="module" src="main.js"></script>', head)
