"""Files of an evaluation: the service's summary and snapshot, and tables of predictions."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from polars import DataFrame, col, lit
from polars.exceptions import PolarsError

from groundlint.engine.base_tables import BASE, RECTANGLE
from groundlint.errors import GroundlintError
from groundlint.manifest.attributes import Attribute, read_attribute
from groundlint.manifest.explain import Explainer
from groundlint.manifest.strict_json import InvalidJson, parse
from groundlint.manifest.unpaired_keys import attribute_keys
from groundlint.phrases import suggestion

_NAMES = ("source_ref", "label", "confidence")


_OF_SUMMARY = ("LabelEvaluationResults", "EvaluationDetails", "AggregatedEvaluationResults")


_DETAILS = "rekognition-custom-labels-evaluation-details"


_METRICS = {"threshold": "Threshold", "precision": "Precision", "recall": "Recall", "f1": "F1Score"}


_PREDICTED = pl.Schema(
    {
        "place": pl.String(),
        "source_ref": pl.String(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "label": pl.String(),
        "confidence": pl.Float64(),
        **dict.fromkeys(RECTANGLE, pl.Float64()),
        "is_positive": pl.Boolean(),
    }
)
"""Columns of predictions as read. `place` says where one is in which file, `is_positive` whether the service counts it
as exceeding the threshold of its label; null where it does not say."""


class EvaluationFileError(GroundlintError):
    """A file of an evaluation cannot be used."""


class EvaluationPart(NamedTuple):
    """What one file has.

    `images` are the source-refs of the evaluated images; None if the file names only images with predictions. `labels`
    has the columns of `evaluated_labels` and `place`, `figures` those of `summary_figures`.
    """

    predicted: DataFrame
    images: Sequence[str] | None
    labels: DataFrame
    figures: DataFrame


def read(path: Path) -> EvaluationPart:
    """Read a file, whose format its name or its content says.

    Raises:
        EvaluationFileError: It cannot be read, or has wrong values.
    """
    try:
        if path.suffix in (".csv", ".parquet"):
            return EvaluationPart(_read_table(path), None, _no_labels(), _no_figures())
        content = path.read_bytes()
    except OSError as error:
        raise EvaluationFileError(f"{path}: the file cannot be read: {error.strerror or error}") from None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        # A snapshot has one object on each line; its own reader says what is wrong.
        value = None
    if isinstance(value, dict) and set(_OF_SUMMARY) & value.keys():
        return EvaluationPart(
            DataFrame(schema=_PREDICTED), None, _read_summary(path, value), _read_figures(path, value)
        )
    return _read_snapshot(path, content)


def _no_labels() -> DataFrame:
    return DataFrame(schema={**BASE["evaluated_labels"].schema, "place": pl.String()})


def _no_figures() -> DataFrame:
    return DataFrame(schema=BASE["summary_figures"].schema)


def _read_summary(path: Path, value: Mapping[str, Any]) -> DataFrame:
    """The metrics of each label in a summary."""
    results = value.get("LabelEvaluationResults")
    if not isinstance(results, list):
        raise EvaluationFileError(
            f"{path}: there is no list LabelEvaluationResults; give the whole summary of the service"
        )
    rows = []
    for number, entry in enumerate(results):
        place = f"{path}: LabelEvaluationResults[{number}]"
        fields = entry if isinstance(entry, dict) else {}
        label, metrics, images = fields.get("Label"), fields.get("Metrics"), fields.get("NumberOfTestingImages")
        if not isinstance(label, str) or not isinstance(metrics, dict):
            raise EvaluationFileError(f"{place}: Label or Metrics is missing; give the summary as the service wrote it")
        counted = images if type(images) is int else None
        row: dict[str, Any] = {"place": place, "label": label, "images": counted, "summary": str(path)}
        row |= {name: _share(metrics.get(key), f"{place}.Metrics.{key}") for name, key in _METRICS.items()}
        rows.append(row)
    found = DataFrame(rows, schema={**BASE["evaluated_labels"].schema, "place": pl.String()}, strict=False)
    doubled = found.filter(col("label").is_duplicated())
    if not doubled.is_empty():
        raise EvaluationFileError(f"{doubled['place'][1]}: the label {doubled['label'][1]!r} is there twice")
    return found


def _read_figures(path: Path, value: Mapping[str, Any]) -> DataFrame:
    """The metrics of all labels and the confusion matrix of a summary, as far as it has them."""
    given = value.get("AggregatedEvaluationResults")
    aggregated = given if isinstance(given, dict) else {}
    place = f"{path}: AggregatedEvaluationResults"
    # The service's documentation has the metrics at both places.
    nested = aggregated.get("Metrics")
    metrics = aggregated | (nested if isinstance(nested, dict) else {})
    rows = [
        {"figure": figure, "value": _share(metrics.get(key), f"{place}.{key}")}
        for figure, key in _METRICS.items()
        if figure != "threshold"
    ]
    matrix = metrics.get("ConfusionMatrix")
    for number, cell in enumerate(matrix if isinstance(matrix, list) else ()):
        fields = cell if isinstance(cell, dict) else {}
        label, other = fields.get("GroundTruthLabel"), fields.get("PredictedLabel")
        if not isinstance(label, str) or not isinstance(other, str):
            raise EvaluationFileError(
                f"{place}.ConfusionMatrix[{number}]: GroundTruthLabel or PredictedLabel is missing"
            )
        share = _share(fields.get("Value"), f"{place}.ConfusionMatrix[{number}].Value")
        rows.append({"figure": "confusion", "label": label, "other_label": other, "value": share})
    schema = BASE["summary_figures"].schema
    return DataFrame([row | {"summary": str(path)} for row in rows], schema=schema, strict=False).drop_nulls("value")


def _share(value: Any, place: str) -> float | None:
    """A number from 0 to 1, or None."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise EvaluationFileError(f"{place}: {value!r} is not a number from 0 to 1")
    return float(value)


