"""A run: which manifests are judged together, whose findings are reported, and what stops it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from lines import detection, manifest

import groundlint
from groundlint.config.data_sets import Request, UsageError, data_sets
from groundlint.config.settings import Config, ConfigError, Settings
from groundlint.engine import registry
from groundlint.engine.registry import SelectionError
from groundlint.export import export, flat
from groundlint.policy.selection import of_config
from groundlint.session import run

REGISTRY = registry.load(isolated=True)
BAD_BOX = detection("s3://bucket/bad.jpg", ({"left": -5}, {}), **{"class-map": {"0": "a"}})


def lines(prefix: str, count: int, labels: int) -> str:
    """Lines of one box each, with so many labels in turn."""
    names = {str(n): "abcdef"[n] for n in range(labels)}
    return manifest(
        *(
            detection(f"s3://bucket/{prefix}{n}.jpg", ({"class_id": n % labels},), **{"class-map": names})
            for n in range(count)
        )
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a data set whose test part lacks most labels."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(lines("a", 60, labels=6) + manifest(BAD_BOX))
    Path("test.manifest").write_text(lines("b", 12, labels=2))
    Path("other.manifest").write_text(lines("c", 12, labels=2))
    return tmp_path


def configure(text: str, name: str = "groundlint.toml") -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)


def judged(*paths: str, **settings: object) -> list[list[str]]:
    """The names of the manifests of each data set."""
    config = Config(Settings.model_validate(settings), Path("groundlint.toml").resolve())
    return [[source.name for source in each.sources] for each in data_sets(config, Request(paths))]


DATA_SET = '[datasets.a]\ntrain = "train.manifest"\ntest = "test.manifest"\n'


def test_without_a_path_the_configured_data_sets_are_judged() -> None:
    configure(DATA_SET)
    assert set(groundlint.check()["code"]) == {"BOX101", "SPL101"}


def test_without_a_path_or_data_set_the_working_directory_is_judged() -> None:
    assert judged() == [["other.manifest"], ["test.manifest"], ["train.manifest"]]


def test_a_named_manifest_brings_in_its_data_set_but_only_its_own_findings_and_those_on_the_whole() -> None:
    configure(DATA_SET)
    found = groundlint.check("test.manifest")
    assert found.select("code", "manifest", "line").rows() == [("SPL101", "train.manifest", None)]
    named = groundlint.check("train.manifest")
    assert named.select("code", "line").rows() == [("SPL101", None), ("BOX101", 61)]


def test_the_summary_covers_what_was_named() -> None:
    configure(DATA_SET)
    config = Config(Settings.model_validate({"datasets": {"a": {"train": "train.manifest", "test": "test.manifest"}}}))
    outcome = run(REGISTRY, of_config(REGISTRY, config), config, Request(("test.manifest",)))
    numbers = {name: outcome.summary[name] for name in ("manifests", "lines", "labels", "boxes")}
    assert numbers == {"manifests": 1, "lines": 12, "labels": 0, "boxes": 12}
    assert outcome.summary["images"] == {"total": 12, "found": 0, "unreadable": 0}
    whole = run(REGISTRY, of_config(REGISTRY, config), config, Request())
    assert (whole.summary["manifests"], whole.summary["lines"], whole.summary["boxes"]) == (2, 73, 74)


def test_a_manifest_keeps_the_name_by_which_it_was_given(folder: Path) -> None:
    configure(DATA_SET)
    name = str(folder / "train.manifest")
    assert set(groundlint.check(name)["manifest"]) == {name}


def test_a_manifest_of_two_data_sets_brings_in_both() -> None:
    datasets = {
        "a": {"train": "train.manifest", "test": "test.manifest"},
        "b": {"train": "other.manifest", "test": "test.manifest"},
    }
    assert judged("test.manifest", datasets=datasets) == [
        ["train.manifest", "test.manifest"],
        ["other.manifest", "test.manifest"],
    ]


def test_a_manifest_that_data_sets_share_is_reported_and_counted_once() -> None:
    Path("test.manifest").write_text(lines("b", 12, labels=6) + manifest(BAD_BOX))
    datasets = {name: {"train": f"{name}.manifest", "test": "test.manifest"} for name in ("train", "other")}
    config = Config(Settings.model_validate({"datasets": datasets}))
    outcome = run(REGISTRY, of_config(REGISTRY, config), config, Request())
    assert outcome.findings.filter(code="BOX101")["manifest"].to_list() == ["test.manifest", "train.manifest"]
    assert (outcome.summary["manifests"], outcome.summary["lines"]) == (3, 61 + 12 + 13)


def test_one_file_may_be_both_parts() -> None:
    found = groundlint.check(train=["train.manifest"], test=["train.manifest"])
    assert "BOX101" in set(found["code"])


def test_manifests_in_no_data_set_are_judged_apart() -> None:
    Path("copy.manifest").write_text(Path("other.manifest").read_text())
    assert judged("other.manifest", "copy.manifest") == [["other.manifest"], ["copy.manifest"]]
    # In one data set the copy's lines would be repeated images.
    assert "REF104" not in set(groundlint.check("other.manifest", "copy.manifest")["code"])
    assert "REF104" in set(groundlint.check(train=["other.manifest", "copy.manifest"])["code"])


def test_train_and_test_make_one_data_set() -> None:
    found = groundlint.check(train=["train.manifest"], test=["test.manifest"])
    assert set(found["code"]) == {"BOX101", "SPL101"}
    assert found.filter(code="SPL101").select("manifest", "line").rows() == [("train.manifest", None)]


def test_a_manifest_is_judged_once_however_often_it_is_meant(folder: Path) -> None:
    assert judged("other.manifest", "./other.manifest", str(folder / "other.manifest")) == [["other.manifest"]]
    datasets = {"a": {"train": ["train.manifest", "tra*.manifest"]}}
    assert judged(datasets=datasets) == [["train.manifest"]]
    assert len(groundlint.check("train.manifest", "./train.manifest").filter(code="BOX101")) == 1


def test_paths_and_globs_are_relative_to_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure('[datasets.a]\ntrain = "t*n.manifest"\n')
    (folder / "sub").mkdir()
    monkeypatch.chdir("sub")
    assert set(groundlint.check()["manifest"]) == {os.path.join("..", "train.manifest")}  # noqa: PTH118


@pytest.mark.parametrize("name", ["[x]", "a*b", "a b", "ä한"])
def test_the_folder_of_the_configuration_may_have_any_name(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / name).mkdir()
    monkeypatch.chdir(name)
    Path("train.manifest").write_text(manifest(BAD_BOX))
    configure('[datasets.a]\ntrain = "*.manifest"\n')
    assert groundlint.check().filter(code="BOX101").height == 1


def test_a_folder_in_the_configuration_means_the_manifests_below() -> None:
    Path("data").mkdir()
    Path("train.manifest").rename("data/train.manifest")
    assert judged(datasets={"a": {"train": "data"}}) == [[os.path.join("data", "train.manifest")]]  # noqa: PTH118
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="holds no manifest"):
        judged(datasets={"a": {"train": "empty"}})


def test_a_reference_may_be_a_folder_of_images() -> None:
    Path("images").mkdir()
    Path("images/1.jpg").touch()
    assert judged(datasets={"a": {"train": "train.manifest", "reference": "images"}}) == [["train.manifest"]]


def test_a_glob_leaves_out_what_is_excluded_and_says_so_when_nothing_is_left() -> None:
    assert judged(datasets={"a": {"train": "*.manifest"}}, exclude=["t*"]) == [["other.manifest"]]
    configure('exclude = ["*"]\n[datasets.a]\ntrain = "t*.manifest"\n')
    with pytest.raises(UsageError, match=r"t\*\.manifest: No such file"):
        groundlint.check()


def test_what_is_named_is_judged_though_excluded() -> None:
    assert judged("other.manifest", exclude=["other.manifest"]) == [["other.manifest"]]


@pytest.mark.parametrize(
    ("error", "says", "arguments"),
    [
        (UsageError, "missing.manifest: No such file", {"paths": ["missing.manifest"]}),
        (UsageError, "/dev/null: no regular file", {"paths": ["/dev/null"]}),
        (UsageError, "empty: the folder holds no manifest", {"paths": ["empty"]}),
        (SelectionError, "did you mean MAN1", {"select": ["MAN10X"]}),
        (ConfigError, "--target", {"target": "mars"}),
        (ConfigError, "no.toml: the configuration cannot be read", {"config": "no.toml"}),
    ],
)
def test_python_raises_what_makes_the_command_exit_with_2(
    error: type[Exception], says: str, arguments: dict[str, object]
) -> None:
    Path("empty").mkdir()
    paths = arguments.pop("paths", ["other.manifest"])
    with pytest.raises(error, match=says):
        groundlint.check(*paths, **arguments)  # type: ignore[misc, arg-type]


def test_python_gets_the_findings_as_a_table_that_shows_itself() -> None:
    found = groundlint.check("train.manifest", isolated=True)
    assert found.select("code", "line", "aws").rows() == [("BOX101", 61, "ERROR_INVALID_BOUNDING_BOX")]
    assert "<table" in found._repr_html_()


def test_python_selects_and_ignores() -> None:
    def codes(**arguments: list[str]) -> set[str]:
        return set(groundlint.check("train.manifest", isolated=True, **arguments)["code"])  # type: ignore[arg-type]

    assert codes(select=["BOX1"]) == codes(select=["ERROR_INVALID_BOUNDING_BOX"]) == {"BOX101"}
    assert codes(ignore=["box-outside-image"]) == set()
    assert codes(select=["MAN"], extend_select=["BOX101"]) == {"BOX101"}


def test_python_takes_a_configuration_or_none() -> None:
    configure('ignore = ["BOX101"]\n', "sub/groundlint.toml")
    configure('ignore = ["ALL"]\nselect = ["SPL104"]\n')
    assert groundlint.check("train.manifest").is_empty()
    assert groundlint.check("train.manifest", config=Path("sub/groundlint.toml")).is_empty()
    assert set(groundlint.check("train.manifest", isolated=True)["code"]) == {"BOX101"}


RAISING = '''
from groundlint import Rule, Severity


class Broken(Rule):
    """It cannot judge."""

    code = "ZZZ101"
    name = "cannot-judge"
    severity = Severity.WARNING
    message = "never"

    def check(self, lines):
        raise ValueError("no \\x1b[31m such\\n::error::thing")
'''


def test_a_rule_that_raises_is_named_and_the_others_are_reported(folder: Path) -> None:
    installed = folder / "site"
    (installed / "acme-1.dist-info").mkdir(parents=True)
    (installed / "acme_rules.py").write_text(RAISING)
    (installed / "acme-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (installed / "acme-1.dist-info/entry_points.txt").write_text("[groundlint.rules]\nacme = acme_rules\n")

    def check(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "groundlint", "check", "train.manifest", "-q", *options]
        environment = os.environ | {"PYTHONPATH": str(installed)}
        return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)

    done = check("--exit-zero", "--summary-file", "gate.json")
    assert done.returncode == 2
    assert done.stderr == "error: the rule ZZZ101 failed: ValueError: no \\x1b[31m such\\x0a::error::thing\n"
    assert "BOX101" in done.stdout
    assert '"passed": 0' in Path("gate.json").read_text()
    loud = check("-v")
    assert "Traceback" in loud.stderr
    assert not [line for line in loud.stderr.splitlines() if line.lstrip().startswith("::")]
    assert check("--ignore", "ZZZ101").returncode == check("--isolated").returncode == 1


def test_an_export_has_a_row_an_object_and_none_is_left_out() -> None:
    config = Config()
    images = export(REGISTRY, "lines", config, Request(("train.manifest", "test.manifest")))[0]
    assert images.height == 61 + 12
    boxes = export(REGISTRY, "boxes", config, Request(("train.manifest",)))[0]
    assert boxes["left"].to_list() == [10.0] * 60 + [-5.0, 10.0]
    assert boxes["usable"].all()
    rows, tried = export(REGISTRY, "images", config, Request(("train.manifest",)))
    assert rows["source_ref"].n_unique() == rows.height > 0
    assert not rows["found"].any()
    assert "no image of train.manifest is found" in tried


def test_an_export_of_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="missing"):
        export(REGISTRY, "lines", Config(), Request(("train.manifest", "missing.manifest")))


def test_lists_are_flattened_to_json_text_and_unknown_ones_stay_empty() -> None:
    rows = pl.DataFrame({"n": [1, 2, 3], "parts": [[{"a": "é"}], [], None]})
    texts = flat(rows)["parts"].to_list()
    assert texts == ['[{"a": "\\u00e9"}]', "[]", None]


@pytest.mark.parametrize("data_set", [{}, {"reference": "images"}])
def test_a_data_set_without_manifests_does_not_pass(data_set: dict[str, str]) -> None:
    Path("images").mkdir()
    with pytest.raises(UsageError, match=r"\[datasets.a\] has no manifest"):
        judged(datasets={"a": data_set})


def test_a_glob_means_files_and_not_the_folders_that_it_matches_too() -> None:
    Path("data/images").mkdir(parents=True)
    Path("train.manifest").rename("data/train.manifest")
    assert judged(datasets={"a": {"train": "data/**"}}) == [[os.path.join("data", "train.manifest")]]  # noqa: PTH118


def test_a_name_too_long_for_the_system_is_a_missing_file() -> None:
    with pytest.raises(UsageError, match="File name too long"):
        groundlint.check("x" * 300 + ".manifest")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_cannot_be_one_is_refused_with_its_key(path: str) -> None:
    configure(f"[datasets.a]\ntrain = {json.dumps(path)}\n")
    with pytest.raises(ConfigError, match=r"`datasets\.a\.train"):
        groundlint.check()


def test_standard_input_may_be_a_part_of_a_data_set() -> None:
    request = Request(
        train=("-",), test=("test.manifest",), stdin=(lines("a", 60, labels=6) + manifest(BAD_BOX)).encode()
    )
    outcome = run(REGISTRY, of_config(REGISTRY, Config()), Config(), request)
    assert outcome.findings.filter(code="BOX101")["manifest"].to_list() == ["-"]
    assert "SPL101" in set(outcome.findings["code"])


def test_standard_input_stands_for_the_file_by_whose_name_it_is_called() -> None:
    config = Config(Settings.model_validate({"datasets": {"a": {"train": "train.manifest", "test": "test.manifest"}}}))
    request = Request(("-",), stdin=lines("b", 12, labels=6).encode(), stdin_name="test.manifest")
    outcome = run(REGISTRY, of_config(REGISTRY, config), config, request)
    assert outcome.findings.is_empty()
    assert outcome.summary["lines"] == 12


def test_an_export_has_what_data_sets_share_once_and_only_what_was_named() -> None:
    datasets = {name: {"train": f"{name}.manifest", "test": "test.manifest"} for name in ("train", "other")}
    config = Config(Settings.model_validate({"datasets": datasets}))
    assert export(REGISTRY, "lines", config, Request())[0].height == 61 + 12 + 12
    assert export(REGISTRY, "lines", config, Request(("test.manifest",)))[0].height == 12
