"""SqueezeNet 1.1 without its head, in numpy: 512 numbers that describe what an image shows.

The net is that of Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
size" (arXiv:1602.07360), version 1.1 of its authors, trained on ImageNet. The file NOTICE beside this module states the
origin and the licenses of the weights. The first convolution and the pools use whole windows only. At 128 and 160 px no
pixels are left over at the edges, so implementations that round up give the same result.

Images are processed one at a time: the working set stays in the cache of one core, and the result does not depend on
the other images of a batch. Use one BLAS thread (OPENBLAS_NUM_THREADS=1) in each of several processes: on matrices this
small, BLAS threads mostly wait for each other.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

WEIGHTS = "squeezenet_v1_1_fp16.npz"
FEATURES = 512
MIN_SIDE = 31
"""Smallest side, in px, for which the output of the last pool is not empty."""

_MEAN_BGR = np.array([104.006, 116.669, 122.679], np.float32)
_POOL_BEFORE = (2, 4, 6)
_FIRES = range(2, 10)


class _Layer(NamedTuple):
    """A convolution as a matrix (window height * window width * input channels, output channels), and its bias."""

    weights: FloatArray
    bias: FloatArray


@cache
def _layers() -> dict[str, _Layer]:
    """The layers by name (`conv1`, `fire2.squeeze1x1`, …), for RGB input from 0 to 255."""
    with files(__package__).joinpath(WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        layers = {}
        for name in (key.removesuffix(".w") for key in stored if key.endswith(".w")):
            kernel = stored[f"{name}.w"].astype(np.float32)
            bias = stored[f"{name}.b"].astype(np.float32)
            if name == "conv1":
                # (BGR - mean) @ w equals RGB @ reversed w minus a constant, which saves a pass over the pixels.
                bias = bias - np.einsum("hwco,c->o", kernel, _MEAN_BGR)
                kernel = kernel[:, :, ::-1]
            layers[name] = _Layer(np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1])), bias)
    return layers


def _windows(image: NDArray[np.generic], stride: int) -> FloatArray:
    """The 3 x 3 windows of an image, from (height, width, channels) to rows (window, 9 * channels)."""
    windows = sliding_window_view(image, (3, 3), (0, 1))[::stride, ::stride]
    rows = np.empty((windows.shape[0], windows.shape[1], 3, 3, image.shape[2]), np.float32)
    rows[...] = windows.transpose(0, 1, 3, 4, 2)
    return rows.reshape(-1, 9 * image.shape[2])


def _pool(values: FloatArray) -> FloatArray:
    """The maximum of each whole 3 x 3 window at a stride of two: (height, width, channels) to about half of both."""
    height, width = values.shape[0] - 2, values.shape[1] - 2
    rows = np.maximum(values[:height:2], values[1 : height + 1 : 2])
    np.maximum(rows, values[2::2][: len(rows)], out=rows)
    pooled = np.maximum(rows[:, :width:2], rows[:, 1 : width + 1 : 2])
    return np.maximum(pooled, rows[:, 2::2][:, : pooled.shape[1]], out=pooled)


def _activate(values: FloatArray, bias: FloatArray) -> FloatArray:
    """Add the bias and apply ReLU, in place."""
    np.add(values, bias, out=values)
    return np.maximum(values, 0, out=values)


def _fire(values: FloatArray, squeeze: _Layer, expand1x1: _Layer, expand3x3: _Layer) -> FloatArray:
    """A fire module up to its last bias, from (height, width, channels) to (height, width, expanded channels)."""
    height, width, channels = values.shape
    squeezed = _activate(values.reshape(-1, channels) @ squeeze.weights, squeeze.bias)
    few = squeezed.shape[1]
    padded = np.zeros((height + 2, width + 2, few), np.float32)
    padded[1:-1, 1:-1] = squeezed.reshape(height, width, few)
    half = len(expand1x1.bias)
    expanded = np.empty((height * width, half + len(expand3x3.bias)), np.float32)
    np.matmul(squeezed, expand1x1.weights, out=expanded[:, :half])
    np.matmul(_windows(padded, 1), expand3x3.weights, out=expanded[:, half:])
    return expanded.reshape(height, width, -1)


def embed(pixels: NDArray[np.uint8]) -> FloatArray:
    """Embed images, so that images of similar content are close.

    Args:
        pixels: RGB images of one size, (n, side, side, 3), 0 to 255, with sides of at least 31 px. Sides of 128 and
            160 px lose nothing at the edges.

    Returns:
        (n, 512): the mean over the image of each channel of the last fire module, not negative and not normalized. A
        row does not depend on the other rows.

    Raises:
        ValueError: The pixels have another type or shape.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or min(pixels.shape[1:3]) < MIN_SIDE:
        raise ValueError(f"not RGB images of at least {MIN_SIDE} px: {pixels.dtype} {pixels.shape}")
    layers = _layers()
    features = np.empty((len(pixels), FEATURES), np.float32)
    for number, image in enumerate(pixels):
        features[number] = _activations(image, layers, _FIRES[-1]).mean((0, 1))
    return features


def activations(pixels: NDArray[np.uint8], fire: int) -> FloatArray:
    """The output of a fire module, 2 to 9, for one image: from (height, width, 3) to (cells, cells, channels).

    For a square of 128 px the modules from 6 on have 7 x 7 cells, whose centers are 16 px apart.
    """
    return _activations(pixels, _layers(), fire)


def _activations(pixels: NDArray[np.uint8], layers: dict[str, _Layer], last: int) -> FloatArray:
    """The output of a fire module for one image (height, width, 3): (cells, cells, channels), not negative."""
    height, width = ((side - 1) // 2 for side in pixels.shape[:2])
    conv1 = layers["conv1"]
    values = (_windows(pixels, 2) @ conv1.weights).reshape(height, width, -1)
    bias = conv1.bias
    for fire in _FIRES[: last - 1]:
        # A bias per channel commutes with the maximum, so pooling first leaves a quarter of the values to activate.
        if fire in _POOL_BEFORE:
            values = _pool(values)
        values = _activate(values, bias)
        squeeze, one, three = (layers[f"fire{fire}.{part}"] for part in ("squeeze1x1", "expand1x1", "expand3x3"))
        values = _fire(values, squeeze, one, three)
        bias = np.concatenate([one.bias, three.bias])
    return _activate(values, bias)
