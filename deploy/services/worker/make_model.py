"""Writes the worker's model; needs the `onnx` package, which the service does not.

    python deploy/services/worker/make_model.py

With the rectifier r(v) = max(v, 0), the model computes r(a + b) - 2 r(a + b - 1): exclusive or of two bits, in weights
that every arithmetic represents exactly. Only operators that CUDA runs on cuBLAS and its own kernels are used, so that
the image needs no cuDNN.
"""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, TensorProto, checker, helper

TARGET = Path(__file__).parent / "drydock_worker" / "xor.onnx"
OPSET, IR_VERSION = 17, 8  # old enough for every runtime of the last years


def make_model() -> ModelProto:
    """Build the model, the same bytes every time."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        name="xor",
        nodes=[
            helper.make_node("Gemm", ["x", "hidden_weights", "hidden_bias"], ["sums"]),
            helper.make_node("Relu", ["sums"], ["hidden"]),
            helper.make_node("MatMul", ["hidden", "output_weights"], ["y"]),
        ],
        inputs=[helper.make_tensor_value_info("x", floats, ["rows", 2])],
        outputs=[helper.make_tensor_value_info("y", floats, ["rows", 1])],
        initializer=[
            helper.make_tensor("hidden_weights", floats, [2, 2], [1, 1, 1, 1]),
            helper.make_tensor("hidden_bias", floats, [2], [0, -1]),
            helper.make_tensor("output_weights", floats, [2, 1], [1, -2]),
        ],
    )
    model = helper.make_model(
        graph, producer_name="drydock", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    TARGET.write_bytes(make_model().SerializeToString(deterministic=True))
