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
    """A known finding. `manifest` is relative to the folder of the configuration."""

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
        """The entries that a run looked for and did not find.

        Args:
            found: The findings of the run.
            judged: Codes of the rules that judged each manifest, by its path.
        """
        seen = set(found.fingerprints)
        looked_for = (entry for entry in self.entries if entry.code in judged.get(entry.manifest, ()))
        return [entry for entry in looked_for if entry.fingerprint not in seen]

    def without(self, entries: Iterable[Entry]) -> Baseline:
        """The baseline without some entries."""
        removed = set(entries)
        return Baseline(tuple(entry for entry in self.entries if entry not in removed))

    def text(self) -> str:
        """The file: sorted, one entry per line, for readable diffs."""
        entries = sorted(set(self.entries), key=lambda e: (e.manifest, e.code, e.source_ref or "", e.fingerprint))
        lines = ",\n".join(f"    {msgspec.json.encode(entry).decode()}" for entry in entries)
        listed = f"[\n{lines}\n  ]" if entries else "[]"
        return f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "entries": {listed}\n}}\n'


def of_findings(findings: DataFrame, root: Path) -> Baseline:
    """The baseline that knows all of the findings.

    Args:
        findings: Findings with `fingerprint`.
        root: Folder to which manifests are relative.
    """
    paths = {manifest: relative(manifest, root) for manifest in findings["manifest"].unique()}
    rows = findings.select("manifest", "code", "source_ref", "fingerprint").iter_rows()
    return Baseline(tuple(Entry(paths[manifest], *rest) for manifest, *rest in rows))


def load(path: Path) -> Baseline:
    """Read a baseline.

    Raises:
        BaselineError: The file cannot be read or is not a baseline.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise BaselineError(f"{path}: the baseline cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: not a baseline: {error}; `groundlint baseline create` writes one") from None
    if file.schema_version != SCHEMA_VERSION:
        version = json.dumps(file.schema_version)
        raise BaselineError(
            f"{path}: version {version} of baselines is not supported; run `groundlint baseline create`"
        )
    return Baseline(tuple(file.entries))
