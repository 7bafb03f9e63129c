#!/usr/bin/env python3
"""Makes a whole detector of the converted graph: normalisation before it, decoding of the boxes behind it.

    complete.py CONVERTED.onnx OUT.onnx SIDE

    images  float32 [1, 3, SIDE, SIDE]  BGR, 0-255
    boxes   float32 [1, n, 4]           left, top, right, bottom in pixels of the input, not clipped
    scores  float32 [1, n, 80]          0-1, in the order of coco80.txt

SIDE is a multiple of 32; n is the number of cells, 3549 at 416 and 2100 at 320. Threshold and non-maximum suppression are left to the caller.
"""

import os
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
import onnxsim
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
CLASSES = 80
# NanoDet reads the distance from a cell's centre to a side of the box as the expectation over 0..10 strides.
BINS = 11
# Mean and deviation of ImageNet in BGR, as in NanoDet's configuration.
MEAN = [103.53, 116.28, 123.675]
DEVIATION = [57.375, 57.12, 58.395]


def simplified(model):
    model, sound = onnxsim.simplify(model)
    if not sound:
        raise SystemExit("onnxsim: the simplified graph gives other results")
    return model


def optimised(model):
    """Lets ONNX Runtime fuse what is exact on any processor, such as a bias into its convolution."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.path.join(folder, "before.onnx")
        after = os.path.join(folder, "after.onnx")
        onnx.save(model, before)
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = after
        ort.InferenceSession(before, options, providers=["CPUExecutionProvider"])
        return onnx.load(after)


def fuse_pads(graph):
    """Gives convolutions and pools the padding that TensorFlow keeps in nodes of their own."""
    initializers = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in list(graph.node):
        if node.op_type not in ("Conv", "MaxPool"):
            continue
        pad = producers.get(node.input[0])
        if pad is None or pad.op_type != "Pad" or len(readers[pad.output[0]]) != 1:
            continue
        # By axis of NCHW: four widths before, four after.
        widths = initializers[pad.input[1]]
        fill = float(np.ravel(initializers[pad.input[2]])[0]) if len(pad.input) > 2 else 0.0
        if widths[[0, 1, 4, 5]].any():
            continue
        # What the operators pad with by definition: zero, and minus infinity.
        if (fill != 0) if node.op_type == "Conv" else (fill > -1e30):
            continue
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if "pads" in attributes and any(attributes["pads"].ints):
            continue
        for name in ("auto_pad", "pads"):
            if name in attributes:
                node.attribute.remove(attributes[name])
        sides = [int(widths[at]) for at in (2, 3, 6, 7)]
        node.attribute.append(helper.make_attribute("pads", sides))
        node.input[0] = pad.input[0]
        graph.node.remove(pad)


def free_of_size(model):
    """Takes the picture's size out of the graph: the heads count their cells, resizing goes by a factor."""
    graph = model.graph
    initializers = {initializer.name: initializer for initializer in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*inferred.value_info, *graph.input]
    }

    def added(name, values):
        graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in initializers:
            shape = numpy_helper.to_array(initializers[node.input[1]]).copy()
            if len(shape) == 3 and shape[0] == 1:
                shape[2] = -1
                node.input[1] = added(f"{node.input[1]}_{node.name}", shape)
        if node.op_type == "Resize":
            before = shapes[node.input[0]]
            after = numpy_helper.to_array(initializers[node.input[3]])
            factors = np.array([1, 1, after[2] / before[2], after[3] / before[3]], np.float32)
            name = added(f"rs_{node.name}", factors)
            del node.input[2:]
            node.input.append(name)


class Ends:
    """Adds nodes and constants to a graph. quantise.py knows them by `pre_` and `post_`."""

    def __init__(self, graph, side):
        self.graph = graph
        self.side = side

    def constant(self, name, values):
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def normalise(self):
        """Puts (pixel - mean) / deviation in front."""
        old = self.graph.input[0].name
        inner = f"{old}_n"
        for node in self.graph.node:
            for at, name in enumerate(node.input):
                if name == old:
                    node.input[at] = inner
        mean = self.constant("pre_mean", np.float32(MEAN).reshape(1, 3, 1, 1))
        scale = [1 / deviation for deviation in DEVIATION]
        scale = self.constant("pre_scale", np.float32(scale).reshape(1, 3, 1, 1))
        subtract = helper.make_node("Sub", ["images", mean], ["pre_sub"], name="pre_sub")
        multiply = helper.make_node("Mul", ["pre_sub", scale], [inner], name="pre_mul")
        self.graph.node.insert(0, subtract)
        self.graph.node.insert(1, multiply)
        del self.graph.input[:]
        shape = [1, 3, self.side, self.side]
        self.graph.input.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, shape))

    def append(self, operator, inputs, output, **attributes):
        node = helper.make_node(operator, inputs, [output], name=f"post_{output}", **attributes)
        self.graph.node.append(node)

    def decode(self):
        """Joins the three scales and makes corners of the distances."""
        centres, strides = cells(self.side)
        proposals = len(centres)
        self.append("Concat", ["cls_s8", "cls_s16", "cls_s32"], "scores", axis=1)
        self.append("Concat", ["reg_s8", "reg_s16", "reg_s32"], "post_reg", axis=1)
        shape = self.constant("post_shape", np.array([1, proposals, 4, BINS], np.int64))
        self.append("Reshape", ["post_reg", shape], "post_r4")
        self.append("Softmax", ["post_r4"], "post_sm", axis=-1)
        bins = self.constant("post_bins", np.arange(BINS, dtype=np.float32).reshape(BINS, 1))
        self.append("MatMul", ["post_sm", bins], "post_d1")
        shape = self.constant("post_shape2", np.array([1, proposals, 4], np.int64))
        self.append("Reshape", ["post_d1", shape], "post_d")
        self.append("Mul", ["post_d", self.constant("post_stride", strides[None])], "post_dist")
        # Left and top lie before the centre, right and bottom behind it.
        sign = self.constant("post_sign", np.float32([-1, -1, 1, 1]).reshape(1, 1, 4))
        self.append("Mul", ["post_dist", sign], "post_off")
        corners = self.constant("post_ctr", np.concatenate([centres, centres], 1)[None])
        self.append("Add", ["post_off", corners], "boxes")
        del self.graph.output[:]
        for name, last in (("boxes", 4), ("scores", CLASSES)):
            shape = [1, proposals, last]
            info = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            self.graph.output.append(info)


def cells(side):
    """Centre [n, 2] and stride [n, 1] of every cell in pixels of the input, finest scale first, by row."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[: side // stride, : side // stride]
        centre = np.stack([(columns.ravel() + 0.5) * stride, (rows.ravel() + 0.5) * stride], 1)
        centres.append(centre.astype(np.float32))
        strides.append(np.full((rows.size, 1), stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


def main():
    source, target, side = sys.argv[1:]
    model = optimised(simplified(onnx.load(source)))
    fuse_pads(model.graph)
    free_of_size(model)
    ends = Ends(model.graph, int(side))
    ends.normalise()
    ends.decode()
    # Shapes and operator sets that ONNX Runtime noted are no longer true, or not needed.
    del model.graph.value_info[:]
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 13))
    model.ir_version = 8
    model.producer_name = "tfjs2onnx"
    model = simplified(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)
    print(f"{target}: {len(model.graph.node)} nodes, {os.path.getsize(target)} bytes")


main()
