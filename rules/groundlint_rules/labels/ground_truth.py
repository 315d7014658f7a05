"""LBL: what a Ground Truth labeling job asks of label attributes."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ProblemRule, and_others


class OddAttributeName(Rule):
    """The name of a label attribute breaks Ground Truth's rules.

    ## Why is this bad?
    A labeling job that reuses the attribute is refused. Names must not end in `-metadata` and not be `source` or
    `source-ref`; those of masks, video and point clouds must end in `-ref`, all others must not. One finding stands for
    all lines of a manifest.

    ## How to mend it
    Rename the attribute and its metadata.
    """

    code = "LBL201"
    name = "odd-attribute-name"
    severity = Severity.ERROR
    message = "{detail}{others}"
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(name="animal-ref")),
            says="the name `animal-ref` must not end in -ref for groundtruth/image-classification; "
            "rename the attribute",
        ),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """One line of each manifest with the name."""
        odd = problems.filter(col("kind") == self.name).sort("source_ref", "line")
        return odd.group_by("manifest", "attribute").agg(
            col("line", "source_ref", "detail").first(), others=and_others()
        )


class MaskWithoutColours(ProblemRule):
    """A mask's class has no `hex-color`.

    ## Why is this bad?
    Jobs that adjust or verify the mask cannot be set up. Masks of older jobs lack the colours.

    ## How to mend it
    Add the colour of each class as `#rrggbb` to `internal-color-map`.
    """

    code = "LBL202"
    name = "mask-without-colours"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    examples = (
        Good(
            manifest=lines(
                classification(
                    name="road-ref",
                    value="s3://bucket/1.png",
                    metadata={
                        "type": "groundtruth/semantic-segmentation",
                        "internal-color-map": {"1": {"class-name": "road", "hex-color": "#2ca02c"}},
                    },
                )
            )
        ),
        Bad(
            manifest=lines(
                classification(
                    name="road-ref",
                    value="s3://bucket/1.png",
                    metadata={
                        "type": "groundtruth/semantic-segmentation",
                        "internal-color-map": {"1": {"class-name": "road"}},
                    },
                )
            ),
            says="class 1 of the mask `road-ref` has no hex-color of the form #2ca02c; the mask cannot be adjusted",
        ),
    )


class VideoOrPointCloud(Rule):
    """The line labels a video or a point cloud, not an image.

    ## Why is this bad?
    It is not: it is only that no rule on images applies to it.

    ## How to mend it
    There is nothing to mend.
    """

    code = "LBL203"
    name = "video-or-point-cloud"
    severity = Severity.INFO
    message = "`{attribute}` has the type {type}; rules on images pass over it{others}"
    targets = ("ground-truth",)
    examples = (
        Good(attributes=[{"type": "groundtruth/object-detection"}]),
        Bad(
            attributes=[{"type": "groundtruth/video-object-detection", "attribute": "cars-ref"}],
            says="`cars-ref` has the type groundtruth/video-object-detection; rules on images pass over it",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """One line of each manifest with the attribute."""
        moving = attributes.filter(col("type").str.contains("^groundtruth/(?:video|point.?cloud|3d)")).sort(
            "source_ref", "line"
        )
        return moving.group_by("manifest", "attribute").agg(
            col("line", "source_ref", "type").first(), others=and_others()
        )


class IncompleteLabel(Rule):
    """The line has half a label and no whole one.

    ## Why is this bad?
    A label is a key and the same key with `-metadata`; a chained job takes the line as unlabelled.

    ## How to mend it
    Add the missing half or mend its name.
    """

    code = "LBL204"
    name = "incomplete-label"
    severity = Severity.WARNING
    message = "{detail}"
    targets = ("ground-truth",)
    examples = (
        Good(manifest=lines(classification())),
        Good(manifest=lines('{"source-ref": "s3://bucket/1.jpg", "page": 7, "taken-by": "Ada"}')),
        Bad(manifest=lines(classification().replace("animal-metadata", "animal_metadata"))),
    )

    def check(self, problems: LazyFrame) -> LazyFrame:
        """Lines with no whole attribute and a key that by its value is half of one: a job's input may have others."""
        return problems.filter(col("kind") == "no-label-attributes", col("pointer").is_not_null())
