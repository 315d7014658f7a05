"""What the script of a page needs to filter findings and to write what was marked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from groundlint.config.paths import WILDCARDS, relative
from groundlint.report.html.choice import Row
from groundlint.report.report import Report
from groundlint.sanitize import plain_json

_REMOVED = frozenset(
    {"exact-duplicate", "near-duplicate", "leaked-image", "image-unreadable", "image-truncated", "duplicated-box"}
)
"""Rules after whose right findings the image, or the box, is to be removed."""


_CONTRADICTED = frozenset({"duplicate-conflicting-labels", "duplicate-conflicting-boxes"})
"""Rules that say of a duplicate that somebody must look at it before it is removed."""


def review_data(report: Report, rows: Sequence[Row]) -> str:
    """What the script needs of the findings, as JSON in which nothing is markup."""
    paths = {name: relative(name, report.root) for name in {row["manifest"] for row in rows}}
    contradicted = {_line_of(row) for row in rows if row["name"] in _CONTRADICTED}
    entries = [
        {
            "id": row["fingerprint"],
            "code": row["code"],
            "rule": row["name"],
            "severity": row["severity"],
            "label": row["label"],
            "source_ref": row["source_ref"],
            "attribute": row["attribute"],
            "box": row["box"],
            "suggested": row["suggested_label"],
            "decision": _decision(row, contradicted),
            "file": _glob(paths[row["manifest"]]),
            "source": None if row["source_ref"] is None else _glob(row["source_ref"]),
        }
        for row in rows
    ]
    names = [f"{row['fingerprint']}{row['message']}" for row in rows]
    digest = hashlib.sha256("\n".join([report.version, *names]).encode("utf-8", "surrogatepass")).hexdigest()
    text = plain_json(json.dumps({"digest": digest[:32], "findings": entries}, separators=(",", ":")))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _line_of(row: Row) -> tuple[object, ...]:
    return row["data_set"], row["manifest"], row["line"]


def _decision(row: Row, contradicted: set[tuple[object, ...]]) -> str:
    """What follows if the finding is right: a new label, a removal, or nothing that a review file could say."""
    if row["suggested_label"] is not None:
        return "relabel"
    is_removed = row["name"] in _REMOVED and _line_of(row) not in contradicted
    return "remove" if is_removed and "labeled differently" not in row["message"] else "keep"


def _glob(path: str) -> str:
    """A glob that matches a path or source-ref and nothing else."""
    escaped = "".join(f"\\{character}" if character in WILDCARDS else character for character in path)
    escaped = f"\\{escaped}" if escaped[:1] in ("!", "#") else escaped
    # Without a slash it would match a name in any folder.
    escaped = escaped if "/" in escaped else f"/{escaped}"
    return f"{escaped[:-1]}\\ " if escaped.endswith(" ") else escaped
