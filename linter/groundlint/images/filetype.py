"""What a file holds that is not an image: said by its content, so that people see at once what happened to it."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable
from typing import Any

from groundlint.processes.messages import encodable

_HEAD = 4096
"""Bytes at the beginning of a file in which its kind is searched."""

_MAX_QUOTED = 60

_IMAGE_FORMATS = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("GIF", rb"GIF8[79]a"),
    ("WEBP", rb"RIFF.{4}WEBP"),
    ("TIFF", rb"II\*\0|MM\0\*"),
    ("AVIF", rb".{4}ftypavi[fs]"),
    ("ICO", rb"\0\0\x01\0"),
    ("BMP", rb"BM.{4}\0\0\0\0"),
    ("PPM", rb"P[1-6][\s#]"),
)
"""Beginnings of files of the formats that are read; those of few bytes last, because other files may have them too."""

_KINDS = (
    ("a PNG file whose line ends were changed by a transfer as text", rb"\x89PNG\n\x1a\n|\x89PNG\r\r?\n"),
    ("binary data that was converted as text; copy it in binary mode", rb"(\xef\xbb\xbf)?\xef\xbf\xbd"),
    ("HEIF (HEIC), not JPEG", rb".{4}ftyp(he|mif1|msf1)"),
    ("a video (QuickTime)", rb".{4}(ftypqt  |moov|mdat)"),
    ("a video (MP4)", rb".{4}ftyp"),
    ("a video (AVI)", rb"RIFF.{4}AVI "),
    ("a video (Matroska or WebM)", rb"\x1a\x45\xdf\xa3"),
    ("a video (MPEG)", rb"\0\0\x01[\xba\xb3]"),
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\0\0\0\x0cJXL |\xff\x0a"),
    ("a Photoshop document", rb"8BPS"),
    ("a PDF document", rb"\s*%PDF-"),
    ("a PostScript document", rb"%!PS"),
    ("a ZIP archive", rb"PK(\x03\x04|\x05\x06)"),
    ("a tar archive", rb".{257}ustar"),
    ("a gzip archive", rb"\x1f\x8b"),
    ("a bzip2 archive", rb"BZh[1-9]"),
    ("an xz archive", rb"\xfd7zXZ\0"),
    ("a Zstandard archive", rb"\x28\xb5\x2f\xfd"),
    ("a 7z archive", rb"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", rb"Rar!\x1a\x07"),
    ("a NumPy array", rb"\x93NUMPY"),
    ("a Parquet file", rb"PAR1"),
    ("a DICOM file", rb".{128}DICM"),
    ("a resource fork of macOS (AppleDouble), not the image itself", rb"\x00\x05\x16\x07"),
    ("an OLE file, such as Thumbs.db", rb"\xd0\xcf\x11\xe0"),
    ("an image as Base64 text; decode it", rb"data:image/|/9j/4|iVBORw0KGgo"),
)

_FAILED = "the download failed"
_ERROR_KEYS = ("error", "errors", "message", "Message", "code", "Code", "status", "detail", "__type")


def format_of(data: bytes) -> str | None:
    """Return the image format, of those that are read, whose files begin like this one."""
    return _first(_IMAGE_FORMATS, data)


def description(data: bytes) -> str | None:
    """Return what a file is that is no image: "a ZIP archive"; None if its content is of no known kind."""
    if not data:
        return "the file is empty"
    if not any(data[:_HEAD]) and data.count(0) == len(data):
        return "the file holds only zero bytes"
    return _first(_KINDS, data) or _description_of_text(data[:_HEAD])


def is_cut(data: bytes, image_format: str | None) -> bool:
    """Return whether a file of an image format ends before what its own structure announces."""
    steps = {"PNG": _past_chunks, "JPEG": _past_segments, "AVIF": _past_boxes}
    try:
        if image_format == "WEBP":
            return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
        if image_format == "TIFF":
            order = "<" if data.startswith(b"II") else ">"
            (at,) = struct.unpack_from(f"{order}I", data, 4)
            (entries,) = struct.unpack_from(f"{order}H", data, at)
            return bool(at + 2 + 12 * entries > len(data))
        if image_format == "GIF":
            return len(data) < 13 or len(data) < 13 + (3 << (data[10] & 7) + 1) * (data[10] >> 7)
        return image_format in steps and steps[image_format](data)
    except (IndexError, struct.error):
        return True


def _past_chunks(data: bytes) -> bool:
    """Whether a PNG file ends within a chunk, or without its last one."""
    at = 8
    while data[at + 4 : at + 8] != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        at += length + 12
    return False


def _past_segments(data: bytes) -> bool:
    """Whether a JPEG file ends before the data of its first scan."""
    at = 2
    while data[at + 1] != 0xDA:
        if data[at] != 0xFF:
            return False
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4])) if data[at + 1] != 0xFF else 1
    return at + 2 + int.from_bytes(data[at + 2 : at + 4]) >= len(data)


def _past_boxes(data: bytes) -> bool:
    """Whether an AVIF file ends within a box."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if length < 8:
            return False
        at += length
    return at > len(data)


