"""Where the time of a run goes, as `-v` shows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from groundlint.cli import timings
from groundlint.engine.registry import load
from groundlint.engine.timings import Timed

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
RULES = load(isolated=True).rules
HEADINGS = ["stages", "slowest rules", "slowest derived tables", "slowest features, CPU of all processes"]


def check(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "groundlint", "check", "raccoons.manifest", "--fast", "--no-cache", "--exit-zero"]
    return subprocess.run([*command, *flags], cwd=PHOTOGRAPHS, capture_output=True, text=True, check=True)


def sections(lines: list[str]) -> dict[str, dict[str, float]]:
    """The rows of each section of the table, in order."""
    found: dict[str, dict[str, float]] = {}
    for line in lines:
        name, number = re.fullmatch(r"( *\S.*?) +(seconds|[\d,]+\.\d{3})", line).groups()
        if number == "seconds":
            rows = found.setdefault(name, {})
        else:
            rows[name.strip()] = float(number.replace(",", ""))
    return found


def test_verbose_output_ends_with_the_seconds_of_stages_and_the_slowest_rules_and_tables() -> None:
    done = check("-v")
    lines = done.stderr.splitlines()
    lines = lines[lines.index(next(line for line in lines if line.startswith("stages "))) :]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) <= 60
    found = sections(lines)
    assert list(found) == HEADINGS
    assert list(found["stages"]) == [
        "importing packages",
        "loading configuration and rules",
        "reading manifests",
        "finding and measuring images",
        "running rules",
        "suppressions and severities",
        "writing reports",
        "total",
    ]
    *parts, total = found["stages"].values()
    assert sum(parts) == pytest.approx(total, abs=0.01)
    slowest, tables, features = (found[heading] for heading in HEADINGS[1:])
    assert len(slowest) == len(tables) == len(features) == 5
    assert "decoding images" in features
    for rows in (slowest, tables, features):
        assert list(rows.values()) == sorted(rows.values(), reverse=True)
    assert set(slowest) <= {f"{code} {rule.name}" for code, rule in RULES.items()}
    assert sum([*slowest.values(), *tables.values()]) <= found["stages"]["running rules"]


def test_seconds_are_on_standard_error_and_only_in_verbose_output() -> None:
    assert "seconds" not in check().stderr
    done = check("-v", "--output", "json")
    assert "slowest" in done.stderr
    assert "slowest" not in json.dumps(json.loads(done.stdout))
    assert done.stdout == check("--output", "json").stdout


def test_a_run_that_reads_no_image_has_no_row_for_images() -> None:
    said = check("-v", "--select", "BOX301").stderr
    assert "reading manifests" in said
    assert "measuring images" not in said


def test_the_table_fits_60_columns_whatever_names_plugins_have() -> None:
    seconds = {
        Timed("stage", "running rules"): 98765.4321,
        Timed("rule", "ACM101"): 5.0,
        Timed("feature", "f" * 70): 0.0004,
        **{Timed("table", f"table_{n}"): n / 10 for n in range(8)},
    }
    lines = timings.table(seconds, {"ACM101": "-".join(["long"] * 20)})
    assert {len(line) for line in lines} == {60}
    assert lines[:3] == [
        "stages                                               seconds",
        "  running rules                                   98,765.432",
        "  total                                           98,765.432",
    ]
    assert lines[4] == "  ACM101 long-long-long-long-long-long-long-lon…       5.000"
    tables = lines[6:11]
    assert [line.split()[0] for line in tables] == [f"table_{n}" for n in (7, 6, 5, 4, 3)]
    assert lines[-1].endswith("…       0.000")
