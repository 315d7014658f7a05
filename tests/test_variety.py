"""Rules on how varied the images of a label are: the size and the position of objects, shortcuts, and likeness."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lines import classification, manifest
from PIL import Image
from polars import DataFrame

import groundlint
from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Example, Row
from groundlint.engine.registry import Registry, load
from groundlint.example_tables import example_tables
from groundlint_rules.algorithms.held_out import held_out_auroc
from groundlint_rules.features.embeddings import NUMBERS

REGISTRY = load(isolated=True)


def findings(rule: str, example: Example, registry: Registry = REGISTRY) -> DataFrame:
    """What a rule with its default options finds."""
    evaluation = evaluate(registry.graph.plan([registry.find(rule)()]), example_tables(registry, example))
    assert not evaluation.raised
    return evaluation.findings


def boxes(count: int, width: int, height: int, off: float, label: str = "cat", seed: int = 0) -> Iterator[Row]:
    """Boxes whose center is up to a share `off` of the image from its center."""
    draw = random.Random(seed)
    for line in range(count):
        x, y = (draw.uniform(-off, off) for _ in range(2))
        left, top = 320 - width / 2 + 640 * x, 240 - height / 2 + 480 * y
        yield {"line": line, "label": label, "left": left, "top": top, "width": width, "height": height}


def test_objects_in_the_center_are_found_whatever_their_size_with_room_to_be_elsewhere() -> None:
    for side in (20, 100, 300):
        assert findings("objects-always-centered", Example(boxes=list(boxes(40, side, side, off=0.03)))).height == 1


@given(seed=st.integers(0, 1000), side=st.integers(20, 280))
def test_objects_placed_at_random_are_not_always_centered(seed: int, side: int) -> None:
    off = (480 - side) / 2 / 640
    assert findings("objects-always-centered", Example(boxes=list(boxes(40, side, side, off, seed=seed)))).is_empty()


def test_only_the_label_that_is_always_in_the_center_is_named() -> None:
    both = [*boxes(40, 100, 100, off=0.03), *boxes(40, 100, 100, off=0.3, label="dog")]
    assert findings("objects-always-centered", Example(boxes=both))["label"].to_list() == ["cat"]


@pytest.mark.parametrize("rule", ["objects-small", "objects-always-centered"])
def test_test_data_and_unusable_boxes_do_not_count(rule: str) -> None:
    found = [{**box, "width": 20, "height": 20} for box in boxes(40, 20, 20, off=0)]
    assert findings(rule, Example(boxes=found)).height == 1
    for change in ({"split": "test", "manifest": "test.manifest"}, {"usable": False}):
        assert findings(rule, Example(boxes=[{**box, **change} for box in found])).is_empty()


def test_a_label_of_two_jobs_has_the_images_that_it_has() -> None:
    small = [{**box, "attribute": job} for box in boxes(9, 20, 20, off=0.3) for job in ("first", "second")]
    assert findings("objects-small", Example(boxes=small)).is_empty()


def test_smaller_objects_have_a_higher_score() -> None:
    large, small = (
        findings("objects-small", Example(boxes=list(boxes(10, side, side, off=0.3))))["score"].item()
        for side in (20, 10)
    )
    assert 0.5 < large < small < 1


def shortcuts(tmp_path: Path, *images: tuple[str, str, Image.Image, dict[str, object]]) -> list[tuple[str, str]]:
    """Labels that label-shortcut names, and what it says, for images saved as files: name, label, pixels, options."""
    for name, _, pixels, options in images:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pixels.save(tmp_path / name, **options)
    lines = [classification(f"s3://bucket/{name}", label) for name, label, _, _ in images]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    found = groundlint.check(tmp_path / "a.manifest", isolated=True, select=["label-shortcut"]).findings
    return [(label, message.split(";")[0]) for label, message in found.sort("label").select("label", "message").rows()]


def scene(seed: int, level: int = 128, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """An image of gray blobs around a level."""
    generator = np.random.default_rng(seed)
    blobs = Image.fromarray(generator.integers(max(0, level - 60), min(256, level + 60), (6, 6), np.uint8))
    return blobs.resize(size, Image.Resampling.BICUBIC).convert("RGB")


def taken_with(camera: str | None) -> dict[str, object]:
    exif = Image.Exif()
    if camera is not None:
        exif[0x0110] = camera
    return {"exif": exif}


def test_a_label_whose_images_come_from_one_camera_is_found(tmp_path: Path) -> None:
    images = [
        (f"{n}.jpg", "cat" if n % 3 else "dog", scene(n), taken_with("EOS\0 " if n % 3 else ["X100", "D90"][n % 2]))
        for n in range(60)
    ]
    said = "100% of the images with 'cat' were taken with 'EOS', 0% of the others"
    assert shortcuts(tmp_path, *images)[0] == ("cat", f"{said}: a model may learn that instead of the object")


def test_that_images_of_a_label_name_no_camera_is_found(tmp_path: Path) -> None:
    images = [
        (f"{n}.jpg", "cat" if n % 3 else "dog", scene(n), taken_with(None if n % 3 else "X100")) for n in range(60)
    ]
    assert "100% of the images with 'cat' name no camera in their EXIF data" in shortcuts(tmp_path, *images)[0][1]


def test_a_label_whose_images_are_darker_is_found(tmp_path: Path) -> None:
    images = [
        (f"{n}.png", "cat" if n % 3 else "dog", scene(n, level=70 + n % 20 + (0 if n % 3 else 80)), {})
        for n in range(60)
    ]
    assert [(label, "have a mean gray level" in said) for label, said in shortcuts(tmp_path, *images)] == [
        ("cat", True),
        ("dog", True),
    ]


def test_a_label_of_another_file_format_is_found_although_others_are_not(tmp_path: Path) -> None:
    names = ["cat", "dog", "cow"]
    images = [(f"{n}.{'png' if n % 3 == 0 else 'jpg'}", names[n % 3], scene(n), {}) for n in range(60)]
    said = "100% of the images with 'cat' are PNG files, 0% of the others"
    assert shortcuts(tmp_path, *images) == [("cat", f"{said}: a model may learn that instead of the object")]


def test_a_size_that_nearly_all_images_of_a_label_have_is_found_without_images() -> None:
    lines = []
    for n in range(80):
        size = (
            {"image_width": 800, "image_height": 600}
            if n % 2 and n > 4
            else {"image_width": 760 + n, "image_height": 640}
        )
        lines.append({"line": n, "label": "cat" if n % 2 else "dog", **size})
    found = findings("label-shortcut", Example(boxes=lines))
    assert found["message"].str.contains("'cat' are 800 x 600 px, 0% of the others").any()


def folder_shortcuts(folder_of: Callable[[int, str], str], labels: Sequence[str] = ("cat", "dog", "cow")) -> list[str]:
    """Labels that label-shortcut names where folders are all that differs."""
    lines = [
        classification(f"s3://bucket/{folder_of(n, labels[n % len(labels)])}/{n}.jpg", labels[n % len(labels)])
        for n in range(120)
    ]
    return findings("label-shortcut", Example(manifest=manifest(*lines)))["label"].sort().to_list()


def test_a_folder_that_has_nearly_all_images_of_one_label_is_found() -> None:
    assert folder_shortcuts(lambda n, label: "batch1" if label == "cat" else f"batch{2 + n % 4}") == ["cat"]
    assert folder_shortcuts(lambda n, label: f"{label == 'cat'}/{n % 7}") == ["cat"]


def test_a_folder_of_its_own_for_each_label_is_no_shortcut() -> None:
    assert folder_shortcuts(lambda n, label: label) == []
    assert folder_shortcuts(lambda n, label: f"{label}/session{n % 5}") == []
    assert folder_shortcuts(lambda n, label: {"cat": "0", "dog": "1", "cow": "2"}[label]) == []
    # With one image in ten in the folder of another label.
    assert folder_shortcuts(lambda n, label: "dog" if n % 10 == 0 else label) == []


def test_a_folder_named_after_the_label_is_no_shortcut_where_other_labels_share_one() -> None:
    assert folder_shortcuts(lambda n, label: "Cat" if label == "cat" else "others") == []


@given(seed=st.integers(0, 2**20))
@settings(max_examples=25, deadline=None)
def test_chance_predicts_no_label(seed: int) -> None:
    draw = random.Random(seed)
    lines = [
        {"line": n, "label": draw.choice(["cat", "dog"]), "image_width": draw.choice([640, 800, 1024])}
        for n in range(draw.choice([24, 40, 80]))
    ]
    assert findings("label-shortcut", Example(boxes=lines)).is_empty()


def test_copies_of_one_image_do_not_make_a_shortcut(tmp_path: Path) -> None:
    images = [(f"{n}.png", "cat", scene(1, size=(128, 96)), {}) for n in range(20)]
    images += [(f"{n}.png", "dog", scene(n), {}) for n in range(20, 40)]
    assert shortcuts(tmp_path, *images) == []


@given(counts=st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=5, max_size=5), min_size=2))
def test_the_auroc_is_that_of_ranking_images_one_by_one(counts: list[list[tuple[int, int]]]) -> None:
    labeled, others = (np.array([[cell[side] for cell in row] for row in counts]) for side in (0, 1))
    assume(labeled.sum() > 0 and others.sum() > 0)
    images = labeled + others
    ranks: dict[bool, list[float]] = {True: [], False: []}
    for value, fold in np.ndindex(images.shape):
        trained, hits = (np.delete(each, fold, 1) for each in (images, labeled))
        usual = hits.sum() / max(trained.sum(), 1)
        rank = round((hits[value].sum() + usual) / (trained[value].sum() + 1) - usual, 9)
        ranks[True] += [rank] * labeled[value, fold]
        ranks[False] += [rank] * others[value, fold]
    above = [(one > other) + (one == other) / 2 for one in ranks[True] for other in ranks[False]]
    assert held_out_auroc(images, labeled) == pytest.approx(np.mean(above))


def embedded(scenes: Sequence[int], noise: float = 20, start: int = 1) -> list[dict[str, object]]:
    """Images with an embedding near that of their scene."""
    rows = []
    for n, scene_number in enumerate(scenes, start):
        center = np.random.default_rng(scene_number).integers(0, 256, NUMBERS)
        near = np.clip(center + np.random.default_rng(10_000 + n).normal(0, noise, NUMBERS), 0, 255)
        rows.append({"digest": f"{n}", "image_embedding": near.astype(np.uint8).tobytes()})
    return rows


def varied(*labels: tuple[str, Sequence[int]], **columns: object) -> list[str]:
    """What label-low-variety says of labels whose images show these scenes."""
    scenes = [(label, scene_number) for label, numbers in labels for scene_number in numbers]
    rows = [{"line": n, "label": label, **columns} for n, (label, _) in enumerate(scenes, 1)]
    example = Example(labels=rows, images=embedded([number for _, number in scenes]))
    return [message.split(";")[0] for message in findings("label-low-variety", example)["message"]]


def test_a_label_that_shows_few_scenes_is_found() -> None:
    said = "only 3 of 30 compared images of 'cat' differ clearly from each other"
    assert varied(("cat", [n % 3 for n in range(30)]), ("dog", range(100, 150))) == [said]


def test_a_varied_label_is_not_found_even_if_the_others_show_one_scene() -> None:
    found = varied(("cat", range(30)), ("dog", [100] * 30))
    assert [message.split("'")[1] for message in found] == ["dog"]


def test_a_few_similar_images_do_not_make_a_label_uniform() -> None:
    assert varied(("cat", [*range(24), *[0] * 6]), ("dog", range(100, 150))) == []


def test_of_a_large_label_a_sample_is_compared() -> None:
    assert varied(("cat", [n % 5 for n in range(300)]), ("dog", range(400, 450))) == [
        "only 5 of 100 compared images of 'cat' differ clearly from each other"
    ]


def test_variety_of_test_data_does_not_count() -> None:
    assert varied(("cat", [0] * 30), ("dog", range(100, 130)), split="test", manifest="test.manifest") == []


def test_the_images_with_boxes_of_a_label_are_compared_too() -> None:
    boxes = [{"line": n} for n in range(1, 31) for _ in range(2)]
    images = [*embedded([0] * 30), *embedded(range(100, 150), start=31)]
    found = findings("label-low-variety", Example(boxes=boxes, images=images))["message"].item()
    assert found.startswith("only 1 of 30 compared images")


def test_a_label_that_shows_few_scenes_and_has_many_duplicates_is_one_finding() -> None:
    rows = [{"line": n} for n in range(1, 31)]
    images = [image | {"digest": f"{n // 3}"} for n, image in enumerate(embedded([n % 3 for n in range(30)]))]
    found = findings("label-low-variety", Example(labels=rows, images=images))["message"]
    assert [message.split(";")[0] for message in found] == [
        "only 3 of 30 compared images of 'cat' differ clearly from each other"
    ]
