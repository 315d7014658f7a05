"""Policy: severities, options for some images, findings that are excused with a reason, and those known before."""

from __future__ import annotations

import datetime
import json
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import classification, detection, manifest
from PIL import Image
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app
from groundlint.config.globs import pattern
from groundlint.config.settings import ConfigError

TWICE = ({}, {})
LINES = [detection(f"s3://bucket/{folder}/{n}.jpg", TWICE) for folder in ("a", "b") for n in range(6)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest on each of whose lines a box stands twice."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(*LINES))
    return tmp_path


@pytest.fixture
def link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another way to the working directory."""
    path = tmp_path_factory.mktemp("links") / "link"
    path.symlink_to(folder)
    return path


def configure(text: str) -> None:
    Path("groundlint.toml").write_text(f'select = ["BOX301", "CFG"]\n{text}')


def found(*paths: str, code: str = "BOX301") -> list[Any]:
    return groundlint.check(*paths).filter(code=code)["source_ref"].to_list()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in this process."""
    result = CliRunner().invoke(app, list(arguments))
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def test_a_severity_by_code_or_name() -> None:
    for key in ("BOX301", "duplicated-box"):
        configure(f'[severity]\n{key} = "error"\n')
        assert set(groundlint.check().filter(code="BOX301")["severity"]) == {"error"}
        assert command("check").returncode == 1


def test_of_the_selectors_that_give_a_severity_the_longest_wins_in_any_order() -> None:
    lines = ('duplicated-box = "error"', 'BOX = "info"', 'BOX3 = "warning"')
    for order in (lines, lines[::-1], lines[1:] + lines[:1]):
        configure("[severity]\n" + "\n".join(order))
        assert set(groundlint.check().filter(code="BOX301")["severity"]) == {"error"}


def test_an_override_turns_a_rule_off_for_some_images() -> None:
    configure('[[overrides]]\nsources = "s3://bucket/a/*"\nrules = { BOX3 = false }\n')
    assert found() == [line["source-ref"] for line in LINES[6:]]


def test_an_override_changes_options_for_some_images_and_the_last_wins() -> None:
    Path("train.manifest").write_text(
        manifest(*(detection(f"s3://bucket/{n}.jpg", ({"width": 40}, {"width": 30})) for n in range(4)))
    )
    configure(
        '[[overrides]]\nsources = ["*/1.jpg", "*/2.jpg", "*/3.jpg"]\nrules = { duplicated-box = { iou = 0.7 } }\n'
        '[[overrides]]\nsources = "*/2.jpg"\nrules = { BOX301 = false }\n'
        '[[overrides]]\nsources = "*/3.jpg"\nrules = { BOX301 = { iou = 0.8 } }\n'
    )
    assert found() == ["s3://bucket/1.jpg"]


def test_a_finding_on_the_whole_data_set_keeps_the_options_of_the_whole() -> None:
    Path("train.manifest").write_text(manifest(*(classification(f"s3://bucket/{n}.jpg") for n in range(5))))
    Path("groundlint.toml").write_text(
        'select = ["BAL103"]\n[[overrides]]\nsources = "*"\nrules = { BAL103 = { min-images = 1 } }\n'.replace("-", "_")
    )
    assert groundlint.check()["code"].to_list() == ["BAL103"]


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ('rule = "BOX301"', 0),
        ('rule = "BOX"', 0),
        ('rule = "duplicated-box"', 0),
        ('rule = "BOX301"\nfiles = "train.manifest"', 0),
        ('rule = "BOX301"\nfiles = ["*.manifest"]', 0),
        ('rule = "BOX301"\nfiles = "sub/*"', 12),
        ('rule = "BOX301"\nfiles = "../*"', 12),
        ('rule = "BOX301"\nsource-ref = "*/a/*"', 6),
        ('rule = "BOX301"\nsource-ref = "s3://bucket/[ab]/[!1-5].jpg"', 10),
        ('rule = "BOX302"', 12),
    ],
)
def test_an_ignore_entry_leaves_out_what_it_names(folder: Path, link: Path, entry: str, left: int) -> None:
    configure(f'[[ignore]]\n{entry}\nreason = "checked"\n')
    assert len(found()) == left
    for way in (folder, link):
        assert len(found(str(way / "train.manifest"))) == left


