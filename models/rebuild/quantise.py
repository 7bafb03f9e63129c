#!/usr/bin/env python3
"""Quantises the detector to INT8: static, QDQ, int8 weights by channel, uint8 activations, MinMax calibration.

    quantise.py FP32.onnx OUT.onnx SIDE PICTURE_OR_VIDEO...

Of a video, about 24 frames are taken at equal distances, each once as it is and once mirrored.
"""

import os
import sys
import tempfile

import cv2
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

# Grey of the bars beside a letterboxed picture; `pad` in model.toml.
PAD = 114
FRAMES_OF_A_VIDEO = 24
# Operators whose inputs and outputs become INT8. The rest of the graph is small or kept in FP32.
QUANTISED = ["Conv", "LeakyRelu", "Concat", "MaxPool", "Add", "Resize"]


def pictures(path):
    """The pictures of a file, BGR."""
    if not path.endswith((".avi", ".mp4")):
        picture = cv2.imread(path)
        if picture is None:
            raise SystemExit(f"{path}: not a picture")
        return [picture]
    video = cv2.VideoCapture(path)
    distance = max(1, int(video.get(cv2.CAP_PROP_FRAME_COUNT)) // FRAMES_OF_A_VIDEO)
    taken, at = [], 0
    while True:
        more, frame = video.read()
        if not more:
            break
        if at % distance == 0:
            taken += [frame, frame[:, ::-1].copy()]
        at += 1
    if not taken:
        raise SystemExit(f"{path}: not a video")
    return taken


def letterbox(picture, side):
    """`picture` as the network takes it: [1, 3, side, side], ratio kept, centred."""
    height, width = picture.shape[:2]
    ratio = min(side / width, side / height)
    w, h = round(width * ratio), round(height * ratio)
    left, top = (side - w) // 2, (side - h) // 2
    canvas = np.full((side, side, 3), PAD, np.uint8)
    canvas[top : top + h, left : left + w] = cv2.resize(picture, (w, h))
    return np.ascontiguousarray(canvas.transpose(2, 0, 1)[None].astype(np.float32))


class Pictures(CalibrationDataReader):
    """Feeds the calibration, one picture at a time."""

    def __init__(self, taken, side):
        self.rest = iter(taken)
        self.side = side

    def get_next(self):
        picture = next(self.rest, None)
        return None if picture is None else {"images": letterbox(picture, self.side)}


def kept_in_fp32(graph):
    """Names of the nodes that stay as they are.

    From the heads' Split on, a tensor joins scores and boxes, whose ranges are too far apart for one scale. The
    normalisation stays too: its input is exact pixels.
    """
    kept, tensors = set(), set()
    for node in graph.node:
        if node.op_type == "Split" or any(name in tensors for name in node.input):
            kept.add(node.name)
            tensors.update(node.output)
        elif node.name.startswith("pre_"):
            kept.add(node.name)
    return sorted(kept)


def main():
    source, target, side, *files = sys.argv[1:]
    taken = [picture for file in files for picture in pictures(file)]
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        # Symbolic shapes are for graphs with open sides; this one has none.
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        kept = kept_in_fp32(onnx.load(prepared).graph)
        print(f"{len(taken)} calibration pictures, {len(kept)} nodes stay FP32")
        quantize_static(
            prepared,
            target,
            Pictures(taken, int(side)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=kept,
            op_types_to_quantize=QUANTISED,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    print(f"{target}: {os.path.getsize(target)} bytes")


main()
