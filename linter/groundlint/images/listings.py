"""The entries of folders, each listed once, and what keeps folders from being listed."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import NamedTuple

from groundlint.images.places import shown

# Other errors mean that there is no such folder.
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO, getattr(errno, "ESTALE", errno.EIO))


class Obstacle(NamedTuple):
    """A folder that keeps images from being found, and why: "cannot be read: Permission denied"."""

    folder: str
    reason: str


@dataclass
class Listing:
    """The entries of a folder by name, or why they are not known."""

    entries: dict[str, os.DirEntry[str]] = field(default_factory=dict)
    obstacle: Obstacle | None = None

    @property
    def refused(self) -> str | None:
        """The obstacle as a sentence."""
        return f"the folder {self.obstacle.folder} {self.obstacle.reason}" if self.obstacle else None


class Listings:
    """Folders that were listed so far."""

    def __init__(self) -> None:
        self._known: dict[str, Listing] = {}

    def of(self, folder: str) -> Listing:
        """Return the entries of a folder; none where there is no such folder."""
        if folder not in self._known:
            self._known[folder] = _listed(folder)
        return self._known[folder]

    @property
    def obstacles(self) -> set[Obstacle]:
        """What kept folders from being listed."""
        return {listing.obstacle for listing in self._known.values() if listing.obstacle}


def _listed(folder: str) -> Listing:
    try:
        # Tables and messages between processes hold text.
        folder.encode()
        with os.scandir(folder) as entries:
            return Listing({entry.name: entry for entry in entries})
    except UnicodeEncodeError:
        return Listing(obstacle=Obstacle(shown(folder), "has a name that is not valid UTF-8"))
    except OSError as error:
        if error.errno not in _UNREADABLE:
            return Listing()
        return Listing(obstacle=Obstacle(shown(_outermost(folder, error)), f"cannot be read: {error.strerror}"))


def _outermost(folder: str, error: OSError) -> str:
    """Return the outermost folder that an error is about, on the way to the folder where it was met."""
    while not os.path.exists(folder):  # noqa: PTH110 - making a Path for each image takes long
        parent = os.path.dirname(folder)  # noqa: PTH120 - as above
        if os.path.exists(parent):  # noqa: PTH110 - as above
            # A loop is in the link itself; permission is needed for the folder above.
            return folder if error.errno == errno.ELOOP else parent
        folder = parent
    return folder


def is_folder(path: str) -> bool:
    """Return whether there is a folder, or something that may be one and cannot be looked at."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - as above
    except OSError as error:
        return error.errno in _UNREADABLE
    except ValueError:
        return False
