"""LBL: metadata of label attributes."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Safety, Severity, set_value, worded
from groundlint_rules.samples import beside_a_sound_line, classification, detection, lines
from groundlint_rules.service import (
    LostLineRule,
    PlainLostLineRule,
    in_metadata,
    misspelt_key,
    repairing,
    with_places,
)

_ENTRY = '{"confidence": 1}'
"""An entry of `objects`; the service requires the confidence but does not use it."""


class InvalidLabelMetadata(LostLineRule):
    """The metadata of a label attribute has the wrong format.

    ## Why it matters
    The service drops the attribute, and the line if it has no other.

    ## How to fix it
    Metadata needs `type`, `human-annotated` (yes or no) and `creation-date`; that of boxes also needs `class-map` and
    `objects`, that of image-level labels `class-name` and `confidence`. The JSON Schemas `detection-metadata` and
    `classification-metadata` define both formats.

    ## Causes
    - A key is missing or has another name.
    - A value has the wrong type or is out of range.
    - The name of a label is empty.

    ## Undocumented service behavior
    A creation-date that is not a date and an empty label name count as errors.
    """

    code = "LBL103"
    name = "invalid-label-metadata"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
    messages = {
        "metadata-without-key": "`{key}` has no `{expected}`; {hint}",
        "metadata-with-invalid-value": "`{key}` is {found}, expected {expected}; {hint}",
        "metadata-with-empty-name": "`{key}` is empty; {hint}",
    }
    fixes = {
        Safety.SAFE: "Renames a misspelt key.",
        Safety.UNSAFE: "Adds a missing `confidence` of 1; else removes the line, if the service would drop it.",
    }
    examples = (
        Good(manifest=lines(classification())),
        Bad(
            manifest=lines(classification(metadata={"confidence": None})),
            says="`animal-metadata` has no `confidence`; "
            "write a number from 0 to 1; the service requires it but ignores it",
        ),
        Bad(
            manifest=lines(detection(metadata={"class-map": None, "class_map": {}})),
            says="`animals-metadata` has no `class-map`; rename `class_map`",
        ),
        Bad(
            manifest=lines(classification(metadata={"human-annotated": "Yes"})),
            says='`animal-metadata.human-annotated` is the string "Yes", expected "yes" or "no"; '
            'write "yes" if a person labeled the image, else "no"',
        ),
        Bad(
            manifest=lines(classification("")),
            says="`animal-metadata.class-name` is empty; write the name of the label",
        ),
        Bad(manifest=lines(classification(metadata={"creation-date": "Mon Nov 18 2013"}))),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame, problems: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = with_places(self.of_rule(verdicts, lost_lines), problems)
        is_missing = col("kind") == "metadata-without-key"
        is_misspelt = is_missing & col("found").is_not_null()
        filled = pl.concat_list(set_value(pl.concat_str(col("at"), lit("/confidence")), lit("1")))
        rows = repairing(rows, is_missing & (col("expected") == "confidence"), filled, Safety.UNSAFE)
        return repairing(rows, is_misspelt, misspelt_key(), Safety.SAFE)


class MissingBoxConfidence(LostLineRule):
    """The metadata does not have one confidence for each box.

    ## Why it matters
    The service drops the attribute, and the line if it has no other. It does not use the confidences.

    ## How to fix it
    Write `{"confidence": 1}` for each box into `objects`, in the order of the boxes.

    ## Causes
    - `objects` is missing.
    - `objects` has more or fewer entries than there are boxes.
    - An entry of `objects` has no `confidence`, or one that is not a number.
    """

    code = "LBL104"
    name = "missing-box-confidence"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
    messages = {
        "missing-objects": '`{key}` has no `objects`; write a list with one {{"confidence": 1}} for each box',
        "objects-unlike-boxes": "`{key}` has {count:# box}, but `objects` of its metadata has {limit}; "
        'write one {{"confidence": 1}} for each box',
        "object-without-confidence": '`{key}` has no number as `confidence`; write {{"confidence": 1}}',
    }
    fixes = {
        Safety.UNSAFE: "Adds a `confidence` of 1 for each box without one; if there are more confidences than boxes, "
        "removes the line, if the service would drop it."
    }
    examples = (
        Good(manifest=lines(detection({}, {"left": 300}))),
        Bad(
            manifest=lines(detection({}, {"left": 300}, metadata={"objects": [{"confidence": 1}]})),
            says='`animals` has 2 boxes, but `objects` of its metadata has 1; write one {"confidence": 1} for each box',
        ),
        Bad(
            manifest=lines(detection(metadata={"objects": [{}]})),
            says='`animals-metadata.objects[0]` has no number as `confidence`; write {"confidence": 1}',
        ),
        Bad(
            manifest=lines(detection(metadata={"objects": None})),
            says='`animals-metadata` has no `objects`; write a list with one {"confidence": 1} for each box',
        ),
    )

    def check(self, verdicts: LazyFrame, lost_lines: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = self.of_rule(verdicts, lost_lines)
        attribute = ["line_id", "attribute"]
        of_rows = boxes.join(rows.select(*attribute, "kind", "limit").unique(), on=attribute)
        is_without = (
            pl.when(col("kind") == "objects-unlike-boxes")
            .then(col("box") >= col("limit"))
            .otherwise(col("confidence").is_null())
        )
        entry = pl.when(col("kind") == "objects-unlike-boxes").then(lit(_ENTRY))
        at = (in_metadata("objects", col("box")), in_metadata("objects", col("box"), "confidence"))
        filled = (
            of_rows.filter(is_without, col("kind") != "missing-objects")
            .with_columns(
                edit=pl.when(entry.is_not_null()).then(set_value(at[0], entry)).otherwise(set_value(at[1], lit("1")))
            )
            .sort("box")
            .group_by(*attribute, "kind", maintain_order=True)
            .agg(filled="edit")
        )
        written = (
            of_rows.filter(col("kind") == "missing-objects")
            .group_by(*attribute, "kind")
            .agg(objects=worded("[{}]", lit(_ENTRY).repeat_by(pl.len()).list.join(", ").first()))
            .with_columns(filled=pl.concat_list(set_value(in_metadata("objects"), col("objects"))))
            .drop("objects")
        )
        rows = rows.join(pl.concat([filled, written]), on=[*attribute, "kind"], how="left")
        return repairing(rows, col("filled").is_not_null(), col("filled"), Safety.UNSAFE).drop("filled")


class MissingClassId(PlainLostLineRule):
    """A box has a class_id that is not in the class map.

    ## Why it matters
    The service does not know the label and drops the attribute, and the line if it has no other. The class map of a
    line needs only the ids that the line uses; it need not be as long as the list of boxes.

    ## How to fix it
    Add the id, as a string, with the name of its label to `class-map`.
    """

    code = "LBL105"
    name = "missing-class-id"
    severity = Severity.ERROR
    aws = "ERROR_MISSING_CLASS_MAP_ID"
    message = "box {count} has class_id {found}, which `{key}-metadata.class-map` does not contain; add it to the map"
    examples = (
        Good(manifest=lines(detection({"class_id": 1}))),
        Bad(
            manifest=lines(detection({"class_id": 7})),
            says="box 0 has class_id 7, which `animals-metadata.class-map` does not contain; add it to the map",
        ),
        Bad(manifest=beside_a_sound_line(detection({"class_id": 7}))),
    )
