"""Prunes a chain of convolutions and dense layers with PyTorch and fine-tunes it with Adam.

unstructured: torch.nn.utils.prune.global_unstructured with L1Unstructured. structured: PyTorch's own pruning only zeroes channels, so the channels
of least L1 norm of every layer but the last are removed here, with what reads them.

Usage: prune.py FOLDER   (model.onnx; x, float32, and y, int32, raw little-endian; settings.json; gives out.onnx)
"""

import json
import os
import pathlib
import sys

# Threads that wait give the processor away, which a shared machine needs; read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.utils import prune


def read_layers(graph, weights, dropout):
    """The graph's nodes as PyTorch modules, with the names of their weights; dropout before the last of them."""
    modules, names = [], []
    for node in graph.node:
        values = [torch.from_numpy(weights[name].copy()) for name in node.input[1:]]
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Conv":
            out, inputs, *kernel = values[0].shape
            module = nn.Conv2d(inputs, out, kernel, padding=tuple(attributes["pads"][:2]))
            set_weights(module, *values)
        elif node.op_type == "Gemm":
            module = nn.Linear(*values[0].shape)
            set_weights(module, values[0].T, values[1])
        elif node.op_type == "MaxPool":
            module = nn.MaxPool2d(attributes["kernel_shape"], attributes["strides"])
        elif node.op_type in ("Relu", "Flatten"):
            module = {"Relu": nn.ReLU, "Flatten": nn.Flatten}[node.op_type]()
        elif node.op_type == "Transpose":
            continue
        else:
            raise ValueError(f"no PyTorch module for {node.op_type}")
        modules.append(module)
        if values:
            names.append((module, node.input[1], node.input[2]))
    return nn.Sequential(*modules[:-1], nn.Dropout(dropout), modules[-1]), names


def set_weights(module, weight, bias):
    module.weight = nn.Parameter(weight.contiguous())
    module.bias = nn.Parameter(bias.contiguous())
    if isinstance(module, nn.Conv2d):
        module.out_channels, module.in_channels = weight.shape[:2]


def remove_channels(layers, amount):
    """Keeps of each layer but the last the channels of largest L1 norm, a multiple of 8 of them, in their order."""
    for layer, following in zip(layers, layers[1:]):
        weight, after = layer.weight.data, following.weight.data
        keep = max(8, round(len(weight) * (1 - amount) / 8) * 8)
        kept = weight.flatten(1).abs().sum(1).topk(keep).indices.sort().values
        inputs = after.unflatten(1, (len(weight), -1))[:, kept]
        shape = (len(after), keep, *after.shape[2:]) if after.dim() == 4 else (len(after), -1)
        set_weights(layer, weight[kept], layer.bias.data[kept])
        set_weights(following, inputs.reshape(shape), following.bias.data)


def fine_tune(model, x, y, settings):
    optimizer = torch.optim.Adam(model.parameters(), lr=settings["learningRate"])
    loss_of = nn.CrossEntropyLoss()
    model.train()
    for _ in range(settings["epochs"]):
        for index in torch.randperm(len(x)).split(settings["batchSize"]):
            optimizer.zero_grad()
            loss_of(model(x[index]), y[index]).backward()
            optimizer.step()


def main():
    folder = pathlib.Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text())
    torch.manual_seed(1)
    torch.set_num_threads(settings["threads"])
    x = torch.from_numpy(np.fromfile(folder / "x", dtype="<f4")).reshape(-1, *settings["inputShape"]).movedim(-1, 1).contiguous()
    y = torch.from_numpy(np.fromfile(folder / "y", dtype="<i4")).long()
    exported = onnx.load(folder / "model.onnx")
    weights = {each.name: numpy_helper.to_array(each) for each in exported.graph.initializer}
    model, names = read_layers(exported.graph, weights, settings["dropout"])
    layers = [layer for layer, *_ in names]
    if settings["method"] == "structured":
        remove_channels(layers, settings["amount"])
    else:
        pruned = [(layer, "weight") for layer in layers]
        prune.global_unstructured(pruned, pruning_method=prune.L1Unstructured, amount=settings["amount"])
    fine_tune(model, x, y, settings)
    for layer, weight, bias in names:
        if prune.is_pruned(layer):
            prune.remove(layer, "weight")
        values = layer.weight.detach()
        weights[weight] = (values.T if isinstance(layer, nn.Linear) else values).contiguous().numpy()
        weights[bias] = layer.bias.detach().numpy()
    del exported.graph.initializer[:], exported.graph.value_info[:]
    exported.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    onnx.save(exported, folder / "out.onnx")


main()
