"""What a picture shows, as 1,280 numbers: the backbone of EfficientNet-Lite0 in whole numbers, run by onnxruntime.

The net is the Lite0 of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML
2019, arXiv:1905.11946), trained on ImageNet; NOTICE beside this file has where the weights come from and their licence.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = "efficientnet_lite0_int8.onnx"
FEATURES = 1280


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Pictures are measured in several processes, one thread each.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    weights = files(__package__).joinpath(WEIGHTS).read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def embed(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What one RGB picture shows: (side, side, 3), 0 to 255, best 224 pixels a side, to (1280,), from 0 to 6."""
    planes = picture.transpose(2, 0, 1)[None].astype(np.float32)
    return cast("NDArray[np.float32]", _session().run(None, {"x": planes})[0][0])
