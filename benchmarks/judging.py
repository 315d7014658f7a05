"""Keep judgments by eye of images and boxes, and measure the rules on them.

For each rule on the quality of images and boxes, the 60 images or boxes with the highest scores over all public sets
are judged, flagged or not, at most 20 of a set. `sheets` draws them on contact sheets of a dozen, shuffled over all
rules, without the name of the rule, the set or the score. The judge answers one question for each: would you remove,
retake or relabel this? `enter` adds the answers to judgments.csv. `precision` says how many of the findings of each
rule were judged right.

    python benchmarks/judging.py sheets ../shared/data --to FOLDER
    python benchmarks/judging.py enter FOLDER ANSWERS --judge NAME
    python benchmarks/judging.py precision ../shared/data

Answers are a csv file with the columns sheet, cell, verdict (keep, remove, retake, relabel) and sees: what is wrong
with the image or object, if anything, whether or not it is kept (one of `SEES`).
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
from measured import Measured, exported
from PIL import Image, ImageDraw, ImageOps
from polars import DataFrame, col
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.engine import registry

TARGET = Path(__file__).parent / "judgments.csv"

SETS = (
    "animalpose",
    "bccd",
    "clothing",
    "coco128",
    "imagenet_sample",
    "raccoon",
    "savoias",
    "savoias_objects",
    "trashnet",
    "wider_occ",
)
"""The sets of photographs and microscope images; flowers12_aug is left out, because it repeats its photographs."""

RULES = (
    "image-dark",
    "image-bright",
    "image-low-contrast",
    "image-blurred",
    "image-low-information",
    "image-noisy",
    "image-compressed",
    "cluttered-image",
    "object-blurred",
    "object-dark",
    "object-low-contrast",
    "object-occluded",
    "image-outlier",
)

WIDE = """
[rules]
IMG301 = { min_level = 254.9 }
IMG302 = { min_clipped = 0.0001, min_dark_level = 0 }
IMG303 = { min_spread = 254.9 }
IMG304 = { max_rise = 0.001, max_motion_rise = 0.001, times_median = 1 }
IMG305 = { min_structure = 0.999 }
IMG306 = { max_noise = 0.001 }
IMG307 = { min_quality = 100 }
CLU101 = { min_score = 0.0001, min_z = 0, min_score_of_few = 0.0001 }
IMG401 = { min_sharpness = 100000, share_of_median = 1 }
IMG402 = { min_brightness = 254.9 }
IMG403 = { min_contrast = 254.9 }
VIS102 = { same = 0.0001, other = 0.0001 }
SUS106 = { min_deviations = 0.0001 }
"""
"""Limits so wide that nearly everything is flagged, with the scores that the rules give.

Their order is that of the default limits, except for object-occluded, whose limits weigh boxes of its own label against
those of others.
"""

MOST, MOST_OF_SET = 60, 20

SEES = (
    "nothing",
    "dark",
    "bright",
    "low-contrast",
    "blurred",
    "empty",
    "noisy",
    "compressed",
    "cluttered",
    "occluded",
    "truncated",
    "mislabeled",
    "foreign",
)
"""What a judge may see: `foreign` does not belong to such a set, `occluded` is hidden by a fifth or more."""

ADVICE = {"cluttered-image": "cluttered", "object-occluded": "occluded"}
"""Rules of advice, which ask for no removal: they are right where the judge sees what they say."""

KEY = ("set", "source_ref", "attribute", "box")
COLUMNS = (*KEY, "rule", "verdict", "sees", "judge", "date")

_KEPT = ("name", "source_ref", "attribute", "box", "label", "score")
"""What of a finding is needed to draw and to count it."""

_CELL, _COLUMNS, _ROWS = (500, 290), 3, 4
_MARGIN = 6


def findings(data: Path, rules: Iterable[str], cache: Path, config: str = "") -> DataFrame:
    """Return the findings of rules on all sets.

    Args:
        data: Folder of the public sets.
        rules: Names of the rules.
        cache: Folder for measurements of images.
        config: Configuration with the options of the rules.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "groundlint.toml"
        file.write_text(config, encoding="utf-8")
        for name in SETS:
            report = Path(folder) / "report.json"
            arguments = ["check", str(data / name / "output.manifest"), "--config", str(file), "--exit-zero"]
            arguments += ["--images", f"s3://datasets={data}", "--cache-dir", str(cache)]
            arguments += ["--select", ",".join(rules), "--output", f"json:{report}"]
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, done.output
            found = json.loads(report.read_text(encoding="utf-8"))["findings"]
            rows += [{"set": name} | {key: each[key] for key in _KEPT} for each in found if each["source_ref"]]
    schema = {key: pl.String() for key in ("set", *_KEPT)} | {"box": pl.Int64(), "score": pl.Float64()}
    return DataFrame(rows, schema=schema).rename({"name": "rule"})


