"""ONNX files, as exporters of PyTorch, Keras, TensorFlow and CNTK write them. Needs the package `onnx`."""

from conv_sheet.models.onnx.graph import read_onnx

__all__ = ["read_onnx"]
