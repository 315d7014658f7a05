"""LBL: objects such as logos that are boxed once and appear again without a box."""

from __future__ import annotations

from typing import Any

from polars import LazyFrame, col

from groundlint import Bad, Cost, Good, Option, Rule, Severity, Status
from groundlint_rules.scoring import score_above

_REPEAT: dict[str, Any] = {
    "box_id": 0,
    "correlation": 0.95,
    "at_left": 300.0,
    "at_top": 40.0,
    "at_width": 90.0,
    "at_height": 60.0,
}


class UnboxedRepeat(Rule):
    """The content of a small box appears again in the same image, where no box is.

    ## Why it matters
    The service's guide asks for a box around every instance of an object such as a logo. What has no box counts as
    background.

    ## How to fix it
    Look at the place. Draw a box there if it shows the object.

    ## How reliable it is
    The rule is in preview, because too few findings could be judged. It finds repetitions that look alike, such as
    printed ones, of 0.8 to 1.25 times the size and upright, in gray levels at 64 px: about half of the copies that are
    planted in images of bccd and wider_occ on which the limit was not chosen (benchmarks/unboxed_repeats.py), and 3 of
    6 in raccoon, on whose images the first prototype of the rule was tried. Boxes smaller than 9 px there, larger than
    a tenth of the image, or nearly flat are not looked for, and at most five boxes of an image are. In bccd as
    published (364 images), four places are reported, and three of them show a cell without a box.
    """

    code = "LBL310"
    name = "unboxed-repeat"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    message = (
        "box {box} ({label!r}) appears again at left {at_left:.0f}, top {at_top:.0f}, width {at_width:.0f}, height "
        "{at_height:.0f} px (correlation {correlation:.2f}), where no box is; draw a box there"
    )
    examples = (
        Good(boxes=[{}], unboxed_repeats=[_REPEAT | {"correlation": 0.85}]),
        Bad(
            boxes=[{}],
            unboxed_repeats=[_REPEAT],
            says="box 0 ('cat') appears again at left 300, top 40, width 90, height 60 px (correlation 0.95), where no "
            "box is; draw a box there",
        ),
        Good(boxes=[{}], unboxed_repeats=[_REPEAT], options={"min_correlation": 0.96}),
        Bad(boxes=[{}], unboxed_repeats=[_REPEAT], options={"min_correlation": 0.94}),
    )
    min_correlation: float = Option(0.9, gt=0, lt=1, description="Correlation from which a place is reported.")

    def check(self, unboxed_repeats: LazyFrame) -> LazyFrame:
        """Boxes whose content correlates with a place without a box."""
        alike = unboxed_repeats.filter(col("correlation") >= self.min_correlation)
        return alike.with_columns(score=score_above("correlation", self.min_correlation))