def highest(data: Path, rules: Iterable[str], cache: Path) -> DataFrame:
    """The images or boxes with the highest scores of each rule, flagged or not."""
    ranked = findings(data, rules, cache, WIDE).filter(col("score").is_not_null())
    ranked = ranked.unique(["rule", *KEY], keep="first", maintain_order=True)
    ranked = ranked.sort("score", "source_ref", descending=[True, False], maintain_order=True)
    few = ranked.filter(pl.int_range(pl.len()).over("rule", "set") < MOST_OF_SET)
    return few.filter(pl.int_range(pl.len()).over("rule") < MOST)


def draw(data: Path, rules: list[str], folder: Path, cache: Path, share: float, seed: str) -> int:
    """Draw contact sheets, write which image or box is in which cell to key.csv, and return the number of sheets.

    Args:
        data: Folder of the public sets.
        rules: Names of the rules whose highest scores are drawn.
        folder: Folder of the sheets.
        cache: Folder for measurements of images.
        share: Share of the images and boxes that is drawn, for a second judge.
        seed: Text that decides the order.
    """
    ranked = highest(data, rules, cache)
    items = ranked.group_by(KEY, maintain_order=True).agg("rule", col("label").first())
    rows = sorted(items.rows(), key=lambda row: hashlib.sha256(f"{seed}{row[:4]}".encode()).digest())
    rows = rows[: round(share * len(rows))]
    folder.mkdir(parents=True, exist_ok=True)
    boxes = _boxes(data)
    size = _COLUMNS * _ROWS
    with (folder / "key.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sheet", "cell", *KEY, "rules"])
        for first in range(0, len(rows), size):
            sheet = Image.new("RGB", (_COLUMNS * _CELL[0], _ROWS * _CELL[1]), "white")
            number = first // size + 1
            for cell, (name, reference, attribute, box, of, label) in enumerate(rows[first : first + size]):
                place = (cell % _COLUMNS * _CELL[0], cell // _COLUMNS * _CELL[1])
                content = Image.open(data / reference.removeprefix("s3://datasets/")).convert("RGB")
                place_of = boxes.get((name, reference, attribute, box)) if box is not None else None
                sheet.paste(_cell(content, place_of, f"{cell + 1}", label), place)
                writer.writerow([number, cell + 1, name, reference, attribute, box, " ".join(sorted(of))])
            sheet.save(folder / f"sheet-{number:03}.png")
    return -(-len(rows) // size)


def _boxes(data: Path) -> dict[tuple[object, ...], tuple[float, ...]]:
    """The place of each box of all sets: left, top, width, height."""
    found = {}
    for name in SETS:
        for row in exported("boxes", data / name / "output.manifest").iter_rows(named=True):
            place = tuple(row[side] for side in ("left", "top", "width", "height"))
            found[name, row["source_ref"], row["attribute"], row["box"]] = place
    return found


def _cell(content: Image.Image, box: tuple[float, ...] | None, number: str, label: str | None) -> Image.Image:
    """The whole image on the left, and the box or the middle of the image in its own pixels on the right."""
    cell = Image.new("RGB", _CELL, "white")
    half = (_CELL[0] // 2 - _MARGIN, _CELL[1] - 30)
    whole = content.copy()
    if box:
        left, top, width, height = box
        around = 0.15 * max(width, height)
        area = (left - around, top - around, left + width + around, top + height + around)
        part = content.crop(tuple(round(number) for number in area))
        part = ImageOps.contain(part, half)
        edges = ImageDraw.Draw(whole)
        stroke = max(2, round(max(whole.size) / 150))
        edges.rectangle((left, top, left + width, top + height), outline="magenta", width=stroke)
    else:
        part = ImageOps.fit(content, half) if min(content.size) < min(half) else _middle(content, half)
    whole = ImageOps.contain(whole, half)
    cell.paste(whole, (_MARGIN // 2, 26))
    cell.paste(part, (_CELL[0] // 2 + _MARGIN // 2, 26))
    words = ImageDraw.Draw(cell)
    words.text((6, 4), f"{number}   {label or ''}", fill="black", font_size=18)
    words.rectangle((0, 0, _CELL[0] - 1, _CELL[1] - 1), outline="gray")
    return cell


def _middle(content: Image.Image, size: tuple[int, int]) -> Image.Image:
    left, top = ((side - part) // 2 for side, part in zip(content.size, size, strict=True))
    return content.crop((left, top, left + size[0], top + size[1]))


def entered(folder: Path, answers: Path, judge: str, date: str) -> list[dict[str, str]]:
    """The rows of judgments.csv for the answers of a judge.

    Raises:
        ValueError: An answer names no cell, or a cell has none.
    """
    with (folder / "key.csv").open(encoding="utf-8", newline="") as file:
        key = {(row["sheet"], row["cell"]): row for row in csv.DictReader(file)}
    with answers.open(encoding="utf-8", newline="") as file:
        said = {(str(int(row["sheet"])), str(int(row["cell"]))): row for row in csv.DictReader(file)}
    if key.keys() != said.keys():
        raise ValueError(f"cells and answers differ: {sorted(key.keys() ^ said.keys())[:5]}")
    rows = []
    for place, row in key.items():
        verdict, sees = said[place]["verdict"].strip(), said[place]["sees"].strip()
        if verdict not in ("keep", "remove", "retake", "relabel") or sees not in SEES:
            raise ValueError(f"sheet {place[0]}, cell {place[1]}: {verdict!r}, {sees!r}")
        for rule in row["rules"].split():
            about = {"rule": rule, "verdict": verdict, "sees": sees, "judge": judge, "date": date}
            rows.append({name: row[name] for name in KEY} | about)
    return rows


def judgments() -> DataFrame:
    """The judgments, with `right`: whether a finding of the rule there is right."""
    rows = pl.read_csv(TARGET, schema_overrides={"attribute": pl.String, "box": pl.Int64})
    seen = col("rule").replace_strict(ADVICE, default=None, return_dtype=pl.String)
    return rows.with_columns(
        right=pl.when(seen.is_null()).then(col("verdict") != "keep").otherwise(col("sees") == seen)
    )


def agreement() -> str:
    """How often two judges agree on what both judged, and Cohen's kappa."""
    rows = judgments().with_columns(col("attribute").fill_null(""), col("box").fill_null(-1))
    first = rows.unique([*KEY, "rule", "judge"]).sort("judge")
    pairs = first.group_by(*KEY, "rule").agg("right").filter(col("right").list.len() == 2)
    if pairs.is_empty():
        return "nothing was judged twice"
    one, two = pairs["right"].list.get(0), pairs["right"].list.get(1)
    same = (one == two).mean()
    chance = one.mean() * two.mean() + (1 - one.mean()) * (1 - two.mean())
    return f"{len(pairs)} judged twice: {same:.2f} agree, kappa {(same - chance) / (1 - chance):.2f}"


def precision(data: Path, cache: Path) -> Iterator[tuple[str, int, int, int, str]]:
    """For each rule: findings, those judged, those right, and the sets that they are of."""
    found = findings(data, RULES, cache).unique(["rule", *KEY], maintain_order=True)
    found = found.with_columns(col("attribute").fill_null(""), col("box").fill_null(-1))
    known = judgments().with_columns(col("attribute").fill_null(""), col("box").fill_null(-1)).sort("judge")
    # Where two judges differ, half a finding is right.
    known = known.group_by(*KEY, "rule").agg(col("right").mean())
    joined = found.join(known, on=[*KEY, "rule"], how="left")
    for rule in RULES:
        of = joined.filter(col("rule") == rule)
        judged = of.filter(col("right").is_not_null())
        sets = ", ".join(f"{name} {count}" for name, count in of.group_by("set").len().sort("set").rows())
        yield rule, of.height, judged.height, judged["right"].sum(), sets


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the pages of the rules."""
    codes = {rule.name: code for code, rule in registry.load(isolated=True).rules.items()}
    with tempfile.TemporaryDirectory() as folder:
        for rule, count, judged, right, sets in precision(data, Path(folder)):
            said = f"{right:g} of {judged} right" if judged else "none judged"
            said += f"; {count:,} flagged ({sets})" if sets else "; none flagged"
            yield Measured(codes[rule], "ten public sets", "findings judged by eye", said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sheets = commands.add_parser("sheets")
    sheets.add_argument("data", type=Path)
    sheets.add_argument("--to", type=Path, required=True)
    sheets.add_argument("--only", nargs="*", choices=RULES, default=list(RULES), help="the highest scores of these")
    sheets.add_argument("--share", type=float, default=1.0, help="share that is drawn, for a second judge")
    sheets.add_argument("--seed", default="", help="another order")
    entering = commands.add_parser("enter")
    entering.add_argument("folder", type=Path)
    entering.add_argument("answers", type=Path)
    entering.add_argument("--judge", required=True)
    measuring = commands.add_parser("precision")
    measuring.add_argument("data", type=Path)
    for each in (sheets, measuring):
        each.add_argument("--cache-dir", type=Path, default=Path(tempfile.gettempdir()) / "groundlint-judging")
    options = parser.parse_args()
    if options.command == "sheets":
        count = draw(options.data, options.only, options.to, options.cache_dir, options.share, options.seed)
        print(f"{count} sheets in {options.to}")
    elif options.command == "enter":
        rows = entered(
            options.folder, options.answers, options.judge, f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        )
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        if not TARGET.exists():
            writer.writeheader()
        writer.writerows(rows)
        with TARGET.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
        print(f"{len(rows)} rows added to {TARGET.name}")
    else:
        for rule, count, judged, right, sets in precision(options.data, options.cache_dir):
            print(f"{rule:24}{right:5g} right of {judged:3} judged, {count:4} flagged  {sets}")
        print(agreement())


if __name__ == "__main__":
    main()
