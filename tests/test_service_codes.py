"""Every documented code of the service: raised where the documents say so, and on the right side of each limit not."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_cases import CASES, Case
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.engine.registry import load
from groundlint_rules import samples, service_codes

CODES = Path(__file__).parents[2] / "shared/spec/aws-errors.csv"
PAGE = Path(__file__).parents[1] / "docs/service-codes.md"


def findings(folder: Path, case: Case) -> list[dict[str, Any]]:
    """What the command finds in the data set of a case."""
    options = dict(case.settings)
    encoding = options.pop("encoding", "utf-8")
    train = folder / f"train{case.suffix}"
    train.write_bytes(case.train.encode(encoding))
    arguments = ["check", "--train", str(train), "--output", f"json:{folder / 'report.json'}"]
    if case.test is not None:
        (folder / "test.manifest").write_bytes(case.test.encode())
        arguments += ["--test", str(folder / "test.manifest")]
    configuration = folder / "groundlint.toml"
    configuration.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items()))
    result = CliRunner().invoke(app, [*arguments, "--config", str(configuration)])
    assert result.exit_code in (0, 1), result.output
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["findings"]
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}: {case.what}")
def test_the_service_code(case: Case, tmp_path: Path) -> None:
    found = findings(tmp_path, case)
    for code, places in case.raises.items():
        where = [(f["line"], f["attribute"], f["box"], f["loses"]) for f in found if code in (f["name"], f["aws"])]
        assert sorted(where, key=str) == sorted(places, key=str)
    spared = [finding for finding in found if {finding["aws"], finding["name"]} & set(case.spares)]
    assert spared == []


def rows() -> list[str]:
    with CODES.open(newline="") as file:
        return [row["code"] for row in csv.DictReader(file)]


@pytest.mark.skipif(not CODES.is_file(), reason="the list of codes lies outside the project, in ../shared/spec")
def test_every_documented_code_has_a_case_or_a_sentence() -> None:
    noted = {note.row for note in service_codes.NOTES}
    covered = {case.row for case in CASES} | {code for case in CASES for code in case.raises}
    # Sparse files of a gigabyte are for the test of the reader's limits.
    assert set(rows()) - covered - noted <= {"ERROR_MANIFEST_SIZE_TOO_LARGE"}


@pytest.mark.skipif(not CODES.is_file(), reason="the list of codes lies outside the project, in ../shared/spec")
def test_the_page_of_codes_has_every_documented_row() -> None:
    page = PAGE.read_text()
    assert [row for row in rows() if f"| `{row}` |" not in page] == []


def test_the_page_of_codes_is_fresh() -> None:
    assert PAGE.read_text() == service_codes.page(load(isolated=True).rules), "renew it with: make docs"


def test_a_manifest_above_a_gibibyte_is_refused_unread(tmp_path: Path) -> None:
    manifest = tmp_path / "a.manifest"
    manifest.touch()
    with manifest.open("r+b") as file:
        file.truncate(2**30 + 1)
    report = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["check", str(manifest), "--isolated", "--output", f"json:{report}"])
    assert result.exit_code == 1
    found = json.loads(report.read_text())["findings"]
    assert [(f["aws"], f["line"], f["loses"]) for f in found] == [("ERROR_MANIFEST_SIZE_TOO_LARGE", None, "training")]


LINE_CASES = [case for case in CASES if len(case.raises) == 1 and not case.settings and case.train.count("\n") == 11]


@settings(max_examples=25, deadline=None)
@given(case=st.sampled_from(LINE_CASES), count=st.integers(1, 5))
def test_sound_lines_added_take_no_finding_away(
    case: Case, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = "".join(f"{samples.detection(source_ref=f's3://bucket/more{n}.jpg')}\n" for n in range(count))
    before = findings(tmp_path_factory.mktemp("before"), case)
    after = findings(tmp_path_factory.mktemp("after"), case._replace(train=case.train + more))
    of_line = [(f["code"], f["line"], f["attribute"], f["box"]) for f in before if f["line"]]
    assert set(of_line) <= {(f["code"], f["line"], f["attribute"], f["box"]) for f in after}
