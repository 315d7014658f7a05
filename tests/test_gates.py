"""The gates in the documents: their commands run, and their files are what the systems ask for."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from image_sets import image_bytes
from lines import detection, manifest

PAGE = (Path(__file__).parents[1] / "docs/gates.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
SOUND = [detection(f"s3://bucket/{n}.jpg") for n in range(12)]
FAULTY = [detection("s3://bucket/bad.jpg", ({"left": -1}, {})), *SOUND]


def block(kind: str, containing: str) -> str:
    (text,) = [text for known, text in BLOCKS if known == kind and containing in text]
    return text


def run(command: str, folder: Path, lines: list[Any]) -> subprocess.CompletedProcess[str]:
    """A command of the page, in a folder with a manifest under data/ and the paths of a container beside it."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data/train.manifest").write_text(manifest(*lines))
    for n, line in enumerate(lines):
        name = line["source-ref"].rpartition("/")[2]
        if name != "gone.jpg":
            (folder / "data" / name).write_bytes(image_bytes((640, 480), seed=n))
    (folder / "report").mkdir(exist_ok=True)
    here = command.replace("/opt/ml/processing/input", "data").replace("/opt/ml/processing/", "")
    words = shlex.split(here.replace("$GITHUB_STEP_SUMMARY", "summary.md").replace("\\\n", " "))
    assert words[0] == "groundlint"
    # Where programs and packages are, and nothing else.
    places = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment = {**places, "HOME": str(folder)}
    program = [sys.executable, "-m", *words]
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 0), (FAULTY, 1)])
def test_the_github_workflow(lines: list[Any], status: int, tmp_path: Path) -> None:
    steps = yaml.safe_load(block("yaml", "runs-on"))["jobs"]["groundlint"]["steps"]
    (command,) = [step["run"] for step in steps if "groundlint check" in step.get("run", "")]
    (upload,) = [step["with"]["sarif_file"] for step in steps if "upload-sarif" in step.get("uses", "")]
    done = run(command, tmp_path, lines)
    assert done.returncode == status, done.stderr
    assert done.stdout.startswith("::error") == bool(status)
    results = json.loads((tmp_path / upload).read_text())["runs"][0]["results"]
    assert [result["ruleId"] for result in results if result["level"] == "error"] == ["BOX101"] * status
    assert ("BOX101" in (tmp_path / "summary.md").read_text()) == bool(status)


@pytest.mark.parametrize(("lines", "status"), [(SOUND, 0), (FAULTY, 1)])
def test_the_gitlab_job(lines: list[Any], status: int, tmp_path: Path) -> None:
    job = yaml.safe_load(block("yaml", "codequality"))["groundlint"]
    (command,) = [command for command in job["script"] if "groundlint check" in command]
    done = run(command, tmp_path, lines)
    assert done.returncode == status, done.stderr
    reports = job["artifacts"]["reports"]
    issues = json.loads((tmp_path / reports["codequality"]).read_text())
    assert ["BOX101" in json.dumps(issue) for issue in issues if issue["severity"] == "major"] == [True] * status
    assert ("BOX101" in (tmp_path / reports["junit"]).read_text()) == bool(status)


@pytest.mark.parametrize(("lines", "passed"), [(SOUND, 1), (FAULTY, 0)])
def test_the_sagemaker_pipeline(lines: list[Any], passed: int, tmp_path: Path) -> None:
    done = run(block("sh", "--summary-file"), tmp_path, lines)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "report/summary.json").read_text())
    pipeline = ast.parse(block("python", "ConditionStep"))
    keywords = [node for node in ast.walk(pipeline) if isinstance(node, ast.keyword)]
    (path,) = [ast.literal_eval(keyword.value) for keyword in keywords if keyword.arg == "json_path"]
    assert summary[path] == passed
    assert summary["rules"]["BOX101"] == 1 - passed


def test_missing_images_fail_the_gates(tmp_path: Path) -> None:
    jobs = yaml.safe_load(block("yaml", "codequality"))["groundlint"]["script"]
    steps = yaml.safe_load(block("yaml", "runs-on"))["jobs"]["groundlint"]["steps"]
    commands = [text for text in [*jobs, *(step.get("run", "") for step in steps)] if "groundlint check" in text]
    assert len(commands) == 2
    for command in commands:
        assert run(command, tmp_path, SOUND).returncode == 0
        done = run(command, tmp_path, [*SOUND, detection("s3://bucket/gone.jpg")])
        assert done.returncode == 1
        assert "IMG203" in done.stdout


def test_the_hooks_of_the_page_exist() -> None:
    hooks = yaml.safe_load((Path(__file__).parents[1] / ".pre-commit-hooks.yaml").read_text())
    (repository,) = yaml.safe_load(block("yaml", "repos:"))["repos"]
    assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in hooks}
