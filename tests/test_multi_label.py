"""Labels of which a picture bears several: those that are not to be seen are found, each against all that lack it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lines import DATE, classification, manifest
from PIL import Image
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint_rules.algorithms.discriminant import Block
from groundlint_rules.algorithms.multi_label_errors import tag_odds

COUNT = 160
WRONG = 44
"""The picture that bears a label which is not to be seen on it."""


def seen(n: int) -> list[str]:
    """What a picture shows: stripes one way or the other, and warm colours or not."""
    return ["rows" if n % 2 else "columns", *(["warm"] if n % 4 < 2 else [])]


def borne(n: int) -> list[str]:
    return [*seen(n), "warm"] if n == WRONG + 2 else seen(n)


def picture(n: int) -> Image.Image:
    random = np.random.default_rng(n)
    stripes = random.integers(0, 90, (64, 1, 3), np.uint8).repeat(64, axis=1)
    stripes[..., 0 if "warm" in seen(n) else 2] += 160
    return Image.fromarray(stripes if "rows" in seen(n) else stripes.transpose(1, 0, 2).copy())


def apart(n: int) -> dict[str, Any]:
    """A line with an attribute for each label, as Custom Labels wants it."""
    line: dict[str, Any] = {}
    for label in borne(n):
        line |= classification(f"s3://bucket/{n}.png", label, f"is-{label}")
    return line


def together(n: int) -> dict[str, Any]:
    """A line with one attribute for all labels, as Ground Truth writes it."""
    names = ["rows", "columns", "warm"]
    ids = [names.index(label) for label in borne(n)]
    described = {
        "class-map": {str(i): names[i] for i in ids},
        "confidence-map": {str(i): 0.9 for i in ids},
        "type": "groundtruth/image-classification-multilabel",
        "human-annotated": "yes",
        "creation-date": DATE,
    }
    return {"source-ref": f"s3://bucket/{n}.png", "looks": ids, "looks-metadata": described}


@pytest.mark.parametrize("line", [apart, together])
def test_a_label_that_is_not_to_be_seen_is_found(line: Any, tmp_path: Path) -> None:
    for n in range(COUNT):
        picture(n).save(tmp_path / f"{n}.png")
    file = tmp_path / "train.manifest"
    file.write_text(manifest(*(line(n) for n in range(COUNT))))
    flags = ["--isolated", "--no-cache", "--exit-zero", "--target", "ground-truth", "--select", "SUS107"]
    done = CliRunner().invoke(app, ["check", str(file), *flags, "--output", "json"])
    assert done.exit_code == 0, done.output
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["line"], finding["label"]) == (WRONG + 3, "warm")
    assert "looks like those without it" in finding["message"]
    assert not any("warm" in borne(int(Path(near["source_ref"]).stem)) for near in finding["related"])


@pytest.mark.parametrize(("line", "attributes"), [(apart, ["is-columns", "is-rows"]), (together, ["looks"])])
def test_embeddings_find_it_without_an_image(line: Any, attributes: list[str], tmp_path: Path) -> None:
    file, own = tmp_path / "train.manifest", tmp_path / "own.parquet"
    file.write_text(manifest(*(line(n) for n in range(COUNT))))
    random = np.random.default_rng(0)
    vectors = [np.isin(["rows", "warm"], seen(n)) + random.normal(0, 0.1, 2) for n in range(COUNT)]
    rows = [
        {"source_ref": f"s3://bucket/{n}.png", "attribute": attribute, "embedding": vector}
        for n, vector in enumerate(vectors)
        for attribute in attributes
    ]
    pl.DataFrame(rows).write_parquet(own)
    flags = ["--isolated", "--exit-zero", "--target", "ground-truth", "--select", "SUS107"]
    done = CliRunner().invoke(app, ["check", str(file), *flags, "--embeddings", str(own), "--output", "json"])
    assert done.exit_code == 0, done.output
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["line"], finding["label"]) == (WRONG + 3, "warm")


def test_one_label_a_picture_is_left_to_the_other_rule(tmp_path: Path) -> None:
    for n in range(40):
        picture(n).save(tmp_path / f"{n}.png")
    file = tmp_path / "train.manifest"
    file.write_text(manifest(*(classification(f"s3://bucket/{n}.png", seen(n)[0]) for n in range(40))))
    target = tmp_path / "odds.parquet"
    done = CliRunner().invoke(app, ["export", "multi_label_odds", str(file), "--isolated", "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(target).is_empty()


def test_neither_the_order_of_pictures_nor_other_labels_change_what_is_found() -> None:
    random = np.random.default_rng(0)
    bears = {"a": random.random(200) < 0.3, "b": random.random(200) < 0.5, "rare": np.arange(200) < 5}
    numbers = random.normal(0, 1, (200, 8))
    numbers[:, 0] += 4 * bears["a"]
    numbers[:, 1] += 4 * bears["b"]
    ids = [f"s3://bucket/{n}.jpg" for n in range(200)]

    def judged(order: Any, labels: list[str]) -> dict[str, Any]:
        bearers = {label: np.flatnonzero(bears[label][order]).tolist() for label in labels}
        blocks = [Block(numbers[order], root=False, components=8, weight=1.0)]
        found = tag_odds(blocks, bearers, [ids[n] for n in order])
        return {
            label: dict(zip((ids[order[n]] for n in odds.rows), odds.suspicion, strict=True)) for label, odds in found
        }

    plain = judged(np.arange(200), ["a", "b", "rare"])
    assert set(plain) == {"a", "b"}
    assert judged(random.permutation(200), ["a"]) == {"a": plain["a"]}
