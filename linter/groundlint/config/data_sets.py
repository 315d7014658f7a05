"""The request of a run, and the data sets that its manifests belong to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from groundlint.config.discovery import (
    SUFFIXES,
    DiscoveryNote,
    OnNote,
    excluded,
    files_matching,
    ignore_note,
    manifests_below,
)
from groundlint.config.s3_access import S3Access, is_uri
from groundlint.config.settings import Config
from groundlint.errors import GroundlintError
from groundlint.phrases import first_of, number_of

STDIN = "-"
REFERENCE = "reference"
SPLITS = ("train", "test", REFERENCE)

IMAGES_VARIABLE = "GROUNDLINT_IMAGES"
"""Environment variable with folders of images, separated as in PATH, each as `--images` takes it."""

# The colon of s3:// separates nothing.
_LIST_SEPARATOR = re.compile(rf"{re.escape(os.pathsep)}(?!//)")


class UsageError(GroundlintError):
    """The request cannot be carried out."""


class Source(NamedTuple):
    """A manifest to read: its path as given, its split, and where its bytes are: in `data` if that is given.

    `error` says why there are none.
    """

    name: str
    split: str
    path: Path | None = None
    data: bytes | None = None
    error: OSError | None = None

    @property
    def identity(self) -> str:
        """The same text for every path to a file; standard input stands for the file whose name it has."""
        return self.name if is_uri(self.name) else os.path.realpath(self.path or self.name)


@dataclass(frozen=True)
class Request:
    """What to judge.

    `stdin` holds the bytes of `-`, whose name is `stdin_name`. `force_exclude` treats named files like those found in a
    folder: `exclude` applies, and files of other formats are skipped.
    `images` are folders, or `PREFIX=FOLDER`, and `images_from` is the option or variable that gave them. `measurements`
    are paths and globs of files that `groundlint measure` wrote. `jobs` is the number of processes that read large
    manifests and measure images, None for one per processor. `dask` is the scheduler of a cluster that measures. `s3`
    says what may be read from S3, None if nothing, and `objects` has the bytes of manifests in S3 by URI. With
    `cache` None nothing is cached. `embeddings` and `pred_probs` are files with outputs of the user's own model,
    `evaluation` those of the evaluation of a trained model. `contents` are bytes to judge in place of those of files,
    by the identity of their source.
    """

    paths: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    stdin: bytes | None = None
    stdin_name: str = STDIN
    force_exclude: bool = False
    images: tuple[str, ...] = ()
    images_from: str = "--images"
    measurements: tuple[str, ...] = ()
    dask: str | None = None
    s3: S3Access | None = None
    objects: Mapping[str, bytes | OSError] = field(default_factory=dict)
    jobs: int | None = None
    cache: Path | None = None
    embeddings: Path | None = None
    pred_probs: Path | None = None
    evaluation: tuple[Path, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def with_images_of_environment(self) -> Request:
        """The request with the images that the environment names, unless it has its own."""
        given = os.environ.get(IMAGES_VARIABLE, "")
        images = tuple(part for part in _LIST_SEPARATOR.split(given) if part)
        return replace(self, images=images, images_from=IMAGES_VARIABLE) if images and not self.images else self

    @property
    def processes(self) -> int:
        """How many processes may read and measure at once."""
        return self.jobs or os.cpu_count() or 1


@dataclass(frozen=True)
class DataSet:
    """Manifests that are judged together. `named` are those whose findings are reported.

    `reference_folders` hold images of the reference part, beside those of its manifests.
    """

    sources: tuple[Source, ...]
    named: frozenset[str]
    reference_folders: tuple[Path, ...] = ()

    @property
    def judged(self) -> DataSet:
        """The data set without its reference part, which is only compared with."""
        return replace(self, sources=tuple(source for source in self.sources if source.split != REFERENCE))

    @property
    def references(self) -> DataSet:
        """The manifests of the reference part."""
        return replace(self, sources=tuple(source for source in self.sources if source.split == REFERENCE))


LooksLike = Callable[[Source], str | None]
"""What a file looks like that has nothing of a manifest; None for a manifest, good or bad."""


def data_sets(
    config: Config, request: Request, *, looks_like: LooksLike = lambda _: None, on_note: OnNote = ignore_note
) -> list[DataSet]:
    """The data sets to judge; a manifest that the configuration does not group is one of its own.

    Files of other formats are left out where they are found in a folder; those that the configuration names are not.

    Args:
        config: The configuration.
        request: What to judge.
        looks_like: Function that recognizes files of other formats.
        on_note: Called with what limited the search for manifests.

    Returns:
        The data sets; none only if everything in the request is excluded.

    Raises:
        UsageError: A folder or a data set has no manifest, or paths are given beside `train`, `test` or `reference`.
    """
    search = _Search(config, request, looks_like, on_note)
    found = search.data_sets()
    if search.skipped:
        names = [f"{name} ({what})" for name, what in sorted(search.skipped.items())]
        count = len(names)
        formats = "in another format was" if count == 1 else "in other formats were"
        on_note(
            DiscoveryNote("foreign-files", f"{number_of(count, 'file')} {formats} skipped: {first_of(names)}", count)
        )
    return [_with_contents(data_set, request.contents) for data_set in found] if request.contents else found


@dataclass
class _Search:
    """The search for the manifests of a request. `skipped` are files of other formats that were found for it."""

    config: Config
    request: Request
    looks_like: LooksLike
    on_note: OnNote
    skipped: dict[str, str] = field(default_factory=dict)
    configured: set[str] = field(default_factory=set)

    def data_sets(self) -> list[DataSet]:
        request = self.request
        configured = list(self._configured())
        self.configured = {source.identity for data_set in configured for source in data_set.sources}
        skipped_of_configured, self.skipped = self.skipped, {}
        if given := [split for split in SPLITS if getattr(request, split)]:
            if request.paths:
                raise UsageError(_repeated(given[0], (*getattr(request, given[0]), *request.paths)))
            found = self._named_splits()
        elif not request.paths and configured:
            found = configured
            self.skipped = skipped_of_configured
        else:
            found = self._of_paths(request.paths or (".",), configured)
        if not found:
            self.on_note(DiscoveryNote("no-files-left", "nothing was checked: --force-exclude left no file"))
        return found

    def _of_paths(self, paths: Sequence[str], configured: Iterable[DataSet]) -> list[DataSet]:
        """The data sets of positional paths: those that the configuration has, and one for every other manifest."""
        of_file: dict[str, list[DataSet]] = {}
        for data_set in configured:
            for identity in {source.identity for source in data_set.sources}:
                of_file.setdefault(identity, []).append(data_set)
        found: list[DataSet] = []
        brought_in: dict[int, tuple[DataSet, dict[str, Source]]] = {}
        for identity, source in self._asked(paths).items():
            if identity not in of_file:
                found.append(_data_set([source]))
            for data_set in of_file.get(identity, ()):
                brought_in.setdefault(id(data_set), (data_set, {}))[1][identity] = source
        for data_set, given in brought_in.values():
            # A manifest keeps the name, and standard input the bytes, by which it was given.
            named = tuple(given.get(s.identity, s)._replace(split=s.split) for s in data_set.sources)
            of_named = frozenset(source.name for source in given.values())
            found.append(DataSet(named, of_named, data_set.reference_folders))
        return found

    def _asked(self, paths: Sequence[str]) -> dict[str, Source]:
        """The manifests of positional paths, each once, by identity."""
        asked: dict[str, Source] = {}
        for path in paths:
            try:
                sources = self._sources(path, "train")
            except UsageError:
                if len(paths) == 1:
                    raise
                # The other paths are judged; that this one cannot be is reported when it is read.
                sources = [Source(_as_text(path) or "''", "train", Path(path))]
            for source in sources:
                asked.setdefault(source.identity, source)
        return asked

    def _configured(self) -> Iterator[DataSet]:
        """The data sets of the configuration; their manifests are named relative to the working directory."""
        for name, data_set in self.config.settings.datasets.items():
            sources = [
                source
                for split in SPLITS
                for pattern in getattr(data_set, split)
                for path in self._matching(pattern)
                for source in self._sources(path, split, is_configured=True)
            ]
            if sources or not self.request.force_exclude:
                folders = [path for pattern in data_set.reference for path in self._matching(pattern)]
                yield _data_set(sources, f"[datasets.{name}]", self._reference_folders(folders, is_configured=True))

    def _matching(self, pattern: str) -> list[str]:
        """The paths that a pattern of the configuration matches, or the pattern itself, to be reported as missing."""
        root = self.config.root
        matched = files_matching(pattern, root)
        paths = [os.path.relpath(root / name) for name in matched or [pattern]]
        if matched == [pattern]:
            return paths
        left_out = excluded(paths, self.config.settings.exclude, root)
        kept = [path for path in paths if path not in left_out]
        return kept or ([] if matched and self.request.force_exclude else [os.path.relpath(root / pattern)])

    def _named_splits(self) -> list[DataSet]:
        sources = [
            source for split in SPLITS for path in getattr(self.request, split) for source in self._sources(path, split)
        ]
        if not sources and self.request.force_exclude:
            return []
        return [_data_set(sources, folders=self._reference_folders(self.request.reference))]

    def _reference_folders(self, paths: Sequence[str], *, is_configured: bool = False) -> tuple[Path, ...]:
        """Those paths of a reference that are folders of images."""
        folders = tuple(Path(path) for path in paths if path and os.path.isdir(path))  # noqa: PTH112 - as below
        for folder in folders:
            # As with folders of `[images]`.
            if is_configured and not Path(os.path.realpath(folder)).is_relative_to(self.config.root):
                raise UsageError(
                    f"{folder}: the reference is outside the folder of the configuration; give it with --reference"
                )
        return folders

    def _sources(self, path: str, split: str, *, is_configured: bool = False) -> list[Source]:
        """The manifests of a path: the file itself, or those below a folder."""
        request, exclude, root = self.request, self.config.settings.exclude, self.config.root
        if not path:
            # An unset variable gives an empty path, which must not be taken for the working directory.
            raise UsageError("'': an empty path names no manifest")
        name = request.stdin_name if path == STDIN else path
        if request.force_exclude and excluded([name], exclude, root):
            return []
        is_found = request.force_exclude and not is_configured
        if path == STDIN:
            source = Source(_as_text(name) or STDIN, split, data=request.stdin)
            return self._manifests([source]) if is_found else [source]
        if is_uri(path):
            source = _object(path, split, request.objects.get(path))
            return self._manifests([source]) if is_found else [source]
        # Not with pathlib, which raises where a name is too long for the system; such a file is reported as missing.
        if not os.path.isdir(path):  # noqa: PTH112
            source = Source(_as_text(path), split, Path(path))
            return self._manifests([source]) if is_found else [source]
        if split == REFERENCE:
            # A folder of images.
            return []
        names = manifests_below(path, exclude=exclude, root=root, on_note=self.on_note)
        sources = self._manifests(Source(_as_text(name), split, Path(name)) for name in names)
        if not sources and not request.force_exclude:
            kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
            others = [f"{_as_text(name)} ({self.skipped[_as_text(name)]})" for name in names]
            text = f"{path}: the folder has no manifest ({kinds}) that is not hidden, excluded or ignored"
            raise UsageError(text + (f"; other formats: {first_of(others)}" if others else ""))
        return sources

    def _manifests(self, sources: Iterable[Source]) -> list[Source]:
        """Sources without those of other formats, unless the configuration names them as manifests."""
        kept = []
        for source in sources:
            what = None if source.identity in self.configured else self.looks_like(source)
            if what:
                self.skipped[source.name] = what
            else:
                kept.append(source)
        return kept


def _with_contents(data_set: DataSet, contents: Mapping[str, bytes]) -> DataSet:
    """A data set with other bytes of some of its manifests."""
    sources = tuple(source._replace(data=contents.get(source.identity, source.data)) for source in data_set.sources)
    return replace(data_set, sources=sources)


def _repeated(option: str, values: Sequence[str]) -> str:
    """How to give an option several values."""
    spelled = " ".join(f"--{option} {value}" for value in values)
    return f"--{option} takes one path; repeat it: {spelled}"


def _data_set(sources: Iterable[Source], name: str = "the data set", folders: tuple[Path, ...] = ()) -> DataSet:
    by_split: dict[tuple[str, str], Source] = {}
    for source in sources:
        by_split.setdefault((source.split, source.identity), source)
    if not by_split:
        raise UsageError(f"{name} has no manifest")
    return DataSet(tuple(by_split.values()), frozenset(source.name for source in by_split.values()), folders)


def _as_text(name: str) -> str:
    """The name of a file with escapes for bytes that are not text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _object(uri: str, split: str, content: bytes | OSError | None) -> Source:
    """A manifest in S3.

    Raises:
        UsageError: Nothing may be read from S3.
    """
    if content is None:
        raise UsageError(f"{uri}: reading from S3 needs --s3")
    if isinstance(content, OSError):
        return Source(_as_text(uri), split, error=content)
    return Source(_as_text(uri), split, data=content)