def test_selectors_and_reasons_stand_in_one_list() -> None:
    configure('ignore = ["CFG", { rule = "BOX301", source-ref = "*/a/*", reason = "checked" }]\n')
    assert len(found()) == 6
    # A flag chooses rules; it does not bring back what has a reason.
    assert "6 suppressed" in command("check", "--ignore", "CFG102").stdout


def test_an_entry_past_its_date_no_longer_applies_and_is_told() -> None:
    day = datetime.datetime.now(tz=datetime.UTC).date()
    for expires, left, told in ((day, 0, []), (day - datetime.timedelta(days=1), 12, ["CFG101"])):
        configure(f'[[ignore]]\nrule = "BOX301"\nreason = "for now"\nexpires = {expires}\n')
        assert len(found()) == left
        of_config = groundlint.check().filter(pl.col("code").str.starts_with("CFG"))
        assert of_config["code"].to_list() == told
    assert of_config.select("manifest", "line", "severity").rows() == [("groundlint.toml", None, "warning")]


def test_an_entry_that_leaves_out_nothing_is_told_where_it_was_tried() -> None:
    Path("other.manifest").write_text(manifest(detection()))
    configure('[[ignore]]\nrule = "BOX301"\nfiles = "other.manifest"\nreason = "checked"\n')
    assert groundlint.check().filter(code="CFG102").select("severity", "line").rows() == [("info", None)]
    assert groundlint.check("train.manifest").filter(code="CFG102").is_empty()
    assert groundlint.check(select=["BOX302", "CFG"]).filter(code="CFG102").is_empty()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[ignore]]\nrule = "BOX301"\n', "`ignore.0.reason`: Field required"),
        ('[[ignore]]\nrule = "BOX301"\nreason = " "\n', "`ignore.0.reason`"),
        (
            '[[ignore]]\nrule = "BOX9"\nreason = "x"\n',
            r"groundlint.toml: \[\[ignore\]\] 1: no rule has the code or name 'BOX9'",
        ),
        (
            '[[ignore]]\nrule = "BOX301"\nreason = "x"\nfile = "a"\n',
            "unknown key `ignore.0.file`; did you mean `files`",
        ),
        ('[[ignore]]\nrule = "BOX301"\nreason = "x"\nexpires = "soon"\n', "`ignore.0.expires`"),
        ('[severity]\nBOX999 = "error"\n', r"groundlint.toml: \[severity\] BOX999: no rule"),
        ('[severity]\nBOX301 = "error"\nduplicated-box = "info"\n', r"\[severity\] duplicated-box: BOX301 has a sev"),
        ('[severity]\nBOX301 = "fatal"\n', "`severity.BOX301`"),
        (
            '[[overrides]]\nsources = "*"\nrules = { duplicated-box = { io = 1 } }\n',
            r"groundlint.toml: \[\[overrides\]\] 1: rules.duplicated-box: unknown key `io`; did you mean `iou`",
        ),
        ('[[overrides]]\nsources = "*"\nrules = { BOX302 = { io = 1 } }\n', "rules.BOX302: unknown key `io`"),
        ("[rules.BOX301]\nio = 1\n", r"groundlint.toml: \[rules.BOX301\]: unknown key `io`"),
        ('[[overrides]]\nsources = "*"\nrules = { BOX3 = { iou = 1.0 } }\n', "several rules"),
        ('[[overrides]]\nsources = "*"\nrules = { BOX301 = true }\n', "overrides.0.rules.BOX301"),
        (f'[[overrides]]\nsources = "{"a*" * 600}"\nrules = {{}}\n', "1000 characters"),
    ],
)
def test_a_slip_in_the_policy_is_named(text: str, says: str) -> None:
    configure(text)
    with pytest.raises(ConfigError, match=says):
        groundlint.check()


@given(text=st.text("ab*?[]!-./", max_size=12), glob=st.text("ab*?[]!-./", min_size=1, max_size=12))
def test_every_glob_is_a_pattern_and_fits_the_literal_text(text: str, glob: str) -> None:
    literal = "".join(f"[{c}]" if c in "*?[" else c for c in text)
    frame = pl.DataFrame({"text": [text]})
    assert frame.select(pl.col("text").str.contains(pattern(literal))).item()
    assert frame.select(pl.col("text").str.contains(pattern(glob))).item() in {True, False}


