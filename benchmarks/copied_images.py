"""Measure how many modified copies of images are found: as near-duplicates, and as leaks from training to test data.

Copies are of images in half 1. For leaks, a fifth of a set becomes test data at random, ten times; copies of training
images are added to it. accuracy.py runs it.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from measured import Measured, exported, halves, source_refs
from PIL import Image, ImageEnhance

import groundlint

DRAWS = 10
SHARE = 0.2

MOST = 39
"""Copies of a draw, each of another image."""

SETS = ("raccoon", "bccd", "clothing", "wider_occ", "trashnet", "imagenet_sample", "coco128")
SMALL = "cifar10n"
"""A set of images of 32 px, whose figures are apart."""

TWICE = (
    *(
        (f"raccoon/images/raccoon-{a}", f"raccoon/images/raccoon-{b}")
        for a, b in ((11, 116), (21, 45), (50, 52), (50, 74), (51, 85), (52, 74), (65, 98), (83, 120))
    ),
    ("bccd/images/BloodImage_00037", "bccd/images/BloodImage_00038"),
)
"""Pairs of the sets as published that show the same: equal files, and those that one vision language model judged so.

Those of cifar10n are in similar_pairs.csv.
"""


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Remove a share of the width and of the height, half of it on each side."""
    width, height = image.size
    left, top = share / 2 * width, share / 2 * height
    return image.crop((round(left), round(top), round(width - left), round(height - top)))


