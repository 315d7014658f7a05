"""Verification of image pairs of which one seems to be a crop of the other: cut off on all sides by more than 2%.

Pair verification does not recognize such copies, because their finer structure is shifted by more than a pixel. Here
the original is cropped in the same way, and the difference hashes of imagehash, across and down, are compared with
those of the other image. They say where it gets lighter, which the perceptual hash that finds the candidates does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms.pair_verification import cropping

KEPT = (0.94, 0.88, 0.82)
"""Shares of a side that crops of the original keep. Each stands for the shares up to 0.03 away from it: together they
cover copies that were cut by 2% to 10% on each side."""

MAX_DISTANCE = 72
"""Bits of 512 up to which an image counts as a crop of the other.

In the tuning half of clothing and raccoon (sha256(source_ref)[0] even), 99.5% of the copies cut by 2% to 10% on each
side differ by 51 bits or less, and different objects by 132 or more; in the other half by 52 and 114. `phash` at 256
bits separates them less well (26 and 52 bits, 22 and 46) and imports scipy, which takes longer than all of this.
`whash` and `average_hash` do not separate them. `crop_resistant_hash` takes 24 ms for an image, and matches 6% of the
pairs of different images of clothing. All other figures: benchmarks/pair_verification.py.
"""

_HASH_SIDE = 16

_STEPS = (-0.02, 0.0, 0.02)
"""What is added to the kept share of a candidate: of three crops, the most similar one counts."""


def crop_distances(originals: NDArray[np.uint8], others: NDArray[np.uint8], kept: float) -> NDArray[np.int64]:
    """Bits in which the hashes of originals, cropped, and of other images differ; see `MAX_DISTANCE`.

    Args:
        originals: Gray images of shape (n, 32, 32).
        others: As many images, each a crop of its original or not, and in the same orientation.
        kept: One of `KEPT`.

    Returns:
        Shape (n,): 0 to 512.
    """
    hashes = _hashes(others)
    differing = np.stack([_hashes(_cropped(originals, kept + step)) != hashes for step in _STEPS])
    distances: NDArray[np.int64] = differing.sum(axis=2, dtype=np.int64).min(axis=0)
    return distances


def _cropped(images: NDArray[np.uint8], kept: float) -> NDArray[np.uint8]:
    """The middle of the images, enlarged to their size."""
    weights = cropping(kept, 0.5)
    levels: NDArray[np.uint8] = np.clip(np.rint(weights @ images @ weights.T), 0, 255).astype(np.uint8)
    return levels


def _hashes(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Difference hashes by imagehash, shape (n, 512)."""
    import imagehash
    from PIL import Image

    hashes = np.empty((len(images), 2, _HASH_SIDE, _HASH_SIDE), np.bool_)
    for number, image in enumerate(map(Image.fromarray, images)):
        hashes[number] = [made(image, _HASH_SIDE).hash for made in (imagehash.dhash, imagehash.dhash_vertical)]
    return hashes.reshape(len(images), 2 * _HASH_SIDE**2)
