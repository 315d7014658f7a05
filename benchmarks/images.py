"""Measure what checks of images cost, as ratios to decoding the same files with Pillow, beside other tools.

`python benchmarks/images.py DATA` prints Markdown tables. The unit is the CPU time of one process that decodes every
file at full size. A figure is the CPU time of all processes of a check, start-up included, over that of the unit;
without a cache, except in the rows that say so. Check and unit alternate. A row shows the least and the most of
`--rounds` pairs; a goal is met if the most meets it. What a check of three images costs, which is about the start-up,
is shown beside it. `--only duplicates --photographs 300 --rounds 1` measures one row quickly, and `--folder FOLDER`
keeps the images for the next run.

The photographs differ from each other and are about 500 px long. Up to 1,758 are files of imagenet_sample, animalpose
and clothing, as published, that are 300 to 1,000 px long, in random order. If more are wanted, up to 470 such files of
savoias, savoias_objects, trashnet and coco128 follow, and then up to 842 pieces of 512 x 384 px, or upright, of the
photographs of wider_occ, which are 1,024 px and longer: at natural size, without overlap, with a face in each, saved
with JPEG quality 90. One manifest has a label for each photograph: its garment, animal or material, 'people' or
'other'. Another has two boxes for each instead, one in each half, of half to all of its width and height.

The large images are mosaics of 48 pieces of wider_occ, none used twice. Of the many small images, which are pieces of
128 x 96 px, one in fifty is a copy.

With `--peers PYTHON` other tools check the same photographs after faults were planted in them (peers.py). PYTHON is the
interpreter of an environment that has them:

    python -m venv PEERS
    PEERS/bin/python -m pip install cleanvision==0.3.7 imagededup==0.3.3.post2 imgcheck==0.2.1 czkawka==0.1.2 \
        cleanlab==2.9.0 datasets onnxruntime
    python benchmarks/images.py DATA --peers PEERS/bin/python
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import peers
from measured import source_refs
from PIL import Image
from speed import GROUNDLINT, HERE, MEGABYTE, measure, peak_memory

WHOLE = (("imagenet_sample", "animalpose", "clothing"), ("savoias", "savoias_objects", "trashnet", "coco128"))
LABELED = ("clothing", "trashnet")
PIECES = "wider_occ"
TILED = ("savoias", "wider_occ", "raccoon", "clothing", "bccd")


class Budget(NamedTuple):
    """What a run may cost: times of the decoding, or a number of `unit`."""

    what: str
    goal: float
    stretch: float
    unit: str = ""

    def row(self, figures: list[float], note: str = "") -> str:
        """A row of the table."""
        least, most = min(figures), max(figures)
        digits = 0 if self.unit == "MB" else 2
        measured = f"{least:.{digits}f}" if len(figures) == 1 else f"{least:.{digits}f} to {most:.{digits}f}"
        met = "yes, and the stretch goal" if most <= self.stretch else "yes" if most <= self.goal else "no"
        cells = [self.what, f"{measured} {self.unit}", note, f"{self.goal:g}", f"{self.stretch:g}", met]
        return f"| {' | '.join(cell.strip() for cell in cells)} |"


class Photograph(NamedTuple):
    """A photograph as the bytes of a JPEG file, its size in px and its label."""

    content: bytes
    size: tuple[int, int]
    label: str


class Piece(NamedTuple):
    """A part of an image: its left, top, right and bottom in px, and its pixels."""

    place: tuple[int, int, int, int]
    image: Image.Image


def opened(data: Path, name: str) -> Iterator[tuple[Path, Image.Image]]:
    """Yield the images of a set with their files, in random order that is always the same."""
    references = list(source_refs(data, name))
    random.Random(0).shuffle(references)
    for reference in references:
        path = data / reference.removeprefix("s3://datasets/")
        with Image.open(path) as image:
            yield path, image


def grid(image: Image.Image, size: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> Iterator[Piece]:
    """Yield the pieces of an image that are of one size and do not overlap."""
    width, height = size
    for top in range(offset[1], image.height - height + 1, height):
        for left in range(offset[0], image.width - width + 1, width):
            place = (left, top, left + width, top + height)
            yield Piece(place, image.crop(place))


def is_centered_in(place: tuple[int, int, int, int], box: dict[str, float]) -> bool:
    """Whether the center of a box is in a part of the image, given by its left, top, right and bottom."""
    x, y = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
    return place[0] <= x < place[2] and place[1] <= y < place[3]


def manifest(data: Path, name: str) -> list[dict[str, Any]]:
    """The lines of the manifest of a set."""
    text = (data / name / "output.manifest").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def known_labels(data: Path) -> dict[Path, str]:
    """The labels of the images of sets that have many images per label."""
    labels = {
        line["source-ref"]: line["label-metadata"]["class-name"] for name in LABELED for line in manifest(data, name)
    }
    for line in manifest(data, "animalpose"):
        labels[line["source-ref"]] = min(line["bounding-box-metadata"]["class-map"].values())
    return {data / reference.removeprefix("s3://datasets/"): label for reference, label in labels.items()}


def photographs(data: Path) -> Iterator[Photograph]:
    """Yield different photographs that are about 500 px long."""
    labels = known_labels(data)
    for names in WHOLE:
        whole = []
        for path, image in itertools.chain.from_iterable(opened(data, name) for name in names):
            if 300 <= max(image.size) <= 1000:
                whole.append(Photograph(path.read_bytes(), image.size, labels.get(path, "other")))
        random.Random(0).shuffle(whole)
        yield from whole
    faces = {line["source-ref"]: line["bounding-box"]["annotations"] for line in manifest(data, PIECES)}
    for path, image in opened(data, PIECES):
        upright = image.height > image.width
        boxes = faces[f"s3://datasets/{path.relative_to(data).as_posix()}"]
        for place, piece in grid(image, (384, 512) if upright else (512, 384)):
            if any(is_centered_in(place, box) for box in boxes):
                yield Photograph(peers.jpeg(piece), piece.size, "people")


def mosaics(data: Path) -> Iterator[Photograph]:
    """Yield images of 2,400 x 1,800 px made of pieces of photographs, each piece used once."""
    pieces = itertools.chain.from_iterable(grid(image, (400, 225)) for _, image in opened(data, PIECES))
    while len(parts := list(itertools.islice(pieces, 48))) == 48:
        image = Image.new("RGB", (2400, 1800))
        for number, piece in enumerate(parts):
            image.paste(piece.image, (400 * (number % 6), 225 * (number // 6)))
        yield Photograph(peers.jpeg(image), image.size, "other")


def tiles(data: Path) -> Iterator[Photograph]:
    """Yield small pieces of images, one in fifty twice: those of a grid, then those of the grid shifted by a half."""
    count = 0
    for offset in ((0, 0), (64, 48)):
        for _, image in itertools.chain.from_iterable(opened(data, name) for name in TILED):
            for _, piece in grid(image.convert("RGB"), (128, 96), offset):
                tile = Photograph(peers.jpeg(piece), piece.size, "other")
                count += 1
                yield from [tile] * (2 if count % 49 == 0 else 1)


def two_boxes(photograph: Photograph, class_id: int, draw: random.Random) -> list[dict[str, int]]:
    """Two boxes of an image, in its left and in its right half."""
    width, height = photograph.size[0] // 2, photograph.size[1]
    boxes = []
    for half in (0, 1):
        sides = {"width": draw.randint(width // 2, width), "height": draw.randint(height // 2, height)}
        left, top = draw.randint(0, width - sides["width"]), draw.randint(0, height - sides["height"])
        boxes.append({"class_id": class_id, "left": half * width + left, "top": top, **sides})
    return boxes


def lines(number: int, photograph: Photograph, class_id: int) -> dict[str, dict[str, Any]]:
    """The line of an image in each manifest: without a label, with one, and with two boxes."""
    plain = {"source-ref": f"s3://bucket/images/{number:06}.jpg"}
    origin = {"human-annotated": "yes", "creation-date": "2024-05-02T10:11:12", "job-name": "labeling-job/images"}
    labeled = {"class-name": photograph.label, "confidence": 1, "type": "groundtruth/image-classification", **origin}
    boxed = {
        "objects": [{"confidence": 1}] * 2,
        "class-map": {str(class_id): photograph.label},
        "type": "groundtruth/object-detection",
        **origin,
    }
    size = {"width": photograph.size[0], "height": photograph.size[1], "depth": 3}
    boxes = {"image_size": [size], "annotations": two_boxes(photograph, class_id, random.Random(number))}
    return {
        "plain": plain,
        "labeled": plain | {"label": class_id, "label-metadata": labeled},
        "boxed": plain | {"box": boxes, "box-metadata": boxed},
    }


def data_set(folder: Path, images: Iterator[Photograph], count: int) -> Path:
    """Write images, their manifests and, last, the list of their files, if they are not there; return the folder."""
    if (folder / "files.txt").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    manifests: dict[str, list[str]] = {}
    files: list[str] = []
    ids: dict[str, int] = {}
    for number, photograph in enumerate(itertools.islice(images, count)):
        files.append(f"images/{number:06}.jpg\n")
        (folder / files[-1].strip()).write_bytes(photograph.content)
        class_id = ids.setdefault(photograph.label, len(ids))
        for name, line in lines(number, photograph, class_id).items():
            manifests.setdefault(name, []).append(json.dumps(line) + "\n")
    if len(files) < count:
        raise SystemExit(f"the public sets are enough for {len(files):,} such images, not for {count:,}")
    for name, written in manifests.items():
        (folder / f"{name}.manifest").write_text("".join(written), encoding="utf-8")
        (folder / f"{name}-three.manifest").write_text("".join(written[:3]), encoding="utf-8")
    (folder / "files.txt").write_text("".join(files), encoding="utf-8")
    return folder


def check(name: str, *options: str) -> list[str]:
    """The command that checks a manifest in the working directory."""
    cache = () if "--cache-dir" in options else ("--no-cache",)
    return [GROUNDLINT, "check", f"{name}.manifest", "--isolated", "--exit-zero", "--quiet", *cache, *options]


class Bench:
    """Makes the sets of images, each once, and measures checks of them."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = options.folder or folder
        self.scratch = folder

    def photographs(self) -> Path:
        count = self.options.photographs
        return data_set(self.folder / f"photographs-{count}", photographs(self.options.data), count)

    def against_decoding(self, budget: Budget, folder: Path, name: str, *options: str) -> str:
        """A row for the ratios of a check of a folder to decoding it. The note says how much of it is start-up."""
        start = statistics.median(
            measure(check(f"{name}-three", *options), folder).cpu for _ in range(self.options.rounds)
        )
        figures, note = peers.ratios(check(name, *options), folder, self.options.rounds)
        return budget.row(figures, f"{note}; three images {start:.1f} s")

    def photograph_row(self, what: str, name: str, *options: str, goal: float, stretch: float) -> Iterator[str]:
        budget = Budget(f"{self.options.photographs:,} photographs: {what}", goal, stretch)
        yield self.against_decoding(budget, self.photographs(), name, *options)

    def duplicates(self) -> Iterator[str]:
        options = ("--select", "DUP", "--fast")
        yield from self.photograph_row("`--select DUP --fast`", "labeled", *options, goal=1.15, stretch=1)

    def quality(self) -> Iterator[str]:
        options = ("--select", "IMG")
        yield from self.photograph_row("`--select IMG` without boxes", "labeled", *options, goal=1.25, stretch=1.1)

    def labels(self) -> Iterator[str]:
        yield from self.photograph_row("all rules, one label an image", "labeled", goal=4, stretch=3)

    def boxes(self) -> Iterator[str]:
        yield from self.photograph_row("all rules, two boxes an image", "boxed", goal=7, stretch=5)

    def cached(self) -> Iterator[str]:
        for manifest, what in (("labeled", "one label an image"), ("boxed", "two boxes an image")):
            options = ("--cache-dir", str(self.scratch / f"cache-{manifest}"))
            measure(check(manifest, *options), self.photographs())
            title = f"second run from the cache, {what}"
            yield from self.photograph_row(title, manifest, *options, goal=0.2, stretch=0.12)

    def large(self) -> Iterator[str]:
        count = self.options.large
        folder = data_set(self.folder / f"large-{count}", mosaics(self.options.data), count)
        budget = Budget(f"{count:,} images of 2,400 x 1,800 px: image rules without nets", 0.7, 0.6)
        yield self.against_decoding(budget, folder, "plain", "--fast")

    def memory(self) -> Iterator[str]:
        count = self.options.many
        folder = data_set(self.folder / f"many-{count}", tiles(self.options.data), count)
        budget = Budget(f"{count:,} images: peak memory of all processes, image rules without nets", 500, 400, "MB")
        yield budget.row([peak_memory(check("plain", "--fast"), folder) / MEGABYTE])

    def demo(self) -> Iterator[str]:
        """Wall time of what `make demo` runs, with an empty cache each time."""
        folder = self.scratch / "demo"
        shutil.copytree(HERE.parent / "fixtures" / "photographs", folder, ignore=shutil.ignore_patterns(".*"))
        seconds = []
        for number in range(self.options.rounds):
            caches = ("--cache-dir", str(self.scratch / f"demo-cache-{number}"))
            seconds.append(measure([GROUNDLINT, "check", "--exit-zero", *caches], folder).wall)
        yield Budget("`make demo` after set-up, empty cache: wall time", 6, 4, "s").row(seconds)

    def rows(self, only: Iterable[str]) -> Iterator[str]:
        """Measure the chosen rows of the table, in its order."""
        for name, measured in ROWS.items():
            if name in only:
                yield from measured(self)

    def peers(self) -> Iterator[str]:
        """The tables that compare tools."""
        source = self.photographs()
        folder = self.folder / f"planted-{self.options.photographs}"
        peers.plant(source, folder)
        weights = self.options.data / "weights" / "efficientnet_lite0_int8.onnx"
        runs = peers.Comparison(folder, self.scratch, self.options.peers, weights, self.options.rounds)
        yield from runs.tables(check)


