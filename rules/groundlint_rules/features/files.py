"""What the file says of its picture, and whether the picture can be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"


@feature(of="images", dtype=bool)
def decoded(pixels: Image) -> bool:
    """True: a rule that asks for it has every picture decoded, and sees in `fault` which could not be."""
    return bool(pixels.size)


@feature(of="images", dtype=int)
def orientation(header: Image) -> int | None:
    """EXIF orientation, 1 to 8: 2 to 4 mirrored or upside down, 5 to 8 with swapped sides; null where none is said."""
    try:
        value = header.getexif().get(_ORIENTATION)
    # The block is data like any other: whatever its parser raises, the picture may be sound.
    except Exception:  # noqa: BLE001
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


@feature(of="images", dtype=bool)
def transparent(header: Image) -> bool:
    """Whether some of its pixels may be seen through: by a channel, or by a colour or entry of the palette."""
    return header.has_transparency_data


@feature(of="images", dtype=int)
def bits(data: bytes) -> int | None:
    """Bits of a colour that a PNG has, of which Pillow keeps eight; null for other formats."""
    return data[24] if data.startswith(_PNG) and len(data) > 24 else None
