"""Figures as the pages of rules show them, and functions that several benchmarks share."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from typer.testing import CliRunner

from groundlint.cli import app

SETS = (
    "raccoon",
    "bccd",
    "clothing",
    "cifar10n",
    "kitti_labels",
    "wider_occ",
    "savoias",
    "flowers12_aug",
    "imagenet_sample",
    "trashnet",
    "coco128",
    "animalpose",
    "savoias_objects",
)
"""All public sets below ../shared/data; kitti_labels has no images."""


class Measured(NamedTuple):
    """One row of accuracy.csv: the rule's code, the set, what was measured, and the figure as the page shows it."""

    code: str
    data: str
    what: str
    figure: str


def source_refs(data: Path, name: str) -> Iterator[str]:
    """Yield the source-refs of a set, in the order of its manifest."""
    for line in (data / name / "output.manifest").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["source-ref"]


def halves(references: Iterable[str]) -> pl.Series:
    """Return the half that each image is in: parameters are chosen on half 0, figures are of half 1."""
    return pl.Series([hashlib.sha256(reference.encode()).digest()[0] & 1 for reference in references])


def exported(table: str, manifest: Path, cache: Path | None = None, images: str | None = None) -> pl.DataFrame:
    """Return a table of a manifest as `groundlint export` writes it.

    Args:
        table: Name of the table.
        manifest: The manifest.
        cache: Folder for measurements of images; nothing is kept if not given.
        images: Where the images are, as "PREFIX=FOLDER"; beside the manifest if not given.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        kept = ["--cache-dir", str(cache)] if cache else ["--no-cache"]
        kept += ["--images", images] if images else []
        done = CliRunner().invoke(app, ["export", table, str(manifest), "--isolated", "--to", str(file), *kept])
        assert done.exit_code == 0, done.output
        return pl.read_parquet(file)


def auroc(score: pl.Series, positive: pl.Series) -> float:
    """Area under the ROC curve: the probability that a positive scores higher than a negative."""
    ranks = score.rank("average").to_numpy()
    yes = positive.to_numpy()
    return float((ranks[yes].sum() - yes.sum() * (yes.sum() + 1) / 2) / (yes.sum() * (~yes).sum()))


def auroc_within(score: pl.Series, positive: pl.Series, classes: pl.Series) -> float:
    """Area under the ROC curve over the pairs that are of the same class."""
    rows = pl.DataFrame({"score": score, "positive": positive, "class": classes})
    areas, pairs = [], []
    for part in rows.partition_by("class"):
        yes = part["positive"].sum()
        if 0 < yes < part.height:
            areas.append(auroc(part["score"], part["positive"]))
            pairs.append(yes * (part.height - yes))
    return float(np.average(areas, weights=pairs))


def at_recall(score: pl.Series, positive: pl.Series, recall: float) -> float:
    """Precision at the highest threshold that reaches a recall."""
    order = np.argsort(-score.to_numpy(), kind="stable")
    yes = positive.to_numpy()[order]
    needed = int(np.searchsorted(np.cumsum(yes), recall * yes.sum())) + 1
    return float(yes[:needed].mean())


def agreement(rows: pl.DataFrame, rule: pl.Expr, positive: pl.Expr) -> str:
    """Describe how a rule agrees with annotations: precision, recall and the number of flagged rows."""
    both = rows.select((rule & positive).sum(), rule.sum().alias("f"), positive.sum().alias("p")).row(0)
    return f"precision {both[0] / both[1]:.3f}, recall {both[0] / both[2]:.3f} ({both[1]:,} flagged)"