def _read_snapshot(path: Path, content: bytes) -> EvaluationPart:
    """The predictions and images of a snapshot: lines of a manifest with attributes of the evaluation."""
    explainer = Explainer()
    rows: list[tuple[Any, ...]] = []
    images: list[str] = []
    is_evaluated = False
    for number, raw in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        place = f"{path}: line {number}"
        if not raw.strip():
            continue
        try:
            value = parse(raw.removesuffix(b"\r")).value
        except InvalidJson as error:
            hint = "give a snapshot, a summary, or a table named *.csv or *.parquet"
            raise EvaluationFileError(f"{place}: invalid JSON: {error}; {hint}") from None
        source_ref = value.get("source-ref") if isinstance(value, dict) else None
        if not isinstance(source_ref, str):
            raise EvaluationFileError(f"{place}: there is no source-ref; a snapshot has a JSON object on each line")
        images.append(source_ref)
        for name in attribute_keys(value):
            metadata = value[f"{name}-metadata"]
            attribute = read_attribute(name, value[name], metadata, explainer)
            if attribute.is_prediction:
                # A detector may find nothing in any image.
                is_evaluated = True
                rows += _predictions(place, source_ref, attribute, metadata)
    if not is_evaluated:
        raise EvaluationFileError(
            f"{path}: no line has an attribute of an evaluation (rekognition-custom-labels-evaluation); give the "
            "snapshot that the evaluation wrote"
        )
    return EvaluationPart(DataFrame(rows, schema=_PREDICTED, orient="row"), images, _no_labels(), _no_figures())


def _predictions(place: str, source_ref: str, attribute: Attribute, metadata: Any) -> Iterator[tuple[Any, ...]]:
    """The predictions of one attribute, in the order of `_PREDICTED`."""
    place = f"{place}: {attribute.name}"
    if attribute.kind == "detection":
        objects = metadata.get("objects") if isinstance(metadata, dict) else None
        for number, box in enumerate(attribute.boxes):
            sides = (box.left, box.top, box.width, box.height)
            if box.label is None or None in sides:
                raise EvaluationFileError(f"{place}: box {number} has no label or no numbers for its sides")
            _refuse_confidence(f"{place}: box {number}", box.confidence)
            entry = objects[number] if isinstance(objects, list) and number < len(objects) else None
            head = (place, source_ref, attribute.name, number, box.label, box.confidence)
            yield (*head, *sides, _is_positive(entry))
        return
    if not attribute.labels:
        raise EvaluationFileError(f"{place}: there is no class-name in its metadata")
    for label, confidence in attribute.labels:
        _refuse_confidence(place, confidence)
        no_box = (None,) * 4
        yield place, source_ref, attribute.name, None, label, confidence, *no_box, _is_positive(metadata)


def _refuse_confidence(place: str, confidence: float | None) -> None:
    if confidence is None or not 0 <= confidence <= 1:
        found = "missing" if confidence is None else f"{confidence:g}"
        raise EvaluationFileError(f"{place}: the confidence is {found}; it must be a number from 0 to 1")


