"""Measured columns as the blocks of features that labels are judged by."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import Block, layout_block, net_block
from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.features.embeddings import EFFICIENTNET, LAYOUT, NET
from groundlint_rules.features.foreground import CHANNELS, QUARTERS

_NEAREST = 3
"""Pictures that are shown beside a suspect."""


def block_of(name: str, values: pl.Series) -> Block:
    """The numbers of some objects, whose column is called so: bytes of a feature, or lists that the user gave."""
    if name == "net":
        return net_block(stacked(values, NET, np.float16))
    if name == "efficientnet":
        roots = stacked(values, EFFICIENTNET, np.uint8)
        return net_block(np.square(roots, dtype=np.float32))
    if name == "layout":
        return layout_block(stacked(values, LAYOUT, np.float16))
    if name == "figure":
        # One mean of the quarters tells as much of the label as the four do, at a quarter of the memory.
        whole = stacked(values, QUARTERS * CHANNELS, np.int8).reshape(-1, QUARTERS, CHANNELS)
        return Block(whole.sum(1, dtype=np.int16).astype(np.float32), root=False, components=128, weight=1.0)
    return Block(np.stack(values.to_list()), root=name == "probability", components=256, weight=1.0)


def nearest(block: Block, n: int, among: NDArray[np.intp]) -> list[int]:
    """The nearest of some objects to one, by the angle between their numbers, rooted where these are to be."""
    others = among[among != n]
    near, own = (block.features[rows].astype(np.float32) for rows in (others, n))
    if block.root:
        near, own = np.sqrt(near), np.sqrt(own)
    cosine = near @ own / np.maximum(np.linalg.norm(near, axis=1), 1e-6)
    return [int(others[i]) for i in np.argsort(-cosine, kind="stable")[:_NEAREST]]
