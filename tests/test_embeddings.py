"""Embeddings: a copy is closer than another image, and a wrong label is found by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from lines import classification, detection, manifest
from PIL import Image

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
WRONG = 31
"""The image that has the label of the other kind."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs of raccoons, a copy of the first at half its size, and their manifest."""
    first, second = sorted((PHOTOGRAPHS / "raccoons").glob("*.jpg"))[:2]
    for name, path in (("first", first), ("second", second)):
        (tmp_path / f"{name}.jpg").write_bytes(path.read_bytes())
    with Image.open(first) as image:
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "copy.jpg")
    lines = [classification(f"s3://bucket/{name}.jpg", "raccoon") for name in ("first", "second", "copy")]
    (tmp_path / "train.manifest").write_text(manifest(*lines))
    return tmp_path


def exported(table: str, folder: Path) -> pl.DataFrame:
    """A table of a manifest."""
    command = [sys.executable, "-m", "groundlint", "export", table, "train.manifest", "--to", "table.parquet"]
    subprocess.run([*command, "--images", ".", "--isolated"], cwd=folder, check=True)
    return pl.read_parquet(folder / "table.parquet")


def similarity(first: bytes, second: bytes) -> float:
    """Cosine similarity of two embeddings."""
    a, b = (np.frombuffer(embedding, np.uint8).astype(np.float64) for embedding in (first, second))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_copy_is_more_similar_than_another_image(folder: Path) -> None:
    of = dict(exported("images", folder).select("path", "image_embedding").rows())
    assert {len(embedding) for embedding in of.values()} == {1280}
    assert similarity(of["first.jpg"], of["copy.jpg"]) > similarity(of["first.jpg"], of["second.jpg"]) + 0.1


def test_a_wrong_label_is_found_with_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = []
    for n in range(60):
        kind = n % 2
        striped(random, kind).save(tmp_path / f"{n}.png")
        lines.append(classification(f"s3://bucket/{n}.png", ("rows", "columns")[kind if n != WRONG else 1 - kind]))
    (tmp_path / "train.manifest").write_text(manifest(*lines))
    odds = exported("label_odds", tmp_path)
    assert odds.sort("suspicion")["line"][-1] == WRONG + 1


def striped(random: np.random.Generator, kind: int) -> Image.Image:
    """An image of rows or columns in random colors."""
    rows = random.integers(0, 256, (64, 1, 3), np.uint8).repeat(64, axis=1)
    return Image.fromarray(rows if kind == 0 else rows.transpose(1, 0, 2))


def test_every_box_of_16_px_and_more_is_judged(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    # Of each image: all of it, the smallest boxes that are judged, and boxes that are too small.
    places = [(0, 0, 64, 64), (8, 8, 16, 16), (8, 8, 16, 4), (8, 8, 3, 16), (8, 8, 15, 15), (8, 8, 15, 1)]
    lines = []
    for n in range(40):
        striped(random, n % 2).save(tmp_path / f"{n}.png")
        boxes = [
            {"class_id": n % 2, "left": left, "top": top, "width": width, "height": height}
            for left, top, width, height in places
        ]
        line = detection(f"s3://bucket/{n}.png", tuple(boxes))
        line["animals"]["image_size"] = [{"width": 64, "height": 64, "depth": 3}]
        lines.append(line)
    (tmp_path / "train.manifest").write_text(manifest(*lines))
    odds = exported("label_odds", tmp_path)
    judged = odds.filter(pl.col("suspicion").is_not_null()).group_by("box").len().sort("box")
    assert judged.rows() == [(box, 40) for box in range(4)]
