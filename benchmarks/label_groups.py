"""Measure how well groups of images are distinguished: two kinds in one label, and images of an unknown label.

accuracy.py runs it, on labels with at least 12 images: half 1 of clothing, and all of trashnet. Limits were chosen on
half 0 of clothing.

- Two kinds: any two labels are merged, and divided again into two groups.
- Unknown label: 10 random images of a label are compared with all images of another one, and, as a check, with the
  other images of their own label (5 draws, labels with at least 24 images).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from measured import Measured, exported, halves
from numpy.typing import NDArray

from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.algorithms.two_groups import silhouettes, two_groups, unit
from groundlint_rules.evaluation.kinds import MIN_SHARE, MixedLabel, UnknownLabel
from groundlint_rules.features.embeddings import NUMBERS

Vectors = NDArray[np.float64]

MIN_IMAGES, COUNT, DRAWS = 12, 10, 5


def vectors_by_label(data: Path, name: str, half: int | None) -> dict[str, Vectors]:
    """The embeddings of the images of each label, (images, 1280), of one half or of all images."""
    manifest = data / name / "output.manifest"
    labels = exported("labels", manifest).select("source_ref", "label")
    rows = labels.join(exported("images", manifest).select("source_ref", "image_embedding"), on="source_ref")
    rows = rows.drop_nulls("image_embedding").sort("source_ref")
    if half is not None:
        rows = rows.filter(halves(rows["source_ref"]) == half)
    parts = rows.partition_by("label", as_dict=True)
    return {
        str(label): unit(stacked(part["image_embedding"], NUMBERS, np.uint8))
        for (label,), part in sorted(parts.items())
        if part.height >= MIN_IMAGES
    }


def is_flagged(vectors: Vectors) -> tuple[bool, NDArray[np.bool_]]:
    """Whether images are two kinds by the limits of the rule, and which are in the second group."""
    is_second = two_groups(vectors)
    is_apart = silhouettes(vectors, is_second).mean() >= MixedLabel().min_silhouette
    return bool(is_apart and is_second.mean() >= MIN_SHARE), is_second


def of_kinds(by_label: Mapping[str, Vectors]) -> str:
    """How many labels have two kinds, as published and after two were merged."""
    single = sum(is_flagged(vectors)[0] for vectors in by_label.values())
    pairs = list(itertools.combinations(by_label.values(), 2))
    right = []
    for a, b in pairs:
        found, is_second = is_flagged(np.concatenate([a, b]))
        agreeing = float((is_second == (np.arange(len(is_second)) >= len(a))).mean())
        right += [max(agreeing, 1 - agreeing)] * found
    accuracy = f", accuracy of the groups {np.mean(right):.2f}" if right else ""
    return f"{single} of {len(by_label)} labels; {len(right)} of {len(pairs)} merged pairs{accuracy}"


def of_unknown(by_label: Mapping[str, Vectors]) -> str:
    """How many groups of 10 images are reported beside another label, and beside the rest of their own."""
    random, limit = np.random.default_rng(0), UnknownLabel().min_silhouette
    same, other = [], []
    for name, own in by_label.items():
        for _ in range(DRAWS if len(own) >= 2 * MIN_IMAGES else 0):
            chosen = np.isin(np.arange(len(own)), random.choice(len(own), COUNT, replace=False))
            same.append(silhouettes(own, chosen)[chosen].mean() >= limit)
        for others in (vectors for label, vectors in by_label.items() if label != name):
            both = np.concatenate([own, others[random.choice(len(others), COUNT, replace=False)]])
            chosen = np.arange(len(both)) >= len(own)
            other.append(silhouettes(both, chosen)[chosen].mean() >= limit)
    return f"{sum(other)} of {len(other)} groups of another label, {sum(same)} of {len(same)} of the same label"


def figures(data: Path) -> Iterator[Measured]:
    """The figures of both rules."""
    for name, half in (("clothing", 1), ("trashnet", None)):
        by_label = vectors_by_label(data, name, half)
        of = f"{name}, all images" if half is None else f"{name}, half {half}"
        yield Measured("EVA303", of, "groups of 10 images that are reported", of_unknown(by_label))
        yield Measured("EVA304", of, "labels divided into two groups", of_kinds(by_label))
