"""Runs for tests: as the command starts them, with the configuration of the working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polars import LazyFrame, col

from groundlint import Option, Rule, Severity
from groundlint.config import settings
from groundlint.config.data_sets import Request
from groundlint.engine import registry
from groundlint.engine.registry import Registry
from groundlint.outcomes import Outcome
from groundlint.policy import baseline
from groundlint.policy.selection import of_config
from groundlint.session import Session

REGISTRY = registry.load(isolated=True)


class Narrow(Rule):
    """A box is narrow: a rule on single rows."""

    code, name, severity = "TST101", "narrow-box", Severity.ERROR
    message = "box {box} is {width} px wide"
    least: float = Option(5.0, ge=0, description="Width that a box must have, in px.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.filter(col("width") < self.least)


class Faulty(Rule):
    """A line has a fault of structure: a rule on what the reader found."""

    code, name, severity = "TST102", "faulty-line", Severity.WARNING
    message = "{kind}"

    def check(self, problems: LazyFrame) -> LazyFrame:
        return problems.filter(col("line").is_not_null())


class Unseen(Rule):
    """A test label has no training box: a rule on a data set."""

    code, name, severity = "TST103", "unseen-label", Severity.WARNING
    message = "{label!r} has {count:# test box} and no training box"
    most: int = Option(0, ge=0, description="Number of test boxes that may be unseen.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        counts = boxes.group_by("data_set", "label", "split").len("count")
        train = counts.filter(col("split") == "train")
        unseen = counts.join(train, on=["data_set", "label"], how="anti").filter(col("count") > self.most)
        return unseen.drop("split")


RULES = (Narrow, Faulty, Unseen)
SMALL = Registry({rule.code: rule for rule in RULES}, packages={rule.code: "groundlint" for rule in RULES})
"""A registry with nothing but the rules above."""


def checked(
    *paths: str,
    images: tuple[str, ...] = (),
    request: Request | None = None,
    rules: Registry = REGISTRY,
    **flags: Any,
) -> Outcome:
    """The outcome of a check.

    Args:
        paths: Manifests and folders.
        images: Folders of images.
        request: What to judge, in place of `paths` and `images`.
        rules: The registry.
        flags: Settings that flags set.
    """
    path = settings.find(Path.cwd())
    config = settings.override(settings.load(path) if path else settings.Config(), flags)
    file = config.root / baseline.FILE
    known = baseline.load(file) if file.exists() else None
    session = Session(rules, config, request or Request(paths, images=images))
    return session.check(of_config(rules, config), baseline=known)
