"""The evaluation of a trained model, as tables: the service's snapshot and summary, or a table of predictions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl
from polars import DataFrame, col, lit

from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import MadeNote
from groundlint.evaluation.evaluation_formats import EvaluationFileError, read
from groundlint.phrases import first_of, number_of, suggestion


class EvaluationFiles:
    """The files of an evaluation, which a run was given.

    Raises:
        EvaluationFileError: A file cannot be read or has wrong values, or the files are of several evaluations.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._name = first_of([str(path) for path in paths])
        self._parts = [read(path) for path in paths]
        self._refuse_repeated()
        if self._parts and all(part.predicted.is_empty() and part.images is None for part in self._parts):
            raise EvaluationFileError(
                f"{self._name}: a summary has no predictions; give the snapshot of the evaluation too"
            )

    def tables(self, read: Mapping[str, DataFrame]) -> tuple[dict[str, DataFrame], list[MadeNote]]:
        """The tables of the evaluation, and notes on what is not used.

        They are `predictions`, `evaluated_images`, `evaluated_labels` and `summary_figures`.

        Of a data set with test data, the test images are evaluated, else all images. Predictions are joined with the
        first line that names the image. They replace those that manifests hold.

        Args:
            read: The tables `lines`, `labels` and `boxes` of the run.

        Raises:
            EvaluationFileError: No image is in a manifest, a label is in none, or they have labels of another kind.
        """
        if not self._parts:
            return {}, []
        predicted = pl.concat(part.predicted for part in self._parts)
        listed = [part.images for part in self._parts if part.images is not None]
        # Each row of a table of predictions names an image, too.
        refs = pl.Series("source_ref", [ref for images in listed for ref in images], pl.String)
        refs = pl.concat([refs, predicted["source_ref"]]).unique()
        lines = read["lines"].filter(col("source_ref").is_not_null(), col("split") != "reference")
        if lines.filter(col("source_ref").is_in(refs.implode())).is_empty():
            raise EvaluationFileError(
                f"{self._name}: none of the {number_of(len(refs), 'image')} of the evaluation is in a manifest; "
                "check the manifests of the data that the model was evaluated on"
            )
        has_test = (col("split") == "test").any().over("data_set")
        candidates = lines.filter((col("split") == "test") | ~has_test)
        first = candidates.sort("manifest", "line").unique(["data_set", "source_ref"], keep="first")
        has_predictions = col("source_ref").is_in(refs.implode())
        # A table cannot say that the model found nothing in an image; a snapshot lists all images.
        is_whole = all(part.images is not None or part.predicted.is_empty() for part in self._parts)
        of_evaluation = first.filter(has_predictions.any().over("data_set"))
        images = of_evaluation.filter(has_predictions) if is_whole else of_evaluation
        columns = BASE["evaluated_images"].schema
        images = images.sort("line_id").select(columns.names())
        known = {*read["labels"]["label"].drop_nulls(), *read["boxes"]["label"].drop_nulls()}
        used = predicted.join(lines.select("source_ref").unique(), on="source_ref", how="semi", maintain_order="left")
        labels = pl.concat(part.labels for part in self._parts)
        _refuse_unknown(pl.concat([used.select("label", "place"), labels.select("label", "place")]), known)
        _refuse_other_kind(used, read["labels"], read["boxes"], images)
        rows = predicted.drop("place", "is_positive").join(images, on="source_ref", maintain_order="left")
        rows = rows.with_columns(attribute_id=lit(None, pl.Int64)).select(BASE["predictions"].schema.names())
        metrics = _with_thresholds(labels, predicted)
        figures = pl.concat(part.figures for part in self._parts)
        found = {
            "predictions": rows,
            "evaluated_images": images,
            "evaluated_labels": metrics,
            "summary_figures": figures,
        }
        return found, self._notes(refs, lines, of_evaluation, has_predictions, is_whole=is_whole)

    def _refuse_repeated(self) -> None:
        """Refuse files of several evaluations: an image has one set of predictions."""
        seen: set[str] = set()
        for part in self._parts:
            refs = {*part.predicted["source_ref"], *(part.images or ())}
            if both := sorted(refs & seen):
                raise EvaluationFileError(
                    f"{self._name}: several files have predictions on {both[0]}; give the files of one evaluation"
                )
            seen |= refs

    def _notes(
        self, refs: pl.Series, lines: DataFrame, of_evaluation: DataFrame, has_predictions: pl.Expr, *, is_whole: bool
    ) -> list[MadeNote]:
        """The note on images of the evaluation or of the manifests that have no counterpart; none if all have one."""
        named = DataFrame({"source_ref": refs})
        unknown = named.join(lines, on="source_ref", how="anti").height
        untested = (
            named.join(lines, on="source_ref", how="semi").join(of_evaluation, on="source_ref", how="anti").height
        )
        missing = of_evaluation.filter(~has_predictions)["source_ref"].n_unique()
        total = of_evaluation["source_ref"].n_unique()
        said = []
        if unknown:
            said.append(f"{unknown:,} of {number_of(len(refs), 'image')} of the evaluation are in no manifest")
        if untested:
            said.append(f"{number_of(untested, 'image')} outside the test data {_are(untested)} not used")
        if missing and is_whole:
            said.append(f"{missing:,} of {number_of(total, 'image')} of the manifests are not in the snapshot")
        elif missing:
            said.append(
                f"{missing:,} of {number_of(total, 'image')} of the manifests have no prediction; their labels count "
                "as not found"
            )
        count = unknown + untested + missing
        return [MadeNote("evaluation-incomplete", None, count, f"{self._name}: {'; '.join(said)}")] if said else []


