"""Measure how many strongly degraded images the quality rules find, and how many original images they flag.

`python benchmarks/quality.py DATA` degrades photographs: Gaussian blur of 4 px at 512 px, motion blur of 21 px,
exposure by -3 and +4 stops, noise of 40 levels, JPEG quality 5. It measures all of them with the features of the rules
and judges them with default options. Figures are of the half of the images with `sha256(source_ref)[0] & 1` = 1;
`--half 0` shows the half on which thresholds were chosen. accuracy.py runs it too.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measured import Measured, source_refs
from PIL import Image, ImageFilter

from groundlint.engine import registry
from groundlint.engine.evaluate import evaluate
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageTask

GROUPS = (
    ("clothing", "raccoon", "savoias"),
    ("imagenet_sample", "trashnet", "coco128", "animalpose", "savoias_objects"),
)
"""Sets that are judged together: those on whose half 0 thresholds were chosen, and more varied ones."""

RULES = (
    "image-dark",
    "image-bright",
    "image-low-contrast",
    "image-blurred",
    "image-low-information",
    "image-noisy",
    "image-compressed",
)

Degrade = Callable[[Image.Image, np.random.Generator], Image.Image | None]


def exposed(image: Image.Image, _: np.random.Generator, *, stops: float) -> Image.Image | None:
    """Change the exposure in linear light; None for an overexposed image with fewer than 40% of its pixels clipped."""
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) * 2.0**stops
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    table = (np.clip(back, 0, 1) * 255).round().astype(int).tolist()
    made = image.point(table * 3)
    clipped = (np.asarray(made.convert("L")) >= 250).mean()
    return made if stops < 0 or clipped >= 0.4 else None


def blurred(image: Image.Image, _: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(4 * max(image.size) / 512))


def moved(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Motion blur over 21 px of 512 in a random direction: the mean of shifted images."""
    length = 21 * max(image.size) / 512
    angle = draw.uniform(0, np.pi)
    pixels = np.asarray(image, np.float32)
    steps = max(2, round(length))
    total = np.zeros_like(pixels)
    for n in range(steps):
        offset = (n / (steps - 1) - 0.5) * length
        shift = round(offset * np.sin(angle)), round(offset * np.cos(angle))
        rows = np.clip(np.arange(pixels.shape[0]) + shift[0], 0, pixels.shape[0] - 1)
        columns = np.clip(np.arange(pixels.shape[1]) + shift[1], 0, pixels.shape[1] - 1)
        total += pixels[rows][:, columns]
    return Image.fromarray((total / steps).round().astype(np.uint8))


