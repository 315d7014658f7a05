"""Verification of image pairs whose perceptual hashes are close: one image in two versions, or two similar images?

A perceptual hash keeps the coarse distribution of light and dark, on which two shirts laid out on the same bed agree.
Pair verification compares the finer structure, which only versions of one image share: the normalized
cross-correlation (Lewis, "Fast Normalized Cross-Correlation", 1995) of small gray images without their coarse part, the
maximum over small crops of either image. It does not depend on brightness and contrast. The small images are those from
which the hashes are computed: squares of 32 px that do not keep the aspect ratio.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 32

MIN_SIMILARITY = 0.87
"""Similarity from which two images count as versions of one.

In the tuning half of clothing and raccoon (sha256(source_ref)[0] even), different objects reach 0.845 among hashes up
to 10 bits apart. Of the copies cropped by 2% on each side, 0.987 reach the threshold, and so do all copies that are
re-encoded, halved, mirrored or rotated. The negatives were looked at in both halves. All figures:
benchmarks/pair_verification.py.
"""

_KEPT = 0.96
"""Share of a side that a crop keeps. Measured: enough for up to 2% off each side, or 4% off one. Of copies with 3% off
each side a fifth is missed; these and tighter crops are found by crop_verification."""

_SIGMA = 1.0
"""Standard deviation in px of the blur that is subtracted. With a wider blur, shirts on the same bed look the same;
with a narrower one, the results of two decoders of one image differ."""

_MIN_DETAIL = 0.5
"""Standard deviation of the finer structure, in gray levels, below which only artifacts of the codec are left."""

_BATCH = 16
"""Pairs per batch: their crops stay in a core's cache."""


def similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Similarity of the finer structure of pairs of images; from `MIN_SIMILARITY` on they are versions of one image.

    Args:
        a: Gray images of shape (n, 32, 32), made as the module describes.
        b: As many images, each oriented as its partner.

    Returns:
        Shape (n,): -1 to 1, symmetric in a and b. 0 where an image has too little detail to compare.
    """
    for images in (a, b):
        if images.dtype != np.uint8 or images.shape != (len(a), SIDE, SIDE):
            raise ValueError(f"images must be uint8 of shape (n, 32, 32), not {images.dtype} of {images.shape}")
    best = np.empty(len(a), np.float32)
    for start in range(0, len(a), _BATCH):
        one, other = (_Crops.of(images[start : start + _BATCH]) for images in (a, b))
        best[start : start + _BATCH] = one.correlation(other)[:, _COMPARED].max(axis=1)
    return best


def has_detail(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether images (n, 32, 32) have enough finer structure to be compared, shape (n,)."""
    found = np.empty(len(images), np.bool_)
    for start in range(0, len(images), _BATCH * 16):
        full = images[start : start + _BATCH * 16].astype(np.float32)
        fine = full - _BLUR @ full @ _BLUR.T
        found[start : start + _BATCH * 16] = fine.std(axis=(1, 2)) >= _MIN_DETAIL
    return found


def cropping(kept: float, offset: float) -> NDArray[np.float32]:
    """Matrix (32, 32) that crops a side to its `kept` part and stretches it to the full length again.

    Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -1: the usual -1/2 loses too
    much of the finer structure.
    """
    # The kept part is at the near end for offset 0 and at the far end for 1. Pixels have their centers at halves.
    at = (np.arange(SIDE) + 0.5) * kept + offset * (1 - kept) * SIDE - 0.5
    weights = np.zeros((SIDE, SIDE), np.float32)
    for step in range(-1, 3):
        pixel = np.floor(at).astype(np.int64) + step
        x = np.abs(at - pixel)
        weight = np.where(x <= 1, x**3 - 2 * x**2 + 1, -(x**3) + 5 * x**2 - 8 * x + 4)
        np.add.at(weights, (np.arange(SIDE), pixel.clip(0, SIDE - 1)), weight)
    return weights


def _gaussian() -> NDArray[np.float32]:
    """Matrix (32, 32) of a Gaussian blur along a side; pixels outside the image have no weight."""
    x = np.arange(SIDE)
    weights = np.exp(-((x[:, None] - x) ** 2) / (2 * _SIGMA**2))
    # Smaller weights change nothing, and as denormal numbers would take twenty times as long.
    weights[weights < 1e-12] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_BLUR = _gaussian()

_SIDE_CROPS = np.stack([np.eye(SIDE, dtype=np.float32), *(cropping(_KEPT, offset) for offset in (0, 0.5, 1))])
"""The crops of a side: none, and with the far end, both ends or the near end cut off."""

_SIDE_CROPS_ACROSS = np.ascontiguousarray(_SIDE_CROPS.reshape(-1, SIDE).T)
"""The same matrices side by side, shape (32, 128): a right factor is read fastest in this layout."""


def _compared() -> NDArray[np.bool_]:
    """Shape (16, 16): the crops of a and b to compare. On each side at most one is cropped, or they are shifted."""
    side = np.zeros((4, 4), np.bool_)
    side[0, :] = side[:, 0] = side[1, 3] = side[3, 1] = True
    return np.kron(side, side)


_COMPARED = _compared()


class _Crops(NamedTuple):
    """The finer structure of all crops of images: `crops` (n, 16, 1024), their `means` and `lengths` (n, 16).

    The length is that of a crop minus its mean; it is 0 for a crop with too little structure.
    """

    crops: NDArray[np.float32]
    means: NDArray[np.float32]
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> _Crops:
        full = images.astype(np.float32)
        fine = full - _BLUR @ full @ _BLUR.T
        # All crops of a side in one product, each small enough that BLAS does not distribute it over threads.
        count = len(_SIDE_CROPS)
        heights = (_SIDE_CROPS.reshape(-1, SIDE) @ fine).reshape(-1, count, SIDE, SIDE)
        both = (heights @ _SIDE_CROPS_ACROSS).reshape(-1, count, SIDE, count, SIDE)
        crops = np.asarray(both.transpose(0, 1, 3, 2, 4).reshape(-1, count**2, SIDE**2), np.float32)
        means = crops.mean(axis=2)
        squares = np.einsum("nij,nij->ni", crops, crops) - SIDE**2 * means**2
        lengths = np.sqrt(np.maximum(squares, 0))
        return cls(crops, means, np.where(lengths < _MIN_DETAIL * SIDE, np.float32(0), lengths))

    def correlation(self, other: _Crops) -> NDArray[np.float32]:
        """Correlation of each crop with each crop of the other image, (n, 16, 16)."""
        products = self.crops @ other.crops.transpose(0, 2, 1)
        products -= SIDE**2 * self.means[:, :, None] * other.means[:, None, :]
        lengths = self.lengths[:, :, None] * other.lengths[:, None, :]
        correlation: NDArray[np.float32] = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
        return correlation
