"""Discovery: the manifests below a folder, and those that a pattern of the configuration matches."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from groundlint.config.paths import WILDCARDS, matching, relative

SUFFIXES = (".manifest", ".jsonl", ".ndjson")

_OF_ONE_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


class DiscoveryNote(NamedTuple):
    """What limited the search for manifests: a kind in kebab case, a sentence, and the number of files concerned."""

    kind: str
    message: str
    files: int | None = None


OnNote = Callable[[DiscoveryNote], None]


def ignore_note(_: DiscoveryNote) -> None:
    """Do nothing with a note."""


def manifests_below(folder: str, *, exclude: Sequence[str], root: Path, on_note: OnNote = ignore_note) -> list[str]:
    """The manifests below a folder, sorted, without hidden and git-ignored ones.

    Args:
        folder: The folder as given; the names of the manifests begin with it.
        exclude: Globs of paths relative to `root`.
        root: Folder of the configuration.
        on_note: Called with what limited the search.
    """
    found = [name for name in _walk(folder) if name.endswith(SUFFIXES) and _is_readable(name)]
    left_out = excluded(found, exclude, root)
    names = [name for name in found if name not in left_out]
    ignored = _ignored_by_git(names, Path(folder), on_note)
    return sorted(name for name in names if name not in ignored)


def excluded(names: Iterable[str], exclude: Sequence[str], root: Path) -> set[str]:
    """The paths that a glob matches, or that are in a folder that it matches.

    Args:
        names: The paths as given.
        exclude: Globs of paths relative to `root`.
        root: Folder of the configuration.
    """
    if not exclude:
        return set()
    paths = {name: relative(name, root) for name in names}
    matched = matching(paths.values(), exclude)
    return {name for name, path in paths.items() if path in matched}


def files_matching(pattern: str, root: Path) -> list[str]:
    """The manifests that a pattern of the configuration matches, sorted and relative to `root`.

    A pattern that is the path of a file or folder gives this path, even if it contains wildcards. Any other pattern is
    a glob, as in a .gitignore in `root`. It matches manifests, also by their folders, and files with another suffix
    only if its last part has a suffix and matches their names. Hidden files and linked folders are left out.

    Args:
        pattern: A path or glob.
        root: Folder of the configuration.
    """
    if os.path.lexists(root / pattern):
        return [pattern]
    parts = PurePath(pattern).parts
    start = next((n for n, part in enumerate(parts) if WILDCARDS.intersection(part)), None)
    if start is None or not (root / PurePath(*parts[:start])).is_dir():
        return []
    prefix, last = PurePath(*parts[:start]), parts[-1]
    glob = f"/{'/'.join(parts[start:])}{'/' if pattern.endswith('/') else ''}"
    names = [PurePath(os.path.relpath(name, root / prefix)).as_posix() for name in _walk(str(root / prefix))]
    named = matching({PurePath(name).name for name in names}, [last] if "." in last else [])
    matched = [name for name in names if name.endswith(SUFFIXES) or PurePath(name).name in named]
    found = sorted(str(prefix / name) for name in matching(matched, [glob]))
    return [name for name in found if _is_readable(str(root / name))]


def _walk(folder: str) -> Iterator[str]:
    """The files below a folder that are not hidden, as they are named; links to folders are not followed."""
    closed: list[str] = []
    for place, folders, files in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield str(Path(place, name))
    # A folder that cannot be listed may hold manifests, which are reported as missing.
    for name in closed:
        yield str(Path(name, f"*{SUFFIXES[0]}"))


def _is_readable(name: str) -> bool:
    # A broken link is kept, to be reported as missing; a pipe would be waited for.
    return os.path.isfile(name) or not os.path.exists(name)  # noqa: PTH110, PTH113


def _ignored_by_git(names: Sequence[str], folder: Path, on_note: OnNote) -> set[str]:
    """The paths below a folder that git ignores; none if the folder is not in a repository.

    A repository within another, such as a submodule, decides about its own files.
    """
    inner: dict[str, list[str]] = {}
    own = []
    for name in names:
        if repository := _repository_between(folder, name):
            inner.setdefault(repository, []).append(name)
        else:
            own.append(name)
    ignored = _ignored_by_repository([*own, *inner], folder, on_note)
    for repository, below in inner.items():
        ignored |= set(below) if repository in ignored else _ignored_by_git(below, Path(repository), on_note)
    return ignored.intersection(names)


def _repository_between(folder: Path, name: str) -> str | None:
    """The outermost repository below a folder that contains a path."""
    inside = [folder / part for part in reversed(Path(name).relative_to(folder).parents) if part.name]
    # pathlib raises in a folder that cannot be listed.
    return next((str(place) for place in inside if os.path.exists(place / ".git")), None)  # noqa: PTH110


def _ignored_by_repository(names: Sequence[str], folder: Path, on_note: OnNote) -> set[str]:
    """The paths that the repository of a folder ignores; none of them is in an inner repository."""
    above = (folder.resolve(), *folder.resolve().parents)
    if not names or not any(os.path.exists(place / ".git") for place in above):  # noqa: PTH110
        return set()
    paths = {os.path.relpath(name, folder): name for name in names}
    # A folder of a checkout may pose as a repository whose configuration names programs to run.
    command = ["git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-C", str(folder)]
    # A git hook inherits variables that name one repository, also for folders in another.
    environment = {key: value for key, value in os.environ.items() if key not in _OF_ONE_REPOSITORY}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command; the paths are passed as data
            [*command, "check-ignore", "--stdin", "-z"],
            input="\0".join(paths).encode(errors="surrogateescape"),
            env=environment | {"LC_ALL": "C"},
            capture_output=True,
            check=False,
        )
    except OSError as error:
        on_note(_git_failed(folder, f"git: {error.strerror or error}"))
        return set()
    # 1: none is ignored.
    if done.returncode > 1 or done.returncode < 0:
        reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        # What it printed before it failed is not complete.
        on_note(_git_failed(folder, reason or f"git ended with {done.returncode}"))
        return set()
    return {paths[name] for name in done.stdout.decode(errors="surrogateescape").split("\0") if name in paths}


def _git_failed(folder: Path, reason: str) -> DiscoveryNote:
    return DiscoveryNote(
        "git-failed",
        f"git cannot say which files in {folder} are ignored ({reason[:200]}); manifests that it may ignore are "
        "checked too",
    )
