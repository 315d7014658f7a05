"""Measured columns as the feature blocks by which labels are judged."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import Block, net_block
from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.features.embeddings import NUMBERS

_SHOWN = 3
"""Nearest images that are shown beside a suspect."""


def block_of(name: str, values: pl.Series) -> Block:
    """The feature block of the column `name`: bytes of a measured feature, or lists of numbers that the user gave."""
    if name in ("image_embedding", "crop_embedding"):
        # The squares of bytes fit into 16 bits, which take half the memory of single precision.
        return net_block(np.square(stacked(values, NUMBERS, np.uint8), dtype=np.uint16))
    return Block(np.stack(values.to_list()), root=name == "probability", components=256)


def nearest(block: Block, n: int, among: NDArray[np.intp]) -> list[int]:
    """The three rows nearest to row `n`, among some rows of a block, by the cosine of their features (or the roots)."""
    others = among[among != n]
    near, own = (block.features[rows].astype(np.float32) for rows in (others, n))
    if block.root:
        near, own = np.sqrt(near), np.sqrt(own)
    cosine = near @ own / np.maximum(np.linalg.norm(near, axis=1), 1e-6)
    return [int(others[i]) for i in np.argsort(-cosine, kind="stable")[:_SHOWN]]
