"""Files that are not text in UTF-8, recognized by their first bytes."""

from __future__ import annotations

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
