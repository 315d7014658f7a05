"""The command as a user meets it: what it prints, writes and exits with."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from lines import classification, detection, manifest
from PIL import Image

from groundlint import Cost, Status, __version__
from groundlint.engine.registry import load
from groundlint.report import FORMATS

RULES = load(isolated=True).rules
SLOW = [code for code, rule in RULES.items() if rule.cost is Cost.SLOW]
# Where programs and packages are.
PLACES = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
UNSUPPORTED = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"

GOOD = manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(12)))
BAD = manifest(
    detection("s3://bucket/1.jpg", ({"left": -5}, {})), *(detection(f"s3://bucket/{n}.jpg") for n in range(2, 14))
)
WARN = manifest({"source-ref": "s3://bucket/0.jpg"}) + GOOD.replace("/0.jpg", "/99.jpg")


def groundlint(
    *arguments: str, cwd: Path, stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without the environment of the tests; standard error without notes."""
    done = subprocess.run(
        [sys.executable, "-m", "groundlint", *arguments],
        cwd=cwd,
        input=stdin,
        env={**PLACES, "HOME": str(cwd), **environment},
        capture_output=True,
        check=False,
    )
    said = "".join(line for line in done.stderr.decode().splitlines(keepends=True) if not line.startswith("note: "))
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), said)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "bad": BAD, "warn": WARN}.items():
        (tmp_path / f"{name}.manifest").write_text(text)
    return tmp_path


