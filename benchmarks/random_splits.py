"""Count the public sets that the rules on splits report: divided at random, and without test data.

A fifth of the images becomes test data, ten times; no image is opened for that. In a random split there is no fault for
these rules, so every report is a false alarm. accuracy.py runs it.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from healthy_sets import TOO_SMALL
from measured import SETS, Measured

import groundlint

DRAWS = 10
SHARE = 0.2
RULES = ("SPL205", "SPL206", "SPL207")


def divided(data: Path) -> Iterator[Measured]:
    """How often each rule reports a set that is divided at random."""
    found: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    for name in SETS:
        lines = (data / name / "output.manifest").read_text(encoding="utf-8").splitlines(keepends=True)
        for seed in range(DRAWS):
            tested = set(random.Random(seed).sample(range(len(lines)), round(SHARE * len(lines))))
            with tempfile.TemporaryDirectory() as folder:
                files = {part: Path(folder) / f"{part}.manifest" for part in ("train", "test")}
                for part, file in files.items():
                    chosen = [line for n, line in enumerate(lines) if (n in tested) == (part == "test")]
                    file.write_text("".join(chosen), encoding="utf-8")
                codes = groundlint.check(**files, select=RULES, isolated=True).findings["code"]
            for rule in set(codes):
                found[rule][name] += 1
    for rule, counts in found.items():
        said = ", ".join(f"{name} {count} of {DRAWS}" for name, count in counts.items()) or "none"
        what = f"data sets flagged, a fifth of the images as test data at random, {DRAWS} draws"
        yield Measured(rule, f"{len(SETS)} public sets" + ", none a film" * (rule == "SPL205"), what, said)


def undivided(data: Path) -> Measured:
    """Which sets would make poor test data, and why."""
    torn, short = [], []
    for name in SETS:
        target = "ground-truth" if name in TOO_SMALL else "rekognition"
        found = groundlint.check(data / name / "output.manifest", select="SPL208", target=target, isolated=True)
        for message in found.findings["message"]:
            torn += [f"{name} {share}" for share in re.findall(r"(\d+%) of it", message)]
            short += [f"{name} {count}" for count in re.findall(r"leaves (\d+) label", message)]
    said = f"test images with a counterpart in training: {', '.join(torn)}; labels left short: {', '.join(short)}"
    return Measured("SPL208", f"{len(SETS)} public sets without test data", "data sets reported", said)


def figures(data: Path) -> Iterator[Measured]:
    """What is reported of random splits, and of sets without test data."""
    yield from divided(data)
    yield undivided(data)
