"""Files that are not manifests, recognized by their content."""

from __future__ import annotations

import json
from pathlib import PurePath

from groundlint.manifest.kinds import Kind


def kind_of_head(name: str, head: bytes) -> Kind | None:
    """The kind of a file whose name or first bytes show that it is not JSON Lines in UTF-8; None for any other."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:2] in (b"{\0", b"\0{"):
        return Kind.UTF_16
    if head.startswith(b"\x1f\x8b") or PurePath(name).suffix == ".gz":
        return Kind.GZIP
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return Kind.GIT_LFS_POINTER
    return None


def kind_of_content(data: bytes) -> Kind | None:
    """The kind of a file that as a whole is one JSON value other than a line of a manifest; None for any other."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        return Kind.JSON_ARRAY
    if not isinstance(value, dict) or "source-ref" in value:
        return None
    if isinstance(value.get("images"), list) and ("annotations" in value or "categories" in value):
        return Kind.COCO
    if isinstance(value.get("DatasetEntries"), list):
        return Kind.DATASET_ENTRIES
    if isinstance(value.get("statistics"), dict) and "errors" in value:
        return Kind.MANIFEST_SUMMARY
    return None
