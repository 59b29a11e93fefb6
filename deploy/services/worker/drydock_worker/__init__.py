"""Answers prediction jobs with a small ONNX model, on the CPU or on a GPU."""
