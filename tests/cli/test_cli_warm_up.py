"""``pellucid warm-up``: compiled now, so that a run finds everything there."""

import re

from programs import run_python

WARM_UP = """
from pellucid import cli
try:
    cli.main(["warm-up", *{arguments}])
except SystemExit as end:
    print("status", end.code or 0)
"""
TRAIN = """
import numpy as np
from pellucid import models, optim
from pellucid.data import DataSet
from pellucid.training import TrainingState, records
images = np.zeros((40, 1, 6, 6), np.uint8); images[::2] = 255
data = DataSet(images, np.arange(40) % 2, ("a", "b"), "rows")
model = models.build("mlp", (1, 6, 6), 2)
state = TrainingState(model, optim.AdamW(model.parameters()), batch_size=20)
print(len(list(records(state, data, data))))
"""
SMALL = ["mlp", "--image-size", "1x6x6", "--classes", "2", "--batch-size", "20", "--threads", "2"]


def test_a_run_after_it_compiles_nothing(tmp_path):
    home = {"PELLUCID_HOME": str(tmp_path), "NUMBA_NUM_THREADS": "2"}
    shown, said = run_python(WARM_UP.format(arguments=SMALL), **home)
    assert re.search(r"mlp on 1×6×6, batch 20: (\d+) of \1 kernels compiled in [\d.]+ s", shown)
    assert re.search(r"\d+ kernels, \d\.\d MB, in " + re.escape(str(tmp_path)), shown)
    assert "kernels" in said
    shown, said = run_python(WARM_UP.format(arguments=SMALL), **home)
    assert "kernels are there" in shown
    assert said == ""
    assert run_python(TRAIN, **home) == ("3", "")


def test_mistakes_are_told_in_one_line(tmp_path):
    home = {"PELLUCID_HOME": str(tmp_path)}
    for arguments in (["nonesuch"], ["--optimizer", "nonesuch"], ["--image-size", "3"]):
        shown, said = run_python(WARM_UP.format(arguments=arguments), **home)
        assert shown == "status 2"
        assert len(said.splitlines()) == 1
    shown, said = run_python(WARM_UP.format(arguments=["mlp"]), PELLUCID_ENGINE="reference")
    assert shown == "status 2"
    assert "'reference'" in said
