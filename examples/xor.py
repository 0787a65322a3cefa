"""A multilayer perceptron learns XOR, which no single linear layer can.

python examples/xor.py
"""

import numpy as np

import pellucid as pl
from pellucid import layers as nn


def main() -> None:
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([[0], [1], [1], [0]], np.float32)

    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = pl.optim.Adam(model.parameters(), lr=0.05)
    loss = pl.losses.mean_squared_error
    for epoch in pl.train(model, (x, y), optimizer=optimizer, loss=loss, epochs=300):
        if epoch.epoch % 50 == 0:
            print(epoch)

    print("\n a  b   output   a xor b")
    for (a, b), output in zip(x, model(x)[:, 0], strict=True):
        print(f" {a:.0f}  {b:.0f}  {output:7.3f}   {int(output > 0.5)}")


if __name__ == "__main__":
    main()
