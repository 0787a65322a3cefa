"""A convolutional network learns to read handwritten digits.

    python examples/mnist.py

MNIST is downloaded the first time. Three epochs end at about 98 % on the test images.
"""

import pellucid as pl
from pellucid import layers as nn


def main() -> None:
    digits = pl.data.load("mnist")
    train, validation = digits.train.split(0.1, seed=0)

    model = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 10),
    )
    adam = pl.optim.Adam(model.parameters())
    for epoch in pl.train(model, train, validation=validation, optimizer=adam, epochs=3):
        print(epoch)

    assert digits.test is not None
    print(pl.evaluate(model, digits.test))


if __name__ == "__main__":
    main()
