"""Every data set in fixtures/ gives the report that lies beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CASES = sorted(path.parent for path in ROOT.glob("fixtures/*/groundlint.toml"))


def check(case: Path, *options: str) -> tuple[str, int]:
    command = [sys.executable, "-m", "groundlint", "check", *options]
    done = subprocess.run(command, cwd=case, capture_output=True, encoding="utf-8")
    assert done.stdout, done.stderr
    return done.stdout, done.returncode


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_report_is_as_expected(case: Path) -> None:
    expected: Any = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    printed, status = check(case, "--output", "json")
    found = json.loads(printed)
    del expected["tool"]["version"], found["tool"]["version"]
    assert found == expected
    assert status == int(expected["summary"]["counts"]["error"] > 0)


def test_every_folder_is_a_case() -> None:
    assert set(CASES) == {path for path in ROOT.glob("fixtures/*") if path.is_dir()}


def test_readme_shows_a_real_run() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").partition("$ make demo\n")[2].partition("```")[0]
    printed, _ = check(ROOT / "fixtures" / "raccoon", "--exit-zero")
    # The README wraps lines at 60 columns.
    assert "".join(shown.split()) == "".join(printed.split())
