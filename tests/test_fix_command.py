"""`check --fix` and its flags: what is written, printed and reported, and when nothing is written."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from command import groundlint
from fixed import fixed
from lines import detection, manifest

from groundlint.cli.fixes import Fixing, carry_out

ONE = manifest(detection("s3://bucket/1.jpg"), detection("s3://bucket/2.jpg"))
MISSPELT = ONE.replace("source-ref", "source_ref", 1)
BLANK = ONE.replace("\n", "\n\n", 1)
SELECT = ("--select", "MAN201,REF101,LBL301,LBL105")


def check(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    return groundlint("check", *arguments, *SELECT, "--output", "concise", cwd=folder, stdin=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest with a safe fix, an unsafe one, and a fault without a fix."""
    unknown = detection("s3://bucket/4.jpg", ({"class_id": 7},)) | {"x": 1}
    other = {
        "b": detection("s3://bucket/4.jpg")["animals"],
        "b-metadata": detection("s3://bucket/4.jpg")["animals-metadata"],
    }
    lines = [
        json.dumps(detection("s3://bucket/1.jpg")).replace("source-ref", "source_ref"),
        json.dumps(detection("s3://bucket/2.jpg"))[:-1],
        json.dumps(unknown | other),
        *(json.dumps(detection(f"s3://bucket/{n}.jpg")) for n in range(5, 9)),
    ]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    return tmp_path


def test_findings_with_a_fix_are_marked(folder: Path) -> None:
    found = check(folder, "a.manifest").stdout.splitlines()
    assert found[0].startswith(
        "a.manifest:1: error REF101 missing-source-ref: [ERROR_MISSING_SOURCE_REF] [*] no source"
    )
    assert found[1].startswith("a.manifest:2: error MAN201 invalid-json: [ERROR_INVALID_JSON_LINE] invalid JSON")
    assert found[2].startswith("a.manifest:3: error LBL105 missing-class-id: [ERROR_")
    found = check(folder, "a.manifest", "--unsafe-fixes").stdout.splitlines()
    assert ["] [*] " in line for line in found] == [True, True, False]


def test_the_text_report_counts_what_can_be_fixed(folder: Path) -> None:
    text = groundlint("check", "a.manifest", *SELECT, "--statistics", cwd=folder).stdout
    assert "\n[*] 1 fixable with `--fix`, 1 more with `--unsafe-fixes`\n" in text
    assert "      1  error    [*] REF101 missing-source-ref\n" in text
    assert "      1  error        MAN201 invalid-json\n" in text
    text = groundlint("check", "a.manifest", *SELECT, "--unsafe-fixes", cwd=folder).stdout
    assert "\n[*] 2 fixable with `--fix --unsafe-fixes`\n" in text
    (folder / "good.manifest").write_text(ONE)
    assert "fixable" not in groundlint("check", "good.manifest", *SELECT, cwd=folder).stdout


def test_fix_applies_safe_fixes_and_reports_the_rest(folder: Path) -> None:
    before = (folder / "a.manifest").read_text()
    done = check(folder, "a.manifest", "--fix")
    assert done.returncode == 1
    assert (folder / "a.manifest").read_text() == before.replace("source_ref", "source-ref")
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["MAN201", "LBL105"]
    assert done.stderr == "fixed 1 finding in a.manifest\n"
    assert check(folder, "a.manifest", "--fix").stderr == ""


def test_unsafe_fixes_are_applied_if_they_are_wanted(folder: Path) -> None:
    before = (folder / "a.manifest").read_text().splitlines(keepends=True)
    done = check(folder, "a.manifest", "--fix", "--unsafe-fixes")
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["LBL105"]
    fixed = [before[0].replace("source_ref", "source-ref"), *before[2:]]
    assert (folder / "a.manifest").read_text() == "".join(fixed)


