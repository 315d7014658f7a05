"""EfficientNet-Lite0 without its head: 1,280 numbers that describe what an image shows.

The net is the Lite0 variant of Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
(ICML 2019, arXiv:1905.11946), trained on ImageNet, quantized to 8-bit integers and run by onnxruntime. The file NOTICE
beside this module states the origin and the license of the weights; tools/remake_efficientnet_weights.py makes them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "efficientnet_lite0_int8.onnx"
FEATURES = 1280


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Images are measured in several processes, with one thread each.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    weights = files(__package__).joinpath(WEIGHTS).read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def embed(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embed one RGB image.

    Args:
        image: (side, side, 3), 0 to 255; the net was trained on sides of 224 px.

    Returns:
        (1280,), 0 to 6.
    """
    return cast("NDArray[np.float32]", _session().run(["embedding"], {"pixels": image[None]})[0][0])
