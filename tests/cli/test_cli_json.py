"""Whatever a command prints with --json or --csv is what another program is promised."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import small_run
from commands import Command, short

jsonschema = pytest.importorskip("jsonschema")
pytestmark = pytest.mark.usefixtures("rows")

NUMBER, COUNT, TEXT = {"type": "number"}, {"type": "integer", "minimum": 0}, {"type": "string"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
MAYBE = {"type": ["number", "null"]}


def record(**fields: object) -> dict[str, object]:
    """Return the schema of an object with just these fields."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def listed(item: object) -> dict[str, object]:
    return {"type": "array", "items": item, "minItems": 1}


EVALUATION = record(
    part=TEXT,
    images=COUNT,
    correct=COUNT,
    accuracy=SHARE,
    accuracy_interval={"type": "array", "items": SHARE, "minItems": 2, "maxItems": 2},
    top_5=SHARE,
    loss=NUMBER,
    calibration_error=SHARE,
    classes=listed(record(name=TEXT, images=COUNT, precision=SHARE, recall=SHARE, f1=SHARE)),
    confusion=listed(listed(COUNT)),
)
PREDICTIONS = listed(
    record(
        image=TEXT,
        **{"class": TEXT},
        probabilities={"type": "object", "additionalProperties": SHARE, "minProperties": 2},
    )
)
SUMMARY = record(
    input_shape=listed(COUNT),
    batch_size=COUNT,
    parameters=COUNT,
    buffers=COUNT,
    multiply_adds=COUNT,
    forward_bytes=COUNT,
    training_bytes=COUNT,
    layers=listed(
        record(
            path=TEXT,
            depth=COUNT,
            type=TEXT,
            arguments={"type": ["string", "null"]},
            output_shape=listed(COUNT),
            parameters=COUNT,
            buffers=COUNT,
            multiply_adds=COUNT,
            output_bytes=COUNT,
            algorithm=TEXT,
        )
    ),
)
DATA = record(
    title=TEXT,
    classes=listed(
        {"type": "object", "properties": {"class": TEXT, "train": COUNT}, "required": ["class"]}
    ),
    pixels=listed(
        record(
            part=TEXT,
            channel={"type": ["string", "integer"]},
            min=NUMBER,
            max=NUMBER,
            mean=NUMBER,
            std=NUMBER,
        )
    ),
    issues=listed({"type": "object", "properties": {"part": TEXT}, "required": ["part"]}),
    skipped={"type": "array", "items": TEXT},
)
ALGORITHMS = record(
    input=listed(COUNT),
    kernels=listed(COUNT),
    output=listed(COUNT),
    engine={"enum": ["reference", "compiled"]},
    chosen=TEXT,
    algorithms=listed(
        record(
            algorithm=TEXT,
            description=TEXT,
            supported={"type": "boolean"},
            reason={"type": ["string", "null"]},
            multiplications=MAYBE,
            memory_bytes=MAYBE,
        )
    ),
)
RUNS = listed(
    record(
        folder=TEXT,
        config={"type": "object", "required": ["data", "model", "epochs", "lr"]},
        state={"enum": ["finished", "running", "interrupted"]},
        epochs=COUNT,
        best=MAYBE,
        seconds=NUMBER,
        test=MAYBE,
        when={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT"},
    )
)
COMMANDS = {
    "evaluate": (("evaluate", "run"), EVALUATION),
    "evaluate views": (("evaluate", "run", "--tta"), EVALUATION),
    "evaluate other data": (("evaluate", "run", "rows.npz"), EVALUATION),
    "predict": (("predict", "run", "one.png"), PREDICTIONS),
    "predict table": (("predict", "run", "rows.csv"), PREDICTIONS),
    "summary": (("summary", "resnet20"), SUMMARY),
    "summary of a run": (("summary", "run"), SUMMARY),
    "summary of all": (("summary",), listed(TEXT)),
    "data": (("data", "rows.npz"), DATA),
    "data by name": (("data", "digits"), DATA),
    "algorithms": (("algorithms",), ALGORITHMS),
    "algorithms of groups": (("algorithms", "--groups", "32"), ALGORITHMS),
    "runs": (("runs", "."), RUNS),
}
TABLES = {
    "evaluate": (("evaluate", "run"), ["class", "precision", "recall", "f1", "support"], 3 + 2),
    "predict": (("predict", "run", "one.png"), ["image", "class", "probability"], 1),
    "summary": (("summary", "run"), ["path", "depth", "type"], 6),
    "data": (("data", "rows.npz"), ["class", "train", "test"], 3),
    "algorithms": (("algorithms",), ["algorithm", "description", "supported"], 7),
    "runs": (("runs", "."), ["run", "data", "model"], 1),
}


@pytest.fixture
def folder(pellucid: Command, rows: None) -> None:
    status, _out, err = pellucid(*short("--out", "run"))
    assert status == 0, err
    Image.fromarray(small_run.DATA.images[0, 0]).save("one.png")
    pixels = small_run.DATA.images[:4].reshape(4, -1)
    np.savetxt("rows.csv", pixels, fmt="%d", delimiter=",")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_as_promised(pellucid: Command, name: str) -> None:
    arguments, schema = COMMANDS[name]
    status, out, _ = pellucid(*arguments, "--json")
    assert status == 0
    jsonschema.validate(json.loads(out), schema)
    out.encode("ascii")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", TABLES)
def test_csv_is_a_table_and_nothing_else(pellucid: Command, name: str) -> None:
    arguments, heads, count = TABLES[name]
    status, out, _ = pellucid(*arguments, "--csv")
    assert status == 0
    head, *rows = csv.reader(io.StringIO(out))
    assert head[: len(heads)] == heads
    assert len(rows) == count
    assert {len(row) for row in rows} == {len(head)}


def test_a_promise_that_is_not_kept_is_noticed() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"image": "a.png", "class": 3, "probabilities": {}}], PREDICTIONS)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"part": "Test"}, EVALUATION)
    assert Path("rows.npz").exists()
