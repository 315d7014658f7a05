"""From a source-ref to a file: only regular files below the declared folders, whatever a manifest says."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from groundlint.images.record import ImageFault
from groundlint.images.twins import TwinFinder, difference, normal_form


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

    Where `path` is None, `fault` and `detail` say why; `fault` is None if there simply is no such file. `twin` is a
    file with another extension that is probably meant, unless a line names it.
    """

    path: str | None
    stamp: Stamp | None = None
    fault: ImageFault | None = None
    detail: str | None = None
    twin: str | None = None


def _refused(reason: str) -> Place:
    return Place(None, fault=ImageFault.REFUSED, detail=reason)


_NOWHERE = Place(None)
_CLIMBS = _refused("its key leaves its folder through `..`")

_SLASH = re.compile(r"([/\\\\]|%2[fF]|%5[cC])")

# Files that DVC and git-annex manage are links to places named after their content.
_IN_DVC_CACHE = re.compile(r"[/\\][0-9a-f]{2}[/\\][0-9a-f]{30}$")
_IN_ANNEX = re.compile(r"[/\\]annex[/\\]objects[/\\]")
_OF_DVC = Place(None, fault=ImageFault.NOT_FETCHED, detail="tracked by DVC; run `dvc pull`")
_OF_ANNEX = Place(None, fault=ImageFault.NOT_FETCHED, detail="tracked by git-annex; run `git annex get`")

# Other errors mean that there is no such folder.
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, getattr(errno, "ESTALE", errno.EIO))


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


