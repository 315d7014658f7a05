"""What a check says of the evaluation of a model, and figures of following it.

The benchmarks advice_for_labels.py and advice_for_boxes.py follow the advice on several divisions of a set; a step of
it is a row of figures.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl
from polars import DataFrame, col
from typer.testing import CliRunner

from groundlint.cli import app

Row = dict[str, Any]
T = TypeVar("T")


class Advice(NamedTuple):
    """What a check says of an evaluation: its findings, and the rows of the table of thresholds."""

    findings: list[dict[str, Any]]
    thresholds: DataFrame

    def pairs(self) -> Iterator[tuple[str, str, list[str]]]:
        """The pairs of labels that are confused, and the images to look at."""
        for finding in self.findings:
            if finding["code"] == "EVA301":
                said = re.match("'(.+)' and '(.+)' are confused", finding["message"])
                assert said
                yield said[1], said[2], [image["source_ref"] for image in finding["related"]]

    def assumed(self) -> dict[str, float]:
        """The threshold in force of each label."""
        return self._at(col("point") == "assumed")

    def advised(self) -> dict[str, float]:
        """The other threshold of each label for which one is advised."""
        points = {"EVA201": "precision", "EVA202": "recall"}
        found = {each["label"]: points[each["code"]] for each in self.findings if each["code"] in points}
        return self._at(col("point") == col("label").replace_strict(found, default=None, return_dtype=pl.String))

    def _at(self, chosen: pl.Expr) -> dict[str, float]:
        return dict(self.thresholds.filter(chosen).drop_nulls("threshold").select("label", "threshold").iter_rows())


def advice(
    data: Path,
    cache: Path,
    evaluated: Sequence[Mapping[str, Any]],
    predictions: DataFrame,
    trained: Sequence[Mapping[str, Any]] = (),
    target: str = "rekognition",
    rules: str = "EVA",
) -> Advice:
    """What `groundlint check --evaluation` says of predictions.

    Args:
        data: Folder of the public sets.
        cache: Folder for measurements of images.
        evaluated: Lines of the manifest on whose images the model is evaluated.
        predictions: A table as --evaluation reads it.
        trained: Lines of the training manifest, if it is another one.
        target: What the images are for. The service refuses images of 32 px, whose lines have no other findings.
        rules: Selector of the rules that judge them.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions.write_csv(folder / "predictions.csv")
        manifests = [_written(evaluated, folder / "evaluated.manifest")]
        if trained:
            manifests = ["--train", _written(trained, folder / "train.manifest"), "--test", *manifests]
        arguments = ["check", *manifests, "--isolated", "--select", rules, "--preview", "--exit-zero"]
        arguments += ["--evaluation", str(folder / "predictions.csv"), "--output", f"json:{folder / 'report.json'}"]
        arguments += ["--images", f"s3://datasets={data}", "--cache-dir", str(cache), "--target", target]
        _run(arguments)
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Advice(report["findings"], DataFrame(report["evaluation"], infer_schema_length=None))


def metrics(lines: Sequence[Mapping[str, Any]], predictions: DataFrame, thresholds: Mapping[str, float]) -> DataFrame:
    """The table `label_metrics` of predictions at given thresholds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions.write_csv(folder / "predictions.csv")
        results = [{"Label": label, "Metrics": {"Threshold": each}} for label, each in sorted(thresholds.items())]
        (folder / "summary.json").write_text(json.dumps({"LabelEvaluationResults": results}), encoding="utf-8")
        arguments = ["export", "label_metrics", _written(lines, folder / "a.manifest"), "--isolated", "--no-cache"]
        arguments += ["--evaluation", str(folder / "predictions.csv"), "--evaluation", str(folder / "summary.json")]
        _run([*arguments, "--to", str(folder / "metrics.parquet")])
        return pl.read_parquet(folder / "metrics.parquet")


def averaged(rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """Means over the divisions of each step, with the standard error of the change of F1 from the first step."""
    frame = DataFrame(rows, infer_schema_length=None)
    frame = frame.join(frame.filter(col("step") == "as it is").select("seed", base="f1"), on="seed")
    frame = frame.with_columns(change=col("f1") - col("base"))
    numbers = [name for name in frame.columns if name not in ("step", "seed", "base", "change")]
    change = (col("change").mean().round(3), (col("change").std() / pl.len().sqrt()).round(3).alias("error"))
    means = [col(name).mean().round(3) for name in numbers]
    return frame.group_by("step", maintain_order=True).agg(pl.len().alias("divisions"), *means, *change)


def divisions(followed: Callable[[T, float, int], Iterator[Row]], images: T, share: float, count: int) -> list[Row]:
    """The steps of each division: `followed` yields those for images, a share of planted faults and a seed."""
    return [row | {"seed": seed} for seed in range(count) for row in followed(images, share, seed)]


def precision_and_recall(rows: Sequence[Row], step: str, *, right: str, planted: str, what: str) -> str:
    """Figures of what is shown until nothing that is shown is right, over the divisions.

    Args:
        rows: The steps of the divisions.
        step: The step after which `right` of `planted` are corrected, and `shown` were looked at.
        right: The column with what was corrected.
        planted: The column with what could be.
        what: What is said of the number shown.
    """
    found = DataFrame(rows, infer_schema_length=None).filter(col("step") == step)
    good, whole, shown = found.select(col(right, planted, "shown").sum()).row(0)
    return f"precision {good / shown:.2f}, recall {good / whole:.2f} ({shown / found.height:.0f} {what})"


def print_steps(document: str | None, steps: Callable[[Path, Path], Iterator[tuple[str, Sequence[Row]]]]) -> None:
    """Print the means of each step, as the command of a benchmark.

    Args:
        document: Its docstring.
        steps: Yields a title and the steps of the divisions; of the folder of the sets, and one for measurements.
    """
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    pl.Config.set_tbl_rows(-1).set_tbl_cols(-1).set_tbl_width_chars(200).set_fmt_str_lengths(60)
    with tempfile.TemporaryDirectory() as cache:
        for title, rows in steps(options.data, Path(cache)):
            print(title, averaged(rows), sep="\n")


def _written(lines: Sequence[Mapping[str, Any]], file: Path) -> str:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(file)


def _run(arguments: Sequence[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
