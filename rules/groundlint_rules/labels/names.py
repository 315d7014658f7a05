"""LBL: label names that are nearly equal, and class map entries that are never used."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Rule, Safety, Severity, json_string, remove_value, set_value
from groundlint_rules.samples import classification, detection, lines
from groundlint_rules.service import in_metadata

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
    ("the Unicode form of their characters", lambda name: unicodedata.normalize("NFKC", name)),
    ("look-alike characters of another alphabet", lambda name: name.translate(_LOOK_ALIKES)),
    ("case", str.casefold),
    ("spaces and separators", lambda name: _SEPARATORS.sub("", name)),
    ("singular and plural", lambda name: _PLURAL.sub(lambda ending: "y" if ending[1] else "", name)),
)
"""What is removed from a name, one step after another, until it equals another name."""

_SHOWN = 10
"""Number of unused classes that a message names."""


class SimilarLabelNames(Rule):
    """Two labels differ only by case, spaces, separators, plural, or characters that look alike or are invisible.

    ## Why it matters
    To the service they are two labels. Each gets part of the images, and the model is trained to distinguish two names
    of the same thing. The finding is on the rarer one.

    ## How to fix it
    Rename one label to the other.

    ## How reliable it is
    Label names that differ by case, an invisible character, another alphabet or a space were planted in clothing: it
    finds all of them (recall 1.00; benchmarks/planted.py). The 8 public sets have no such names, and it flags none
    there.
    """

    code = "LBL301"
    name = "similar-label-names"
    severity = Severity.WARNING
    message = "the labels {label!r} and {other!r} differ only by {difference}; rename one of them"
    fixes = {Safety.UNSAFE: "Renames the rarer label to the other one, in all manifests of the data set."}
    examples = (
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "car"}]),
        Good(labels=[{"label": "1-5"}, {"line": 2, "label": "15"}]),
        Good(labels=[{"label": "glass"}, {"line": 2, "label": "glasses"}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "cat"}, {"line": 3, "label": "Cat"}],
            says="the labels 'Cat' and 'cat' differ only by case; rename one of them",
        ),
        Bad(boxes=[{"label": "fire truck"}, {"line": 2, "label": "fire_truck"}, {"line": 3, "label": "fire truck"}]),
        Bad(
            labels=[{"label": "cat"}, {"line": 2, "label": "cat"}, {"line": 3, "label": "c\u0430t"}],
            says="the labels 'c\u0430t' and 'cat' differ only by look-alike characters of another alphabet; "
            "rename one of them",
        ),
        Bad(labels=[{"label": "cat"}, {"line": 2, "label": "cat\u200b"}]),
        Bad(boxes=[{"label": "box"}, {"line": 2, "label": "boxes"}]),
        Bad(
            manifest=lines(*(classification(source_ref=f"s3://bucket/{n}.jpg") for n in range(2))),
            test_manifest=lines(classification("Cat", source_ref="s3://bucket/2.jpg")),
        ),
    )

    def check(self, label_counts: LazyFrame, classes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Names of a data set that become equal, each with the most frequent one of its group."""
        counts = label_counts.group_by("data_set", "label").agg(col("images").sum())
        ranked = counts.sort("data_set", "images", "label", descending=[False, True, False])
        names = ranked.group_by("data_set", maintain_order=True).agg("label").collect()
        twins = DataFrame(
            [(data_set, *twin) for data_set, labels in names.iter_rows() for twin in _twins(labels)],
            schema={"data_set": pl.Int32, "label": pl.String, "other": pl.String, "difference": pl.String},
            orient="row",
        )
        return _renamed(twins.lazy(), "other", classes, attributes)


