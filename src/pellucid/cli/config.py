"""The choices of a run, saved in its folder so that it can be resumed and evaluated."""

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pellucid
from pellucid.arguments import check_fields
from pellucid.cli import folders, reading
from pellucid.errors import FileError
from pellucid.files import atomic_write

if TYPE_CHECKING:
    from pellucid.data import DataSet, Splits


@dataclass(frozen=True)
class Config:
    """The resolved choices of ``pellucid train``; fields are named like its options."""

    data: str
    model: str
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    schedule: str
    weight_decay: float
    engine: str
    momentum: float | None = None
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    augment: str | None = None
    ema: float | None = None
    validation: float = 0.1
    patience: int | None = None
    seed: int = 0
    threads: int | None = None
    precise: bool = False
    tune: bool = False
    log: str | None = None
    freeze: str | None = None
    fraction: float = 1.0
    class_weights: str | None = None
    shards: int | None = None
    sync_batch_norm: bool = False
    recompute: bool = False
    optimizer_options: str | None = None
    whiten: bool = False
    tta: bool = False
    selector: str | None = None
    keep: float | None = None
    no_test: bool = False
    reading: dict[str, Any] = field(default_factory=dict)
    version: str = pellucid.__version__
    environment: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the choices into the run's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)
        atomic_write(folder / folders.CONFIG, f"{text}\n".encode())

    @classmethod
    def load(cls, folder: Path) -> "Config":
        """Read the choices from the run's folder."""
        path = folder / folders.CONFIG
        if not path.exists():
            raise FileError(
                f"{folder} is not a run: it has no {folders.CONFIG}; `pellucid train` makes one"
            )
        try:
            config = cls(**json.loads(path.read_text(encoding="utf-8")))
            check_fields(config)
            config.command()  # values that no command can express are damaged
            return config
        except (ValueError, TypeError, RecursionError) as error:
            raise FileError(
                f"{path} is damaged or was written by another version: {error!s:.300}"
            ) from error

    def choices(self) -> dict[str, str]:
        """Return the choices by option; processes that train together must agree on them.

        The location of the data and the number of threads may differ between machines.
        """
        chosen = {name: getattr(self, name) for name in _OPTIONS if name != "threads"}
        return {f"--{name.replace('_', '-')}": f"{value}" for name, value in chosen.items()}

    def command(self) -> str:
        """Return the command that reproduces the run, with every choice spelled out.

        >>> run = Config("digits", "vgg", 20, 32, "sgd", 0.05, "cosine", 0.0005, "compiled")
        >>> run.command()[:59]
        'pellucid train digits --model vgg --epochs 20 --batch-size '
        """
        chosen = {name: getattr(self, name) for name in _OPTIONS}
        chosen["fraction"] = None if self.fraction == 1.0 else self.fraction
        chosen["augment"] = self.augment or "none"  # without the option, the data set decides
        chosen |= _said_of_reading(self.reading)
        written = (word for name, value in chosen.items() for word in _option(name, value))
        return shlex.join(["pellucid", "train", self.data, *written])


_OPTIONS = [
    *("model", "epochs", "batch_size", "optimizer", "lr", "momentum", "schedule", "weight_decay"),
    *("label_smoothing", "clip_norm", "ema", "validation", "patience", "seed"),
    *("optimizer_options", "whiten", "tta", "no_test", "selector", "keep"),
    *("freeze", "fraction", "class_weights", "engine", "threads", "precise", "tune", "shards"),
    *("sync_batch_norm", "recompute"),
]
_OFF = {"header": ["--no-header"], "channels_last": ["--channels-first"]}


def _option(name: str, value: Any) -> list[str]:
    """Return a choice as words of the command line."""
    option = f"--{name.replace('_', '-')}"
    if value is None:
        return []
    if isinstance(value, list):
        return [word for one in value for word in (option, str(one))]
    if isinstance(value, bool):
        return [option] if value else _OFF.get(name, [])
    return [option, str(value)]


def _said_of_reading(reading: dict[str, Any]) -> dict[str, Any]:
    """Return the reading options as on the command line, with a shape as --size and --channels."""
    options = dict(reading)
    sides = options.pop("shape", None) or options.pop("size", None)
    if sides is not None:
        *channels, height, width = sides
        options |= {"size": f"{height}x{width}"} | ({"channels": channels[0]} if channels else {})
    return options


@dataclass(frozen=True)
class Parts:
    """The training, validation and test parts of a run's data."""

    train: "DataSet"
    validation: "DataSet | None"
    test: "DataSet | None"

    @classmethod
    def of(cls, splits: "Splits", config: Config) -> "Parts":
        """Split a data set as the run does; an existing validation part is used unchanged."""
        train, test = splits.train, None if config.no_test else splits.test
        if config.fraction < 1.0:
            _, train = train.split(config.fraction, config.seed)
        if not config.validation:
            return cls(train, None, test)
        if splits.validation is not None:
            return cls(train, splits.validation, test)
        train, validation = train.split(config.validation, config.seed)
        return cls(train, validation, test)

    @classmethod
    def load(cls, config: Config) -> "Parts":
        """Load the run's data and split it."""
        return cls.of(reading.load_data(config.data, config.reading), config)

    @property
    def judge(self) -> "tuple[DataSet, str] | None":
        """The part on which the run is evaluated, and its title: the test part, if there is one."""
        if self.test is not None:
            return self.test, "Test"
        if self.validation is not None:
            return self.validation, "Validation (without a test part)"
        return None
