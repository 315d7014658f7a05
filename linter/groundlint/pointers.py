"""Files that stand for content kept elsewhere: pointers of Git LFS, DVC and git-annex."""

from __future__ import annotations

import re

GIT_LFS = "stored in Git LFS; run `git lfs pull`"
DVC = "tracked by DVC; run `dvc pull`"
GIT_ANNEX = "tracked by git-annex; run `git annex get`"

_HEAD = 4096
"""Bytes at the beginning of a file by which it is recognized."""

_BEGINNINGS = {
    GIT_LFS: re.compile(rb"version https://git-lfs\.github\.com/spec/"),
    DVC: re.compile(rb"((md5|wdir|frozen): [^\n]*\n)*(outs|deps):\s*\n *- "),
    GIT_ANNEX: re.compile(rb"/annex/objects/\S+\s*$"),
}


def pointer(data: bytes) -> str | None:
    """Return where the content is that a file stands for, and the command that fetches it; None for any other file."""
    head = data[:_HEAD]
    return next((text for text, beginning in _BEGINNINGS.items() if beginning.match(head)), None)
