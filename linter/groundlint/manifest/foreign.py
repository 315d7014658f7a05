"""Files of other formats that have the suffix of a manifest, recognized by their content."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from groundlint.config.data_sets import Source
from groundlint.manifest.explain import closest
from groundlint.manifest.filetype import kind_of_head
from groundlint.manifest.kinds import Kind

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of a file that is parsed as one value to say what it is."""

_MAX_LINE = 8 * 1024 * 1024
_HEAD = 64
_KEPT = 3
_SHOWN_KEYS = 4
_MAX_SHAPES = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CONFLICT = b"<<<<<<< "
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONVERT = "name the manifest itself, or convert the file"
_DVC = re.compile(rb"(?m)^outs:\s*$")
_YAML = re.compile(rb"[A-Za-z_][\w-]*:(\s|$)|---\s*$")


class Foreign(NamedTuple):
    """What a file looks like that is not a manifest, and what to do; whether a line of it is a JSON object."""

    looks_like: str
    hint: str = _CONVERT
    has_objects: bool = False


def looks_like(source: Source) -> str | None:
    """Return what a file looks like in which nothing is that of a manifest; None also where it cannot be read."""
    try:
        with io.BytesIO(source.data or b"") if source.path is None else source.path.open("rb") as stream:
            foreign = foreign_format(stream, source.name) if stream.seekable() else None
    except OSError:
        return None
    return foreign.looks_like if foreign else None


def foreign_format(stream: BinaryIO, name: str) -> Foreign | None:
    """Return what a file looks like in which nothing is that of a manifest; None for a manifest, good or bad.

    Nothing is that of a manifest if no line has a `source-ref` or a near miss of it, `source`, or a pair `X` and
    `X-metadata`. A line that is not a JSON object counts as having one if its text contains `source-ref` or
    `-metadata`. A blank file, a pointer of Git LFS, a file with conflict markers of git, and one in UTF-16 are not of
    another format.

    Args:
        stream: The file at its beginning; it must be seekable.
        name: Its name.
    """
    head = kind_of_head(name, stream.read(_HEAD))
    if head is Kind.GZIP:
        return Foreign("a file compressed with gzip", "decompress it")
    if head is not None:
        return None
    stream.seek(0)
    first: list[bytes] = []
    objects: list[dict[str, Any]] = []
    known: set[tuple[str, ...]] = set()
    for line in _lines(stream):
        if line.startswith(_CONFLICT):
            return None
        keys = _keys_of(line)
        if keys is None and (b"source-ref" in line or b"-metadata" in line):
            return None
        # Usually all lines have the same keys, and comparing names takes long.
        if keys and keys not in known:
            if _has_keys_of_manifest(keys) or (len(known) < _MAX_SHAPES and closest("source-ref", keys)):
                return None
            known.add(keys)
        if len(first) < _KEPT:
            first.append(line)
        if keys is not None and len(objects) < _KEPT:
            objects.append(_parsed(line, keys))
    if not first:
        return None
    return (_of_whole(stream) or _of_lines(first, objects))._replace(has_objects=bool(objects))


def _has_keys_of_manifest(keys: Collection[str]) -> bool:
    if "source-ref" in keys or "source" in keys:
        return True
    return any(key.endswith("-metadata") and key.removesuffix("-metadata") in keys for key in keys)


