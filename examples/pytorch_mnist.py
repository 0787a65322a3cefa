"""The network of examples/mnist.py in PyTorch, trained in the same way on the same images.

    python examples/pytorch_mnist.py [IMAGES]

With a number, only so many training images are used.
"""

import sys
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import pellucid as pl  # for the images, and for the table at the end


def main(images: int | None = None) -> None:
    torch.manual_seed(0)
    digits = pl.data.load("mnist")
    assert digits.test is not None
    train, validation = digits.train.take(images or len(digits.train)).split(0.1, seed=0)
    standardize = pl.Preprocessing.fit(train.images)

    def tensors(part: pl.data.DataSet) -> TensorDataset:
        x = np.ascontiguousarray(standardize(part.images))
        return TensorDataset(torch.from_numpy(x), torch.from_numpy(part.labels))

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
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    adam = torch.optim.Adam(model.parameters())
    batches = DataLoader(tensors(train), batch_size=64, shuffle=True)
    best = 0.0
    for epoch in range(1, 4):
        started, loss_sum, correct = perf_counter(), 0.0, 0
        model.train()
        for x, targets in batches:
            adam.zero_grad()
            scores = model(x)
            loss = nn.functional.cross_entropy(scores, targets)
            loss.backward()
            adam.step()
            loss_sum += loss.item() * len(x)
            correct += int((scores.argmax(1) == targets).sum())
        rate = len(train) / (perf_counter() - started)
        validated = evaluate(model, tensors(validation))
        mark = " (best)" if validated.accuracy > best else ""
        best = max(best, validated.accuracy)
        print(
            f"epoch {epoch}/3 · loss {loss_sum / len(train):.4f}, "
            f"accuracy {100 * correct / len(train):.2f} % · "
            f"validation loss {validated.loss:.4f}, accuracy {100 * validated.accuracy:.2f} %"
            f"{mark} · {perf_counter() - started:.1f} s, {rate:,.0f} images/s"
        )

    print(evaluate(model, tensors(digits.test)))


def evaluate(model: nn.Module, data: TensorDataset) -> pl.Evaluation:
    model.eval()
    with torch.no_grad():
        scores = torch.cat([model(x) for x, _ in DataLoader(data, batch_size=256)])
    _, labels = data.tensors
    loss = nn.functional.cross_entropy(scores, labels).item()
    probabilities = scores.softmax(1).numpy()
    return pl.Evaluation(labels.numpy(), probabilities, tuple("0123456789"), loss)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
