"""Features for tests, in a module that workers import quickly."""

from __future__ import annotations

from PIL import Image

from groundlint.engine.features import feature


@feature(of="images", dtype=bytes, length=8)
def beginning(data: bytes) -> bytes:
    """The first bytes of the file."""
    return data[:8]


@feature(of="images", dtype=int, only_labeled=True)
def size_if_labeled(data: bytes) -> int:
    """Bytes of the file, of labeled images only."""
    return len(data)


@feature(of="crops", dtype=int)
def crop_width(crop: Image.Image) -> int:
    """Width of the box, in pixels."""
    return crop.width


@feature(of="crops", dtype=int, only_sampled=True)
def crop_height(crop: Image.Image) -> int:
    """Height of the box in pixels, of sampled boxes only."""
    return crop.height
