"""The network of examples/mnist.py in TensorFlow, trained in the same way on the same images.

    python examples/tensorflow_mnist.py [IMAGES]

With a number, only so many training images are used.
"""

import os
import sys
from time import perf_counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer remarks from TensorFlow

import keras
from keras import layers

import pellucid as pl  # for the images, and for the table at the end


def main(images: int | None = None) -> None:
    keras.utils.set_random_seed(0)
    digits = pl.data.load("mnist")
    assert digits.test is not None
    train, validation = digits.train.take(images or len(digits.train)).split(0.1, seed=0)
    standardize = pl.Preprocessing.fit(train.images)

    def arrays(part: pl.data.DataSet) -> tuple[pl.types.Array, pl.types.Array]:
        return standardize(part.images).transpose(0, 2, 3, 1), part.labels  # channels last

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 5, padding="same", activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, kernel_initializer="he_normal"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        *arrays(train),
        batch_size=64,
        epochs=3,
        validation_data=arrays(validation),
        callbacks=[PrintEpochs(len(train))],
        verbose=0,
    )

    x, labels = arrays(digits.test)
    loss, _ = model.evaluate(x, labels, batch_size=256, verbose=0)
    scores = model.predict(x, batch_size=256, verbose=0)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(scores))
    print(pl.Evaluation(labels, probabilities, digits.test.classes, loss))


class PrintEpochs(keras.callbacks.Callback):
    """Prints a line for each epoch."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images, self.best = images, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        mark = " (best)" if logs["val_accuracy"] > self.best else ""
        self.best = max(self.best, logs["val_accuracy"])
        seconds = perf_counter() - self.started
        print(
            f"epoch {epoch + 1}/3 · loss {logs['loss']:.4f}, "
            f"accuracy {100 * logs['accuracy']:.2f} % · "
            f"validation loss {logs['val_loss']:.4f}, accuracy {100 * logs['val_accuracy']:.2f} %"
            f"{mark} · {seconds:.1f} s, {self.images / seconds:,.0f} images/s"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
