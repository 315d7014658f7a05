"""Objects that something without a box occludes: ranked beside the others of their label."""

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
from groundlint_rules.algorithms.occlusion import excess

COUNT = 60
BOX = {"left": 40, "top": 40, "width": 80, "height": 80}
"""The box in every image, which has 160 x 160 px."""


class Shown(NamedTuple):
    """What an image shows, under which label, and whether a piece of its background occludes the left half of it."""

    shape: str
    class_id: int
    is_occluded: bool = False


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(shown: Shown, seed: int) -> bytes:
    """A red ring or a blue grid in front of gray grain, each time in another place and differently blurred."""
    generator = np.random.default_rng(seed)
    grain = Image.fromarray(generator.integers(60, 200, (40, 40), np.uint8)).resize((160, 160)).convert("RGB")
    image = grain.copy()
    draw = ImageDraw.Draw(image)
    left, top, width, height = BOX.values()
    moved = int(generator.integers(-4, 5))
    if shown.shape == "ring":
        draw.ellipse((left + moved, top, left + width + moved, top + height), outline="red", width=14)
        draw.ellipse((65 + moved, 65, 95 + moved, 95), fill="yellow")
    else:
        for place in range(left, left + width + 1, 16):
            draw.line((place + moved, top, place + moved, top + height), fill="blue", width=5)
            draw.line((left, place + moved, left + width, place + moved), fill="blue", width=5)
    if shown.is_occluded:
        image.paste(grain.crop((0, 0, 55, 120)), (30, 30))
    image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0, 3)))
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def written(images: Sequence[Shown], box: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Write the images and return the lines of their manifest."""
    lines = []
    for seed, shown in enumerate(images):
        Path(f"{seed}.png").write_bytes(drawn(shown, seed))
        line = detection(f"s3://bucket/{seed}.png", (BOX | (box or {}) | {"class_id": shown.class_id},))
        line["animals"]["image_size"] = [{"width": 160, "height": 160, "depth": 3}]
        lines.append(line)
    return lines


def exported(table: str, *arguments: str) -> pl.DataFrame:
    """A table of `a.manifest`, and of what the arguments name."""
    done = CliRunner().invoke(
        app, ["export", table, "a.manifest", "--to", "a.parquet", "--isolated", "--no-cache", *arguments]
    )
    assert done.exit_code == 0, done.output
    return pl.read_parquet("a.parquet")


def occlusion_scores(lines: Sequence[dict[str, Any]], *arguments: str) -> pl.DataFrame:
    """The scores of a manifest of these lines."""
    Path("a.manifest").write_text(manifest(*lines))
    return exported("occlusion_scores", *arguments)


RINGS = [Shown("ring", 0, is_occluded=n % 10 == 3) for n in range(COUNT)]


def test_half_occluded_objects_head_the_ranking() -> None:
    ranked = occlusion_scores(written(RINGS)).sort("score", descending=True)["line"].to_list()
    assert {line - 1 for line in ranked[:6]} == {n for n in range(COUNT) if RINGS[n].is_occluded}


def test_the_rule_reports_them_and_no_other() -> None:
    Path("a.manifest").write_text(manifest(*written(RINGS)))
    found = groundlint.check("a.manifest", isolated=True, select=["VIS104"]).findings
    assert {line - 1 for line in found["line"]} == {n for n in range(COUNT) if RINGS[n].is_occluded}
    assert "may be occluded: it looks less complete than" in found["message"][0]


def test_scores_depend_neither_on_the_order_of_lines_nor_on_the_number_of_jobs() -> None:
    lines = written(RINGS)
    keys = ["source_ref", "foreground", "deviations", "score"]
    one = occlusion_scores(lines, "--jobs", "1").select(keys).sort("source_ref")
    other = occlusion_scores(lines[::-1], "--jobs", "2").select(keys).sort("source_ref")
    assert one.equals(other)


def test_an_occluded_object_is_less_visible_than_the_others() -> None:
    Path("a.manifest").write_text(manifest(*written(RINGS)))
    rows = exported("visibility").sort("score", descending=True)
    assert rows.height == COUNT
    assert {line - 1 for line in rows["line"][:6]} == {n for n in range(COUNT) if RINGS[n].is_occluded}
    assert rows["score"][5] > 0.5 > rows["score"][6]


IN_FRONT = {"left": 70, "top": 60, "width": 80, "height": 80, "class_id": 1}
"""A box without content of its own: it covers 56% of `BOX`, and its lower edge is lower."""


def occluded(**options: Any) -> set[int]:
    """Numbers of the images whose ring object-occluded reports."""
    found = groundlint.check("a.manifest", isolated=True, select=["object-occluded"], **options).findings
    return {line - 1 for line, box in found.select("line", "box").rows() if box == 0}


def test_pixels_confirm_or_reject_what_boxes_suggest_and_boxes_alone_decide_in_fast_runs() -> None:
    lines = written(RINGS)
    for line in lines:
        line["animals"]["annotations"].append(IN_FRONT)
        line["animals-metadata"]["objects"].append({"confidence": 1})
        line["animals-metadata"]["class-map"] = {"0": "ring", "1": "veil"}
    Path("a.manifest").write_text(manifest(*lines))
    hidden = {n for n in range(COUNT) if RINGS[n].is_occluded}
    assert occluded(fast=True) == set(range(COUNT))
    by_pixels = occluded()
    assert hidden <= by_pixels
    assert len(by_pixels) < COUNT / 2


def test_data_sets_are_scored_apart() -> None:
    lines = written(RINGS)
    alone = occlusion_scores(lines)
    Path("b.manifest").write_text(manifest(*lines[::2]))
    together = exported("occlusion_scores", "b.manifest").filter(col("manifest") == "a.manifest")
    assert together.equals(alone)


def test_an_object_of_another_label_has_no_score() -> None:
    shown = [Shown("ring", 0) for _ in range(COUNT)] + [Shown("grid", 1) for _ in range(COUNT)]
    shown[7] = Shown("grid", 0)
    judged = occlusion_scores(written(shown))
    assert judged.filter(col("deviations").is_null())["line"].to_list() == [8]


@pytest.mark.parametrize(
    ("count", "box"),
    [
        (49, {}),
        (COUNT, {"width": 19, "height": 19}),
        (COUNT, {"left": 0, "top": 0, "width": 160, "height": 160}),
    ],
    ids=["few boxes", "small boxes", "boxes of whole images"],
)
def test_boxes_that_cannot_be_compared_have_no_row(count: int, box: dict[str, int]) -> None:
    assert occlusion_scores(written(RINGS[:count], box)).is_empty()


@pytest.mark.parametrize(("side", "count"), [(15, 0), (16, COUNT)])
def test_labels_of_boxes_are_judged_from_sixteen_pixels(side: int, count: int) -> None:
    shown = [Shown("ring" if n % 2 else "grid", n % 2) for n in range(COUNT)]
    Path("a.manifest").write_text(manifest(*written(shown, {"width": side, "height": side})))
    assert exported("label_odds")["suspicion"].count() == count


def test_a_box_with_the_label_of_another_shape_is_the_most_suspect() -> None:
    shown = [Shown("ring" if n % 2 else "grid", n % 2) for n in range(COUNT)]
    shown[7] = Shown("grid", 1)
    Path("a.manifest").write_text(manifest(*written(shown)))
    odds = exported("label_odds").sort("suspicion")
    assert odds["line"][-1] == 8
    assert odds["flagged"].sum() == 1


def test_the_margin_of_a_box_that_touches_the_image_edge_is_cut_and_the_box_is_still_compared() -> None:
    box = {"left": 0, "top": 0, "width": 120, "height": 120}
    assert occlusion_scores(written(RINGS, box)).height == COUNT


def test_many_boxes_in_few_images_have_no_row() -> None:
    line = written(RINGS[:1])[0]
    line["animals"]["annotations"] *= COUNT
    line["animals-metadata"]["objects"] *= COUNT
    assert occlusion_scores([line]).is_empty()


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_the_excess_is_what_size_and_sharpness_do_not_explain(seed: int, scale: float, offset: float) -> None:
    generator = np.random.default_rng(seed)
    conditions = generator.normal(size=(100, 2))
    values = conditions[:, 0] - conditions[:, 1] ** 2 + generator.normal(0, 0.1, 100)
    values[5] += 5
    found = excess(scale * values + offset, conditions)
    assert found.argmax() == 5
    assert found[5] > 10
    assert abs(np.corrcoef(np.delete(found, 5), np.delete(conditions[:, 0], 5))[0, 1]) < 0.3