def _parsed(line: bytes, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(line))
    except (ValueError, RecursionError):
        return dict.fromkeys(keys)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are not blank."""
    for number, line in enumerate(stream):
        stripped = (line.removeprefix(_BYTE_ORDER_MARK) if number == 0 else line).strip()
        if stripped:
            yield stripped


def _keys_of(line: bytes) -> tuple[str, ...] | None:
    """Return the keys of a line; None if it is not a JSON object."""
    if not line.startswith(b"{") or len(line) > _MAX_LINE:
        return None
    try:
        return tuple(_KEYS.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def of_value(value: object) -> Foreign | None:
    """Return what a file is that as a whole is one JSON value other than a line of a manifest; None for any other."""
    if isinstance(value, list):
        return Foreign("one JSON array", "write each object on a line of its own, without commas")
    if not isinstance(value, dict) or _has_keys_of_manifest(value) or closest("source-ref", value):
        return None
    for looks_like, hint, is_it in _OBJECTS:
        if is_it(value):
            return Foreign(looks_like, hint)
    return None


def _of_whole(stream: BinaryIO) -> Foreign | None:
    if stream.seek(0, io.SEEK_END) > MAX_WHOLE:
        return None
    stream.seek(0)
    data = stream.read().removeprefix(_BYTE_ORDER_MARK)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and b"\n" in data.strip():
        return of_value(value) or Foreign("one JSON object over several lines")
    return of_value(value)


def _of_lines(first: list[bytes], objects: list[dict[str, Any]]) -> Foreign:
    if objects:
        return _of_objects(objects)
    text = first[0]
    if text.startswith(b"CACHE MANIFEST"):
        return Foreign("an app manifest of HTML", "name the manifest of the data set")
    if text.startswith(b"Manifest-Version:"):
        return Foreign("a manifest of a Java archive", "name the manifest of the data set")
    if text.startswith(b"<"):
        is_app = any(b"<assembly" in line for line in first)
        what = "an app manifest of Windows" if is_app else "XML or HTML"
        return Foreign(what, "name the manifest of the data set")
    if text.startswith((b"{'", b'{"')) and b"'" in text:
        return Foreign("dictionaries of Python", "write each with json.dumps")
    if any(_DVC.search(line) for line in first):
        return Foreign("a pointer of DVC", "run `dvc pull`, and name the file that it stands for")
    if text.startswith(b'"'):
        return Foreign("JSON strings", "write each object as it is, without quotes around it")
    if text.startswith((b"{", b"[")):
        what = "JSON lists" if _is_json(text) else "invalid JSON"
        return Foreign(what, "write one JSON object per line and image")
    if _YAML.match(text):
        return Foreign("YAML")
    return Foreign(
        "a CSV file" if _is_csv(first) else "text that is not JSON", "write one JSON object per line and image"
    )


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_csv(first: list[bytes]) -> bool:
    rows = [line.decode("utf-8", "replace") for line in first]
    for delimiter in ",;\t":
        widths = {len(row) for row in csv.reader(rows, delimiter=delimiter)}
        if len(widths) == 1 and widths.pop() > 1:
            return True
    return False


def _of_objects(objects: list[dict[str, Any]]) -> Foreign:
    first = objects[0]
    for looks_like, hint, is_it in (*_OBJECTS, *_LINES):
        if any(is_it(line) for line in objects):
            return Foreign(looks_like, hint)
    keys = list(first)
    shown = ", ".join(f"`{key}`" for key in keys[:_SHOWN_KEYS]) + (", …" if len(keys) > _SHOWN_KEYS else "")
    return Foreign(f"JSON Lines of another format, with the keys {shown}" if keys else "JSON Lines of empty objects")


def _is_coco(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("images"), list) and ("annotations" in value or "categories" in value)


def _is_web_app(value: Mapping[str, Any]) -> bool:
    return "manifest_version" in value or len({"name", "short_name", "start_url", "icons", "display"} & set(value)) >= 3


def _is_cvat(value: Mapping[str, Any]) -> bool:
    is_head = set(value) == {"version"} or (set(value) == {"type"} and value["type"] in ("images", "video"))
    return is_head or {"name", "extension", "width", "height"} <= set(value)


def _is_chat(value: Mapping[str, Any]) -> bool:
    turns = ("messages", "conversations", "contents", "conversation")
    pairs = ({"prompt", "completion"}, {"instruction", "output"}, {"prompt", "chosen"}, {"schemaVersion", "messages"})
    return any(isinstance(value.get(key), list) for key in turns) or any(pair <= set(value) for pair in pairs)


_DATA_SET = "name the manifest of the data set"

_OBJECTS = (
    ("a COCO data set", "convert it to a manifest with one line per image", _is_coco),
    (
        "a manifest_summary.json of the service",
        "check the manifest itself",
        lambda value: isinstance(value.get("statistics"), dict) and "errors" in value,
    ),
    (
        "the answer of list-dataset-entries",
        "write each string in `DatasetEntries` on a line of its own (jq -r '.DatasetEntries[]')",
        lambda value: isinstance(value.get("DatasetEntries"), list),
    ),
    ("an app manifest", _DATA_SET, _is_web_app),
)
"""What one JSON object may be: how to call it, what to do, and how it is recognized."""

_LINES = (
    (
        "metadata of Hugging Face (an image folder)",
        "convert it to lines with `source-ref` and a label",
        lambda value: any(key in value for key in ("file_name", "file_names", "image_file_name")),
    ),
    ("a data set manifest of CVAT", "export the annotations from CVAT and convert them", _is_cvat),
    ("chat data for a language model", _DATA_SET, _is_chat),
    ("text for a language model", _DATA_SET, lambda value: set(value) == {"text"}),
)
"""What the lines of a file may be, as `_OBJECTS`."""
