"""Small images in all formats, and damaged and forged ones made of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache

from image_sets import image_bytes
from PIL import Image

FORGED = (0, 1, 255, 65_535, 2**31 - 1, 2**31, 4_294_967_169, 2**32 - 1)
"""Numbers that programs take for lengths and sizes at their peril."""


@cache
def originals() -> dict[str, bytes]:
    """Sound images by name, in all formats that are read and in the codings that they have."""
    exif = Image.Exif()
    exif[0x0112] = 6
    codings = {
        "jpg": {"format": "JPEG", "exif": exif},
        "progressive.jpg": {"format": "JPEG", "progressive": True},
        "restarts.jpg": {"format": "JPEG", "restart_marker_rows": 1},
        "png": {"format": "PNG", "exif": exif},
        "gif": {"format": "GIF"},
        "bmp": {"format": "BMP"},
        "tif": {"format": "TIFF"},
        "lzw.tif": {"format": "TIFF", "compression": "tiff_lzw"},
        "deflate.tif": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
        "jpeg.tif": {"format": "TIFF", "compression": "jpeg"},
        "webp": {"format": "WEBP", "exif": exif},
        "lossless.webp": {"format": "WEBP", "lossless": True},
        "ppm": {"format": "PPM"},
        "ico": {"format": "ICO"},
        "avif": {"format": "AVIF"},
    }
    images = {name: image_bytes((64, 48), **save) for name, save in codings.items()}
    sound = Image.open(io.BytesIO(images["png"]))
    modes = {"L": "png", "P": "tif", "1": "tif", "RGBA": "png", "LA": "png", "I;16": "tif", "CMYK": "jpg", "F": "tif"}
    for mode, extension in modes.items():
        stream = io.BytesIO()
        gray = sound.convert("L")
        sound_in_mode = (gray if mode in ("I;16", "F", "LA") else sound).convert(mode)
        sound_in_mode.save(stream, {"jpg": "JPEG", "png": "PNG", "tif": "TIFF"}[extension])
        images[f"{mode.replace(';', '-')}.{extension}"] = stream.getvalue()
    for name in ("GIF", "PNG", "WEBP", "TIFF", "MPO"):
        stream = io.BytesIO()
        frames = [sound.rotate(90 * n) for n in range(3)]
        frames[0].save(stream, name, save_all=True, append_images=frames[1:])
        images[f"frames.{name.lower()}"] = stream.getvalue()
    return images


def forged(width: int, height: int) -> dict[str, bytes]:
    """Images by name whose header says this size, as far as the format can say it."""
    images = originals()
    short = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
    png = _png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    tiff = bytearray(images["tif"])
    (at,) = struct.unpack_from("<I", tiff, 4)
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", tiff, at)[0], 12):
        size = {256: width, 257: height}.get(struct.unpack_from("<H", tiff, entry)[0])
        if size is not None:
            struct.pack_into("<HII", tiff, entry + 2, 4, 1, size)
    bmp, jpeg, avif = images["bmp"], images["jpg"], images["avif"]
    frame, extent = jpeg.index(b"\xff\xc0") + 5, avif.index(b"ispe") + 8
    gif_size = struct.pack("<HH", min(width, 65_535), min(height, 65_535))
    webp_size = b"".join((min(max(side, 1), 2**24) - 1).to_bytes(3, "little") for side in (width, height))
    return {
        "png": png,
        "tif": bytes(tiff),
        "lzw.tif": bytes(tiff).replace(struct.pack("<HHIHH", 259, 3, 1, 1, 0), struct.pack("<HHIHH", 259, 3, 1, 5, 0)),
        "bmp": bmp[:18] + struct.pack("<II", width, height) + bmp[26:],
        "gif": b"GIF89a" + gif_size + images["gif"][10:],
        "ppm": b"P6 %d %d 255\n" % (width, height) + bytes(100),
        "webp": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + webp_size,
        "ico": struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png,
        "jpg": jpeg[:frame] + short + jpeg[frame + 4 :],
        "avif": avif[:extent] + struct.pack(">II", width, height) + avif[extent + 8 :],
    }


def _png(header: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """An image with one to three faults."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = chance.choice(_MUTATIONS)(data, chance)
    return data


def _place(data: bytes, chance: random.Random) -> int:
    """A position, mostly in the header."""
    most = len(data) if chance.random() < 0.4 else min(len(data), 200)
    return chance.randrange(max(1, most))


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 4, 30))):
        changed[_place(data, chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _overwritten(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    form = chance.choice((">I", "<I", ">H", "<H", "B"))
    number = struct.pack(form, chance.choice(FORGED) & ((1 << 8 * struct.calcsize(form)) - 1))
    return data[:at] + number + data[at + len(number) :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: _place(data, chance)]


def _without_part(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    return data[:at] + data[at + chance.choice((1, 2, 4, 12, 100, 1_000)) :]


def _with_part_twice(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    end = at + chance.choice((1, 2, 12, 100, 1_000))
    return data[:end] + data[at:end] * chance.choice((1, 1, 50)) + data[end:]


def _swapped(data: bytes, chance: random.Random) -> bytes:
    one, other = sorted((_place(data, chance), _place(data, chance)))
    return data[:one] + data[other : other + 4] + data[one + 4 : other] + data[one : one + 4] + data[other + 4 :]


def _zeroed(data: bytes, chance: random.Random) -> bytes:
    at = _place(data, chance)
    size = chance.choice((16, 512, len(data)))
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


def _with_chunk(data: bytes, chance: random.Random) -> bytes:
    """An image with one more chunk or segment, valid by itself."""
    content = chance.randbytes(chance.choice((0, 1, 4, 13, 30, 800)))
    if data.startswith(b"\x89PNG"):
        kind = chance.choice(b"IHDR PLTE tRNS gAMA iCCP zTXt iTXt eXIf acTL fcTL fdAT IEND".split())
        at = chance.choice((8, 33))
        return data[:at] + _chunk(kind, content) + data[at:]
    if data.startswith(b"\xff\xd8"):
        marker = bytes((0xFF, chance.choice((0xC0, 0xC2, 0xC4, 0xD0, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE))))
        return data[:2] + marker + struct.pack(">H", len(content) + 2) + content + data[2:]
    at = _place(data, chance)
    return data[:at] + content + data[at:]


_MUTATIONS = (
    _flipped,
    _overwritten,
    _overwritten,
    _cut,
    _without_part,
    _with_part_twice,
    _swapped,
    _zeroed,
    _with_chunk,
)
