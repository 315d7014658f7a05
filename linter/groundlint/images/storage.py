"""From a source-ref to a file: only regular files below the declared folders, whatever a manifest says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from groundlint.images.absent import AbsentImages, dangling
from groundlint.images.listings import Listings, is_folder
from groundlint.images.places import NOWHERE, Place, Stamp, is_below, refused, shown
from groundlint.images.record import ImageFault

_CLIMBS = refused("its key leaves its folder through `..`")


@dataclass(frozen=True)
class Roots:
    """Folders in which images are searched.

    `prefixes` maps the beginning of a source-ref to the folder that stands for it; `folders` are searched for the
    longest suffix of the key. If both are empty, the folder of each manifest and those above it are searched; else
    these are searched only for links that lead into the given folders.
    """

    prefixes: Mapping[str, Path]
    folders: Sequence[Path] = ()


class _Candidate(NamedTuple):
    """A folder that may hold the images of a key's directory, and the folders into which links in it may lead.

    An `expected` folder is one that the user or the key names, not merely one above the manifest. Of one that
    `has_links_only`, only links are followed.
    """

    folder: str
    allowed: list[Path]
    is_expected: bool
    has_links_only: bool = False


class Storage(Protocol):
    """Where the images of a run are looked for.

    Attributes:
        followed: Given folders with links that were followed into another given folder.
    """

    followed: set[str]

    def find(self, source_ref: str, manifest: str) -> Place:
        """Return where the image of a line is.

        Args:
            source_ref: The image as the manifest names it.
            manifest: Path of the manifest.
        """

    def looked_for(self, source_ref: str, manifest: str) -> str:
        """Return what was looked for and where, as text for the user."""

    def searched(self, manifests: Iterable[str]) -> list[str]:
        """Return where images of manifests are searched, as text for the user."""


class LocalStorage:
    """Finds images in local folders. A folder is listed once, however many images it holds.

    Attributes:
        followed: Given folders with links that were followed into another given folder.
    """

    def __init__(self, roots: Roots, tops: Iterable[Path]) -> None:
        """Prepare a search.

        Args:
            roots: Where to search.
            tops: Folders above which no images of a manifest below them are searched, such as the working directory.
        """
        by_length = sorted(roots.prefixes.items(), key=lambda item: -len(item[0]))
        self.followed: set[str] = set()
        self._prefixes = [(prefix, _real(folder)) for prefix, folder in by_length]
        self._folders = [_real(folder) for folder in roots.folders]
        self._declared = [*self._folders, *(root for _, root in self._prefixes)]
        self._tops = [_real(top) for top in tops]
        self._listings = Listings()
        self._absent = AbsentImages(self._listings)
        self._candidates: dict[tuple[str, str], list[_Candidate]] = {}
        self._outside: dict[tuple[str, str], Place] = {}
        self._bases: dict[str, list[Path]] = {}
        self._is_inside: dict[tuple[str, Path], bool] = {}

    def find(self, source_ref: str, manifest: str) -> Place:
        """Return where the image of a line is.

        Args:
            source_ref: The image as the manifest names it.
            manifest: Path of the manifest.
        """
        if "\0" in source_ref:
            return refused("its name contains a NUL character")
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return self._find_below(root, source_ref[len(prefix) :].lstrip("/"))
        bucket, key = _bucket_and_key(source_ref)
        if not key:
            return NOWHERE
        if _climbs(key):
            return _CLIMBS
        directory, _, name = key.rpartition("/")
        # Making a Path for each image would take most of the time.
        home = os.path.dirname(manifest)  # noqa: PTH120
        known = (f"{bucket}/{directory}", home)
        if known not in self._candidates:
            self._candidates[known] = list(self._candidates_of(bucket, directory, home, known))
        failed: Place | None = None
        for folder, allowed, is_expected, has_links_only in self._candidates[known]:
            listing = self._listings.of(folder)
            # Most folders do not hold the image, and there are many images: no call more than necessary.
            if name in listing.entries:
                entry = listing.entries[name]
                if has_links_only and not entry.is_symlink() and not is_below(os.path.realpath(folder), allowed):
                    continue
                place = self._entry(entry, allowed)
                if place.path is not None:
                    return place
                failed = failed or place
            elif is_expected and listing.refused:
                failed = failed or refused(listing.refused)
        if failed := failed or self._outside.get(known):
            return failed
        return self._absent.place(known, self._bases_of(home), f"{bucket}/{directory}".rstrip("/"), name)

    def looked_for(self, source_ref: str, manifest: str) -> str:
        """Return which file was looked for and where, as "img/1.jpg below data or ."."""
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return f"{source_ref[len(prefix) :].lstrip('/')} below {shown(root)}"
        _, key = _bucket_and_key(source_ref)
        bases = [shown(base) for base in self._bases_of(os.path.dirname(manifest))]  # noqa: PTH120 - as above
        return f"{key or source_ref} below {' or '.join(bases) or 'the given folders'}"

    def searched(self, manifests: Iterable[str]) -> list[str]:
        """Return the folders in which images of manifests are searched, as text for the user.

        Folders that could not be read come first, with the reason.
        """
        folders = [str(folder) for _, folder in self._prefixes] + [str(folder) for folder in self._folders]
        if not self._declared:
            homes = {os.path.dirname(manifest) for manifest in manifests}  # noqa: PTH120 - as above
            folders = [str(base) for home in sorted(homes) for base in self._bases_of(home)]
        obstacles = self._listings.obstacles
        texts = [f"{folder} ({reason})" for folder, reason in sorted(obstacles)]
        unreadable = {folder for folder, _ in obstacles}
        return list(dict.fromkeys(texts + [text for folder in folders if (text := shown(folder)) not in unreadable]))

    def _find_below(self, root: Path, relative: str) -> Place:
        if _climbs(relative):
            return _CLIMBS
        allowed = [root, *self._declared]
        directory, name = os.path.split(os.path.join(root, relative))  # noqa: PTH118 - as above
        if (directory, root) not in self._is_inside:
            self._is_inside[directory, root] = is_below(os.path.realpath(directory), allowed)
        if not self._is_inside[directory, root]:
            return Place(None, fault=ImageFault.LEADS_OUTSIDE, detail=f"it is outside {shown(root)}")
        listing = self._listings.of(directory)
        if name in listing.entries:
            return self._entry(listing.entries[name], allowed)
        if listing.refused:
            return refused(listing.refused)
        folder, _, name = relative.rpartition("/")
        return self._absent.place((folder, str(root)), [root], f"/{folder}", name)

    def _entry(self, entry: os.DirEntry[str], roots: Sequence[Path]) -> Place:
        """Return an entry of a folder as a place; its first root is the one that was searched."""
        path = entry.path
        try:
            if entry.is_symlink():
                path = os.path.realpath(path)
                if not is_below(path, roots):
                    return dangling(path) or _leading_out_of(roots, "it")
                if not os.path.exists(path):  # noqa: PTH110 - as above
                    return dangling(path) or refused("it is a symbolic link to a file that does not exist")
                self.followed.update(str(root) for root in roots if entry.path.startswith(f"{root}{os.sep}"))
            status = os.stat(path)  # noqa: PTH116 - as above
        except OSError as error:
            return refused(f"the file cannot be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return refused("it is not a regular file")
        return Place(path, Stamp(status.st_size, status.st_mtime_ns, status.st_ino))

    def _candidates_of(self, bucket: str, directory: str, home: str, known: tuple[str, str]) -> Iterator[_Candidate]:
        """Yield the folders that may hold the images of a key's directory, the longest suffix of the key first.

        Links may lead into the folder that was searched, and into the other folders that were declared or in which
        the user works. A folder that the key names and that leads elsewhere is not searched, but remembered.
        """
        parts = [bucket, *(part for part in directory.split("/") if part)]
        bases = self._bases_of(home)
        own = self._declared or [base for base in bases if any(base.is_relative_to(top) for top in self._tops)]
        for skipped in range(len(parts) + 1):
            for base in bases:
                allowed = [base, *own]
                folder = os.path.join(base, *parts[skipped:])  # noqa: PTH118 - as above
                if not is_folder(folder):
                    continue
                if is_below(os.path.realpath(folder), allowed):
                    is_expected = skipped < len(parts) or bool(self._declared) or base == bases[0]
                    yield _Candidate(folder, allowed, is_expected)
                elif skipped < len(parts):
                    self._outside.setdefault(known, _leading_out_of(allowed, "its folder"))
        for base in self._around(home) if self._declared else ():
            for skipped in range(len(parts) + 1):
                folder = os.path.join(base, *parts[skipped:])  # noqa: PTH118 - as above
                if not is_folder(folder):
                    continue
                if is_below(os.path.realpath(folder), [base, *self._declared]):
                    yield _Candidate(folder, self._declared, is_expected=False, has_links_only=True)
                elif skipped < len(parts):
                    self._outside.setdefault(known, _leading_out_of(self._declared, "its folder"))

    def _bases_of(self, home: str) -> list[Path]:
        return self._folders if self._declared else self._around(home)

    def _around(self, home: str) -> list[Path]:
        """Return the folder of a manifest, and those above it that are searched."""
        if home not in self._bases:
            folder = _real(Path(home))
            above = [folder, *folder.parents]
            tops = [above.index(top) for top in self._tops if top in above]
            # For a manifest in a folder of its own, only one folder above what the user works in is searched.
            self._bases[home] = above[: max([*tops, 1]) + 1]
        return self._bases[home]


def _bucket_and_key(source_ref: str) -> tuple[str, str]:
    """Return the two parts of an S3 URI; both are empty for any other text."""
    if source_ref[:5].lower() != "s3://":
        return "", ""
    bucket, _, key = source_ref[5:].partition("/")
    return bucket, key


def _leading_out_of(roots: Sequence[Path], what: str) -> Place:
    names = ", ".join(dict.fromkeys(shown(root) for root in roots))
    return Place(None, fault=ImageFault.LEADS_OUTSIDE, detail=f"{what} is a symbolic link that leads out of {names}")


def _real(folder: Path) -> Path:
    """Return a folder without links. `Path.resolve` raises where they form a loop."""
    return Path(os.path.realpath(folder))


def _climbs(key: str) -> bool:
    return ".." in key and ".." in key.replace("\\", "/").split("/")
