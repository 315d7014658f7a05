"""Compare the occlusion scores of objects with annotations by people, and measure how many planted occluders they find.

Annotated by people: the faces of wider_occ. All parameters were chosen on half 0 of its images; figures are of half 1
and of the whole set. Each crop is scored by crops of the four folds of images that it is not in. Intervals contain 95%
of 2,000 bootstrap draws of images; differences are paired.

Planted in raccoon and bccd: in every tenth image, half of one box is covered by a piece of another image, which extends
beyond the box; and each label of bccd gets wrong boxes, one for every twenty boxes of the rarest label. Figures are
means of 10 draws. accuracy.py runs it; it takes about three minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measured import Measured, agreement, auroc, auroc_within, exported, halves
from PIL import Image
from polars import col

from groundlint.images.decoding import Context
from groundlint_rules.features._efficientnet import activations
from groundlint_rules.features.foreground import (
    context_activations,
    context_square,
    crop_embedding,
    foreground,
    foreground_sharpness,
)

DRAWS = 2000
PLANTINGS = 10
MIN_HEIGHT = 20
DEVIATIONS = 3
"""The rule reports boxes from these `deviations` on."""
CLASSES = [30, 50, 100]
"""Upper limits of the classes of height, in px."""


def interval(rows: pl.DataFrame, figure_of: Callable[[pl.DataFrame], Sequence[float]]) -> list[str]:
    """Figures of rows, each with the interval that holds 95% of the bootstrap draws of their images."""
    images = rows["source_ref"].rank("dense").to_numpy() - 1
    places = np.argsort(images, kind="stable")
    of_image = np.split(places, np.cumsum(np.bincount(images))[:-1])
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        chosen = random.integers(len(of_image), size=len(of_image))
        drawn.append(figure_of(rows[np.concatenate([of_image[image] for image in chosen])]))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return [f"{figure:.3f} ({low[n]:.3f} to {high[n]:.3f})" for n, figure in enumerate(figure_of(rows))]


def faces(data: Path) -> pl.DataFrame:
    """The faces of wider_occ that are large enough, with each score and the annotations by people."""
    manifest = data / "wider_occ/output.manifest"
    truth = pl.read_csv(data / "wider_occ/truth.csv", infer_schema_length=None)
    shapes = ("left", "top", "width", "height")
    covers = exported("box_coverage", manifest).select("source_ref", "box", "covered")
    rows = exported("occlusion_scores", manifest).drop(shapes, strict=False)
    return (
        rows.join(truth, on=["source_ref", "box"])
        .join(covers, on=["source_ref", "box"])
        .filter(col("height") >= MIN_HEIGHT, col("covered").is_not_null())
        .with_columns(
            occluded=col("occlusion") >= 1,
            low=-col("height").cast(pl.Float64),
            flat=-col("foreground"),
            of_height=pl.sum_horizontal(col("height") >= height for height in CLASSES),
        )
    )


def judged(data: Path) -> Iterator[Measured]:
    """The ranking by occlusion scores, compared with rankings by boxes alone and by height alone."""
    rows = faces(data)
    for name, part in (("all", rows), ("half 1", rows.filter(halves(rows["source_ref"]) == 1))):
        on = f"wider_occ, {name}, {part.height:,} faces, {part['occluded'].sum()} occluded"
        for score, what in (
            ("deviations", "`deviations`"),
            ("low", "height"),
            ("covered", "covered share"),
            ("flat", "`foreground`"),
        ):
            areas = interval(part, lambda drawn, score=score: _areas(drawn, score))  # type: ignore[misc]
            text = f"AUROC {areas[0]}; among faces of similar height {areas[1]}, of similar blur {areas[2]}"
            yield Measured("VIS104", on, f"ranking by {what}", text)
        gains = interval(part, _gains)
        for less, (gain, within) in (("height", gains[:2]), ("covered share", gains[2:])):
            text = f"{gain}; among faces of similar height {within}"
            yield Measured("VIS104", on, f"AUROC of `deviations` minus AUROC of {less}, paired", text)
        hard = (col("occlusion") >= 1) | (col("blur") == 2) | (col("pose") == 1) | (col("illumination") == 1)
        rule = col("deviations") >= DEVIATIONS
        against = "flagged faces compared with faces annotated as occluded"
        yield Measured("VIS104", on, against, agreement(part, rule, col("occluded")))
        any_of = "the same for faces occluded, heavily blurred, in an atypical pose or in extreme light"
        yield Measured("VIS104", on, any_of, agreement(part, rule, hard))


def _areas(rows: pl.DataFrame, score: str) -> Sequence[float]:
    occluded = rows["occluded"]
    classes = (rows["of_height"], rows["blur"])
    return auroc(rows[score], occluded), *(auroc_within(rows[score], occluded, of) for of in classes)


def _gains(rows: pl.DataFrame) -> Sequence[float]:
    own = _areas(rows, "deviations")[:2]
    return [mine - other for score in ("low", "covered") for mine, other in zip(own, _areas(rows, score), strict=False)]


Line = dict[str, Any]
Place = tuple[int, int]
"""A line and a box."""


def sound(data: Path, name: str) -> tuple[list[Line], str]:
    """The lines of a set, and the key of its boxes."""
    lines = [json.loads(line) for line in (data / name / "output.manifest").read_text().splitlines()]
    return lines, next(key for key in lines[0] if f"{key}-metadata" in lines[0])


def boxes_by_label(lines: Sequence[Line], key: str) -> dict[str, list[Place]]:
    """The boxes that are large enough, by the id of their label."""
    found: dict[str, list[Place]] = {}
    for n, line in enumerate(lines):
        for box, shape in enumerate(line[key]["annotations"]):
            if max(shape["width"], shape["height"]) >= MIN_HEIGHT and min(shape["width"], shape["height"]) > 0:
                found.setdefault(str(shape["class_id"]), []).append((n, box))
    return found


def image_of(data: Path, line: Line) -> Image.Image:
    with Image.open(data / line["source-ref"].removeprefix("s3://datasets/")) as opened:
        return opened.convert("RGB")


def covered(own: Image.Image, other: Image.Image, box: Mapping[str, int], random: np.random.Generator) -> Image.Image:
    """An image in which a piece of another image covers half of a box and extends beyond the box by a quarter."""
    left, top, width, height = (box[name] for name in ("left", "top", "width", "height"))
    halves = (
        (left - width // 4, top - height // 4, left + width // 2, top + height + height // 4),
        (left + width // 2, top - height // 4, left + width + width // 4, top + height + height // 4),
        (left - width // 4, top - height // 4, left + width + width // 4, top + height // 2),
        (left - width // 4, top + height // 2, left + width + width // 4, top + height + height // 4),
    )
    place = halves[random.integers(4)]
    size = (place[2] - place[0], place[3] - place[1])
    if size[0] > other.width or size[1] > other.height:
        other = other.resize((max(other.width, size[0]), max(other.height, size[1])))
    x, y = (int(random.integers(most - side + 1)) for most, side in zip(other.size, size, strict=True))
    made = own.copy()
    made.paste(other.crop((x, y, x + size[0], y + size[1])), place[:2])
    return made


def occluders(data: Path, name: str, folder: Path) -> Iterator[tuple[pl.DataFrame, list[Place]]]:
    """Yield the scores of a set and the boxes that were covered in it, for each draw; in the first, none."""
    lines, key = sound(data, name)
    copy = folder / name
    shutil.copytree(data / name, copy)
    manifest = copy / "output.manifest"
    yield exported("occlusion_scores", manifest, folder / "cache"), []
    for draw in range(PLANTINGS):
        random = np.random.default_rng(draw)
        of_label = [places for _, places in sorted(boxes_by_label(lines, key).items())]
        planted: dict[int, int] = {}
        while len(planted) < len(lines) // 10:
            places = of_label[len(planted) % len(of_label)]
            n, box = places[random.integers(len(places))]
            planted.setdefault(n, box)
        files = []
        for n, box in planted.items():
            other = lines[int(random.integers(len(lines)))]
            box_of = lines[n][key]["annotations"][box]
            made = covered(image_of(data, lines[n]), image_of(data, other), box_of, random)
            files.append(copy / lines[n]["source-ref"].removeprefix(f"s3://datasets/{name}/"))
            made.save(files[-1], format="PNG")
        yield exported("occlusion_scores", manifest, folder / "cache"), list(planted.items())
        for file in files:
            shutil.copy2(data / name / file.relative_to(copy), file)


def exchanged(data: Path, name: str, folder: Path, table: str) -> Iterator[tuple[pl.DataFrame, list[Place]]]:
    """Yield a table of the copy of a set and the boxes whose labels were swapped in it, for each draw."""
    for draw in range(PLANTINGS):
        lines, key = sound(data, name)
        random = np.random.default_rng(draw)
        of_label = boxes_by_label(lines, key)
        names = {label: name for line in lines for label, name in line[f"{key}-metadata"]["class-map"].items()}
        count = min(len(places) for places in of_label.values()) // 20
        swapped: dict[Place, str] = {}
        for given in sorted(of_label):
            others = [of_label[label] for label in sorted(of_label) if label != given]
            for turn in range(count):
                places = [place for place in others[turn % len(others)] if place not in swapped]
                swapped[places[random.integers(len(places))]] = given
        for (n, box), given in swapped.items():
            lines[n][key]["annotations"][box]["class_id"] = int(given)
            used = {str(shape["class_id"]) for shape in lines[n][key]["annotations"]}
            lines[n][f"{key}-metadata"]["class-map"] = {label: names[label] for label in sorted(used)}
        (folder / name / "output.manifest").write_text("".join(json.dumps(line) + "\n" for line in lines))
        yield exported(table, folder / name / "output.manifest", folder / "cache"), list(swapped)


def planted(data: Path) -> Iterator[Measured]:
    """How many planted occluders and swapped labels are found."""
    for name in ("raccoon", "bccd"):
        with tempfile.TemporaryDirectory() as folder:
            draws = occluders(data, name, Path(folder))
            clean, _ = next(draws)
            share = clean.select((col("deviations") >= DEVIATIONS).fill_null(False).mean()).item()
            yield Measured("VIS104", f"{name}, {clean.height:,} boxes", "boxes flagged as published", f"{share:.1%}")
            area, found, _ = np.mean([_found(table, places) for table, places in draws], axis=0)
            text = f"recall {found:.3f}; AUROC {area:.3f}"
            yield Measured("VIS104", name, "half of a box covered in every tenth image", text)
            if name == "bccd":
                draws = exchanged(data, name, Path(folder), "occlusion_scores")
                _, found, aside = np.mean([_found(table, places) for table, places in draws], axis=0)
                text = f"flagged {found:.3f}, left to the mislabel rules {aside:.3f}"
                yield Measured("VIS104", name, "labels of boxes swapped", text)


def _found(table: pl.DataFrame, places: Sequence[Place]) -> tuple[float, float, float]:
    """AUROC of the score for the planted boxes, the share of them that is flagged, and the share without a score."""
    planted = pl.DataFrame(places, schema={"at": pl.Int32, "box": pl.Int32}, orient="row")
    of_planted = planted.select("box", line=col("at") + 1, planted=True)
    rows = table.join(of_planted, on=["line", "box"], how="left").with_columns(col("planted").fill_null(False))
    ranked = rows.filter(col("score").is_not_null())
    mine = rows.filter("planted")["deviations"]
    flags = float((mine >= DEVIATIONS).fill_null(False).mean() or 0)  # type: ignore[arg-type]
    return auroc(ranked["score"], ranked["planted"]), flags, float(mine.is_null().mean() or 0)  # type: ignore[arg-type]


def cost() -> float:
    """CPU time per crop, relative to one pass of the network, in a process with one thread, as workers have."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def _cost() -> float:
    """CPU time per crop, relative to one pass of the network over an image of the same size."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (150, 150, 3), np.uint8))
    context = Context(noise, (25, 25, 125, 125))
    times = []
    # The least of several rounds: other processes lengthen single ones.
    for _ in range(10):
        start = time.process_time()
        for _ in range(40):
            square = context_square.function(context)
            seen = context_activations.function(square)
            crop_embedding.function(seen)
            foreground.function(seen, context)
            foreground_sharpness.function(square)
        middle = time.process_time()
        for _ in range(40):
            activations(square)
        times.append((middle - start, time.process_time() - middle))
    box, net = np.min(times, axis=0)
    return float(box / net)


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the page of the rule."""
    yield from judged(data)
    yield from planted(data)
    what = (
        "CPU time per box, its embedding included, relative to one pass of the network over an image of the same size"
    )
    yield Measured("VIS104", "random noise", what, f"{cost():.2f}")


if __name__ == "__main__":
    print(_cost())
