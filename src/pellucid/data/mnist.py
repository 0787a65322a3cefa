"""MNIST and Fashion-MNIST: 70,000 grey images of 28×28 in ten classes each.

Sources: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", used in LeCun et al.,
"Gradient-based learning applied to document recognition", 1998; Xiao, Rasul and Vollgraf,
"Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
"""

from __future__ import annotations

from pellucid.data.download import Remote, fetch
from pellucid.data.idx import find_idx, read_idx_folder
from pellucid.data.splits import Splits
from pellucid.runtime.cache_folder import cache_folder

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_MOST_BYTES = 32 << 20
"""Size limit of a download; the largest file, Fashion-MNIST's training images, has 26 MB."""
_MNIST_SHA256 = (
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
_FASHION_SHA256 = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)
_FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://dataset.bj.bcebos.com/fashion_mnist/",
)


def mnist() -> Splits:
    """Return MNIST from the cache folder, downloading it if it is missing."""
    return _load("mnist", DIGITS, _MNIST_SHA256, _MNIST_MIRRORS)


def fashion_mnist() -> Splits:
    """Return Fashion-MNIST from the cache folder, downloading it if it is missing."""
    return _load("fashion-mnist", CLOTHES, _FASHION_SHA256, _FASHION_MIRRORS)


def _load(
    name: str, classes: tuple[str, ...], sha256: tuple[str, ...], mirrors: tuple[str, ...]
) -> Splits:
    folder = cache_folder() / name
    files = [
        Remote(file, digest, tuple(mirror + file for mirror in mirrors), _MOST_BYTES)
        for file, digest in zip(_FILES, sha256, strict=True)
        if find_idx(folder, file.removesuffix(".gz")) is None
    ]
    fetch(files, folder, name)
    return read_idx_folder(folder, classes, name)
