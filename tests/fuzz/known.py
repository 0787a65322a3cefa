"""Files that were trouble once: each fuzzing of their reader begins with them."""

import gzip
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.data_files import idx_file, npy_file, npy_with_header, npz_file, tar_header
from tests.fuzz.image_files import png_file, png_header
from tests.fuzz.model_files import checkpoint_file, model_file, run_facts, run_values
from tests.fuzz.mutation import DEEP, DIGITS
from tests.fuzz.reader import Files
from tests.fuzz.run_folder import CONFIG


def _npy_folder(images: bytes, labels: bytes) -> Callable[[], Files]:
    return lambda: {"images.npy": images, "labels.npy": labels}


def _header(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}}}"
    return npy_with_header(text.encode())


_NO_TEXT = npy_file(np.array([0xFFFFFF, 1], np.uint32).view("<U1"))
_IMAGES = npy_file(np.zeros((2, 4, 4), np.uint8))
_LABELS = npy_file([0, 1])
_HUGE = 2**32 - 1
_BOMB = 100 << 20


def _npz_with_a_damaged_offset() -> bytes:
    content = bytearray(npz_file(images=_IMAGES, labels=_LABELS))
    at = content.rfind(b"PK\x05\x06") + 16
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(content)


def _model(layer: dict[str, Any], **about: Any) -> Files:
    return {"model.safetensors": model_file(layer, {"a": np.zeros(1, np.float32)}, **about)}


def _checkpoint(values: dict[str, Any] | None = None, text: str = "", **facts: Any) -> Files:
    text = text or json.dumps(run_facts() | facts)
    return {"checkpoint/state.safetensors": checkpoint_file(text, run_values() | (values or {}))}


def _wide_network() -> dict[str, Any]:
    network: dict[str, Any] = run_facts()["model"]
    network["layers"][0]["out_channels"] = 30_000_000
    return network


def _image(content: bytes) -> Callable[[], Files]:
    return lambda: {"photo.png": content}


_SLICED = {"type": "Slice", "axis": 1, "start": "a"}
_LINEAR = {"type": "Linear", "in_features": 2, "out_features": 2}
_CONV = {"type": "Conv2d", "in_channels": 1, "out_channels": 1}

KNOWN: dict[str, list[Callable[[], Files]]] = {
    "idx": [
        lambda: {"zero.idx": idx_file((0, _HUGE, _HUGE, _HUGE), b"")},
        lambda: {"zero.idx.gz": gzip.compress(idx_file((0, _HUGE, _HUGE, _HUGE), b""))},
        lambda: {"bomb.idx.gz": gzip.compress(idx_file((_BOMB,), bytes(_BOMB)), 1)},
    ],
    "npz": [
        lambda: {"a.npz": npz_file(images=npy_with_header(b"{'shape': (1,"), labels=_LABELS)},
        lambda: {"a.npz": npz_file(images=_IMAGES, labels=npy_file([b"a", b"\xff"]))},
        lambda: {"a.npz": _npz_with_a_damaged_offset()},
        lambda: {
            "a.npz": npz_file(
                zipfile.ZIP_DEFLATED, images=npy_file(np.zeros((_BOMB >> 3, 1, 1))), labels=_LABELS
            )
        },
    ],
    "npy-folder": [
        _npy_folder(_header("|V0", "(3, 4294967295, 4)"), _LABELS),
        _npy_folder(_header("<f8", "(0, 9223372036854775808, 4)"), _LABELS),
        _npy_folder(_header("<f8", "(0, 4611686018427387904, 4)"), _LABELS),
        _npy_folder(_header("<f8", "(0, True, 4)"), _LABELS),
        _npy_folder(_IMAGES, b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{"),
        _npy_folder(_IMAGES, _NO_TEXT),
    ],
    "csv": [
        lambda: {"a.csv": b"label,a,b,c,d\n1,0,0,0," + b"9" * 400 + b"\n"},
        lambda: {"a.csv": gzip.compress(b"0,1,2,3,4\n" * (1 << 20), 1)},
        lambda: {"a.csv": b"0,1,2,3,x\n" * 50_000},
        lambda: {"a.csv": b",1,2,3,4\n5,6,7,8,\n"},
        lambda: {"a.csv": b"1" + b",2" * 10_000 + b"\n"},
    ],
    "toml": [
        lambda: {"a.toml": b"layers = [{ type = 'Linear', out_features = " + b"9" * 5000 + b" }]"},
        lambda: {
            "a.toml": b"layers = [{ type = 'Conv2d', out_channels = 4, padding = 'same', "
            b"kernel_size = " + b"9" * 4000 + b" }]"
        },
    ],
    "safetensors": [
        lambda: _model(_LINEAR, preprocessing={"mean": [10**400], "scale": [1]}),
        lambda: _model(_SLICED),
        lambda: _model({"type": "Affine", "scale": [1]}),
        lambda: _model({"type": "Softplus", "threshold": "x"}),
        lambda: _model(_CONV | {"kernel_size": 10**3999, "padding": 1}),
        lambda: _model(_CONV | {"kernel_size": DIGITS}),
        lambda: _model({"type": "Sequential", "layers": DEEP}),
    ],
    "history": [
        lambda: {"history.csv": b"epoch,loss\n1," + b"x" * 200_000},
        lambda: {"history.csv": b"epoch,epochs\n" + b"x" * 100_000},
    ],
    "gradients": [
        lambda: {"gradients.csv": b"step,weight\n1," + b"x" * 200_000},
        lambda: {
            "gradients.csv": b"step,weight,gradient,value,update\n" + b"9" * 30 + b",w,1,1,1\n"
        },
    ],
    "config": [
        lambda: {"config.json": b"[" * 100_000},
        lambda: {"config.json": json.dumps(CONFIG | {"reading": {"size": True}}).encode()},
    ],
    "checkpoint": [
        lambda: _checkpoint(text="[" * 100_000),
        lambda: _checkpoint({"optimizer/step": np.array(np.inf)}),
        lambda: _checkpoint(epoch={}),
        lambda: _checkpoint(model=_wide_network()),
    ],
    "cifar-archive": [
        lambda: {"cifar.tar.gz": gzip.compress(tar_header("x", b"\x80\0\0\0@" + bytes(7), b"x"))},
    ],
    "shards": [
        lambda: {"train-0.tar": tar_header("x", b"\x80" + bytes(7) + b"\x0f" + bytes(3), b"L")},
    ],
    "image": [
        _image(b"DDS " + (124).to_bytes(4, "little") + bytes(120)),
        _image(png_file(png_header(9400, 9400, 8, 6), (b"IDAT", zlib.compress(bytes(1000))))),
        _image(png_file(png_header(9, 9)) + b"\x40\0\0\0IDAT" + zlib.compress(bytes(100))),
    ],
}
KNOWN["unlabelled"] = KNOWN["csv"]
