"""SPL: test or reference images that differ from the training images as a whole."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity, worded
from groundlint_rules.tables.split_shifts import MIN_AUROC, TRAITS, Trait

_CHANCE = 0.5
"""Area under the ROC curve of a classifier that knows nothing."""

_SHIFT = {
    "part": "test",
    "auroc": 0.97,
    "p_value": 0.001,
    "trait": "brightness",
    "trait_auroc": 0.04,
    "difference": "darker",
    "average": "median",
    "value": 61.2,
    "trained": 117.9,
    "related": ["s3://bucket/1.jpg"],
}


def _on_trait(trait: Trait) -> str:
    """The message on a part that differs in a trait."""
    value, trained = (trait.number.replace("{", f"{{{name}") for name in ("value", "trained"))
    return (
        f"{{part}} images are {{difference}}: {{average}} {trait.words} {value} against {trained} in the training "
        "images{others} (told apart with AUROC {score:.2f}); add training images like them{remedy}"
    )


class SplitShift(Rule):
    """Test images, or reference images, look different from the training images as a whole.

    Reference images are those that the model will be used on: the images of a manifest or of a folder, given by
    `--reference` or by `reference` in the configuration. No other rule looks at them. Each comparison gets one finding.

    ## Why it matters
    A model is reliable on images like those it was trained on. If test images differ from them, the score is not what
    training could reach. If the images in use differ from both, the score is not what users will see.

    ## How to fix it
    Look at the related images, which are most unlike the training images. If they differ in the light, the camera or
    the size, add training images of the same kind, or split the data again with `groundlint split`. If the difference
    is intended, such as test images of another site, ignore the finding.

    ## How reliable it is
    A classifier two-sample test: a classifier that is trained on four fifths of the images tells the others apart, by
    size, aspect ratio, brightness, contrast, blur and colors, or by the embeddings of a small net. Both the effect (an
    area under the ROC curve of 0.65; 0.5 is chance) and its certainty (none of 999 random divisions reaches it) are
    required. The trait that is named is the one that differs most by itself; where none reaches 0.65, other content is
    reported. Each part needs 20 images. With `--fast`, embeddings are not compared.

    None of 200 random splits of 10 public sets (111 to 5,000 images, a fifth as test data) is reported, and one with
    `--fast`. Test images one stop darker, blurred, or at half the size are found and named in each of raccoon, trashnet
    and savoias (34 to 40 test images), and a label of trashnet as test data (glass, paper) is found as other content.
    """

    code = "SPL209"
    name = "split-shift"
    severity = Severity.INFO
    messages = {name: _on_trait(trait) for name, trait in TRAITS.items()} | {
        "content": "{part} images show other content than the training images (told apart with AUROC {score:.2f}, but "
        "by no single trait); add training images like them{remedy}",
    }
    examples = (
        Good(split_shifts=[_SHIFT | {"auroc": 0.64}]),
        Good(split_shifts=[_SHIFT | {"p_value": 0.002}]),
        Bad(
            lines=[{}],
            split_shifts=[_SHIFT, _SHIFT | {"trait": "blur", "trait_auroc": 0.9, "difference": "blurrier"}],
            says="test images are darker: median gray level (of 255) 61 against 118 in the training images; also "
            "blurrier (told apart with AUROC 0.97); add training images like them, or split the data again",
        ),
        Bad(
            lines=[{}],
            split_shifts=[_SHIFT | {"part": "reference", "trait_auroc": 0.4}],
            says="reference images show other content than the training images (told apart with AUROC 0.97, but "
            "by no single trait); add training images like them",
        ),
        Good(split_shifts=[_SHIFT | {"auroc": 0.7}], options={"min_auroc": 0.75}),
        Bad(lines=[{}], split_shifts=[_SHIFT | {"auroc": 0.62}], options={"min_auroc": 0.6}),
        Good(split_shifts=[_SHIFT], options={"max_p_value": 0.0005}),
        Bad(lines=[{}], split_shifts=[_SHIFT | {"p_value": 0.02}], options={"max_p_value": 0.05}),
    )
    min_auroc: float = Option(
        0.65, ge=MIN_AUROC, lt=1, description="Area under the ROC curve from which it is reported."
    )
    max_p_value: float = Option(0.001, gt=0, le=0.05, description="P-value up to which it is reported.")

    def check(self, split_shifts: LazyFrame) -> LazyFrame:
        """Parts that differ from the training images, with the trait that differs most."""
        effect = (col("trait_auroc") - _CHANCE).abs()
        differing = (
            split_shifts.filter(col("auroc") >= self.min_auroc, col("p_value") <= self.max_p_value)
            .with_columns(effect=effect, told=effect >= self.min_auroc - _CHANCE)
            .sort("data_set", "part", "effect", "trait", descending=[False, False, True, False])
        )
        others = worded("; also {}", col("difference").filter("told").slice(1, 2).str.join(" and "))
        return (
            differing.group_by("data_set", "part", maintain_order=True)
            .agg(
                pl.col("difference", "average", "value", "trained", "related").first(),
                score=col("auroc").first(),
                kind=pl.when(col("told").first()).then(col("trait").first()).otherwise(lit("content")),
                others=pl.when(col("told").sum() > 1).then(others).otherwise(lit("")),
            )
            .with_columns(
                remedy=pl.when(col("part") == "test").then(lit(", or split the data again")).otherwise(lit(""))
            )
        )
