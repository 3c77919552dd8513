"""Trains the benchmark's models with PyTorch: reads a request a line (JSON), answers samples per second (JSON).

Usage: torch_train.py X.f32 Y.i32 THREADS   (raw little-endian float32 [n, 1, 28, 28] and int32 [n])
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn

TIMED_EPOCHS = 2


def build(family, params):
    layers, channels, size = [], 1, 28
    if family == "mlp":
        layers.append(nn.Flatten())
        width = 784
        for units in params["hidden"]:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        return nn.Sequential(*layers, nn.Linear(width, 10))
    for filters in params["filters"]:
        layers.append(nn.Conv2d(channels, filters, 3, padding="same", bias=not params.get("batchNorm")))
        if params.get("batchNorm"):
            layers.append(nn.BatchNorm2d(filters))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels, size = filters, size // 2
    dense = params["dense"]
    layers += [nn.Flatten(), nn.Linear(channels * size * size, dense), nn.ReLU(), nn.Linear(dense, 10)]
    return nn.Sequential(*layers)


def train(request, x, y):
    torch.manual_seed(1)
    samples, batch = request["samples"], request["batchSize"]
    model = build(request["family"], request["familyParams"]).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, fused=request["fused"])
    loss_of = nn.CrossEntropyLoss()
    best = float("inf")
    for epoch in range(1 + TIMED_EPOCHS):
        begin = time.perf_counter()
        order = torch.randperm(samples)
        total, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for start in range(0, samples, batch):
            index = order[start : start + batch]
            inputs, labels = x[index], y[index]
            optimizer.zero_grad(set_to_none=True)
            logits = model(inputs)
            loss = loss_of(logits, labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            correct += (logits.detach().argmax(1) == labels).sum()
        float(total), int(correct)
        if epoch > 0:
            best = min(best, time.perf_counter() - begin)
    return samples / best


def main():
    torch.set_num_threads(int(sys.argv[3]))
    x = torch.from_numpy(np.fromfile(sys.argv[1], dtype="<f4").reshape(-1, 1, 28, 28))
    y = torch.from_numpy(np.fromfile(sys.argv[2], dtype="<i4")).long()
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"samplesPerSecond": train(json.loads(line), x, y)}), flush=True)


main()
