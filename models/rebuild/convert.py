#!/usr/bin/env python3
"""Converts NanoDet-g from a TensorFlow.js graph model to ONNX (operator set 13), without TensorFlow.

    convert.py nanodet.json OUT.onnx

Input `images`, float32 [1, 3, 416, 416], normalised BGR. Outputs for each stride s of 8, 16, 32: `cls_s`
[1, cells, 80], scores after the sigmoid, and `reg_s` [1, cells, 44], the logits of the four side distances in 11
bins each.

Only the operators of this one model are known, and only as it uses them; anything else ends the program. Names are
numbered in the order of emission and end up in the weights: another order gives other bytes.
"""

import base64
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT = "input_1"
SHAPE = [1, 3, 416, 416]
OUTPUTS = {
    "Identity": "cls_s8",
    "Identity_1": "cls_s16",
    "Identity_2": "cls_s32",
    "Identity_3": "reg_s8",
    "Identity_4": "reg_s16",
    "Identity_5": "reg_s32",
}
TO_NCHW = [0, 3, 1, 2]
TO_NHWC = [0, 2, 3, 1]


def load(path):
    """Reads a TensorFlow.js graph model: its nodes and its weights by name."""
    with open(path) as file:
        model = json.load(file)
    weights = {}
    for group in model["weightsManifest"]:
        data = b""
        for part in group["paths"]:
            with open(os.path.join(os.path.dirname(path), part), "rb") as file:
                data += file.read()
        offset = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"])) if entry["shape"] else 1
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            values = np.frombuffer(data, stored, count, offset).astype(entry["dtype"])
            weights[entry["name"]] = values.reshape(entry["shape"])
            offset += count * stored.itemsize
    return model["modelTopology"]["node"], weights


def integers(attribute):
    return [int(value) for value in attribute["list"].get("i", [])]


def window(attributes, key):
    """Height and width of an NHWC attribute, once it is certain that nothing is padded."""
    padding = base64.b64decode(attributes["padding"]["s"]).decode()
    if padding != "VALID":
        raise SystemExit(f"padding {padding}: expected VALID")
    return integers(attributes[key])[1:3]


def dense(indices, shape, values, default):
    """TensorFlow's SparseToDense."""
    result = np.full(shape.astype(int), default, dtype=values.dtype)
    for at, index in enumerate(indices.reshape(-1, max(1, len(shape)))):
        result[tuple(index.astype(int))] = values if values.ndim == 0 else values[at]
    return result


