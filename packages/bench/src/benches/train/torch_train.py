"""Trains the benchmark's models with PyTorch: reads a request a line (JSON), answers samples per second and the weights trained (JSON).

Usage: torch_train.py FOLDER THREADS   (the folder has DATA.x, raw little-endian float32, and DATA.y, int32, of each data set)
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch_models import families

TIMED_EPOCHS = 2


def load(folder, name, shape):
    """Images as [n, channels, height, width], tokens as integers [n, steps]."""
    y = torch.from_numpy(np.fromfile(f"{folder}/{name}.y", dtype="<i4")).long()
    x = torch.from_numpy(np.fromfile(f"{folder}/{name}.x", dtype="<f4")).reshape(len(y), *shape["inputShape"])
    return (x.long() if "vocabulary" in shape else x.movedim(-1, 1).contiguous()), y


def train(request, x, y):
    torch.manual_seed(1)
    samples, batch = request["samples"], request["batchSize"]
    model = families[request["family"]](request["shape"], request["familyParams"]).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=0.001, fused=request["fused"])
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
    return {"samplesPerSecond": samples / best, "parameters": sum(weight.numel() for weight in weights)}


def main():
    folder = sys.argv[1]
    torch.set_num_threads(int(sys.argv[2]))
    data = {}
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        name = request["data"]
        if name not in data:
            data[name] = load(folder, name, request["shape"])
        print(json.dumps(train(request, *data[name])), flush=True)


main()
