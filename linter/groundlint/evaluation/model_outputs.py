"""Outputs of the user's own model for each label or box, as tables: embeddings and predicted probabilities."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from polars import DataFrame, col
from polars.exceptions import PolarsError

from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import MadeNote
from groundlint.errors import GroundlintError
from groundlint.phrases import first_of, number_of

KEYS = ("source_ref", "attribute", "box")
"""Columns that identify a label or box."""

_NUMBERS = pl.List(pl.Float32)

# From this similarity on a name is taken for a misspelling: "racoon" and "raccoon" have 0.92, "cat" and "bat" 0.67.
_CLOSE = 0.75


class ModelOutputError(GroundlintError):
    """A file of model outputs cannot be used."""


class ModelOutputs:
    """The files that a run was given, as `tables`, and the notes on what is missing from them."""

    def __init__(self, *, embeddings: Path | None, pred_probs: Path | None) -> None:
        self.tables: dict[str, DataFrame] = {}
        self._files: dict[str, Path] = {}
        for name, read, path in (
            ("embeddings", read_embeddings, embeddings),
            ("pred_probs", read_pred_probs, pred_probs),
        ):
            if path:
                self.tables |= read(path)
                self._files[name] = path

    def notes(self, tables: Mapping[str, DataFrame]) -> list[MadeNote]:
        """A note for each file that lacks labels or boxes of the manifests, or has others.

        Args:
            tables: The tables `labels` and `boxes` of the run.

        Raises:
            ModelOutputError: A column of the predicted probabilities seems to be the misspelled name of a label.
        """
        if not self.tables:
            return []
        of_images = tables["labels"].select("source_ref", "attribute", box=pl.lit(None, pl.Int32))
        objects = pl.concat([of_images, tables["boxes"].select(KEYS)]).unique()
        labels = {*tables["labels"]["label"].drop_nulls(), *tables["boxes"]["label"].drop_nulls()}
        found = []
        for name, path in self._files.items():
            rows = self.tables[name]
            said = []
            if lost := rows.join(objects, on=KEYS, how="anti", nulls_equal=True).height:
                said.append(f"{lost:,} of {rows.height:,} rows match no label or box of the manifests")
            if missing := objects.join(rows, on=KEYS, how="anti", nulls_equal=True).height:
                said.append(f"{missing:,} of {objects.height:,} labels and boxes have no row and are not judged by it")
            if name == "pred_probs":
                columns = set(self.tables["pred_prob_labels"]["label"])
                unknown, missed = sorted(columns - labels), sorted(labels - columns)
                _refuse_misspelled(path, unknown, missed)
                if unknown:
                    said.append(f"columns that match no label of the manifests: {first_of(list(map(repr, unknown)))}")
                if missed:
                    said.append(
                        f"labels without a column, which are not judged by it: {first_of(list(map(repr, missed)))}"
                    )
            if said:
                found.append(MadeNote("model-outputs-incomplete", None, lost + missing, f"{path}: {'; '.join(said)}"))
        return found


def _refuse_misspelled(path: Path, columns: Sequence[str], labels: Sequence[str]) -> None:
    """Refuse a file with a column whose name is close to that of a label without a column."""
    known = {label.casefold(): label for label in labels}
    for column in columns:
        # Letters that changed places make a short name look very different.
        swapped = [label for label in known if sorted(label) == sorted(column.casefold())]
        if near := swapped or difflib.get_close_matches(column.casefold(), known, n=1, cutoff=_CLOSE):
            raise ModelOutputError(
                f"{path}: the column {column!r} matches no label of the manifests, but {known[near[0]]!r} has no "
                "column; rename the column, or remove it if it is another label"
            )


def read_embeddings(path: Path) -> dict[str, DataFrame]:
    """The table `embeddings` from a parquet file with the columns source_ref, attribute, box and embedding.

    Raises:
        ModelOutputError: The file cannot be read, lacks a column, names a label or box twice, or its vectors are not
            numbers or differ in length.
    """
    rows = _read(path, (".parquet",))
    if "embedding" not in rows.columns:
        raise ModelOutputError(f"{path}: there is no column embedding with a list of numbers for each label or box")
    dtype = rows.schema["embedding"]
    if not isinstance(dtype, pl.List | pl.Array) or not pl.Series(dtype=dtype.inner).dtype.is_numeric():
        raise ModelOutputError(f"{path}: the column embedding holds {dtype}, not lists of numbers")
    vectors = rows["embedding"].cast(_NUMBERS)
    return {"embeddings": _checked(path, rows, vectors, "the embedding")}


def read_pred_probs(path: Path) -> dict[str, DataFrame]:
    """The tables `pred_probs` and `pred_prob_labels` from a parquet or csv file.

    Its columns are source_ref, attribute, box, and one for each label.

    Raises:
        ModelOutputError: The file cannot be read, lacks a column, names a label or box twice, or has values that are
            not probabilities.
    """
    rows = _read(path, (".parquet", ".csv"))
    labels = [name for name in rows.columns if name not in KEYS]
    if len(labels) < 2:
        raise ModelOutputError(
            f"{path}: {number_of(len(labels), 'column')} of labels; at least 2 are needed, one for each label"
        )
    for label in labels if not rows.is_empty() else ():
        if not rows.schema[label].is_numeric():
            raise ModelOutputError(f"{path}: the column {label!r} holds {rows.schema[label]}, not probabilities")
    outside = rows.select(pl.any_horizontal(~col(label).is_between(0, 1) for label in labels).fill_null(True))
    if bad := outside.to_series().arg_true().to_list():
        raise ModelOutputError(f"{path}: row {bad[0] + 1} has a value that is not a probability from 0 to 1")
    numbers = rows.select(pl.concat_list(labels).cast(_NUMBERS)).to_series()
    names = DataFrame({"place": range(len(labels)), "label": labels}, schema=BASE["pred_prob_labels"].schema)
    return {"pred_probs": _checked(path, rows, numbers, "the list of probabilities"), "pred_prob_labels": names}


def _read(path: Path, suffixes: tuple[str, ...]) -> DataFrame:
    if path.suffix not in suffixes:
        raise ModelOutputError(f"{path}: the file must be named {' or '.join(f'*{suffix}' for suffix in suffixes)}")
    try:
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except (OSError, PolarsError) as error:
        raise ModelOutputError(f"{path}: the file cannot be read: {str(error).splitlines()[0]}") from None
    if missing := [name for name in KEYS[:2] if name not in rows.columns]:
        raise ModelOutputError(f"{path}: there is no column {missing[0]}; rows are identified by {', '.join(KEYS)}")
    if "box" not in rows.columns:
        rows = rows.with_columns(box=pl.lit(None, pl.Int32))
    try:
        if rows.schema["box"].is_float() and not rows.select((col("box") == col("box").floor()).all()).item():
            raise ModelOutputError(f"{path}: box must be a whole number or empty")
        return rows.with_columns(col("source_ref", "attribute").cast(pl.String), col("box").cast(pl.Int32))
    except PolarsError as error:
        raise ModelOutputError(f"{path}: box must be a whole number or empty: {str(error).splitlines()[0]}") from None


def _checked(path: Path, rows: DataFrame, numbers: pl.Series, what: str) -> DataFrame:
    """The columns that identify a label or box, with its numbers."""
    if rows.is_empty():
        raise ModelOutputError(f"{path}: the file has no rows; it must have one for each label or box")
    lengths = numbers.list.len()
    if wrong := ((lengths != lengths.first()) | lengths.is_null()).arg_true().to_list():
        raise ModelOutputError(f"{path}: {what} of row {wrong[0] + 1} has another length than in row 1")
    values = numbers.explode(empty_as_null=False)
    if not values.is_finite().fill_null(False).all():
        raise ModelOutputError(f"{path}: {what} of some rows has NaN, infinity or null")
    doubled = rows.filter(pl.struct(KEYS).is_duplicated())
    if not doubled.is_empty():
        raise ModelOutputError(f"{path}: {doubled['source_ref'][0]} has two rows with the same attribute and box")
    return rows.select(KEYS).with_columns(numbers.alias("numbers"))
