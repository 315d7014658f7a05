"""Measure how many planted crops and neighboring frames similar-images finds, and the pairs that it flags besides.

`python benchmarks/similar_images.py DATA` cuts crops and frames out of the photographs of clothing and imagenet_sample.
Those of one kind are compared among all images of their set. Figures are of the half of the images with
`sha256(source_ref)[0] & 1` = 1; `--half 0` shows the half on which thresholds were chosen. accuracy.py runs it too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
from measured import Measured, halves, source_refs
from PIL import Image
from polars import col

from groundlint.engine import registry
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageTask
from groundlint_rules.tables.similar_pairs import similar_pairs

SETS = ("clothing", "imagenet_sample")

CROPS = {"cropped by 15%": (0.075, 0.075, 0.85), "cropped by 30%": (0.15, 0.15, 0.7)}
"""Left, top and side of the part that is kept, in shares of the sides of the image."""

FRAMES = {
    "moved by 10%": ((0.0, 0.05, 0.9), (0.1, 0.05, 0.9)),
    "steps of 3%": ((0.02, 0.1, 0.8), (0.05, 0.1, 0.8)),
    "steps of 4%": ((0.05, 0.1, 0.8), (0.09, 0.1, 0.8)),
    "steps of 5%": ((0.09, 0.1, 0.8), (0.14, 0.1, 0.8)),
}
"""Two windows of one image, as two frames of a film in which the camera moves to the right."""

WINDOWS = {*CROPS.values(), *(window for pair in FRAMES.values() for window in pair)}

QUALITY = 90
"""JPEG quality of the parts."""

_ORIGINAL = "original"


def part(image: Image.Image, window: tuple[float, float, float]) -> Image.Image:
    left, top, side = window
    width, height = image.size
    edges = (left * width, top * height, (left + side) * width, (top + side) * height)
    return image.crop(tuple(round(edge) for edge in edges))  # type: ignore[arg-type]


def measure(job: tuple[str, Path, bool]) -> list[dict[str, Any]]:
    """What similar-images compares of an image and, if asked for, of all its windows."""
    reference, path, with_windows = job
    known = registry.load(isolated=True)
    measurer = Measurer(known.graph.plan([known.find("similar-images")()]).features)
    rows = [row(reference, _ORIGINAL, measurer, path)]
    if with_windows:
        image = Image.open(path).convert("RGB")
        with tempfile.TemporaryDirectory() as folder:
            for n, window in enumerate(sorted(WINDOWS)):
                saved = Path(folder) / f"{n}.jpg"
                part(image, window).save(saved, quality=QUALITY)
                rows.append(row(reference, str(window), measurer, saved))
    return rows


def row(reference: str, version: str, measurer: Measurer, path: Path) -> dict[str, Any]:
    record = measurer.measure(ImageTask(0, str(path))).record
    values = {key.partition("@")[0]: value for key, value in record.values.items()}
    return {"source_ref": reference, "version": version, "width": record.width, "height": record.height} | values


def features(data: Path, half: int) -> pl.DataFrame:
    """What is compared of the images of all sets and of the windows of those in a half."""
    references = [reference for name in SETS for reference in source_refs(data, name)]
    jobs = [
        (reference, data / reference.removeprefix("s3://datasets/"), is_half)
        for reference, is_half in zip(references, halves(references) == half, strict=True)
    ]
    with ProcessPoolExecutor() as pool:
        made = [row for rows in pool.map(measure, jobs, chunksize=8) for row in rows]
    return pl.DataFrame(made, infer_schema_length=None)


def similar(rows: pl.DataFrame) -> set[tuple[str, str]]:
    """Pairs of rows that are similar, by their names; the rows have `name` for a source-ref."""
    images = rows.with_columns(data_set=pl.lit(0, pl.Int32), source_ref="name").lazy()
    lines = images.select("data_set", "source_ref", manifest=pl.lit("a"), line=pl.lit(1, pl.Int32))
    # Copies are not duplicates here: it is this search that is measured, also on what another rule would find.
    duplicates = pl.LazyFrame(schema={"data_set": pl.Int32, "source_ref": pl.String, "group": pl.String})
    found = similar_pairs.function(images, duplicates, lines).lazy().select("a_source_ref", "b_source_ref").collect()
    return set(found.iter_rows())


def named(rows: pl.DataFrame, version: str, prefix: str) -> pl.DataFrame:
    """The rows of a version, each named by its source-ref behind a prefix that sorts by version."""
    return rows.filter(version=version).with_columns(name=pl.lit(prefix) + col("source_ref"))


def recall(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """Share of the rows of `other` that are similar to the row of `one` with their source-ref."""
    found = similar(pl.concat([one, other]))
    references = other["source_ref"]
    return sum((f"a{reference}", f"b{reference}") in found for reference in references) / len(references)


def figures(data: Path) -> Iterator[Measured]:
    """For each set the share of planted copies and frames that is found, and the flagged pairs of its images."""
    yield from judged(features(data, 1), 1)


def judged(every: pl.DataFrame, half: int) -> Iterator[Measured]:
    """The figures for the windows of one half."""
    for name in SETS:
        rows = every.filter(col("source_ref").str.contains(f"/{name}/"))
        originals = named(rows, _ORIGINAL, "a")
        crops = [recall(originals, named(rows, str(window), "b")) for window in CROPS.values()]
        moved, *steps = (
            recall(named(rows, str(first), "a"), named(rows, str(second), "b")) for first, second in FRAMES.values()
        )
        where = f"{name}, half {half}"
        said = f"{crops[0]:.3f}, {crops[1]:.3f}; {moved:.3f}"
        yield Measured("DUP107", where, "copies found: cropped by 15%, by 30%; moved by 10%", said)
        said = ", ".join(f"{share:.3f}" for share in steps)
        yield Measured("DUP107", where, "neighboring frames found: steps of 3%, 4%, 5%", said)
        pairs = originals.height * (originals.height - 1) // 2
        said = f"{len(similar(originals))} of {pairs:,}"
        yield Measured("DUP107", f"{name}, all images", "pairs of images flagged as published", said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="file of what is compared; measured if it does not exist")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        rows = pl.read_parquet(options.keep)
    else:
        rows = features(options.data, options.half)
        if options.keep:
            rows.write_parquet(options.keep)
    for figure in judged(rows, options.half):
        print(*figure, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