def _renamed(names: LazyFrame, to: str, classes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
    """Labels of data sets, with the edits that give them another name wherever they are.

    Args:
        names: `data_set` and `label`, each once, and the new names.
        to: The column with the new names.
        classes: All entries of class maps.
        attributes: All label attributes.
    """
    label = ["data_set", "label"]
    new = names.select(*label, new=json_string(col(to)))
    is_mask = attributes.filter(col("kind") == "segmentation").select("attribute_id", is_mask=lit(value=True))
    in_maps = (
        classes.join(new, on=label)
        .join(is_mask, on="attribute_id", how="left")
        .with_columns(
            at=pl.when("is_mask")
            .then(in_metadata("internal-color-map", col("id"), "class-name"))
            .otherwise(in_metadata("class-map", col("id")))
        )
    )
    alone = attributes.join(new, left_on=["data_set", "class_name"], right_on=label).select(
        *("data_set", "manifest", "line", "new"), label="class_name", at=in_metadata("class-name")
    )
    places = pl.concat([in_maps.select("data_set", "manifest", "line", "new", "label", "at"), alone])
    edit = set_value(col("at"), col("new"), manifest=col("manifest"), line=col("line"))
    edits = places.sort("manifest", "line", "at").with_columns(edit=edit).group_by(label, maintain_order=True)
    return names.join(edits.agg(edits="edit"), on=label, how="left")


def _twins(names: list[str]) -> Iterator[tuple[str, str, str]]:
    """Names that equal an earlier one after some steps, each with that name and the last step that was needed."""
    forms = dict(zip(names, names, strict=True))
    for difference, step in _STEPS:
        first: dict[str, str] = {}
        for name, form in list(forms.items()):
            forms[name] = step(form)
            other = first.setdefault(forms[name], name)
            if other != name:
                yield name, other, difference
                del forms[name]


class HiddenCharactersInLabel(Rule):
    """A label name has invisible characters, or leading or trailing spaces.

    Where another label has the same name apart from these characters, similar-label-names reports the two instead.

    ## Why it matters
    The name differs from the one that people type elsewhere, in code or in a filter.

    ## How to fix it
    Remove the characters.
    """

    code = "LBL302"
    name = "hidden-characters-in-label"
    severity = Severity.WARNING
    precision = FACT
    message = "the label {label!r} has {found}; remove them"
    fixes = {Safety.UNSAFE: "Removes the characters from the name, in all manifests of the data set."}
    examples = (
        Good(labels=[{"label": "fire truck"}]),
        Bad(labels=[{"label": "cat "}], says="the label 'cat ' has leading or trailing spaces; remove them"),
        Bad(labels=[{"label": "c\u200bat"}], says="the label 'c\\u200bat' has invisible characters; remove them"),
        Bad(manifest=lines(detection(metadata={"class-map": {"0": "cat "}}))),
        Good(labels=[{"label": "cat"}, {"line": 2, "label": "cat\u200b"}]),
    )

    def check(self, label_counts: LazyFrame, classes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Names with such characters, unless another name of the data set differs only by them."""
        plain = col("label").str.replace_all(_INVISIBLE.pattern, "").str.strip_chars()
        is_invisible = col("label").str.contains(_INVISIBLE.pattern)
        found = pl.when(is_invisible).then(lit("invisible characters")).otherwise(lit("leading or trailing spaces"))
        names = label_counts.select("data_set", "label", plain=plain, found=found).unique()
        is_alone = pl.len().over("data_set", "plain") == 1
        hidden = names.filter(is_alone, col("label") != col("plain"))
        return _renamed(hidden, "plain", classes, attributes).select("data_set", "label", "found", "edits")


class UnusedClass(Rule):
    """No box and no label uses some classes of a class map.

    ## Why it matters
    They do no harm, but an unused class may mean that labels are missing. Each attribute of a manifest gets one
    finding.

    ## How to fix it
    Add images of the label, or remove the class from the class map.
    """

    code = "LBL303"
    name = "unused-class"
    severity = Severity.INFO
    precision = FACT
    message = "`{attribute}` never uses {unused} of its {count:# class}: {names}"
    fixes = {Safety.SAFE: "Removes the classes from all class maps of the attribute, if all of them are valid."}
    examples = (
        Good(classes=[{}]),
        Good(classes=[{"used": False}, {"line": 2, "used": True}]),
        Bad(manifest=lines(detection()), says="`animals` never uses 1 of its 2 classes: 'dog'"),
    )

    def check(self, classes: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Attributes with classes that no line of the manifest uses."""
        attribute = ("data_set", "manifest", "attribute")
        labels = classes.group_by(*attribute, "label").agg(col("used").any())
        names = col("label").filter(~col("used")).sort()
        counts = labels.group_by(attribute).agg(count=pl.len(), unused=(~col("used")).sum(), names=names.head(_SHOWN))
        shown = "'" + col("names").list.join("', '") + "'"
        rows = counts.filter(col("unused") > 0).with_columns(
            names=pl.when(col("unused") > _SHOWN).then(shown + ", …").otherwise(shown)
        )
        # Where a box has an id that is not in the map, an unused entry may be the one that it should have.
        usable = attributes.select("attribute_id", "usable")
        unused = labels.filter(~col("used")).select(*attribute, "label")
        entries = classes.join(unused, on=[*attribute, "label"]).join(usable, on="attribute_id")
        edit = remove_value(in_metadata("class-map", col("id")), line=col("line"))
        edits = (
            entries.sort("line", "id")
            .with_columns(edit=edit)
            .group_by(attribute, maintain_order=True)
            .agg(edits="edit", is_sure=col("usable").all())
            .filter("is_sure")
        )
        return rows.join(edits, on=attribute, how="left")
