"""Kernels are compiled once and kept on disk, and the disk is never a reason to fail."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from pellucid.compiled import kept, store
from pellucid.compiled.jit import jit
from pellucid.compiled.parallel import share_of
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


NAMES = """
from pellucid.compiled import loss, update
from pellucid.compiled.conv.direct import _kernel, _pack
from pellucid.compiled.kept import known
_kernel(4, 1)
for dispatcher in known.values():
    print(dispatcher._cache._file(("types",), dispatcher._cache._machine()))
"""


def test_the_name_of_every_kernel_depends_on_the_source_of_which_it_is_made():
    modules = {kernel.module for kernel in kept.known if kernel.module.startswith("pellucid.")}
    assert len(modules) > 10
    assert all(module in store._needed(module) for module in modules)
    assert "pellucid.compiled.team" in store._needed("pellucid.compiled.launched")


def test_a_kernel_has_the_same_name_in_each_process(tmp_path):
    names = {run_python(NAMES, PYTHONHASHSEED=str(seed))[0] for seed in range(4)}
    assert len(names) == 1


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
from pellucid.compiled.parallel import share_of

@jit_sized
def threads(mine, ids):
    for i in share_of(mine, len(ids)):
        ids[i] = numba.get_thread_id()

numba.set_num_threads(2)
ids = np.empty(1000, np.int64)
for work in (1, 1 << 20):
    threads(work, ids)
    print(len(set(ids)))
"""


def test_little_work_is_done_by_one_thread_and_much_is_shared(tmp_path):
    for _ in range(2):  # compiled, then read from disk
        said, _ = run_python(SHARE, PELLUCID_HOME=str(tmp_path), NUMBA_NUM_THREADS="2")
        assert said.split() == ["1", "2"]


def aged(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))
    return path


def test_kernels_that_no_version_has_used_for_a_month_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    own, former = store.kernel_folder(), tmp_path / "kernels" / "cpython-310-numba0.50"
    unused = [aged(own / "a.kernel", 31), aged(former / "b.kernel", 31)]
    unfinished = [aged(own / ".c.partial", 1), aged(former / ".d.partial", 1)]
    used, other = aged(own / "e.kernel", 29), aged(own / "notes.txt", 99)
    store.sweep()
    assert not any(path.exists() for path in unused + unfinished)
    assert used.exists()
    assert other.exists()
    assert not former.exists()


def test_a_folder_that_another_process_removes_meanwhile_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    former = tmp_path / "kernels" / "former"
    former.mkdir(parents=True)
    aged(store.kernel_folder() / "a.kernel", 31)

    def listed_late(folder, whole=Path.iterdir):
        if folder == former:
            former.rmdir()
        return whole(folder)

    monkeypatch.setattr(Path, "iterdir", listed_late)
    store.sweep()
    assert not (store.kernel_folder() / "a.kernel").exists()


def test_reading_a_kernel_counts_as_use(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    assert store.write("a.kernel", b"code")
    then = time.time() - 31 * 24 * 3600
    os.utime(store.kernel_folder() / "a.kernel", (then, then))
    assert store.read("a.kernel") == b"code"
    store.sweep()
    assert store.read("a.kernel") == b"code"


PRODUCT = """
import numpy as np
from pellucid import ops
random = np.random.default_rng(0)
for rows in ROWS:
    x, weight = (random.normal(size=(n, 3)).astype(np.float32) for n in (8, rows))
    np.testing.assert_allclose(ops.linear(x, weight), x @ weight.T, rtol=1e-5, atol=1e-6)
"""


def test_kernels_of_one_name_from_different_processes_are_kept_apart(tmp_path):
    for rows in ("[4]", "[5]", "[4, 5]"):  # tiles of four rows, of five, and both from disk
        said = run_python(PRODUCT.replace("ROWS", rows), PELLUCID_HOME=str(tmp_path))[1]
    assert said == ""


def test_a_kernel_that_would_do_all_work_in_each_thread_is_refused():
    def doubled(mine, x):
        for i in numba.prange(len(x)):
            x[i] *= 2

    with pytest.raises(TypeError, match=r"doubled: .* share_of"):
        jit(doubled)


def test_memory_that_a_thread_does_not_get_is_an_error():
    @jit
    def greedy(mine, sizes):
        for i in share_of(mine, len(sizes)):
            sizes[i] = len(np.empty(sizes[i]))

    with pytest.raises(MemoryError):
        greedy(np.array([1, 1 << 60]))


def kernels(home):
    return sorted(home.rglob("*.kernel"))


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_ctrl_c_while_a_kernel_is_compiled_on_demand_ends_the_program_and_spoils_nothing(tmp_path):
    given = {"PELLUCID_ENGINE": "compiled", "PELLUCID_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", COMPUTE], env=os.environ | given, stderr=subprocess.PIPE, text=True
    )
    assert "compiling" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1].endswith("KeyboardInterrupt\n")
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path)) == ("4.0", "")


