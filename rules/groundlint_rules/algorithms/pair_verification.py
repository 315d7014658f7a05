"""Takes a second look at two images whose hashes are near: is it one photograph, or two that are alike?

A perceptual hash keeps where a picture is bright and dark in the large; two shirts laid out on one bed agree in that.
Here the finer structure is compared, which only one photograph has twice: the normalised correlation (Lewis: Fast
Normalized Cross-Correlation, 1995) of small grey pictures without their coarse part, the best over small crops of
either. It does not change with brightness and contrast. The pictures are those that the hashes are of, squares of 32
pixels whose sides' ratio is given up (features/likeness.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 32

SAME = 0.87
"""Similarity from which two pictures are taken for one photograph.

In the tuning half of clothing and raccoon (sha256(source_ref)[0] even) different things reach .845 among hashes up to
10 bits apart; .987 of the copies with 2 % off each side reach this, and all that are re-encoded, halved, mirrored or
turned. The negatives were looked at in both halves. Figures: benchmarks/second_look.py.
"""

_KEPT = 0.96
"""Share of a side that a crop leaves. Measured: enough for up to 2 % off each side, or 4 % off one; of 3 % off each
side a sixth is missed, 4 % is not recognized."""

_SIGMA = 1.0
"""Standard deviation in px of the blur that is taken away: wider, and shirts on one bed look the same; narrower, and
what two decoders make of one photograph differs."""

_LEAST = 0.5
"""Contrast of the finer structure, in grey levels, below which a picture has none: what is left is the codec's."""

_BATCH = 16
"""Pairs at once: what they are changed to stays in a core's cache."""


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far each two pictures show the same photograph; `SAME` and above is taken for yes.

    Args:
        a: Grey pictures of shape (n, 32, 32), made as the module says.
        b: As many, each turned as its partner is.

    Returns:
        Shape (n,): -1 to 1, the same if a and b change places. 0 if a picture is too plain to tell.
    """
    for pictures in (a, b):
        if pictures.dtype != np.uint8 or pictures.shape != (len(a), SIDE, SIDE):
            raise ValueError(f"pictures are uint8 of shape (n, 32, 32), not {pictures.dtype} of {pictures.shape}")
    best = np.empty(len(a), np.float32)
    for start in range(0, len(a), _BATCH):
        one, other = (_Changed.of(pictures[start : start + _BATCH]) for pictures in (a, b))
        best[start : start + _BATCH] = one.correlation(other)[:, _COMPARED].max(axis=1)
    return best


def tells(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether pictures (n, 32, 32) have finer structure by which they can be told, shape (n,)."""
    found = np.empty(len(pictures), np.bool_)
    for start in range(0, len(pictures), _BATCH * 16):
        full = pictures[start : start + _BATCH * 16].astype(np.float32)
        fine = full - _BLUR @ full @ _BLUR.T
        found[start : start + _BATCH * 16] = fine.std(axis=(1, 2)) >= _LEAST
    return found


def _cubic(kept: float, offset: float) -> NDArray[np.float32]:
    """Shape (32, 32): takes a side to its `kept` part, stretched to the full length again.

    Keys: Cubic Convolution Interpolation for Digital Image Processing, 1981, with a = -1: the usual -1/2 loses too much
    of the fine structure that is compared.
    """
    # The part lies at the near end for offset 0, at the far end for 1; pixels have their centres at halves.
    at = (np.arange(SIDE) + 0.5) * kept + offset * (1 - kept) * SIDE - 0.5
    weights = np.zeros((SIDE, SIDE), np.float32)
    for step in range(-1, 3):
        pixel = np.floor(at).astype(np.int64) + step
        x = np.abs(at - pixel)
        weight = np.where(x <= 1, x**3 - 2 * x**2 + 1, -(x**3) + 5 * x**2 - 8 * x + 4)
        np.add.at(weights, (np.arange(SIDE), pixel.clip(0, SIDE - 1)), weight)
    return weights


def _gaussian() -> NDArray[np.float32]:
    """Shape (32, 32): a Gaussian blur along a side; a pixel outside counts for nothing."""
    x = np.arange(SIDE)
    weights = np.exp(-((x[:, None] - x) ** 2) / (2 * _SIGMA**2))
    # What is less counts for nothing, and as denormal numbers would take twenty times as long.
    weights[weights < 1e-12] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_BLUR = _gaussian()

_CROPS = np.stack([np.eye(SIDE, dtype=np.float32), *(_cubic(_KEPT, offset) for offset in (0, 0.5, 1))])
"""What may have happened to a side of a picture: nothing, or its far end, both ends, its near end were cut."""

_ACROSS = np.ascontiguousarray(_CROPS.reshape(-1, SIDE).T)
"""The same side by side, shape (32, 128), as what multiplies from the right is read fastest."""


def _sensible() -> NDArray[np.bool_]:
    """Shape (16, 16): crops of a and b to compare. Of each side one is cut or none, or they are shifted, cut apart."""
    side = np.zeros((4, 4), np.bool_)
    side[0, :] = side[:, 0] = side[1, 3] = side[3, 1] = True
    return np.kron(side, side)


_COMPARED = _sensible()


class _Changed(NamedTuple):
    """The finer structure of pictures, changed in all ways: `crops` (n, 16, 1024), their `means` and `lengths` (n, 16).

    A length is that of the crop less its mean, 0 for one that has too little structure.
    """

    crops: NDArray[np.float32]
    means: NDArray[np.float32]
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, pictures: NDArray[np.uint8]) -> _Changed:
        full = pictures.astype(np.float32)
        fine = full - _BLUR @ full @ _BLUR.T
        # All crops of a side in one product, each small enough that it is not shared out to threads.
        count = len(_CROPS)
        heights = (_CROPS.reshape(-1, SIDE) @ fine).reshape(-1, count, SIDE, SIDE)
        both = (heights @ _ACROSS).reshape(-1, count, SIDE, count, SIDE)
        crops = np.asarray(both.transpose(0, 1, 3, 2, 4).reshape(-1, count**2, SIDE**2), np.float32)
        means = crops.mean(axis=2)
        squares = np.einsum("nij,nij->ni", crops, crops) - SIDE**2 * means**2
        lengths = np.sqrt(np.maximum(squares, 0))
        return cls(crops, means, np.where(lengths < _LEAST * SIDE, np.float32(0), lengths))

    def correlation(self, other: _Changed) -> NDArray[np.float32]:
        """Of each crop with each of the other's, (n, 16, 16)."""
        products = self.crops @ other.crops.transpose(0, 2, 1)
        products -= SIDE**2 * self.means[:, :, None] * other.means[:, None, :]
        lengths = self.lengths[:, :, None] * other.lengths[:, None, :]
        correlation: NDArray[np.float32] = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
        return correlation
