"""Rules on the number of images of each label: what counts as an image, and that data sets are counted apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import classification, detection, manifest

import groundlint
from groundlint import Bad
from groundlint.config.settings import ConfigError
from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry, load
from groundlint.example_tables import example_tables, together


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load(isolated=True)


def messages(registry: Registry, rule: str, *data_sets: Example) -> list[str]:
    """What a rule says about data sets that are judged together, without what to do about it."""
    plan = registry.graph.plan([registry.find(rule)()])
    evaluation = evaluate(plan, together([example_tables(registry, data_set) for data_set in data_sets]))
    assert not evaluation.raised
    return [message.split(";")[0] for message in evaluation.findings["message"]]


def images(count: int, label: str = "cat", start: int = 0) -> str:
    return manifest(*[classification(f"s3://bucket/{n}.jpg", label) for n in range(start, start + count)])


def without_source_ref(label: str = "cat") -> str:
    line = classification(label=label)
    del line["source-ref"]
    return manifest(line)


@pytest.mark.parametrize("rule", ["label-imbalance", "label-low-variety", "folder-label-mismatch"])
def test_a_ratio_or_share_above_its_limit_has_a_score_from_one_half(registry: Registry, rule: str) -> None:
    kind = registry.find(rule)
    for example in kind.examples:
        if isinstance(example, Bad):
            plan = registry.graph.plan([kind(**example.options)])
            scores = evaluate(plan, example_tables(registry, example)).findings["score"].to_list()
            assert scores
            assert all(score is not None and 0.5 <= score < 1 for score in scores)


def test_a_worse_imbalance_has_a_higher_score(registry: Registry) -> None:
    lines = images(2, "cat"), images(12, "dog"), images(13, "dog")
    plan = registry.graph.plan([registry.find("label-imbalance")()])
    examples = [Example(manifest=lines[0] + dogs) for dogs in lines[1:]]
    better, worse = evaluate(plan, together([example_tables(registry, each) for each in examples])).findings["score"]
    assert better < worse


def test_a_line_without_source_ref_is_not_an_image(registry: Registry) -> None:
    data = Example(manifest=images(9) + without_source_ref())
    assert messages(registry, "few-images", data) == ["9 labeled images to train on, fewer than 10"]
    assert messages(registry, "label-few-images", data) == ["'cat' has 9 images to train on, fewer than 10"]


def test_an_image_on_several_lines_counts_once(registry: Registry) -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", name=name) for n in range(9) for name in ("first", "second")]
    assert messages(registry, "few-images", Example(manifest=manifest(*lines))) == [
        "9 labeled images to train on, fewer than 10"
    ]


def test_the_boxes_of_an_image_are_summed_over_its_lines(registry: Registry) -> None:
    cats = [detection("s3://bucket/1.jpg")] * 2
    dogs = [detection("s3://bucket/2.jpg", ({"class_id": 1},) * 5)] * 4
    assert messages(registry, "label-imbalance", Example(manifest=manifest(*cats, *dogs))) == [
        "'dog' has 10.0 times as many boxes (20) as 'cat' (2)"
    ]


def test_an_image_in_both_splits_counts_in_each(registry: Registry) -> None:
    data = Example(manifest=images(9), test_manifest=images(9))
    assert messages(registry, "label-few-images", data) == ["'cat' has 9 images to train on, fewer than 10"]


def test_images_of_two_data_sets_are_not_added_up(registry: Registry) -> None:
    said = ["9 labeled images to train on, fewer than 10"] * 2
    assert messages(registry, "few-images", Example(manifest=images(9)), Example(manifest=images(9, start=9))) == said


def test_test_data_of_one_data_set_is_not_that_of_another(registry: Registry) -> None:
    tested = Example(manifest=images(3), test_manifest=images(3, start=3))
    assert messages(registry, "label-few-images", tested, Example(manifest=images(3))) == [
        "'cat' has 3 images to train on, fewer than 10",
        "'cat' has 3 images: the automatic split may leave none for the test set",
    ]


def test_a_label_that_the_service_cannot_split_has_no_second_finding(registry: Registry) -> None:
    data = Example(manifest=images(12) + images(1, "dog", start=12))
    assert messages(registry, "label-few-images", data) == []


@pytest.mark.parametrize(("scenes", "severity"), [(1, "warning"), (2, "info")])
def test_imbalance_is_an_info_where_over_a_tenth_of_images_have_several_labels(
    registry: Registry, scenes: int, severity: str
) -> None:
    labels = [{"line": n, "label": "dog"} for n in range(10)] + [{"line": n, "label": "cat"} for n in range(scenes)]
    plan = registry.graph.plan([registry.find("label-imbalance")()])
    found = evaluate(plan, example_tables(registry, Example(labels=labels))).findings
    assert found["severity"].to_list() == [severity]


def expecting(folder: Path, expected: str, **counts: int) -> list[tuple[str, str]]:
    """What label-imbalance says of each label under a configuration with `expected`."""
    lines = [classification(f"s3://bucket/{name}{n}.jpg", name) for name, count in counts.items() for n in range(count)]
    (folder / "a.manifest").write_text(manifest(*lines))
    (folder / "groundlint.toml").write_text(f"[rules.label-imbalance]\nexpected = {expected}\n")
    configuration = folder / "groundlint.toml"
    found = groundlint.check(folder / "a.manifest", config=configuration, select=["label-imbalance"]).findings
    return [(label, message.split(",")[0]) for label, message in found.select("label", "message").sort("label").rows()]


def test_an_imbalance_that_was_stated_is_no_finding(tmp_path: Path) -> None:
    assert expecting(tmp_path, "{ cat = 0.95, dog = 0.05 }", cat=95, dog=5) == []
    assert expecting(tmp_path, "{ cat = 0.95, dog = 0.05 }", cat=93, dog=7) == []


def test_labels_whose_share_is_twice_or_half_the_stated_one_are_found(tmp_path: Path) -> None:
    assert expecting(tmp_path, "{ cat = 0.8, dog = 0.1, cow = 0.1 }", cat=80, dog=5, cow=15) == [
        ("dog", "'dog' has 5.0% of the images")
    ]
    assert expecting(tmp_path, "{ cat = 1, cow = 0.2 }", cat=40, dog=60) == [
        ("cat", "'cat' has 40.0% of the images"),
        ("cow", "'cow' has 0.0% of the images"),
    ]


def test_a_share_outside_0_to_1_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected"):
        expecting(tmp_path, "{ cat = 70, dog = 30 }", cat=1)
