"""What was measured of a rule, as its page shows it: on which set, and what came out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SETS = ("raccoon", "bccd", "clothing", "cifar10n", "kitti_labels", "wider_occ", "savoias", "flowers12_aug")
"""The public sets below ../shared/data."""


class Measured(NamedTuple):
    """One row of accuracy.csv: the rule's code, the set, what was measured, and the figure as the page shows it."""

    code: str
    data: str
    what: str
    figure: str


def source_refs(data: Path, name: str) -> Iterator[str]:
    """The images of a set, in the order of its manifest."""
    for line in (data / name / "output.manifest").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["source-ref"]
