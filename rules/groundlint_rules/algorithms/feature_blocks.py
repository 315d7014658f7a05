"""The feature blocks by which labels are judged: measured ones, and those of the user's model."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from groundlint_rules.algorithms.discriminant import Block

_SHOWN = 3
"""Nearest images that are shown beside a suspect."""


def block_of_roots(roots: NDArray[np.uint8]) -> Block:
    """The block of embeddings, (rows, numbers): their bytes are the roots of a net's activations."""
    return Block(roots, root=True, components=256, are_roots=True)


def block_of_user(name: str, values: pl.Series) -> Block:
    """The block of the column `name`: lists of numbers that the user gave, as "embedding" or "probability"."""
    return Block(np.stack(values.to_list()), root=name == "probability", components=256)


def nearest(block: Block, n: int, among: NDArray[np.intp]) -> list[int]:
    """The three rows nearest to row `n`, among some rows of a block, by the cosine of their features (or the roots)."""
    others = among[among != n]
    near, own = (block.features[rows].astype(np.float32) for rows in (others, n))
    if block.root and not block.are_roots:
        near, own = np.sqrt(near), np.sqrt(own)
    cosine = near @ own / np.maximum(np.linalg.norm(near, axis=1), 1e-6)
    return [int(others[i]) for i in np.argsort(-cosine, kind="stable")[:_SHOWN]]
