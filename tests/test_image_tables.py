"""The tables `images` and `crops`: one row per image and box of each data set, whatever else is judged with it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from image_features import beginning, crop_height, crop_width, size_if_labeled
from image_sets import (
    COUNT,
    CULPRITS,
    DECODED,
    image_bytes,
    image_tables,
    images_of,
    imported,
    set_old_dates,
    tables_of,
    write_images,
    write_manifest,
)
from lines import classification, detection
from PIL import Image

from groundlint.config.data_sets import Request, UsageError
from groundlint.config.settings import Config, load
from groundlint.engine.base_tables import BASE
from groundlint.engine.features import Feature
from groundlint.engine.registry import Registry
from groundlint.images.record import FACTS
from groundlint.session import Loaded, Session, no_images_note

FEATURES = [beginning, size_if_labeled, crop_width, crop_height]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    paths = [str(Path(__file__).parent), str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(str(tmp_path))
    write_images()
    return tmp_path


def boxed(*numbers: int, width: int = 30) -> list[dict[str, Any]]:
    """Lines with two boxes, the second of which has a width."""
    boxes = ({"left": 4, "top": 4, "width": 20, "height": 20}, {"left": 8, "top": 8, "width": width, "height": 25})
    return [detection(f"s3://bucket/images/{n}.jpg", boxes) for n in numbers]


# One row per image


def test_every_column_of_images_is_a_fact_of_the_record_or_says_where_the_file_is() -> None:
    assert set(BASE["images"].columns) - set(FACTS) == {"data_set", "source_ref", "path", "found"}
    row = images_of(image_tables(features=FEATURES)).sort("path").row(0, named=True)
    data = Path("images/0.jpg").read_bytes()
    assert row.pop("digest") is not None
    assert row == {
        "data_set": 0,
        "source_ref": "s3://bucket/images/0.jpg",
        "path": "images/0.jpg",
        "found": True,
        "fault": None,
        "detail": None,
        "bytes": len(data),
        "format": "JPEG",
        "mode": "RGB",
        "width": 96,
        "height": 80,
        "animated": False,
        "beginning": data[:8],
        "size_if_labeled": len(data),
    }


def test_missing_images_have_rows_only_where_another_image_is_found() -> None:
    write_manifest(classification("s3://bucket/images/1.jpg"), classification("s3://bucket/gone.jpg"))
    write_manifest(classification("s3://bucket/gone.jpg"), classification("s3://bucket/a/../b.jpg"), name="b.manifest")
    rows = images_of(image_tables(), "a.manifest", "b.manifest").sort("data_set", "source_ref")
    assert rows.select("data_set", "source_ref", "found", "fault").rows() == [
        (0, "s3://bucket/gone.jpg", False, None),
        (0, "s3://bucket/images/1.jpg", True, None),
        (1, "s3://bucket/a/../b.jpg", False, "refused"),
    ]


def test_a_folder_full_of_refused_images_has_their_rows() -> None:
    Path("links").mkdir()
    for name in ("1.jpg", "2.jpg"):
        Path("links", name).symlink_to("/dev/zero")
    write_manifest(*(classification(f"s3://bucket/links/{n}.jpg") for n in (1, 2, 3)))
    rows = images_of(image_tables()).sort("source_ref")
    assert rows["detail"].to_list() == ["it is a symbolic link that leads out of ."] * 2


def test_images_with_the_same_content_have_a_row_each() -> None:
    Path("images/1.jpg").write_bytes(Path("images/0.jpg").read_bytes())
    write_manifest(*boxed(0, 1))
    tables = tables_of(image_tables(features=FEATURES))
    assert tables["images"]["digest"].n_unique() == 1
    assert tables["images"].height == 2
    assert sorted(tables["crops"].select("box", "crop_width").rows()) == [(0, 20), (0, 20), (1, 30), (1, 30)]


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_tables_do_not_depend_on_the_number_of_workers(jobs: int) -> None:
    Path("images/3.jpg").write_bytes(b"no image")
    Path("images/4.jpg").write_bytes(image_bytes()[:-200])
    write_manifest(*boxed(*range(COUNT)))
    one, several = (tables_of(image_tables(features=FEATURES, jobs=n)) for n in (1, jobs))
    assert one["images"].equals(several["images"])
    assert one["crops"].equals(several["crops"])


# Data sets judged together


def test_an_image_that_two_data_sets_name_is_measured_once(folder: Path) -> None:
    write_manifest(*boxed(*range(3)), *(classification(f"s3://bucket/images/{n}.jpg") for n in range(3)))
    # Another source-ref, and others of its boxes.
    write_manifest(*boxed(1, 2, 3, width=40), classification("s3://other/1.jpg"), name="b.manifest")
    Path("1.jpg").symlink_to("images/1.jpg")
    made = image_tables(folder / "cache", features=FEATURES)
    tables_of(made, "a.manifest", "b.manifest")
    assert made.opened == 4


def test_a_data_set_has_the_same_rows_as_when_it_is_read_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundlint.images.box_places.MAX_SAMPLED_OF_LABEL", 5)
    write_manifest(*boxed(*range(20)))
    labeled = [classification(f"s3://bucket/images/{n}.jpg") for n in range(5)]
    write_manifest(*boxed(*range(10, 30), width=40), *labeled, name="b.manifest")
    write_manifest(classification("s3://bucket/gone.jpg"), name="c.manifest")
    names = ("a.manifest", "b.manifest", "c.manifest")
    set_old_dates()
    together = tables_of(image_tables(folder / "cache", features=FEATURES), *names)
    remembered = tables_of(image_tables(folder / "cache", features=FEATURES), *names)
    for number, name in enumerate(names):
        alone = tables_of(image_tables(features=FEATURES), name)
        for table, key in (("images", "source_ref"), ("crops", "line")):
            expected = alone[table].drop("data_set", "box_id", strict=False)
            for tables in (together, remembered):
                rows = tables[table].filter(pl.col("data_set") == number).drop("data_set", "box_id", strict=False)
                assert rows.sort(key, *set(rows.columns) & {"box"}).equals(
                    expected.sort(key, *set(rows.columns) & {"box"})
                )
    assert together["images"].group_by("data_set").agg(pl.col("size_if_labeled").count()).sort("data_set").rows() == [
        (0, 0),
        (1, 5),
    ]
    sampled = together["crops"].group_by("data_set").agg(pl.col("crop_height").count()).sort("data_set")
    assert sampled.rows() == [(0, 5), (1, 5)]


def test_of_very_many_boxes_an_even_sample_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_old_dates()
    write_manifest(*boxed(*range(COUNT)))
    whole = tables_of(image_tables(folder / "cache", features=FEATURES))["crops"].sort("line", "box")
    assert whole.null_count().row(0) == (0,) * whole.width
    monkeypatch.setattr("groundlint.images.box_places.MAX_SAMPLED_OF_LABEL", 10)
    fresh, remembered = (
        tables_of(image_tables(cache, features=FEATURES))["crops"].sort("line", "box")
        for cache in (None, folder / "cache")
    )
    assert fresh.equals(remembered)
    assert fresh["crop_width"].to_list() == whole["crop_width"].to_list()
    assert fresh["crop_height"].count() == 10
    assert fresh.filter(pl.col("crop_height").is_not_null())["line"].n_unique() > 5


def test_only_boxes_that_are_not_in_the_cache_are_measured(folder: Path) -> None:
    set_old_dates()
    opened = []
    for width in (30, 40, 30):
        write_manifest(*boxed(*range(COUNT), width=width))
        made = image_tables(folder / "cache", features=FEATURES)
        crops = tables_of(made)["crops"].sort("line", "box")
        assert crops["crop_width"].to_list() == [20, width] * COUNT
        opened.append(made.opened)
    assert opened == [COUNT, COUNT, 0]


def test_an_image_with_thousands_of_boxes_is_measured() -> None:
    side = {"width": 5, "height": 5}
    boxes = tuple({"left": n % 90, "top": n // 90, **side} for n in range(6000))
    write_manifest(*(detection(f"s3://bucket/images/{n}.jpg", boxes) for n in range(20)))
    crops = tables_of(image_tables(features=FEATURES))["crops"]
    assert (crops.height, crops["crop_width"].null_count()) == (120_000, 0)


# Sessions


def load_images(
    *manifests: str,
    config: str = "",
    features: Sequence[Feature] = (),
    tables: Sequence[str] = ("images",),
    **request: Any,
) -> Loaded:
    """What a run reads and measures."""
    Path("groundlint.toml").write_text(config)
    registry = Registry(features={feature.name: feature for feature in (DECODED, *features)})
    session = Session(registry, load(Path("groundlint.toml")) if config else Config(), Request(manifests, **request))
    return session.load(registry.graph.plan((), tables=tables))


@pytest.mark.parametrize(
    ("where", "images", "config"),
    [
        ("images", (), ""),
        ("elsewhere", ("elsewhere",), ""),
        ("size=96", ("size=96",), ""),
        ("else/where", ("s3://bucket/images/=else/where",), ""),
        ("else/where", (), '[images]\n"s3://bucket/images" = "else/where"\n'),
    ],
)
def test_the_command_line_or_the_configuration_says_where_images_are(
    where: str, images: tuple[str, ...], config: str
) -> None:
    Path(where).parent.mkdir(parents=True, exist_ok=True)
    Path("images").rename(where)
    loaded = load_images("a.manifest", config=config, images=images)
    assert loaded.tables["images"]["found"].sum() == COUNT
    assert no_images_note(loaded) is None


def test_that_only_a_sample_of_the_boxes_is_measured_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(*boxed(*range(COUNT)))

    def messages() -> list[str]:
        return [note.message for note in load_images("a.manifest", features=FEATURES, tables=["images", "crops"]).notes]

    assert messages() == []
    for module in ("images.box_places", "image_access"):
        monkeypatch.setattr(f"groundlint.{module}.MAX_SAMPLED_OF_LABEL", 10)
    (message,) = messages()
    assert message.startswith(
        "70 boxes were left out by rules of cost slow: they judge an even sample of at most 10 boxes"
    )


def test_a_folder_of_images_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"^--images: .* gone"):
        load_images("a.manifest", images=("gone",))


def test_a_data_set_without_any_image_is_a_note_that_says_where_they_were_searched() -> None:
    write_manifest(classification("s3://bucket/gone/1.jpg"), name="b.manifest")
    loaded = load_images("a.manifest", "b.manifest")
    assert loaded.manifests_without_images == ["b.manifest"]
    note = no_images_note(loaded)
    assert note is not None
    assert "no image of b.manifest was found in ., " in note.message


@pytest.mark.skipif(os.name == "nt", reason="links are those of Unix")
def test_the_note_names_a_folder_that_cannot_be_read() -> None:
    Path("images").rename("gone")
    Path("images").symlink_to("images")
    note = no_images_note(load_images("a.manifest"))
    assert note is not None
    assert "was found in images (cannot be read: Too many levels of symbolic links), ., " in note.message


def test_pointers_of_git_lfs_do_not_count_as_images() -> None:
    for path in Path("images").iterdir():
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", encoding="utf-8")
    loaded = load_images("a.manifest")
    assert loaded.tables["images"]["fault"].unique().to_list() == ["not-fetched"]
    assert loaded.manifests_without_images == ["a.manifest"]


def test_a_feature_that_raises_is_reported_with_its_traceback() -> None:
    culprit = imported("culprits_of_session", CULPRITS).culprit
    with Path("images/3.jpg").open("ab") as stream:
        stream.write(b"raise")
    (raised,) = load_images("a.manifest", features=[culprit]).raised
    assert (raised.what, raised.error) == ("feature culprit", "RuntimeError: odd")
    assert 'raise RuntimeError("odd")' in raised.traceback


def test_a_plugin_that_workers_cannot_import_is_reported_with_the_traceback() -> None:
    culprit = imported("here_only", CULPRITS).culprit
    Path("here_only.py").write_text("raise ImportError('not in a worker')")
    loaded = load_images("a.manifest", features=[culprit])
    (raised,) = loaded.raised
    assert (raised.what, raised.error) == ("worker for images", "ImportError: not in a worker")
    assert "here_only.py" in raised.traceback
    # The files are still known.
    assert loaded.tables["images"]["found"].sum() == COUNT


def test_a_cache_that_cannot_be_used_is_a_note(folder: Path) -> None:
    Path("cache").write_text("a file")
    (note,) = load_images("a.manifest", cache=folder / "cache").notes
    assert note.kind == "cache-unusable"
    assert note.message.startswith(f"{folder / 'cache'}: the cache cannot be used: [Errno 17] File exists: ")


FORMATS = {"PNG": "RGB", "BMP": "RGB", "TIFF": "I;16", "WEBP": "RGB", "GIF": "P"}


@pytest.mark.parametrize("form", FORMATS)
def test_images_of_other_formats_are_measured(form: str) -> None:
    stream = io.BytesIO()
    mode = FORMATS[form]
    Image.new(mode, (70, 65)).save(stream, form)
    Path("images/0.jpg").write_bytes(stream.getvalue())
    row = images_of(image_tables()).sort("path").row(0, named=True)
    assert (row["format"], row["mode"], row["width"], row["fault"], row["decoded"]) == (form, mode, 70, None, True)