COPIES = {
    "JPEG of quality 85": (lambda image: image, 85),
    "JPEG of quality 30": (lambda image: image, 30),
    "half the size": (lambda image: image.resize((image.width // 2, image.height // 2)), 90),
    "1.3 times as bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), 90),
    "cropped by 4%": (lambda image: cropped(image, 0.04), 90),
    "cropped by 8%": (lambda image: cropped(image, 0.08), 90),
    "cropped by 16%": (lambda image: cropped(image, 0.16), 90),
    "cropped by 8%, mirrored": (
        lambda image: cropped(image, 0.08).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        90,
    ),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
    "rotated by 90 degrees": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "rotated by 180 degrees": (lambda image: image.transpose(Image.Transpose.ROTATE_180), 90),
}


SAME, PIXELS = "the same file under another name", "the same pixels as PNG"
KINDS = (SAME, PIXELS, *COPIES)


def near_duplicates(data: Path) -> Iterator[Measured]:
    """The share of modified copies of clothing's and raccoon's images that are reported as near-duplicates; half 1."""
    references = [*source_refs(data, "clothing"), *source_refs(data, "raccoon")]
    references = pl.Series(references).filter(halves(references) == 1).to_list()
    for name, (change, jpeg_quality) in COPIES.items():
        with tempfile.TemporaryDirectory() as folder:
            for n, reference in enumerate(references):
                image = Image.open(data / reference.removeprefix("s3://datasets/")).convert("RGB")
                image.save(Path(folder) / f"{n}.jpg", quality=95)
                change(image).save(Path(folder) / f"{n}-copy.jpg", quality=jpeg_quality)
            found = _duplicate_pairs(Path(folder), len(references))
        share = sum(frozenset((f"{n}", f"{n}-copy")) in found for n in range(len(references))) / len(references)
        yield Measured("DUP102", "clothing, raccoon", f"copies found: {name}", f"{share:.3f} of {len(references)}")


def _duplicate_pairs(folder: Path, count: int) -> set[frozenset[str]]:
    """Pairs of files, without their suffix, that are in one group of duplicates.

    Every duplicate is paired with all images of its group, not only with the one to keep: of an image that the sets
    contain twice, the copy may be paired with the other one.
    """
    names = [f"{n}{kind}.jpg" for n in range(count) for kind in ("", "-copy")]
    lines = [json.dumps({"source-ref": f"s3://bucket/{name}"}) + "\n" for name in names]
    (folder / "a.manifest").write_text("".join(lines), encoding="utf-8")
    rows = exported("duplicates", folder / "a.manifest").select("source_ref", "related").rows()
    return {
        frozenset((Path(source_ref).stem, Path(other["source_ref"]).stem))
        for source_ref, related in rows
        for other in related
    }


def bytes_of(data: Path, line: str) -> bytes:
    """The file of an image."""
    return (data / json.loads(line)["source-ref"].removeprefix("s3://datasets/")).read_bytes()


def copied(data: Path, line: str, kind: str) -> tuple[bytes, str]:
    """A copy of an image, and the suffix of its file."""
    original = bytes_of(data, line)
    if kind == SAME:
        return original, Path(json.loads(line)["source-ref"]).suffix
    image, stream = Image.open(io.BytesIO(original)).convert("RGB"), io.BytesIO()
    if kind == PIXELS:
        image.save(stream, "PNG")
        return stream.getvalue(), ".png"
    change, quality = COPIES[kind]
    change(image).save(stream, "JPEG", quality=quality)
    return stream.getvalue(), ".jpg"


class Leaks:
    """What is found of copies in the test data: by kind, and the pairs of other images that are reported."""

    def __init__(self) -> None:
        self.planted, self.found = Counter[str](), Counter[str]()
        self.others = Counter[frozenset[str]]()
        self.tested = 0

    def add(self, data: Path, name: str, cache: Path) -> None:
        """Plant copies in random splits of a set."""
        lines = (data / name / "output.manifest").read_text(encoding="utf-8").splitlines()
        in_half = dict(zip(lines, halves(source_refs(data, name)), strict=True))
        for seed in range(DRAWS):
            draw = random.Random(seed)
            tested = set(draw.sample(lines, round(SHARE * len(lines))))
            trained = [line for line in lines if line not in tested]
            chosen = [line for line in trained if in_half[line]]
            originals = draw.sample(chosen, min(MOST, len(chosen)))
            with tempfile.TemporaryDirectory() as folder:
                self._check(data, [line for line in lines if line in tested], trained, originals, Path(folder), cache)

    def _check(
        self, data: Path, tested: list[str], trained: list[str], originals: list[str], folder: Path, cache: Path
    ) -> None:
        self.tested += len(tested)
        copies, moved = {}, []
        for number, line in enumerate(originals):
            kind = KINDS[number % len(KINDS)]
            content, suffix = copied(data, line, kind)
            (folder / f"{number}{suffix}").write_bytes(content)
            ref, fields = f"s3://copies/{number}{suffix}", json.loads(line)
            copies[ref] = kind, fields["source-ref"]
            moved.append(json.dumps(fields | {"source-ref": ref}))
        files = {"train": trained, "test": tested + moved}
        for part, texts in files.items():
            (folder / f"{part}.manifest").write_text("\n".join(texts) + "\n", encoding="utf-8")
        found = groundlint.check(
            **{part: folder / f"{part}.manifest" for part in files},
            select="SPL204",
            target="ground-truth",
            isolated=True,
            images=[f"s3://datasets={data}", f"s3://copies={folder}"],
            cache_dir=cache,
        ).findings
        self.planted.update(kind for kind, _ in copies.values())
        for ref, related in found.select("source_ref", "related").iter_rows():
            trained_ref = related[0]["source_ref"]
            kind, original = copies.get(ref, ("", ref))
            self.found[kind] += bool(kind)
            if original != trained_ref:
                self.others[frozenset((original, trained_ref))] += 1

    def said_of_others(self) -> str:
        """How many of the other findings are wrong, and how many are of pairs that a set contains twice."""
        judged = pl.read_csv(Path(__file__).with_name("similar_pairs.csv")).filter(pl.col("verdict") == "yes")
        alike = {frozenset(f"s3://datasets/{name}.jpg" for name in pair) for pair in TWICE}
        alike |= {frozenset(pair) for pair in judged.select("a_source_ref", "b_source_ref").iter_rows()}
        wrong = sum(count for pair, count in self.others.items() if pair not in alike)
        right = self.others.total() - wrong
        return f"{wrong} of {self.tested:,} wrong; {right} of pairs that show the same"


def leaks(data: Path) -> Iterator[Measured]:
    """The share of copies in the test data that are reported, and what else is."""
    with tempfile.TemporaryDirectory() as cache:
        found, small = Leaks(), Leaks()
        for name in SETS:
            found.add(data, name, Path(cache))
        small.add(data, SMALL, Path(cache))
    sets = f"{', '.join(SETS)}; half 1"
    for kind in KINDS:
        yield Measured("SPL204", sets, f"copies found: {kind}", f"{found.found[kind]} of {found.planted[kind]}")
    said = "; ".join(f"{kind}: {small.found[kind] / small.planted[kind]:.2f}" for kind in KINDS)
    yield Measured("SPL204", f"{SMALL}, half 1", f"copies found, of {small.planted[SAME]} each", said)
    for of, counts in ((", ".join(SETS), found), (SMALL, small)):
        yield Measured("SPL204", of, "other test images reported in random splits", counts.said_of_others())


def figures(data: Path) -> Iterator[Measured]:
    """Copies found as near-duplicates, and as leaks."""
    yield from near_duplicates(data)
    yield from leaks(data)
