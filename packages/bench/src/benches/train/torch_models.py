"""The zoo's families as PyTorch has them: the same layers with as many weights to train, channels first, recurrent layers fused."""

import torch
from torch import nn


class Steps(nn.Module):
    """Tokens by an embedding, images of one channel row by row."""

    def __init__(self, shape, width):
        super().__init__()
        tokens = shape.get("vocabulary")
        self.embedding = nn.Embedding(tokens, width) if tokens else None
        self.features = width if tokens else shape["inputShape"][1]

    def forward(self, x):
        return self.embedding(x) if self.embedding else x[:, 0]


class TextCnn(nn.Module):
    def __init__(self, shape, params):
        super().__init__()
        filters, kernels = params["filters"], params["kernels"]
        self.steps = Steps(shape, params["embedding"])
        self.convolutions = nn.ModuleList(
            nn.Conv1d(self.steps.features, filters, kernel, padding="same") for kernel in kernels
        )
        self.logits = nn.Linear(filters * len(kernels), shape["classes"])

    def forward(self, x):
        x = self.steps(x).transpose(1, 2)
        return self.logits(torch.cat([conv(x).relu().amax(2) for conv in self.convolutions], 1))


class Recurrent(nn.Module):
    """The second bias of PyTorch's recurrent layers, which tfjs' have not, stays zero and is not trained."""

    def __init__(self, kind, shape, params):
        super().__init__()
        units = params["units"]
        if len(set(units)) > 1:
            raise ValueError("layers must have as many units as each other")
        self.steps = Steps(shape, params.get("embedding"))
        self.layers = kind(self.steps.features, units[0], num_layers=len(units), batch_first=True)
        for name, weight in self.layers.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(weight)
                weight.requires_grad_(False)
        self.logits = nn.Linear(units[0], shape["classes"])

    def forward(self, x):
        return self.logits(self.layers(self.steps(x))[0][:, -1])


class Transformer(nn.Module):
    def __init__(self, shape, params):
        super().__init__()
        width = params["width"]
        self.embedding = nn.Embedding(shape["vocabulary"], width)
        self.positions = nn.Parameter(0.02 * torch.randn(shape["inputShape"][0], width))
        block = nn.TransformerEncoderLayer(
            width, params["heads"], params["hidden"], dropout=0.0, batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(width)
        self.encoder = nn.TransformerEncoder(block, params["blocks"], norm, enable_nested_tensor=False)
        self.logits = nn.Linear(width, shape["classes"])

    def forward(self, x):
        return self.logits(self.encoder(self.embedding(x) + self.positions).mean(1))


def mlp(shape, params):
    layers, width = [nn.Flatten()], 784
    for units in params["hidden"]:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, shape["classes"]))


def cnn(shape, params):
    layers, channels, size = [], 1, 28
    for filters in params["filters"]:
        layers.append(nn.Conv2d(channels, filters, 3, padding="same", bias=not params.get("batchNorm")))
        if params.get("batchNorm"):
            layers.append(nn.BatchNorm2d(filters))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        channels, size = filters, size // 2
    dense = params["dense"]
    layers += [nn.Flatten(), nn.Linear(channels * size * size, dense), nn.ReLU(), nn.Linear(dense, shape["classes"])]
    return nn.Sequential(*layers)


families = {
    "mlp": mlp,
    "cnn": cnn,
    "text-cnn": TextCnn,
    "gru": lambda shape, params: Recurrent(nn.GRU, shape, params),
    "lstm": lambda shape, params: Recurrent(nn.LSTM, shape, params),
    "transformer": Transformer,
}