def noisy(image: Image.Image, draw: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    return Image.fromarray(np.clip(pixels + draw.normal(0, 40, pixels.shape), 0, 255).round().astype(np.uint8))


DEGRADED: dict[str, tuple[Degrade, int]] = {
    "exposure by -3 stops": (partial(exposed, stops=-3), 95),
    "exposure by +4 stops": (partial(exposed, stops=4), 95),
    "Gaussian blur": (blurred, 95),
    "motion blur": (moved, 95),
    "noise": (noisy, 95),
    "JPEG quality 5": (lambda image, _: image, 5),
}


def measure(job: tuple[str, Path, Path]) -> list[dict[str, Any]]:
    """Features of an image and of its degraded versions."""
    reference, path, folder = job
    known = registry.load(isolated=True)
    rules = [known.find(name)() for name in RULES]
    measurer = Measurer(known.graph.plan(rules).features)
    seed = int.from_bytes(hashlib.sha256(reference.encode()).digest()[:4], "big")
    draw = np.random.default_rng(seed)
    rows = [row(reference, "own", measurer, path)]
    image = Image.open(path).convert("RGB")
    for name, (degrade, quality) in DEGRADED.items():
        made = degrade(image, draw)
        if made is not None:
            saved = folder / f"{seed}.jpg"
            made.save(saved, quality=quality)
            rows.append(row(reference, name, measurer, saved))
            saved.unlink()
    return rows


def row(reference: str, version: str, measurer: Measurer, path: Path) -> dict[str, Any]:
    found = measurer.measure(ImageTask(0, str(path)))
    values = {key.partition("@")[0]: value for key, value in found.record.values.items()}
    return {"source_ref": reference, "version": version, "half": half(reference)} | values


def half(reference: str) -> int:
    return hashlib.sha256(reference.encode()).digest()[0] & 1


def flagged(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """The rows that a rule flags, judged as one data set."""
    known = registry.load(isolated=True)
    named = rows.with_row_index("row").with_columns(
        data_set=pl.lit(0, pl.Int32), source_ref=pl.col("row").cast(pl.String), digest=pl.lit("a")
    )
    images = named.with_columns(found=True, fault=pl.lit(None, pl.String), width=400, height=300, format=pl.lit("JPEG"))
    lines = named.select("data_set", "source_ref", manifest=pl.lit("a"), line=pl.col("row").cast(pl.Int32))
    made = evaluate(known.graph.plan([known.find(name)()]), {"images": images.lazy(), "lines": lines.lazy()})
    assert not made.raised, made.raised
    chosen = made.findings["source_ref"].drop_nulls().cast(pl.UInt32)
    return rows.with_row_index("row").filter(pl.col("row").is_in(chosen.implode()))


def recall(own: pl.DataFrame, degraded: pl.DataFrame, name: str) -> float:
    """Share of degraded images that a rule flags, judged 5% at a time among the original images."""
    found = 0
    for start in range(20):
        part = degraded.gather_every(20, start)
        chosen = flagged(pl.concat([own, part]), name)
        found += chosen.filter(pl.col("version") != "own").height
    return found / degraded.height


def features(data: Path, every: int = 1) -> pl.DataFrame:
    """Features of the images of the sets and of their degraded versions."""
    references = [reference for sets in GROUPS for name in sets for reference in source_refs(data, name)][::every]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor() as pool:
        jobs = [(ref, data / ref.removeprefix("s3://datasets/"), Path(folder)) for ref in references]
        made = [row for made in pool.map(measure, jobs, chunksize=8) for row in made]
    return pl.DataFrame(made, infer_schema_length=None)


def figures(data: Path) -> Iterator[Measured]:
    """For each rule the degraded images that it finds, and the original images that it flags."""
    yield from judged(features(data), 1)


def judged(rows: pl.DataFrame, half: int) -> Iterator[Measured]:
    """The figures for one half of each group."""
    named = rows.filter(pl.col("half") == half).with_columns(set=pl.col("source_ref").str.extract("datasets/([^/]+)/"))
    for sets in GROUPS:
        yield from judged_together(named.filter(pl.col("set").is_in(sets)), sets)


def judged_together(rows: pl.DataFrame, sets: Sequence[str]) -> Iterator[Measured]:
    """The figures for sets that are judged as one data set."""
    known = registry.load(isolated=True)
    own = rows.filter(pl.col("version") == "own")
    for name in RULES:
        code = known.find(name).code
        of_own = flagged(own, name)
        shares = [f"{of_own.filter(set=s).height / own.filter(set=s).height:.1%} of {s}" for s in sets]
        said = f"{of_own.height / own.height:.1%}; {', '.join(shares)}"
        yield Measured(code, ", ".join(sets), f"original images flagged, of {own.height:,}", said)
        for version in DEGRADED:
            part = rows.filter(pl.col("version") == version)
            share = recall(own, part, name)
            if share > 0.5:
                figure = f"{share:.3f} of {part.height:,}"
                yield Measured(code, ", ".join(sets), f"degraded images found: {version}", figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, default=Path("quality.parquet"), help="file of features; measured if it does not exist"
    )
    options = parser.parse_args()
    if not options.keep.exists():
        features(options.data, options.every).write_parquet(options.keep)
    for figure in judged(pl.read_parquet(options.keep), options.half):
        print(*figure, sep=" | ")


if __name__ == "__main__":
    main()
