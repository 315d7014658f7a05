"""Which manifests a path means: files as they are, folders by what lies below them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from groundlint.findings import relative

SUFFIXES = (".manifest", ".jsonl", ".ndjson")


def manifests_below(folder: str, *, exclude: Sequence[str], root: Path) -> list[str]:
    """Manifests below a folder, sorted, named as the folder was; hidden and git-ignored ones are left out.

    Args:
        folder: as it was given.
        exclude: globs of paths relative to `root`, or of mere names.
        root: folder of the configuration.
    """
    names = [name for name in _walk(folder) if not is_excluded(name, exclude, root)]
    ignored = _ignored_by_git(names, Path(folder))
    return sorted(name for name in names if name not in ignored)


def is_excluded(name: str, exclude: Sequence[str], root: Path) -> bool:
    """Whether a glob fits a path or a folder above it; one without a slash fits their mere names too."""
    path = Path(relative(name, root))
    places = [place for place in (path, *path.parents) if place.name]
    globs = [glob.rstrip("/") for glob in exclude]
    return any(fnmatch(place.as_posix(), glob) or fnmatch(place.name, glob) for glob in globs for place in places)


def _walk(folder: str) -> Iterator[str]:
    closed: list[str] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            # A link into nowhere is kept, to be reported as missing.
            if not name.startswith(".") and path.suffix in SUFFIXES and (path.is_file() or not path.exists()):
                yield str(path)
    # So is what a folder that cannot be searched may hold.
    for name in closed:
        yield str(Path(name, f"*{SUFFIXES[0]}"))


def _ignored_by_git(names: Sequence[str], folder: Path) -> set[str]:
    """Those of the paths that git ignores; none where there is no git or no repository."""
    if not names or not any((parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents)):
        return set()
    paths = {os.path.relpath(name, folder): name for name in names}
    # A folder of a checkout may pose as a repository, whose configuration names programs to run.
    command = ["git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-C", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the paths go in as data
            [*command, "check-ignore", "--stdin", "-z"],
            input="\0".join(paths).encode(errors="surrogateescape"),
            capture_output=True,
            check=False,
        )
    except OSError:
        return set()
    return {paths[name] for name in done.stdout.decode(errors="surrogateescape").split("\0") if name in paths}
