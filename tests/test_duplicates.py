"""Duplicates among real photographs: what is taken for the same, what is not, and whatever order the lines have."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from lines import classification
from PIL import Image, ImageEnhance, ImageOps
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app

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
    manifest = tmp_path / "train.manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    found = groundlint.check(manifest, isolated=True, select=["exact-duplicate", "near-duplicate"])
    assert found["name"].to_list() == ["exact-duplicate"]


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
