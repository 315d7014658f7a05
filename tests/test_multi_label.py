"""Images with several labels: labels of what an image does not show are found, each against all images without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lines import DATE, classification, manifest
from PIL import Image
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app
from groundlint_rules.algorithms.discriminant import Block
from groundlint_rules.algorithms.multi_label_errors import one_vs_rest_odds

COUNT = 160
WRONG = 46
"""The image with a label of what it does not show."""


def shown(n: int) -> list[str]:
    """What an image shows: stripes in rows or columns, and warm colors or not."""
    return ["rows" if n % 2 else "columns", *(["warm"] if n % 4 < 2 else [])]


def given(n: int) -> list[str]:
    return [*shown(n), "warm"] if n == WRONG else shown(n)


def striped(n: int) -> Image.Image:
    random = np.random.default_rng(n)
    stripes = random.integers(0, 90, (64, 1, 3), np.uint8).repeat(64, axis=1)
    stripes[..., 0 if "warm" in shown(n) else 2] += 160
    return Image.fromarray(stripes if "rows" in shown(n) else stripes.transpose(1, 0, 2).copy())


def attribute_per_label(n: int) -> dict[str, Any]:
    """A line with an attribute for each label, as Custom Labels wants it."""
    line: dict[str, Any] = {}
    for label in given(n):
        line |= classification(f"s3://bucket/{n}.png", label, f"is-{label}")
    return line


def one_attribute(n: int) -> dict[str, Any]:
    """A line with one attribute for all labels, as Ground Truth writes it."""
    names = ["rows", "columns", "warm"]
    ids = [names.index(label) for label in given(n)]
    metadata = {
        "class-map": {str(i): names[i] for i in ids},
        "confidence-map": {str(i): 0.9 for i in ids},
        "type": "groundtruth/image-classification-multilabel",
        "human-annotated": "yes",
        "creation-date": DATE,
    }
    return {"source-ref": f"s3://bucket/{n}.png", "looks": ids, "looks-metadata": metadata}


def checked(*files: Path, embeddings: Path | None = None) -> list[dict[str, Any]]:
    found = groundlint.check(
        *files, isolated=True, target="ground-truth", select=["multi-label-mislabel-suspect"], embeddings=embeddings
    )
    return found.findings.to_dicts()


def written(folder: Path, line: Any) -> Path:
    """A manifest with its images in a new folder."""
    folder.mkdir()
    for n in range(COUNT):
        striped(n).save(folder / f"{n}.png")
    file = folder / "train.manifest"
    file.write_text(manifest(*(line(n) for n in range(COUNT))))
    return file


@pytest.mark.parametrize("line", [attribute_per_label, one_attribute])
def test_a_label_of_what_an_image_does_not_show_is_found(line: Any, tmp_path: Path) -> None:
    (finding,) = checked(written(tmp_path / "a", line))
    assert (finding["line"], finding["label"]) == (WRONG + 1, "warm")
    assert "looks like images without this label" in finding["message"]
    assert not any("warm" in given(int(Path(near["source_ref"]).stem)) for near in finding["related"])


def test_each_data_set_of_a_run_is_judged_by_itself(tmp_path: Path) -> None:
    files = [written(tmp_path / name, line) for name, line in (("a", attribute_per_label), ("b", one_attribute))]
    assert checked(*files) == [*checked(files[0]), *checked(files[1])]


@pytest.mark.parametrize(
    ("line", "attributes"), [(attribute_per_label, ["is-columns", "is-rows"]), (one_attribute, ["looks"])]
)
def test_embeddings_find_it_without_an_image(line: Any, attributes: list[str], tmp_path: Path) -> None:
    file, own = tmp_path / "train.manifest", tmp_path / "own.parquet"
    file.write_text(manifest(*(line(n) for n in range(COUNT))))
    random = np.random.default_rng(0)
    vectors = [np.isin(["rows", "warm"], shown(n)) + random.normal(0, 0.1, 2) for n in range(COUNT)]
    rows = [
        {"source_ref": f"s3://bucket/{n}.png", "attribute": attribute, "embedding": vector}
        for n, vector in enumerate(vectors)
        for attribute in attributes
    ]
    pl.DataFrame(rows).write_parquet(own)
    (finding,) = checked(file, embeddings=own)
    assert (finding["line"], finding["label"]) == (WRONG + 1, "warm")


def test_images_with_one_label_are_judged_by_the_other_rule(tmp_path: Path) -> None:
    for n in range(40):
        striped(n).save(tmp_path / f"{n}.png")
    file = tmp_path / "train.manifest"
    file.write_text(manifest(*(classification(f"s3://bucket/{n}.png", shown(n)[0]) for n in range(40))))
    target = tmp_path / "odds.parquet"
    done = CliRunner().invoke(app, ["export", "multi_label_odds", str(file), "--isolated", "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(target).is_empty()


def test_neither_the_order_of_images_nor_other_labels_change_what_is_found() -> None:
    random = np.random.default_rng(0)
    has = {"a": random.random(200) < 0.3, "b": random.random(200) < 0.5, "rare": np.arange(200) < 5}
    numbers = random.normal(0, 1, (200, 8))
    numbers[:, 0] += 4 * has["a"]
    numbers[:, 1] += 4 * has["b"]
    ids = [f"s3://bucket/{n}.jpg" for n in range(200)]

    def judged(order: Any, labels: list[str]) -> dict[str, Any]:
        having = {label: np.flatnonzero(has[label][order]).tolist() for label in labels}
        blocks = [Block(numbers[order], root=False, components=8)]
        found = one_vs_rest_odds(blocks, having, [ids[n] for n in order])
        return {
            label: dict(zip((ids[order[n]] for n in odds.rows), odds.suspicion, strict=True)) for label, odds in found
        }

    plain = judged(np.arange(200), ["a", "b", "rare"])
    assert set(plain) == {"a", "b"}
    assert judged(random.permutation(200), ["a"]) == {"a": plain["a"]}
