"""What was measured before: by the content of a file, and by its place and date so that it need not be opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

FOLDER = ".groundlint_cache"
FILE = "measured-2.sqlite"
"""Its number changes with the form of what is in it."""

TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# What groundlint measured of images; it may be removed.\n"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS crops (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
"""

_AT_ONCE = 500
"""Parameters of one statement; old builds of SQLite take 999."""

_FRESH = 2.0
"""Seconds for which a file's date does not tell whether it has changed since."""


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]

Values = dict[str, Any]
"""Measured values by feature and version; of what type they are is checked when they become columns."""


class Facts(msgspec.Struct, array_like=True):
    """What is known of a file's content: its size in bytes, facts of the picture, and values."""

    size: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None
    format: str | None
    mode: str | None
    width: _Count | None
    height: _Count | None
    animated: bool | None
    fault: str | None
    detail: str | None
    values: Values

    @property
    def of_file(self) -> tuple[Any, ...]:
        """All but the values, in their order."""
        return msgspec.structs.astuple(self)[:-1]


class Crop(msgspec.Struct, array_like=True):
    """A box of a picture - left, top, width, height - and what was measured of what lies in it."""

    box: tuple[float, float, float, float]
    values: Values


class Stamp(NamedTuple):
    """What changes when a file does, as far as it can be told without opening it."""

    size: int
    modified: int
    inode: int

    @property
    def text(self) -> str:
        """As it is remembered."""
        return f"{self.size}:{self.modified}:{self.inode}"


class Cache:
    """A file of measurements. Whatever is wrong with it, it is as if it were empty; `warning` says what."""

    def __init__(self, folder: Path | None) -> None:
        self.warning: str | None = None
        self._folder = folder
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, or make it; until then nothing is written anywhere."""
        if self._folder is not None and self._connection is None and self.warning is None:
            with self._guarded(f"{self._folder}: the cache cannot be used"):
                self._connection = _connect(self._folder)

    def digests(self, stamps: Mapping[str, Stamp]) -> dict[str, str]:
        """Digests of the files that have not changed since they were measured."""
        rows = self._select("SELECT path, stamp, digest FROM files WHERE path IN", stamps)
        return {path: digest for path, stamp, digest in rows if stamps[path].text == stamp}

    def facts(self, digests: Iterable[str]) -> dict[str, Facts]:
        """What is known of contents."""
        decoder = msgspec.msgpack.Decoder(Facts)
        found = {}
        for digest, data in self._select("SELECT digest, data FROM facts WHERE digest IN", set(digests)):
            # Somebody else may have written into the file.
            with contextlib.suppress(msgspec.MsgspecError, TypeError):
                found[digest] = decoder.decode(data)
        return found

    def crops(self, digests: Iterable[str]) -> dict[str, list[Crop]]:
        """What is known of boxes, by content."""
        decoder = msgspec.msgpack.Decoder(list[Crop])
        found = {}
        for digest, data in self._select("SELECT digest, data FROM crops WHERE digest IN", set(digests)):
            with contextlib.suppress(msgspec.MsgspecError, TypeError):
                found[digest] = decoder.decode(data)
        return found

    def remember(
        self,
        files: Iterable[tuple[str, Stamp, str]],
        facts: Mapping[str, Facts],
        crops: Mapping[str, Sequence[Crop]],
    ) -> None:
        """Write down what was measured: paths with stamp and digest, facts and crops by digest.

        Values that are there already, of other features or boxes, stay.
        """
        if self._connection is None:
            return
        for digest, known in self.facts(facts).items():
            facts[digest].values |= known.values | facts[digest].values
        merged = {digest: {crop.box: crop.values for crop in known} for digest, known in self.crops(crops).items()}
        for digest, new in crops.items():
            boxes = merged.setdefault(digest, {})
            for crop in new:
                boxes[crop.box] = boxes.get(crop.box, {}) | crop.values
        encode = msgspec.msgpack.encode
        now = time.time_ns()
        sure = [(p, s.text, d) for p, s, d in files if now - s.modified > _FRESH * 1e9]
        with self._guarded("the cache cannot be written"), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", sure)
            rows = [(digest, encode(value)) for digest, value in facts.items()]
            self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)
            of_boxes = [(digest, encode([Crop(*entry) for entry in boxes.items()])) for digest, boxes in merged.items()]
            self._connection.executemany("INSERT OR REPLACE INTO crops VALUES (?, ?)", of_boxes)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _select(self, statement: str, keys: Iterable[str]) -> list[tuple[Any, ...]]:
        wanted = sorted(keys)
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(wanted), _AT_ONCE):
            if self._connection is None:
                break
            part = wanted[start : start + _AT_ONCE]
            with self._guarded("the cache cannot be read"):
                rows += self._connection.execute(f"{statement} ({','.join('?' * len(part))})", part)
        return rows

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Any:
        """A fault of the cache ends its use and nothing else."""
        try:
            yield
        # A hostile file may hold text that is none, or another schema.
        except (sqlite3.Error, OSError, UnicodeError, ValueError) as error:
            self.warning = self.warning or f"{what}: {error}; going on without"
            self.close()


def _connect(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in ((TAG, _TAG_TEXT), (".gitignore", "*\n")):
        # Never through a link that somebody laid there.
        with contextlib.suppress(FileExistsError), (folder / name).open("x", encoding="utf-8") as stream:
            stream.write(text)
    file = folder / FILE
    if file.is_symlink():
        raise OSError("it is a link, which may lead anywhere")
    if file.exists() and _is_tracked(file):
        raise OSError("git tracks it, so that it may be anybody's")
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
    """Whether git tracks the file: then it came with the data and proves nothing."""
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


def stamp(status: os.stat_result) -> Stamp:
    """The stamp of a file."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
