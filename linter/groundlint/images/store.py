"""From a source-ref to a file: only regular files below the declared folders, whatever a manifest says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from groundlint.images.cache import Stamp, stamp


class Place(NamedTuple):
    """Where an image lies. `path` None: it was looked for and not found, or `refused` says why it is not opened."""

    path: str | None
    stamp: Stamp | None = None
    refused: str | None = None


_NOWHERE = Place(None)


@dataclass(frozen=True)
class Roots:
    """Folders in which images are looked for.

    `prefixes` maps the beginning of a source-ref to the folder that stands for it; `folders` are searched by the
    longest suffix of the key. Where both are empty, the folder of each manifest and those above it are searched.
    """

    prefixes: Mapping[str, Path]
    folders: Sequence[Path] = ()


class Store:
    """Finds images. A folder is listed once, however many images lie in it."""

    def __init__(self, roots: Roots, tops: Iterable[Path]) -> None:
        """Make a store.

        Args:
            roots: where to look.
            tops: folders above which no manifest's images are looked for, such as the working directory.
        """
        self._prefixes = sorted(roots.prefixes.items(), key=lambda item: -len(item[0]))
        self._folders = [folder.resolve() for folder in roots.folders]
        self._is_declared = bool(roots.prefixes or roots.folders)
        self._tops = [top.resolve() for top in tops]
        self._listings: dict[str, dict[str, os.DirEntry[str]]] = {}
        self._candidates: dict[tuple[str, str], list[tuple[str, list[Path]]]] = {}
        self._bases: dict[str, list[Path]] = {}

    def find(self, source_ref: str, manifest: str) -> Place:
        """Where the image of a line lies."""
        if "\0" in source_ref:
            return Place(None, refused="its name holds a NUL")
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return self._in(root.resolve(), source_ref[len(prefix) :].lstrip("/"))
        bucket, _, key = source_ref.removeprefix("s3://").removeprefix("S3://").partition("/")
        if source_ref[:5].lower() != "s3://" or not key:
            return _NOWHERE
        if _climbs(key):
            return Place(None, refused="its key climbs out of a folder")
        directory, _, name = key.rpartition("/")
        home = "" if self._is_declared else os.path.dirname(manifest)  # noqa: PTH120 - most of the time of a path is its making
        known = (f"{bucket}/{directory}", home)
        if known not in self._candidates:
            self._candidates[known] = list(self._folders_of(bucket, directory, home))
        refused = None
        for folder, allowed in self._candidates[known]:
            # Of most folders it is none, and there are many images: no call more than needed.
            if name in self._listed(folder):
                place = self._entry(folder, name, allowed)
                if place.path is not None:
                    return place
                refused = refused or place.refused
        return Place(None, refused=refused) if refused else _NOWHERE

    def tried(self, manifests: Iterable[str]) -> list[str]:
        """The folders in which images of manifests are looked for."""
        folders = [str(folder) for _, folder in self._prefixes] + [str(folder) for folder in self._folders]
        if not self._is_declared:
            homes = {os.path.dirname(manifest) for manifest in manifests}  # noqa: PTH120 - as above
            folders = [str(base) for home in sorted(homes) for base in self._bases_of(home)]
        return list(dict.fromkeys(os.path.relpath(folder) for folder in folders))

    def _in(self, root: Path, relative: str) -> Place:
        if _climbs(relative):
            return Place(None, refused="its key climbs out of a folder")
        directory, name = os.path.split(os.path.join(root, relative))  # noqa: PTH118 - as above
        if not _is_below(os.path.realpath(directory), [root]):
            return Place(None, refused=f"it lies outside {os.path.relpath(root)}")
        return self._entry(directory, name, [root])

    def _folders_of(self, bucket: str, directory: str, home: str) -> Iterable[tuple[str, list[Path]]]:
        """Folders that may hold the images of a key's directory, the longest suffix first, with where links may lead.

        That is the folder that was looked into, and those of the others that were declared or in which the user works.
        """
        parts = [bucket, *(part for part in directory.split("/") if part)]
        bases = self._bases_of(home)
        own = [base for base in bases if self._is_declared or any(base.is_relative_to(top) for top in self._tops)]
        for skipped in range(len(parts) + 1):
            for base in bases:
                allowed = [base, *own]
                folder = os.path.join(base, *parts[skipped:])  # noqa: PTH118 - as above
                if os.path.isdir(folder) and _is_below(os.path.realpath(folder), allowed):  # noqa: PTH112 - as above
                    yield folder, allowed

    def _bases_of(self, home: str) -> list[Path]:
        if self._is_declared:
            return self._folders
        if home not in self._bases:
            folder = Path(home).resolve()
            above = [folder, *folder.parents]
            tops = [above.index(top) for top in self._tops if top in above]
            # Beyond what the user works in, only the folder above is looked at, for manifests in one of their own.
            self._bases[home] = above[: max([*tops, 1]) + 1]
        return self._bases[home]

    def _listed(self, folder: str) -> dict[str, os.DirEntry[str]]:
        if folder not in self._listings:
            self._listings[folder] = _listing(folder)
        return self._listings[folder]

    def _entry(self, folder: str, name: str, roots: Sequence[Path]) -> Place:
        entry = self._listed(folder).get(name)
        if entry is None:
            return _NOWHERE
        path = entry.path
        try:
            if entry.is_symlink():
                path = os.path.realpath(path, strict=True)
                if not _is_below(path, roots):
                    names = ", ".join(dict.fromkeys(os.path.relpath(root) for root in roots))
                    return Place(None, refused=f"it is a link that leads out of {names}")
            if not (entry.is_file() if path == entry.path else os.path.isfile(path)):  # noqa: PTH113 - as above
                return Place(None, refused="it is no regular file")
            return Place(path, stamp(os.stat(path)))  # noqa: PTH116 - as above
        except OSError as error:
            return Place(None, refused=f"it cannot be looked at: {error.strerror}")


def _listing(folder: str) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except OSError:
        return {}


def _climbs(key: str) -> bool:
    return ".." in key and ".." in key.replace("\\", "/").split("/")


def _is_below(path: str, roots: Sequence[Path]) -> bool:
    """Whether a real path lies in one of the folders."""
    return any(path == str(root) or path.startswith(str(root).rstrip(os.sep) + os.sep) for root in roots)
