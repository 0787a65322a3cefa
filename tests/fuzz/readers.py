"""All readers that are fuzzed, by name."""

from importlib.util import find_spec
from random import Random

from tests.fuzz import container_files, data_files, faulty, image_files, model_files, run_folder
from tests.fuzz.known import KNOWN
from tests.fuzz.reader import Files, Reader

READERS: dict[str, Reader] = (
    model_files.READERS
    | run_folder.READERS
    | data_files.READERS
    | image_files.READERS
    | container_files.READERS
)
if find_spec("onnx"):
    from tests.fuzz import onnx_files

    READERS |= onnx_files.READERS


def made(name: str, number: int) -> Files:
    """Return the files of a case: first those that are known, then ever new ones."""
    known = KNOWN.get(name, [])
    if number < len(known):
        return known[number]()
    return reader_of(name).make(Random(f"{name} {number}"))


def reader_of(name: str) -> Reader:
    """Return the reader with this name; those that are wrong on purpose have names too."""
    return (READERS | faulty.READERS)[name]
