"""Measure the accuracy of the rules on public data sets, and write the figures that the pages of rules show.

`python benchmarks/accuracy.py ../shared/data` takes about an hour and writes accuracy.csv beside the rules; run
`make docs` afterwards. Where parameters were chosen on one half of the images, figures are of the other half: the
images with `sha256(source_ref)[0] & 1` = 1.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import advice_for_boxes
import advice_for_labels
import clutter
import copied_images
import crops
import judging
import label_groups
import mislabel
import occlusion
import outliers
import planted
import planted_attributes
import planted_evaluations
import planted_labels
import quality
import random_splits
import similar_images
import split_shift
import unboxed_repeats
import variety
import visibility
from healthy_sets import flagged
from measured import SETS, Measured

from groundlint.engine import registry
from groundlint.engine.rule import Status, family
from groundlint.phrases import number_of

TARGET = Path(__file__).parents[1] / "rules/groundlint_rules/accuracy.csv"


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


PARTS = {
    "healthy": healthy,
    "copies": copied_images.figures,
    "planted": planted.figures,
    "unboxed repeats": unboxed_repeats.figures,
    "planted labels": planted_labels.figures,
    "planted attributes": planted_attributes.figures,
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
    "planted evaluations": planted_evaluations.figures,
    "advice for labels": advice_for_labels.figures,
    "advice for boxes": advice_for_boxes.figures,
    "split_shift": split_shift.figures,
    "random splits": random_splits.figures,
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
