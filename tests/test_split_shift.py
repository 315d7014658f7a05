"""split-shift: differences between parts that are found and named, random splits that are not, and reference images."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import classification, manifest
from PIL import Image

import groundlint
from groundlint.config.data_sets import UsageError
from groundlint.engine.base_tables import SPLIT
from groundlint_rules.algorithms.two_sample import auroc
from groundlint_rules.tables.split_shifts import split_shifts

TRAITS = ("brightness", "spread", "blur", "saturation", "redness", "yellowness")


def shifts(images: list[dict[str, Any]], groups: list[tuple[str, str]] = (), *, seed: int = 0) -> pl.DataFrame:  # type: ignore[assignment] # read only
    """The table for images with a part and some traits; other traits are random."""
    random.Random(seed).shuffle(images)
    known = pl.DataFrame(images).with_columns(pl.lit(0, pl.Int32).alias("data_set"))
    lines = known.filter(pl.col("part") != "reference").select(
        "data_set", "source_ref", split=pl.col("part").cast(SPLIT)
    )
    table = known.drop("part").with_columns(image_embedding=pl.lit(None, pl.Binary))
    is_reference = known["part"] == "reference"
    doubled = pl.DataFrame(groups, schema={"source_ref": pl.String, "group": pl.String}, orient="row")
    return split_shifts.function(  # type: ignore[return-value] # it is no query
        table.filter(~is_reference).lazy(),
        lines.lazy(),
        doubled.with_columns(pl.lit(0, pl.Int32).alias("data_set")).lazy(),
        table.filter(is_reference).lazy(),
    )


def image(number: int, part: str, **traits: float) -> dict[str, Any]:
    """An image with random traits, unless they are given."""
    draw = random.Random(number)
    values = {name: draw.gauss(100, 20) for name in TRAITS}
    return {"source_ref": f"s3://bucket/{number}.jpg", "part": part, "width": 640, "height": 300, **values, **traits}


def split(count: int, tested: int) -> list[dict[str, Any]]:
    return [image(n, "test" if n < tested else "train") for n in range(count)]


def test_a_random_split_is_no_shift() -> None:
    assert shifts(split(200, 40))["auroc"].unique().item() < 0.6


@pytest.mark.parametrize(("trait", "word"), [("brightness", "darker"), ("blur", "sharper"), ("width", "smaller")])
def test_a_trait_that_differs_is_named_with_both_medians(trait: str, word: str) -> None:
    images = split(200, 40)
    for each in images[:40]:
        each[trait] = each[trait] / 2
    found = shifts(images).sort((pl.col("trait_auroc") - 0.5).abs(), descending=True).row(0, named=True)
    assert (found["difference"], found["p_value"]) == (word, 0.001)
    assert found["auroc"] > 0.9
    assert found["value"] == pytest.approx(found["trained"] / 2, rel=0.2)
    assert set(found["related"]) < {f"s3://bucket/{n}.jpg" for n in range(40)}


def test_the_order_of_lines_changes_nothing() -> None:
    assert shifts(split(100, 30), seed=1).equals(shifts(split(100, 30), seed=2))


def test_parts_with_few_images_are_not_compared() -> None:
    assert shifts(split(100, 19)).is_empty()
    assert not shifts(split(100, 20)).is_empty()


def test_of_duplicates_only_one_counts() -> None:
    """A film in the test data would pass for a shift, and its images for many."""
    film = [(f"s3://bucket/{n}.jpg", "s3://bucket/0.jpg") for n in range(30)]
    assert shifts(split(100, 40), film).is_empty()


def test_reference_images_are_compared_with_training_images() -> None:
    images = split(100, 0) + [image(n, "reference", brightness=40.0) for n in range(100, 130)]
    found = shifts(images).filter(trait="brightness").row(0, named=True)
    assert (found["part"], found["difference"], found["value"]) == ("reference", "darker", 40)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    positive, negative = ([score for score, of in rows if of == wanted] for wanted in (True, False))
    if not (positive and negative):
        return
    won = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    scores = pl.Series([float(score) for score, _ in rows]).to_numpy()
    found = auroc(scores, pl.Series([of for _, of in rows]).to_numpy())
    assert found == pytest.approx(won / len(positive) / len(negative))


def photograph(number: int) -> Image.Image:
    """An image that looks like no other, in medium levels."""
    pixels = bytes(64 + level // 2 for level in random.Random(number).randbytes(8 * 8 * 3))
    return Image.frombytes("RGB", (8, 8), pixels).resize((96, 96), Image.Resampling.BICUBIC)


def darker(image: Image.Image) -> Image.Image:
    return image.point(lambda level: level * 0.6)


def unchanged(image: Image.Image) -> Image.Image:
    return image


def write(name: str, numbers: range, change: Callable[[Image.Image], Image.Image] = unchanged) -> None:
    """A manifest and its images."""
    Path(name).mkdir()
    for n in numbers:
        change(photograph(n)).save(f"{name}/{n}.png")
    lines = [classification(f"s3://bucket/{name}/{n}.png", "ab"[n % 2]) for n in numbers]
    Path(f"{name}.manifest").write_text(manifest(*lines))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with training images, like ones and darker ones."""
    monkeypatch.chdir(tmp_path)
    write("train", range(60))
    write("same", range(60, 90))
    write("dark", range(90, 120), darker)
    return tmp_path


