"""The recipe of ``pellucid train mnist`` as a plain PyTorch script; see mnist_recipe.py.

python mnist_in_pytorch.py ARRAYS NCHW|last THREADS
"""

import sys

import numpy as np
import torch
from torch import nn

EPOCHS, BATCH, RATE = 3, 64, 0.002


def main(arrays: str, order: str, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    memory = torch.channels_last if order == "last" else torch.contiguous_format
    images = {name: torch.from_numpy(array) for name, array in np.load(arrays).items()}
    x, t = images["x"].float(), images["t"].long()
    std, mean = torch.std_mean(x)
    model = nn.Sequential(
        nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 240), nn.ReLU(), nn.Linear(240, 168), nn.ReLU(), nn.Linear(168, 10),
    ).to(memory_format=memory)  # fmt: skip
    steps = EPOCHS * -(-len(x) // BATCH)
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, cycle_momentum=False
    )
    for _ in range(EPOCHS):
        for some in torch.randperm(len(x)).split(BATCH):
            batch = ((x[some] - mean) / std).to(memory_format=memory)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), t[some]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        right = sum(
            int((model((a.float() - mean) / std).argmax(1) == b).sum())
            for a, b in zip(images["test_x"].split(256), images["test_t"].split(256), strict=True)
        )
    print(f"Test accuracy {right / len(images['test_x']):.2%}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
