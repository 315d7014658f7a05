"""The first configuration of a data set's repository, as commented TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

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
# `groundlint check` judges the data sets below; `groundlint rule CODE` explains a finding.

# What the data is for: "rekognition" (Custom Labels) or "ground-truth" (the input of a labeling job).
target = "rekognition"

# The severity from which a finding fails the run: error, warning, info or none.
fail-on = "error"

# Rules to leave out, by code, prefix, name or the service's code.
# ignore = ["label-imbalance"]

# Other severities, and options of rules.
# [severity]
# BAL101 = "info"
# [rules.duplicated-box]
# iou = 0.9

# Findings that are no fault. The reason is required.
# [[ignore]]
# rule = "BOX301"
# files = "train.manifest"
# source-ref = "s3://bucket/crowds/*"
# reason = "twins stand in front of each other"
# expires = 2030-01-31
"""


def text(manifests: Sequence[str]) -> str:
    """The configuration for manifests, which are named relative to its folder, with slashes.

    Those of a folder whose names tell a training and a test part are made a data set; the others are left to be
    judged each on its own.
    """
    sets: dict[str, dict[str, list[str]]] = {}
    alone = []
    for manifest in manifests:
        path = PurePosixPath(manifest)
        stem, split = _split(path)
        # What is no text cannot be named in TOML.
        if split and manifest.isprintable():
            name = re.sub(r"[^a-z0-9]+", "-", f"{path.parent}-{stem}".lower()).strip("-") or "data"
            sets.setdefault(name, {}).setdefault(split, []).append(manifest)
        else:
            alone.append(manifest)
    parts = [_HEAD]
    for name, splits in sets.items():
        if "train" in splits:
            parts.append(_data_set(name, splits))
        else:
            alone += [manifest for names in splits.values() for manifest in names]
    if alone:
        listed = "".join(f"# {visible(manifest)}\n" for manifest in sorted(alone))
        parts.append(f"# In no data set, each judged on its own when it is named:\n{listed}")
    return "\n".join(parts)


def _split(path: PurePosixPath) -> tuple[str, str | None]:
    """The name of a manifest without the word that tells its split, and the split."""
    words = re.split(r"[^A-Za-z]+", path.stem)
    for word in words:
        if split := _SPLITS.get(word.lower()):
            return path.stem.replace(word, "", 1), split
    return path.stem, None


def _data_set(name: str, splits: dict[str, list[str]]) -> str:
    lines = [
        f"{split} = {json.dumps(names, ensure_ascii=False)}\n" for split, names in sorted(splits.items(), reverse=True)
    ]
    return f"# Judged together: labels and images of the parts are compared.\n[datasets.{name}]\n{''.join(lines)}"
