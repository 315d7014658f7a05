"""What a picture shows, as numbers that lie near each other for like things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 128
"""Pixels of the square that is looked at: at 160 the net finds a little more and takes half as long again."""

NET, LAYOUT = 512, 896
"""How many numbers there are of each kind."""


@step(of="images")
def square(detail: Image) -> NDArray[np.uint8]:
    """The picture as a square in RGB, (128, 128, 3)."""
    import numpy as np
    from PIL import Image as Pillow

    return np.asarray(detail.resize((SIDE, SIDE), Pillow.Resampling.BILINEAR))


@feature(of="images", dtype=bytes, only_labelled=True)
def net(square: NDArray[np.uint8]) -> bytes:
    """Activations of SqueezeNet 1.1 without its head: 512 numbers in half precision."""
    import numpy as np

    from groundlint_rules.features._squeezenet import embed

    return bytes(embed(square[None])[0].astype(np.float16).tobytes())


@feature(of="images", dtype=bytes, only_labelled=True)
def layout(square: NDArray[np.uint8]) -> bytes:
    """Where colours and edges are: 896 numbers in half precision."""
    import numpy as np

    from groundlint_rules.features._layout import layout as measured

    return bytes(measured(square[None])[0].astype(np.float16).tobytes())
