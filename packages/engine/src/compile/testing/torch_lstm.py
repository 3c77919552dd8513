"""An LSTM of PyTorch's, with the gradients of the sum of c times its states: python3 torch_lstm.py > torch_lstm.json"""

import json

import torch

torch.manual_seed(0)


def told(t):
    return {"shape": list(t.shape), "data": [round(v, 9) for v in t.detach().flatten().tolist()]}


def case(samples, steps=3, features=2, units=2):
    lstm = torch.nn.LSTM(features, units, batch_first=True)
    x, c = torch.randn(samples, steps, features, requires_grad=True), torch.randn(samples, steps, units)
    y, _ = lstm(x)
    (y * c).sum().backward()
    kernel, recurrent, bias = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0
    values = {"x": x, "c": c, "kernel": kernel.T, "recurrent": recurrent.T, "bias": bias + lstm.bias_hh_l0, "y": y}
    gradients = {"dx": x.grad, "dkernel": kernel.grad.T, "drecurrent": recurrent.grad.T, "dbias": bias.grad}
    return {name: told(t) for name, t in {**values, **gradients}.items()}


print(json.dumps({f"{samples} samples": case(samples) for samples in (3, 33)}))