class _Near(NamedTuple):
    """Where twins of the images of a directory may be, and whether DVC tracks it.

    Each of the `folders` is below the first of the three; before the name of the file comes the third.
    """

    folders: list[tuple[str, str, str]]
    is_tracked: bool


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
        self._listings: dict[str, _Listing] = {}
        self._candidates: dict[tuple[str, str], list[_Candidate]] = {}
        self._outside: dict[tuple[str, str], Place] = {}
        self._bases: dict[str, list[Path]] = {}
        self._is_inside: dict[tuple[str, Path], bool] = {}
        self._twins = TwinFinder(lambda folder: list(self._listing(folder).entries))
        self._near: dict[tuple[str, str, str], _Near] = {}

    def find(self, source_ref: str, manifest: str) -> Place:
        """Return where the image of a line is.

        Args:
            source_ref: The image as the manifest names it.
            manifest: Path of the manifest.
        """
        if "\0" in source_ref:
            return _refused("its name contains a NUL character")
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return self._find_below(root, source_ref[len(prefix) :].lstrip("/"))
        bucket, key = _bucket_and_key(source_ref)
        if not key:
            return _NOWHERE
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
            listing = self._listing(folder)
            # Most folders do not hold the image, and there are many images: no call more than necessary.
            if name in listing.entries:
                entry = listing.entries[name]
                if has_links_only and not entry.is_symlink() and not _is_below(os.path.realpath(folder), allowed):
                    continue
                place = self._entry(entry, allowed)
                if place.path is not None:
                    return place
                failed = failed or place
            elif is_expected and listing.refused:
                failed = failed or _refused(listing.refused)
        if failed := failed or self._outside.get(known):
            return failed
        return self._absent(known, self._bases_of(home), f"{bucket}/{directory}".rstrip("/"), name)

    def looked_for(self, source_ref: str, manifest: str) -> str:
        """Return which file was looked for and where, as "img/1.jpg below data or ."."""
        for prefix, root in self._prefixes:
            if source_ref.startswith(prefix):
                return f"{source_ref[len(prefix) :].lstrip('/')} below {_shown(root)}"
        _, key = _bucket_and_key(source_ref)
        bases = [_shown(base) for base in self._bases_of(os.path.dirname(manifest))]  # noqa: PTH120 - as above
        return f"{key or source_ref} below {' or '.join(bases) or 'the given folders'}"

    def searched(self, manifests: Iterable[str]) -> list[str]:
        """Return the folders in which images of manifests are searched, as text for the user.

        Folders that could not be read come first, with the reason.
        """
        folders = [str(folder) for _, folder in self._prefixes] + [str(folder) for folder in self._folders]
        if not self._declared:
            homes = {os.path.dirname(manifest) for manifest in manifests}  # noqa: PTH120 - as above
            folders = [str(base) for home in sorted(homes) for base in self._bases_of(home)]
        obstacles = {listing.obstacle for listing in self._listings.values() if listing.obstacle}
        texts = [f"{folder} ({reason})" for folder, reason in sorted(obstacles)]
        unreadable = {folder for folder, _ in obstacles}
        return list(dict.fromkeys(texts + [text for folder in folders if (text := _shown(folder)) not in unreadable]))

    def _find_below(self, root: Path, relative: str) -> Place:
        if _climbs(relative):
            return _CLIMBS
        allowed = [root, *self._declared]
        directory, name = os.path.split(os.path.join(root, relative))  # noqa: PTH118 - as above
        if (directory, root) not in self._is_inside:
            self._is_inside[directory, root] = _is_below(os.path.realpath(directory), allowed)
        if not self._is_inside[directory, root]:
            return Place(None, fault=ImageFault.LEADS_OUTSIDE, detail=f"it is outside {_shown(root)}")
        listing = self._listing(directory)
        if name in listing.entries:
            return self._entry(listing.entries[name], allowed)
        if listing.refused:
            return _refused(listing.refused)
        folder, _, name = relative.rpartition("/")
        return self._absent((folder, str(root)), [root], f"/{folder}", name)

    def _entry(self, entry: os.DirEntry[str], roots: Sequence[Path]) -> Place:
        """Return an entry of a folder as a place; its first root is the one that was searched."""
        path = entry.path
        try:
            if entry.is_symlink():
                path = os.path.realpath(path)
                if not _is_below(path, roots):
                    return _dangling(path) or _leading_out_of(roots, "it")
                if not os.path.exists(path):  # noqa: PTH110 - as above
                    return _dangling(path) or _refused("it is a symbolic link to a file that does not exist")
                self.followed.update(str(root) for root in roots if entry.path.startswith(f"{root}{os.sep}"))
            status = os.stat(path)  # noqa: PTH116 - as above
        except OSError as error:
            return _refused(f"the file cannot be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return _refused("it is not a regular file")
        return Place(path, Stamp(status.st_size, status.st_mtime_ns, status.st_ino))

    def _absent(self, known: tuple[str, str], bases: Sequence[Path], directory: str, name: str) -> Place:
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
                twin = os.path.join(folder, found)  # noqa: PTH118 - as above
                # Folders on the way may be links.
                if _is_below(os.path.realpath(twin), [Path(base)]) and os.path.isfile(twin):  # noqa: PTH113
                    return _misnamed(f"{directory}/{name}", twin, base)
            is_tracked = is_tracked or f"{name}.dvc" in self._listing(folder).entries
        return _OF_DVC if is_tracked else _NOWHERE

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
        return f"{name}.dvc" in self._listing(folder).entries or self._is_tracked(base, above)

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
                if not _is_folder(folder):
                    continue
                if _is_below(os.path.realpath(folder), allowed):
                    is_expected = skipped < len(parts) or bool(self._declared) or base == bases[0]
                    yield _Candidate(folder, allowed, is_expected)
                elif skipped < len(parts):
                    self._outside.setdefault(known, _leading_out_of(allowed, "its folder"))
        for base in self._around(home) if self._declared else ():
            for skipped in range(len(parts) + 1):
                folder = os.path.join(base, *parts[skipped:])  # noqa: PTH118 - as above
                if not _is_folder(folder):
                    continue
                if _is_below(os.path.realpath(folder), [base, *self._declared]):
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

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listings:
            self._listings[folder] = _listed(folder)
        return self._listings[folder]


def _bucket_and_key(source_ref: str) -> tuple[str, str]:
    """Return the two parts of an S3 URI; both are empty for any other text."""
    if source_ref[:5].lower() != "s3://":
        return "", ""
    bucket, _, key = source_ref[5:].partition("/")
    return bucket, key


def _cuts(path: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to cut a path into a folder, which may be empty, and the rest."""
    parts = path.split("/") if path else []
    for n in range(len(parts)):
        yield "/".join(parts[:n]), "/".join(parts[n:])


def _misnamed(key: str, twin: str, base: str) -> Place:
    shown = _as_text(twin[len(base) :].lstrip(os.sep))
    depth = shown.replace("\\", "/").count("/")
    written = "".join(_SLASH.split(key)[-2 * depth - 1 :])
    how = difference(written, shown)
    has_other_suffix = os.path.splitext(written)[1].lower() != os.path.splitext(shown)[1].lower()  # noqa: PTH122
    path = os.path.realpath(twin) if has_other_suffix else None
    return Place(None, fault=ImageFault.MISNAMED, detail=f"{shown} exists: {how}", twin=path)


def _dangling(path: str) -> Place | None:
    """Return why a link of DVC or git-annex leads to a file that does not exist; None for any other."""
    if os.path.exists(path):  # noqa: PTH110 - as above
        return None
    return _OF_DVC if _IN_DVC_CACHE.search(path) else _OF_ANNEX if _IN_ANNEX.search(path) else None


def _leading_out_of(roots: Sequence[Path], what: str) -> Place:
    names = ", ".join(dict.fromkeys(_shown(root) for root in roots))
    return Place(None, fault=ImageFault.LEADS_OUTSIDE, detail=f"{what} is a symbolic link that leads out of {names}")


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
    return _as_text(os.path.relpath(folder))


def _as_text(path: str) -> str:
    """Return a path with escapes for bytes that are not text."""
    return path.encode("utf-8", "backslashreplace").decode()


def _climbs(key: str) -> bool:
    return ".." in key and ".." in key.replace("\\", "/").split("/")


def _is_below(path: str, roots: Sequence[Path]) -> bool:
    """Return whether a real path is in one of the folders."""
    return any(path == str(root) or path.startswith(str(root).rstrip(os.sep) + os.sep) for root in roots)