def _refuse_other_kind(predicted: DataFrame, labels: DataFrame, boxes: DataFrame, images: DataFrame) -> None:
    """Refuse predictions of boxes where the evaluated images have image-level labels only, and the other way round."""
    if predicted.is_empty():
        return
    of_boxes = predicted["left"].is_not_null()
    counts = [rows.join(images, on="line_id", how="semi").height for rows in (boxes, labels)]
    for is_wrong, has, others, what in (
        (of_boxes.all(), counts[0], counts[1], ("predictions have boxes", "image-level labels")),
        (not of_boxes.any(), counts[1], counts[0], ("predictions have no boxes", "boxes")),
    ):
        if is_wrong and not has and others:
            raise EvaluationFileError(
                f"{predicted['place'][0]}: the {what[0]}, but the evaluated images have only {what[1]}; give the "
                f"predictions of a model for {what[1]}, or the manifests of this model"
            )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _refuse_unknown(labels: DataFrame, known: Collection[str]) -> None:
    """Refuse labels that no manifest has; the columns are `label` and `place`."""
    for label, place in labels.iter_rows():
        if label not in known:
            raise EvaluationFileError(
                f"{place}: the label {label!r} is in no manifest{suggestion(label, known)}; correct it, or name the "
                "manifests that the model was trained and tested on"
            )


def _with_thresholds(labels: DataFrame, predicted: DataFrame) -> DataFrame:
    """The metrics of labels; thresholds that no summary gives are taken from what the snapshot counts as positive."""
    counted = predicted.filter(col("is_positive").is_not_null())
    # Of a label without any positive prediction it is only known that all confidences are below the threshold.
    lowest = counted.group_by("label").agg(lowest=col("confidence").filter("is_positive").min().fill_null(1.0))
    names = pl.concat([labels["label"], lowest["label"]]).unique().sort()
    rows = (
        DataFrame({"label": names})
        .join(labels.unique("label"), on="label", how="left")
        .join(lowest, on="label", how="left")
    )
    rows = rows.with_columns(threshold=pl.coalesce("threshold", "lowest"))
    return rows.sort("label").select(BASE["evaluated_labels"].schema.names())
