"""On public data sets, no warning rule flags more than 3% of the images."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import groundlint

DATA = Path(__file__).parents[2] / "shared/data"
SETS = [
    "raccoon",
    "bccd",
    "cifar10n",
    "clothing",
    "kitti_labels",
    "wider_occ",
    "savoias",
    "flowers12_aug",
    "imagenet_sample",
    "trashnet",
    "coco128",
    "animalpose",
    "savoias_objects",
]
MAX_SHARE = 0.03

TOO_SMALL = ["cifar10n"]
"""Sets whose images are too small for Rekognition: no finding of ours stands on an image that the service drops."""

MADE_TO_HAVE = {"flowers12_aug": ["near-duplicate"]}
"""Rules that rightly flag many images of a set: flowers12_aug was made of shifted and mirrored copies."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not part of the project"),
]


@pytest.mark.parametrize("name", SETS)
def test_no_warning_rule_flags_many_images_of_a_healthy_set(name: str) -> None:
    target = "ground-truth" if name in TOO_SMALL else "rekognition"
    result = groundlint.check(DATA / name / "output.manifest", target=target, isolated=True)
    images = result.summary.images
    # Otherwise rules on images would judge nothing, and the test could not fail.
    assert images.total > 0
    assert images.found == (0 if name == "kitti_labels" else images.total)
    warnings = result.findings.filter(severity="warning")
    counts = warnings.group_by("name").agg(images=pl.col("source_ref").drop_nulls().n_unique())
    many = counts.filter(pl.col("images") > MAX_SHARE * images.total)["name"].to_list()
    assert many == MADE_TO_HAVE.get(name, [])


CONTROLS = [
    "raccoon",
    "bccd",
    "cifar10n",
    "clothing",
    "kitti_labels",
    "wider_occ",
    "trashnet",
    "imagenet_sample",
    "coco128",
]


@pytest.mark.parametrize("name", CONTROLS)
def test_no_label_of_a_healthy_set_lacks_variety_or_has_a_shortcut(name: str) -> None:
    advice = ["objects-small", "objects-always-centered", "label-shortcut", "label-low-variety"]
    # Under the other target images of 32 px are dropped.
    result = groundlint.check(DATA / name / "output.manifest", target="ground-truth", isolated=True, select=advice)
    assert result.findings["message"].to_list() == []
