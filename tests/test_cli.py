"""`groundlint check` as a user meets it: what it reads, and what it exits with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import BAD, GOOD, RULES, groundlint, report_of, with_manifests
from PIL import Image

from groundlint import Cost, Status, __version__

SLOW = [code for code, rule in RULES.items() if rule.cost is Cost.SLOW]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_manifests(tmp_path)


def test_a_sound_manifest_exits_with_0_and_a_summary(folder: Path) -> None:
    done = groundlint("check", "good.manifest", "--fast", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 lines, 1 manifest, 0 of 12 images found, target rekognition\n0 errors, 0 warnings, " in done.stdout


def test_a_finding_names_file_line_rule_and_service_code_and_exits_with_1(folder: Path) -> None:
    done = groundlint("check", "bad.manifest", "--select", "BOX101", "--output", "concise", cwd=folder)
    assert done.returncode == 1
    says = "bad.manifest:1: error BOX101 box-outside-image: [ERROR_INVALID_BOUNDING_BOX] box 0"
    assert done.stdout.startswith(says)
    assert done.stdout.endswith(" (s3://bucket/1.jpg)\n")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["warn.manifest"], 0),
        (["warn.manifest", "--fail-on", "warning"], 1),
        (["warn.manifest", "--max-warnings", "0"], 1),
        (["warn.manifest", "--max-warnings", "1"], 0),
        (["bad.manifest", "--fail-on", "none"], 0),
        (["warn.manifest", "--fail-on", "none", "--max-warnings", "0"], 0),
        (["warn.manifest", "--exit-zero", "--max-warnings", "0"], 0),
        (["missing.manifest", "--fail-on", "none", "--max-warnings", "0"], 2),
        (["bad.manifest", "--exit-zero"], 0),
        (["bad.manifest", "--ignore", "BOX"], 0),
        (["bad.manifest", "--select", "MAN,REF"], 0),
        (["bad.manifest", "--select", "MAN", "--extend-select", "box-outside-image"], 1),
        (["bad.manifest", "--extend-ignore", "BOX101"], 0),
        (["bad.manifest", "--ignore", "MAN", "--extend-ignore", "REF,BOX"], 0),
        (["bad.manifest", "--target", "ground-truth"], 0),
        (["missing.manifest"], 2),
        (["good.manifest", "missing.manifest", "--exit-zero"], 2),
        (["bad.manifest", "--select", "NOPE"], 2),
        (["bad.manifest", "--output", "yaml"], 2),
        (["bad.manifest", "--output", "json:no/such/folder/a.json"], 2),
        (["bad.manifest", "--no-such-flag"], 2),
        (["bad.manifest", "--config", "missing.toml"], 2),
        (["empty"], 2),
    ],
)
def test_the_exit_status(folder: Path, arguments: list[str], status: int) -> None:
    (folder / "empty").mkdir()
    assert groundlint("check", *arguments, cwd=folder).returncode == status


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--select", "MAN301"], "MAN301 is for "),
        (
            ["--select", "BOX1", "--target", "ground-truth"],
            "BOX101, BOX102, BOX103 and 1 other are for ",
        ),
        (["--ignore", "ALL"], "no rule is selected, so nothing would be checked"),
        (["--select", "image-outlier", "--fast"], "no rule is selected: --fast leaves out SUS106"),
        (["--config", "nothing.toml"], "no rule is selected, so nothing would be checked"),
    ],
)
def test_a_run_without_rules_does_not_pass(folder: Path, arguments: list[str], says: str) -> None:
    (folder / "nothing.toml").write_text("select = []")
    for command in (["check"], ["baseline", "create"]):
        done = groundlint(*command, "bad.manifest", *arguments, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert says in done.stderr
    done = groundlint("export", "lines", "bad.manifest", "--to", "a.csv", "--config", "nothing.toml", cwd=folder)
    assert done.returncode == 0


@pytest.mark.parametrize("target", ["rekognition", "ground-truth"])
def test_an_empty_manifest_is_a_finding_under_every_target(folder: Path, target: str) -> None:
    (folder / "empty.manifest").touch()
    done = groundlint("check", "empty.manifest", "--target", target, cwd=folder)
    assert done.returncode == 1
    assert "ERROR_EMPTY_MANIFEST" in done.stdout


def test_unreadable_files_are_named_and_the_rest_is_reported(folder: Path) -> None:
    done = groundlint("check", "missing.manifest", "bad.manifest", "--output", "concise", cwd=folder)
    assert done.returncode == 2
    assert "error: missing.manifest: No such file or directory" in done.stderr
    assert "bad.manifest:1: error BOX101" in done.stdout


def test_an_empty_folder_among_others_is_named_and_the_rest_is_reported(folder: Path) -> None:
    (folder / "none").mkdir()
    done = groundlint("check", "none", "bad.manifest", "--output", "concise", cwd=folder)
    assert done.returncode == 2
    assert "error: none: the folder " in done.stderr
    assert "bad.manifest:1: error BOX101" in done.stdout


def test_an_empty_path_is_named_and_the_rest_is_reported(folder: Path) -> None:
    done = groundlint("check", "", "bad.manifest", "--output", "concise", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: '': ")
    assert done.stderr.count("\n") == 1
    assert "bad.manifest:1: error BOX101" in done.stdout


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "an empty path"),
        ("/dev/zero", "not a regular file"),
        ("bad.manifest/x", "Not a directory"),
        ("none", "the folder "),
    ],
)
def test_a_file_that_is_not_a_manifest_is_refused(folder: Path, path: str, says: str) -> None:
    (folder / "none").mkdir()
    done = groundlint("check", path, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path or repr(path)}: {says}")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_as_a_file(folder: Path) -> None:
    command = f"{sys.executable} -m groundlint check <(cat bad.manifest) -q --select BOX"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error    BOX101 " in done.stdout


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(folder: Path) -> None:
    (folder / "good.manifest").chmod(0)
    done = groundlint("check", "good.manifest", "bad.manifest", cwd=folder)
    assert done.returncode == 2
    assert "good.manifest: Permission denied" in done.stderr
    assert "BOX101" in done.stdout


def test_a_folder_means_its_manifests_less_hidden_and_ignored_ones(folder: Path) -> None:
    for name in (
        ".hidden/a.manifest",
        "sub/a.jsonl",
        "sub/b.ndjson",
        "sub/c.txt",
        "ignored/a.manifest",
        "out/a.manifest",
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("ignored/\n")
    done = groundlint("check", ".", "--show-files", "--exclude", "out", cwd=folder)
    assert done.stdout.split() == ["bad.manifest", "good.manifest", "sub/a.jsonl", "sub/b.ndjson", "warn.manifest"]


def test_globs_are_relative_to_the_working_directory_or_to_the_folder_of_the_configuration(folder: Path) -> None:
    (folder / "sub/out").mkdir(parents=True)
    (folder / "sub/in/out").mkdir(parents=True)
    (folder / "sub/out/a.manifest").write_text(GOOD)
    (folder / "sub/in/out/a.manifest").write_text(GOOD)
    (folder / "groundlint.toml").write_text('exclude = ["sub/out"]\n')
    done = groundlint("check", "..", "--show-files", cwd=folder / "sub")
    at_top = ["../bad.manifest", "../good.manifest", "../warn.manifest"]
    assert done.stdout.split() == sorted([*at_top, "../sub/in/out/a.manifest"])
    done = groundlint("check", "..", "--show-files", "--exclude", "in/out", cwd=folder / "sub")
    assert done.stdout.split() == sorted([*at_top, "../sub/out/a.manifest"])
    done = groundlint("check", "..", "--show-files", "--exclude", "out,../w*", cwd=folder / "sub")
    assert done.stdout.split() == ["../bad.manifest", "../good.manifest"]


@pytest.mark.parametrize("option", ["--train", "--test", "--reference"])
def test_several_manifests_of_a_part_need_the_option_repeated(folder: Path, option: str) -> None:
    done = groundlint("check", option, "good.manifest", "bad.manifest", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"repeat it: {option} good.manifest {option} bad.manifest" in done.stderr


def test_a_folder_of_images_in_which_none_is_found_is_named_and_the_rest_is_reported(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "empty").mkdir()
    Image.new("RGB", (640, 480)).save(folder / "images/1.jpg")
    arguments = ("bad.manifest", "--select", "BOX101,image-truncated", "--output", "concise")
    for images in ("empty", "s3://bukcet/=images", "s3://bucket/=empty"):
        done = groundlint("check", *arguments, "--images", "images", "--images", images, cwd=folder)
        assert done.returncode == 2, images
        assert f"error: --images {images}: no image was found there" in done.stderr
        assert "BOX101" in done.stdout
    for images in ("images", "s3://bucket/=images"):
        done = groundlint("check", *arguments, "--images", images, cwd=folder)
        assert (done.returncode, done.stderr) == (1, "")
    missing = groundlint("check", *arguments, "--images", "nowhere", cwd=folder)
    assert (missing.returncode, missing.stderr) == (2, "error: --images: there is no folder nowhere\n")


def test_fast_leaves_out_slow_rules(folder: Path) -> None:
    for flags, is_whole in ([], True), (["--fast"], False):
        groundlint("check", "good.manifest", "--preview", *flags, "--summary-file", "gate.json", cwd=folder)
        codes = report_of(folder / "gate.json")["rules"].keys()
        assert (set(SLOW) <= codes) == is_whole
        assert bool(set(SLOW) & codes) == is_whole


def test_preview_adds_rules_in_preview(folder: Path) -> None:
    groundlint("check", "good.manifest", "--fast", "--preview", "--summary-file", "gate.json", cwd=folder)
    assert {code for code, rule in RULES.items() if rule.status is Status.PREVIEW and rule.cost is Cost.FAST} <= (
        report_of(folder / "gate.json")["rules"].keys()
    )


def test_the_version_is_shown(folder: Path) -> None:
    for arguments in (["--version"], ["check", "--version"], ["check", "missing.manifest", "--version"]):
        done = groundlint(*arguments, cwd=folder)
        assert (done.returncode, done.stdout) == (0, f"groundlint {__version__}\n")


def test_standard_input_may_be_a_part_of_a_data_set(folder: Path) -> None:
    arguments = ("--train", "-", "--test", "good.manifest", "--select", "BOX101", "--output", "concise")
    done = groundlint("check", *arguments, cwd=folder, stdin=BAD.encode())
    assert done.returncode == 1
    assert "-:1: error BOX101" in done.stdout


@pytest.mark.parametrize("option", ["--images", "--measurements", "--reference", "--evaluation"])
@pytest.mark.parametrize("name", ["x" * 300, "a\nb"])
def test_an_odd_name_of_a_file_or_folder_is_a_usage_error(tmp_path: Path, option: str, name: str) -> None:
    done = groundlint("check", "--train", "good.manifest", option, name, cwd=with_manifests(tmp_path))
    assert done.returncode == 2
    assert "groundlint itself failed" not in done.stderr
