"""The search for similar images: exact and by an index, whatever the order of lines, and for small images."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from groundlint_rules.algorithms import nearest_neighbors
from groundlint_rules.algorithms.image_overlap import (
    COARSE_SEARCH,
    MIDDLE_SEARCH,
    SEARCH,
    SMALL_SEARCH,
    overlap,
    shrunk,
)
from groundlint_rules.algorithms.nearest_neighbors import exact, indexed, nearest, reduction
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.tables.similar_pairs import similar_pairs

RACCOONS = sorted((Path(__file__).parents[1] / "fixtures/photographs/raccoons").iterdir())[:9]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(count: int) -> np.ndarray:
    """Embeddings round a tenth as many centers, as photographs of one kind are."""
    draw = np.random.default_rng(3)
    centers = draw.normal(size=(max(1, count // 10), 32))
    return unit(centers[draw.integers(0, len(centers), count)] + 0.4 * draw.normal(size=(count, 32)))


def pairs(rows: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in rows}


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 400), st.integers(1, 12), st.floats(-1, 0.9))
def test_exact_search_finds_what_sorting_all_cosines_finds(count: int, neighbors: int, min_cosine: float) -> None:
    rows = clustered(count) if count else np.empty((0, 32), np.float32)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -2)
    expected = set()
    for own, values in enumerate(cosines):
        for other in np.argsort(-values, kind="stable")[: min(neighbors, count - 1)]:
            # A cosine at the limit may be rounded either way.
            if values[other] >= min_cosine + 1e-6:
                expected.add((min(own, int(other)), max(own, int(other))))
    found = pairs(nearest(rows, neighbors, min_cosine))
    assert expected <= found
    assert all(cosines[a, b] >= min_cosine - 1e-6 for a, b in found - expected)


def test_of_equal_images_no_more_than_the_neighbors_are_paired() -> None:
    rows = np.tile(clustered(10)[:1], (2000, 1))
    assert len(nearest(rows, 10, 0.5)) <= 20_000


def test_the_index_finds_nearly_all_that_exact_search_finds() -> None:
    rows = clustered(6_000)
    wanted, found = (pairs(search(rows, 10, 0.5)) for search in (exact, indexed))
    assert len(found & wanted) / len(wanted) > 0.98


BOX = ("left", "top", "width", "height")


def made(order: np.ndarray) -> set[tuple[str, str, float]]:
    """Similar pairs among crops of few photographs, with lines in an order."""
    images = []
    for path in RACCOONS[:6]:
        gray = np.asarray(Image.open(path).convert("L").resize((80, 80)))
        images += [gray[n : n + 64, n : n + 64] for n in range(0, 16, 4)]
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 255, (6, NUMBERS))
    roots = [np.clip(kinds[n // 4] + draw.integers(-20, 20, NUMBERS), 0, 255).astype(np.uint8) for n in range(24)]
    rows = pl.DataFrame(
        {
            "data_set": pl.Series([0] * 24, dtype=pl.Int32),
            "source_ref": [f"s3://bucket/{n:02}.jpg" for n in range(24)],
            "image_embedding": [row.tobytes() for row in roots],
            "medium_image": [image.tobytes() for image in images],
            "small_image": [image[::2, ::2].tobytes() for image in images],
            "width": [400] * 24,
            "height": [300] * 24,
        }
    )[order]
    lines = rows.select("data_set", "source_ref", manifest=pl.lit("a"), line=pl.int_range(1, 25, dtype=pl.Int32))
    texts = dict.fromkeys(("source_ref", "group", "attribute", "label"), pl.String)
    none = pl.LazyFrame(schema={"data_set": pl.Int32, **texts, **dict.fromkeys(BOX, pl.Float64)})
    found = similar_pairs.function(rows.lazy(), none, lines.lazy(), none, none).lazy().collect()
    return set(found.select("a_source_ref", "b_source_ref", "similarity").iter_rows())


@cache
def in_order() -> set[tuple[str, str, float]]:
    return made(np.arange(24))


@settings(deadline=None, max_examples=3)
@given(st.permutations(range(24)))
def test_pairs_that_the_index_finds_do_not_depend_on_the_order_of_lines(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_neighbors, "MAX_EXACT", 10)
        patch.setattr(nearest_neighbors, "LIST_LENGTH", 4)
        patch.setattr(nearest_neighbors, "PROBED", 2)
        found = made(np.array(order))
        assert len(found) >= 18
        assert found == in_order()


def squares(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").resize((64, 64), Image.Resampling.LANCZOS))[None]


@pytest.mark.parametrize("shift", [2, 4])
@pytest.mark.parametrize("path", RACCOONS[:6], ids=lambda path: path.stem)
def test_a_small_image_is_found_in_a_shifted_one(path: Path, shift: int) -> None:
    whole = Image.open(path).convert("RGB").resize((40, 40), Image.Resampling.BOX)
    one, other = (squares(whole.crop((x, 2, x + 32, 34))) for x in (2, 2 + shift))
    assert overlap(one, other, SMALL_SEARCH)[0] >= SMALL_SEARCH.min_overlap


def test_candidates_are_left_out_only_if_they_show_different_things() -> None:
    images = [Image.open(path).convert("RGB") for path in RACCOONS[:8]]
    crops = [image.crop((image.width // 10, image.height // 10, image.width, image.height)) for image in images]
    one, other = (np.concatenate([squares(image) for image in side]) for side in (images, crops))
    assert (overlap(one, other, SEARCH) >= SEARCH.min_overlap).any()
    for search in (COARSE_SEARCH, MIDDLE_SEARCH):
        here, there = shrunk(one, search.side), shrunk(other, search.side)
        assert (overlap(here, there, search) >= search.min_overlap).all()
        assert (overlap(here, np.roll(here, 1, axis=0), search) < search.min_overlap).mean() > 0.7


def test_embeddings_on_their_components_keep_cosines() -> None:
    draw = np.random.default_rng(0)
    roots = (draw.integers(0, 40, (500, 8)) @ draw.integers(0, 3, (8, 160))).clip(0, 255).astype(np.uint8)
    centered = unit(roots - roots.mean(axis=0))
    reduced = reduction(roots)(roots)
    assert np.abs(reduced @ reduced.T - centered @ centered.T).max() < 0.05
