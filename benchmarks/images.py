"""Measure what the measuring of images costs, as a ratio to the full decoding of the same files with Pillow.

`python benchmarks/images.py ../shared/data` cuts photographs of 500 x 375 px and of 2,400 x 1,800 px from the public
sets and prints a Markdown table. The unit is a process that decodes every file. Start-up, measured as a check of three
images, is subtracted from the time of the checks and shown.
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
MISLABELS = "SUS102,SUS104,SUS105,SUS106,SUS107"
LEFT_OUT = {
    "image-level rules": f"{MISLABELS},VIS104,IMG4",
    "with per-box rules": f"{MISLABELS},VIS104",
    "with mislabel-suspect": "SUS104,SUS105,SUS106,SUS107,VIS104,IMG4",
    "all rules": "",
}
"""The rules that each selection of rules leaves out."""

DECODE = """
import sys
from PIL import Image
for line in open(sys.argv[1]):
    with Image.open(line.strip()) as image:
        image.load()
"""


def photographs(data: Path, count: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Pieces of photographs, several of each, not enlarged."""
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
    raise SystemExit(f"the public sets have only {made} photographs of {size}, not {count}")


def mosaics(data: Path, count: int) -> Iterator[Image.Image]:
    """Images of 2,400 x 1,800 px, made of 48 pieces each."""
    pieces = list(photographs(data, 48 + 7 * count, (400, 225)))
    for n in range(count):
        image = Image.new("RGB", (2400, 1800))
        for place, piece in enumerate(pieces[7 * n : 7 * n + 48]):
            image.paste(piece, (400 * (place % 6), 225 * (place // 6)))
        yield image


def data_set(folder: Path, images: Iterator[Image.Image]) -> None:
    """Write images, a manifest with two boxes and a label for each, one of three of them, and a list of the files."""
    folder.mkdir()
    lines = []
    for n, image in enumerate(images):
        image.save(folder / f"{n}.jpg", quality=90)
        width, height = image.size
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
        label = {
            "class-name": ("even", "odd")[n % 2],
            "confidence": 1,
            "type": "groundtruth/image-classification",
            "human-annotated": "yes",
            "creation-date": "2024-05-02T10:11:12",
        }
        line = {"source-ref": f"s3://bucket/{n}.jpg", "a": {"image_size": [size], "annotations": boxes}}
        lines.append(json.dumps(line | {"a-metadata": described, "b": n % 2, "b-metadata": label}) + "\n")
    (folder / "all.manifest").write_text("".join(lines))
    (folder / "three.manifest").write_text("".join(lines[:3]))
    (folder / "files.txt").write_text("".join(f"{n}.jpg\n" for n in range(len(lines))))


def check(*options: str) -> list[str]:
    return [GROUNDLINT, "check", "--isolated", "--exit-zero", "--quiet", *options]


def rows(folder: Path, name: str, goals: dict[str, float], rounds: int) -> Iterator[Row]:
    """Measure checks of one folder. The keys of `goals` are "RULES, cold" or "RULES, warm"."""
    commands = {"decode": [sys.executable, "-c", DECODE, "files.txt"]}
    for wanted in goals:
        rules, kind = wanted.rsplit(", ", 1)
        ignored = ["--ignore", LEFT_OUT[rules]] if LEFT_OUT[rules] else []
        cache = ["--no-cache"] if kind == "cold" else ["--cache-dir", str(folder / "cache")]
        commands[f"start {rules}"] = check("three.manifest", "--no-cache", *ignored)
        commands[wanted] = check("all.manifest", *cache, *ignored)
        if kind == "warm":
            measure(commands[wanted], folder)
    runs: dict[str, list[Run]] = {key: [] for key in commands}
    for _ in range(rounds):
        for key, command in commands.items():
            runs[key].append(measure(command, folder))
    for wanted, goal in goals.items():
        for what, limit in (("CPU", goal), ("wall", 0.65 if wanted == "image-level rules, cold" else None)):
            unit, start, whole = (
                statistics.median(run.cpu if what == "CPU" else run.wall for run in runs[key])
                for key in ("decode", f"start {wanted.rsplit(', ', 1)[0]}", wanted)
            )
            if limit is not None:
                share = (whole - start) / unit
                note = f"{whole:.1f} s, of which start-up {start:.1f} s, decode {unit:.1f} s"
                yield Row(f"{name}: {wanted}, {what}", f"{share:.2f}; {note}", f"at most {limit:g}", share <= limit)


def tiles(data: Path, count: int) -> Iterator[Image.Image]:
    """Pieces of 128 x 96 px of the images of the public sets that do not overlap, as many as there are."""
    made = 0
    for name in (*SETS, "clothing", "bccd"):
        for reference in source_refs(data, name):
            with Image.open(data / reference.removeprefix("s3://datasets/")) as opened:
                image = opened.convert("RGB")
            for top in range(0, image.height - 95, 96):
                for left in range(0, image.width - 127, 128):
                    if made < count:
                        yield image.crop((left, top, left + 128, top + 96))
                        made += 1


def memory(data: Path, folder: Path, count: int) -> Row:
    """Peak memory of all processes over many small images."""
    folder.mkdir()
    made = 0
    for tile in tiles(data, count):
        tile.save(folder / f"{made}.jpg", quality=80)
        made += 1
    # The rest are copies, few of each, as in a real set.
    for n in range(made, count):
        (folder / f"{n}.jpg").write_bytes((folder / f"{n - made}.jpg").read_bytes())
    lines = (json.dumps({"source-ref": f"s3://bucket/{n}.jpg"}) + "\n" for n in range(count))
    (folder / "all.manifest").write_text("".join(lines))
    peak = peak_memory(check("all.manifest", "--no-cache", "--ignore", LEFT_OUT["image-level rules"]), folder) / 1e6
    return Row(f"{count:,} images: peak memory of all processes", f"{peak:.0f} MB", "at most 400 MB", peak <= 400)


def figures(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Measure all figures."""
    data_set(folder / "500", photographs(options.data, options.photographs, (500, 375)))
    name = f"{options.photographs:,} photographs of 500 x 375 px"
    goals = {
        "image-level rules, cold": 0.95,
        "with per-box rules, cold": 1.6,
        "with mislabel-suspect, cold": 6.0,
        "all rules, cold": 6.0,
        "image-level rules, warm": 0.1,
    }
    yield from rows(folder / "500", name, goals, options.rounds)
    data_set(folder / "2400", mosaics(options.data, options.large))
    name = f"{options.large:,} images of 2,400 x 1,800 px"
    yield from rows(folder / "2400", name, {"image-level rules, cold": 0.6}, options.rounds)
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
