"""The hooks: pre-commit installs them from this repository and runs them in a data set's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from image_sets import image_bytes
from lines import detection, manifest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
GOOD = manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(12)))
BAD = manifest(
    detection("s3://bucket/0.jpg", ({"left": -1}, {})), *(detection(f"s3://bucket/{n}.jpg") for n in range(1, 12))
)
WARNING = manifest(detection("s3://bucket/0.jpg", ({}, {})), *(detection(f"s3://bucket/{n}.jpg") for n in range(1, 12)))


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **environment}
    return subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps what it installs: once for all tests, and nothing of the user's."""
    if not (PROJECT / ".git").exists():
        pytest.skip("pre-commit installs from a git repository, which this is not")
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A data set's repository with a good manifest, a bad one, and one with a warning."""
    run("git", "init", "--quiet", cwd=tmp_path)
    (tmp_path / "readme.txt").write_text("not a manifest")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "1.png", "text": "a dog"}\n')
    for n in range(12):
        (tmp_path / f"{n}.jpg").write_bytes(image_bytes((640, 480), seed=n))
    for name, text in {"good.manifest": GOOD, "bad.jsonl": BAD, "sub/warning.manifest": WARNING}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    run("git", "add", ".", cwd=tmp_path)
    return tmp_path


def hook(name: str, *arguments: str, repository: Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "pre_commit", "try-repo", str(PROJECT), name, *arguments)
    done = run(*command, cwd=repository, PRE_COMMIT_HOME=str(home))
    if "pip" in done.stdout and "An unexpected error has occurred" in done.stdout:
        pytest.skip("no package index is reachable, from which pre-commit could install")
    return done


def test_the_hook_checks_the_manifests_that_are_passed(repository: Path, home: Path) -> None:
    bad = hook("groundlint", "--all-files", repository=repository, home=home)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "bad.jsonl:1: error BOX101 box-outside-image: [ERROR_INVALID_BOUNDING_BOX]" in bad.stdout
    assert "sub/warning.manifest:1: warning BOX301" in bad.stdout
    good = hook("groundlint", "--files", "good.manifest", repository=repository, home=home)
    assert good.returncode == 0, good.stdout
    assert "BOX" not in good.stdout
    none = hook("groundlint", "--files", "readme.txt", repository=repository, home=home)
    assert "no files to check" in none.stdout


def test_the_other_hook_fails_where_images_are_missing(repository: Path, home: Path) -> None:
    (repository / "groundlint.toml").write_text('exclude = ["bad.jsonl"]\n')
    (repository / "3.jpg").unlink()
    run("git", "add", ".", cwd=repository)
    done = hook("groundlint-all", "--all-files", repository=repository, home=home)
    assert done.returncode == 1
    assert "good.manifest:4: error IMG203 image-missing" in done.stdout
    changed = hook("groundlint", "--files", "good.manifest", repository=repository, home=home)
    assert changed.returncode == 0
    assert "metadata.jsonl:" not in done.stdout + changed.stdout


def test_a_warning_passes_and_is_shown(repository: Path, home: Path) -> None:
    done = hook("groundlint", "--files", "sub/warning.manifest", repository=repository, home=home)
    assert done.returncode == 0, done.stdout
    assert "sub/warning.manifest:1: warning BOX301" in done.stdout


def test_the_other_hook_checks_the_whole_repository(repository: Path, home: Path) -> None:
    (repository / "groundlint.toml").write_text('exclude = ["bad.jsonl"]\n')
    (repository / "1.JPG").write_bytes(b"\xff\xd8")
    run("git", "add", ".", cwd=repository)
    for changed in ("1.JPG", "groundlint.toml", "good.manifest"):
        done = hook("groundlint-all", "--files", changed, repository=repository, home=home)
        assert done.returncode == 0, done.stdout
        assert "sub/warning.manifest:1: warning BOX301" in done.stdout
        assert "bad.jsonl" not in done.stdout
    none = hook("groundlint-all", "--files", "readme.txt", repository=repository, home=home)
    assert "no files to check" in none.stdout


@pytest.mark.parametrize("name", ["groundlint", "groundlint-all"])
def test_a_hook_leaves_out_what_the_repository_ignores(repository: Path, home: Path, name: str) -> None:
    (repository / "groundlint.toml").write_text('ignore = ["BOX101"]\n')
    run("git", "add", ".", cwd=repository)
    done = hook(name, "--all-files", repository=repository, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BOX301" in done.stdout


def test_the_hook_leaves_out_what_the_repository_excludes(repository: Path, home: Path) -> None:
    (repository / "groundlint.toml").write_text('exclude = ["bad.jsonl"]\n')
    run("git", "add", ".", cwd=repository)
    done = hook("groundlint", "--files", "bad.jsonl", "good.manifest", repository=repository, home=home)
    assert done.returncode == 0, done.stdout
    assert "bad.jsonl" not in done.stdout
    alone = hook("groundlint", "--files", "bad.jsonl", repository=repository, home=home)
    assert alone.returncode == 0, alone.stdout
    assert "note: " in alone.stdout