class Converter:
    """Emits ONNX nodes for TensorFlow nodes, depth first from the outputs."""

    def __init__(self, nodes, constants):
        self.source = {node["name"]: node for node in nodes}
        self.constants = dict(constants)
        # ONNX name of each tensor that is there already, by its TensorFlow name.
        self.emitted = {INPUT: "images"}
        self.constant_names = {}
        self.nodes = []
        self.initializers = {}
        self.counter = 0

    def unique(self, prefix):
        self.counter += 1
        return f"{prefix}_{self.counter}"

    def constant(self, values, prefix="c"):
        name = self.unique(prefix)
        self.initializers[name] = np.ascontiguousarray(values)
        return name

    def emit(self, operator, inputs, outputs=1, **attributes):
        names = [self.unique(operator.lower()) for _ in range(outputs)]
        node = helper.make_node(operator, inputs, names, name=self.unique(operator), **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def tensor(self, name):
        """The ONNX name of a TensorFlow tensor; a constant is stored when it is first asked for."""
        if name not in self.constants:
            return self.emitted[name]
        if name not in self.constant_names:
            self.constant_names[name] = self.constant(self.constants[name], "w")
        return self.constant_names[name]

    def nchw(self, tensor):
        return self.emit("Transpose", [tensor], perm=TO_NCHW)

    def nhwc(self, tensor):
        return self.emit("Transpose", [tensor], perm=TO_NHWC)

    def build(self, output):
        """Emits `output` and all that it needs. A stack, since the graph is deeper than Python recurses."""
        stack = [output]
        while stack:
            name = stack[-1]
            if name in self.constants or name in self.emitted:
                stack.pop()
                continue
            node = self.source[name.split(":")[0]]
            known = self.constants.keys() | self.emitted.keys()
            missing = [needed for needed in node["input"] if needed not in known]
            if missing:
                stack.extend(missing)
            else:
                self.step(node)
                stack.pop()

    def step(self, node):
        """Emits one node whose inputs are there, or computes it if they are all constants."""
        operator, name, inputs = node["op"], node["name"], node["input"]
        values = [self.constants.get(needed) for needed in inputs]
        if all(value is not None for value in values):
            self.constants[name] = self.fold(operator, values)
            return
        method = getattr(self, f"on_{operator.lower()}", None)
        if method is None:
            raise SystemExit(f"unknown operator {operator} ({name})")
        result = method(inputs, values, node["attr"])
        if isinstance(result, str):
            self.emitted[name] = result
        else:
            for at, part in enumerate(result):
                self.emitted[name if at == 0 else f"{name}:{at}"] = part

    @staticmethod
    def fold(operator, values):
        if operator == "SparseToDense":
            return dense(*values)
        if operator == "AddV2":
            return values[0] + values[1]
        raise SystemExit(f"unknown operator on constants: {operator}")

    def on_identity(self, inputs, _values, _attributes):
        return self.tensor(inputs[0])

    def on_add(self, inputs, _values, _attributes):
        return self.emit("Add", [self.tensor(name) for name in inputs])

    on_addv2 = on_add

    def on_leakyrelu(self, inputs, _values, attributes):
        return self.emit("LeakyRelu", [self.tensor(inputs[0])], alpha=float(attributes["alpha"]["f"]))

    def on_sigmoid(self, inputs, _values, _attributes):
        return self.emit("Sigmoid", [self.tensor(inputs[0])])

    def on_transpose(self, inputs, values, _attributes):
        return self.emit("Transpose", [self.tensor(inputs[0])], perm=[int(axis) for axis in values[1]])

    def on_reshape(self, inputs, values, _attributes):
        return self.emit("Reshape", [self.tensor(inputs[0]), self.constant(values[1].astype(np.int64))])

    def on_concatv2(self, inputs, values, _attributes):
        return self.emit("Concat", [self.tensor(name) for name in inputs[:-1]], axis=int(values[-1]))

    def on_splitv(self, inputs, values, _attributes):
        sizes = values[1].astype(np.int64)
        operands = [self.tensor(inputs[0]), self.constant(sizes)]
        return self.emit("Split", operands, outputs=len(sizes), axis=int(values[2]))

    def on_pad(self, inputs, values, _attributes):
        widths = values[1].astype(np.int64)
        fill = float(values[2]) if len(values) > 2 else 0.0
        tensor = self.tensor(inputs[0])
        if not widths.any():
            return tensor
        before_then_after = self.constant(np.concatenate([widths[:, 0], widths[:, 1]]))
        # A pool is padded with minus infinity, which later steps cannot all store.
        fill = self.constant(np.float32(max(fill, -3e38)))
        return self.emit("Pad", [tensor, before_then_after, fill], mode="constant")

    on_padv2 = on_pad

    def on_conv2d(self, inputs, values, attributes):
        kernel = values[1]
        tensor = self.nchw(self.tensor(inputs[0]))
        weights = self.constant(kernel.transpose(3, 2, 0, 1).astype(np.float32), "w")
        result = self.emit(
            "Conv",
            [tensor, weights],
            strides=window(attributes, "strides"),
            dilations=window(attributes, "dilations"),
            kernel_shape=list(kernel.shape[:2]),
            auto_pad="VALID",
        )
        return self.nhwc(result)

    def on_maxpool(self, inputs, _values, attributes):
        result = self.emit(
            "MaxPool",
            [self.nchw(self.tensor(inputs[0]))],
            kernel_shape=window(attributes, "ksize"),
            strides=window(attributes, "strides"),
            auto_pad="VALID",
        )
        return self.nhwc(result)

    def on_resizebilinear(self, inputs, values, attributes):
        if attributes["align_corners"]["b"] or not attributes["half_pixel_centers"]["b"]:
            raise SystemExit("ResizeBilinear: expected half-pixel centres")
        tensor = self.nchw(self.tensor(inputs[0]))
        # ONNX wants all four sides, TensorFlow gives two.
        shape = self.emit("Shape", [tensor])
        first = self.constant(np.array([0]))
        end = self.constant(np.array([2]))
        outer = self.emit("Slice", [shape, first, end])
        sides = self.emit("Concat", [outer, self.constant(values[1].astype(np.int64))], axis=0)
        result = self.emit(
            "Resize",
            [tensor, "", "", sides],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        return self.nhwc(result)

    def model(self):
        for name in OUTPUTS:
            self.build(name)
        for name, public in OUTPUTS.items():
            self.nodes.append(helper.make_node("Identity", [self.tensor(name)], [public]))
        initializers = []
        for name, values in self.initializers.items():
            # TensorFlow's int32 indices and shapes are int64 in ONNX.
            wide = values.astype(np.int64) if values.dtype == np.int32 else values
            initializers.append(numpy_helper.from_array(wide, name))
        graph = helper.make_graph(
            self.nodes,
            "tfjs",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, SHAPE)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in OUTPUTS.values()],
            initializers,
        )
        opset = [helper.make_opsetid("", 13)]
        model = helper.make_model(graph, opset_imports=opset, producer_name="tfjs2onnx")
        model.ir_version = 8
        return onnx.shape_inference.infer_shapes(model, data_prop=True)


def main():
    source, target = sys.argv[1:]
    model = Converter(*load(source)).model()
    onnx.checker.check_model(model)
    onnx.save(model, target)
    print(f"{target}: {len(model.graph.node)} nodes")


main()
