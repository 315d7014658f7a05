"""Data sets: the manifests of a request, and which of them are judged together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from groundlint.config.data_sets import DataSet, Request, UsageError, data_sets
from groundlint.config.discovery import DiscoveryNote
from groundlint.config.settings import Config, Settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three manifests."""
    monkeypatch.chdir(tmp_path)
    put("train.manifest", "test.manifest", "other.manifest")
    return tmp_path


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}\n")


def found(request: Request, settings: dict[str, Any], notes: list[DiscoveryNote] | None = None) -> list[DataSet]:
    config = Config(Settings.model_validate(settings), Path("groundlint.toml").resolve())
    return data_sets(config, request, on_note=(notes if notes is not None else []).append)


def sources(*paths: str, request: Request | None = None, **settings: Any) -> list[list[str]]:
    """The names of the manifests of each data set."""
    return [
        [Path(source.name).as_posix() for source in each.sources] for each in found(request or Request(paths), settings)
    ]


A = {"train": "train.manifest", "test": "test.manifest"}


def test_without_a_path_the_configured_data_sets_are_judged() -> None:
    assert sources(datasets={"a": A}) == [["train.manifest", "test.manifest"]]


def test_without_a_path_or_data_set_the_working_directory_is_judged() -> None:
    assert sources() == [["other.manifest"], ["test.manifest"], ["train.manifest"]]


def test_a_named_manifest_brings_in_its_data_set() -> None:
    (data_set,) = found(Request(("test.manifest",)), {"datasets": {"a": A}})
    assert [(source.name, source.split) for source in data_set.sources] == [
        ("train.manifest", "train"),
        ("test.manifest", "test"),
    ]
    assert data_set.named == {"test.manifest"}


def test_a_manifest_keeps_the_name_by_which_it_was_given(folder: Path) -> None:
    name = str(folder / "train.manifest")
    (data_set,) = found(Request((name,)), {"datasets": {"a": A}})
    assert [source.name for source in data_set.sources] == [name, "test.manifest"]


def test_a_manifest_of_two_data_sets_brings_in_both() -> None:
    datasets = {"a": A, "b": {"train": "other.manifest", "test": "test.manifest"}}
    assert sources("test.manifest", datasets=datasets) == [
        ["train.manifest", "test.manifest"],
        ["other.manifest", "test.manifest"],
    ]


def test_manifests_in_no_data_set_are_data_sets_of_their_own() -> None:
    assert sources("other.manifest", "test.manifest") == [["other.manifest"], ["test.manifest"]]


def test_train_test_and_reference_make_one_data_set() -> None:
    request = Request(train=("train.manifest",), test=("test.manifest",), reference=("other.manifest",))
    assert sources(request=request) == [["train.manifest", "test.manifest", "other.manifest"]]


