"""Measure how often split-shift reports random splits of public sets, and whether it finds planted differences.

Each set is divided twenty times at random, a fifth of the images as test data. In a random split nothing differs, so
every report is a false alarm. The planted differences are one for each kind of trait: test images one stop darker,
blurred, reduced to half their size, or of another label. accuracy.py runs it.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
from measured import SETS, Measured, exported
from PIL import Image, ImageFilter

import groundlint
from groundlint.engine.base_tables import SPLIT
from groundlint_rules.tables.split_shifts import MIN_IMAGES, split_shifts

SEEDS = range(20, 40)
"""Seeds of the random splits; by those of seeds 0 to 19 the p-value was chosen."""

SHARE = 0.2
PLANTED_IN = ("raccoon", "trashnet", "savoias")

Change = Callable[[Image.Image], Image.Image]


def darker(image: Image.Image) -> Image.Image:
    """The image one stop darker: half the light, with the transfer function of sRGB as a power of 2.2."""
    return image.point([round(255 * ((level / 255) ** 2.2 / 2) ** (1 / 2.2)) for level in range(256)] * 3)


def blurred(image: Image.Image) -> Image.Image:
    """The image with a Gaussian blur of 2 px at 512 px long side, half of what the contract calls strong."""
    return image.filter(ImageFilter.GaussianBlur(2 * max(image.size) / 512))


def reduced(image: Image.Image) -> Image.Image:
    """The image at half its size."""
    return image.resize((image.width // 2, image.height // 2))


CHANGES: dict[str, tuple[Change, str]] = {
    "one stop darker": (darker, "darker"),
    "blurred": (blurred, "blurrier"),
    "at half the size": (reduced, "smaller"),
}


def reports(images: pl.DataFrame, groups: pl.DataFrame, seed: int, *, fast: bool = False) -> bool:
    """Whether a random split of a set would be reported."""
    draw = random.Random(seed)
    refs = images["source_ref"].to_list()
    tested = set(draw.sample(refs, round(SHARE * len(refs))))
    lines = images.select(
        "data_set", "source_ref", split=pl.Series(["test" if ref in tested else "train" for ref in refs], dtype=SPLIT)
    )
    if fast:
        images = images.with_columns(image_embedding=pl.lit(None, pl.Binary))
    shifts = split_shifts.function(images.lazy(), lines.lazy(), groups.lazy(), images.head(0).lazy())
    return not shifts.filter(pl.col("auroc") >= 0.65, pl.col("p_value") <= 0.001).is_empty()


def random_splits(data: Path, cache: Path | None = None) -> Iterator[Measured]:
    """Random splits of all sets with images."""
    for name in SETS:
        manifest = data / name / "output.manifest"
        images, groups = (
            exported(table, manifest, cache).with_columns(data_set=pl.lit(0, pl.Int32))
            for table in ("images", "duplicate_groups")
        )
        if images["brightness"].count() * SHARE < MIN_IMAGES:
            continue
        said = [
            f"{sum(reports(images, groups, seed, fast=fast) for seed in SEEDS)} of {len(SEEDS)}{what}"
            for fast, what in ((False, ""), (True, " without embeddings"))
        ]
        yield Measured("SPL209", name, "random splits reported", ", ".join(said))


def planted(data: Path, cache: Path | None = None) -> Iterator[Measured]:
    """Random splits whose test images are changed, and splits by label."""
    for name in PLANTED_IN:
        lines = (data / name / "output.manifest").read_text(encoding="utf-8").splitlines()
        refs = [json.loads(line)["source-ref"] for line in lines]
        paths = dict(
            exported("images", data / name / "output.manifest", cache).select("source_ref", "path").iter_rows()
        )
        for what, (change, word) in CHANGES.items():
            tested = set(random.Random(0).sample(refs, round(SHARE * len(refs))))
            found = _found(lines, refs, paths, tested, change)
            said = "found" if word in found else f"found as {found!r}" if found else "not found"
            yield Measured("SPL209", name, f"test images {what}", said)
    yield from _other_label(data)


def _found(lines: list[str], refs: list[str], paths: dict[str, str], tested: set[str], change: Change) -> str:
    """The message on a split whose test images are changed; empty if there is none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, list[str]] = {"train": [], "test": []}
        for number, (line, ref) in enumerate(zip(lines, refs, strict=True)):
            image = Image.open(paths[ref]).convert("RGB")
            file = folder / f"{number}.jpg"
            stream = io.BytesIO()
            (change(image) if ref in tested else image).save(stream, "JPEG", quality=90)
            file.write_bytes(stream.getvalue())
            moved = json.loads(line) | {"source-ref": f"s3://bucket/{number}.jpg"}
            parts["test" if ref in tested else "train"].append(json.dumps(moved))
        for part, texts in parts.items():
            (folder / f"{part}.manifest").write_text("\n".join(texts) + "\n", encoding="utf-8")
        return _message(str(folder / "train.manifest"), str(folder / "test.manifest"))


def _other_label(data: Path) -> Iterator[Measured]:
    """Waste of one label as test data, and of the others as training data."""
    name = "trashnet"
    lines = (data / name / "output.manifest").read_text(encoding="utf-8").splitlines()
    labels = [json.loads(line)["label-metadata"]["class-name"] for line in lines]
    for label in ("glass", "paper"):
        with tempfile.TemporaryDirectory() as folder:
            for part, wanted in (("train", False), ("test", True)):
                texts = [line for line, given in zip(lines, labels, strict=True) if (given == label) == wanted]
                (Path(folder) / f"{part}.manifest").write_text("\n".join(texts) + "\n", encoding="utf-8")
            message = _message(f"{folder}/train.manifest", f"{folder}/test.manifest", images=str(data / name))
            said = f"found: {message.split(' (told')[0]}" if message else "not found"
            yield Measured("SPL209", name, f"the label '{label}' as test data", said)


def _message(train: str, test: str, **where: str) -> str:
    findings = groundlint.check(train=train, test=test, select=["SPL209"], isolated=True, **where).findings
    return "; ".join(findings["message"].to_list())


def figures(data: Path) -> Iterator[Measured]:
    """All figures of this program."""
    yield from random_splits(data)
    yield from planted(data)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache-dir", type=Path, help="keep the measurements of images in this folder")
    given = parser.parse_args()
    for figure in itertools.chain(random_splits(given.data, given.cache_dir), planted(given.data, given.cache_dir)):
        print(*figure, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
