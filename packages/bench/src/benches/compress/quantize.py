"""Quantizes a model with ONNX Runtime's own tool: QDQ, uint8 activations, int8 weights for each channel.

Usage: quantize.py FOLDER   (model.onnx; x, raw little-endian float32; settings.json with calibration and inputShape; gives out.onnx)
"""

import json
import pathlib
import sys

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 64


class Samples(CalibrationDataReader):
    def __init__(self, name, x):
        self.batches = iter([{name: x[at : at + BATCH]} for at in range(0, len(x), BATCH)])

    def get_next(self):
        return next(self.batches, None)


def main():
    folder = pathlib.Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text())
    x = np.fromfile(folder / "x", dtype="<f4").reshape(-1, *settings["inputShape"])
    name = onnxruntime.InferenceSession(folder / "model.onnx").get_inputs()[0].name
    quant_pre_process(folder / "model.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
    quantize_static(
        folder / "prepared.onnx",
        folder / "out.onnx",
        Samples(name, x),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method={"minmax": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy}[settings["calibration"]],
    )


main()