def report(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_sound_manifest_exits_with_0_and_a_summary(folder: Path) -> None:
    done = groundlint("check", "good.manifest", "--fast", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "12 lines, 1 manifest, 0 of 12 images found, target rekognition\n0 errors, 0 warnings, "
    )


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
        (["--select", "MAN301"], "for the target rekognition; MAN301 is for the target ground-truth"),
        (
            ["--select", "BOX1", "--target", "ground-truth"],
            "for the target ground-truth; BOX101, BOX102, BOX103, BOX104 are for the target rekognition",
        ),
        (["--ignore", "ALL"], "no rule is selected, so nothing would be checked"),
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


def test_what_cannot_be_read_is_named_and_the_rest_is_reported(folder: Path) -> None:
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
def test_what_is_not_a_manifest_is_refused(folder: Path, path: str, says: str) -> None:
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


def test_a_glob_of_the_command_line_starts_from_here_and_one_of_the_file_from_there(folder: Path) -> None:
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


def test_standard_input_has_the_name_that_it_is_given(folder: Path) -> None:
    rest = ("--select", "BOX", "--output", "concise")
    for path in (["-"], ["--train", "-"], ["--train", "good.manifest", "--test", "-"]):
        arguments = (*path, "--stdin-filename", "x.manifest", *rest)
        done = groundlint("check", *arguments, cwd=folder, stdin=BAD.encode())
        assert done.stdout.startswith("x.manifest:1: error BOX101")
    unnamed = groundlint("check", "-", "--stdin-filename", "", *rest, cwd=folder, stdin=BAD.encode())
    assert unnamed.stdout.startswith("./-:1: error BOX101")


@pytest.mark.parametrize("option", ["--train", "--test", "--reference"])
def test_several_manifests_of_a_part_need_the_option_repeated(folder: Path, option: str) -> None:
    done = groundlint("check", option, "good.manifest", "bad.manifest", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"repeat the option for each manifest: {option} good.manifest {option} bad.manifest" in done.stderr


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
        groundlint("check", "good.manifest", *flags, "--summary-file", "gate.json", cwd=folder)
        codes = report(folder / "gate.json")["rules"].keys()
        assert (set(SLOW) <= codes) == is_whole
        assert bool(set(SLOW) & codes) == is_whole


def test_preview_adds_rules_in_preview(folder: Path) -> None:
    groundlint("check", "good.manifest", "--fast", "--preview", "--summary-file", "gate.json", cwd=folder)
    assert {code for code, rule in RULES.items() if rule.status is Status.PREVIEW and rule.cost is Cost.FAST} <= (
        report(folder / "gate.json")["rules"].keys()
    )


def test_notes_go_to_standard_error_and_quiet_leaves_them_out(folder: Path) -> None:
    command = [sys.executable, "-m", "groundlint", "check", "good.manifest", "--select", "image-truncated"]
    done = subprocess.run([*command, "--output", "json"], cwd=folder, capture_output=True, text=True, check=False)
    (note,) = json.loads(done.stdout)["summary"]["notes"]
    assert done.stderr == f"note: {note['message']}\n"
    quiet = subprocess.run([*command, "-q"], cwd=folder, capture_output=True, text=True, check=False)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    blind = subprocess.run(
        [*command, "-q", "--require-images"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (blind.returncode, blind.stderr) == (2, f"error: {note['message']}\n")


def test_several_reports_at_once(folder: Path) -> None:
    done = groundlint("check", "bad.manifest", "--output", "json:a.json", "--output", "text:a.txt", cwd=folder)
    assert report(folder / "a.json")["findings"][0]["aws"] == "ERROR_INVALID_BOUNDING_BOX"
    assert (folder / "a.txt").read_text() == done.stdout


def test_a_report_goes_through_a_link_and_into_a_device(folder: Path) -> None:
    (folder / "link.json").symlink_to("real.json")
    arguments = ("--output", "json:link.json", "--output", "text:/dev/null", "--output", "text:/dev/stderr")
    done = groundlint("check", "bad.manifest", *arguments, cwd=folder)
    assert done.stderr == done.stdout != ""
    assert (folder / "link.json").is_symlink()
    assert report(folder / "real.json")["target"] == "rekognition"
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_an_error_and_leaves_the_gate_shut(folder: Path) -> None:
    command = f"{sys.executable} -m groundlint check good.manifest --select BOX1 --summary-file gate.json > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: the report cannot be written to standard output: No space left on device\n"
    assert report(folder / "gate.json")["passed"] == 0


def test_a_report_that_cannot_be_written_hides_nothing_and_leaves_the_gate_shut(folder: Path) -> None:
    arguments = ("--output", "text", "--output", "json:no/such/a.json", "--summary-file", "gate.json")
    done = groundlint("check", "bad.manifest", *arguments, "--fail-on", "none", cwd=folder)
    assert done.returncode == 2
    assert done.stderr == "error: no/such/a.json: the file cannot be written: No such file or directory\n"
    assert "BOX101" in done.stdout
    assert report(folder / "gate.json")["passed"] == 0


def test_a_report_has_the_permissions_of_the_umask(folder: Path) -> None:
    command = f"umask 027; {sys.executable} -m groundlint check good.manifest --output json:a.json"
    subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=True)
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_output_is_utf_8_whatever_the_locale(folder: Path, encoding: str) -> None:
    (folder / "é한.manifest").write_text(BAD.replace("cat", "Käfer"), encoding="utf-8")
    done = groundlint("check", "é한.manifest", "--output", "json", cwd=folder, PYTHONIOENCODING=encoding)
    finding = json.loads(done.stdout)["findings"][0]
    assert (finding["manifest"], finding["label"]) == ("é한.manifest", "Käfer")


def test_a_file_name_that_is_not_text_is_shown(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.manifest")).write_text(BAD)
    arguments = ("--select", "BOX", "--output", "json:a.json", "--output", "concise")
    done = groundlint("check", *arguments, cwd=folder)
    assert any(line.startswith("./\\xff.manifest:1: error BOX101") for line in done.stdout.splitlines())
    assert {finding["manifest"] for finding in report(folder / "a.json")["findings"]} == {
        "bad.manifest",
        "\\xff.manifest",
    }


def test_json_on_standard_output_stands_alone(folder: Path) -> None:
    done = groundlint("check", "bad.manifest", "--select", "BOX", "--output", "json", cwd=folder)
    assert json.loads(done.stdout)["summary"]["counts"] == {"error": 1, "warning": 0, "info": 0}


def test_min_severity_hides_findings_in_every_format_and_changes_no_count(folder: Path) -> None:
    for form in FORMATS:
        arguments = ("--select", "BOX101", "--min-severity", "error", "--output", form)
        (folder / "groundlint.toml").write_text('[severity]\nBOX101 = "warning"\n')
        done = groundlint("check", "bad.manifest", *arguments, "--fail-on", "warning", cwd=folder)
        assert done.returncode == 1
        assert "box 0" not in done.stdout, form
    shown = groundlint("check", "bad.manifest", "--select", "BOX101", "--min-severity", "error", cwd=folder)
    assert "1 warning" in shown.stdout


def test_infos_are_counted_unless_they_are_asked_for(folder: Path) -> None:
    (folder / "groundlint.toml").write_text('[severity]\nBOX101 = "info"\n')
    listed = "info     BOX101 box-outside-image"
    assert listed not in groundlint("check", "bad.manifest", "--select", "BOX", cwd=folder).stdout
    for flags in (["--select", "BOX", "--min-severity", "info"], ["--select", "box-outside-image"]):
        assert listed in groundlint("check", "bad.manifest", *flags, cwd=folder).stdout


def test_statistics_count_by_rule(folder: Path) -> None:
    done = groundlint("check", "bad.manifest", "--select", "BOX", "--statistics", "-q", cwd=folder)
    assert done.stdout.splitlines()[-1].split() == ["1", "error", "BOX101", "box-outside-image"]


def test_limit_says_how_many_rows_of_a_rule_are_listed(folder: Path) -> None:
    lines = (detection(f"s3://bucket/{n}.jpg", ({"left": -1}, {})) for n in range(60))
    (folder / "many.manifest").write_text(manifest(*lines))
    for flags, shown in (([], 5), (["--limit", "2"], 2), (["--limit", "0"], 60)):
        done = groundlint("check", "many.manifest", "--select", "BOX101", *flags, cwd=folder)
        assert done.stdout.count("[ERROR_INVALID_BOUNDING_BOX]") == shown
        assert (f"{60 - shown} more of BOX101 box-outside-image; --limit 0 lists all" in done.stdout) == (shown < 60)
    assert groundlint("check", "many.manifest", "--limit", "-1", cwd=folder).returncode == 2


@pytest.mark.parametrize("columns", ["60", "100", "160"])
def test_text_fits_the_terminal(folder: Path, columns: str) -> None:
    done = groundlint("check", "bad.manifest", "--select", "BOX101", "-q", cwd=folder, COLUMNS=columns)
    assert max(map(len, done.stdout.splitlines())) <= int(columns)


@pytest.mark.parametrize(
    ("arguments", "environment", "is_colored"),
    [
        ([], {}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1"}, True),
    ],
)
def test_color(folder: Path, arguments: list[str], environment: dict[str, str], is_colored: bool) -> None:
    done = groundlint("check", "bad.manifest", "--select", "BOX", *arguments, cwd=folder, **environment)
    assert ("\x1b[" in done.stdout) == is_colored


def test_the_version_is_shown(folder: Path) -> None:
    for arguments in (["--version"], ["check", "--version"], ["check", "missing.manifest", "--version"]):
        done = groundlint(*arguments, cwd=folder)
        assert (done.returncode, done.stdout) == (0, f"groundlint {__version__}\n")


def test_the_summary_for_a_gate_has_every_selected_rule(folder: Path) -> None:
    groundlint("check", "bad.manifest", "--select", "BOX1", "--summary-file", "gate.json", "--exit-zero", cwd=folder)
    assert report(folder / "gate.json") == {
        "schema_version": 1,
        "passed": 0,
        "counts": {"error": 1, "warning": 0, "info": 0},
        "rules": {"BOX101": 1, "BOX102": 0, "BOX103": 0, "BOX104": 0},
        "images": {"total": 13, "found": 0, "unreadable": 0},
    }


def test_a_gate_stays_shut_when_not_all_could_be_judged(folder: Path) -> None:
    groundlint("check", "good.manifest", "missing.manifest", "--summary-file", "gate.json", cwd=folder)
    assert report(folder / "gate.json")["passed"] == 0
    groundlint("check", "good.manifest", "--summary-file", "gate.json", cwd=folder)
    assert report(folder / "gate.json")["passed"] == 1
    for wrong in ("--select=NOPE", "--output=yaml", "--color=red", "--config=missing.toml", "missing.manifest"):
        groundlint("check", "good.manifest", "--summary-file", "gate.json", cwd=folder)
        assert report(folder / "gate.json")["passed"] == 1
        assert groundlint("check", "good.manifest", wrong, "--summary-file", "gate.json", cwd=folder).returncode == 2
        assert report(folder / "gate.json")["passed"] == 0


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
@pytest.mark.parametrize("delay", [0.2, 0.8])
def test_an_interrupted_run_leaves_a_shut_gate_and_no_partial_report(
    tmp_path: Path, sent: signal.Signals, status: int, delay: float
) -> None:
    (tmp_path / "big.manifest").write_text(manifest(*(detection(f"s3://b/{n}.jpg") for n in range(5000))) * 30)
    arguments = ["check", "big.manifest", "--output", "json:a.json", "--summary-file", "gate.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", *arguments], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        deadline = time.monotonic() + 20
        while not (tmp_path / "gate.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(delay)
        run.send_signal(sent)
        assert run.wait(timeout=30) == status
    assert report(tmp_path / "gate.json")["passed"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.manifest", "gate.json"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_ends_the_run_and_leaves_nothing_partial(folder: Path, sent: signal.Signals) -> None:
    (folder / "gate.json").write_text('{"passed": 1}')
    command = [sys.executable, "-m", "groundlint", "check", "bad.manifest", "-q", "--summary-file", "gate.json"]
    for delay in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
        with subprocess.Popen([*command, "--output", "json:a.json"], cwd=folder, stderr=subprocess.DEVNULL) as run:
            time.sleep(delay)
            run.send_signal(sent)
            # Before the command has taken over, the interpreter is killed by the signal itself.
            assert run.wait(timeout=30) in {128 + sent, -sent, 1}
        if (folder / "a.json").exists():
            assert report(folder / "a.json")["schema_version"] == 1
            assert report(folder / "gate.json")["passed"] == 0
        assert report(folder / "gate.json")["passed"] in {0, 1}
        assert not list(folder.glob(".*.tmp"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("path", ["-", "pipe.manifest"])
def test_a_signal_ends_the_wait_for_a_pipe_that_stays_open(
    folder: Path, path: str, sent: signal.Signals, status: int
) -> None:
    os.mkfifo(folder / "pipe.manifest")
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", "check", path], cwd=folder, stdin=subprocess.PIPE
    ) as run:
        # Until it waits.
        time.sleep(2)
        run.send_signal(sent)
        try:
            assert run.wait(timeout=10) == status
        finally:
            run.kill()


def test_a_closed_standard_input_is_not_an_empty_manifest(folder: Path) -> None:
    command = f"{sys.executable} -m groundlint check - <&-"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: -: standard input is closed\n")


def test_a_reader_that_leaves_gets_no_traceback(folder: Path) -> None:
    lines = (detection(f"s3://bucket/{n}.jpg", ({"left": -1}, {})) for n in range(60))
    (folder / "many.manifest").write_text(manifest(*lines))
    command = f"{sys.executable} -m groundlint check many.manifest -q --select BOX101 --output json | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ('{"schema_v', "")
    status = command.replace("head -c 10", "head -c 10; exit ${PIPESTATUS[0]}")
    assert subprocess.run(["bash", "-c", status], cwd=folder, capture_output=True, check=False).returncode == 1


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
    assert "did you mean ERROR_INVALID_BOUNDING_BOX?" in missing.stderr


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
        ("[rules.SPL104]\nmin_image = 3", "[rules.SPL104]: unknown key `min_image`; did you mean `min_images`?"),
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
    (folder / "a.manifest").write_text(
        manifest(*(classification(f"s3://bucket/{n}.jpg", "ab"[n % 2]) for n in range(12)))
    )
    (folder / "groundlint.toml").write_text("[rules.few-images-to-split]\nmin_images = 7\n")
    assert groundlint("check", "a.manifest", cwd=folder).stdout.count("SPL104") == 2


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a terminal is sent."""
    import pty  # Windows has none

    main, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", "check", *arguments], cwd=folder, stdout=terminal, stderr=terminal
    ) as run:
        os.close(terminal)
        sent = b""
        # Linux ends a closed terminal with an error, others with nothing.
        with contextlib.suppress(OSError):
            while data := os.read(main, 65536):
                sent += data
        run.wait(timeout=30)
    os.close(main)
    return sent.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_shows_progress_and_clears_it(folder: Path) -> None:
    name = "a\x1b[2J\u202e.manifest"
    (folder / name).write_text(GOOD)
    sent = on_a_terminal(folder, name)
    clear = "\r\x1b[K"
    assert sent.startswith(f"{clear}reading manifests{clear}")
    assert f"{clear}checking{clear}" in sent
    assert "note: no image of a\\x1b[2J\\u202e.manifest was found" in sent
    assert "\n12 lines, " in sent
    for flag in ("--no-progress", "-q"):
        assert "reading" not in on_a_terminal(folder, name, flag)
    assert groundlint("check", name, cwd=folder).stderr == ""


def test_a_report_that_cannot_be_written_does_not_hold_back_the_others(folder: Path) -> None:
    (folder / "gate.json").write_text('{"passed": 1}')
    done = groundlint(
        "check", "good.manifest", "--output", "json:no/a.json", "--output", "text:a.txt", "--summary-file", "gate.json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 2
    assert (folder / "a.txt").read_text() == done.stdout
    assert report(folder / "gate.json")["passed"] == 0


def test_standard_input_may_be_a_part_of_a_data_set(folder: Path) -> None:
    arguments = ("--train", "-", "--test", "good.manifest", "--select", "BOX101", "--output", "concise")
    done = groundlint("check", *arguments, cwd=folder, stdin=BAD.encode())
    assert done.returncode == 1
    assert "-:1: error BOX101" in done.stdout
