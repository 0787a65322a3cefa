"""The reader's own library learns, and gives what Pellucid and PyTorch give with its weights."""

import re
import subprocess
import sys

from pellucid.teach.lay import OWN_LIBRARY, lay

ANSWERS = "from pellucid.teach import EXERCISES\n\nglobals().update(EXERCISES)\n"


def test_a_library_of_right_answers_learns_the_digits(tmp_path):
    laid = {path.name for path in lay(tmp_path)}
    assert {"mycnn.py", "train_mycnn.py"} <= laid
    (tmp_path / "mycnn.py").write_text(ANSWERS)
    said = subprocess.run(
        [sys.executable, "train_mycnn.py", "digits"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert float(re.search(r"own library: ([\d.]+)%", said)[1]) > 95
    assert float(re.search(r"Pellucid: ([\d.e-]+)", said)[1]) < 1e-4


def test_the_training_uses_only_what_the_reader_writes(tmp_path):
    lay(tmp_path)
    used = set(re.findall(r"mycnn\.(\w+)\(", (tmp_path / "train_mycnn.py").read_text()))
    assert used <= set(OWN_LIBRARY)
    assert len(used) >= 10
