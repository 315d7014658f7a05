"""A rule of the third party, with an option, over its own table."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity


class Crowd(Rule):
    """An image has more boxes than Acme's annotators mark with care.

    ## Why is this bad?
    Past that number boxes are left out.

    ## How to mend it
    Cut the image into tiles and mark each.
    """

    code = "ACM101"
    name = "crowded-image"
    severity = Severity.WARNING
    message = "{size} boxes, more than {most}"
    examples = (
        Good(boxes=[{}] * 20),
        Good(boxes=[{"line": 1}, {"line": 2}], options={"most": 1}),
        Bad(boxes=[{}] * 21, says="21 boxes, more than 20"),
        Bad(boxes=[{}, {}], options={"most": 1}, says="2 boxes, more than 1"),
        Bad(crowds=[{"size": 30}], says="30 boxes, more than 20"),
    )

    most: int = Option(20, ge=1, description="Number of boxes that an image may have.")

    def check(self, crowds: LazyFrame) -> LazyFrame:
        return crowds.filter(col("size") > self.most)
