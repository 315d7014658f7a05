"""The first configuration: it fits the manifests, is valid, and never replaces another."""

from __future__ import annotations

import os
import re
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
from groundlint.config import template
from groundlint.config.data_sets import Request, data_sets
from groundlint.config.settings import Settings, load
from groundlint.engine import registry
from groundlint.policy.selection import of_config

SOUND = manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(12)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_and_test_manifests_are_grouped_and_the_others_listed(folder: Path) -> None:
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
    assert result.exit_code == 0
    assert "written for 5 manifests, 1 manifest in no data set;" in result.stdout
    config = load(folder / "groundlint.toml")
    sets = sorted(sorted(source.name for source in each.sources) for each in data_sets(config, Request()))
    assert sets == [["cars/cars-train.jsonl", "cars/cars_validation.jsonl"], ["test.manifest", "train.manifest"]]
    text = (folder / "groundlint.toml").read_text()
    assert "only when it is named on the command line.\n# odd.manifest\n" in text
    assert '# Validation manifests are checked as test manifests are.\ntest = ["cars/cars_validation.jsonl"]' in text
    assert CliRunner().invoke(app, ["check"]).exit_code in {0, 1}


def test_an_existing_configuration_is_kept(folder: Path) -> None:
    (folder / "groundlint.toml").write_text("# mine\n")
    assert CliRunner().invoke(app, ["init"]).exit_code == 2
    assert (folder / "groundlint.toml").read_text() == "# mine\n"


def test_the_configuration_with_every_example_uncommented_loads(folder: Path) -> None:
    text = template.text(["train.manifest", "test.manifest"])
    whole = re.sub(r'(?m)^# (\[|["\w-][^ ]* = )', r"\1", text)
    assert whole.count("# ") < text.count("# ")
    (folder / "groundlint.toml").write_text(whole)
    config = load(folder / "groundlint.toml")
    unset = set(Settings.model_fields) - config.settings.model_fields_set
    assert unset == {"region", "max_images", "select", "cache_dir"}
    assert of_config(registry.load(isolated=True), config).suppressions[0].codes == {"BOX301"}


def test_no_manifest_is_left_out_silently() -> None:
    names = ["a/val.manifest", "b/train.manifest", "c.manifest", "test\x1b.manifest"]
    grouping = template.grouped(names)
    assert grouping.data_sets == {"b": {"train": ["b/train.manifest"]}}
    assert grouping.alone == ["a/val.manifest", "c.manifest", "test\x1b.manifest"]
    text = template.text(names)
    assert "\n# a/val.manifest\n# c.manifest\n# test\\x1b.manifest\n" in text
    assert "# In no data set: each is checked alone.\n# c.manifest" in template.text(["c.manifest"])


@given(st.lists(st.text(max_size=20).map(lambda text: f"train{text}.manifest"), max_size=4))
def test_the_configuration_is_valid_whatever_the_names_of_manifests(names: list[str]) -> None:
    Settings.model_validate(tomllib.loads(template.text(names)), by_alias=True, by_name=False)


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
