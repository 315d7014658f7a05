"""What a run is asked for, and which manifests belong together as a data set."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from groundlint.config.discovery import SUFFIXES, is_excluded, manifests_below
from groundlint.config.settings import Config
from groundlint.errors import GroundlintError

STDIN = "-"
SPLITS = ("train", "test", "reference")


class UsageError(GroundlintError):
    """What was asked cannot be done."""


class Source(NamedTuple):
    """A manifest to read: its path as given, what it is for, and where its bytes are."""

    name: str
    split: str
    path: Path | None = None
    data: bytes | None = None


@dataclass(frozen=True)
class Request:
    """What shall be judged. `stdin` holds the bytes of `-`, which is then called `stdin_name`.

    `images` are folders, or `PREFIX=FOLDER`; `jobs` is how many processes read large manifests and measure images,
    None for one a processor; `cache` None remembers nothing; `embeddings` and `pred_probs` are files of what the user's
    own model gave.
    """

    paths: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    stdin: bytes | None = None
    stdin_name: str = STDIN
    images: tuple[str, ...] = ()
    jobs: int | None = None
    cache: Path | None = None
    embeddings: Path | None = None
    pred_probs: Path | None = None
    force_exclude: bool = False

    @property
    def processes(self) -> int:
        """How many processes may read and measure at once."""
        return self.jobs or os.cpu_count() or 1


@dataclass(frozen=True)
class DataSet:
    """Manifests that are judged together. `named` are those whose findings are wanted."""

    sources: tuple[Source, ...]
    named: frozenset[str]


def data_sets(config_: Config, request: Request) -> list[DataSet]:
    """The data sets that are asked for: a manifest in none of the configuration is one of its own.

    Raises:
        UsageError: a folder or a data set has no manifest.
    """
    configured = list(_configured(config_, request))
    found: list[DataSet] = []
    if request.train or request.test or request.reference:
        found.append(_named_splits(config_, request))
    paths = request.paths
    if not paths and not found:
        if configured:
            return configured
        paths = (".",)
    of_file: dict[str, list[DataSet]] = {}
    for data_set in configured:
        for identity in {_identity(source) for source in data_set.sources}:
            of_file.setdefault(identity, []).append(data_set)
    asked: dict[str, Source] = {}
    for path in paths:
        try:
            sources = _sources(path, "train", config_, request)
        except UsageError:
            if len(paths) == 1:
                raise
            # The other paths are judged all the same: that this one cannot be is told when it is read.
            sources = [Source(_as_text(path) or "''", "train", Path(path))]
        for source in sources:
            asked.setdefault(_identity(source), source)
    brought_in: dict[int, tuple[DataSet, dict[str, Source]]] = {}
    for identity, source in asked.items():
        if identity not in of_file:
            found.append(_data_set([source]))
        for data_set in of_file.get(identity, ()):
            brought_in.setdefault(id(data_set), (data_set, {}))[1][identity] = source
    for data_set, given in brought_in.values():
        # A manifest keeps the name, and standard input the bytes, by which it was given.
        named = tuple(given.get(_identity(s), s)._replace(split=s.split) for s in data_set.sources)
        found.append(DataSet(named, frozenset(source.name for source in given.values())))
    return found


def _configured(config_: Config, request: Request) -> Iterator[DataSet]:
    """The data sets of the configuration; their manifests are named relative to the working directory."""
    for name, data_set in config_.settings.datasets.items():
        sources = (
            source
            for split in SPLITS
            for pattern in getattr(data_set, split)
            for path in _matching(pattern, config_)
            for source in _sources(path, split, config_, request)
        )
        yield _data_set(sources, f"[datasets.{name}]")


def _matching(pattern: str, config_: Config) -> list[str]:
    """The paths that a pattern of the configuration means; itself if there are none, to be reported as missing."""
    # The root may hold characters that mean something in a glob.
    found = glob.glob(pattern, root_dir=config_.root, recursive=True)  # noqa: PTH207
    # A glob means files: `**` matches folders too, and those may hold images only.
    names = [name for name in sorted(found) if name == pattern or not (config_.root / name).is_dir()]
    paths = [str(config_.root / name) for name in names]
    kept = [path for path in paths if not is_excluded(path, config_.settings.exclude, config_.root)]
    return [os.path.relpath(path) for path in kept or [str(config_.root / pattern)]]


def _named_splits(config_: Config, request: Request) -> DataSet:
    return _data_set(
        source
        for split in SPLITS
        for path in getattr(request, split)
        for source in _sources(path, split, config_, request)
    )


def _data_set(sources: Iterable[Source], name: str = "the data set") -> DataSet:
    by_split: dict[tuple[str, str], Source] = {}
    for source in sources:
        by_split.setdefault((source.split, _identity(source)), source)
    if not by_split:
        raise UsageError(f"{name} has no manifest")
    return DataSet(tuple(by_split.values()), frozenset(source.name for source in by_split.values()))


def _sources(path: str, split: str, config_: Config, request: Request) -> list[Source]:
    """The manifests that a path means: a file itself, a folder those below it."""
    if path == STDIN:
        return [Source(_as_text(request.stdin_name) or STDIN, split, data=request.stdin)]
    if not path:
        # As comes of a variable that is not set; it must not be taken for the working directory.
        raise UsageError("'': an empty path names no manifest")
    names = [path]
    # Where a name is too long for the system pathlib raises; such a file is missing as any other.
    if os.path.isdir(path):  # noqa: PTH112
        if split == "reference":
            # It may be a folder of images, which is not read as a manifest.
            return []
        names = manifests_below(path, exclude=config_.settings.exclude, root=config_.root)
        if not names:
            kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
            raise UsageError(f"{path}: the folder holds no manifest ({kinds}) that is not hidden, excluded or ignored")
    return [Source(_as_text(name), split, Path(name)) for name in names]


def _as_text(name: str) -> str:
    """The name of a file with escapes for those of its bytes that are no text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _identity(source: Source) -> str:
    """What all ways to a file have in common; standard input stands for the file by whose name it is called."""
    return os.path.realpath(source.path or source.name)
