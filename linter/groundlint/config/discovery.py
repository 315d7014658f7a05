"""Which manifests a path means: files as they are, folders by what lies below them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from groundlint.config.paths import matching, relative

SUFFIXES = (".manifest", ".jsonl", ".ndjson")

_OF_ONE_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


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
    """Whether a glob matches a path or a folder above it."""
    path = relative(name, root)
    return bool(exclude) and bool(matching([path], exclude))


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
    """Those of the paths below a folder that git ignores; none where there is no git or no repository.

    A repository within another, as a submodule is, has a say of its own on what lies in it.
    """
    inner: dict[str, list[str]] = {}
    own = []
    for name in names:
        if repository := _repository_between(folder, name):
            inner.setdefault(repository, []).append(name)
        else:
            own.append(name)
    ignored = _said_to_be_ignored([*own, *inner], folder)
    for repository, below in inner.items():
        ignored |= set(below) if repository in ignored else _ignored_by_git(below, Path(repository))
    return ignored.intersection(names)


def _repository_between(folder: Path, name: str) -> str | None:
    """The uppermost repository below a folder in which a path lies."""
    inside = [folder / part for part in reversed(Path(name).relative_to(folder).parents) if part.name]
    # In a folder that is closed pathlib raises.
    return next((str(place) for place in inside if os.path.exists(place / ".git")), None)  # noqa: PTH110


def _said_to_be_ignored(names: Sequence[str], folder: Path) -> set[str]:
    """Those of the paths that the repository of a folder ignores; none of them lies in an inner one."""
    above = (folder.resolve(), *folder.resolve().parents)
    if not names or not any(os.path.exists(place / ".git") for place in above):  # noqa: PTH110
        return set()
    paths = {os.path.relpath(name, folder): name for name in names}
    # A folder of a checkout may pose as a repository, whose configuration names programs to run.
    command = ["git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-C", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the paths go in as data
            [*command, "check-ignore", "--stdin", "-z"],
            input="\0".join(paths).encode(errors="surrogateescape"),
            # A hook of git is told of one repository, whatever folder it asks about.
            env={key: value for key, value in os.environ.items() if key not in _OF_ONE_REPOSITORY},
            capture_output=True,
            check=False,
        )
    except OSError:
        return set()
    if done.returncode:
        # 1: none is ignored; above: it failed half-way, and what would then be left out is chance.
        return set()
    return {paths[name] for name in done.stdout.decode(errors="surrogateescape").split("\0") if name in paths}
