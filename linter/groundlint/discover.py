"""Which manifests a path means: files as they are, folders by what lies below them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

SUFFIXES = (".manifest", ".jsonl", ".ndjson")


def manifests_below(folder: str, *, exclude: Sequence[str], root: Path) -> list[str]:
    """Manifests below a folder, sorted, named as the folder was; hidden and git-ignored ones are left out.

    Args:
        folder: as it was given.
        exclude: globs of paths relative to `root`.
        root: folder of the configuration.
    """
    names = [name for name in _walk(folder) if not is_excluded(name, exclude, root)]
    ignored = _ignored_by_git(names, Path(folder))
    return sorted(name for name in names if name not in ignored)


def is_excluded(name: str, exclude: Sequence[str], root: Path) -> bool:
    """Whether a glob, or a folder that it names, takes out a path."""
    relative = Path(os.path.relpath(name, root))
    parents = [relative, *relative.parents]
    return any(fnmatch(part.as_posix(), glob.rstrip("/")) for glob in exclude for part in parents)


def _walk(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if not name.startswith(".") and path.suffix in SUFFIXES and path.is_file():
                yield str(path)


def _ignored_by_git(names: Sequence[str], folder: Path) -> set[str]:
    """Those of the paths that git ignores; none where there is no git or no repository."""
    if not names or not any((parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents)):
        return set()
    relative = {os.path.relpath(name, folder): name for name in names}
    command = ["git", "-C", str(folder), "check-ignore", "--stdin", "-z"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the paths go in as data
            command, input="\0".join(relative).encode(errors="surrogateescape"), capture_output=True, check=False
        )
    except OSError:
        return set()
    return {relative[name] for name in done.stdout.decode(errors="surrogateescape").split("\0") if name in relative}