def test_fix_only_reports_nothing(folder: Path) -> None:
    done = check(folder, "a.manifest", "--fix-only", "--summary-file", "gate.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert "source_ref" not in (folder / "a.manifest").read_text()
    gate = json.loads((folder / "gate.json").read_text())
    assert (gate["passed"], gate["counts"]["error"]) == (0, 2)


def test_diff_writes_nothing(folder: Path) -> None:
    before = (folder / "a.manifest").read_bytes()
    done = check(folder, "a.manifest", "--diff", "--unsafe-fixes")
    assert (done.returncode, done.stderr) == (1, "would fix 2 findings in a.manifest\n")
    assert (folder / "a.manifest").read_bytes() == before
    (folder / "a.patch").write_text(done.stdout)
    subprocess.run(["git", "apply", "-p0", "a.patch"], cwd=folder, check=True)
    patched = (folder / "a.manifest").read_bytes()
    (folder / "a.manifest").write_bytes(before)
    check(folder, "a.manifest", "--fix", "--unsafe-fixes")
    assert (folder / "a.manifest").read_bytes() == patched
    done = check(folder, "a.manifest", "--diff", "--unsafe-fixes")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_diff_has_the_lines_around_each_change(tmp_path: Path) -> None:
    lines = [json.dumps(detection(f"s3://bucket/{n}.jpg")) for n in range(30)]
    for n in (1, 20):
        lines[n] = lines[n].replace("source-ref", "source_ref")
    lines[10] = ""
    (tmp_path / "a.manifest").write_text("\n".join(lines))
    shown = check(tmp_path, "a.manifest", "--diff").stdout.splitlines()
    assert [line for line in shown if line.startswith("@@")] == [
        "@@ -1,5 +1,5 @@",
        "@@ -8,7 +8,6 @@",
        "@@ -18,7 +17,7 @@",
    ]
    assert shown[:2] == ["--- a.manifest", "+++ a.manifest"]


def test_a_diff_prints_no_command_and_no_escape(tmp_path: Path) -> None:
    line = json.dumps(detection(label="\x1b[31m\u202e##[error]"), ensure_ascii=False)
    (tmp_path / "a.manifest").write_text(f"::error::x\n{line.replace('source-ref', 'source_ref')}\n{line}\n")
    done = check(tmp_path, "a.manifest", "--diff")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (("--fix",), 0),
        (("--fix", "--exit-non-zero-on-fix"), 1),
        (("--fix-only", "--exit-non-zero-on-fix"), 1),
        (("--fix", "--exit-non-zero-on-fix", "--exit-zero"), 0),
        (("--diff",), 1),
        (("--diff", "--exit-zero"), 0),
        (("--diff", "--fix", "--fix-only"), 1),
    ],
)
def test_exit_status_says_whether_something_was_fixed(tmp_path: Path, flags: tuple[str, ...], status: int) -> None:
    (tmp_path / "a.manifest").write_text(MISSPELT)
    (tmp_path / "good.manifest").write_text(ONE)
    assert check(tmp_path, "a.manifest", *flags).returncode == status
    assert check(tmp_path, "good.manifest", *flags).returncode == 0
    assert ((tmp_path / "a.manifest").read_text() == MISSPELT) == ("--diff" in flags)


