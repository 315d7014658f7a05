"""A baseline: the findings that a data set had when it was created, so that only new ones are reported."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from polars import DataFrame

from groundlint.config.paths import relative
from groundlint.errors import GroundlintError

FILE = "groundlint-baseline.json"
SCHEMA_VERSION = 1


class BaselineError(GroundlintError):
    """The baseline cannot be used."""


class Entry(msgspec.Struct, frozen=True):
    """A finding that is known. `manifest` is relative to the folder of the configuration."""

    manifest: str
    code: str
    source_ref: str | None
    fingerprint: str


class _File(msgspec.Struct):
    schema_version: int
    entries: list[Entry]


@dataclass(frozen=True)
class Baseline:
    """The entries of a baseline file."""

    entries: tuple[Entry, ...] = ()

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the known findings."""
        return [entry.fingerprint for entry in self.entries]

    def stale(self, found: Baseline, judged: Mapping[str, Collection[str]]) -> list[Entry]:
        """The entries that a run did not find, of those that it would have.

        Args:
            found: what it found.
            judged: the codes of the rules by which it judged each manifest.
        """
        seen = set(found.fingerprints)
        looked_for = (entry for entry in self.entries if entry.code in judged.get(entry.manifest, ()))
        return [entry for entry in looked_for if entry.fingerprint not in seen]

    def without(self, entries: Iterable[Entry]) -> Baseline:
        """The baseline less some entries."""
        gone = set(entries)
        return Baseline(tuple(entry for entry in self.entries if entry not in gone))

    def text(self) -> str:
        """The file: sorted, one entry a line, so that it reads well in a diff."""
        entries = sorted(set(self.entries), key=lambda e: (e.manifest, e.code, e.source_ref or "", e.fingerprint))
        lines = ",\n".join(f"    {msgspec.json.encode(entry).decode()}" for entry in entries)
        listed = f"[\n{lines}\n  ]" if entries else "[]"
        return f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "entries": {listed}\n}}\n'


def of_findings(findings: DataFrame, root: Path) -> Baseline:
    """The baseline of findings.

    Args:
        findings: with `fingerprint`.
        root: folder to which manifests are relative.
    """
    paths = {manifest: relative(manifest, root) for manifest in findings["manifest"].unique()}
    rows = findings.select("manifest", "code", "source_ref", "fingerprint").iter_rows()
    return Baseline(tuple(Entry(paths[manifest], *rest) for manifest, *rest in rows))


def load(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        BaselineError: the file cannot be read or is no baseline.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise BaselineError(f"{path}: the baseline cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: not a baseline: {error}; `groundlint baseline create` writes one") from None
    if file.schema_version != SCHEMA_VERSION:
        version = json.dumps(file.schema_version)
        raise BaselineError(f"{path}: a baseline of version {version} is not supported; create it again")
    return Baseline(tuple(file.entries))
