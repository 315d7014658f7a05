"""A fault with the same cause on most lines is diagnosed once; what follows from it is folded or left out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import groundlint as command
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from judging import REGISTRY, judged
from lines import classification, detection, manifest
from PIL import Image

import groundlint
from groundlint.config.data_sets import Source
from groundlint_rules.diagnoses import DiagnosisRule

DATA = Path(__file__).parents[2] / "shared/data"
DIAGNOSES = [rule for rule in REGISTRY.rules.values() if issubclass(rule, DiagnosisRule)]
CODES = sorted(rule.code for rule in DIAGNOSES)
Line = dict[str, Any]
Written = Callable[[float, float, float, float, int, int], tuple[float, float, float, float]]

WRITTEN: dict[str, Written] = {
    "coordinates-as-fractions": lambda x, y, w, h, width, height: (x / width, y / height, w / width, h / height),
    "coordinates-as-percentages": lambda x, y, w, h, width, height: (
        *(100 * x / width, 100 * y / height),
        *(100 * w / width, 100 * h / height),
    ),
    "corners-as-sizes": lambda x, y, w, h, _, __: (x, y, x + w, y + h),
    "centers-as-corners": lambda x, y, w, h, _, __: (x + w / 2, y + h / 2, w, h),
}
"""What is written for a box of left, top, width and height in an image of width and height."""


def boxed(count: int = 20, size: tuple[int, int] = (640, 480), seed: int = 1, **parts: Any) -> list[Line]:
    """Lines with one to four boxes somewhere in their image, each a twelfth to a third as long and high as it."""
    draw, made = random.Random(seed), []
    for n in range(count):
        boxes = []
        for _ in range(draw.randint(1, 4)):
            width, height = (draw.randint(side // 12, side // 3) for side in size)
            left, top = draw.randint(0, size[0] - width), draw.randint(0, size[1] - height)
            boxes.append({"left": left, "top": top, "width": width, "height": height, "class_id": draw.randint(0, 1)})
        line = detection(f"s3://bucket/{n:03}.jpg", tuple(boxes), **parts)
        line["animals"]["image_size"] = [{"width": size[0], "height": size[1], "depth": 3}]
        made.append(line)
    return made


def rewritten(lines: list[Line], written: Written) -> list[Line]:
    """Lines with the numbers of their boxes written otherwise."""
    for line in lines:
        [size] = line["animals"]["image_size"]
        for box in line["animals"]["annotations"]:
            sides = ("left", "top", "width", "height")
            values = written(*(box[side] for side in sides), size["width"], size["height"])
            box.update(zip(sides, values, strict=True))
    return lines


def checked(folder: Path, lines: list[Line], **options: Any) -> list[dict[str, Any]]:
    """What the Python API finds in a manifest of these lines."""
    path = folder / "a.manifest"
    path.write_text(manifest(*lines))
    found: list[dict[str, Any]] = groundlint.check(path, isolated=True, **options).findings.to_dicts()
    return found


def diagnoses(lines: list[Line]) -> list[str]:
    """The names of the diagnoses of a manifest of these lines."""
    return [found["name"] for found in judged(DIAGNOSES, Source("a.manifest", "train", data=manifest(*lines).encode()))]


def assert_folded(found: list[dict[str, Any]], name: str, severity: str, *codes: str) -> None:
    """One finding of the diagnosis on the manifest; service codes follow from it; nothing of ours is on a line."""
    [diagnosis] = [each for each in found if each["name"] == name]
    assert (diagnosis["line"], diagnosis["severity"], diagnosis["aws"]) == (None, severity, None)
    assert {each["aws"] for each in found if each["caused_by"] == diagnosis["code"]} == set(codes)
    assert [each["code"] for each in found if each["aws"] and each["caused_by"] != diagnosis["code"]] == []
    assert [each["code"] for each in found if each["line"] is not None and each["aws"] is None] == []


OUTSIDE, SMALL, NO_BOX = "ERROR_INVALID_BOUNDING_BOX", "ERROR_BOUNDING_BOX_TOO_SMALL", "ERROR_NO_VALID_ANNOTATIONS"
INVALID_ROWS, FEW = "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST", "ERROR_MANIFEST_TOO_FEW_LABELS"


@pytest.mark.parametrize(
    ("name", "size", "severity", "codes"),
    [
        ("coordinates-as-fractions", (640, 480), "error", [SMALL, NO_BOX, INVALID_ROWS, FEW]),
        ("coordinates-as-percentages", (4000, 3000), "warning", []),
        ("corners-as-sizes", (640, 480), "error", [OUTSIDE, NO_BOX, INVALID_ROWS]),
        ("centers-as-corners", (640, 480), "error", [OUTSIDE, NO_BOX]),
    ],
)
def test_wrong_coordinates_are_one_finding(
    name: str, size: tuple[int, int], severity: str, codes: list[str], tmp_path: Path
) -> None:
    assert_folded(checked(tmp_path, rewritten(boxed(size=size), WRITTEN[name])), name, severity, *codes)


def test_a_diagnosis_that_is_not_made_hides_nothing(tmp_path: Path) -> None:
    lines = rewritten(boxed(size=(4000, 3000)), WRITTEN["coordinates-as-percentages"])
    for line in lines:
        line["animals"]["annotations"] *= 2
        line["animals-metadata"]["objects"] *= 2
    assert "BOX301" not in {each["code"] for each in checked(tmp_path, lines, select=["BOX"])}
    for options in ({"select": ["BOX"], "ignore": ["BOX402"]}, {"select": ["BOX30"]}):
        assert "BOX301" in {each["code"] for each in checked(tmp_path, lines, **options)}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.sampled_from([(640, 480), (480, 640), (300, 300), (1920, 1080), (4000, 3000)]),
    name=st.sampled_from(sorted(WRITTEN)),
)
def test_each_way_of_writing_is_recognized_and_pixels_are_none(seed: int, size: tuple[int, int], name: str) -> None:
    lines = boxed(30, size, seed)
    assert diagnoses(lines) == []
    written = rewritten(lines, WRITTEN[name])
    # Small boxes far from the edges leave the image in no way of writing: nothing shows it.
    assume(name.endswith(("fractions", "percentages")) or sum(map(leaves_image, written)) > len(lines) / 2)
    assert diagnoses(written) == [name]


def leaves_image(line: dict[str, Any]) -> bool:
    """Whether a box of a line extends beyond its image by more than 2 px."""
    (size,) = line["animals"]["image_size"]
    return any(
        box["left"] + box["width"] > size["width"] + 2 or box["top"] + box["height"] > size["height"] + 2
        for box in line["animals"]["annotations"]
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.integers(1, 15), name=st.sampled_from(sorted(WRITTEN)))
def test_half_of_the_lines_is_not_most(seed: int, share: int, name: str) -> None:
    lines = boxed(30, seed=seed)
    rewritten(lines[:share], WRITTEN[name])
    assert diagnoses(lines) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), over=st.integers(1, 2))
def test_boxes_drawn_a_little_over_the_edge_are_no_diagnosis(seed: int, over: int) -> None:
    def moved(x: float, y: float, w: float, h: float, width: int, _: int) -> tuple[float, float, float, float]:
        return width - w + over, y, w, h

    assert diagnoses(rewritten(boxed(20, seed=seed), moved)) == []


def test_an_image_size_copied_from_another_image_is_one_finding(tmp_path: Path) -> None:
    lines = boxed(12)
    for n, line in enumerate(lines):
        Image.new("RGB", (700 + 10 * n, 500), (n, 99, 200)).save(tmp_path / f"{n:03}.jpg")
        line["animals"]["annotations"] = [{"class_id": 0, "left": 560 + n, "top": 50, "width": 100, "height": 90}]
        line["animals-metadata"]["objects"] = [{"confidence": 1}]
    found = checked(tmp_path, lines, images=tmp_path, select=["BOX", "IMG206", "VIS", "IMG4"])
    [diagnosis] = [each for each in found if each["code"] == "BOX405"]
    assert diagnosis["severity"] == "error"
    assert diagnosis["message"].startswith("`image_size` is 640 x 480 px on 12 of 12 lines whose images have other")
    assert {(each["aws"], each["caused_by"]) for each in found if each != diagnosis} == {
        (OUTSIDE, "BOX405"),
        (NO_BOX, "BOX405"),
    }


def test_an_attribute_per_image_is_one_finding(tmp_path: Path) -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", name=f"labels-{n:04}", **{"human-annotated": "no"}) for n in range(12)]
    found = checked(tmp_path, lines)
    assert [each["code"] for each in found if each["severity"] == "warning"] == ["LBL401"]
    # The machine labels are not repeated for each of the twelve attributes.
    assert [each["code"] for each in found if each["attribute"]] == []


def test_attributes_named_after_their_labels_are_how_the_console_exports_them() -> None:
    lines = [classification(f"s3://bucket/{name}.jpg", name, name) for name in "abcdefgh"]
    assert diagnoses(lines) == []


@pytest.mark.parametrize("type_", ["groundtruth/video-object-detection", "groundtruth/3d-point-cloud-object-detection"])
def test_a_copied_unsupported_type_is_one_finding(type_: str, tmp_path: Path) -> None:
    found = checked(tmp_path, boxed(type=type_))
    codes = ("ERROR_UNSUPPORTED_USE_CASE_TYPE", "ERROR_NO_VALID_LABEL_ATTRIBUTES", INVALID_ROWS, FEW)
    assert_folded(found, "copied-unsupported-type", "error", *codes)
    assert "have the form of groundtruth/object-detection" in next(f for f in found if f["code"] == "LBL402")["message"]


def test_real_video_lines_keep_their_own_code(tmp_path: Path) -> None:
    video = {"v-ref": "s3://b/s.json", "v-ref-metadata": {"type": "groundtruth/video-object-tracking"}}
    found = checked(tmp_path, [{"source-ref": f"s3://b/{n}.json"} | video for n in range(6)])
    assert not {"LBL402"} & {each["code"] for each in found}
    assert {each["caused_by"] for each in found if each["code"] in ("LBL106", "MAN107", "LBL111")} == {"LBL107"}


@pytest.mark.parametrize(("shift", "says"), [(1, "1 higher"), (-1, "1 lower")])
@pytest.mark.parametrize("is_local", [False, True])
def test_a_wrong_base_of_class_ids_is_one_finding(shift: int, says: str, is_local: bool, tmp_path: Path) -> None:
    lines = boxed()
    for line in lines:
        boxes = line["animals"]["annotations"]
        used = {box["class_id"] for box in boxes}
        names = {"0": "cat", "1": "dog"}
        line["animals-metadata"]["class-map"] = {
            key: name for key, name in names.items() if not is_local or int(key) in used
        }
        for box in boxes:
            box["class_id"] += shift
    found = checked(tmp_path, lines)
    [diagnosis] = [each for each in found if each["code"] == "LBL403"]
    assert (diagnosis["severity"], says in diagnosis["message"]) == ("error", True)
    assert {each["caused_by"] for each in found if each["aws"]} == {"LBL403"}
    assert not {"LBL303"} & {each["code"] for each in found}


def test_one_stray_class_id_is_no_wrong_base() -> None:
    lines = boxed()
    for line in lines:
        line["animals-metadata"]["class-map"] = {"0": "cat", "1": "dog", "2": "bird"}
        for box in line["animals"]["annotations"]:
            box["class_id"] = 1
    lines[0]["animals"]["annotations"][0]["class_id"] = 3
    lines[1]["animals"]["annotations"][0]["class_id"] = 2
    assert diagnoses(lines) == []


@pytest.mark.parametrize("moved", [0, 2])
def test_an_adjustment_beside_its_original_is_one_warning(moved: int, tmp_path: Path) -> None:
    lines = boxed()
    for line in lines:
        copy = json.loads(json.dumps(line["animals"]))
        for box in copy["annotations"]:
            box["width"] -= moved
        line["adjusted-animals"] = copy
        line["adjusted-animals-metadata"] = line["animals-metadata"] | {
            "adjustment-status": "adjusted",
            "creation-date": "2024-06-02T10:11:12",
        }
    warnings = [each for each in checked(tmp_path, lines) if each["severity"] != "info"]
    assert [each["code"] for each in warnings] == ["LBL404"]
    assert warnings[0]["message"].endswith("objects count twice; keep the newest attribute, `adjusted-animals`")


def test_a_line_per_box_is_one_finding_with_the_remedy(tmp_path: Path) -> None:
    lines = []
    for line in boxed():
        for box in line["animals"]["annotations"]:
            one = json.loads(json.dumps(line))
            one["animals"]["annotations"], one["animals-metadata"]["objects"] = [box], [{"confidence": 1}]
            lines.append(one)
    found = checked(tmp_path, lines)
    [diagnosis] = [each for each in found if each["code"] == "MAN209"]
    assert diagnosis["severity"] == "error"
    assert "merge the boxes into one line" in diagnosis["message"]
    assert not {"REF104"} & {each["code"] for each in found}
    assert {each["caused_by"] for each in found if each["code"] in ("MAN107", "MAN108")} == {"MAN209"}


def test_an_image_repeated_with_other_boxes_says_to_merge_them(tmp_path: Path) -> None:
    lines = [*boxed(), detection("s3://bucket/000.jpg", ({"left": 300},))]
    [repeated] = [each for each in checked(tmp_path, lines) if each["name"] == "repeated-source-ref"]
    assert repeated["message"].endswith("merge the boxes into one line")


def test_text_folds_what_follows_under_the_diagnosis(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(*rewritten(boxed(), WRITTEN["coordinates-as-fractions"])))
    done = command("check", "a.manifest", "--isolated", "--no-cache", cwd=tmp_path)
    rows = [row for row in done.stdout.splitlines() if " error " in row]
    assert "BOX401" in rows[0]
    assert "└" not in rows[0]
    assert all("└" in row for row in rows[1:])
    assert "(caused by" not in done.stdout


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not part of the project")
@pytest.mark.parametrize("name", ["raccoon", "bccd", "coco128", "animalpose", "wider_occ", "kitti_labels", "manifests"])
def test_public_data_sets_have_no_diagnosis(name: str) -> None:
    for path in sorted((DATA / name).glob("*.manifest")):
        assert judged(DIAGNOSES, Source(path.name, "train", path)) == []


def test_boxes_that_stand_for_no_object_say_what_negatives_are(tmp_path: Path) -> None:
    lines = boxed(30)
    for line in lines[:3]:
        line["animals"]["annotations"] = [{"class_id": 0, "left": 0, "top": 0, "width": 1, "height": 1}]
        line["animals-metadata"]["objects"] = [{"confidence": 1}]
    found = [each for each in checked(tmp_path, lines) if each["line"] in (1, 2, 3)]
    assert {(each["code"], each["caused_by"]) for each in found} == {("BOX102", None), ("BOX104", "BOX102")}
    [says] = {each["message"] for each in found if each["code"] == "BOX102"}
    assert "negatives are lines without boxes, which the service ignores" in says
