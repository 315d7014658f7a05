"""The first configuration of a data set's repository, as commented TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from groundlint.sanitize import visible

_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "test",
    "validation": "test",
}

_HEAD = """\
# groundlint: https://github.com/groundlint/groundlint
# `groundlint check` checks the data sets below; `groundlint rule CODE` explains a finding.

# What the data is for: "rekognition" (Custom Labels) or "ground-truth" (the input of a labeling job).
target = "rekognition"

# The lowest severity of a finding that fails the run: error, warning, info or none.
fail-on = "error"

# The version of groundlint that this file needs.
# required-version = ">=0.1"

# Rules to leave out, by code, prefix of codes, name or service code, and rules to check in addition.
# ignore = ["label-imbalance"]
# extend-select = ["BOX3"]

# Whether rules in preview are checked too.
# preview = true

# Manifests to leave out when a folder is searched, as in a .gitignore.
# exclude = ["archive/", "*-old.manifest"]

# Folders of images, by the beginning of the source-refs that they stand for.
# [images]
# "s3://bucket/photos/" = "photos"

# Other severities, and options of rules.
# [severity]
# BAL101 = "info"
# [rules.duplicated-box]
# iou = 0.9

# Other options for some of the images, or false to turn rules off for them.
# [[overrides]]
# sources = "s3://bucket/crowds/**"
# rules = { BOX3 = false }

# Findings that are not reported. The reason is required.
# [[suppress]]
# rule = "BOX301"
# files = "train.manifest"
# source-ref = "s3://bucket/twins/*"
# reason = "twins stand in front of each other"
# expires = 2099-12-31
"""


class Grouping(NamedTuple):
    """Manifests by data set and split, and those in no data set."""

    data_sets: dict[str, dict[str, list[str]]]
    alone: list[str]


def grouped(manifests: Sequence[str]) -> Grouping:
    """Group manifests by their names: those of a folder that are named as the parts of one data set.

    Args:
        manifests: Paths relative to the folder of the configuration, with slashes.
    """
    sets: dict[str, dict[str, list[str]]] = {}
    alone = []
    for manifest in manifests:
        path = PurePosixPath(manifest)
        stem, split = _split(path)
        # TOML cannot hold a name that is not text.
        if split and manifest.isprintable():
            name = re.sub(r"[^a-z0-9]+", "-", f"{path.parent}-{stem}".lower()).strip("-") or "data"
            sets.setdefault(name, {}).setdefault(split, []).append(manifest)
        else:
            alone.append(manifest)
    # Without a training part there is nothing to compare a test part with.
    alone += [name for splits in sets.values() if "train" not in splits for part in splits.values() for name in part]
    return Grouping({name: splits for name, splits in sets.items() if "train" in splits}, sorted(alone))


def text(manifests: Sequence[str]) -> str:
    """The configuration for manifests: their data sets, and as a comment those that are in none.

    Args:
        manifests: Paths relative to the folder of the configuration, with slashes.
    """
    sets, alone = grouped(manifests)
    parts = [_HEAD, *(_data_set(name, splits) for name, splits in sets.items())]
    if alone:
        listed = "".join(f"# {visible(manifest)}\n" for manifest in alone)
        when = ", and only when it is named on the command line" if sets else ""
        parts.append(f"# In no data set: each is checked alone{when}.\n{listed}")
    return "\n".join(parts)


def _split(path: PurePosixPath) -> tuple[str, str | None]:
    """The name of a manifest without the word that names its split, and the split."""
    for word in re.split(r"[^A-Za-z]+", path.stem):
        if split := _SPLITS.get(word.lower()):
            return path.stem.replace(word, "", 1), split
    return path.stem, None


def _data_set(name: str, splits: dict[str, list[str]]) -> str:
    lines = ["# Checked together: labels and images of the parts are compared.\n", f"[datasets.{name}]\n"]
    for split, names in sorted(splits.items(), reverse=True):
        if any(_is_validation(manifest) for manifest in names):
            lines.append("# Validation manifests are checked as test manifests are.\n")
        lines.append(f"{split} = {json.dumps(names, ensure_ascii=False)}\n")
    return "".join(lines)


def _is_validation(manifest: str) -> bool:
    words = re.split(r"[^a-z]+", PurePosixPath(manifest).stem.lower())
    return "val" in words or "validation" in words
