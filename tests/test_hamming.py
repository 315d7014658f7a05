"""Near hashes are those that comparing all finds; pair verification distinguishes versions from similar images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from groundlint_rules.algorithms import hamming
from groundlint_rules.algorithms.pair_verification import MIN_SIMILARITY, similarity

Hashes = NDArray[np.uint64]
Pair = tuple[int, int, int]

ALL_BITS = (1 << 64) - 1


def brute_force(a: Hashes, b: Hashes, radius: int) -> set[Pair]:
    distances = np.bitwise_count(a[:, None] ^ b)
    return {(int(i), int(j), int(distances[i, j])) for i, j in np.argwhere(distances <= radius)}


def brute_force_within(hashes: Hashes, radius: int) -> set[Pair]:
    return {(i, j, distance) for i, j, distance in brute_force(hashes, hashes, radius) if i < j}


def listed(found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]) -> list[Pair]:
    i, j, distance = found
    assert (i.dtype, j.dtype, distance.dtype) == (np.int64, np.int64, np.int8)
    return list(zip(i.tolist(), j.tolist(), distance.tolist(), strict=True))


def array(values: list[int]) -> Hashes:
    return np.array(values, np.uint64)


def flipped(value: int, bits: list[int]) -> int:
    for bit in bits:
        value ^= 1 << bit
    return value


@pytest.fixture(params=["default", "no shortcuts"])
def effort(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few hashes are all compared. Without that shortcut, and with small blocks, they are searched like many."""
    if request.param == "no shortcuts":
        monkeypatch.setattr(hamming, "_SORT_NS", 0.0)
        monkeypatch.setattr(hamming, "_PASS_NS", 20.0)
        monkeypatch.setattr(hamming, "_BLOCK", 7)
        monkeypatch.setattr(hamming, "_LARGE", 3)


# Around few centers, so that there are pairs at all distances; few varying bits, so that chunks distinguish little.
centers = st.lists(st.integers(0, ALL_BITS), min_size=1, max_size=3)
near_centers = centers.flatmap(
    lambda values: st.lists(
        st.builds(flipped, st.sampled_from(values), st.lists(st.integers(0, 63), max_size=12)), max_size=60
    )
)
few_bits = st.builds(
    lambda values, mask: [value & mask for value in values],
    st.lists(st.integers(0, ALL_BITS), max_size=60),
    st.sampled_from([0xFF, 0xFFFF << 48, 0x0101010101010101, 0xFFFFFFFF00000000, 0b11]),
)
hashes = st.one_of(st.lists(st.integers(0, ALL_BITS), max_size=60), near_centers, few_bits).map(array)
radii = st.one_of(st.just(8), st.integers(0, 12), st.integers(0, 64))


@pytest.mark.usefixtures("effort")
class TestSmall:
    """Any hashes, including equal ones, one and none."""

    # The fixture only sets constants, so examples may share it.
    @settings(deadline=None)
    @given(hashes=hashes, radius=radii)
    def test_pairs_are_those_of_brute_force(self, hashes: Hashes, radius: int) -> None:
        found = listed(hamming.pairs(hashes, radius))
        assert found == sorted(brute_force_within(hashes, radius))

    @settings(deadline=None)
    @given(a=hashes, b=hashes, radius=radii)
    def test_between_is_brute_force(self, a: Hashes, b: Hashes, radius: int) -> None:
        # Some of `a` in `b`, or there would rarely be a pair.
        b = np.concatenate([b, a[::3] ^ np.uint64(1 << 40)])
        assert listed(hamming.between(a, b, radius)) == sorted(brute_force(a, b, radius))

    @settings(deadline=None)
    @given(hashes=hashes, radius=radii, random=st.randoms(use_true_random=False))
    def test_order_changes_no_pair(self, hashes: Hashes, radius: int, random: Callable[..., object]) -> None:
        order = list(range(len(hashes)))
        random.shuffle(order)  # type: ignore[attr-defined]
        found = listed(hamming.pairs(hashes[order], radius)) if len(hashes) else []
        back = {(*sorted((order[i], order[j])), distance) for i, j, distance in found}
        assert back == set(listed(hamming.pairs(hashes, radius)))


def uniform(count: int) -> Hashes:
    return np.random.default_rng(count).integers(0, 1 << 64, count, dtype=np.uint64)


def planted(hashes: Hashes, flips: int) -> Hashes:
    """The same hashes, and every third of them with some random bits flipped."""
    generator = np.random.default_rng(flips)
    near = hashes[::3].copy()
    for _ in range(flips):
        near ^= np.uint64(1) << generator.integers(0, 64, len(near), dtype=np.uint64)
    return np.concatenate([hashes, near])


