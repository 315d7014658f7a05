"""Measure what judging takes for many images: time, memory, and how both grow.

`python benchmarks/many_images.py DATA` measures the images of eight public sets, makes up 100,000 and 1,000,000 images
like them, and runs `groundlint check --measurements` with all rules on both. No image of these exists; what is measured
of them does. Then it checks manifests of as many lines, each with one finding, and writes reports in three formats.
`--keep FOLDER` keeps the files, and `--images 100000` runs one size.

An image has the embedding of a real one, moved by half the difference of two others. Its gray levels are a random part
of one of the fifty images nearest to the real one, among random ones whose spectrum falls as that of photographs does.
Its other measurements are those of any real image. There are 200 labels; 2% of the images have a wrong one, 1% are
copies of other images, half of these of equal bytes, and 0.5% are parts of other images. One in ten is a test image.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from speed import GROUNDLINT, Run, measure

from groundlint.engine import registry
from groundlint.engine.features import Feature
from groundlint.images import parts
from groundlint.images.wide_values import is_wide
from groundlint_rules.algorithms.nearest_neighbors import reduction
from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.features.small_image import MEDIUM_SIDE, SIDE

SETS = ("clothing", "trashnet", "imagenet_sample", "raccoon", "coco128", "animalpose", "savoias", "savoias_objects")

AT_ONCE = 20_000
"""Images that are made up together, and images of a file of measurements."""

LABELS = 200

WRONG, COPIED, CUT, TESTED = 0.02, 0.01, 0.005, 0.1
"""Shares of the images with a wrong label, that are copies, that are parts of other images, and to test."""


def measured(data: Path, folder: Path, features: Sequence[Feature]) -> parts.MeasuredParts:
    """What features say of the images of the public sets, without their boxes."""
    files = [folder / f"{name}.parquet" for name in SETS]
    for name, file in zip(SETS, files, strict=True):
        if not file.exists():
            manifest = str(data / name / "output.manifest")
            measure([GROUNDLINT, "measure", manifest, "--isolated", "--no-cache", "--to", str(file)], folder)
    known = parts.read([str(file) for file in files], features)
    rows = known.images.filter("found", pl.col("fault").is_null()).sort("file", "row").with_columns(labeled=True)
    wide = pl.concat(known.wide(rows, [feature.name for feature in features if is_wide(feature)]))
    return parts.MeasuredParts(rows.hstack(wide.drop("source_ref")), known.crops.clear())


def gray_levels(draw: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Random squares whose amplitude falls with the frequency, (count, 64, 64): as that of photographs does."""
    across, down = np.fft.rfftfreq(MEDIUM_SIDE), np.fft.fftfreq(MEDIUM_SIDE)[:, None]
    amplitude = 1 / np.maximum(np.hypot(across, down), 1 / MEDIUM_SIDE) ** 1.2
    noise = draw.standard_normal((count, MEDIUM_SIDE, MEDIUM_SIDE // 2 + 1, 2), np.float32)
    squares = np.fft.irfft2(noise.view(np.complex64)[..., 0] * amplitude.astype(np.float32))
    spread = np.maximum(squares.std(axis=(1, 2), keepdims=True), 1e-6)
    return np.asarray(squares / spread * 45 + 120, np.float32)


def made_up(rows: pl.DataFrame, count: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield measurements of made-up images and their labels, some thousands at a time."""
    draw = np.random.default_rng(0)
    roots = stacked(rows["image_embedding"], NUMBERS, np.uint8)
    reduced = reduction(roots)(roots)
    near = np.argpartition(-(reduced @ reduced.T), 50, axis=1)[:, :50]
    centers = reduced[draw.choice(len(roots), LABELS, replace=False)]
    label_of = (reduced @ centers.T).argmax(axis=1)
    squares = stacked(rows["medium_image"], MEDIUM_SIDE**2, np.uint8).reshape(-1, MEDIUM_SIDE, MEDIUM_SIDE)
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        own, one, other = draw.integers(0, len(roots), (3, size))
        moved = roots[own] + (roots[one].astype(np.float32) - roots[other]) / 2
        chosen = squares[near[own, draw.integers(0, near.shape[1], size)]]
        medium = 0.3 * gray_levels(draw, size) + 0.7 * windows(chosen, draw.uniform(0, 1, (size, 3)))
        kinds = draw.choice(4, size, p=[1 - COPIED - CUT, COPIED / 2, COPIED / 2, CUT])
        sources = draw.integers(0, size, size)
        sources[kinds[sources] > 0] = np.flatnonzero(kinds == 0)[0]
        copied, encoded, cut = (np.flatnonzero(kinds == kind) for kind in (1, 2, 3))
        for those in (copied, encoded, cut):
            moved[those] = moved[sources[those]]
            medium[those] = medium[sources[those]]
        medium[encoded] += draw.normal(0, 1, (len(encoded), 1, 1))
        medium[cut] = windows(medium[cut], np.tile((0.75, 0.5, 0.5), (len(cut), 1)))
        names = np.arange(start, start + size)
        bytes_of = np.where(kinds == 1, start + sources, names)
        pixels_of = names.copy()
        pixels_of[copied] = start + sources[copied]
        labels = label_of[own]
        labels[copied] = labels[sources[copied]]
        is_wrong = draw.random(size) < WRONG
        labels[is_wrong] = draw.integers(0, LABELS, int(is_wrong.sum()))
        digests = [hashlib.sha256(str(name).encode()) for name in bytes_of]
        pixels = [hashlib.sha256(f"pixels of {name}".encode()).digest()[:16] for name in pixels_of]
        medium = np.clip(medium.round(), 0, 255).astype(np.uint8)
        small = medium.reshape(size, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).round().astype(np.uint8)
        yield (
            # The labels depend on the embedding only.
            rows[draw.integers(0, len(rows), size)].with_columns(
                source_ref=pl.Series([reference(name) for name in names]),
                bytes=pl.Series(60_000 + bytes_of % 60_000, dtype=pl.Int64),
                digest=pl.Series([digest.hexdigest() for digest in digests]),
                pixel_digest=pl.Series(pixels),
                image_embedding=as_bytes(np.clip(moved, 0, 255)),
                medium_image=as_bytes(medium),
                small_image=as_bytes(small),
            ),
            pl.DataFrame({"number": names, "label": labels}),
        )


def windows(squares: NDArray[np.generic], places: NDArray[np.floating]) -> NDArray[np.float32]:
    """Parts of squares, enlarged to their size.

    Args:
        squares: Shape (n, 64, 64).
        places: Shape (n, 3), each from 0 to 1: the side, from 40% to all of it, and where in what is left.
    """
    size = (MEDIUM_SIDE, MEDIUM_SIDE)
    made = np.empty((len(squares), *size), np.float32)
    for n, (square, (side, across, down)) in enumerate(zip(squares, places, strict=True)):
        width = (0.4 + 0.6 * side) * MEDIUM_SIDE
        left, top = (across * (MEDIUM_SIDE - width), down * (MEDIUM_SIDE - width))
        part = Image.fromarray(square.astype(np.float32))
        made[n] = part.resize(size, Image.Resampling.BILINEAR, (left, top, left + width, top + width))
    return made


def as_bytes(values: NDArray[np.floating] | NDArray[np.uint8]) -> pl.Series:
    return pl.Series([row.tobytes() for row in values.astype(np.uint8)])


def reference(number: int) -> str:
    return f"s3://bucket/images/{number // 1000:04}/{number:07}.jpg"


def line(number: int, label: int, created: str = "2026-01-01T00:00:00") -> str:
    name = f"label {label:03}"
    metadata = {
        "class-name": name,
        "confidence": 0.95,
        "type": "groundtruth/image-classification",
        "job-name": "labeling-job/many",
        "human-annotated": "yes",
        "creation-date": created,
    }
    return json.dumps({"source-ref": reference(number), "kind": label, "kind-metadata": metadata})


def write(data: Path, count: int, folder: Path) -> None:
    """Write the measurements and the manifests of made-up images into a folder."""
    features = registry.load(isolated=True).graph.plan((), tables=("images", "crops")).features
    known = measured(data, folder.parent, features)
    folder.mkdir(parents=True)
    with (folder / "train.manifest").open("w") as train, (folder / "test.manifest").open("w") as test:
        for part, (images, labels) in enumerate(made_up(known.images, count)):
            made = parts.PartTables(images.sort("source_ref"), pl.LazyFrame(), known.crops)
            parts.write(folder / f"part-{part:03}.parquet", made, features)
            for number, label in labels.iter_rows():
                print(line(number, label), file=test if number % round(1 / TESTED) == 0 else train)


def write_faulty(count: int, folder: Path) -> None:
    """Write manifests of lines whose date is wrong."""
    folder.mkdir(parents=True)
    for name, numbers in (("train", range(count // 10, count)), ("test", range(count // 10))):
        with (folder / f"{name}.manifest").open("w") as manifest:
            for number in numbers:
                print(line(number, number % LABELS, created="yesterday"), file=manifest)


def cost(folder: Path, *options: str) -> Run:
    """What a check of a folder takes."""
    command = [GROUNDLINT, "check", "--isolated", "--exit-zero", "--no-cache"]
    return measure([*command, "--train", "train.manifest", "--test", "test.manifest", *options], folder)


def rows(what: str, counts: Sequence[int], runs: Sequence[Run]) -> Iterator[str]:
    """The rows of a table on runs with growing numbers of images."""
    for count, run in zip(counts, runs, strict=True):
        yield f"| {count:,} {what} | {run.wall:,.0f} s | {run.cpu:,.0f} s | {run.peak / 1e6:,.0f} MB |"
    for (few, short), (many, long) in itertools.pairwise(zip(counts, runs, strict=True)):
        wall, cpu = (math.log(a / b) / math.log(many / few) for a, b in zip(long[:2], short[:2], strict=True))
        yield f"| growth from {few:,} to {many:,} | n^{wall:.2f} | n^{cpu:.2f} | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--keep", type=Path, help="folder in which the files are made, or are already")
    options = parser.parse_args()
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as name:
        judged, listed = [], []
        for count in options.images:
            made, faulty = Path(name) / f"images-{count}", Path(name) / f"findings-{count}"
            # Apart, because a process starts with the peak memory of the one that started it.
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                if not made.exists():
                    pool.submit(write, options.data, count, made).result()
                if not faulty.exists():
                    pool.submit(write_faulty, count, faulty).result()
            judged.append(cost(made, "--measurements", "part-*.parquet", "--output", "json:report.json"))
            outputs = [f"--output={form}:report.{form}" for form in ("json", "csv", "junit")]
            listed.append(cost(faulty, *outputs))
        print("| | time | CPU time | peak memory |\n|---|---|---|---|")
        print(*rows("images", options.images, judged), *rows("findings", options.images, listed), sep="\n")


if __name__ == "__main__":
    main()
