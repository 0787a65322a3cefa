"""Run the network in TensorFlow, as a Keras model."""

from __future__ import annotations

import inspect
import logging
import textwrap
from typing import Any

import numpy as np

from pellucid.errors import PellucidError
from pellucid.interchange.compare.inspection import Inspection, Names, compared
from pellucid.interchange.keras import framework, twin_of
from pellucid.interchange.keras.orders import channels_last_array
from pellucid.layers import Layer
from pellucid.types import Array, Shape

Batch = tuple[Any, Any]

_NOT_SHOWN = ("name", "dtype", "trainable", "data_format")


class Contestant:
    """A Keras model whose training step is compiled by `tf.function`."""

    def __init__(
        self, model: Layer, input_shape: Shape, threads: int, rate: float, momentum: float
    ) -> None:
        keras = framework.load("compare")
        if keras.config.backend() != "tensorflow":
            raise PellucidError(
                f"Keras must use TensorFlow as its backend, but uses {keras.config.backend()}; "
                "set KERAS_BACKEND=tensorflow"
            )
        import tensorflow as tf

        _set_threads(tf, threads)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        self.version = f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
        self.tf, self.keras, self.model = tf, keras, model
        self.twin = twin_of(model, input_shape)
        optimizer = keras.optimizers.SGD(rate, momentum=momentum)
        self._trained = tf.function(lambda x, t: _step(tf, self.twin.model, optimizer, x, t))

    def inspect(self, x: Array, targets: Array) -> Inspection:
        tf, names = self.tf, Names(self.model)
        named = [(names.next(layer), value) for layer, value in self.twin.outputs]
        known = [(name, value) for name, value in named if name is not None]
        model = self.twin.model
        inside = self.keras.Model(model.inputs, [value.tensor for _, value in known])
        images, labels = self.batch(x, targets)
        links = {n: self.twin.links[n] for n in self.model.named_parameters()}
        scores = np.asarray(model(images, training=False))
        before = model.get_weights()
        found = inside(images, training=True)
        model.set_weights(before)
        with tf.GradientTape() as tape:
            loss = _loss(tf, model(images, training=True), labels)
        gradients = tape.gradient(loss, [link.variable for link in links.values()])
        model.set_weights(before)
        return Inspection(
            scores,
            float(loss),
            {name: value.from_keras(y) for (name, value), y in zip(known, found, strict=True)},
            {n: link.from_keras(g) for (n, link), g in zip(links.items(), gradients, strict=True)},
        )

    def batch(self, x: Array, targets: Array) -> Batch:
        return self.tf.constant(channels_last_array(x)), self.tf.constant(targets)

    def step(self, batch: Batch) -> float:
        return float(self._trained(*batch))

    def calls(self) -> dict[str, str]:
        written = {layer.name: _call(layer) for layer in self.twin.model.layers}
        found = {}
        for path, layer in self.model.walk():
            if compared(layer):
                parts = [f"{path}.pad", path, f"{path}.crop", f"{path}.add", f"{path}.concat"]
                found[path] = "\n".join(written[part] for part in parts if part in written)
        return found

    def sources(self) -> dict[str, str]:
        own = {layer.name: _of_layer(type(layer)) for layer in self.twin.model.layers}
        return {"": f"{_source(_step)}\n\n\n{_source(_loss)}"} | own


def _of_layer(kind: Any) -> str:
    """Return the Python code of a layer's forward pass; the rest of it is C++."""
    parts = [kind.call, *([kind.convolution_op] if hasattr(kind, "convolution_op") else [])]
    return "\n\n".join(map(_source, parts))


def _source(part: Any) -> str:
    return textwrap.dedent(inspect.getsource(part)).strip()


def _loss(tf: Any, scores: Any, targets: Any) -> Any:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=scores)
    )


def _step(tf: Any, model: Any, optimizer: Any, x: Any, targets: Any) -> Any:
    with tf.GradientTape() as tape:
        loss = _loss(tf, model(x, training=True), targets)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


def _call(layer: Any) -> str:
    """Return the source text of a layer, with only the arguments that differ from their default."""
    config, kind = layer.get_config(), type(layer).__name__
    arguments = [
        f"{name}={config[name]!r}"
        for name, parameter in inspect.signature(type(layer).__init__).parameters.items()
        if name in config and name not in _NOT_SHOWN and not name.endswith("_initializer")
        if config[name] != parameter.default
        and not (name == "strides" and config[name] == config.get("pool_size"))
        and not (parameter.default is None and config[name] in ("linear", "channels_last"))
    ]
    return f"keras.layers.{kind}({', '.join(arguments)})"


def _set_threads(tf: Any, threads: int) -> None:
    """Set the number of threads, which TensorFlow accepts only before its first computation."""
    setting = tf.config.threading
    if setting.get_intra_op_parallelism_threads() != threads:
        try:
            setting.set_intra_op_parallelism_threads(threads)
            setting.set_inter_op_parallelism_threads(threads)
        except RuntimeError:
            logging.getLogger(__name__).info(
                "TensorFlow has already started; its number of threads stays as it is"
            )
