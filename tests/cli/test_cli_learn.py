"""``pellucid learn``: exercises are listed, laid out and checked; a submission does no harm."""

import csv
import json
import sys
from pathlib import Path

import pytest

from pellucid.teach import EXERCISES
from pellucid.teach.lay import OWN_LIBRARY, file_name

RELU = "import numpy as np\n\ndef relu(x):\n    return np.maximum(x, 0)\n"
ABSOLUTE = "import numpy as np\n\ndef relu(x):\n    return np.abs(x)\n"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PELLUCID_HOME", str(tmp_path / "home"))


def check(pellucid, source, *options, name="answer.py"):
    Path(name).write_text(source)
    return pellucid("learn", "check", name, *options)


def test_a_right_answer_is_noted_as_solved(pellucid):
    status, out, _ = check(pellucid, RELU)
    assert (status, out) == (0, "relu is right: 3 cases.\n")
    _, listed, _ = pellucid("learn")
    (line,) = [line for line in listed.splitlines() if line.rstrip().endswith("solved")]
    assert line.split()[:5] == ["4.", "Pooling,", "activations", "and", "shapes"]
    assert "relu" in line.split()
    assert f"1 of {len(EXERCISES)} are solved." in listed


def test_a_wrong_answer_is_named_with_exit_status_1(pellucid):
    status, out, _ = check(pellucid, ABSOLUTE)
    assert status == 1
    assert "It returns the absolute value." in out
    assert "0 of" in pellucid("learn")[1]


def test_start_lays_out_every_exercise_and_the_readers_own_library(pellucid):
    status, out, _ = pellucid("learn", "start", "mine", "--no-open")
    laid = {path.name for path in Path("mine/exercises").iterdir()}
    assert status == 0
    assert laid == {file_name(exercise) for exercise in EXERCISES.values()}
    notebooks = list(Path("mine/notebooks").glob("*.ipynb"))
    assert len(notebooks) >= 14
    assert f"{len(laid) + len(notebooks) + 2} files are new" in out
    status, out, _ = pellucid("learn", "check", "mine/mycnn.py")
    assert status == 1
    assert out.count("It is not written yet.") == len(OWN_LIBRARY)


def test_start_leaves_the_readers_work_alone(pellucid):
    pellucid("learn", "start", "mine", "--no-open")
    mine = Path("mine/mycnn.py")
    mine.write_text(RELU)
    assert "0 files are new" in pellucid("learn", "start", "mine", "--no-open")[1]
    assert mine.read_text() == RELU


def test_an_exercise_file_checks_itself(pellucid):
    pellucid("learn", "start", "mine", "--no-open")
    path = Path("mine/exercises", file_name(EXERCISES["relu"]))
    path.write_text(
        path.read_text().replace("raise NotImplementedError", "return np.maximum(x, 0)")
    )
    assert pellucid("learn", "check", path)[0] == 0


def test_a_folder_becomes_a_table(pellucid):
    folder = Path("class")
    (folder / "ada").mkdir(parents=True)
    (folder / "ada" / "hand-in.py").write_text(RELU)
    (folder / "bob.py").write_text(ABSOLUTE)
    cells = [
        {"cell_type": "markdown", "source": ["# Mine"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!ls\n", "import numpy as np"]},
        {"cell_type": "code", "source": ["this is no Python"]},
        {"cell_type": "code", "source": ["def relu(x):\n", "    return np.minimum(x, 0)"]},
    ]
    (folder / "cleo.ipynb").write_text(json.dumps({"cells": cells}))
    (folder / "dan.py").write_text("x = 1\n")
    status, out, _ = pellucid("learn", "check", folder, "--csv", "table.csv")
    assert status == 1
    rows = list(csv.DictReader(Path("table.csv").read_text(encoding="utf-8").splitlines()))
    found = {Path(row["file"]).name: (row["right"], row["mistakes"]) for row in rows}
    assert found == {
        "hand-in.py": ("1", ""),
        "bob.py": ("0", "absolute_value"),
        "cleo.ipynb": ("0", "sign_turned"),
        "dan.py": ("0", ""),
    }
    assert "no function with the name of an exercise" in rows[-1]["verdict"]
    assert "absolute_value" in out


def test_an_endless_loop_is_ended_and_the_other_exercises_are_checked(pellucid):
    endless = "def output_size(*of):\n    while True: pass\n\n"
    status, out, _ = check(pellucid, endless + RELU, "--seconds", "3")
    assert status == 1
    assert "output_size cannot be checked: it takes more than 3 seconds" in out
    assert "relu is right" in out


def test_a_process_that_dies_is_reported_and_the_other_exercises_are_checked(pellucid):
    dies = "import os\ndef output_size(*of):\n    os._exit(7)\n\n"
    _, out, _ = check(pellucid, dies + RELU)
    assert "output_size cannot be checked: its process ends with status 7" in out
    assert "relu is right" in out


@pytest.mark.skipif(sys.platform == "win32", reason="memory is not limited there")
def test_memory_is_limited(pellucid):
    _, out, _ = check(
        pellucid,
        "import numpy as np\ndef relu(x):\n    return np.ones(1 << 31)\n",
        "--memory",
        "2048",
    )
    assert "Unable to allocate" in out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "may not use the network"),
        ("import subprocess; subprocess.run(['true'])", "may not use other programs"),
        ("open('{elsewhere}', 'w')", "may not write"),
        ("import os; os.remove('{elsewhere}')", "may not write"),
    ],
)
def test_what_a_submission_may_not_do(pellucid, tmp_path, line, said):
    elsewhere = tmp_path / "precious"
    elsewhere.write_text("work")
    source = f"def relu(x):\n    {line.format(elsewhere=elsewhere)}\n"
    _, out, _ = check(pellucid, source)
    assert said in out
    assert elsewhere.read_text() == "work"


def test_what_a_submission_prints_is_not_shown(pellucid):
    _, out, _ = check(pellucid, "print('noise')\n" + RELU)
    assert "noise" not in out


def test_a_file_that_does_not_run_says_why(pellucid):
    status, out, _ = check(pellucid, "def relu(x:\n")
    assert status == 1
    assert "SyntaxError" in out


def test_a_missing_file_is_a_users_error(pellucid):
    status, _, err = pellucid("learn", "check", "nowhere.py")
    assert status == 2
    assert "there is no file or folder 'nowhere.py'" in err
