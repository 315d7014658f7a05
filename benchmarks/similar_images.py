"""Measure how many planted crops and neighboring frames similar-images finds, and the pairs that it flags besides.

`python benchmarks/similar_images.py DATA` cuts crops and frames out of the photographs of clothing and imagenet_sample.
Those of one kind are compared among all images of their set. Figures are of the half of the images with
`sha256(source_ref)[0] & 1` = 1; `--half 0` shows the half on which thresholds were chosen. accuracy.py runs it too.

`--search 100000` measures the search for nearest neighbors, and the whole table, on as many made-up images. Their
embeddings are those of all public sets, each moved by half the difference of two others, and their pixels those of one
of the fifty nearest images.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measured import SETS as PUBLIC
from measured import Measured, agreement, exported, halves, source_refs
from PIL import Image, ImageChops, ImageEnhance
from polars import col

from groundlint.engine import registry
from groundlint.engine.base_tables import BASE
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageTask
from groundlint_rules.algorithms.nearest_neighbors import MAX_EXACT, nearest, reduction
from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.features.embeddings import NUMBERS
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


def features(data: Path, names: Sequence[str], half: int | None) -> pl.DataFrame:
    """What is compared of the images of some sets and of the windows of those in a half."""
    references = [reference for name in names for reference in source_refs(data, name)]
    jobs = [
        (reference, data / reference.removeprefix("s3://datasets/"), own == half)
        for reference, own in zip(references, halves(references).to_list(), strict=True)
    ]
    with ProcessPoolExecutor() as pool:
        made = [row for rows in pool.map(measure, jobs, chunksize=8) for row in rows]
    return pl.DataFrame(made, infer_schema_length=None)


def similar(rows: pl.DataFrame) -> set[tuple[str, str]]:
    """Pairs of rows that are similar, by their names; the rows have `name` for a source-ref."""
    # Small images are only read where boxes or labels differ, and here are none.
    images = rows.with_columns(
        data_set=pl.lit(0, pl.Int32), source_ref="name", small_image=pl.lit(None, pl.Binary)
    ).lazy()
    lines = images.select("data_set", "source_ref", manifest=pl.lit("a"), line=pl.lit(1, pl.Int32))
    # Copies are not duplicates here: it is this search that is measured, also on what another rule would find.
    duplicates = pl.LazyFrame(schema={"data_set": pl.Int32, "source_ref": pl.String, "group": pl.String})
    boxes, labels = (BASE[name].empty().lazy() for name in ("boxes", "labels"))
    found = similar_pairs.function(images, duplicates, lines, boxes, labels).lazy()
    return set(found.select("a_source_ref", "b_source_ref").collect().iter_rows())


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
    yield from judged(features(data, SETS, 1), 1)
    yield from small_figures(data)
    yield from small_copies(data)


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


def small_figures(data: Path, half: int = 1) -> Iterator[Measured]:
    """How well similar and duplicate pairs of cifar10n, 32 px, agree with what was judged by eye.

    An unjudged pair counts as wrong. Halves are those of the lower source-ref.
    """
    judged = pl.read_csv(Path(__file__).with_name("similar_pairs.csv"))
    ends = ("a_source_ref", "b_source_ref")
    found = exported("near_pairs", data / "cifar10n/output.manifest").select(ends)
    rows = found.with_columns(found=True).join(judged, on=ends, how="full", coalesce=True)
    rows = rows.filter(halves(rows["a_source_ref"]) == half).fill_null(False).with_columns(yes=col("verdict") == "yes")
    said = agreement(rows, col("found"), col("yes").fill_null(False)) + f", {rows['yes'].sum()} pairs to find"
    yield Measured("DUP107", f"cifar10n, half {half}", "pairs of small images found by DUP101, DUP102 or DUP107", said)


SMALL: dict[str, Callable[[Image.Image], Image.Image]] = {
    "moved by 2 px": lambda image: ImageChops.offset(image, 2, 0).crop((2, 0, 32, 32)),
    "moved by 4 px": lambda image: ImageChops.offset(image, 4, 0).crop((4, 0, 32, 32)),
    "cropped by 10%": lambda image: part(image, (0.05, 0.05, 0.9)),
    "1.3 times as bright": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "JPEG of quality 50": lambda image: image,
}
"""Copies of images of 32 px. What moves out of the image is cut off; nothing new moves in."""


def small_copies(data: Path, half: int = 1) -> Iterator[Measured]:
    """Share of the planted copies of a tenth of cifar10n that this search finds."""
    references = [name for name in source_refs(data, "cifar10n") if halves([name])[0] == half][::5]
    known = registry.load(isolated=True)
    measurer = Measurer(known.graph.plan([known.find("similar-images")()]).features)
    made = []
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "copy.jpg"
        for reference in references:
            path = data / reference.removeprefix("s3://datasets/")
            made.append(row(reference, _ORIGINAL, measurer, path))
            for version, change in SMALL.items():
                change(Image.open(path).convert("RGB")).save(saved, quality=50 if "JPEG" in version else QUALITY)
                made.append(row(reference, version, measurer, saved))
    rows = pl.DataFrame(made, infer_schema_length=None)
    originals = named(rows, _ORIGINAL, "a")
    shares = [f"{version} {recall(originals, named(rows, version, 'b')):.3f}" for version in SMALL]
    yield Measured("DUP107", f"cifar10n, half {half}", f"copies found, of {len(references)}", ", ".join(shares))


def made_up(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """As many images as wanted that are distributed like those given."""
    draw = np.random.default_rng(0)
    roots = stacked(rows["image_embedding"], NUMBERS, np.uint8)
    cosines = reduction(roots)(roots)
    near = np.argpartition(-(cosines @ cosines.T), 50, axis=1)[:, :50]
    parts = []
    for start in range(0, count, 10_000):
        size = min(10_000, count - start)
        own, one, other = draw.integers(0, len(roots), (3, size))
        moved = roots[own] + (roots[one].astype(np.float32) - roots[other]) / 2
        pixels = rows["medium_image"].gather(near[own, draw.integers(0, 50, size)])
        embeddings = [row.tobytes() for row in np.clip(moved, 0, 255).astype(np.uint8)]
        parts.append(pl.DataFrame({"image_embedding": embeddings, "medium_image": pixels}))
    names = pl.Series([f"{n:07}" for n in range(count)])
    return pl.concat(parts).with_columns(name=names, width=pl.lit(400), height=pl.lit(300))


def peak() -> float:
    """Most memory that this process has used, in MB."""
    # In kilobytes; on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def search_cost(rows: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Time, memory and recall of the search, then time and memory of the table."""
    sample = rows["image_embedding"].gather_every(max(1, len(rows) // 50_000))
    reduced = reduction(stacked(sample, NUMBERS, np.uint8))
    parts = [stacked(rows["image_embedding"][n : n + 4096], NUMBERS, np.uint8) for n in range(0, len(rows), 4096)]
    embeddings = np.concatenate([reduced(parts.pop(0)) for _ in range(len(parts))])
    limit = 0.35 if len(rows) <= MAX_EXACT else 0.65
    wall, cpu = time.perf_counter(), time.process_time()
    found = nearest(embeddings, 10, limit)
    yield "search", cost(wall, cpu) + f"; {len(found):,} pairs"
    known = np.unique(found[:, 0] * len(rows) + found[:, 1])
    queries = np.random.default_rng(1).choice(len(rows), 1000, replace=False)
    cosines = embeddings[queries] @ embeddings.T
    cosines[np.arange(1000), queries] = -1
    near = np.argpartition(-cosines, 10, axis=1)[:, :10]
    values = np.take_along_axis(cosines, near, axis=1)
    keys = np.minimum(near, queries[:, None]) * len(rows) + np.maximum(near, queries[:, None])
    is_found = np.isin(keys, known)
    shares = [f"{is_found[values >= least].mean():.3f} from {least}" for least in (limit, 0.7, 0.8)]
    yield "recall of the ten nearest of 1,000 images, by cosine", ", ".join(shares)
    del cosines, embeddings, found, known
    before, wall, cpu = peak(), time.perf_counter(), time.process_time()
    flagged = len(similar(rows))
    yield "table", f"{cost(wall, cpu)}; {flagged:,} pairs; memory {before:.0f} MB before, {peak():.0f} MB at most"


def cost(wall: float, cpu: float) -> str:
    return f"{time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", type=int, default=1)
    parser.add_argument("--search", type=int, help="measure the search among so many made-up images")
    parser.add_argument("--keep", type=Path, help="file of what is compared; measured if it does not exist")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        rows = pl.read_parquet(options.keep)
    else:
        names = [name for name in PUBLIC if name != "kitti_labels"] if options.search else SETS
        rows = features(options.data, names, None if options.search else options.half)
        if options.keep:
            rows.write_parquet(options.keep)
    if options.search:
        for line in search_cost(made_up(rows, options.search)):
            print(*line, sep=" | ", flush=True)
        return
    of_small = small_figures(options.data, options.half), small_copies(options.data, options.half)
    for figure in itertools.chain(judged(rows, options.half), *of_small):
        print(*figure, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
