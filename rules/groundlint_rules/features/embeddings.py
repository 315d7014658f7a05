"""Embeddings of an image: numbers that are close to each other for images of similar content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 192
"""Side, in px, of the square that the net sees of an image. It was trained on 224 px, where it takes 1.4 times as long
and finds slightly more wrong labels; at 160 px it finds fewer. The figures are in benchmarks/README.md."""

NUMBERS = 1280
"""Numbers in an embedding."""


@feature(of="images", dtype=bytes, costly=True, length=NUMBERS)
def image_embedding(detail: Image) -> bytes:
    """Activations of EfficientNet-Lite0 without its head: 1,280 bytes.

    A byte is the square root of an activation, 255 for the root of 6: it is the roots that are compared.
    """
    return embedded(detail, SIDE)


def embedded(image: Image, side: int) -> bytes:
    """The embedding of an image resized to a square of `side` px."""
    import numpy as np
    from PIL import Image as Pillow

    from groundlint_rules.features._efficientnet import activations, root_bytes

    square = np.asarray(image.resize((side, side), Pillow.Resampling.BILINEAR))
    return root_bytes(activations(square).embedding)
