"""Measure the accuracy of the rules on public data sets, and write the figures that the pages of rules show.

`python benchmarks/accuracy.py ../shared/data` takes about half an hour and writes accuracy.csv beside the rules; run
`make docs` afterwards. Where parameters were chosen on one half of the images, figures are of the other half: the
images with `sha256(source_ref)[0] & 1` = 1.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import advice_for_boxes
import advice_for_labels
import clutter
import crops
import judging
import label_groups
import mislabel
import occlusion
import outliers
import planted
import planted_labels
import polars as pl
import quality
import similar_images
import split_shift
import unboxed_repeats
import variety
import visibility
from healthy_sets import flagged
from measured import SETS, Measured, exported, halves, source_refs
from PIL import Image, ImageEnhance

from groundlint.engine import registry
from groundlint.engine.rule import Status, family
from groundlint.phrases import number_of

TARGET = Path(__file__).parents[1] / "rules/groundlint_rules/accuracy.csv"


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


def healthy(data: Path) -> Iterator[Measured]:
    """What a rule flags in each set: the share of the images, or how many findings concern none.

    It is measured for every stable rule without a service code that these sets, which have no test part and no
    evaluation, give something to judge.
    """
    shares: dict[str, dict[str, str]] = {}
    for name in SETS:
        total, counts = flagged(data, name)
        for code, images, others in counts.iter_rows():
            said = f"{images / total:.1%}" if images else number_of(others, "finding")
            shares.setdefault(code, {})[name] = said
    for code, rule in registry.load(isolated=True).rules.items():
        # Preview rules did not run.
        if not rule.aws and rule.status is Status.STABLE and family(rule) not in ("CFG", "EVA", "SPL"):
            some = shares.get(code, {})
            silent = [name for name in SETS if name not in some]
            parts = [", ".join(f"{name} {share}" for name, share in some.items())] if some else []
            parts += [f"none in {', '.join(silent)}"] if silent else []
            yield Measured(code, "public sets", "images flagged as published", "; ".join(parts))


def copies(data: Path) -> Iterator[Measured]:
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


PARTS = {
    "healthy": healthy,
    "copies": copies,
    "planted": planted.figures,
    "unboxed repeats": unboxed_repeats.figures,
    "planted labels": planted_labels.figures,
    "variety": variety.figures,
    "visibility": visibility.figures,
    "occlusion": occlusion.figures,
    "clutter": clutter.figures,
    "quality": quality.figures,
    "similar": similar_images.figures,
    "crops": crops.figures,
    "mislabel": mislabel.figures,
    "outliers": outliers.figures,
    "label groups": label_groups.figures,
    "advice for labels": advice_for_labels.figures,
    "advice for boxes": advice_for_boxes.figures,
    "split_shift": split_shift.figures,
    "judging": judging.figures,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=PARTS, nargs="*", help="print the figures of these parts; nothing is written")
    options = parser.parse_args()
    rows = [figure for name in options.only or PARTS for figure in PARTS[name](options.data)]
    if options.only:
        for row in rows:
            print(*row, sep=" | ")
        return
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["code", "set", "measured", "figure"])
        writer.writerows(sorted(rows, key=lambda figure: figure.code))


if __name__ == "__main__":
    main()
