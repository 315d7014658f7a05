"""A first configuration: written for the manifests that are there, valid, and never over another."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.config import template as starter
from groundlint.config.data_sets import Request, data_sets
from groundlint.config.settings import Settings, load

SOUND = manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(12)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_groups_training_and_test_manifests_and_lists_the_others(folder: Path) -> None:
    for name in (
        "train.manifest",
        "test.manifest",
        "cars/cars-train.jsonl",
        "cars/cars_validation.jsonl",
        "odd.manifest",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(SOUND)
    result = CliRunner().invoke(app, ["init"])
    assert (result.exit_code, result.stdout.count("5 manifests")) == (0, 1)
    config = load(folder / "groundlint.toml")
    sets = sorted(sorted(source.name for source in each.sources) for each in data_sets(config, Request()))
    assert sets == [["cars/cars-train.jsonl", "cars/cars_validation.jsonl"], ["test.manifest", "train.manifest"]]
    assert "# odd.manifest\n" in (folder / "groundlint.toml").read_text()
    assert CliRunner().invoke(app, ["check"]).exit_code in {0, 1}


def test_an_existing_configuration_stays(folder: Path) -> None:
    (folder / "groundlint.toml").write_text("# mine\n")
    assert CliRunner().invoke(app, ["init"]).exit_code == 2
    assert (folder / "groundlint.toml").read_text() == "# mine\n"


def test_every_line_that_is_commented_out_is_valid_too(folder: Path) -> None:
    text = starter.text([])
    examples = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if " = " in line or line.startswith("# [")
    )
    # `ignore` as a list and as tables cannot stand in one file.
    examples = examples.replace('ignore = ["label-imbalance"]', "").replace('target = "rekognition"', "")
    Settings.model_validate(tomllib.loads(examples), by_alias=True, by_name=False)


@given(st.lists(st.text(max_size=20).map(lambda text: f"train{text}.manifest"), max_size=4))
def test_whatever_files_are_called_the_configuration_is_valid(names: list[str]) -> None:
    Settings.model_validate(tomllib.loads(starter.text(names)), by_alias=True, by_name=False)


def test_the_shell_completes_commands_and_flags() -> None:
    for words, completed in (("groundlint che", "check"), ("groundlint check --fail", "--fail-on")):
        environment = {
            "PATH": os.environ["PATH"],
            "_GROUNDLINT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        program = Path(sys.executable).parent / "groundlint"
        done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
        assert completed in done.stdout.split(), done.stderr
