"""The layout of an image: colors in their place, edges in their direction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from groundlint_rules.algorithms.layout import layout


def plain(*color: int, side: int = 64) -> NDArray[np.uint8]:
    return np.full((1, side, side, 3), color, np.uint8)


def cells(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, :192].reshape(8, 8, 3)


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, 192:768].reshape(8, 8, 9)


def colors(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(pixels)[0, 768:].reshape(8, 4, 4)


def test_cells_hold_luma_and_chroma_in_their_place() -> None:
    pixels = plain(100, 100, 100)
    pixels[0, 8:16, 56:] = (255, 0, 0)
    found = cells(pixels)
    # JPEG's red in YCbCr (ITU-T T.871), with chroma centered on 0.
    assert found[1, 7] == pytest.approx((76.2, -43.0, 127.5), abs=0.1)
    found[1, 7] = (100, 0, 0)
    assert np.abs(found - (100, 0, 0)).max() < 0.01


@pytest.mark.parametrize("side", [64, 128, 160, 200])
def test_cells_do_not_depend_on_the_size_of_the_image(side: int) -> None:
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
    # A right angle is 4.5 of 9 directions, so it is shared equally between directions 4 and 5.
    assert flat[2, :, 4] == pytest.approx(flat[2, :, 5])
    assert flat.sum() == pytest.approx(flat[2, :, 4:6].sum())


def test_edges_do_not_depend_on_contrast_and_a_plain_image_has_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1))
    strong, weak = (np.repeat(noise // part, 3, 3).astype(np.uint8) for part in (1, 2))
    assert edges(weak) == pytest.approx(edges(strong), abs=0.01)
    assert edges(plain(90, 120, 30)).max() == 0


@pytest.mark.parametrize(
    ("color", "place"),
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
def test_a_color_falls_into_its_bin(color: tuple[int, int, int], place: tuple[int, int, int]) -> None:
    found = colors(plain(*color))
    assert found[place] == 1
    assert found.sum() == 1


def test_color_shares_are_stored_as_square_roots() -> None:
    pixels = plain(255, 0, 0)
    pixels[0, :16] = 0
    assert colors(pixels)[0, 3, 3] ** 2 == pytest.approx(0.75)
    assert (colors(pixels) ** 2).sum() == pytest.approx(1)


def test_a_row_does_not_depend_on_the_other_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    found = layout(images)
    assert found.shape == (3, 896)
    assert np.isfinite(found).all()
    assert np.array_equal(found[1], layout(images[1:2])[0])


@pytest.mark.parametrize("shape", [(1, 60, 60, 3), (1, 64, 72, 3), (64, 64, 3), (1, 64, 64, 1), (1, 0, 0, 3)])
def test_pixels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not square RGB images"):
        layout(np.zeros(shape, np.uint8))
