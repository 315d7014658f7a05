"""Exports: a row for each object that was named, none left out, and plain columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lines import detection, manifest
from PIL import Image
from runs import REGISTRY

from groundlint.config.data_sets import Request, UsageError
from groundlint.config.settings import Config, Settings
from groundlint.export import Exported, export, flat
from groundlint.session import Session


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three manifests."""
    monkeypatch.chdir(tmp_path)
    for name, count in (("train", 6), ("test", 3), ("other", 2)):
        lines = [detection(f"s3://bucket/{name}{n}.jpg", ({"left": n}, {})) for n in range(count)]
        Path(f"{name}.manifest").write_text(manifest(*lines))
    return tmp_path


def exported(table: str, *paths: str, **settings: Any) -> Exported:
    return export(REGISTRY, table, Session(REGISTRY, Config(Settings.model_validate(settings)), Request(paths)))


def test_an_export_has_a_row_for_each_object() -> None:
    assert exported("lines", "train.manifest", "test.manifest").rows.height == 9
    boxes = exported("boxes", "test.manifest").rows
    assert boxes["left"].to_list() == [0.0, 10.0, 1.0, 10.0, 2.0, 10.0]
    assert boxes["usable"].all()


def test_an_export_of_images_has_those_that_were_not_found() -> None:
    images = exported("images", "train.manifest")
    assert images.rows["source_ref"].n_unique() == images.rows.height == 6
    assert not images.rows["found"].any()
    assert [note.kind for note in images.notes] == ["images-not-found"]


def test_an_image_that_one_of_several_data_sets_finds_is_exported_with_what_is_known_of_it() -> None:
    for name in ("absent", "found"):
        Path(name).mkdir()
        Path(name, "x.manifest").write_text(manifest(detection("s3://bucket/1.jpg")))
    Image.new("RGB", (640, 480)).save(Path("found/1.jpg"))
    for paths in (("absent", "found"), ("found", "absent")):
        images = exported("images", *paths).rows
        assert images.select("manifest", "line", "found", "width").rows() == [("absent/x.manifest", 1, True, 640)]


def test_an_export_of_a_manifest_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="missing"):
        exported("lines", "train.manifest", "missing.manifest")


def test_an_unknown_table_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"there is no table .*boxs.*; did you mean `boxes`"):
        exported("boxs", "train.manifest")


def test_an_export_has_only_named_manifests_and_shared_ones_once() -> None:
    datasets = {name: {"train": f"{name}.manifest", "test": "test.manifest"} for name in ("train", "other")}
    assert exported("lines", datasets=datasets).rows.height == 11
    assert exported("lines", "test.manifest", datasets=datasets).rows.height == 3


@pytest.mark.parametrize("table", ["boxes", "overlaps", "counterparts"])
def test_an_export_has_no_ids(table: str) -> None:
    columns = exported(table, "train.manifest").rows.columns
    assert not [name for name in columns if "_id" in name]


def test_lists_become_json_text_and_nulls_stay() -> None:
    rows = pl.DataFrame({"n": [1, 2, 3], "parts": [[{"a": "é"}], [], None]})
    assert flat(rows)["parts"].to_list() == ['[{"a": "\\u00e9"}]', "[]", None]
