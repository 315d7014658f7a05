"""A rule of the third party, with an option, on a table of its own."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity


class Crowd(Rule):
    """An image has more boxes than Acme's labelers draw with care.

    ## Why it matters
    Beyond that number labelers miss objects.

    ## How to fix it
    Cut the image into tiles and label each tile.
    """

    code = "ACM101"
    name = "crowded-image"
    severity = Severity.WARNING
    message = "{size:# box}, more than {most}"
    examples = (
        Good(boxes=[{}] * 20),
        Good(boxes=[{"line": 1}, {"line": 2}], options={"most": 1}),
        Bad(boxes=[{}] * 21, says="21 boxes, more than 20"),
        Bad(boxes=[{}, {}], options={"most": 1}, says="2 boxes, more than 1"),
        Bad(crowds=[{"line_id": 0, "size": 30}], lines=[{}], says="30 boxes, more than 20"),
    )

    most: int = Option(20, ge=1, description="Number of boxes that an image may have.")

    def check(self, crowds: LazyFrame) -> LazyFrame:
        return crowds.filter(col("size") > self.most)