def _is_positive(entry: Any) -> bool | None:
    """Whether the service counts a prediction as exceeding the threshold of its label; None where it does not say."""
    details = entry.get(_DETAILS) if isinstance(entry, dict) else None
    if not isinstance(details, dict):
        return None
    if details.get("is-true-positive") is True or details.get("is-false-positive") is True:
        return True
    negatives = (details.get("is-true-negative"), details.get("is-false-negative"))
    return False if True in negatives else None


def _read_table(path: Path) -> DataFrame:
    """Predictions from a csv or parquet file: source_ref, label, confidence, and for boxes left, top, width, height."""
    try:
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except PolarsError as error:
        raise EvaluationFileError(f"{path}: the file cannot be read: {str(error).splitlines()[0]}") from None
    has_boxes = bool(set(RECTANGLE) & set(rows.columns))
    wanted = (*_NAMES, *RECTANGLE) if has_boxes else _NAMES
    for name in wanted:
        if name not in rows.columns:
            raise EvaluationFileError(
                f"{path}: there is no column {name}{suggestion(name, rows.columns)}; the columns are "
                f"{', '.join(_NAMES)}, and for boxes {', '.join(RECTANGLE)}"
            )
    if rows.is_empty():
        raise EvaluationFileError(f"{path}: the file has no rows; it must have one for each prediction")
    # The header is the first line of a csv file.
    word, first = ("line", 2) if path.suffix == ".csv" else ("row", 1)
    numbers = pl.int_range(first, rows.height + first, eager=True)
    rows = rows.with_columns(place=numbers.cast(pl.String)).with_columns(place=lit(f"{path}: {word} ") + col("place"))
    for name in wanted[2:]:
        if not rows.schema[name].is_numeric():
            # A column of boxes is text, or of no type, where all its values are empty.
            bad = rows.filter(col(name).cast(pl.Float64, strict=False).is_null())
            found = bad[name][0] if not bad.is_empty() else rows[name][0]
            place = bad["place"][0] if not bad.is_empty() else rows["place"][0]
            raise EvaluationFileError(f"{place}: {name} is {found!r}; it must be a number")
    for name in wanted[:2]:
        rows = rows.with_columns(col(name).cast(pl.String))
        _refuse(rows, col(name).is_null() | (col(name) == ""), f"{name} is empty; each row is one prediction")
    rows = rows.with_columns(col(name).cast(pl.Float64) for name in wanted[2:])
    confidence = col("confidence")
    is_outside = confidence.is_null() | confidence.is_nan() | (confidence < 0) | (confidence > 100)
    _refuse(rows, is_outside, "confidence must be a number from 0 to 1, or from 0 to 100 in the whole file")
    if rows.select((confidence > 1).any()).item():
        rows = rows.with_columns(confidence / 100)
    if has_boxes:
        sides = [col(name) for name in RECTANGLE]
        is_no_box = pl.any_horizontal(side.is_null() | ~side.is_finite() for side in sides)
        _refuse(
            rows, is_no_box, f"{', '.join(RECTANGLE)} must be numbers; leave out the columns if labels are of images"
        )
        _refuse(rows, (col("width") <= 0) | (col("height") <= 0), "width and height must be above 0 px")
        if rows.select(pl.all_horizontal(side.is_between(-1, 1).all() for side in sides)).item():
            raise EvaluationFileError(
                f"{path}: the boxes are written as shares of the image; multiply them by its width and height in px"
            )
        box = pl.int_range(pl.len(), dtype=pl.Int32).over("source_ref")
    else:
        box = lit(None, pl.Int32)
        rows = rows.with_columns(lit(None, pl.Float64).alias(name) for name in RECTANGLE)
        doubled = rows.filter(pl.struct("source_ref", "label").is_duplicated())
        if not doubled.is_empty():
            raise EvaluationFileError(f"{doubled['place'][1]}: the image and label of this row are there twice")
    rows = rows.with_columns(box=box, attribute=lit("evaluation"), is_positive=lit(None, pl.Boolean))
    return rows.select(_PREDICTED.names())


def _read_csv(path: Path) -> DataFrame:
    # Names that look like numbers stay as they are written.
    return pl.read_csv(path, infer_schema_length=None, schema_overrides=dict.fromkeys(_NAMES[:2], pl.String))


def _refuse(rows: DataFrame, is_bad: pl.Expr, why: str) -> None:
    bad = rows.filter(is_bad)
    if not bad.is_empty():
        raise EvaluationFileError(f"{bad['place'][0]}: {why}")
