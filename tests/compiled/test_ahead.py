"""What a run needs is known before its first step, and compiled side by side."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

import pellucid as pl
from pellucid import engine, ops
from pellucid.compiled import epilogue
from pellucid.compiled.ahead import needed
from pellucid.preprocessing import Preprocessing
from pellucid.runtime.recording import Rehearsal
from programs import run_python

TRAIN = """
import json, numba
from numba.core import event
import numpy as np
import pellucid as pl
from pellucid import layers as nn
from pellucid.training import TrainingState, records

class Compiled(event.Listener):
    count = 0
    def on_start(self, event): pass
    def on_end(self, event): self.count += 1

compiled = Compiled()
event.register("numba:compile", compiled)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (200, 1, 12, 12)).astype(np.uint8)
data = pl.data.DataSet(images, rng.integers(0, 3, 200), ("a", "b", "c"), "noise")
train, validation = data.split(0.25, seed=0)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(4, 5, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(20, 3),
)
state = TrainingState(model, pl.optim.Adam(model.parameters()), batch_size=64, epochs=2)
drawn = records(state, train, validation)
ahead = compiled.count
list(drawn)
trained = compiled.count
pl.evaluate(model, validation)
print(json.dumps([ahead, trained - ahead, compiled.count - trained]))
"""


LAYERS = TRAIN[TRAIN.index("    nn.Conv2d") : TRAIN.index("\n)\nstate")]
FEW_KERNELS = TRAIN.replace(
    LAYERS, "    nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3),"
)
"""The same run of a network that needs 15 kernels, not 25."""


def train(home, threads, code=TRAIN):
    shown, said = run_python(code, PELLUCID_HOME=str(home), PELLUCID_NUM_THREADS=str(threads))
    return json.loads(shown), said


def test_no_step_waits_for_the_compiler_and_a_second_run_compiles_nothing(tmp_path):
    (here, in_steps, after), said = train(tmp_path, threads=2)
    assert (here, in_steps) == (0, 0)
    assert after <= 4  # as many images as no batch had
    assert "kernels" in said
    assert train(tmp_path, threads=2)[0][:2] == [0, 0]


EVERYTHING = """
import sys
from pellucid import cli
from pellucid.compiled import ahead, kept
rehearsed = []
find = ahead.needed
ahead.needed = lambda calls: rehearsed.append(find(calls)) or rehearsed[-1]
try:
    cli.main(COMMAND)
except SystemExit:
    computed = {(k, types) for k, known in kept.known.items() for types in known.overloads}
    print("missing", [str(kernel) for kernel, _ in computed - set(rehearsed[0])], len(computed))
"""


def test_everything_that_a_run_computes_is_rehearsed_before_its_first_step(tmp_path):
    """Validation, the test images and what `predict` needs are among it; the report needs none."""
    command = ["train", "digits", "--epochs", "1", "--out", str(tmp_path / "run")]
    code = EVERYTHING.replace("COMMAND", repr(command))
    missing, count = run_python(code)[0].splitlines()[-1].rsplit(maxsplit=1)
    assert missing == "missing []"
    assert int(count) > 20


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_everything_that_one_image_needs_is_compiled_side_by_side(tmp_path, command):
    model = pl.initialize(pl.models.build("lenet5", (1, 28, 28), 10), seed=0)
    model.input_shape, model.preprocessing = (1, 28, 28), Preprocessing([0.0], [255.0])
    pl.save(model, tmp_path / "model.safetensors")
    Image.new("L", (28, 28)).save(tmp_path / "image.png")
    given = [command, str(tmp_path / "model.safetensors"), str(tmp_path / "image.png")]
    code = EVERYTHING.replace("COMMAND", repr(given))
    missing, count = run_python(code)[0].splitlines()[-1].rsplit(maxsplit=1)
    assert missing == "missing []"
    assert int(count) > 5


def test_a_call_that_fails_in_a_rehearsal_leaves_the_others_in_it():
    x = np.ones((2, 1, 8, 8), np.float32)
    calls = [partial(ops.relu, x), partial(int, "none"), partial(ops.max_pool2d, x, 2)]
    with engine.using("compiled"):
        assert len(needed(calls)) == len(needed([calls[0], calls[2]])) > len(needed(calls[:1]))


def test_in_a_rehearsal_whatever_lies_in_memory_passes_for_the_positions_of_maxima(monkeypatch):
    def used(shape, dtype=np.float32):
        return np.full(shape, 77, dtype)

    monkeypatch.setattr(epilogue, "new_array", used)
    x, calls = np.ones((2, 1, 8, 8), np.float32), []
    with engine.using("compiled"), Rehearsal(lambda *call: not calls.append(call)).running():
        y, indices = ops.max_pool2d(x, 2)
        ops.max_pool2d_gradient(y, indices, x.shape, 2)
    assert calls


FIRST = """
import numpy as np
from pellucid import layers as nn, engine
from pellucid.execution import compile_ahead
done = []
def step(layer=nn.Conv2d(1, 4, 3)):
    done.append(layer(np.ones((2, 1, 8, 8), np.float32)).shape)
with engine.using("{name}"):
    print(compile_ahead([step]) is not None, done)
