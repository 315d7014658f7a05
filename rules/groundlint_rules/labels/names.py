"""LBL: names of labels that are alike, and names that nobody uses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import Bad, Good, Rule, Severity
from groundlint_rules.samples import detection, lines

# Letters of other scripts that look Latin, from the confusables of Unicode's UTS 39.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТХУЗавеѕіјкмнорстхуΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορυ",
    "ABESIJKMHOPCTXY3abesijkmhopctxyABEZHIKMNOPTYXaivopu",
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]"
)
# Between digits a separator is part of a number or range; before a first digit it is a sign.
_SEPARATORS = re.compile(r"(?<=\D)[\s_\-]+|(?<=\d)[\s_\-]+(?=\D|$)|^[\s_]+|^-+(?=\D)")
_PLURAL = re.compile(r"(?:(?<=[^aeiou])(ies)|(?<=x|z)(es)|(?<=ch|sh)(es)|(?<=[^su]{2})s)$")

_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("invisible characters", lambda name: _INVISIBLE.sub("", name)),
    ("the form of their characters", lambda name: unicodedata.normalize("NFKC", name)),
    ("characters of another alphabet that look alike", lambda name: name.translate(_LOOK_ALIKES)),
    ("case", str.casefold),
    ("spaces and separators", lambda name: _SEPARATORS.sub("", name)),
    ("plural", lambda name: _PLURAL.sub(lambda ending: "y" if ending[1] else "", name)),
)
"""What is taken from a name, one after another, until it equals another."""


class SimilarLabelNames(Rule):
    """Two labels differ only by case, spaces, separators, plural, or by characters that cannot be told apart.

    ## Why is this bad?
    To the service they are two labels: each gets part of the images, and the model is taught to tell apart what is the
    same. The finding stands on the rarer one.

    ## How to mend it
    Rename one label to the other.

    ## How far it can be trusted
    Of the names spelt otherwise in clothing, by case, an invisible character, another alphabet or a space, it
    finds all (benchmarks/planted.py); the public sets have none, and it flags none there.
    """

    code = "LBL301"
    name = "similar-label-names"
    severity = Severity.WARNING
    message = "the labels {label!r} and {other!r} differ only by {difference}"
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "car"}]),
        Good(labels=[{"label": "1-5"}, {"line": 2, "label": "15"}]),
        Good(labels=[{"label": "glass"}, {"line": 2, "label": "glasses"}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "cat"}, {"line": 3, "label": "Cat"}],
            says="the labels 'Cat' and 'cat' differ only by case",
        ),
        Bad(boxes=[{"label": "fire truck"}, {"line": 2, "label": "fire_truck"}, {"line": 3, "label": "fire truck"}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "cat"}, {"line": 3, "label": "c\u0430t"}],
            says="the labels 'c\u0430t' and 'cat' differ only by characters of another alphabet that look alike",
        ),
        Bad(labels=[{"label": "cat"}, {"line": 2, "label": "cat\u200b"}]),
        Bad(boxes=[{"label": "box"}, {"line": 2, "label": "boxes"}]),
    )

    def check(self, label_counts: LazyFrame) -> DataFrame:
        """Names that become equal, each with the most frequent of its group."""
        counts = (
            label_counts.group_by("label").agg(col("images").sum()).sort("images", "label", descending=[True, False])
        )
        return DataFrame(
            list(_twins(counts.collect()["label"].to_list())), schema=["label", "other", "difference"], orient="row"
        )


def _twins(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Names that differ from an earlier one by one step or several, with the last step that was needed."""
    forms = dict(zip(names, names, strict=True))
    for difference, step in _STEPS:
        first: dict[str, str] = {}
        for name, form in list(forms.items()):
            forms[name] = step(form)
            other = first.setdefault(forms[name], name)
            if other != name:
                yield name, other, difference
                del forms[name]


class HiddenCharacters(Rule):
    """The name of a label has invisible characters, or spaces at its ends.

    ## Why is this bad?
    The name that is typed elsewhere, in code or in a filter, is another.

    ## How to mend it
    Remove them.
    """

    code = "LBL302"
    name = "hidden-characters-in-label"
    severity = Severity.WARNING
    message = "the label {label!r} has {found}"
    examples = (
        Good(labels=[{"label": "fire truck"}]),
        Bad(labels=[{"label": "cat "}], says="the label 'cat ' has spaces at its ends"),
        Bad(labels=[{"label": "c\u200bat"}], says="the label 'c\\u200bat' has invisible characters"),
    )

    def check(self, label_counts: LazyFrame) -> LazyFrame:
        """Each such name once."""
        has_hidden = col("label").str.contains(_INVISIBLE.pattern)
        found = pl.when(has_hidden).then(lit("invisible characters")).otherwise(lit("spaces at its ends"))
        odd = has_hidden | (col("label") != col("label").str.strip_chars())
        return label_counts.filter(odd).select("label", found=found).unique()


class UnusedClass(Rule):
    """Entries of the class map are used by no box.

    ## Why is this bad?
    It is not: it is only noise, and sometimes a label that was meant to be there. One finding stands for a manifest.

    ## How to mend it
    Add images of the label, or remove the entry.
    """

    code = "LBL303"
    name = "unused-class"
    severity = Severity.INFO
    message = "of the {count} classes of `{attribute}` {unused} are never used: {names}"
    examples = (
        Good(classes=[{}]),
        Good(classes=[{"used": False}, {"line": 2, "used": True}]),
        Bad(manifest=lines(detection()), says="of the 2 classes of `animals` 1 are never used: dog"),
    )

    def check(self, classes: LazyFrame) -> LazyFrame:
        """Attributes with classes that no line of the manifest uses."""
        labels = classes.group_by("manifest", "attribute", "label").agg(col("used").any())
        unused = col("label").filter(~col("used")).sort()
        return (
            labels.group_by("manifest", "attribute")
            .agg(count=pl.len(), unused=(~col("used")).sum(), names=unused.head(10).str.join(", "))
            .filter(col("unused") > 0)
            .with_columns(names=pl.when(col("unused") > 10).then(col("names") + ", …").otherwise("names"))
        )
