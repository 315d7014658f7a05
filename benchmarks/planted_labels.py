"""Measure how often the rules that count labels find what is planted for one label of clothing.

A draw chooses the label; up to 40 images of each label are used, of which every fourth is test data for the rules on
splits. No image is opened. accuracy.py runs it.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from measured import Measured
from planted import Draw, Line
from variety import DRAWS, label_of, sampled

import groundlint


class Case(NamedTuple):
    """A fault of one label, and the rule that should find it. `plant` changes the lines to train and those to test."""

    rule: str
    fault: str
    plant: Callable[[Draw, list[Line], list[Line], str], None]
    has_test: bool = False


def few_left(lines: list[Line], label: str, count: int) -> None:
    """Keep some of the lines with a label."""
    own = [line for line in lines if label_of(line) == label]
    lines[:] = [line for line in lines if label_of(line) != label] + own[:count]


def add_label(line: Line, label: str) -> None:
    line["second"], line["second-metadata"] = 1, line["label-metadata"] | {"class-name": label}


def rarer(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    few_left(train, label, 5)


def only_six(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    few_left(train, label, 6)


def with_companion(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    for line in train:
        if label_of(line) == label:
            add_label(line, f"{label} again")


def with_space(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    for line in train:
        if label_of(line) == label:
            line["label-metadata"]["class-name"] = f"{label}\u200b"


def second_label(draw: Draw, train: list[Line], test: list[Line], label: str) -> None:
    """2% of all images get the label as a second one."""
    for line in draw.sample([line for line in train if label_of(line) != label], round(0.02 * len(train))):
        add_label(line, label)


def untested(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    few_left(test, label, 0)


def mostly_tested(_: Draw, train: list[Line], test: list[Line], label: str) -> None:
    """All but five images of the label are test images."""
    test += [line for line in train if label_of(line) == label][5:]
    few_left(train, label, 5)


CASES = (
    Case("BAL101", "5 images of a label, up to 40 of the others", rarer),
    Case("BAL102", "6 images of a label", only_six),
    Case("BAL104", "a second label on all images of a label", with_companion),
    Case("LBL302", "an invisible character in a label", with_space),
    Case("LBL309", "a second label on 2% of the images", second_label),
    Case("SPL202", "a label without test images", untested, has_test=True),
    Case("SPL203", "all but 5 images of a label in the test data", mostly_tested, has_test=True),
)


def flagged(rule: str, train: list[Line], test: list[Line], folder: Path) -> tuple[set[str], int]:
    """The labels that a rule flags, and the number of its findings without a label."""
    files = {"train": train, "test": test} if test else {"train": train}
    paths = {}
    for name, lines in files.items():
        paths[name] = folder / f"{name}.manifest"
        paths[name].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = groundlint.check(**paths, select=[rule], isolated=True).findings["label"]
    return set(found.drop_nulls()), found.null_count()


def figures(data: Path) -> Iterator[Measured]:
    """In how many draws each fault is found, and what else is flagged."""
    sound = sampled(data, "clothing")
    labels = sorted({label_of(line) for line in sound})
    for case in CASES:
        tested = sound[::4] if case.has_test else []
        trained = [line for n, line in enumerate(sound) if not case.has_test or n % 4]
        found = other = 0
        for seed in range(DRAWS):
            draw = random.Random(seed)
            train, test, label = copy.deepcopy(trained), copy.deepcopy(tested), draw.choice(labels)
            with tempfile.TemporaryDirectory() as folder:
                before, without_before = flagged(case.rule, train, test, Path(folder))
                case.plant(draw, train, test, label)
                flags, without_label = flagged(case.rule, train, test, Path(folder))
            own = {name for name in flags if name.removesuffix("\u200b").removesuffix(" again") == label}
            found += bool(own) or without_label > without_before
            other += len(flags - own - before)
        figure = f"{found} of {DRAWS}, {other} other labels flagged"
        yield Measured(case.rule, "clothing", f"planted faults found: {case.fault}", figure)
