"""Fixes manifests in memory: judges, applies fixes and judges again, until nothing is left that can be fixed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from groundlint.config.data_sets import DataSet, Request, Source, UsageError, data_sets
from groundlint.config.settings import Config
from groundlint.fixes.manifests import apply, fixes
from groundlint.manifest.foreign import looks_like
from groundlint.manifest.reader import TOO_LARGE
from groundlint.outcomes import Outcome

Judge = Callable[[Mapping[str, bytes]], Outcome]
"""Judges a request with other bytes of some manifests, by the identity of their source."""

MAX_ROUNDS = 100
"""How often fixes are applied, as in ruff: a fix may wait for another one, or show another fault."""


@dataclass(frozen=True)
class Snapshot:
    """A manifest as it was read. `path` is the file itself, not a link to it, and `status` what the system says of it.

    Both are None for standard input.
    """

    name: str
    data: bytes
    path: Path | None = None
    status: os.stat_result | None = None

    def is_current(self) -> bool:
        """Whether the file is still the one that was read, with the same bytes."""
        if self.path is None or self.status is None:
            return True
        try:
            status = self.path.stat()
            same = all(getattr(status, key) == getattr(self.status, key) for key in _IDENTIFYING)
            return same and self.path.read_bytes() == self.data
        except OSError:
            return False


_IDENTIFYING = ("st_dev", "st_ino", "st_size", "st_mtime_ns")


@dataclass(frozen=True)
class Change:
    """What fixes make of a manifest: `data`, and for each of its lines the position that it had before, from 0."""

    snapshot: Snapshot
    data: bytes
    origins: list[int]


@dataclass(frozen=True)
class Fixed:
    """Manifests before and after their fixes.

    `before` and `after` are what a check finds then. `count` is the number of findings whose fix was applied.
    `standard_input` is what the manifest on standard input becomes, None if there is none.
    """

    before: Outcome
    after: Outcome
    changes: list[Change] = field(default_factory=list)
    count: int = 0
    standard_input: bytes | None = None


def fixed(judge: Judge, config: Config, request: Request, *, unsafe: bool) -> Fixed:
    """Fix the requested manifests in memory.

    Nothing is fixed if not everything that was asked can be judged.

    Args:
        judge: Judges the request with other bytes of some manifests.
        config: The configuration.
        request: What to judge.
        unsafe: Whether fixes that may change the meaning of a manifest are wanted too.

    Raises:
        GroundlintError: There is nothing to judge, nothing to judge by, or a manifest is not a regular file.
    """
    sources = {source.name: source for source in _sources(data_sets(config, request, looks_like=looks_like))}
    snapshots: dict[str, Snapshot] = {}
    for source in sources.values():
        if source.identity not in snapshots and (snapshot := _snapshot(source)):
            snapshots[source.identity] = snapshot
    contents = {identity: snapshot.data for identity, snapshot in snapshots.items()}
    identities = {name: source.identity for name, source in sources.items()}
    standard_input = next((each.data for each in snapshots.values() if each.path is None), None)
    origins: dict[str, list[int]] = {}
    before = after = judge(contents)
    count = 0
    for n in range(MAX_ROUNDS + 1):
        if after.raised or after.unread:
            # The report is on the files as they are.
            whole = replace(before, raised=after.raised, unread=after.unread)
            return Fixed(whole, whole, standard_input=standard_input)
        if n == MAX_ROUNDS:
            break
        found = after.findings.with_columns(edits=_identified(after.findings["edits"], identities))
        applied = apply(contents, fixes(found, unsafe=unsafe))
        if not applied.contents:
            break
        for identity, kept in applied.origins.items():
            earlier = origins.get(identity)
            origins[identity] = kept if earlier is None else [earlier[line] for line in kept]
        contents |= applied.contents
        count += applied.fixed
        after = judge(contents)
    changes = [
        Change(snapshots[identity], contents[identity], origins[identity])
        for identity in sorted(origins)
        if contents[identity] != snapshots[identity].data
    ]
    of_input = next((change.data for change in changes if change.snapshot.path is None), standard_input)
    return Fixed(before, after, changes, count, of_input)


def _sources(asked: list[DataSet]) -> Iterator[Source]:
    for data_set in asked:
        yield from data_set.judged.sources


def _snapshot(source: Source) -> Snapshot | None:
    """A manifest as it is now; None if it cannot be read, which is reported when it is judged."""
    if source.path is None:
        return Snapshot(source.name, source.data or b"")
    path = Path(os.path.realpath(source.path))
    try:
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode):
            raise UsageError(f"{source.name}: fixes need a regular file, or - for standard input")
        if not stat.S_ISREG(status.st_mode) or status.st_size > TOO_LARGE:
            return None
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            return Snapshot(source.name, stream.read(), path, status)
    except OSError:
        return None


def _identified(edits: pl.Series, identities: Mapping[str, str]) -> pl.Series:
    """Edits with the identities of manifests in place of their names: several names may be those of one file."""
    manifest = pl.field("manifest").replace(dict(identities))
    return edits.list.eval(pl.element().struct.with_fields(manifest=manifest))
