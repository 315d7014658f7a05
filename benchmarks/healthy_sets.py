"""Print how many images of public data sets each rule flags, as a Markdown table.

A rule whose accuracy was not measured becomes a preview rule if it flags more than 3% of the images of a healthy data
set. `python benchmarks/healthy_sets.py ../shared/data` takes about half an hour; a second run with the same
`--cache-dir` takes a few minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from measured import SETS
from polars import col

import groundlint
from groundlint.engine import registry
from groundlint.engine.rule import Status

TOO_SMALL = ("cifar10n",)
"""Sets whose images are too small for Rekognition, which drops them: they are checked for Ground Truth."""

MAX_SHARE = 0.03
"""Larger shares are printed in bold."""


def flagged(
    data: Path, name: str, ignore: Sequence[str] = (), cache_dir: Path | None = None
) -> tuple[int, pl.DataFrame]:
    """Check a set and count the images that each rule flags.

    Args:
        data: Folder of the public sets.
        name: The set.
        ignore: Rules to leave out.
        cache_dir: Folder for measurements of images; nothing is kept if not given.

    Returns:
        The number of images of the set, and a row for each rule with findings: code, images (the number of
        distinct images it flags), others (the number of findings that concern no image).
    """
    target = "ground-truth" if name in TOO_SMALL else "rekognition"
    manifest = data / name / "output.manifest"
    result = groundlint.check(manifest, target=target, isolated=True, ignore=ignore, cache_dir=cache_dir)
    counts = result.findings.group_by("code").agg(
        images=col("source_ref").drop_nulls().n_unique(), others=col("source_ref").is_null().sum()
    )
    return result.summary.images.total, counts


def cell(images: int, others: int, total: int) -> str:
    """Format a share of images; findings that concern no image are counted in brackets."""
    share = images / total
    text = f"{share:.1%}" if images else "0"
    text = f"**{text}**" if share > MAX_SHARE else text
    return f"{text} (+{others})" if others else text


def table(names: Sequence[str], totals: dict[str, int], counts: pl.DataFrame) -> Iterable[str]:
    """Format the rules that flag something as rows of a Markdown table, and list the other rules below it."""
    rules = {code: rule for code, rule in registry.load(isolated=True).rules.items() if rule.status is Status.STABLE}
    yield f"| rule | severity | precision | {' | '.join(f'{name} ({totals[name]:,})' for name in names)} |"
    yield f"|---|---|---|{'---|' * len(names)}"
    found = {(code, name): (images, others) for code, name, images, others in counts.iter_rows()}
    silent = []
    for code, rule in sorted(rules.items()):
        if not any((code, name) in found for name in names):
            silent.append(code)
            continue
        precision = "" if rule.precision is None else f"{rule.precision:.2f}"
        cells = (cell(*found.get((code, name), (0, 0)), totals[name]) for name in names)
        yield f"| {code} {rule.name} | {rule.severity} | {precision} | {' | '.join(cells)} |"
    yield ""
    yield f"Rules without a finding: {', '.join(silent)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*", choices=SETS, help="check these sets only")
    parser.add_argument("--ignore", nargs="*", default=[], help="rules to leave out")
    parser.add_argument("--cache-dir", type=Path, help="keep the measurements of images in this folder")
    options = parser.parse_args()
    names = options.only or SETS
    totals, parts = {}, []
    for name in names:
        totals[name], counts = flagged(options.data, name, options.ignore, options.cache_dir)
        parts.append(counts.select("code", pl.lit(name).alias("set"), "images", "others"))
    print(*table(names, totals, pl.concat(parts)), sep="\n")


if __name__ == "__main__":
    main()
