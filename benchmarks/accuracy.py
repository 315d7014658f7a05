"""How often people agree with the rules, measured on the public sets: writes the figures that the rules' pages show.

`python benchmarks/accuracy.py ../shared/data` takes some twenty minutes and writes accuracy.csv beside the rules; then
`make docs`. Figures are of the half `sha256(source_ref)[0] & 1` = 1 where something was chosen on the other.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import clutter
import crops
import mislabel
import occlusion
import outliers
import planted
import polars as pl
import quality
import visibility
from measured import SETS, Measured, exported, halves, source_refs
from PIL import Image, ImageEnhance

import groundlint
from groundlint.engine import registry

TARGET = Path(__file__).parents[1] / "rules/groundlint_rules/accuracy.csv"

COPIES = {
    "JPEG of quality 85": (lambda image: image, 85),
    "JPEG of quality 30": (lambda image: image, 30),
    "half the size": (lambda image: image.resize((image.width // 2, image.height // 2)), 90),
    "brighter by 1.3": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), 90),
    "4 % cropped": (
        lambda image: image.crop(
            (
                round(0.02 * image.width),
                round(0.02 * image.height),
                round(0.98 * image.width),
                round(0.98 * image.height),
            )
        ),
        90,
    ),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
    "turned by 90": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "turned by 180": (lambda image: image.transpose(Image.Transpose.ROTATE_180), 90),
}


def healthy(data: Path) -> Iterator[Measured]:
    """The share of each set's images that a rule flags as it is."""
    shares: dict[str, dict[str, float]] = {code: {} for code in registry.load(isolated=True).rules}
    for name in SETS:
        images = len(set(source_refs(data, name)))
        found = groundlint.check(data / name / "output.manifest", isolated=True)
        counts = found.group_by("code").agg(images=pl.col("source_ref").n_unique())
        for code, flagged in counts.iter_rows():
            shares[code][name] = flagged / images
    for code, of_sets in shares.items():
        # What the service says of a set is its own judgement, not ours.
        if not registry.load(isolated=True).rules[code].aws:
            some = [f"{name} {share:.1%}" for name, share in of_sets.items()]
            rest = [name for name in SETS if name not in of_sets]
            none = f"none of {', '.join(rest)}" if some else f"none of {len(rest)} sets"
            yield Measured(
                code, "public sets", "images flagged as published", ", ".join([*some, *([none] * bool(rest))])
            )


def copies(data: Path) -> Iterator[Measured]:
    """Of copies of the photographs of clothing and raccoon, the share that is called a near duplicate; half 1."""
    references = [*source_refs(data, "clothing"), *source_refs(data, "raccoon")]
    references = pl.Series(references).filter(halves(references) == 1).to_list()
    for name, (change, jpeg) in COPIES.items():
        with tempfile.TemporaryDirectory() as folder:
            for n, reference in enumerate(references):
                image = Image.open(data / reference.removeprefix("s3://datasets/")).convert("RGB")
                image.save(Path(folder) / f"{n}.jpg", quality=95)
                change(image).save(Path(folder) / f"{n}-copy.jpg", quality=jpeg)
            found = _same(Path(folder), len(references))
        pairs = [(f"{n}", f"{n}-copy") for n in range(len(references))]
        share = sum(pair in found or pair[::-1] in found for pair in pairs) / len(references)
        yield Measured("DUP102", "clothing, raccoon", f"copies found: {name}", f"{share:.3f} of {len(references)}")


def _same(folder: Path, count: int) -> set[tuple[str, str]]:
    """Files, without their suffix, that are called near duplicates, each with another of its group.

    By groups: of photographs that are in the set twice, a copy is compared with the one to keep.
    """
    names = [f"{n}{kind}.jpg" for n in range(count) for kind in ("", "-copy")]
    lines = [json.dumps({"source-ref": f"s3://bucket/{name}"}) + "\n" for name in names]
    (folder / "a.manifest").write_text("".join(lines), encoding="utf-8")
    rows = exported("duplicates", folder / "a.manifest").select("source_ref", "others").rows()
    return {(Path(one).stem, Path(other).stem) for one, others in rows for other in others}


PARTS = {
    "healthy": healthy,
    "copies": copies,
    "planted": planted.figures,
    "visibility": visibility.figures,
    "occlusion": occlusion.figures,
    "clutter": clutter.figures,
    "quality": quality.figures,
    "crops": crops.figures,
    "mislabel": mislabel.figures,
    "outliers": outliers.figures,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=PARTS, nargs="*", help="print the figures of these, write nothing")
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
