"""The other commands: tables, rules, the configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from command import RULES, groundlint, with_manifests
from lines import detection, manifest

UNSUPPORTED = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_manifests(tmp_path)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_table_is_exported_whole(folder: Path, suffix: str) -> None:
    done = groundlint("export", "boxes", "bad.manifest", "--to", f"boxes.{suffix}", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    file = folder / f"boxes.{suffix}"
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[suffix]
    table = read(file)
    assert table.height == 14
    assert table["left"].to_list()[:2] == [-5.0, 10.0]


def test_a_derived_table_is_exported(folder: Path) -> None:
    groundlint("export", "verdicts", "bad.manifest", "--to", "v.jsonl", cwd=folder)
    assert pl.read_ndjson(folder / "v.jsonl").select("line", "box", "aws", "loses").rows() == [
        (1, 0, "ERROR_INVALID_BOUNDING_BOX", "box")
    ]


def test_an_unknown_table_is_refused_with_a_suggestion_and_the_tables_are_listed(folder: Path) -> None:
    done = groundlint("export", "boxs", "bad.manifest", "--to", "v.csv", cwd=folder)
    assert done.returncode == 2
    assert "did you mean `boxes`?" in done.stderr
    assert "near_pairs" in done.stderr


@pytest.mark.parametrize("name", ["BOX101", "box-outside-image", "ERROR_INVALID_BOUNDING_BOX"])
def test_a_rule_is_explained(folder: Path, name: str) -> None:
    done = groundlint("rule", name, cwd=folder)
    assert done.stdout.startswith("# BOX101 box-outside-image\n")


def test_rules_and_families_are_listed_one_line_each(folder: Path) -> None:
    every = groundlint("rule", cwd=folder).stdout.splitlines()
    assert [line.split()[0] for line in every] == sorted(RULES)
    family = groundlint("rule", "box1", cwd=folder).stdout.splitlines()
    assert [line.split() for line in family] == [line.split() for line in every if line.startswith("BOX1")]
    assert family[0].split()[:4] == ["BOX101", "box-outside-image", "error", "stable"]
    assert family[0].endswith(".")


def test_rules_are_given_to_programs_as_json(folder: Path) -> None:
    values = json.loads(groundlint("rule", "BOX3", "--output", "json", cwd=folder).stdout)
    assert {value["code"] for value in values} == {code for code in RULES if code.startswith("BOX3")}
    (value,) = json.loads(groundlint("rule", "duplicated-box", "--output", "json", cwd=folder).stdout)
    (option,) = value["options"]
    assert (value["code"], value["severity"], option["constraint"]) == ("BOX301", "warning", "0.5 <= value <= 1")


def test_pages_are_written_to_a_folder(folder: Path) -> None:
    assert groundlint("rule", "BOX1", "--to", "pages", cwd=folder).returncode == 0
    written = {path.stem for path in (folder / "pages").iterdir()}
    assert written == {"index", *(code for code in RULES if code.startswith("BOX1"))}
    assert groundlint("rule", "--to", "pages", cwd=folder).returncode == 2


def test_tables_and_their_columns_are_listed(folder: Path) -> None:
    every = groundlint("tables", cwd=folder).stdout.splitlines()
    names = [line.split()[0] for line in every]
    assert {"boxes", "images", "near_pairs", "visibility"} <= set(names)
    for name in ("boxes", "near_pairs"):
        lines = groundlint("tables", name, cwd=folder).stdout.splitlines()
        assert lines[0].startswith(f"{name}:")
    boxes = groundlint("tables", "boxes", cwd=folder).stdout
    assert re.search(r"^left +number +.* px", boxes, re.MULTILINE)
    unknown = groundlint("tables", "boxs", cwd=folder)
    assert (unknown.returncode, "did you mean `boxes`?" in unknown.stderr) == (2, True)


def test_all_rules_with_a_service_code_are_explained(folder: Path) -> None:
    done = groundlint("rule", UNSUPPORTED, cwd=folder)
    titles = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("# ")]
    assert titles == sorted(code for code, rule in RULES.items() if rule.aws == UNSUPPORTED)
    missing = groundlint("rule", "ERROR_INVALID_BOUNDING_BOXES", cwd=folder)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "did you mean `ERROR_INVALID_BOUNDING_BOX`?" in missing.stderr


def test_an_unknown_package_has_nothing_to_test(folder: Path) -> None:
    done = groundlint("test", "nobody", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: nobody: no installed package of this name has rules; packages with rules: ")


def test_the_configuration_in_force_is_shown(folder: Path) -> None:
    (folder / "groundlint.toml").write_text('target = "ground-truth"\n')
    assert json.loads(groundlint("config", cwd=folder).stdout)["target"] == "ground-truth"
    assert "groundlint.toml" in groundlint("check", "good.manifest", "-v", cwd=folder).stderr


def test_the_form_of_the_configuration_is_shown(folder: Path) -> None:
    schema = json.loads(groundlint("config", "--schema", cwd=folder).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"rules": {"duplicated-box": {"iou": 0.9}}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rules": {"duplicated-box": {"iou": 2}}}, schema)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('selct = ["BOX"]', "groundlint.toml: unknown key `selct`; did you mean `select`?"),
        ("[rules.BOX301]\niuo = 0.9", "[rules.BOX301]: unknown key `iuo`; did you mean `iou`?"),
        ("[rules.NOPE]", "no rule has the code or name 'NOPE'"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_explained(folder: Path, text: str, says: str) -> None:
    (folder / "groundlint.toml").write_text(text)
    done = groundlint("check", "good.manifest", cwd=folder)
    assert done.returncode == 2
    assert says in done.stderr
    assert groundlint("check", "good.manifest", "--isolated", cwd=folder).returncode == 0


def test_an_option_of_a_rule_works(folder: Path) -> None:
    (folder / "a.manifest").write_text(manifest(detection("s3://bucket/1.jpg", ({"width": 100}, {"width": 90}))))
    flags = ("--select", "BOX301", "--output", "concise")
    assert groundlint("check", "a.manifest", *flags, cwd=folder).stdout == ""
    (folder / "groundlint.toml").write_text("[rules.duplicated-box]\niou = 0.9\n")
    assert groundlint("check", "a.manifest", *flags, cwd=folder).stdout.count("BOX301") == 1
