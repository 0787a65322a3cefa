"""``pellucid train --overfit-batch``: check whether the network can memorise one batch."""

from typing import TYPE_CHECKING

from pellucid.cli import common, new_run
from pellucid.cli.config import Config, Parts

if TYPE_CHECKING:
    from pellucid.training import Step

STEPS = 200
_SHOWN = 20  # number of steps from one line of output to the next


def check(config: Config, parts: Parts) -> bool:
    """Train on one batch, without augmentation, until it is memorised; return whether it was."""
    from pellucid import training

    images = parts.train
    if len(images) > config.batch_size:
        images = images.split(config.batch_size / len(images), config.seed)[1]
    state = new_run.new_state(config, Parts(images, None, None))
    state.epochs, state.batch_size, state.selection = STEPS, len(images), None
    print(f"{STEPS} steps on the same {len(images)} images, without augmentation\n")
    last = None
    for record in training.records(state, images):
        if not isinstance(record, training.Step):
            continue
        last = record
        if record.epoch % _SHOWN == 1 or _is_known(record):
            print(f"step {record.epoch:4}   loss {record.loss:.4f}   accuracy {_share(record)}")
        if _is_known(record):
            break
    assert last is not None
    known = _is_known(last)
    print(f"\n{_KNOWN if known else _UNKNOWN}")
    if not known:
        common.note("For example: --lr with a third of the rate, or with three times as much")
    return known


_KNOWN = "It memorises the batch: network, loss and learning rate work together."
_UNKNOWN = (
    "It does not memorise the batch. A network that cannot do that learns nothing else\n"
    "either: look at the learning rate, at the labels, and at the size of the network."
)


def _is_known(step: "Step") -> bool:
    return step.loss < 0.05 and step.accuracy in (None, 1.0)


def _share(step: "Step") -> str:
    return "-" if step.accuracy is None else f"{step.accuracy:.1%}"