DAMAGES = {
    "empty": lambda content: b"",
    "nonsense": lambda content: b"nonsense",
    "cut": lambda content: content[:-1],
    "a bit in the checksum": lambda content: flipped(content, 20),
    "a bit in the pickle": lambda content: flipped(content, 60),
    "a bit in the object": lambda content: flipped(content, len(content) // 2),
    "zeros": lambda content: content[: len(content) // 2] + bytes(len(content) // 2),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_anew(compiled_once, tmp_path, damage):
    shutil.copytree(compiled_once, tmp_path, dirs_exist_ok=True)
    before = {file: file.read_bytes() for file in kernels(tmp_path)}
    for file, content in before.items():
        file.write_bytes(DAMAGES[damage](content))
    shown, said = run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    assert shown == "4.0"
    assert "compiling" in said
    assert kernels(tmp_path) == sorted(before)
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path)) == ("4.0", "")


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """A home in which the kernels of COMPUTE are kept."""
    home = tmp_path_factory.mktemp("home")
    run_python(COMPUTE, PELLUCID_HOME=str(home))
    assert kernels(home)
    return home


def test_another_files_kernel_is_not_taken_for_its_own(compiled_once, tmp_path):
    """Two whole files in each other's place: their names say what they are for."""
    shutil.copytree(compiled_once, tmp_path, dirs_exist_ok=True)
    run_python(COMPUTE.replace("(1, 1, 2, 2)", "(1, 64, 64, 64)"), PELLUCID_HOME=str(tmp_path))
    first, second = kernels(tmp_path)[:2]
    first.write_bytes(second.read_bytes())
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "kernels").write_text("a file where a folder should be")
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


@pytest.mark.parametrize("writable", ["the folder", "a folder above it"])
def test_kernels_where_others_could_put_theirs_are_not_read(compiled_once, tmp_path, writable):
    home = tmp_path / "home"
    shutil.copytree(compiled_once, home)
    place = kernels(home)[0].parent
    for file in kernels(home):
        file.write_bytes(b"")
    (place if writable == "the folder" else home).chmod(0o777)
    shown, said = run_python(COMPUTE, PELLUCID_HOME=str(home))
    assert shown == "4.0"
    assert "not kept" in said
    assert "can be written to by other users" in said
    assert all(file.read_bytes() == b"" for file in kernels(home))


def test_a_link_in_the_place_of_a_kernel_is_not_followed(compiled_once, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(compiled_once, home)
    for number, file in enumerate(kernels(home)):
        elsewhere = tmp_path / f"{number}"
        file.rename(elsewhere)
        file.symlink_to(elsewhere)
    assert "compiling" in run_python(COMPUTE, PELLUCID_HOME=str(home))[1]


@pytest.mark.parametrize("setting", ["NUMBA_OPT", "NUMBA_CPU_NAME"])
def test_code_for_other_settings_is_kept_apart(compiled_once, tmp_path, setting):
    shutil.copytree(compiled_once, tmp_path, dirs_exist_ok=True)
    chosen = {"NUMBA_OPT": "1", "NUMBA_CPU_NAME": "generic"}[setting]
    said = run_python(COMPUTE, PELLUCID_HOME=str(tmp_path), **{setting: chosen})[1]
    assert "compiling" in said
    assert len(kernels(tmp_path)) == 2 * len(kernels(compiled_once))


def test_the_code_of_a_kernel_is_its_module_and_what_that_imports():
    needed = store._needed("pellucid.compiled.conv.direct")
    assert {f"pellucid.compiled.{name}" for name in ("tile", "arithmetic", "conv.taps")} <= needed
    assert not {f"pellucid.compiled.{name}" for name in ("loss", "update", "jit")} & needed
    modules = {name for name in sys.modules if name.startswith("pellucid.compiled.")}
    assert needed <= modules


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path))
    assert store.why_not() is None
    return store.kernel_folder()


def test_a_folder_of_another_user_is_not_read(own_folder, monkeypatch):
    owner = own_folder.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert "belongs to another user" in store.why_not()
    assert not store.write("a.kernel", b"code")


def test_a_folder_that_a_group_may_write_to_is_read_only_if_the_group_is_ones_own(
    own_folder, monkeypatch
):
    own_folder.chmod(0o770)
    for private, said in ((False, "can be written to by a group of users"), (True, None)):
        monkeypatch.setattr(store, "_is_private", lambda _, private=private: private)
        assert (store.why_not() or "").endswith(said or "")
        assert store.write("a.kernel", b"code") == private
        assert store.read("a.kernel") == (b"code" if private else None)


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_kernels_of_another_version_are_kept_apart(own_folder, monkeypatch, package):
    real = store._version
    version = {package: "0.0.1"}
    monkeypatch.setattr(store, "_version", lambda name: version.get(name) or real(name))
    assert store.kernel_folder() != own_folder
    assert f"{package}0.0.1" in store.kernel_folder().name
