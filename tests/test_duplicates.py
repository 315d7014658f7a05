"""Duplicates among real photographs: what counts as the same image, what does not, in any order of lines."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
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
Lines = list[dict[str, Any]]


def near_pairs(folder: Path, images: list[tuple[str, Image.Image, int]]) -> set[tuple[str, str, str]]:
    """Names and relation of the exported pairs, of images with names and JPEG qualities."""
    lines = []
    for name, image, quality in images:
        image.save(folder / f"{name}.jpg", quality=quality)
        lines.append(classification(f"s3://bucket/{name}.jpg"))
    (folder / "a.manifest").write_text(manifest(*lines), encoding="utf-8")
    target = folder / "pairs.csv"
    done = CliRunner().invoke(
        app, ["export", "near_pairs", str(folder / "a.manifest"), "--isolated", "--no-cache", "--to", str(target)]
    )
    assert done.exit_code == 0, done.output
    rows = pl.read_csv(target, infer_schema=False).select("a_source_ref", "b_source_ref", "relation").rows()
    return {(Path(a).stem, Path(b).stem, relation) for a, b, relation in rows}


def cropped(image: Image.Image, share: float = 0.01) -> Image.Image:
    """Without this share of the width and of the height on each side."""
    width, height = image.size
    left, top = round(share * width), round(share * height)
    return image.crop((left, top, width - left, height - top))


@pytest.mark.parametrize(
    ("change", "quality", "relation"),
    [
        (lambda image: image, 30, "near"),
        (lambda image: image.resize((image.width // 2, image.height // 2)), 90, "near"),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.3), 90, "near"),
        (cropped, 90, "near"),
        (lambda image: cropped(image, 0.04), 30, "near"),
        (lambda image: cropped(image, 0.1), 90, "near"),
        (lambda image: ImageOps.mirror(cropped(image, 0.06)), 90, "mirrored"),
        (ImageOps.mirror, 90, "mirrored"),
        (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90, "rotated"),
        (lambda image: image.transpose(Image.Transpose.ROTATE_180), 90, "rotated"),
    ],
    ids=["q30", "half", "brighter", "cropped", "c4", "c10", "c6 mirrored", "mirrored", "quarter", "upside down"],
)
def test_changed_copies_are_paired_and_nothing_else(
    tmp_path: Path, change: Change, quality: int, relation: str
) -> None:
    originals = [Image.open(path).convert("RGB") for path in RACCOONS]
    images = [(f"{n}", image, 90) for n, image in enumerate(originals)]
    images += [(f"{n}x", change(originals[n]), quality) for n in (0, 4)]
    assert near_pairs(tmp_path, images) == {("0", "0x", relation), ("4", "4x", relation)}


def test_hashes_equal_those_of_imagehash() -> None:
    squares = np.stack([np.asarray(Image.open(path).convert("L").resize((32, 32))) for path in RACCOONS])
    expected = [imagehash.phash(Image.fromarray(square)) for square in squares]
    assert [f"{made:016x}" for made in phashes(squares)] == [str(wanted) for wanted in expected]


def test_images_of_a_burst_are_paired_with_one_of_them(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    pairs = near_pairs(tmp_path, [(f"{n:02}", image, 90) for n in range(30)])
    assert pairs == {("00", f"{n:02}", "exact") for n in range(1, 30)}


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_lines_changes_no_finding(tmp_path: Path, seed: int) -> None:
    text = (PHOTOGRAPHS / "clothes-train.manifest").read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(seed).shuffle(text)
    (tmp_path / "clothes-train.manifest").write_text("".join(text), encoding="utf-8")
    found = []
    for folder in (PHOTOGRAPHS, tmp_path):
        rows = groundlint.check(folder / "clothes-train.manifest", isolated=True, images=[str(PHOTOGRAPHS)]).findings
        found.append(sorted(rows.select("code", "source_ref", "message").rows(), key=str))
    assert len(found[0]) > 8
    assert found[0] == found[1]


def checked(*paths: Path, select: Sequence[str] = ("DUP",), **splits: Sequence[Path]) -> pl.DataFrame:
    return groundlint.check(*paths, isolated=True, select=select, **splits).findings


def found(
    folder: Path, train: Lines, test: Lines | None = None, *, names: tuple[str, str] = ("train", "test")
) -> set[tuple[str, str]]:
    """Codes and image names of all findings on duplicates and leaks."""
    manifests = [folder / f"{name}.manifest" for name in names]
    for path, lines in zip(manifests, (train, test or []), strict=True):
        path.write_text(manifest(*lines), encoding="utf-8")
    if test is None:
        rows = checked(manifests[0])
    else:
        rows = checked(select=("DUP", "SPL2"), train=manifests[:1], test=manifests[1:])
    return {(code, Path(ref).name) for code, ref in rows.select("code", "source_ref").rows()}


def labeled(*names: str, label: str = "cat", attribute: str = "animals") -> Lines:
    return [classification(f"s3://bucket/{name}", label, attribute) for name in names]


def test_equal_pixels_in_other_bytes_are_an_exact_duplicate(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    for name in ("a.png", "b.bmp"):
        image.save(tmp_path / name)
    (code,) = {code for code, _ in found(tmp_path, labeled("a.png", "b.bmp"))}
    assert code == "DUP101"


def test_a_finding_names_at_most_21_images_of_its_group_the_kept_one_first(tmp_path: Path) -> None:
    for n in range(30):
        Image.open(RACCOONS[0]).save(tmp_path / f"{n:02}.jpg")
    path = tmp_path / "train.manifest"
    path.write_text(manifest(*labeled(*(f"{n:02}.jpg" for n in range(30)))), encoding="utf-8")
    rows = checked(path, select=["exact-duplicate"])
    assert rows.height == 29
    assert set(rows["message"]) == {"exact duplicate of s3://bucket/00.jpg (group of 30 images); remove this image"}
    for own, related in rows.select("source_ref", "related").rows():
        assert related[0]["source_ref"] == "s3://bucket/00.jpg"
        assert len({place["source_ref"] for place in related}) == 21
        assert own not in [place["source_ref"] for place in related]


def test_two_names_of_one_file_are_reported_as_such(tmp_path: Path) -> None:
    Image.open(RACCOONS[0]).save(tmp_path / "1.jpg")
    path = tmp_path / "train.manifest"
    lines = [classification(f"s3://{bucket}/1.jpg") for bucket in ("bucket", "other")]
    path.write_text(manifest(*lines), encoding="utf-8")
    assert checked(path)["message"].item() == (
        "the same file as s3://bucket/1.jpg, under another name (group of 2 images); "
        "correct the name, or remove this image"
    )


def test_images_of_different_data_sets_are_no_duplicates(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b"):
        Image.open(RACCOONS[0]).save(tmp_path / f"{name}.jpg")
        paths.append(tmp_path / f"{name}.manifest")
        paths[-1].write_text(manifest(*labeled(f"{name}.jpg")), encoding="utf-8")
    assert checked(*paths).is_empty()
    assert checked(train=paths)["source_ref"].to_list() == ["s3://bucket/b.jpg"]


@pytest.mark.parametrize(("train", "test"), [("a", "z"), ("z", "a")])
def test_duplicates_within_a_split_and_across_splits_are_all_reported(tmp_path: Path, train: str, test: str) -> None:
    for name in (f"{train}1.jpg", f"{train}2.jpg", f"{test}1.jpg", f"{test}2.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    train_lines, test_lines = labeled(f"{train}1.jpg", f"{train}2.jpg"), labeled(f"{test}1.jpg", f"{test}2.jpg")
    assert found(tmp_path, train_lines, test_lines) == {
        ("DUP101", f"{train}2.jpg"),
        ("DUP101", f"{test}2.jpg"),
        ("SPL204", f"{test}1.jpg"),
        ("SPL204", f"{test}2.jpg"),
    }


@pytest.mark.parametrize(("train", "test"), [("a", "b"), ("b", "a")])
def test_a_leak_does_not_depend_on_the_names_of_manifests(tmp_path: Path, train: str, test: str) -> None:
    for name in ("1.jpg", "copy.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    codes = found(tmp_path, labeled("1.jpg"), labeled("1.jpg", "copy.jpg"), names=(train, test))
    assert codes == {("SPL204", "1.jpg"), ("SPL204", "copy.jpg"), ("DUP101", "copy.jpg")}


def test_an_image_equal_to_a_near_duplicate_is_an_exact_duplicate_of_it(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    image.save(tmp_path / "big.jpg")
    half = image.resize((image.width // 2, image.height // 2))
    for name in ("half.jpg", "same.jpg"):
        half.save(tmp_path / name)
    codes = found(tmp_path, labeled("big.jpg", "half.jpg", "same.jpg"))
    assert codes == {("DUP102", "half.jpg"), ("DUP101", "same.jpg")}


def test_an_image_with_one_other_pixel_is_a_near_duplicate(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB").resize((1600, 1200))
    image.save(tmp_path / "1.png")
    image.putpixel((800, 600), (255, 0, 0))
    image.save(tmp_path / "2.png")
    assert found(tmp_path, labeled("1.png", "2.png")) in ({("DUP102", "1.png")}, {("DUP102", "2.png")})


def test_a_jpeg_without_its_metadata_is_an_exact_duplicate(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    image.save(tmp_path / "1.jpg", quality=90, comment=b"taken by nobody", dpi=(72, 72))
    image.save(tmp_path / "2.jpg", quality=90)
    assert found(tmp_path, labeled("1.jpg", "2.jpg")) == {("DUP101", "2.jpg")}


def test_files_that_are_not_images_are_no_duplicates(tmp_path: Path) -> None:
    names = [f"{n}.jpg" for n in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(b"<html>403</html>" if name < "2" else b"")
    Image.open(RACCOONS[0]).save(tmp_path / "9.jpg")
    assert found(tmp_path, labeled(*names, "9.jpg")) == set()


def test_labels_conflict_under_other_attributes_and_where_the_kept_image_has_none(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        Image.open(RACCOONS[0]).save(tmp_path / name)
    cat, dog = labeled("2.jpg", attribute="cat"), labeled("3.jpg", label="dog", attribute="dog")
    codes = found(tmp_path, [{"source-ref": "s3://bucket/1.jpg"}, *cat, *dog])
    assert codes == {("DUP101", "2.jpg"), ("DUP101", "3.jpg"), ("DUP104", "3.jpg")}


def test_boxes_are_compared_under_other_attributes_but_not_with_a_mirrored_image(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    for name in ("1.jpg", "2.jpg"):
        image.save(tmp_path / name, quality=85)
    ImageOps.mirror(image).save(tmp_path / "mirrored.jpg", quality=95)
    left = ({"left": 50, "top": 50, "width": 100, "height": 100},)
    right = ({**left[0], "left": image.width - 150},)
    lines = [
        detection(f"s3://bucket/{name}", boxes, name=attribute)
        for name, boxes, attribute in (("1.jpg", left, "a"), ("2.jpg", left, "b"), ("mirrored.jpg", right, "a"))
    ]
    assert found(tmp_path, lines) == {("DUP102", "1.jpg"), ("DUP101", "2.jpg")}
    lines[1] = detection("s3://bucket/2.jpg", right, name="b")
    assert ("DUP105", "2.jpg") in found(tmp_path, lines)


def test_boxes_are_not_compared_with_those_of_a_crop_of_the_same_size(tmp_path: Path) -> None:
    image = Image.open(PHOTOGRAPHS / "raccoons/027.jpg").convert("RGB")
    image.save(tmp_path / "1.jpg", quality=95)
    cropped(image, 0.04).resize(image.size).save(tmp_path / "2.jpg", quality=90)
    boxes = ({"left": 50, "top": 50, "width": 100, "height": 100},)
    moved = ({"left": 36, "top": 36, "width": 109, "height": 109},)
    lines = [detection("s3://bucket/1.jpg", boxes), detection("s3://bucket/2.jpg", moved)]
    assert found(tmp_path, lines) == {("DUP102", "2.jpg")}


def scene(folder: Path, name: str, pasted: Path, left: int, top: int, side: int = 60) -> dict[str, Any]:
    """Save the first photograph with another one pasted, as a fixed camera sees an object; return its line."""
    ground = ImageEnhance.Brightness(Image.open(RACCOONS[0]).convert("RGB")).enhance(0.9 + left / 2000)
    ground.paste(Image.open(pasted).convert("RGB").resize((side, side)), (left, top))
    ground.save(folder / name, quality=90)
    line = detection(f"s3://bucket/{name}", ({"left": left, "top": top, "width": side, "height": side},))
    line["animals"]["image_size"] = [{"width": ground.width, "height": ground.height, "depth": 3}]
    return line


def test_other_objects_before_a_fixed_camera_are_no_duplicates(tmp_path: Path) -> None:
    lines = [scene(tmp_path, f"{n}.jpg", path, 20 + 40 * n, 30 + 25 * (n % 3)) for n, path in enumerate(RACCOONS[1:5])]
    assert found(tmp_path, lines) == set()


def test_other_objects_in_the_same_place_are_no_duplicates_if_their_labels_differ(tmp_path: Path) -> None:
    lines = [scene(tmp_path, f"{n}.jpg", path, 50, 50) for n, path in enumerate(RACCOONS[1:3])]
    lines[1]["animals"]["annotations"][0]["class_id"] = 1
    lines[1]["animals-metadata"]["class-map"] = {"1": "dog"}
    assert found(tmp_path, lines) == set()
    assert found(tmp_path, [*labeled("0.jpg"), *labeled("1.jpg", label="dog")]) == set()


def test_objects_too_small_to_be_seen_are_other_ones_if_both_images_have_one_elsewhere(tmp_path: Path) -> None:
    one, other = (scene(tmp_path, f"{n}.jpg", RACCOONS[1], 40 + 90 * n, 50, side=6) for n in range(2))
    assert found(tmp_path, [one, other]) == set()
    moved = {**one, "source-ref": other["source-ref"]}
    assert {code for code, _ in found(tmp_path, [one, moved])} == {"DUP102"}


def test_copies_that_are_boxed_differently_are_duplicates_and_neither_is_to_be_removed(tmp_path: Path) -> None:
    image = Image.open(RACCOONS[0]).convert("RGB")
    image.save(tmp_path / "1.jpg", quality=95)
    ImageEnhance.Brightness(image).enhance(1.2).save(tmp_path / "2.jpg", quality=60)
    lines = [
        detection("s3://bucket/1.jpg", ({"left": 20, "top": 20, "width": 90, "height": 90},)),
        detection("s3://bucket/2.jpg", ({"left": 100, "top": 40, "width": 60, "height": 80},)),
    ]
    assert found(tmp_path, lines) == {("DUP102", "2.jpg"), ("DUP105", "2.jpg")}
    message = checked(tmp_path / "train.manifest", select=["near-duplicate"])["message"].item()
    assert message == (
        "near-duplicate of s3://bucket/1.jpg (group of 2 images), but labeled differently; "
        "keep the one with the right labels"
    )


def window(image: Image.Image, left: float, top: float, side: float) -> Image.Image:
    """A part of an image, in shares of its sides."""
    width, height = image.size
    edges = (left * width, top * height, (left + side) * width, (top + side) * height)
    return image.crop(tuple(round(edge) for edge in edges))  # type: ignore[arg-type]


def similar(folder: Path, train: Lines, test: Lines | None = None) -> pl.DataFrame:
    paths = [folder / "train.manifest", folder / "test.manifest"]
    for path, lines in zip(paths, (train, test or []), strict=True):
        path.write_text(manifest(*lines), encoding="utf-8")
    chosen = ["similar-images"]
    return checked(select=chosen, train=paths[:1], test=paths[1:]) if test else checked(paths[0], select=chosen)


@pytest.mark.parametrize("share", [0.25, 0.28])
def test_a_large_crop_is_similar_also_where_images_have_only_boxes(tmp_path: Path, share: float) -> None:
    for n, path in enumerate(RACCOONS[:5]):
        Image.open(path).convert("RGB").save(tmp_path / f"{n}.jpg", quality=90)
    original = Image.open(RACCOONS[0]).convert("RGB")
    window(original, share / 2, share / 2, 1 - share).save(tmp_path / "crop.jpg", quality=90)
    names = ["crop.jpg", *(f"{n}.jpg" for n in range(5))]
    for lines in (labeled(*names), [detection(f"s3://bucket/{name}") for name in names]):
        rows = similar(tmp_path, lines)
        assert rows.select("source_ref", "severity").rows() == [("s3://bucket/crop.jpg", "info")]
        assert [place["source_ref"] for place in rows["related"].item()] == ["s3://bucket/0.jpg"]


def test_frames_of_a_slow_pan_are_one_group_and_leak_into_the_test_data(tmp_path: Path) -> None:
    original = Image.open(RACCOONS[0]).convert("RGB")
    for n in range(5):
        window(original, 0.05 * n, 0.1, 0.8).save(tmp_path / f"{n}.jpg", quality=90)
    for n in (5, 6):
        Image.open(RACCOONS[n]).convert("RGB").save(tmp_path / f"{n}.jpg", quality=90)
    names = [f"{n}.jpg" for n in range(7)]
    within = similar(tmp_path, labeled(*names))
    assert within.height == 4
    assert within["message"].str.contains("group of 5 images", literal=True).all()
    across = similar(tmp_path, labeled(*names[:4], "5.jpg"), labeled("4.jpg", "6.jpg"))
    leaks = across.filter(pl.col("severity") == "warning")
    assert leaks.select("manifest", "line", "source_ref").rows() == [
        (str(tmp_path / "test.manifest"), 1, "s3://bucket/4.jpg")
    ]
    assert {place["manifest"] for place in leaks["related"].item()} == {str(tmp_path / "train.manifest")}
    again = similar(tmp_path, labeled("5.jpg", *reversed(names[:4])), labeled("6.jpg", "4.jpg"))
    assert sorted(again["message"]) == sorted(across["message"])


def test_similar_images_are_exported_and_are_not_looked_for_in_a_fast_run(tmp_path: Path) -> None:
    original = Image.open(RACCOONS[0]).convert("RGB")
    images = [("a", original, 90), ("b", window(original, 0.125, 0.125, 0.75), 90)]
    assert near_pairs(tmp_path, images) == {("a", "b", "similar")}
    done = CliRunner().invoke(app, ["check", str(tmp_path / "a.manifest"), "--isolated", "--no-cache", "--fast", "-q"])
    assert "similar-images" not in done.output
