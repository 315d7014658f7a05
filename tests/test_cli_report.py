"""What `groundlint check` prints and writes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import BAD, GOOD, groundlint, report_of, with_manifests
from lines import detection, manifest

from groundlint.report import FORMATS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_manifests(tmp_path)


def test_standard_input_has_the_name_that_it_is_given(folder: Path) -> None:
    rest = ("--select", "BOX", "--output", "concise")
    for path in (["-"], ["--train", "-"], ["--train", "good.manifest", "--test", "-"]):
        arguments = (*path, "--stdin-filename", "x.manifest", *rest)
        done = groundlint("check", *arguments, cwd=folder, stdin=BAD.encode())
        assert done.stdout.startswith("x.manifest:1: error BOX101")
    unnamed = groundlint("check", "-", "--stdin-filename", "", *rest, cwd=folder, stdin=BAD.encode())
    assert unnamed.stdout.startswith("./-:1: error BOX101")


def test_notes_go_to_standard_error_and_quiet_leaves_them_out(folder: Path) -> None:
    command = [sys.executable, "-m", "groundlint", "check", "good.manifest", "--select", "image-truncated"]
    done = subprocess.run([*command, "--output", "json"], cwd=folder, capture_output=True, text=True, check=False)
    (note,) = json.loads(done.stdout)["summary"]["notes"]
    assert done.stderr == f"note: {note['message']}\n"
    quiet = subprocess.run([*command, "-q"], cwd=folder, capture_output=True, text=True, check=False)
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_several_reports_at_once(folder: Path) -> None:
    done = groundlint("check", "bad.manifest", "--output", "json:a.json", "--output", "text:a.txt", cwd=folder)
    codes = {finding["aws"] for finding in report_of(folder / "a.json")["findings"]}
    assert "ERROR_INVALID_BOUNDING_BOX" in codes
    assert (folder / "a.txt").read_text() == done.stdout


def test_a_report_goes_through_a_link_and_into_a_device(folder: Path) -> None:
    (folder / "link.json").symlink_to("real.json")
    arguments = ("--output", "json:link.json", "--output", "text:/dev/null", "--output", "text:/dev/stderr")
    done = groundlint("check", "bad.manifest", *arguments, cwd=folder)
    assert done.stderr == done.stdout != ""
    assert (folder / "link.json").is_symlink()
    assert report_of(folder / "real.json")["target"] == "rekognition"
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_an_error_and_leaves_the_gate_shut(folder: Path) -> None:
    command = f"{sys.executable} -m groundlint check good.manifest --select BOX1 --summary-file gate.json > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert last == "error: the report cannot be written to standard output: No space left on device"
    assert report_of(folder / "gate.json")["passed"] == 0


def test_a_report_that_cannot_be_written_hides_nothing_and_leaves_the_gate_shut(folder: Path) -> None:
    arguments = ("--output", "text", "--output", "json:no/such/a.json", "--summary-file", "gate.json")
    done = groundlint("check", "bad.manifest", *arguments, "--fail-on", "none", cwd=folder)
    assert done.returncode == 2
    assert done.stderr == "error: no/such/a.json: the file cannot be written: No such file or directory\n"
    assert "BOX101" in done.stdout
    assert report_of(folder / "gate.json")["passed"] == 0


def test_a_report_has_the_permissions_of_the_umask(folder: Path) -> None:
    command = f"umask 027; {sys.executable} -m groundlint check good.manifest --output json:a.json"
    subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=True)
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_output_is_utf_8_whatever_the_locale(folder: Path, encoding: str) -> None:
    (folder / "é한.manifest").write_text(BAD.replace("cat", "Käfer"), encoding="utf-8")
    arguments = ("--select", "BOX101", "--output", "json")
    done = groundlint("check", "é한.manifest", *arguments, cwd=folder, PYTHONIOENCODING=encoding)
    finding = json.loads(done.stdout)["findings"][0]
    assert (finding["manifest"], finding["label"]) == ("é한.manifest", "Käfer")


def test_a_file_name_that_is_not_text_is_shown(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.manifest")).write_text(BAD)
    arguments = ("--select", "BOX", "--output", "json:a.json", "--output", "concise")
    done = groundlint("check", *arguments, cwd=folder)
    assert any(line.startswith("./\\xff.manifest:1: error BOX101") for line in done.stdout.splitlines())
    assert {finding["manifest"] for finding in report_of(folder / "a.json")["findings"]} == {
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


def test_the_summary_for_a_gate_has_every_selected_rule(folder: Path) -> None:
    groundlint("check", "bad.manifest", "--select", "BOX1", "--summary-file", "gate.json", "--exit-zero", cwd=folder)
    assert report_of(folder / "gate.json") == {
        "schema_version": 1,
        "passed": 0,
        "counts": {"error": 1, "warning": 0, "info": 0},
        "rules": {"BOX101": 1, "BOX102": 0, "BOX103": 0, "BOX104": 0},
        "images": {"total": 13, "found": 0, "unreadable": 0},
    }


def test_a_gate_stays_shut_when_not_all_could_be_judged(folder: Path) -> None:
    groundlint("check", "good.manifest", "missing.manifest", "--summary-file", "gate.json", cwd=folder)
    assert report_of(folder / "gate.json")["passed"] == 0
    groundlint("check", "good.manifest", "--summary-file", "gate.json", cwd=folder)
    assert report_of(folder / "gate.json")["passed"] == 1
    for wrong in ("--select=NOPE", "--output=yaml", "--color=red", "--config=missing.toml", "missing.manifest"):
        groundlint("check", "good.manifest", "--summary-file", "gate.json", cwd=folder)
        assert report_of(folder / "gate.json")["passed"] == 1
        assert groundlint("check", "good.manifest", wrong, "--summary-file", "gate.json", cwd=folder).returncode == 2
        assert report_of(folder / "gate.json")["passed"] == 0


def test_a_reader_that_leaves_gets_no_traceback(folder: Path) -> None:
    lines = (detection(f"s3://bucket/{n}.jpg", ({"left": -1}, {})) for n in range(60))
    (folder / "many.manifest").write_text(manifest(*lines))
    command = f"{sys.executable} -m groundlint check many.manifest -q --select BOX101 --output json | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ('{"schema_v', "")
    status = command.replace("head -c 10", "head -c 10; exit ${PIPESTATUS[0]}")
    assert subprocess.run(["bash", "-c", status], cwd=folder, capture_output=True, check=False).returncode == 1


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
    assert report_of(folder / "gate.json")["passed"] == 0
