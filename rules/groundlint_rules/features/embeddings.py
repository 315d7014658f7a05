"""Embeddings of an image: numbers that are close to each other for images of similar content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 128
"""Side, in px, of the square that SqueezeNet sees. At 160 px it finds slightly more and takes half as long again."""

NET, LAYOUT, EFFICIENTNET = 512, 896, 1280
"""Numbers in an embedding of SqueezeNet, of the layout and of EfficientNet-Lite0."""

_EFFICIENTNET_SIDE = 224
"""Side, in px, of the square on which EfficientNet-Lite0 was trained."""

_ROOT_SCALE = 255 / 6**0.5
"""Activations of EfficientNet-Lite0 go up to 6; the largest root is stored as 255."""


@step(of="images")
def square(detail: Image) -> NDArray[np.uint8]:
    """The image as an RGB square, (128, 128, 3)."""
    import numpy as np
    from PIL import Image as Pillow

    return np.asarray(detail.resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))


@feature(of="images", dtype=bytes, only_labeled=True, length=2 * NET)
def squeezenet(square: NDArray[np.uint8]) -> bytes:
    """Activations of SqueezeNet 1.1 without its head: 512 numbers in half precision."""
    import numpy as np

    from groundlint_rules.features._squeezenet import embed

    return bytes(embed(square[None])[0].astype(np.float16).tobytes())


@feature(of="images", dtype=bytes, only_labeled=True, length=2 * LAYOUT)
def layout(square: NDArray[np.uint8]) -> bytes:
    """Layout of colors and edges: 896 numbers in half precision."""
    import numpy as np

    from groundlint_rules.algorithms.layout import layout as measured

    return bytes(measured(square[None])[0].astype(np.float16).tobytes())


@feature(of="images", dtype=bytes, only_labeled=True, requires="onnxruntime", length=EFFICIENTNET)
def efficientnet(detail: Image) -> bytes:
    """Activations of EfficientNet-Lite0 without its head, if the extra `embed` is installed: 1,280 bytes.

    A byte is the square root of an activation, 255 for the root of 6: it is the roots that are compared.
    """
    import numpy as np
    from PIL import Image as Pillow

    from groundlint_rules.features._efficientnet import embed

    side = (_EFFICIENTNET_SIDE, _EFFICIENTNET_SIDE)
    roots = np.sqrt(embed(np.asarray(detail.resize(side, Pillow.Resampling.BILINEAR))))
    return bytes(np.clip(np.rint(roots * _ROOT_SCALE), 0, 255).astype(np.uint8).tobytes())
