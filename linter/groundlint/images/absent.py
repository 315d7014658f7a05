"""What stands for an image without a file: a twin, a pointer of DVC, or a link whose file was not fetched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from groundlint import pointers
from groundlint.images.listings import Listings
from groundlint.images.places import NOWHERE, Place, as_text, is_below
from groundlint.images.record import ImageFault
from groundlint.images.twins import TwinFinder, difference, normal_form

_SLASH = re.compile(r"([/\\\\]|%2[fF]|%5[cC])")

# Files that DVC and git-annex manage are links to places named after their content.
_IN_DVC_CACHE = re.compile(r"[/\\][0-9a-f]{2}[/\\][0-9a-f]{30}$")
_IN_ANNEX = re.compile(r"[/\\]annex[/\\]objects[/\\]")
_OF_DVC = Place(None, fault=ImageFault.NOT_FETCHED, detail=pointers.DVC)
_OF_ANNEX = Place(None, fault=ImageFault.NOT_FETCHED, detail=pointers.GIT_ANNEX)


class _Near(NamedTuple):
    """Where twins of the images of a directory may be, and whether DVC tracks it.

    Each of the `folders` is below the first of the three; before the name of the file comes the third.
    """

    folders: list[tuple[str, str, str]]
    is_tracked: bool


class AbsentImages:
    """Says what is known of images that were not found."""

    def __init__(self, listings: Listings) -> None:
        """Prepare a search.

        Args:
            listings: The folders that the search for images has listed.
        """
        self._listings = listings
        self._twins = TwinFinder(lambda folder: list(listings.of(folder).entries))
        self._near: dict[tuple[str, str, str], _Near] = {}

    def place(self, known: tuple[str, str], bases: Sequence[Path], directory: str, name: str) -> Place:
        """Return what is known of an image without a file: a twin, or a pointer of DVC.

        Args:
            known: Identifies the other arguments, but the name.
            bases: Folders that are searched.
            directory: Folder of the image below them, whose first part may be left out, and more of them if it has one.
            name: Name of the file.
        """
        # A key with backslashes or encoded slashes has folders in its name.
        inner, _, normal = normal_form(name).rpartition("/")
        if (*known, inner) not in self._near:
            self._near[*known, inner] = self._near_to(bases, f"{directory}/{inner}" if inner else directory)
        near = self._near[*known, inner]
        is_tracked = near.is_tracked
        for base, folder, rest in near.folders:
            if found := self._twins.find(folder, rest + normal):
                twin = os.path.join(folder, found)  # noqa: PTH118 - making a Path for each image takes long
                # Folders on the way may be links.
                if is_below(os.path.realpath(twin), [Path(base)]) and os.path.isfile(twin):  # noqa: PTH113
                    return _misnamed(f"{directory}/{name}", twin, base)
            is_tracked = is_tracked or f"{name}.dvc" in self._listings.of(folder).entries
        return _OF_DVC if is_tracked else NOWHERE

    def _near_to(self, bases: Sequence[Path], directory: str) -> _Near:
        parts = directory.split("/")
        paths = ["/".join(parts[skipped:]) for skipped in range(len(parts) + 1)] if parts[0] else ["/".join(parts[1:])]
        ways = [(str(base), path) for path in paths for base in bases]
        folders = [(base, folder, "") for base, path in ways for folder in self._twins.folders(base, path)]
        # Unpacked on another system, a file may have a path as its name.
        for base, path in ways:
            for above, rest in _cuts(normal_form(path)):
                there = [folder for folder in self._twins.folders(base, above) if self._twins.has_paths(folder)]
                folders += [(base, folder, f"{rest}/") for folder in there]
        return _Near(folders, any(self._is_tracked(base, path) for base, path in ways))

    def _is_tracked(self, base: str, path: str) -> bool:
        """Whether DVC tracks a folder or one above it: `img.dvc` beside `img`."""
        above, _, name = path.rpartition("/")
        if not name:
            return False
        folder = os.path.join(base, above) if above else base  # noqa: PTH118 - as above
        return f"{name}.dvc" in self._listings.of(folder).entries or self._is_tracked(base, above)


def _cuts(path: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to cut a path into a folder, which may be empty, and the rest."""
    parts = path.split("/") if path else []
    for n in range(len(parts)):
        yield "/".join(parts[:n]), "/".join(parts[n:])


def _misnamed(key: str, twin: str, base: str) -> Place:
    shown = as_text(twin[len(base) :].lstrip(os.sep))
    depth = shown.replace("\\", "/").count("/")
    written = "".join(_SLASH.split(key)[-2 * depth - 1 :])
    how = difference(written, shown)
    has_other_suffix = os.path.splitext(written)[1].lower() != os.path.splitext(shown)[1].lower()  # noqa: PTH122
    path = os.path.realpath(twin) if has_other_suffix else None
    return Place(None, fault=ImageFault.MISNAMED, detail=f"{shown} exists: {how}", twin=path)


def dangling(path: str) -> Place | None:
    """Return why a link of DVC or git-annex leads to a file that does not exist; None for any other."""
    if os.path.exists(path):  # noqa: PTH110 - as above
        return None
    return _OF_DVC if _IN_DVC_CACHE.search(path) else _OF_ANNEX if _IN_ANNEX.search(path) else None
