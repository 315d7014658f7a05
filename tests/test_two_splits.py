"""A manifest that is both train and test: each split is judged by itself, and the manifest once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from judging import REGISTRY, judged
from lines import classification, detection, manifest

from groundlint.config.data_sets import Source
from groundlint.manifest.kinds import Kind

RULES = [REGISTRY.rules[code] for code in sorted({kind.rule for kind in Kind})]


def findings(*lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    train = Source("a.manifest", "train", data=manifest(*lines).encode())
    return judged(RULES, train, train._replace(split="test"))


def test_a_repeated_image_is_reported_with_the_line_before_it() -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", ({}, {"left": 300})) for n in range(4)]
    found = findings(*lines, lines[0])
    repeated = [f for f in found if f["name"] == "repeated-source-ref"]
    assert {(f["line"], f["loses"]) for f in repeated} == {(5, "line")}
    assert [[place["line"] for place in f["related"]] for f in repeated] == [[1]] * len(repeated)
    # One line of five is lost, which is not more than 20%.
    assert {f["name"] for f in found if f["severity"] == "error"} == {"repeated-source-ref"}


def test_the_losses_of_the_manifest_are_counted_and_reported_once() -> None:
    found = findings(*[detection(f"s3://bucket/{n}.jpg") for n in range(3)], "{", "{")
    messages = [f["message"] for f in found if f["name"] in ("too-many-invalid-lines", "too-many-removed-lines")]
    assert [message.split(",")[0] for message in messages] == [
        "2 of 5 lines would be dropped",
        "2 of 5 lines would be removed silently",
    ]


def test_the_other_lines_with_the_same_fault_are_counted_once() -> None:
    train = Source("a.manifest", "train", data=manifest(*[detection(f"s3://b/{n}.jpg") for n in range(4)]).encode())
    found = judged([REGISTRY.rules["REF106"]], train, train._replace(split="test"))
    assert {f["message"].rpartition("; ")[2] for f in found} == {"also on 3 other lines"}


def test_test_data_that_cannot_be_read_is_test_data_nevertheless(tmp_path: Path) -> None:
    lines = [classification(), classification("s3://bucket/2.jpg", "dog")]
    train = Source("train.manifest", "train", data=manifest(*lines).encode())
    alone = judged(RULES, train)
    assert {f["name"] for f in alone} == {"too-few-images-to-split"}
    assert judged(RULES, train, Source("test.manifest", "test", tmp_path / "missing.manifest")) == []
