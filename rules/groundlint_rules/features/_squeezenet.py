"""What a picture shows, as 512 numbers: the backbone of SqueezeNet 1.1, run by numpy alone.

The net is that of Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
size" (arXiv:1602.07360), in the version 1.1 of its authors, trained on ImageNet; NOTICE beside this file has where the
weights come from and their licences. The first convolution and the pools take whole windows only; nothing is left over
at the edges of 128 and 160 pixels, so that there it does not matter that others round up.

One picture at a time goes through: all it needs stays in a core's cache, and its numbers do not depend on what else is
in the batch. Let BLAS have one thread (OPENBLAS_NUM_THREADS=1) and work in several processes: on products this small
its threads mostly wait for each other.
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
"""The smallest picture, in pixels, of which the last pool leaves something."""

_MEAN_BGR = np.array([104.006, 116.669, 122.679], np.float32)
_POOL_BEFORE = (2, 4, 6)
_FIRES = range(2, 10)


class _Layer(NamedTuple):
    """A convolution as a matrix: (window height * window width * channels in, channels out), and its bias."""

    weights: FloatArray
    bias: FloatArray


@cache
def _layers() -> dict[str, _Layer]:
    """The layers by name, `conv1`, `fire2.squeeze1x1` and so on, made for RGB from 0 to 255."""
    with files(__package__).joinpath(WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        layers = {}
        for name in (key.removesuffix(".w") for key in stored if key.endswith(".w")):
            kernel = stored[f"{name}.w"].astype(np.float32)
            bias = stored[f"{name}.b"].astype(np.float32)
            if name == "conv1":
                # (BGR - mean) @ w is RGB @ reversed w, less a constant: no pass over the pixels is needed.
                bias = bias - np.einsum("hwco,c->o", kernel, _MEAN_BGR)
                kernel = kernel[:, :, ::-1]
            layers[name] = _Layer(np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1])), bias)
    return layers


def _windows(picture: NDArray[np.generic], stride: int) -> FloatArray:
    """The 3 x 3 windows of a picture (height, width, channels) as rows (window, 9 * channels)."""
    windows = sliding_window_view(picture, (3, 3), (0, 1))[::stride, ::stride]
    rows = np.empty((windows.shape[0], windows.shape[1], 3, 3, picture.shape[2]), np.float32)
    rows[...] = windows.transpose(0, 1, 3, 4, 2)
    return rows.reshape(-1, 9 * picture.shape[2])


def _pool(picture: FloatArray) -> FloatArray:
    """The maximum of each whole 3 x 3 window, two pixels apart: (height, width, channels) to about half of both."""
    height, width = picture.shape[0] - 2, picture.shape[1] - 2
    rows = np.maximum(picture[:height:2], picture[1 : height + 1 : 2])
    np.maximum(rows, picture[2::2][: len(rows)], out=rows)
    pooled = np.maximum(rows[:, :width:2], rows[:, 1 : width + 1 : 2])
    return np.maximum(pooled, rows[:, 2::2][:, : pooled.shape[1]], out=pooled)


def _activate(values: FloatArray, bias: FloatArray) -> FloatArray:
    """Adds the bias and cuts at zero, in place."""
    np.add(values, bias, out=values)
    return np.maximum(values, 0, out=values)


def _fire(picture: FloatArray, squeeze: _Layer, expand1x1: _Layer, expand3x3: _Layer) -> FloatArray:
    """A fire module without its last step: (height, width, channels) to the expanded channels before the bias."""
    height, width, channels = picture.shape
    squeezed = _activate(picture.reshape(-1, channels) @ squeeze.weights, squeeze.bias)
    few = squeezed.shape[1]
    framed = np.zeros((height + 2, width + 2, few), np.float32)
    framed[1:-1, 1:-1] = squeezed.reshape(height, width, few)
    half = len(expand1x1.bias)
    expanded = np.empty((height * width, half + len(expand3x3.bias)), np.float32)
    np.matmul(squeezed, expand1x1.weights, out=expanded[:, :half])
    np.matmul(_windows(framed, 1), expand3x3.weights, out=expanded[:, half:])
    return expanded.reshape(height, width, -1)


def embed(pixels: NDArray[np.uint8]) -> FloatArray:
    """What pictures show, as numbers: pictures of like things lie close.

    Args:
        pixels: RGB pictures of one size, (n, side, side, 3), 0 to 255; a side of at least 31 pixels. Sides of 128 and
            160 lose nothing at the edges.

    Returns:
        (n, 512): the mean over the picture of each channel of the last fire module; not negative, not scaled. Row by
        row the same whatever the other rows are.

    Raises:
        ValueError: if the pixels are of another type or shape.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or min(pixels.shape[1:3]) < MIN_SIDE:
        raise ValueError(f"not RGB pictures of at least {MIN_SIDE} pixels: {pixels.dtype} {pixels.shape}")
    layers = _layers()
    features = np.empty((len(pixels), FEATURES), np.float32)
    for number, picture in enumerate(pixels):
        features[number] = _activations(picture, layers, _FIRES[-1]).mean((0, 1))
    return features


def activations(pixels: NDArray[np.uint8], fire: int) -> FloatArray:
    """What the places of one picture show: (height, width, 3) to (cells, cells, channels) of a fire module, 2 to 9.

    Of a square of 128 pixels the modules from 6 on have 7 x 7 cells, whose middles are 16 pixels apart.
    """
    return _activations(pixels, _layers(), fire)


def _activations(pixels: NDArray[np.uint8], layers: dict[str, _Layer], last: int) -> FloatArray:
    """What a fire module makes of one picture (height, width, 3): (cells, cells, channels), not negative."""
    height, width = ((side - 1) // 2 for side in pixels.shape[:2])
    conv1 = layers["conv1"]
    values = (_windows(pixels, 2) @ conv1.weights).reshape(height, width, -1)
    bias = conv1.bias
    for fire in _FIRES[: last - 1]:
        # The maximum of sums with one bias is the sum of the maximum: pooling first leaves a quarter to be activated.
        if fire in _POOL_BEFORE:
            values = _pool(values)
        values = _activate(values, bias)
        squeeze, one, three = (layers[f"fire{fire}.{part}"] for part in ("squeeze1x1", "expand1x1", "expand3x3"))
        values = _fire(values, squeeze, one, three)
        bias = np.concatenate([one.bias, three.bias])
    return _activate(values, bias)
