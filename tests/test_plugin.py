"""A package with rules, installed beside groundlint in a fresh environment, works as the built-in rules do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lines import detection, manifest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "tests" / "plugin"
CROWD = manifest(detection("s3://bucket/1.jpg", tuple({"left": n} for n in range(3))))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh virtual environment with groundlint and the plugin."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    index = subprocess.run(
        [*pip, "download", "--no-deps", "--dest", folder, "hatchling"], capture_output=True, text=True
    )
    if index.returncode:
        pytest.skip(f"no package index is reachable: {index.stderr.strip().splitlines()[-1]}")
    subprocess.run([*pip, "install", ROOT, PLUGIN], check=True)
    return programs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crowd.manifest").write_text(CROWD)
    return tmp_path


def groundlint(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [environment / "groundlint", *arguments], cwd=folder, env=variables, capture_output=True, encoding="utf-8"
    )


def test_its_rule_finds_something_and_its_option_is_configured(environment: Path, folder: Path) -> None:
    concise = ("check", "crowd.manifest", "--output", "concise")
    assert "ACM101" not in groundlint(environment, folder, *concise).stdout
    (folder / "groundlint.toml").write_text("[rules.ACM101]\nmost = 2\n")
    done = groundlint(environment, folder, *concise)
    assert "crowd.manifest:1: warning ACM101 crowded-image: 3 boxes, more than 2" in done.stdout


def test_its_option_is_checked(environment: Path, folder: Path) -> None:
    (folder / "groundlint.toml").write_text("[rules.crowded-image]\nmots = 2\n")
    done = groundlint(environment, folder, "check", "crowd.manifest")
    assert done.returncode == 2
    assert "did you mean `most`?" in done.stderr


def test_its_rule_is_selected_by_name_and_by_prefix(environment: Path, folder: Path) -> None:
    (folder / "groundlint.toml").write_text("[rules.ACM101]\nmost = 2\n")
    for selector in ("crowded-image", "ACM"):
        done = groundlint(environment, folder, "check", "crowd.manifest", "--output", "concise", "--select", selector)
        assert done.stdout.count("ACM101") == done.stdout.count("crowd.manifest:") == 1


def test_it_has_a_page(environment: Path, folder: Path) -> None:
    page = groundlint(environment, folder, "rule", "ACM101").stdout
    assert "An image has more boxes than Acme's labelers draw with care." in page
    assert "Number of boxes that an image may have." in page


def test_its_option_is_in_the_schema_of_the_configuration(environment: Path, folder: Path) -> None:
    schema = json.loads(groundlint(environment, folder, "config", "--schema").stdout)
    assert schema["properties"]["rules"]["properties"]["ACM101"]["properties"]["most"]["minimum"] == 1


def test_its_table_is_exported(environment: Path, folder: Path) -> None:
    done = groundlint(environment, folder, "export", "crowds", "crowd.manifest", "--to", "crowds.jsonl")
    assert done.returncode == 0
    assert json.loads((folder / "crowds.jsonl").read_text())["size"] == 3


@pytest.mark.parametrize("package", ["groundlint-acme", "groundlint_acme"])
def test_its_examples_hold(environment: Path, folder: Path, package: str) -> None:
    done = groundlint(environment, folder, "test", package)
    assert (done.returncode, done.stdout) == (0, "1 rule, 5 examples, 0 faults\n")


def test_isolated_turns_it_off(environment: Path, folder: Path) -> None:
    done = groundlint(environment, folder, "check", "crowd.manifest", "--isolated", "--select", "ACM101")
    assert done.returncode == 2
    assert "ACM101" in done.stderr
