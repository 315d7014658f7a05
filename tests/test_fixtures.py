"""Every data set in fixtures/ gives the report that lies beside it, or the findings that were planted in it."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CASES = sorted(path.parent for path in ROOT.glob("fixtures/*/expected.json"))
OPTIONS = {
    "evaluation": tuple(
        f"--evaluation={name}-{part}.json" for name in ("fruit", "birds") for part in ("snapshot", "summary")
    )
}
"""Options of the check of a folder, where it needs some."""

PHOTOGRAPHS = ROOT / "fixtures/photographs"
TERMINAL_WIDTH = 92
"""Columns of the terminal in the README, as in tools/remake_terminal_image.py."""


def check(case: Path, *options: str, columns: int = 80) -> tuple[str, int]:
    command = [sys.executable, "-m", "groundlint", "check", *options]
    environment = os.environ | {"COLUMNS": str(columns)}
    done = subprocess.run(command, cwd=case, env=environment, capture_output=True, encoding="utf-8")
    assert done.stdout, done.stderr
    return done.stdout, done.returncode


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_report_is_as_expected(case: Path) -> None:
    printed, status = check(case, "--output", "json", *OPTIONS.get(case.name, ()))
    if os.environ.get("GROUNDLINT_WRITE_GOLDEN"):
        text = json.dumps(json.loads(printed), indent=4, ensure_ascii=False)
        (case / "expected.json").write_text(f"{text}\n", encoding="utf-8")
    expected: Any = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    found = json.loads(printed)
    del expected["tool"]["version"], found["tool"]["version"]
    assert found == expected
    assert status == int(expected["summary"]["counts"]["error"] > 0)


def test_every_folder_is_a_case() -> None:
    assert {*CASES, PHOTOGRAPHS} == {path for path in ROOT.glob("fixtures/*") if path.is_dir()}


def test_each_planted_fault_is_found_with_an_empty_cache(tmp_path: Path) -> None:
    with (PHOTOGRAPHS / "planted.csv").open(encoding="utf-8", newline="") as file:
        planted = {(row["rule"], row["source_ref"] or None) for row in csv.DictReader(file)}
    printed, _ = check(PHOTOGRAPHS, "--output", "json", "--cache-dir", str(tmp_path))
    found = {(finding["name"], finding["source_ref"]) for finding in json.loads(printed)["findings"]}
    assert len(planted) == 11
    assert planted <= found


def test_readme_shows_a_real_run() -> None:
    image = (ROOT / "docs/demo.svg").read_text(encoding="utf-8")
    shown = [html.unescape(re.sub("<[^>]*>", "", line)) for line in re.findall("<text .*?</text>", image)]
    printed, _ = check(PHOTOGRAPHS, "--exit-zero", "--no-cache", columns=TERMINAL_WIDTH)
    assert shown == ["$ groundlint check", *printed.splitlines()]