"""


@pytest.mark.parametrize(("name", "rehearsed"), [("compiled", True), ("reference", False)])
def test_only_an_engine_that_compiles_rehearses(tmp_path, name, rehearsed):
    shown, _ = run_python(FIRST.format(name=name), PELLUCID_HOME=str(tmp_path))
    assert shown == f"{rehearsed} {[(2, 4, 6, 6)] if rehearsed else []}"


SAME = """
import numpy as np
from pellucid import layers as nn
from pellucid.execution import compile_ahead, freeze
model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 4))
nn.initialize(model, 0)
x = np.random.default_rng(0).normal(size=(64, 3, 8, 8)).astype(np.float32)
if {ahead}:
    compile_ahead(lambda x=x, n=n: freeze(model)(x[:n]) for n in (1, 64))
print(freeze(model)(x).tobytes().hex()[:200], model(x).sum())
"""


def test_a_rehearsal_leaves_nothing_behind(tmp_path):
    given = [run_python(SAME.format(ahead=ahead), PELLUCID_HOME=str(tmp_path)) for ahead in (0, 1)]
    assert given[0][0] == given[1][0]


ALONE = """
import sys
sys.executable = {executable!r}
"""


@pytest.mark.parametrize("executable", ["", "/no/such/python"])
def test_where_no_process_can_be_started_it_is_compiled_here(tmp_path, executable):
    code = ALONE.format(executable=executable) + SAME.format(ahead=1)
    home = {"PELLUCID_HOME": str(tmp_path), "NUMBA_NUM_THREADS": "2"}
    assert run_python(code, **home)[0] == run_python(SAME.format(ahead=0), **home)[0]


KILL = """
import os, signal, threading, time
from pathlib import Path
def kill():
    while not list(Path(os.environ["PELLUCID_HOME"]).rglob("*.kernel")):
        time.sleep(0.01)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.{how})
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_a_process_that_ends_while_it_compiles_leaves_a_sound_cache(tmp_path, how):
    """Beside another one that compiles the same at the same time."""
    given = os.environ | {"PELLUCID_ENGINE": "compiled", "PELLUCID_HOME": str(tmp_path)}
    given |= {"PELLUCID_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}
    code = KILL.format(how=how) + FEW_KERNELS.replace(
        "drawn = records", "threading.Thread(target=kill, daemon=True).start()\ndrawn = records"
    )
    beside = [sys.executable, "-c", FEW_KERNELS]
    other = subprocess.Popen(beside, env=given, stdout=subprocess.PIPE)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, check=False
    )
    assert ended.returncode != 0
    other.communicate()
    assert other.returncode == 0
    assert train(tmp_path, 2, FEW_KERNELS)[0] == [0, 0, 0]


LAST = """
import numpy as np
from pellucid import engine, ops
from pellucid.runtime import usual_batch
random = np.random.default_rng(0)
x, weight = (random.normal(size=s).astype(np.float32) for s in ((64, 3, 6, 6), (1, 3, 3, 3)))
whole = ops.conv2d(x, weight)
with usual_batch.of_steps(64, steps=2):
    rest = ops.conv2d(x[:3], weight)  # which fill one register, with any processor
print(np.array_equal(whole[:3], rest))
from pellucid.compiled import kept
print(sum(len(known.overloads) for kernel, known in kept.known.items() if kernel.constants))
"""


def test_the_last_batch_of_an_epoch_takes_the_kernel_of_the_others_and_gives_the_same_bits():
    same, kernels = run_python(LAST)[0].split()
    assert same == "True"
    assert kernels == "1"
    alone = LAST.replace("steps=2", "steps=1")
    assert run_python(alone)[0].split() == ["True", "2"]


def test_a_process_stays_with_a_module_then_takes_one_that_nobody_has_begun():
    from pellucid.compiled.ahead import _Jobs
    from pellucid.compiled.kept import Kernel

    names = ["a", "a", "b", "a", "b", "c"]
    jobs = [(Kernel(name, str(k), (), True), ()) for k, name in enumerate(names)]
    waiting = _Jobs(list(jobs))
    first, second = waiting.take(None), waiting.take(None)
    assert [first, second] == [jobs[0], jobs[2]]
    assert [waiting.take("b"), waiting.take("b"), waiting.take("c")] == [jobs[4], jobs[5], jobs[1]]
    assert [waiting.take("a"), waiting.take("a")] == [jobs[3], None]


def test_garbage_is_collected_again_after_a_kernel_that_could_not_be_compiled():
    import gc

    from pellucid.compiled.ahead import compile_job
    from pellucid.compiled.kept import Kernel

    with pytest.raises(AttributeError):
        compile_job((Kernel("pellucid.compiled.layout", "there_is_none", (), True), ()))
    assert gc.isenabled()


def test_the_passes_that_are_left_out_are_known_to_numba_by_these_names():
    from types import SimpleNamespace

    from numba.core.compiler import DefaultPassBuilder, Flags

    from pellucid.compiled.libraries import _WITHOUT_EFFECT

    state = SimpleNamespace(flags=Flags(), func_ir=None)
    passes = DefaultPassBuilder.define_nopython_pipeline(state).passes
    assert {each[0].__name__ for each in passes} >= _WITHOUT_EFFECT
