"""Duplicates among real photographs: what is taken for the same, what is not, and whatever order the lines have."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import polars as pl
import pytest
from lines import classification, detection, manifest
from PIL import Image, ImageEnhance, ImageOps
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app
from groundlint_rules.tables.near_pairs import phashes

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
RACCOONS = sorted((PHOTOGRAPHS / "raccoons").iterdir())[:9]

Change = Callable[[Image.Image], Image.Image]


def near_pairs(folder: Path, pictures: list[tuple[str, Image.Image, int]]) -> set[tuple[str, str, str]]:
    """The exported pairs of pictures with names and JPEG qualities: names and relation."""
    lines = []
    for name, picture, quality in pictures:
        picture.save(folder / f"{name}.jpg", quality=quality)
        lines.append(json.dumps(classification(f"s3://bucket/{name}.jpg")) + "\n")
    (folder / "a.manifest").write_text("".join(lines), encoding="utf-8")
    target = folder / "pairs.csv"
    done = CliRunner().invoke(
        app, ["export", "near_pairs", str(folder / "a.manifest"), "--isolated", "--no-cache", "--to", str(target)]
    )
    assert done.exit_code == 0, done.output
    rows = pl.read_csv(target, infer_schema=False).select("a_source_ref", "b_source_ref", "relation").rows()
    return {(Path(a).stem, Path(b).stem, relation) for a, b, relation in rows}


def cropped(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    return picture.crop((round(0.01 * width), round(0.01 * height), round(0.99 * width), round(0.99 * height)))


@pytest.mark.parametrize(
    ("change", "quality", "relation"),
    [
        (lambda picture: picture, 30, "near"),
        (lambda picture: picture.resize((picture.width // 2, picture.height // 2)), 90, "near"),
        (lambda picture: ImageEnhance.Brightness(picture).enhance(1.3), 90, "near"),
        (cropped, 90, "near"),
        (ImageOps.mirror, 90, "mirrored"),
        (lambda picture: picture.transpose(Image.Transpose.ROTATE_90), 90, "rotated"),
        (lambda picture: picture.transpose(Image.Transpose.ROTATE_180), 90, "rotated"),
    ],
    ids=["q30", "half", "brighter", "cropped", "mirrored", "quarter", "upside down"],
)
def test_a_changed_copy_is_told_and_nothing_else(tmp_path: Path, change: Change, quality: int, relation: str) -> None:
    originals = [Image.open(path).convert("RGB") for path in RACCOONS]
    pictures = [(f"{n}", picture, 90) for n, picture in enumerate(originals)]
    pictures += [(f"{n}x", change(originals[n]), quality) for n in (0, 4)]
    assert near_pairs(tmp_path, pictures) == {("0", "0x", relation), ("4", "4x", relation)}


def test_the_same_pixels_in_other_bytes_are_exact(tmp_path: Path) -> None:
    picture = Image.open(RACCOONS[0]).convert("RGB")
    lines = []
    for name in ("a.png", "b.bmp"):
        picture.save(tmp_path / name)
        lines.append(json.dumps(classification(f"s3://bucket/{name}")) + "\n")
    path = tmp_path / "train.manifest"
    path.write_text("".join(lines), encoding="utf-8")
    told = groundlint.check(path, isolated=True, select=["exact-duplicate", "near-duplicate"])
    assert told["name"].to_list() == ["exact-duplicate"]


def test_the_hashes_that_are_searched_are_those_of_imagehash() -> None:
    squares = np.stack([np.asarray(Image.open(path).convert("L").resize((32, 32))) for path in RACCOONS])
    expected = [imagehash.phash(Image.fromarray(square)) for square in squares]
    assert [f"{made:016x}" for made in phashes(squares)] == [str(wanted) for wanted in expected]


def test_a_burst_is_a_star_round_one_of_it(tmp_path: Path) -> None:
    picture = Image.open(RACCOONS[0]).convert("RGB")
    pairs = near_pairs(tmp_path, [(f"{n:02}", picture, 90) for n in range(30)])
    assert pairs == {("00", f"{n:02}", "exact") for n in range(1, 30)}


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_lines_changes_no_finding(tmp_path: Path, seed: int) -> None:
    text = (PHOTOGRAPHS / "clothes-train.manifest").read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(seed).shuffle(text)
    (tmp_path / "clothes-train.manifest").write_text("".join(text), encoding="utf-8")
    printed = []
    for folder in (PHOTOGRAPHS, tmp_path):
        done = CliRunner().invoke(
            app,
            [
                *("check", str(folder / "clothes-train.manifest"), "--isolated", "--no-cache", "--exit-zero"),
                *("--images", str(PHOTOGRAPHS), "--output", "json"),
            ],
        )
        findings = json.loads(done.stdout)["findings"]
        printed.append(sorted((finding["code"], finding["source_ref"], finding["message"]) for finding in findings))
    assert len(printed[0]) > 8
    assert printed[0] == printed[1]


Lines = list[dict[str, Any]]


def found(
    folder: Path, train: Lines, test: Lines | None = None, *, names: tuple[str, str] = ("train", "test")
) -> set[tuple[str, str]]:
    """Codes and names of the images of all findings on duplicates and leaks."""
    manifests = [folder / f"{name}.manifest" for name in names]
    for path, lines in zip(manifests, (train, test or []), strict=True):
        path.write_text(manifest(*lines), encoding="utf-8")
    rows = groundlint.check(
        train=manifests[:1], test=manifests[1:] if test else (), isolated=True, select=["DUP", "SPL2"]
    )
    return {(code, Path(ref).name) for code, ref in rows.select("code", "source_ref").rows()}


def labelled(*names: str, label: str = "cat", attribute: str = "animals") -> Lines:
    return [classification(f"s3://bucket/{name}", label, attribute) for name in names]


@pytest.mark.parametrize(("train", "test"), [("a", "z"), ("z", "a")])
def test_copies_within_a_split_and_across_are_all_told(tmp_path: Path, train: str, test: str) -> None:
    for name in (f"{train}1.jpg", f"{train}2.jpg", f"{test}1.jpg", f"{test}2.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    told = found(tmp_path, labelled(f"{train}1.jpg", f"{train}2.jpg"), labelled(f"{test}1.jpg", f"{test}2.jpg"))
    assert told == {
        ("DUP101", f"{train}2.jpg"),
        ("DUP101", f"{test}2.jpg"),
        ("SPL204", f"{test}1.jpg"),
        ("SPL204", f"{test}2.jpg"),
    }


@pytest.mark.parametrize(("train", "test"), [("a", "b"), ("b", "a")])
def test_a_leak_does_not_depend_on_the_names_of_manifests(tmp_path: Path, train: str, test: str) -> None:
    for name in ("1.jpg", "copy.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    told = found(tmp_path, labelled("1.jpg"), labelled("1.jpg", "copy.jpg"), names=(train, test))
    assert told == {("SPL201", "1.jpg"), ("SPL204", "copy.jpg"), ("DUP101", "copy.jpg")}


def test_a_copy_of_a_smaller_copy_is_told_of_what_it_equals(tmp_path: Path) -> None:
    picture = Image.open(RACCOONS[0]).convert("RGB")
    picture.save(tmp_path / "big.jpg")
    half = picture.resize((picture.width // 2, picture.height // 2))
    for name in ("half.jpg", "same.jpg"):
        half.save(tmp_path / name)
    told = found(tmp_path, labelled("big.jpg", "half.jpg", "same.jpg"))
    assert told == {("DUP102", "half.jpg"), ("DUP101", "same.jpg")}


def test_one_other_pixel_is_not_the_same(tmp_path: Path) -> None:
    picture = Image.open(RACCOONS[0]).convert("RGB").resize((1600, 1200))
    picture.save(tmp_path / "1.png")
    picture.putpixel((800, 600), (255, 0, 0))
    picture.save(tmp_path / "2.png")
    assert found(tmp_path, labelled("1.png", "2.png")) in ({("DUP102", "1.png")}, {("DUP102", "2.png")})


def test_a_jpeg_without_its_metadata_is_the_same(tmp_path: Path) -> None:
    Image.open(RACCOONS[0]).convert("RGB").save(
        tmp_path / "1.jpg", quality=90, comment=b"taken by nobody", dpi=(72, 72)
    )
    Image.open(RACCOONS[0]).convert("RGB").save(tmp_path / "2.jpg", quality=90)
    assert found(tmp_path, labelled("1.jpg", "2.jpg")) == {("DUP101", "2.jpg")}


def test_files_that_are_no_images_are_no_duplicates(tmp_path: Path) -> None:
    names = [f"{n}.jpg" for n in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(b"<html>403</html>" if name < "2" else b"")
    Image.open(RACCOONS[0]).save(tmp_path / "9.jpg")
    assert found(tmp_path, labelled(*names, "9.jpg")) == set()


def test_labels_of_copies_contradict_under_other_attributes_and_where_the_one_kept_has_none(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    cat, dog = labelled("2.jpg", attribute="cat"), labelled("3.jpg", label="dog", attribute="dog")
    told = found(tmp_path, [{"source-ref": "s3://bucket/1.jpg"}, *cat, *dog])
    assert told == {("DUP101", "2.jpg"), ("DUP101", "3.jpg"), ("DUP104", "3.jpg")}


def test_boxes_of_copies_agree_beside_a_mirrored_one_and_under_another_attribute(tmp_path: Path) -> None:
    picture = Image.open(RACCOONS[0]).convert("RGB")
    for name in ("1.jpg", "2.jpg"):
        picture.save(tmp_path / name, quality=85)
    ImageOps.mirror(picture).save(tmp_path / "mirrored.jpg", quality=95)
    left = ({"left": 50, "top": 50, "width": 100, "height": 100},)
    right = ({**left[0], "left": picture.width - 150},)
    lines = [
        detection(f"s3://bucket/{name}", boxes, name=attribute)
        for name, boxes, attribute in (("1.jpg", left, "a"), ("2.jpg", left, "b"), ("mirrored.jpg", right, "a"))
    ]
    assert found(tmp_path, lines) == {("DUP102", "1.jpg"), ("DUP101", "2.jpg")}
    lines[1] = detection("s3://bucket/2.jpg", right, name="b")
    assert ("DUP105", "2.jpg") in found(tmp_path, lines)