def test_standard_input_is_fixed_on_standard_output(tmp_path: Path) -> None:
    done = check(tmp_path, "-", "--fix", stdin=BLANK.encode())
    assert (done.returncode, done.stdout) == (0, ONE)
    done = check(tmp_path, "-", "--fix", stdin=(ONE + "{\n").encode())
    assert (done.returncode, done.stdout) == (1, ONE + "{\n")
    assert "-:3: error MAN201" in done.stderr
    done = check(tmp_path, "-", "--diff", "--stdin-filename", "x.manifest", stdin=BLANK.encode())
    assert done.stdout.startswith("--- x.manifest\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("mode", [0o640, 0o664, 0o600])
def test_the_mode_stays(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.manifest"
    path.write_text(MISSPELT)
    path.chmod(mode)
    check(tmp_path, "a.manifest", "--fix")
    assert path.read_text() == ONE
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["a.manifest"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_link_stays_and_a_read_only_file_is_not_fixed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    path = tmp_path / "store/a.manifest"
    path.write_text(MISSPELT)
    (tmp_path / "a.manifest").symlink_to("store/a.manifest")
    path.chmod(0o444)
    done = check(tmp_path, "a.manifest", "--fix")
    assert (done.returncode, done.stderr) == (2, "error: a.manifest: the file is read-only; nothing was fixed\n")
    assert path.read_text() == MISSPELT
    path.chmod(0o644)
    assert check(tmp_path, "a.manifest", "--fix").returncode == 0
    assert path.read_text() == ONE
    assert (tmp_path / "a.manifest").is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_is_not_fixed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.manifest")
    done = check(tmp_path, "a.manifest", "--fix")
    assert (done.returncode, done.stdout) == (2, "")
    assert "fixes need a regular file" in done.stderr


def test_nothing_is_fixed_if_not_everything_could_be_checked(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(MISSPELT)
    done = check(tmp_path, "a.manifest", "missing.manifest", "--fix")
    assert done.returncode == 2
    assert "nothing was fixed, because not everything could be checked" in done.stderr
    assert "a.manifest:1: error REF101" in done.stdout
    assert (tmp_path / "a.manifest").read_text() == MISSPELT


@pytest.mark.parametrize("change", ["content", "file", "removed"])
def test_a_file_that_changed_meanwhile_is_not_fixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path, other = Path("a.manifest"), Path("b.manifest")
    path.write_text(MISSPELT)
    other.write_text(MISSPELT)
    made = fixed("a.manifest", "b.manifest", select=["REF101"])
    assert len(made.changes) == 2
    changed = MISSPELT.replace("bucket", "barrel")
    if change == "content":
        times = path.stat()
        path.write_text(changed)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "file":
        Path("new").write_text(changed)
        Path("new").replace(path)
    else:
        path.unlink()
    with pytest.raises(typer.Exit) as ended:
        carry_out(Fixing(fix=True), made, is_whole=True, quiet=False)
    assert ended.value.exit_code == 2
    assert "a.manifest: the file changed while it was checked" in capsys.readouterr().err
    assert (path.read_text() if path.exists() else changed) == changed
    assert other.read_text() == MISSPELT
    assert {each.name for each in tmp_path.iterdir()} <= {"a.manifest", "b.manifest", ".groundlint-cache"}


def test_a_manifest_under_two_names_is_written_once(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(MISSPELT)
    (tmp_path / "link.manifest").symlink_to("a.manifest")
    done = check(tmp_path, "a.manifest", "./a.manifest", "link.manifest", "--fix")
    assert (done.returncode, done.stderr) == (0, "fixed 1 finding in a.manifest\n")
    assert (tmp_path / "a.manifest").read_text() == ONE


PLUGIN = '''
from polars import LazyFrame, col, concat_list

from groundlint import Bad, Good, Rule, Safety, Severity, pointer, remove_value, rename_key, set_value, json_string


class Animal(Rule):
    """A label is not in the language of the company.

    ## Why it matters
    ## How to fix it
    """

    code, name, severity, message = "ACM101", "foreign-label", Severity.WARNING, "{label!r}; write it in upper case"
    fixes = {Safety.SAFE: "Writes the label in upper case.", Safety.UNSAFE: "Removes it."}

    def check(self, classes: LazyFrame) -> LazyFrame:
        upper = col("label").str.to_uppercase()
        at = pointer(col("attribute") + "-metadata", "class-map", col("id"))
        found = classes.filter(col("label") != upper)
        return found.with_columns(edits=concat_list(set_value(at, json_string(upper))), %s)
'''


@pytest.mark.parametrize("fix", ["fix=polars.lit('safe')", "fix=polars.lit('unsafe')"])
def test_a_rule_of_a_plugin_offers_a_fix(tmp_path: Path, fix: str) -> None:
    site = tmp_path / "site"
    info = site / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_rules.py").write_text("import polars\n" + PLUGIN % fix)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[groundlint.rules]\nacme = acme_rules\n")
    (tmp_path / "a.manifest").write_text(ONE)
    done = subprocess.run(
        [sys.executable, "-m", "groundlint", "check", "a.manifest", "--select", "ACM101", "--fix"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(site), os.environ.get("PYTHONPATH", "")))},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    fixed = ONE.replace('"cat"', '"CAT"') if "'safe'" in fix else ONE
    assert (tmp_path / "a.manifest").read_text() == fixed
