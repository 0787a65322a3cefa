"""No more is read than a file contains, whatever is asked for."""

import io
from pathlib import Path

import pytest

from pellucid.data.bounded import BoundedFile
from pellucid.data.images import read_image
from pellucid.errors import DataError


@pytest.mark.parametrize("size", [None, -1, 10, 1 << 16, 1 << 40])
def test_what_there_is_is_read(tmp_path, size):
    (tmp_path / "file").write_bytes(bytes(range(200)) * 500)
    with BoundedFile(io.FileIO(tmp_path / "file")) as file:
        file.seek(1000)
        expected = (bytes(range(200)) * 500)[1000:]
        assert file.read(size) == expected[: size if size and size > 0 else None]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no file without end")
@pytest.mark.parametrize("size", [None, -1, 1 << 40])
def test_a_file_without_end_is_empty(size):
    with BoundedFile(io.FileIO("/dev/zero")) as file:
        assert file.read(size) == b""
    with pytest.raises(DataError, match="not an image file"):
        read_image("/dev/zero")