def test_one_file_may_be_both_parts() -> None:
    request = Request(train=("train.manifest",), test=("train.manifest",))
    assert sources(request=request) == [["train.manifest", "train.manifest"]]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (
            Request(("b.manifest",), train=("a.manifest",)),
            "--train takes one path; repeat it: --train a.manifest --train b.manifest",
        ),
        (Request(("b", "c"), test=("a",)), "--test takes one path; repeat it: --test a --test b --test c"),
    ],
)
def test_paths_beside_an_option_of_a_split_are_refused(request_: Request, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        sources(request=request_)
    assert str(raised.value) == says


def test_a_manifest_is_judged_once_however_often_it_is_named(folder: Path) -> None:
    assert sources("other.manifest", "./other.manifest", str(folder / "other.manifest")) == [["other.manifest"]]
    assert sources(datasets={"a": {"train": ["train.manifest", "tra*.manifest"]}}) == [["train.manifest"]]


def test_patterns_start_at_the_folder_of_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(Settings.model_validate({"datasets": {"a": {"train": "t*n.manifest"}}}), folder / "groundlint.toml")
    (folder / "sub").mkdir()
    monkeypatch.chdir("sub")
    (data_set,) = data_sets(config, Request())
    assert data_set.named == {os.path.join("..", "train.manifest")}  # noqa: PTH118


@pytest.mark.parametrize("name", ["[x]", "a*b", "a b", "ä한"])
def test_the_folder_of_the_configuration_may_have_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(f"{name}/train.manifest")
    monkeypatch.chdir(name)
    assert sources(datasets={"a": {"train": "*.manifest"}}) == [["train.manifest"]]


@pytest.mark.parametrize("pattern", ["data", "data/", "data/**", "d*", "./data/*.manifest"])
def test_a_pattern_of_a_data_set_means_manifests(pattern: str) -> None:
    put("data/train.manifest", "data/images/1.jpg")
    assert sources(datasets={"a": {"train": pattern}}) == [["data/train.manifest"]]


@pytest.mark.parametrize("pattern", ["missing.manifest", "missing/*.manifest", "**/x.manifest", "[", "a" * 2000 + "*"])
def test_a_pattern_that_matches_nothing_is_reported_as_missing(pattern: str) -> None:
    assert sources(datasets={"a": {"train": pattern}}) == [[pattern]]


def test_a_folder_without_manifests_is_refused() -> None:
    Path("empty").mkdir()
    for settings in ({"datasets": {"a": {"train": "empty"}}}, {}):
        with pytest.raises(UsageError, match="empty: the folder has no manifest"):
            found(Request(() if settings else ("empty",)), settings)


def test_a_reference_may_be_a_folder_of_images() -> None:
    put("images/1.jpg")
    assert sources(datasets={"a": {"train": "train.manifest", "reference": "images"}}) == [["train.manifest"]]


@pytest.mark.parametrize("data_set", [{}, {"reference": "images"}])
def test_a_data_set_without_manifests_is_refused(data_set: dict[str, str]) -> None:
    Path("images").mkdir()
    with pytest.raises(UsageError, match=r"\[datasets.a\] has no manifest"):
        sources(datasets={"a": data_set})


def test_excluded_manifests_are_left_out_of_folders_and_patterns() -> None:
    assert sources(exclude=["t*"]) == [["other.manifest"]]
    assert sources(datasets={"a": {"train": "*.manifest"}}, exclude=["t*"]) == [["other.manifest"]]
    assert sources(datasets={"a": {"train": "t*.manifest"}}, exclude=["*"]) == [["t*.manifest"]]


def test_a_named_manifest_is_judged_though_excluded() -> None:
    assert sources("other.manifest", exclude=["other.manifest"]) == [["other.manifest"]]
    assert sources(datasets={"a": A}, exclude=["*"]) == [["train.manifest", "test.manifest"]]


def test_force_exclude_applies_to_named_manifests_too() -> None:
    request = Request(("other.manifest", "test.manifest"), force_exclude=True)
    assert sources(request=request, exclude=["other.manifest"]) == [["test.manifest"]]
    request = Request(train=("train.manifest",), test=("test.manifest",), force_exclude=True)
    assert sources(request=request, exclude=["test.*"]) == [["train.manifest"]]
    request = Request(("-",), stdin=b"{}", stdin_name="archive/a.manifest", force_exclude=True)
    assert sources(request=request, exclude=["archive"]) == []
    assert sources(request=request, exclude=["other"]) == [["archive/a.manifest"]]


@pytest.mark.parametrize(
    "request_",
    [
        Request(("other.manifest", "test.manifest"), force_exclude=True),
        Request(("empty",), force_exclude=True),
        Request((".",), force_exclude=True),
        Request(train=("train.manifest",), force_exclude=True),
        Request(force_exclude=True),
    ],
)
@pytest.mark.parametrize("datasets", [{}, {"a": A}, {"a": {"train": "t*.manifest"}}])
def test_where_force_exclude_leaves_no_file_a_note_says_so(
    request_: Request, datasets: dict[str, dict[str, str]]
) -> None:
    Path("empty").mkdir()
    notes: list[DiscoveryNote] = []
    assert found(request_, {"exclude": ["*"], "datasets": datasets}, notes) == []
    assert [note.kind for note in notes] == ["no-files-left"]


def test_a_missing_path_among_others_is_kept_to_be_reported() -> None:
    Path("empty").mkdir()
    assert sources("other.manifest", "empty", "") == [["other.manifest"], ["empty"], ["''"]]
