"""Baselines: known findings are left out, new ones are reported, and entries that are gone are stale."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import detection, manifest
from PIL import Image
from runs import checked
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.policy import baseline
from groundlint.policy.baseline import Baseline, BaselineError

TWICE = ({}, {})
LINES = [detection(f"s3://bucket/{folder}/{n}.jpg", TWICE) for folder in ("a", "b") for n in range(6)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest that has every box twice."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(*LINES))
    Path("groundlint.toml").write_text('select = ["BOX301"]\n')
    return tmp_path


@pytest.fixture
def link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another path to the working directory."""
    path = tmp_path_factory.mktemp("links") / "link"
    path.symlink_to(folder)
    return path


def create(*paths: str, images: tuple[str, ...] = ()) -> int:
    """Write the baseline of a run, and say how many findings it knows."""
    known = checked(*paths, images=images).known
    Path(baseline.FILE).write_text(known.text())
    return len(known.entries)


def test_a_baseline_leaves_new_findings_only() -> None:
    assert create() == 12
    outcome = checked()
    assert (outcome.findings.height, outcome.summary.suppressed, outcome.summary.baselined) == (0, 0, 12)
    Path("train.manifest").write_text(manifest(*reversed(LINES), detection("s3://bucket/new.jpg", TWICE)))
    outcome = checked()
    assert outcome.findings["line"].to_list() == [13]
    assert outcome.summary.counts.warning == 1
    assert outcome.summary.baselined == 12


def test_a_baseline_does_not_depend_on_the_path_to_the_manifest(folder: Path, link: Path) -> None:
    create(".")
    for way in (folder, link):
        outcome = checked(str(way))
        assert (outcome.summary.baselined, outcome.stale) == (12, [])
        assert outcome.known.text() == Path(baseline.FILE).read_text()


def test_a_file_is_read_as_it_was_written() -> None:
    create()
    text = Path(baseline.FILE).read_text()
    assert baseline.load(Path(baseline.FILE)).text() == text
    assert text.count("\n    {") == 12
    assert Baseline().text() == '{\n  "schema_version": 1,\n  "entries": []\n}\n'


def test_a_finding_that_is_gone_is_stale_only_where_it_was_looked_for() -> None:
    Path("other.manifest").write_text(manifest(*LINES))
    create()
    Path("train.manifest").write_text(manifest(*LINES[:6]))
    Path("other.manifest").write_text(manifest(*LINES[:6]))
    assert checked(select=["BOX302"]).stale == []
    assert len(checked().stale) == 12
    outcome = checked("train.manifest")
    assert {entry.manifest for entry in outcome.stale} == {"train.manifest"}
    kept = baseline.load(Path(baseline.FILE)).without(outcome.stale)
    assert len(kept.entries) == 18


def save_images() -> None:
    """Configure a rule that needs images, and save the images that `train.manifest` names: none is a JPEG."""
    Path("groundlint.toml").write_text('select = ["IMG207", "BOX301"]\n')
    for line in LINES:
        image = Path("seen", line["source-ref"].removeprefix("s3://bucket/"))
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (640, 480)).save(image, "PNG")


def test_findings_in_images_are_not_stale_where_no_image_was_found() -> None:
    save_images()
    assert create(images=("seen",)) == 24
    assert checked().stale == []
    Path("train.manifest").write_text(manifest(*LINES[:6]))
    assert len(checked(images=("seen",)).stale) == 12


def test_images_of_one_data_set_do_not_make_findings_of_another_stale() -> None:
    save_images()
    Path("other.manifest").write_text(manifest(*(detection(f"s3://bucket/c/{n}.jpg", TWICE) for n in range(3))))
    Path("seen/c").mkdir()
    for n in range(3):
        Image.new("RGB", (640, 480)).save(f"seen/c/{n}.jpg", "PNG")
    assert create(images=("seen",)) == 30
    Path("seen/c").rename("gone")
    assert checked(images=("seen",)).stale == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": 2, "entries": []}', '{"schema_version":1}', "[" * 100_000]
)
def test_a_file_that_is_not_a_baseline_is_refused(text: str) -> None:
    Path("known.json").write_text(text)
    with pytest.raises(BaselineError, match=r"^known\.json: .*`groundlint baseline create`"):
        baseline.load(Path("known.json"))


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(BaselineError, match=r"missing\.json: the baseline cannot be read: No such file"):
        baseline.load(Path("missing.json"))


def command(*arguments: str) -> tuple[int, str]:
    """Exit status and output of the command."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def test_the_command_creates_a_baseline_that_check_uses() -> None:
    assert command("baseline", "create") == (0, "groundlint-baseline.json: 12 known, 12 added, 0 removed\n")
    assert command("check", "--max-warnings", "0", "--output", "concise") == (0, "")
    assert command("baseline", "create")[0] == 2


def test_update_adds_and_removes_entries_and_prune_only_removes_them() -> None:
    command("baseline", "create")
    Path("train.manifest").write_text(manifest(*LINES[2:], detection("s3://bucket/new.jpg", TWICE)))
    assert command("check", "--strict-baseline")[0] == 1
    assert command("baseline", "prune")[1] == "groundlint-baseline.json: 10 known, 0 added, 2 removed\n"
    assert command("check", "--strict-baseline")[0] == 0
    assert command("baseline", "update")[1] == "groundlint-baseline.json: 11 known, 1 added, 0 removed\n"


def test_a_run_that_could_not_check_everything_leaves_the_baseline_alone() -> None:
    command("baseline", "create")
    before = Path(baseline.FILE).read_text()
    assert command("baseline", "prune", "train.manifest", "missing.manifest")[0] == 2
    assert Path(baseline.FILE).read_text() == before


def test_suppressed_and_baselined_findings_are_shown_with_the_reason() -> None:
    with Path("groundlint.toml").open("a") as file:
        file.write('[[suppress]]\nrule = "BOX301"\nsource-ref = "s3://bucket/a/0.jpg"\nreason = "twins"\n')
    command("baseline", "create")
    lines = command("check", "--show-suppressed", "--output", "concise")[1].splitlines()
    assert len(lines) == 12
    assert sum("suppressed: twins" in line for line in lines) == 1
    assert sum("in the baseline" in line for line in lines) == 11