def messages(**given: Any) -> list[str]:
    found = groundlint.check(train="train.manifest", isolated=True, select="split-shift", fast=True, **given).findings
    assert found["manifest"].to_list() == ["train.manifest"] * found.height
    return found["message"].to_list()


@pytest.mark.usefixtures("folder")
def test_darker_test_images_are_reported_with_what_differs() -> None:
    assert messages(test="same.manifest") == []
    (message,) = messages(test="dark.manifest")
    assert message.startswith("test images are darker: median gray level (of 255) 7")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["", ".manifest"])
def test_a_reference_is_a_manifest_or_a_folder_of_images(kind: str) -> None:
    assert messages(reference=f"same{kind}") == []
    (message,) = messages(reference=f"dark{kind}")
    assert message.startswith("reference images are darker")


@pytest.mark.usefixtures("folder")
def test_the_most_different_images_of_a_reference_folder_are_shown() -> None:
    found = groundlint.check(
        train="train.manifest", reference="dark", isolated=True, select="split-shift", fast=True
    ).findings
    related = found["related"][0].to_list()
    assert len(related) == 20
    assert {Path(place["source_ref"]).parts[-2] for place in related} == {"dark"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("reference", ["dark", "dark.manifest"])
def test_no_other_rule_looks_at_a_reference(reference: str) -> None:
    """The reference has a duplicate of a training image, a broken image and a line that is no JSON."""
    Path("dark/0.png").write_bytes(Path("train/0.png").read_bytes())
    Path("dark/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with Path("dark.manifest").open("a") as stream:
        stream.write(
            manifest(classification("s3://bucket/dark/0.png"), classification("s3://bucket/dark/broken.png"), "{")
        )
    given = {"train": "train.manifest", "isolated": True, "fast": True}
    alone, compared = groundlint.check(**given), groundlint.check(**given, reference=reference)
    others = compared.findings.filter(pl.col("name") != "split-shift")
    assert others.equals(alone.findings)
    assert compared.findings.height == others.height + 1


@pytest.mark.usefixtures("folder")
def test_a_reference_of_the_configuration_lies_beside_it(tmp_path: Path) -> None:
    Path("groundlint.toml").write_text('[datasets.a]\ntrain = "train.manifest"\nreference = "dark"\n')
    found = groundlint.check(select="split-shift", fast=True).findings
    assert found["name"].to_list() == ["split-shift"]
    (tmp_path / "sub").mkdir()
    Path("sub/groundlint.toml").write_text('[datasets.a]\ntrain = "../train.manifest"\nreference = "../dark"\n')
    with pytest.raises(UsageError, match="the reference is outside the folder of the configuration"):
        groundlint.check(select="split-shift", config="sub/groundlint.toml")


@pytest.mark.usefixtures("folder")
def test_a_reference_folder_without_images_is_an_error() -> None:
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="empty: the folder has no image"):
        messages(reference="empty")


@pytest.mark.usefixtures("folder")
def test_a_reference_that_is_missing_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing"):
        messages(reference="nothing.manifest")
