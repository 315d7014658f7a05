"""The cache: earlier measurements by content, and the contents of files by path, size and date."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from groundlint.images.places import Stamp
from groundlint.images.record import CropRecord, ImageRecord

FOLDER = ".groundlint_cache"
FILE = "measured-6.sqlite"
"""Name of the database. The number changes with the form of its content, and with what counts as a fault."""

TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Measurements of images by groundlint; safe to delete.\n"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
  path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images (digest TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS crops (digest TEXT PRIMARY KEY, records BLOB NOT NULL);
"""

_MAX_PARAMETERS = 500
"""Parameters of one statement; old builds of SQLite take 999."""

_DAY = 86_400
"""Seconds of a day."""

_RECENT_SECONDS = 2.0
"""A file written so recently may change again and keep its date."""


class Cache:
    """A database of measurements. If anything is wrong with it, it counts as empty and `warning` says why."""

    def __init__(self, folder: Path | None) -> None:
        """Name the cache, without creating it.

        Args:
            folder: Where the cache is; None stores nothing.
        """
        self.warning: str | None = None
        self._folder = folder
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the database, and create it and its folder if necessary."""
        if self._folder is not None and self._connection is None and self.warning is None:
            with self._guarded(f"{self._folder}: the cache cannot be used"):
                self._connection = _connect(self._folder)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored, or the database cannot be used."""
        rows: list[Any] = []
        if self._connection is not None:
            with self._guarded("the cache cannot be read"):
                rows = self._connection.execute("SELECT 1 FROM files LIMIT 1").fetchall()
        return not rows

    def digests(self, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """Return the digests of files that have not changed since they were measured.

        Args:
            stamps: The present stamp of each file, by path.
        """
        rows = self._select("SELECT path, stamp, digest, used FROM files WHERE path IN", stamps)
        known = {
            path: digest for path, stamp, digest, _ in rows if stamps[path].text == stamp and isinstance(digest, str)
        }
        today = _today()
        if self._connection is not None and (stale := [path for path, _, _, used in rows if used != today]):
            with self._guarded("the cache cannot be written"), self._connection:
                rows = [(today, path) for path in stale if path in known]
                self._connection.executemany("UPDATE files SET used = ? WHERE path = ?", rows)
        return known

    def known(self, paths: Iterable[str]) -> set[str]:
        """Return those of some files that were measured before, though they may have changed since."""
        return {path for (path,) in self._select("SELECT path FROM files WHERE path IN", paths)}

    def images(self, digests: Iterable[str]) -> dict[str, ImageRecord]:
        """Return the known records of contents, by digest."""
        rows = self._records("SELECT digest, record FROM images WHERE digest IN", digests, ImageRecord)
        return {digest: record for digest, record in rows if record.digest == digest}

    def crops(self, digests: Iterable[str]) -> dict[str, dict[Any, CropRecord]]:
        """Return the known records of boxes, by digest and box."""
        rows = self._records("SELECT digest, records FROM crops WHERE digest IN", digests, list[CropRecord])
        return {digest: {crop.box: crop for crop in crops} for digest, crops in rows}

    def store(
        self,
        files: Iterable[tuple[str, Stamp, str]],
        images: Mapping[str, ImageRecord],
        crops: Mapping[str, Sequence[CropRecord]],
    ) -> None:
        """Store what was measured. Values of other features and boxes that are already stored remain.

        Args:
            files: Path, stamp and digest of each file.
            images: Records by digest.
            crops: Records of boxes by digest.
        """
        if self._connection is None:
            return
        for digest, known in self.images(images).items():
            images[digest].values |= known.values | images[digest].values
        merged = self.crops(crops)
        for digest, new in crops.items():
            of_content = merged.setdefault(digest, {})
            for crop in new:
                known_values = of_content[crop.box].values if crop.box in of_content else {}
                of_content[crop.box] = CropRecord(crop.box, known_values | crop.values)
        encode = msgspec.msgpack.encode
        now = time.time_ns()
        settled = [
            (path, stamp.text, digest, _today())
            for path, stamp, digest in files
            if now - stamp.modified > _RECENT_SECONDS * 1e9
        ]
        with self._guarded("the cache cannot be written"), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", settled)
            rows = [(digest, encode(record)) for digest, record in images.items()]
            self._connection.executemany("INSERT OR REPLACE INTO images VALUES (?, ?)", rows)
            rows = [(digest, encode(list(of_content.values()))) for digest, of_content in merged.items()]
            self._connection.executemany("INSERT OR REPLACE INTO crops VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _records(self, statement: str, digests: Iterable[str], form: Any) -> Iterator[tuple[str, Any]]:
        decoder = msgspec.msgpack.Decoder(form)
        for digest, data in self._select(statement, set(digests)):
            # Somebody else may have written into the database.
            with contextlib.suppress(msgspec.MsgspecError, TypeError):
                yield digest, decoder.decode(data)

    def _select(self, statement: str, keys: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = sorted(keys)
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), _MAX_PARAMETERS):
            if self._connection is None:
                break
            part = wanted[start : start + _MAX_PARAMETERS]
            with self._guarded("the cache cannot be read"):
                rows += self._connection.execute(f"{statement} ({','.join('?' * len(part))})", part)
        return rows

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Let an error of the cache end its use and nothing else."""
        try:
            yield
        # A hostile database may hold invalid UTF-8 or have other columns.
        except (sqlite3.Error, OSError, UnicodeError, ValueError) as error:
            self.warning = self.warning or f"{what}: {error}; continuing without it"
            self.close()


def remove_unused(folder: Path, days: int) -> tuple[int, int]:
    """Remove the measurements of files that no run has used for a number of days, and databases of earlier versions.

    Args:
        folder: Where the cache is.
        days: Days without use.

    Returns:
        How many files were forgotten, and how many are left.

    Raises:
        OSError: The database is not one that may be opened, or a file cannot be removed.
        sqlite3.Error: The database cannot be read or written.
    """
    for other in folder.glob("measured-*.sqlite*"):
        if not other.name.startswith(FILE) and time.time() - other.stat().st_mtime > days * _DAY:
            other.unlink()
    if not (folder / FILE).exists():
        return 0, 0
    with contextlib.closing(_connect(folder)) as connection:
        with connection:
            forgotten = connection.execute("DELETE FROM files WHERE used < ?", (max(_today() - days, 0),)).rowcount
            for table in ("images", "crops"):
                connection.execute(f"DELETE FROM {table} WHERE digest NOT IN (SELECT digest FROM files)")  # noqa: S608 - two names
        # What is deleted stays in the file until it is written again.
        connection.execute("VACUUM")
        return forgotten, connection.execute("SELECT count(*) FROM files").fetchone()[0]


def _today() -> int:
    """The day of a use, counted from 1970."""
    return int(time.time() // _DAY)


def _connect(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in ((TAG, _TAG_TEXT), (".gitignore", "*\n")):
        # Exclusive creation does not follow a symbolic link that somebody placed there.
        with contextlib.suppress(FileExistsError), (folder / name).open("x", encoding="utf-8") as stream:
            stream.write(text)
    file = folder / FILE
    if file.is_symlink():
        raise OSError("it is a symbolic link")
    if file.exists() and _is_tracked(file):
        raise OSError("git tracks it, so anybody may have written it")
    connection = sqlite3.connect(file, timeout=5, isolation_level="DEFERRED")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_tracked(file: Path) -> bool:
    """Return whether git tracks the file: then it came with the data and proves nothing."""
    if not any((parent / ".git").exists() for parent in file.resolve().parents):
        return False
    command = ["git", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit", "-C", str(file.parent)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [*command, "ls-files", "--error-unmatch", "--", file.name], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0
