"""Facts that a file states about its image, and whether the image can be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlint.engine.features import feature

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION = 0x0112
_CAMERA = 0x0110
_MAX_CAMERA = 64
_PNG = b"\x89PNG\r\n\x1a\n"


@feature(of="images", dtype=bool)
def decoded(pixels: Image) -> bool:
    """True if the image can be decoded. A rule that needs this has all images decoded; `fault` says which failed."""
    return bool(pixels.size)


@feature(of="images", dtype=int)
def orientation(header: Image) -> int | None:
    """EXIF orientation, 1 to 8: 2 to 4 are mirrored or upside down, 5 to 8 have swapped sides; null if not stated."""
    try:
        value = header.getexif().get(_ORIENTATION)
    # EXIF is untrusted data, and its parser may raise anything on an image that is otherwise sound.
    except Exception:  # noqa: BLE001
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


@feature(of="images", dtype=str)
def camera(header: Image) -> str | None:
    """Camera model that the EXIF metadata names, at most 64 characters; null if not stated."""
    try:
        value = header.getexif().get(_CAMERA)
    # EXIF is untrusted data, and its parser may raise anything on an image that is otherwise sound.
    except Exception:  # noqa: BLE001
        return None
    if not isinstance(value, str):
        return None
    # Writers pad the name with zeros and spaces.
    return "".join(letter for letter in value if letter.isprintable()).strip()[:_MAX_CAMERA].strip() or None


@feature(of="images", dtype=bool)
def has_alpha(header: Image) -> bool | None:
    """Whether the image has transparency: an alpha channel, or a transparent color or palette entry."""
    try:
        return header.has_transparency_data
    # A damaged file may lack its palette.
    except Exception:  # noqa: BLE001
        return None


@feature(of="images", dtype=int)
def bit_depth(head: bytes) -> int | None:
    """Bits per channel of a PNG file, of which Pillow keeps eight; null for other formats."""
    return head[24] if head.startswith(_PNG) and len(head) > 24 else None
