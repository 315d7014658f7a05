"""SUS: labels that are probably wrong."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity

_SORTED = [
    {"line": n, "source_ref": f"s3://bucket/{name}/{n}.jpg", "label": name}
    for n, name in enumerate(["cat", "dog"] * 20)
]


class FolderContradictsLabel(Rule):
    """The image lies in the folder of another label.

    ## Why is this bad?
    Where the folders of a set are named for its labels, and nearly all images carry the label of their folder, one that
    does not was put into the wrong folder or given the wrong label.

    ## How to mend it
    Look at the image; correct the label, or move the image.

    ## How far it can be trusted
    On clothing, whose folders are its labels, it flags nothing, and all of the wrong labels that were planted
    (benchmarks/planted.py).
    """

    code = "SUS101"
    name = "folder-contradicts-label"
    severity = Severity.WARNING
    message = (
        "the folder is {folder!r}, the label {label!r}; {agreeing:.0%} of the images have the label of their folder"
    )
    examples = (
        Good(labels=_SORTED),
        Good(labels=[row | {"label": "cat"} for row in _SORTED]),
        Bad(
            labels=[*_SORTED, {"line": 99, "source_ref": "s3://bucket/cat/99.jpg", "label": "dog"}],
            says="the folder is 'cat', the label 'dog'; 98% of the images have the label of their folder",
        ),
    )
    agreement: float = Option(0.8, gt=0.5, lt=1, description="Share of the images that must agree with their folder.")
    min_images: int = Option(20, ge=2, description="Images in folders that are named as labels.")

    def check(self, labels: LazyFrame) -> LazyFrame:
        """Labels that differ from a folder's, where folders mean labels."""
        known = labels.select(col("label").str.to_lowercase()).unique()
        folder = col("source_ref").str.extract(r"([^/]+)/[^/]+$")
        # An image with several labels lies in the folder of one of them.
        single = labels.filter(pl.len().over("manifest", "line", "attribute") == 1).with_columns(folder=folder)
        sorted_ = single.with_columns(meant=col("folder").str.to_lowercase()).join(
            known, left_on="meant", right_on="label", how="semi"
        )
        agrees = col("meant") == col("label").str.to_lowercase()
        by_attribute = sorted_.with_columns(
            agreeing=agrees.mean().over("attribute"),
            folders=col("meant").filter(agrees).n_unique().over("attribute"),
            images=pl.len().over("attribute"),
        )
        is_sorted = (col("agreeing") >= self.agreement) & (col("folders") > 1) & (col("images") >= self.min_images)
        return by_attribute.filter(is_sorted, ~agrees)
