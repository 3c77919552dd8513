"""Products and convolutions under PyTorch's autocast to bfloat16, with their gradients: python3 torch_bfloat16.py > torch_bfloat16.json"""

import json

import torch

torch.manual_seed(0)


def run(x, w, c, apply):
    x, w = x.requires_grad_(), w.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = apply(x, w)
    (y.float() * c).sum().backward()
    return y.float(), x.grad, w.grad


def told(t):
    return {"shape": list(t.shape), "data": [round(v, 9) for v in t.detach().flatten().tolist()]}


def nhwc(t):
    return t.permute(0, 2, 3, 1)


x, w, c = torch.randn(4, 6), torch.randn(6, 5), torch.randn(4, 5)
y, dx, dw = run(x, w, c, torch.matmul)
product = {"x": x, "w": w, "c": c, "y": y, "dx": dx, "dw": dw}

x, w, c = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), torch.randn(2, 4, 3, 3)
y, dx, dw = run(x, w, c, torch.nn.functional.conv2d)
convolution = {"x": nhwc(x), "w": w.permute(2, 3, 1, 0), "c": nhwc(c), "y": nhwc(y), "dx": nhwc(dx), "dw": dw.permute(2, 3, 1, 0)}

cases = {"product": product, "convolution": convolution}
print(json.dumps({name: {key: told(t) for key, t in case.items()} for name, case in cases.items()}))
