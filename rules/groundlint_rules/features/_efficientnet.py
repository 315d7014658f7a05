"""EfficientNet-Lite0 without its head: one pass describes what an image shows, as a whole and cell by cell.

The net is the Lite0 variant of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(ICML 2019, arXiv:1905.11946), trained on ImageNet, quantized to 8-bit integers and run by onnxruntime. The file NOTICE
beside this module states the origin and the license of the weights; tools/remake_efficientnet_weights.py makes them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = "efficientnet_lite0_int8.onnx"

_ROOT_SCALE = 255 / 6**0.5
"""The activations that an embedding averages go up to 6; the largest root is stored as 255."""


class Activations(NamedTuple):
    """What the net sees in one image.

    Attributes:
        embedding: The mean over the image of each channel of the last layer, (1280,), 0 to 6.
        cells: An inner layer, (side / 16, side / 16, 112), of either sign. A cell describes best what lies in its
            16 x 16 px, but sees much of the image.
    """

    embedding: NDArray[np.float32]
    cells: NDArray[np.float32]


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Images are measured in several processes, with one thread each.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    weights = files(__package__).joinpath(WEIGHTS).read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def activations(image: NDArray[np.uint8]) -> Activations:
    """Describe one RGB image, (side, side, 3), 0 to 255; the net was trained on sides of 224 px."""
    embedding, cells = _session().run(("embedding", "cells"), {"pixels": image[None]})
    return Activations(embedding[0], cells[0])


def root_bytes(embedding: NDArray[np.float32]) -> bytes:
    """The square root of each number of an embedding as a byte, 255 for the root of 6."""
    return bytes(np.clip(np.rint(np.sqrt(embedding) * _ROOT_SCALE), 0, 255).astype(np.uint8).tobytes())