def test_a_glob_that_would_take_for_ever_elsewhere_takes_no_time() -> None:
    configure(f'[[ignore]]\nrule = "BOX301"\nsource-ref = "{"*a" * 300}b"\nreason = "an attack"\n')
    Path("train.manifest").write_text(manifest(detection(f"s3://bucket/{'a' * 1000}", TWICE)))
    assert len(found()) == 1


def test_a_baseline_leaves_new_findings_only() -> None:
    configure("")
    created = command("baseline", "create")
    assert (created.returncode, created.stdout) == (0, "groundlint-baseline.json: 12 known, 12 added, 0 removed\n")
    assert "0 suppressed, 12 baselined" in command("check").stdout
    Path("train.manifest").write_text(manifest(*reversed(LINES), detection("s3://bucket/new.jpg", TWICE)))
    done = command("check")
    assert "train.manifest:13: BOX301 boxes 0 and 1" in done.stdout
    assert "1 warning, 0 info, 0 suppressed, 12 baselined" in done.stdout


def test_a_baseline_holds_by_whatever_link_one_comes_to_the_manifest(folder: Path, link: Path) -> None:
    configure("")
    command("baseline", "create", ".")
    for way in (folder, link):
        assert "12 baselined" in command("check", str(way), "--strict-baseline").stdout
        done = command("baseline", "update", str(way))
        assert done.stdout == "groundlint-baseline.json: 12 known, 0 added, 0 removed\n"


def test_an_existing_baseline_is_not_overwritten() -> None:
    configure("")
    Path("groundlint-baseline.json").write_text("mine")
    assert command("baseline", "create").returncode == 2
    assert Path("groundlint-baseline.json").read_text() == "mine"


def test_update_adds_and_removes_and_prune_only_removes() -> None:
    configure("")
    command("baseline", "create")
    Path("train.manifest").write_text(manifest(*LINES[2:], detection("s3://bucket/new.jpg", TWICE)))
    assert command("baseline", "prune").stdout == "groundlint-baseline.json: 10 known, 0 added, 2 removed\n"
    assert command("baseline", "update").stdout == "groundlint-baseline.json: 11 known, 1 added, 0 removed\n"
    assert json.loads(Path("groundlint-baseline.json").read_text())["schema_version"] == 1


def test_what_a_run_does_not_judge_is_not_stale() -> None:
    configure("")
    Path("other.manifest").write_text(manifest(*LINES))
    command("baseline", "create")
    Path("train.manifest").write_text(manifest(*LINES[:6]))
    Path("other.manifest").write_text(manifest(*LINES[:6]))
    assert command("check", "--select", "BOX302", "--strict-baseline").returncode == 0
    assert "12 entries are no longer found" in command("check").stderr
    assert command("check", "--strict-baseline").returncode == 1
    assert command("check", "--strict-baseline", "--fail-on", "none").returncode == 0
    assert "18 known, 0 added, 6 removed" in command("baseline", "prune", "train.manifest").stdout
    assert command("check", "train.manifest", "--strict-baseline").returncode == 0


def look_at_images() -> None:
    """A configuration for rules that look at images, and a folder of those that `train.manifest` names: no JPEGs."""
    Path("groundlint.toml").write_text('select = ["IMG207", "BOX301", "CFG"]\n')
    for line in LINES:
        image = Path("seen", line["source-ref"].removeprefix("s3://bucket/"))
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (640, 480)).save(image, "PNG")


def test_what_was_found_in_images_is_not_stale_where_they_are_not_at_hand() -> None:
    look_at_images()
    assert "24 known" in command("baseline", "create", "--images", "seen").stdout
    done = command("check", "--strict-baseline")
    assert (done.returncode, "no longer found" in done.stderr) == (0, False)
    assert "24 known, 0 added, 0 removed" in command("baseline", "update").stdout
    Path("train.manifest").write_text(manifest(*LINES[:6]))
    assert "12 known, 0 added, 12 removed" in command("baseline", "prune", "--images", "seen").stdout


