"""LBL: label attributes that a Ground Truth labeling job does not accept."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import FACT, Bad, Good, Rule, Severity, note
from groundlint_rules.samples import classification, lines
from groundlint_rules.service import ProblemRule, first_lines, problems_of


class InvalidAttributeName(Rule):
    """The name of a label attribute breaks Ground Truth's rules.

    ## Why it matters
    A labeling job that uses the attribute is refused. A manifest gets one finding for each such name.

    ## How to fix it
    Rename the attribute and its metadata.

    ## Causes
    - The name is `source` or `source-ref`.
    - The name ends in `-metadata`.
    - The name ends in `-ref`, but the labels are not masks, video or point clouds.
    - The name does not end in `-ref`, but the labels are masks, video or point clouds.
    """

    code = "LBL201"
    name = "invalid-attribute-name"
    severity = Severity.ERROR
    precision = FACT
    targets = ("ground-truth",)
    messages = {
        "name-is-reserved": "a label attribute must not be named `{key}`; rename it and `{key}-metadata`{others}",
        "name-ends-in-metadata": "the attribute name `{key}` must not end in -metadata; rename it{others}",
        "name-ends-in-ref": "the attribute name `{key}` must not end in -ref for {found}; rename it{others}",
        "name-without-ref": "the attribute name `{key}` must end in -ref for {found}; rename it{others}",
    }
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(name="animal-ref")),
            says="the attribute name `animal-ref` must not end in -ref for groundtruth/image-classification; rename it",
        ),
        Bad(
            manifest=lines(classification(metadata={"type": "groundtruth/semantic-segmentation"})),
            says="the attribute name `animal` must end in -ref for groundtruth/semantic-segmentation; rename it",
        ),
        Bad(
            manifest=lines(classification(extra={"source": 0, "source-metadata": {"human-annotated": "yes"}})),
            says="a label attribute must not be named `source`; rename it and `source-metadata`",
        ),
        Bad(manifest=lines(classification(name="animal-metadata"))),
    )

    def check(self, problems: LazyFrame, unused_lines: LazyFrame) -> LazyFrame:
        """The first line of each manifest with the name."""
        return first_lines(problems_of(self, problems), unused_lines, "data_set", "manifest", "attribute")


class MaskWithoutColors(ProblemRule):
    """A class of a mask has no `hex-color`.

    ## Why it matters
    Jobs that adjust or verify the mask cannot be created. Masks of older jobs have no colors.

    ## How to fix it
    Add the color of each class as `#rrggbb` to `internal-color-map`.
    """

    code = "LBL202"
    name = "mask-without-colors"
    severity = Severity.ERROR
    targets = ("ground-truth",)
    message = (
        "class {found} of the mask `{key}` has no hex-color, so the mask cannot be adjusted; add one such as #2ca02c"
    )
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
            says="class 1 of the mask `road-ref` has no hex-color, so the mask cannot be adjusted; "
            "add one such as #2ca02c",
        ),
    )


@note(
    rules=(MaskWithoutColors.name,),
    message="{count:# line} with the video or point cloud labels `{attribute}` (type {type}) not fully judged",
)
def video_or_point_cloud_lines(attributes: LazyFrame) -> LazyFrame:
    """The number of lines of each manifest with labels of a video or a point cloud, which no rule reads."""
    moving = attributes.filter(col("type").str.contains("^groundtruth/(?:video|point.?cloud|3d)"))
    counts = moving.group_by("data_set", "manifest", "attribute", "type").agg(count=col("line").n_unique())
    return counts.sort("data_set", "manifest", "attribute", "type")
