"""The images of a folder that no manifest names."""

from __future__ import annotations

import os
from pathlib import Path

from groundlint.images.places import Stamp

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def image_files(folder: Path) -> dict[str, Stamp]:
    """The image files below a folder, sorted by path, without hidden ones; links are not followed."""
    found: dict[str, Stamp] = {}
    for place, folders, names in os.walk(os.path.realpath(folder)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if (
                not name.startswith(".")
                and name.lower().endswith(SUFFIXES)
                and path.is_file()
                and not path.is_symlink()
            ):
                status = path.stat()
                found[str(path)] = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    return dict(sorted(found.items()))
