"""Files that are no manifest, named as what they are."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any


def foreign_head(name: str, head: bytes) -> str | None:
    """What a file is, if its first bytes or its name say that it is no JSON Lines in UTF-8; else None."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:2] in (b"{\0", b"\0{"):
        return "the file is encoded as UTF-16; save it as UTF-8"
    if head.startswith(b"\x1f\x8b") or PurePath(name).suffix == ".gz":
        return "the file is compressed with gzip; decompress it"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "the file is a Git LFS pointer, its content was not fetched; run `git lfs pull`"
    return None


def foreign_content(data: bytes) -> str | None:
    """What a file is whose bytes as a whole are one JSON value of another kind than a line; else None."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return "the file is one JSON array; write each of its objects on a line of its own, without commas"
    if isinstance(value, dict) and "source-ref" not in value:
        return _foreign_object(value)
    return None


def _foreign_object(value: dict[str, Any]) -> str | None:
    if isinstance(value.get("images"), list) and ("annotations" in value or "categories" in value):
        return "the file is a COCO data set; convert it to a manifest with one line for each image"
    if isinstance(value.get("statistics"), dict) and "errors" in value:
        return (
            "the file is a manifest_summary.json, which the service wrote about a manifest; check the manifest itself"
        )
    return None
