"""From a source-ref to a file: only regular files below the declared folders, whatever a manifest says."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Stamp(NamedTuple):
    """Facts about a file that change when it is written, known without opening it."""

    size: int
    modified: int
    inode: int

    @property
    def text(self) -> str:
        """The form in which the cache stores it."""
        return f"{self.size}:{self.modified}:{self.inode}"


class Place(NamedTuple):
    """Where the file of an image is.

    `path` is None if no file was found, or if `refused` says why the file is not opened.
    """

    path: str | None
    stamp: Stamp | None = None
    refused: str | None = None


_NOWHERE = Place(None)
_CLIMBS = Place(None, refused="its key leaves its folder through `..`")

# Other errors mean that there is no such folder.
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, getattr(errno, "ESTALE", errno.EIO))


@dataclass(frozen=True)
class Roots:
    """Folders in which images are searched.

    `prefixes` maps the beginning of a source-ref to the folder that stands for it; `folders` are searched for the
    longest suffix of the key. If both are empty, the folder of each manifest and those above it are searched.
    """

    prefixes: Mapping[str, Path]
    folders: Sequence[Path] = ()


class _Candidate(NamedTuple):
    """A folder that may hold the images of a key's directory, and the folders into which links in it may lead.

    An `expected` folder is one that the user or the key names, not merely one above the manifest.
    """

    folder: str
    allowed: list[Path]
    is_expected: bool


class _Obstacle(NamedTuple):
    """A folder that keeps images from being found, and why: "cannot be read: Permission denied"."""

    folder: str
    reason: str


@dataclass
class _Listing:
    """The entries of a folder by name, or why they are not known."""

    entries: dict[str, os.DirEntry[str]] = field(default_factory=dict)
    obstacle: _Obstacle | None = None

    @property
    def refused(self) -> str | None:
        """The obstacle as a sentence."""
        return f"the folder {self.obstacle.folder} {self.obstacle.reason}" if self.obstacle else None


class LocalStorage:
    """Finds images in local folders. A folder is listed once, however many images it holds."""

    def __init__(self, roots: Roots, tops: Iterable[Path]) -> None:
        """Prepare a search.

        Args:
            roots: Where to search.
            tops: Folders above which no images of a manifest below them are searched, such as the working directory.
        """
        by_length = sorted(roots.prefixes.items(), key=lambda item: -len(item[0]))
        self._prefixes = [(prefix, _real(folder)) for prefix, folder in by_length]
        self._folders = [_real(folder) for folder in roots.folders]
        self._is_declared = bool(roots.prefixes or roots.folders)
        self._tops = [_real(top) for top in tops]
        self._listings: dict[str, _Listing] = {}
        self._candidates: dict[tuple[str, str], list[_Candidate]] = {}
        self._bases: dict[str, list[Path]] = {}
        self._is_inside: dict[tuple[str, Path], bool] = {}

    def find(self, source_ref: str, manifest: str) -> Place:
        """Return where the image of a line is.

        Args:
            source_ref: The image as the manifest names it.
            manifest: Path of the manifest.
        """
        if "\0" in source_ref:
            return Place(None, refused="its name contains a NUL character")
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return self._find_below(root, source_ref[len(prefix) :].lstrip("/"))
        bucket, _, key = source_ref.removeprefix("s3://").removeprefix("S3://").partition("/")
        if source_ref[:5].lower() != "s3://" or not key:
            return _NOWHERE
        if _climbs(key):
            return _CLIMBS
        directory, _, name = key.rpartition("/")
        # Making a Path for each image would take most of the time.
        home = "" if self._is_declared else os.path.dirname(manifest)  # noqa: PTH120
        known = (f"{bucket}/{directory}", home)
        if known not in self._candidates:
            self._candidates[known] = list(self._candidates_of(bucket, directory, home))
        refused = None
        for folder, allowed, is_expected in self._candidates[known]:
            listing = self._listing(folder)
            # Most folders do not hold the image, and there are many images: no call more than necessary.
            if name in listing.entries:
                place = _entry(listing.entries[name], allowed)
                if place.path is not None:
                    return place
                refused = refused or place.refused
            elif is_expected:
                refused = refused or listing.refused
        return Place(None, refused=refused) if refused else _NOWHERE

    def searched(self, manifests: Iterable[str]) -> list[str]:
        """Return the folders in which images of manifests are searched, as text for the user.

        Folders that could not be read come first, with the reason.
        """
        folders = [str(folder) for _, folder in self._prefixes] + [str(folder) for folder in self._folders]
        if not self._is_declared:
            homes = {os.path.dirname(manifest) for manifest in manifests}  # noqa: PTH120 - as above
            folders = [str(base) for home in sorted(homes) for base in self._bases_of(home)]
        obstacles = {listing.obstacle for listing in self._listings.values() if listing.obstacle}
        texts = [f"{folder} ({reason})" for folder, reason in sorted(obstacles)]
        unreadable = {folder for folder, _ in obstacles}
        return list(dict.fromkeys(texts + [text for folder in folders if (text := _shown(folder)) not in unreadable]))

    def _find_below(self, root: Path, relative: str) -> Place:
        if _climbs(relative):
            return _CLIMBS
        directory, name = os.path.split(os.path.join(root, relative))  # noqa: PTH118 - as above
        if (directory, root) not in self._is_inside:
            self._is_inside[directory, root] = _is_below(os.path.realpath(directory), [root])
        if not self._is_inside[directory, root]:
            return Place(None, refused=f"it is outside {_shown(root)}")
        listing = self._listing(directory)
        if name in listing.entries:
            return _entry(listing.entries[name], [root])
        return Place(None, refused=listing.refused) if listing.obstacle else _NOWHERE

    def _candidates_of(self, bucket: str, directory: str, home: str) -> Iterator[_Candidate]:
        """Yield the folders that may hold the images of a key's directory, the longest suffix of the key first.

        Links may lead into the folder that was searched, and into the other folders that were declared or in which
        the user works.
        """
        parts = [bucket, *(part for part in directory.split("/") if part)]
        bases = self._bases_of(home)
        own = [base for base in bases if self._is_declared or any(base.is_relative_to(top) for top in self._tops)]
        for skipped in range(len(parts) + 1):
            for base in bases:
                allowed = [base, *own]
                folder = os.path.join(base, *parts[skipped:])  # noqa: PTH118 - as above
                if _is_folder(folder) and _is_below(os.path.realpath(folder), allowed):
                    is_expected = skipped < len(parts) or self._is_declared or base == bases[0]
                    yield _Candidate(folder, allowed, is_expected)

    def _bases_of(self, home: str) -> list[Path]:
        if self._is_declared:
            return self._folders
        if home not in self._bases:
            folder = _real(Path(home))
            above = [folder, *folder.parents]
            tops = [above.index(top) for top in self._tops if top in above]
            # For a manifest in a folder of its own, only one folder above what the user works in is searched.
            self._bases[home] = above[: max([*tops, 1]) + 1]
        return self._bases[home]

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listings:
            self._listings[folder] = _listed(folder)
        return self._listings[folder]


def _listed(folder: str) -> _Listing:
    try:
        # Tables and messages between processes hold text.
        folder.encode()
        with os.scandir(folder) as entries:
            return _Listing({entry.name: entry for entry in entries})
    except UnicodeEncodeError:
        return _Listing(obstacle=_Obstacle(_shown(folder), "has a name that is not valid UTF-8"))
    except OSError as error:
        if error.errno not in _UNREADABLE:
            return _Listing()
        return _Listing(obstacle=_Obstacle(_shown(_outermost(folder, error)), f"cannot be read: {error.strerror}"))


def _outermost(folder: str, error: OSError) -> str:
    """Return the outermost folder that an error is about, on the way to the folder where it was met."""
    while not os.path.exists(folder):  # noqa: PTH110 - as above
        parent = os.path.dirname(folder)  # noqa: PTH120 - as above
        if os.path.exists(parent):  # noqa: PTH110 - as above
            # A loop is in the link itself; permission is needed for the folder above.
            return folder if error.errno == errno.ELOOP else parent
        folder = parent
    return folder


def _entry(entry: os.DirEntry[str], roots: Sequence[Path]) -> Place:
    path = entry.path
    try:
        if entry.is_symlink():
            path = os.path.realpath(path, strict=True)
            if not _is_below(path, roots):
                names = ", ".join(dict.fromkeys(_shown(root) for root in roots))
                return Place(None, refused=f"it is a symbolic link that leads out of {names}")
        status = os.stat(path)  # noqa: PTH116 - as above
    except OSError as error:
        return Place(None, refused=f"the file cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Place(None, refused="it is not a regular file")
    return Place(path, Stamp(status.st_size, status.st_mtime_ns, status.st_ino))


def _is_folder(path: str) -> bool:
    """Return whether there is a folder, or something that may be one and cannot be looked at."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - as above
    except OSError as error:
        return error.errno in _UNREADABLE
    except ValueError:
        return False


def _real(folder: Path) -> Path:
    """Return a folder without links. `Path.resolve` raises where they form a loop."""
    return Path(os.path.realpath(folder))


def _shown(folder: str | Path) -> str:
    return os.path.relpath(folder).encode("utf-8", "backslashreplace").decode()


def _climbs(key: str) -> bool:
    return ".." in key and ".." in key.replace("\\", "/").split("/")


def _is_below(path: str, roots: Sequence[Path]) -> bool:
    """Return whether a real path is in one of the folders."""
    return any(path == str(root) or path.startswith(str(root).rstrip(os.sep) + os.sep) for root in roots)
