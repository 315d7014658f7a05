"""Files that are not JSON Lines in UTF-8, recognized by their name or first bytes."""

from __future__ import annotations

from pathlib import PurePath

from groundlint.manifest.kinds import Kind
from groundlint.pointers import GIT_LFS, pointer


def kind_of_head(name: str, head: bytes) -> Kind | None:
    """The kind of a file whose name or first bytes show that it is not JSON Lines in UTF-8; None for any other."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[:2] in (b"{\0", b"\0{"):
        return Kind.UTF_16
    if head.startswith(b"\x1f\x8b") or PurePath(name).suffix == ".gz":
        return Kind.GZIP
    if pointer(head) == GIT_LFS:
        return Kind.GIT_LFS_POINTER
    return None
