"""
An LSTM of PyTorch's, with the gradients of the sum of c times its states:

    python3 torch_lstm.py > torch_lstm.json
    python3 torch_lstm.py exact > torch_lstm_exact.json

`exact` computes float32 numbers in float64, and says of each result how large the sum of its absolute values over the samples is.
"""

import json
import sys

import torch

torch.manual_seed(0)


def told(t):
    return {"shape": list(t.shape), "data": [round(v, 9) for v in t.detach().flatten().tolist()]}


def results(lstm, x, c):
    x = x.detach().requires_grad_()
    lstm.zero_grad()
    y, _ = lstm(x)
    (y * c).sum().backward()
    kernel, recurrent, bias = lstm.weight_ih_l0.grad, lstm.weight_hh_l0.grad, lstm.bias_ih_l0.grad
    values = {"y": y, "dx": x.grad, "dkernel": kernel.T, "drecurrent": recurrent.T, "dbias": bias}
    return {name: value.detach().clone() for name, value in values.items()}


def largest_sums(lstm, x, c):
    parts = [results(lstm, x[i : i + 1], c[i : i + 1]) for i in range(len(x))]
    over_samples = {name: [part[name].abs() for part in parts] for name in parts[0]}
    return {
        name: (torch.cat(values).max() if name in ("y", "dx") else sum(values).max()).item()
        for name, values in over_samples.items()
    }


def case(samples, exact, steps=3, features=2, units=2):
    lstm = torch.nn.LSTM(features, units, batch_first=True)
    x, c = torch.randn(samples, steps, features), torch.randn(samples, steps, units)
    kernel, recurrent, bias = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0
    given = {"x": x, "c": c, "kernel": kernel.T, "recurrent": recurrent.T}
    if not exact:
        values = {**given, "bias": bias + lstm.bias_hh_l0, **results(lstm, x, c)}
        return {name: told(t) for name, t in values.items()}
    lstm.bias_hh_l0.data.zero_()
    values = {name: told(t) for name, t in {**given, "bias": bias}.items()}
    x, c = [torch.tensor(values[name]["data"]).float().reshape(t.shape).double() for name, t in (("x", x), ("c", c))]
    for weight, name in ((kernel, "kernel"), (recurrent, "recurrent"), (bias, "bias")):
        read = torch.tensor(values[name]["data"]).float().reshape(values[name]["shape"])
        weight.data = read.T if read.dim() == 2 else read
    lstm.double()
    return {**values, **{name: told(t) for name, t in results(lstm, x, c).items()}, "sums": largest_sums(lstm, x, c)}


exact = sys.argv[1:] == ["exact"]
print(json.dumps({f"{samples} samples": case(samples, exact) for samples in ([32] if exact else [3, 33])}))