def _first(kinds: Iterable[tuple[str, bytes]], data: bytes) -> str | None:
    return next((name for name, pattern in kinds if re.match(pattern, data[:_HEAD], re.DOTALL)), None)


def _description_of_text(head: bytes) -> str | None:
    """Return what a text file is, by its beginning; None if it is not text."""
    text = head.decode("utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "replace").strip()
    start = text[:500].lower()
    if re.match(r"http/\d", start):
        return f"a response of a web server ({_quoted(text.splitlines()[0])}): {_FAILED}"
    if re.match(r"<(!doctype html|html|head|body)|<!--.*<html", start, re.DOTALL):
        title = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
        return f"an HTML page{_in_brackets(title[1] if title else '')}: {_FAILED}"
    if re.match(r"<[?!\w]", start):
        return "an SVG drawing" if "<svg" in start else _description_of_xml(text)
    # The last character may be cut.
    if (
        not text
        or not all(character.isprintable() or character.isspace() for character in text)
        or "\ufffd" in text[:-1]
    ):
        return None
    return _description_of_json(text) if text.startswith(("{", "[")) else f"text that begins with {_quoted(text)}"


def _description_of_xml(text: str) -> str:
    code = re.search(r"<(?:\w+:)?(?:code|message|faultstring)>([^<]*)<", text, re.IGNORECASE)
    if code or re.search(r"<(?:\w+:)?(?:error|fault)\b", text, re.IGNORECASE):
        found = code[1].strip() if code else ""
        is_name = re.fullmatch(r"\w+", found)
        return f"an XML error page{f' ({found[:_MAX_QUOTED]})' if is_name else _in_brackets(found)}: {_FAILED}"
    return "an XML document"


def _description_of_json(text: str) -> str:
    value: Any = None
    try:
        value = json.loads(text)
    # The beginning of a long file is not valid by itself, and a hostile file may be nested deeply.
    except (ValueError, RecursionError):
        if not re.match(r'\{\s*"|\[\s*[\[{"\d]', text):
            return f"text that begins with {_quoted(text)}"
    if isinstance(value, dict) and not value.keys().isdisjoint(_ERROR_KEYS):
        return f"a JSON error message{_in_brackets(_said(value))}: {_FAILED}"
    return "a JSON document"


def _said(value: Any) -> str:
    """Return the first text of an error message in JSON."""
    while isinstance(value, dict):
        value = next((value[key] for key in _ERROR_KEYS if key in value), "")
    return value if isinstance(value, str) else ""


def _in_brackets(text: str) -> str:
    return f" ({_quoted(text)})" if text.strip() else ""


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return repr(encodable(words if len(words) <= _MAX_QUOTED else f"{words[:_MAX_QUOTED]}…"))
