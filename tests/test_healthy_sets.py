"""Nobody is cried at: on healthy public sets no warning rule flags more than three images in a hundred."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import groundlint

DATA = Path(__file__).parents[2] / "shared/data"
SETS = ["raccoon", "bccd", "cifar10n", "clothing", "kitti_labels", "wider_occ", "savoias", "flowers12_aug"]


MADE = {"flowers12_aug": ["near-duplicate"]}
"""What a set was made to have."""


@pytest.mark.skipif(not DATA.is_dir(), reason="the public sets lie outside the project, in ../shared/data")
@pytest.mark.parametrize("name", SETS)
def test_no_warning_rule_flags_more_than_three_in_a_hundred_images(name: str) -> None:
    manifest = DATA / name / "output.manifest"
    images = manifest.read_bytes().count(b"\n")
    warnings = groundlint.check(manifest, isolated=True, ignore=MADE.get(name, [])).filter(severity="warning")
    flagged = warnings.group_by("code").agg(images=pl.col("source_ref").n_unique())
    assert flagged.filter(pl.col("images") > 0.03 * images).is_empty(), flagged
