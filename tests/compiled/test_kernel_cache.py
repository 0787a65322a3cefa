"""Kernels are compiled once and kept on disk, and the disk is never a reason to fail."""

import pytest

from programs import run_python

COMPUTE = """
import numpy as np
from pellucid import ops
print(float(ops.relu(np.ones((1, 1, 2, 2), np.float32)).sum()))
"""


def test_kernels_are_compiled_once_and_then_read_from_disk(tmp_path):
    said = [run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[1] for _ in range(2)]
    assert "compiling" in said[0]
    assert said[1] == ""


FIRST = """
import numpy as np
from pellucid import layers as nn
print(nn.Conv2d(1, 4, 3)(np.ones((1, 1, 8, 8), np.float32)).shape)
"""


def test_a_kernel_for_one_thread_may_be_the_first_that_is_read_from_disk(tmp_path):
    for _ in range(2):
        assert run_python(FIRST, PELLUCID_HOME=str(tmp_path))[0] == "(1, 4, 6, 6)"


SHARE = """
import numba, numpy as np
from pellucid.compiled.jit import jit_sized

@jit_sized
def threads(work, ids):
    for i in numba.prange(len(ids)):
        ids[i] = numba.get_thread_id()

numba.set_num_threads(2)
ids = np.empty(1000, np.int64)
for work in (1, 1 << 20):
    threads(work, ids)
    print(len(set(ids)))
"""


def test_a_kernel_compiled_for_one_thread_is_not_taken_for_the_one_that_shares_its_work(tmp_path):
    for _ in range(2):  # compiled, then read from disk
        said, _ = run_python(SHARE, PELLUCID_HOME=str(tmp_path), NUMBA_NUM_THREADS="2")
        assert said.split() == ["1", "2"]


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_damaged_cache_is_compiled_anew(tmp_path, damage):
    run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    for file in tmp_path.rglob("*.nb[ci]"):
        file.write_bytes(damage)
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "kernels").write_text("a file where a folder should be")
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


def test_a_cache_that_others_may_write_to_is_not_read(tmp_path):
    run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    (folder,) = (tmp_path / "kernels").iterdir()
    folder.chmod(0o777)
    assert "compiling" not in run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[1]
