"""Files of other formats that have the suffix of a manifest, recognized by their content."""

from __future__ import annotations

import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from groundlint.config.data_sets import Source
from groundlint.manifest.explain import closest
from groundlint.manifest.filetype import kind_of_head
from groundlint.manifest.first_line import MAX_HEAD, reason_of
from groundlint.manifest.kinds import Kind, Values
from groundlint.pointers import pointer

_MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of a file that is parsed as one value to say what it is."""

_MAX_LINE = 8 * 1024 * 1024
_HEAD = 64
_KEPT = 3
_SHOWN_KEYS = 4
_MAX_SHAPES = 1000
_CONFLICT = b"<<<<<<< "
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CONVERT = "name the manifest itself, or convert the file"
_DATA_SET = "name the manifest of the data set"
_LINES_OF_OBJECTS = "write one JSON object per line and image"
_YAML = re.compile(rb"[A-Za-z_][\w-]*:(\s|$)|---\s*$")


class Foreign(NamedTuple):
    """What a file looks like that is not a manifest, and what to do.

    `kind` is the problem that it is; `reason` has further values for its message.
    """

    looks_like: str
    hint: str = _CONVERT
    kind: Kind = Kind.OTHER_FORMAT
    reason: Values = {}

    @property
    def values(self) -> Values:
        """The values for the message of the problem."""
        return {"found": self.looks_like, "hint": self.hint, **self.reason}


def looks_like(source: Source) -> str | None:
    """Return what a file looks like that has nothing of a manifest; None also where it cannot be read."""
    # A device may never end.
    if source.path and not source.path.is_file():
        return None
    try:
        with io.BytesIO(source.data or b"") if source.path is None else source.path.open("rb") as stream:
            foreign = foreign_format(stream, source.name)
    except OSError:
        return None
    return foreign.looks_like if foreign else None


def foreign_format(stream: BinaryIO, name: str) -> Foreign | None:
    """Return what a file looks like that has nothing of a manifest; None for a manifest, good or bad.

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
        return Foreign("a file compressed with gzip")
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
    if objects:
        # The service reads such lines, so it does not call the format unsupported.
        return (one_value(stream) or _of_objects(objects))._replace(kind=Kind.FOREIGN_FILE)
    return one_value(stream) or _of_text(stream, first)


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
        stripped = (line.removeprefix(BOM_UTF8) if number == 0 else line).strip()
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


def one_value(stream: BinaryIO) -> Foreign | None:
    """Return what a file is that as a whole is one JSON value other than a line of a manifest; None for any other.

    An array may hold the lines of a manifest.

    Args:
        stream: The file.
    """
    if not stream.seekable() or stream.seek(0, io.SEEK_END) > _MAX_WHOLE:
        return None
    stream.seek(0)
    try:
        value = json.loads(stream.read().removeprefix(BOM_UTF8))
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return Foreign("one JSON array", "write each object on a line of its own, without commas")
    if not isinstance(value, dict) or _has_keys_of_manifest(value) or closest("source-ref", value):
        return None
    return next((Foreign(looks_like, hint) for looks_like, hint, is_it in _OBJECTS if is_it(value)), None)


def _of_text(stream: BinaryIO, first: list[bytes]) -> Foreign:
    """What a file is no line of which is a JSON object."""
    text = first[0]
    if text.startswith(b"CACHE MANIFEST"):
        return Foreign("an HTML cache manifest", _DATA_SET)
    if text.startswith(b"Manifest-Version:"):
        return Foreign("a JAR manifest", _DATA_SET)
    if text.startswith(b"<"):
        is_app = any(b"<assembly" in line for line in first)
        return Foreign("a Windows app manifest" if is_app else "XML or HTML", _DATA_SET)
    stream.seek(0)
    head = stream.read(MAX_HEAD).removeprefix(BOM_UTF8)
    if elsewhere := pointer(head):
        return Foreign("a pointer file", f"its content is {elsewhere}")
    if _YAML.match(text):
        return Foreign("YAML")
    reason = reason_of(head)
    if reason.kind in _LOOKS_LIKE:
        return Foreign(_LOOKS_LIKE[reason.kind], kind=reason.kind, reason=reason.values)
    looks_like = "invalid JSON" if text.startswith((b"{", b"[")) else "text that is not JSON"
    return Foreign("JSON values other than objects" if reason.is_json else looks_like, _LINES_OF_OBJECTS)


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


_LOOKS_LIKE = {
    Kind.PYTHON_LITERALS: "Python dictionaries",
    Kind.COMMAS_BETWEEN_LINES: "JSON objects with commas between them",
    Kind.TRAILING_COMMAS: "JSON with commas before closing brackets",
    Kind.ENCODED_TWICE: "JSON strings",
    Kind.SEVERAL_LINES_PER_OBJECT: "one JSON object over several lines",
    Kind.CSV: "a CSV file",
}
"""What a file looks like whose first line has a fault of these kinds."""

_OBJECTS = (
    ("a COCO data set", "convert it to a manifest with one line per image", _is_coco),
    (
        "a manifest_summary.json of the service",
        "check the manifest itself",
        lambda value: isinstance(value.get("statistics"), dict) and "errors" in value,
    ),
    (
        "the response of list-dataset-entries",
        "write each string in `DatasetEntries` on a line of its own (jq -r '.DatasetEntries[]')",
        lambda value: isinstance(value.get("DatasetEntries"), list),
    ),
    ("an app manifest", _DATA_SET, _is_web_app),
)
"""What one JSON object may be: how to call it, what to do, and how it is recognized."""

_LINES = (
    (
        "Hugging Face ImageFolder metadata",
        "convert it to lines with `source-ref` and a label",
        lambda value: any(key in value for key in ("file_name", "file_names", "image_file_name")),
    ),
    ("a CVAT manifest", "export the annotations from CVAT and convert them", _is_cvat),
    ("chat data for a language model", _DATA_SET, _is_chat),
    ("text for a language model", _DATA_SET, lambda value: set(value) == {"text"}),
)
"""What the lines of a file may be, as `_OBJECTS`."""
