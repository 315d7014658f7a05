"""What a picture shows, as numbers that lie near each other for like things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 128
"""Pixels of the square that is looked at: at 160 the net finds a little more and takes half as long again."""

NET, LAYOUT, EFFICIENTNET = 512, 896, 1280
"""How many numbers there are of each kind."""

_LARGE_SIDE = 224
"""Pixels of the square that the larger net was trained on."""

_ROOT_SCALE = 255 / 6**0.5
"""The larger net's numbers go to 6; of their roots the largest is 255."""


@step(of="images")
def square(detail: Image) -> NDArray[np.uint8]:
    """The picture as a square in RGB, (128, 128, 3)."""
    import numpy as np
    from PIL import Image as Pillow

    return np.asarray(detail.resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))


@feature(of="images", dtype=bytes, only_labelled=True, length=2 * NET)
def squeezenet(square: NDArray[np.uint8]) -> bytes:
    """Activations of SqueezeNet 1.1 without its head: 512 numbers in half precision."""
    import numpy as np

    from groundlint_rules.features._squeezenet import embed

    return bytes(embed(square[None])[0].astype(np.float16).tobytes())


@feature(of="images", dtype=bytes, only_labelled=True, length=2 * LAYOUT)
def layout(square: NDArray[np.uint8]) -> bytes:
    """Where colours and edges are: 896 numbers in half precision."""
    import numpy as np

    from groundlint_rules.algorithms.layout import layout as measured

    return bytes(measured(square[None])[0].astype(np.float16).tobytes())


@feature(of="images", dtype=bytes, only_labelled=True, requires="onnxruntime", length=EFFICIENTNET)
def efficientnet(detail: Image) -> bytes:
    """Activations of EfficientNet-Lite0 without its head, where the extra `embed` is installed: 1,280 single bytes.

    They are the roots of the activations, in parts of 255 of the root of 6: it is the roots that are compared.
    """
    import numpy as np
    from PIL import Image as Pillow

    from groundlint_rules.features._efficientnet import embed

    side = (_LARGE_SIDE, _LARGE_SIDE)
    roots = np.sqrt(embed(np.asarray(detail.resize(side, Pillow.Resampling.BILINEAR))))
    return bytes(np.clip(np.rint(roots * _ROOT_SCALE), 0, 255).astype(np.uint8).tobytes())
