"""Quantises a network to INT8: static, QDQ, int8 weights by channel, uint8 activations, MinMax calibration.

    quantise.py JOB.json

The job names the FP32 graph, the file to write, the network's input, and the folder of tensors to calibrate on, which
gridpatrol has made with its own preprocessing. Progress goes to standard output, a line each; what was done is written
to the job's `result` as JSON.
"""

import json
import os
import sys

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

# Operators whose inputs and outputs become INT8: the body of a detector. The rest is small, or loses by it.
QUANTISED = [
    "Conv",
    "ConvTranspose",
    "Gemm",
    "Relu",
    "LeakyRelu",
    "Clip",
    "Concat",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Add",
    "Resize",
]
LAYERS = {"Conv", "ConvTranspose", "Gemm"}


class Tensors(CalibrationDataReader):
    """Feeds the calibration, one tensor at a time."""

    def __init__(self, job):
        self.job = job
        self.at = 0

    def get_next(self):
        if self.at == self.job["count"]:
            return None
        values = np.fromfile(os.path.join(self.job["tensors"], f"{self.at}.f32"), "<f4")
        self.at += 1
        if self.at % 16 == 0 or self.at == self.job["count"]:
            print(f"calibrated on {self.at} of {self.job['count']} frames", flush=True)
        return {self.job["input"]: values.reshape(self.job["shape"])}


def reached(nodes, seeds, forwards):
    """Names of the nodes that the outputs of `seeds` flow to, or that their inputs come from."""
    ends = (lambda node: (node.input, node.output)) if forwards else (lambda node: (node.output, node.input))
    tensors, found = set(), set()
    for node in nodes if forwards else reversed(nodes):
        before, after = ends(node)
        if any(name in tensors for name in before):
            found.add(node.name)
            tensors.update(after)
        if node.name in seeds:
            tensors.update(after)
    return found


def kept_in_fp32(graph, prefixes):
    """Names of the nodes that stay as they are.

    Before the first layer with weights is the normalisation, whose input is exact pixels. Behind the last one, and
    from where scores and boxes are split, is the decoding: tensors that join scores and boxes, whose ranges are too
    far apart for one scale.
    """
    nodes = list(graph.node)
    layers = {node.name for node in nodes if node.op_type in LAYERS}
    if not layers:
        raise SystemExit("the graph has no layer that can be quantised (Conv, ConvTranspose or Gemm)")
    body = layers | (reached(nodes, layers, True) & reached(nodes, layers, False))
    return sorted(
        node.name for node in nodes if node.name not in body or node.name.startswith(tuple(prefixes))
    )


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    prepared = job["out"] + ".prepared"
    print("preparing the graph", flush=True)
    # Symbolic shapes are for graphs with open sides; a model here has none.
    quant_pre_process(job["model"], prepared, skip_symbolic_shape=True)
    graph = onnx.load(prepared).graph
    kept = kept_in_fp32(graph, job["keep"])
    quantize_static(
        prepared,
        job["out"],
        Tensors(job),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        nodes_to_exclude=kept,
        op_types_to_quantize=QUANTISED,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )
    os.remove(prepared)
    opset = [entry.version for entry in onnx.load(job["out"]).opset_import if entry.domain in ("", "ai.onnx")]
    with open(job["result"], "w") as file:
        json.dump({"opset": opset[0], "nodes": len(graph.node), "kept": len(kept)}, file)


main()
