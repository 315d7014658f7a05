"""Measures what looking at the images costs: each figure is a ratio to Pillow's full decode of the same files.

`python benchmarks/images.py ../shared/data` cuts photographs of 500 x 375 and of 2,400 x 1,800 pixels from the public
sets and prints a Markdown table. The unit is a process that decodes every file; start-up, which is what a check of
three images takes, is subtracted from the checks and shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measured import source_refs
from PIL import Image
from speed import GROUNDLINT, Row, Run, measure, peak_memory, show

SETS = ("savoias", "wider_occ", "raccoon")
WITHOUT_NET = ["--ignore", "SUS102,SUS103,SUS104"]

DECODE = """
import sys
from PIL import Image
for line in open(sys.argv[1]):
    with Image.open(line.strip()) as image:
        image.load()
"""


def photographs(data: Path, count: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Pieces of photographs, several of each; never enlarged."""
    sources = [ref for name in SETS for ref in source_refs(data, name)]
    made = 0
    for n in range(50):
        for reference in sources:
            image = Image.open(data / reference.removeprefix("s3://datasets/"))
            left, top = 17 * n, 13 * n
            if image.width >= left + size[0] and image.height >= top + size[1] and image.mode == "RGB":
                yield image.crop((left, top, left + size[0], top + size[1]))
                made += 1
                if made == count:
                    return
    raise SystemExit(f"the public sets give {made} photographs of {size}, not {count}")


def mosaics(data: Path, count: int) -> Iterator[Image.Image]:
    """Pictures of 2,400 x 1,800 pixels, of 48 pieces each."""
    pieces = list(photographs(data, 48 + 7 * count, (400, 225)))
    for n in range(count):
        image = Image.new("RGB", (2400, 1800))
        for place, piece in enumerate(pieces[7 * n : 7 * n + 48]):
            image.paste(piece, (400 * (place % 6), 225 * (place // 6)))
        yield image


def data_set(folder: Path, pictures: Iterator[Image.Image]) -> None:
    """A manifest with two boxes an image, its images, and a list of them; and the same of the first three images."""
    folder.mkdir()
    lines = []
    for n, picture in enumerate(pictures):
        picture.save(folder / f"{n}.jpg", quality=90)
        width, height = picture.size
        size = {"width": width, "height": height, "depth": 3}
        boxes = [
            {"class_id": k, "left": width // 4 * k, "top": 40, "width": width // 4, "height": height // 2}
            for k in (0, 1)
        ]
        described = {
            "objects": [{"confidence": 1}] * 2,
            "class-map": {"0": "left", "1": "right"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2024-05-02T10:11:12",
        }
        line = {"source-ref": f"s3://bucket/{n}.jpg", "a": {"image_size": [size], "annotations": boxes}}
        lines.append(json.dumps(line | {"a-metadata": described}) + "\n")
    (folder / "all.manifest").write_text("".join(lines))
    (folder / "three.manifest").write_text("".join(lines[:3]))
    (folder / "files.txt").write_text("".join(f"{n}.jpg\n" for n in range(len(lines))))


def check(*options: str) -> list[str]:
    return [GROUNDLINT, "check", "--isolated", "--exit-zero", "--quiet", *options]


def rows(folder: Path, name: str, goals: dict[str, float], rounds: int) -> Iterator[Row]:
    """The figures of one folder."""
    cache = ["--cache-dir", str(folder / "cache")]
    commands = {
        "decode": [sys.executable, "-c", DECODE, "files.txt"],
        "start": check("three.manifest", "--no-cache", *WITHOUT_NET),
        "cold": check("all.manifest", "--no-cache", *WITHOUT_NET),
        "whole": check("all.manifest", "--no-cache"),
        "warm": check("all.manifest", *cache, *WITHOUT_NET),
    }
    wanted = [key for key in commands if key in ("decode", "start") or key in goals]
    runs: dict[str, list[Run]] = {key: [] for key in wanted}
    if "warm" in goals:
        measure(commands["warm"], folder)
    for _ in range(rounds):
        for key in wanted:
            runs[key].append(measure(commands[key], folder))
    cpu = {key: statistics.median(run.cpu for run in of) for key, of in runs.items()}
    wall = {key: statistics.median(run.wall for run in of) for key, of in runs.items()}
    said = {"cold": "image-level rules, cold", "whole": "all rules, cold", "warm": "image-level rules, warm"}
    for key in wanted[2:]:
        for what, taken in (("CPU", cpu), ("wall", wall)):
            goal = goals.get(key if what == "CPU" else f"{key} wall")
            if goal is not None:
                share = (taken[key] - taken["start"]) / taken["decode"]
                note = f"{taken[key]:.1f} s, of which start-up {taken['start']:.1f} s, decode {taken['decode']:.1f} s"
                yield Row(f"{name}: {said[key]}, {what}", f"{share:.2f}; {note}", f"at most {goal:g}", share <= goal)


def memory(data: Path, folder: Path, count: int) -> Row:
    """Peak memory of all processes over many images: the same hundred under many names, each with bytes of its own."""
    folder.mkdir()
    contents = []
    for n, picture in enumerate(photographs(data, 100, (128, 96))):
        picture.save(folder / f"base{n}.jpg", quality=80)
        contents.append((folder / f"base{n}.jpg").read_bytes())
    for n in range(count):
        (folder / f"{n}.jpg").write_bytes(contents[n % 100] + str(n).encode())
    lines = (json.dumps({"source-ref": f"s3://bucket/{n}.jpg"}) + "\n" for n in range(count))
    (folder / "all.manifest").write_text("".join(lines))
    peak = peak_memory(check("all.manifest", "--no-cache", *WITHOUT_NET), folder) / 1e6
    return Row(f"{count:,} images: peak memory of all processes", f"{peak:.0f} MB", "at most 400 MB", peak <= 400)


def figures(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """All figures."""
    data_set(folder / "500", photographs(options.data, options.photographs, (500, 375)))
    name = f"{options.photographs:,} photographs of 500 x 375"
    goals = {"cold": 0.95, "cold wall": 0.65, "whole": 6.0, "warm": 0.1}
    yield from rows(folder / "500", name, goals, options.rounds)
    data_set(folder / "2400", mosaics(options.data, options.large))
    name = f"{options.large:,} pictures of 2,400 x 1,800"
    yield from rows(folder / "2400", name, {"cold": 0.6}, options.rounds)
    if options.many:
        yield memory(options.data, folder / "many", options.many)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photographs", type=int, default=3000)
    parser.add_argument("--large", type=int, default=120)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors; medians of {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        show(figures(options, Path(folder)))


if __name__ == "__main__":
    main()
