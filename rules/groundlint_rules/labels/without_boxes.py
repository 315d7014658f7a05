"""LBL: lines and bounding box attributes without boxes."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Rule, Severity
from groundlint_rules.samples import detection, lines
from groundlint_rules.service import ServiceRule, verdicts_of

_EMPTY = detection(value={"annotations": []}, metadata={"objects": []})


class LineWithoutBoxes(ServiceRule):
    """The line has bounding box attributes, but no box.

    ## Why it matters
    The service ignores the line. It does not use the image as an example of background.

    ## How to fix it
    Draw the boxes, or remove the line.
    """

    code = "LBL109"
    name = "line-without-boxes"
    severity = Severity.WARNING
    aws = "WARNING_NO_ANNOTATIONS"
    message = "no boxes: the service ignores this line; draw boxes or remove the line"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(_EMPTY),
            says="no boxes: the service ignores this line; draw boxes or remove the line",
        ),
    )


class AttributeWithoutBoxes(Rule):
    """A bounding box attribute has no box.

    ## Why it matters
    The service ignores the attribute. If it is the only one of the line, the finding is a consequence of LBL109.

    ## How to fix it
    Draw the boxes, or remove the attribute.
    """

    code = "LBL110"
    name = "attribute-without-boxes"
    severity = Severity.WARNING
    precision = FACT
    aws = "WARNING_NO_ATTRIBUTE_ANNOTATIONS"
    targets = ("rekognition",)
    message = "`{key}` has no boxes: the service ignores it; draw boxes or remove the attribute"
    examples = (
        Good(manifest=lines(detection())),
        Bad(
            manifest=lines(_EMPTY),
            says="`animals` has no boxes: the service ignores it; draw boxes or remove the attribute",
        ),
    )

    def check(self, verdicts: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Attributes without boxes; the only attribute of a line is caused by the line without boxes."""
        empty = verdicts_of(self, verdicts)
        lines_without_boxes = verdicts.filter(col("cause") == LineWithoutBoxes.code).select("line_id")
        single = (
            attributes.join(lines_without_boxes, on="line_id", how="semi")
            .group_by("line_id")
            .agg(attributes=pl.len())
            .filter(col("attributes") == 1)
            .select("line_id", caused_by=lit(LineWithoutBoxes.code))
        )
        return empty.drop("caused_by").join(single, on="line_id", how="left")