ROWS: dict[str, Callable[[Bench], Iterator[str]]] = {
    "duplicates": Bench.duplicates,
    "quality": Bench.quality,
    "labels": Bench.labels,
    "boxes": Bench.boxes,
    "cached": Bench.cached,
    "large": Bench.large,
    "memory": Bench.memory,
    "demo": Bench.demo,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", choices=[*ROWS, "peers"], default=[*ROWS, "peers"], help="rows to measure")
    parser.add_argument("--photographs", type=int, default=3000)
    parser.add_argument("--large", type=int, default=60, help="number of images of 2,400 x 1,800 px")
    parser.add_argument("--many", type=int, default=100_000, help="number of images of the row `memory`")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of check and decoding for each row")
    parser.add_argument("--folder", type=Path, help="keep the images in this folder and use those that are there")
    parser.add_argument("--peers", type=Path, help="Python of an environment with the tools to compare with")
    options = parser.parse_args()
    if options.peers and not options.peers.exists():
        parser.error(f"{options.peers} does not exist")
    options.data = options.data.resolve()
    options.folder = options.folder and options.folder.resolve()
    # Not resolved: the interpreter of an environment is a link, and finds its packages from where the link is.
    options.peers = options.peers and options.peers.absolute()
    packages = ", ".join(f"{name} {version(name)}" for name in ("groundlint", "pillow"))
    print(f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {platform.system()}; ", end="")
    print(f"{options.rounds} {'pair' if options.rounds == 1 else 'pairs'} per row.", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, Path(scratch))
        if chosen := [name for name in options.only if name in ROWS]:
            print("\n| run | measured | seconds of CPU | goal | stretch goal | met |\n|---|---|---|---|---|---|")
            for row in bench.rows(chosen):
                print(row, flush=True)
        if "peers" in options.only:
            print()
            for line in bench.peers():
                print(line, flush=True)


if __name__ == "__main__":
    main()