def test_images_of_one_data_set_say_nothing_of_another_whose_images_are_not_at_hand() -> None:
    look_at_images()
    Path("other.manifest").write_text(manifest(*(detection(f"s3://bucket/c/{n}.jpg", TWICE) for n in range(3))))
    Path("seen/c").mkdir()
    for n in range(3):
        Image.new("RGB", (640, 480)).save(f"seen/c/{n}.jpg", "PNG")
    assert "30 known" in command("baseline", "create", "--images", "seen").stdout
    Path("seen/c").rename("gone")
    assert command("check", "--images", "seen", "--strict-baseline").returncode == 0
    entry = '[[ignore]]\nrule = "IMG207"\nfiles = "{}.manifest"\nreason = "checked"\n'
    configured = Path("groundlint.toml").read_text()
    Path("groundlint.toml").write_text(configured + entry.format("other"))
    assert "CFG102" not in command("check", "--images", "seen").stdout
    Path("groundlint.toml").write_text(configured + entry.format("train"))
    for image in Path("seen").glob("*/*.jpg"):
        Image.new("RGB", (640, 480)).save(image)
    assert "CFG102" in command("check", "--images", "seen").stdout


def test_an_entry_for_what_images_show_is_not_needless_where_they_are_not_at_hand() -> None:
    look_at_images()
    with Path("groundlint.toml").open("a") as file:
        file.write('[[ignore]]\nrule = "suffix-contradicts-content"\nreason = "checked"\n')
    assert "12 suppressed" in command("check", "--images", "seen").stdout
    assert "CFG102" not in command("check").stdout


def test_an_entry_for_a_manifest_that_cannot_be_read_is_not_needless() -> None:
    configure('[[ignore]]\nrule = "BOX301"\nfiles = "gone.manifest"\nreason = "checked"\n')
    Path("groundlint-baseline.json").write_text(
        '{"schema_version": 1, "entries": '
        '[{"manifest": "gone.manifest", "code": "BOX301", "source_ref": null, "fingerprint": "f"}]}'
    )
    done = command("check", "train.manifest", "gone.manifest")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "gone.manifest: No such file" in done.stderr
    assert "CFG102" not in done.stdout


def test_a_run_that_could_not_judge_all_changes_no_baseline() -> None:
    configure("")
    command("baseline", "create")
    before = Path("groundlint-baseline.json").read_text()
    assert command("baseline", "prune", "train.manifest", "missing.manifest").returncode == 2
    assert Path("groundlint-baseline.json").read_text() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2, "entries": []}', '{"schema_version":1}'])
def test_a_file_that_is_no_baseline_is_named(text: str) -> None:
    Path("known.json").write_text(text)
    done = command("check", "--baseline", "known.json")
    assert done.returncode == 2
    assert "known.json" in done.stderr
    assert command("check", "--baseline", "missing.json").returncode == 2


def test_what_is_left_out_can_be_shown_with_the_reason() -> None:
    configure('[[ignore]]\nrule = "BOX301"\nsource-ref = "*/a/0.jpg"\nreason = "twins"\n')
    command("baseline", "create")
    output = command("check", "--show-suppressed").stdout
    assert "train.manifest:1: BOX301 boxes 0 and 1 of 'cat' overlap by 100% (suppressed: twins)" in output
    assert "train.manifest:2: BOX301 boxes 0 and 1 of 'cat' overlap by 100% (in the baseline)" in output
    assert "0 warnings, 0 info, 1 suppressed, 11 baselined" in output


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(order=st.permutations(range(len(LINES))), compact=st.booleans())
def test_no_order_and_no_writing_of_the_lines_makes_a_known_finding_new(order: list[int], compact: bool) -> None:
    Path("train.manifest").write_text(manifest(*LINES))
    known = set(groundlint.check()["fingerprint"])
    separators = (",", ":") if compact else None
    texts = [json.dumps(LINES[n], separators=separators, sort_keys=compact) for n in order]
    Path("train.manifest").write_text("".join(f"{text}\n" for text in texts))
    assert set(groundlint.check()["fingerprint"]) == known
