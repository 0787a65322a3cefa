"""What layers call: checked arguments, sent to the engine in force."""

from pellucid.ops.batch import make_batch as make_batch
