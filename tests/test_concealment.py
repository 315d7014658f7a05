"""Objects that something unboxed hides: ranked by their pictures, beside those of their label."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import detection, manifest
from PIL import Image, ImageDraw, ImageFilter
from polars import col
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app
from groundlint_rules.algorithms.occlusion import unusual

COUNT = 60
BOX = {"left": 40, "top": 40, "width": 80, "height": 80}
"""Of every picture of 160 pixels."""


class Shown(NamedTuple):
    """What a picture shows, under which label; whether a piece of its background hides the left half of it."""

    shape: str
    class_id: int
    is_hidden: bool = False


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(shown: Shown, seed: int) -> bytes:
    """A red ring or a blue grid before grey grain, each time in another place and out of focus by another measure."""
    generator = np.random.default_rng(seed)
    grain = Image.fromarray(generator.integers(60, 200, (40, 40), np.uint8)).resize((160, 160)).convert("RGB")
    picture = grain.copy()
    draw = ImageDraw.Draw(picture)
    left, top, width, height = BOX.values()
    moved = int(generator.integers(-4, 5))
    if shown.shape == "ring":
        draw.ellipse((left + moved, top, left + width + moved, top + height), outline="red", width=14)
        draw.ellipse((65 + moved, 65, 95 + moved, 95), fill="yellow")
    else:
        for place in range(left, left + width + 1, 16):
            draw.line((place + moved, top, place + moved, top + height), fill="blue", width=5)
            draw.line((left, place + moved, left + width, place + moved), fill="blue", width=5)
    if shown.is_hidden:
        picture.paste(grain.crop((0, 0, 55, 120)), (30, 30))
    picture = picture.filter(ImageFilter.GaussianBlur(generator.uniform(0, 3)))
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def written(pictures: Sequence[Shown], box: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Writes the pictures; the lines of their manifest."""
    lines = []
    for seed, shown in enumerate(pictures):
        Path(f"{seed}.png").write_bytes(drawn(shown, seed))
        line = detection(f"s3://bucket/{seed}.png", (BOX | (box or {}) | {"class_id": shown.class_id},))
        line["animals"]["image_size"] = [{"width": 160, "height": 160, "depth": 3}]
        lines.append(line)
    return lines


def concealment(lines: Sequence[dict[str, Any]], *arguments: str) -> pl.DataFrame:
    Path("a.manifest").write_text(manifest(*lines))
    done = CliRunner().invoke(
        app, ["export", "concealment", "a.manifest", "--to", "a.parquet", "--isolated", "--no-cache", *arguments]
    )
    assert done.exit_code == 0, done.output
    return pl.read_parquet("a.parquet")


RINGS = [Shown("ring", 0, is_hidden=n % 10 == 3) for n in range(COUNT)]


def test_half_hidden_objects_head_the_ranking() -> None:
    ranked = concealment(written(RINGS)).sort("score", descending=True)["line"].to_list()
    assert {line - 1 for line in ranked[:6]} == {n for n in range(COUNT) if RINGS[n].is_hidden}


def test_the_rule_names_them_and_nobody_else() -> None:
    Path("a.manifest").write_text(manifest(*written(RINGS)))
    found = groundlint.check("a.manifest", isolated=True, select=["VIS104"])
    assert {line - 1 for line in found["line"]} == {n for n in range(COUNT) if RINGS[n].is_hidden}
    assert "it may be hidden" in found["message"][0]


def test_neither_the_order_of_lines_nor_the_number_of_jobs_matters() -> None:
    lines = written(RINGS)
    keys = ["source_ref", "figure", "lack", "score"]
    one = concealment(lines, "--jobs", "1").select(keys).sort("source_ref")
    other = concealment(lines[::-1], "--jobs", "2").select(keys).sort("source_ref")
    assert one.equals(other)


def test_an_object_of_another_label_is_mislabelled_rather_than_hidden() -> None:
    shown = [Shown("ring", 0) for _ in range(COUNT)] + [Shown("grid", 1) for _ in range(COUNT)]
    shown[7] = Shown("grid", 0)
    judged = concealment(written(shown))
    assert judged.filter(col("lack").is_null())["line"].to_list() == [8]


@pytest.mark.parametrize(
    ("count", "box"),
    [
        (49, {}),
        (COUNT, {"width": 19, "height": 19}),
        (COUNT, {"left": 0, "top": 0, "width": 160, "height": 160}),
    ],
    ids=["few boxes", "small boxes", "boxes of whole images"],
)
def test_what_cannot_be_compared_is_not_judged(count: int, box: dict[str, int]) -> None:
    assert concealment(written(RINGS[:count], box)).is_empty()


@pytest.mark.parametrize(("side", "count"), [(15, 0), (16, COUNT)])
def test_labels_of_boxes_are_judged_from_sixteen_pixels_on(side: int, count: int) -> None:
    shown = [Shown("ring" if n % 2 else "grid", n % 2) for n in range(COUNT)]
    Path("a.manifest").write_text(manifest(*written(shown, {"width": side, "height": side})))
    done = CliRunner().invoke(app, ["export", "label_odds", "a.manifest", "--to", "a.parquet", "--isolated"])
    assert done.exit_code == 0, done.output
    assert pl.read_parquet("a.parquet")["suspicion"].count() == count


def test_many_boxes_of_few_images_are_not_judged() -> None:
    line = written(RINGS[:1])[0]
    line["animals"]["annotations"] *= COUNT
    line["animals-metadata"]["objects"] *= COUNT
    assert concealment([line]).is_empty()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_what_size_and_sharpness_explain_is_not_unusual(seed: int, scale: float, offset: float) -> None:
    generator = np.random.default_rng(seed)
    conditions = generator.normal(size=(100, 2))
    values = conditions[:, 0] - conditions[:, 1] ** 2 + generator.normal(0, 0.1, 100)
    values[5] += 5
    found = unusual(scale * values + offset, conditions)
    assert found.argmax() == 5
    assert found[5] > 10
    assert abs(np.corrcoef(np.delete(found, 5), np.delete(conditions[:, 0], 5))[0, 1]) < 0.3
