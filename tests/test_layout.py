"""The layout of a picture: colours where they are, edges in their direction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from groundlint_rules.algorithms.layout import layout


def plain(*colour: int, side: int = 64) -> NDArray[np.uint8]:
    return np.full((1, side, side, 3), colour, np.uint8)


def cells(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, :192].reshape(8, 8, 3)


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, 192:768].reshape(8, 8, 9)


def colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, 768:].reshape(8, 4, 4)


def test_cells_hold_luma_and_chroma_in_their_place() -> None:
    pixels = plain(100, 100, 100)
    pixels[0, 8:16, 56:] = (255, 0, 0)
    found = cells(pixels)
    # The primaries of JPEG's red, less the middle of 128: ITU-T T.871.
    assert found[1, 7] == pytest.approx((76.2, -43.0, 127.5), abs=0.1)
    found[1, 7] = (100, 0, 0)
    assert np.abs(found - (100, 0, 0)).max() < 0.01


@pytest.mark.parametrize("side", [64, 128, 160, 200])
def test_what_is_seen_does_not_depend_on_the_size(side: int) -> None:
    pixels = plain(100, 100, 100, side=side)
    pixels[0, : side // 2] = (255, 255, 255)
    assert cells(pixels)[:, 0, 0] == pytest.approx([255] * 4 + [100] * 4, abs=0.01)


def test_edges_have_their_direction_and_place() -> None:
    upright = plain(0, 0, 0)
    upright[0, :, 20:] = 200
    found = edges(upright)
    assert found[:, 2, 0].min() > 0.2
    assert found.sum() == pytest.approx(found[:, 2, 0].sum())
    flat = edges(upright.transpose(0, 2, 1, 3))
    # A right angle is 4.5 of 9 directions: half of it each to the fifth and the sixth.
    assert flat[2, :, 4] == pytest.approx(flat[2, :, 5])
    assert flat.sum() == pytest.approx(flat[2, :, 4:6].sum())


def test_edges_are_the_same_in_weak_light_and_absent_on_even_ground() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1))
    strong, weak = (np.repeat(noise // part, 3, 3).astype(np.uint8) for part in (1, 2))
    assert edges(weak) == pytest.approx(edges(strong), abs=0.01)
    assert edges(plain(90, 120, 30)).max() == 0


@pytest.mark.parametrize(
    ("colour", "place"),
    [
        ((255, 0, 0), (0, 3, 3)),
        ((0, 255, 0), (2, 3, 3)),
        ((0, 0, 255), (5, 3, 3)),
        ((255, 0, 1), (7, 3, 3)),
        ((128, 128, 128), (0, 0, 2)),
        ((0, 0, 0), (0, 0, 0)),
        ((100, 60, 60), (0, 1, 1)),
    ],
)
def test_a_colour_has_its_bin(colour: tuple[int, int, int], place: tuple[int, int, int]) -> None:
    found = colours(plain(*colour))
    assert found[place] == 1
    assert found.sum() == 1


def test_shares_of_colours_are_rooted() -> None:
    pixels = plain(255, 0, 0)
    pixels[0, :16] = 0
    assert colours(pixels)[0, 3, 3] ** 2 == pytest.approx(0.75)
    assert (colours(pixels) ** 2).sum() == pytest.approx(1)


def test_numbers_do_not_depend_on_the_other_pictures() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    found = layout(pictures)
    assert found.shape == (3, 896)
    assert np.isfinite(found).all()
    assert np.array_equal(found[1], layout(pictures[1:2])[0])


@pytest.mark.parametrize("shape", [(1, 60, 60, 3), (1, 64, 72, 3), (64, 64, 3), (1, 64, 64, 1), (1, 0, 0, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not square RGB pictures"):
        layout(np.zeros(shape, np.uint8))