MANY = {
    "random": planted(uniform(3_000), 8),
    "just outside": planted(uniform(3_000), 9),
    "shared chunk": planted(uniform(3_000) | np.uint64(0xFFFF << 16), 6),
    "two live bytes": np.arange(700, dtype=np.uint64) << np.uint64(17),
    "equal and near": planted(uniform(30).repeat(20), 4),
    "linked bits": (uniform(3_000) & np.uint64(0xFFFFFFFF)) * np.uint64(0x100000001),
    "a ball": planted(np.zeros(400, np.uint64), 10),
    "one parity": np.bitwise_xor(uniform(3_000) << np.uint64(1), np.bitwise_count(uniform(3_000) << np.uint64(1)) & 1),
}


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("radius", [0, 1, 7, 8, 9])
def test_pairs_of_many_hashes_equal_those_of_brute_force(name: str, radius: int) -> None:
    hashes = MANY[name]
    assert set(found := listed(hamming.pairs(hashes, radius))) == brute_force_within(hashes, radius)
    assert len(found) == len(set(found))
    half = len(hashes) // 2
    a, b = hashes[:half], hashes[half:]
    assert listed(hamming.between(a, b, radius)) == sorted(brute_force(a, b, radius))


def test_all_hashes_within_two_bits_are_found() -> None:
    value = int(uniform(1)[0])
    near = [value ^ (1 << i) ^ (1 << j) for i in range(64) for j in range(i)]
    i, _, distance = hamming.between(array([value]), array(near), 2)
    assert (len(i), set(distance.tolist())) == (64 * 63 // 2, {2})
    assert not len(hamming.between(array([value]), array(near), 1)[0])


@pytest.mark.parametrize("radius", [-1, 65])
def test_a_radius_outside_0_to_64_is_refused(radius: int) -> None:
    with pytest.raises(ValueError, match=r"radius .* is outside 0 to 64"):
        hamming.pairs(uniform(2), radius)


def test_only_a_row_of_uint64_is_accepted() -> None:
    with pytest.raises(ValueError, match="row of uint64"):
        hamming.pairs(uniform(2).astype(np.int64), 8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="row of uint64"):
        hamming.between(uniform(2), uniform(4).reshape(2, 2), 8)


def scene(seed: int, side: int = 320) -> NDArray[np.float64]:
    """An image with structure of all sizes, like a photograph, from 40 to 215."""
    generator = np.random.default_rng(seed)
    image = np.zeros((side, side))
    for cells in (4, 8, 16, 32, 64):
        image += np.kron(generator.normal(size=(cells, cells)), np.ones((side // cells, side // cells))) / cells**0.25
    return 40 + 175 * (image - image.min()) / np.ptp(image)


def reduced(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Shape (1, 32, 32): means of the pixels of each cell."""
    down, across = (np.linspace(0, side, 33).astype(int) for side in image.shape)
    rows = np.add.reduceat(image, down[:-1], axis=0) / np.diff(down)[:, None]
    means = np.add.reduceat(rows, across[:-1], axis=1) / np.diff(across)
    return means.round().clip(0, 255).astype(np.uint8)[None]


def test_versions_of_an_image_are_similar() -> None:
    for seed in range(5):
        whole = scene(seed)
        copies = {
            "itself": whole,
            "brighter": whole * 1.15,
            "flatter": whole / 2 + 30,
            "noisy": whole + np.random.default_rng(seed).normal(size=whole.shape) * 8,
            "without its edges": whole[6:-6, 6:-6],
            "without its left": whole[:, 12:],
        }
        for name, copy in copies.items():
            value = similarity(reduced(whole), reduced(copy))
            assert value.shape == (1,), name
            assert value[0] >= (MIN_SIMILARITY if "without" not in name else 0.75), name
            assert value[0] == pytest.approx(similarity(reduced(copy), reduced(whole))[0], abs=1e-5), name


def test_images_that_share_only_their_coarse_part_are_not_similar() -> None:
    # Smooth, because an edge would be fine structure that both have.
    x = np.linspace(0, np.pi, 320)
    coarse = 80 * np.outer(np.sin(x), np.cos(x))
    for seed in range(5):
        one, other = scene(seed) / 4 + 90 + coarse, scene(seed + 100) / 4 + 90 + coarse
        assert similarity(reduced(one), reduced(other))[0] < MIN_SIMILARITY
        assert similarity(reduced(one), reduced(one[::-1]))[0] < MIN_SIMILARITY


def test_a_plain_image_is_similar_to_nothing() -> None:
    plain = np.full((1, 32, 32), 77, np.uint8)
    assert similarity(plain, plain).tolist() == [0]
    assert similarity(plain, reduced(scene(1))).tolist() == [0]


def test_batches_change_no_similarity() -> None:
    one = np.concatenate([reduced(scene(seed)) for seed in range(7)])
    other = one[::-1]
    together = similarity(np.tile(one, (30, 1, 1)), np.tile(other, (30, 1, 1)))
    alone = [similarity(a[None], b[None])[0] for a, b in zip(one, other, strict=True)]
    assert together.dtype == np.float32
    assert together.tolist() == pytest.approx(np.tile(alone, 30).tolist(), abs=1e-5)
    assert similarity(one[:0], other[:0]).shape == (0,)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8 of shape"):
        similarity(np.zeros((1, 16, 16), np.uint8), np.zeros((1, 32, 32), np.uint8))
