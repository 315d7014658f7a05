"""Write a large detection manifest that depends only on the seed: ten shapes of lines, and 1% of the lines faulty.

Run `python benchmarks/generate.py big.manifest`; `--help` lists the options.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from faults import FAULTS
from shapes import SHAPES, Draw, writings


class Planted(NamedTuple):
    """A faulty line: its number, from 1, and the code and name of its fault (see `faults.Fault`)."""

    line: int
    code: str
    fault: str


@dataclass
class Summary:
    """The contents of a manifest."""

    lines: int = 0
    bytes: int = 0
    boxes: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    planted: list[Planted] = field(default_factory=list)


def write(path: Path, lines: int = 250_000, seed: int = 1, faulty: float = 0.01) -> Summary:
    """Write a manifest.

    Args:
        path: The file to write.
        lines: Number of lines.
        seed: Seed of the random generator.
        faulty: Share of the lines that are faulty.
    """
    draw = Draw(seed)
    rng = draw.rng
    formats = [writings(shape, draw) for shape in SHAPES]
    weights = [shape.weight for shape in SHAPES]
    which = rng.choices(range(len(SHAPES)), weights, k=lines)
    bad = set(rng.sample(range(1, lines), round(lines * faulty))) if lines > 1 else set()
    summary = Summary()
    with path.open("wb") as file:
        for number in range(lines):
            writing = formats[which[number]][int(rng.random() * len(formats[0]))]
            if number in bad:
                fault = FAULTS[len(summary.planted) % len(FAULTS)]
                summary.planted.append(Planted(number + 1, fault.code, fault.name))
                encoded = fault.write(draw, number, writing)
            else:
                shape = SHAPES[which[number]]
                summary.shapes[shape.name] += 1
                line = shape.make(draw, number)
                summary.boxes += sum(len(v["annotations"]) for v in line.values() if _is_detection(v))
                encoded = writing.text(line).encode()
            summary.bytes += file.write(encoded + b"\n")
    summary.lines = lines
    return summary


def _is_detection(value: Any) -> bool:
    return isinstance(value, dict) and "annotations" in value


def main() -> None:
    """Write the manifest and print a summary of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--lines", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faulty", type=float, default=0.01, help="share of the lines that are faulty")
    parser.add_argument("--truth", type=Path, help="csv file to write the faulty lines to: line, code, fault")
    options = parser.parse_args()
    summary = write(options.manifest, options.lines, options.seed, options.faulty)
    if options.truth:
        with options.truth.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([Planted._fields, *summary.planted])
    sound = summary.lines - len(summary.planted)
    print(f"{summary.lines:,} lines, {summary.bytes / 1e6:.1f} MB, {len(summary.planted):,} faulty")
    print(f"{summary.boxes / max(sound, 1):.2f} boxes per sound line")
    for name, count in summary.shapes.most_common():
        print(f"{count:9,}  {name}")
    for (code, fault), count in Counter(planted[1:] for planted in summary.planted).items():
        print(f"{count:9,}  {code}: {fault}")


if __name__ == "__main__":
    main()
