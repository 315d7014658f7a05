"""Each fix: its finding appears, the fix is applied, and the next check is silent; nothing else of a line changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixed import contents, fixed, write
from image_sets import image_bytes
from lines import classification, detection
from runs import REGISTRY, checked

from groundlint.config.data_sets import Request


@dataclass(frozen=True)
class Case:
    """Lines of a manifest before and after a fix, None for a removed line, and how safe the fix is."""

    code: str
    before: Sequence[str | bytes]
    after: Sequence[str | bytes | None]
    safety: str = "safe"
    target: str = "rekognition"


def odd(line: dict[str, Any]) -> str:
    """A line as no serializer of ours would write it: other spaces, key order and spelling of numbers."""
    text = json.dumps(dict(reversed(line.items())), separators=(" ,", ":  "))
    return text.replace("0.9", "9.00e-1").replace('"depth":  3', '"depth":  3.0').replace("s3://", "s3:\\/\\/")


SOUND = [odd(detection(f"s3://bucket/sound-{n}.jpg")) for n in range(3)]
BOXES, LABEL = odd(detection()), odd(classification())
OUTSIDE = odd(detection(boxes=({"left": 600, "width": 41.5}, {"left": -1.25, "top": 100})))
CLIPPED = odd(detection(boxes=({"left": 600, "width": 40}, {"left": 0, "width": 28.75, "top": 100})))


def one_box(box: tuple[float, float, float, float], n: int) -> str:
    sides = dict(zip(("left", "top", "width", "height"), box, strict=True))
    return odd(detection(f"s3://bucket/{n}.jpg", (sides,)))


PLACES = [(20, 30, 200, 150), (330, 250, 250, 200), (150, 200, 220, 240), (400, 60, 190, 120)]
FRACTIONS = [(left / 640, top / 480, width / 640, height / 480) for left, top, width, height in PLACES]
CORNERS = [(left, top, left + width, top + height) for left, top, width, height in PLACES]
CENTERS = [(left + width / 2, top + height / 2, width, height) for left, top, width, height in PLACES]


def large(line: str) -> str:
    return line.replace(":  640", ":  4000").replace(":  480", ":  3000")


PERCENTAGES = [
    (left / 40, top / 30, width / 40, height / 30)
    for left, top, width, height in [
        (200, 300, 2000, 1500),
        (1330, 1250, 1250, 1200),
        (2150, 1200, 1220, 1240),
        (400, 60, 190, 1220),
    ]
]

TWO = '{"confidence": 0.9}, {"confidence": 0.9}'
UNUSED = odd(detection(**{"class-map": {"7": "cow", "0": "cat", "8": "emu"}}))
CONFIDENCES = json.dumps(detection(boxes=({}, {"left": 300})))
NO_OBJECTS = CONFIDENCES.replace(f'"objects": [{TWO}], ', "")
NO_CONFIDENCE = LABEL.replace('"confidence":  9.00e-1 ,', "")
JOB = '"labeling-job/animals"'
ADJUSTED = [
    detection(f"s3://bucket/{n}.jpg", name="bb")
    | {
        key: part
        for key, part in detection(
            name="bb-chain",
            boxes=({"left": 11},),
            **{"adjustment-status": "adjusted", "creation-date": "2024-06-02T10:11:12"},
        ).items()
        if key != "source-ref"
    }
    for n in range(4)
]

CASES = {
    "misspelt source-ref": Case("REF101", [BOXES.replace("source-ref", "source_ref")], [BOXES]),
    "misspelt source-ref for Ground Truth": Case(
        "MAN303", [BOXES.replace("source-ref", "Source Ref")], [BOXES], target="ground-truth"
    ),
    "invisible character in a key": Case("REF101", [BOXES.replace("source-ref", "source-ref\u200b")], [BOXES]),
    "invisible character in a key, escaped": Case("LBL102", [BOXES.replace("width", "wi\\u200bdth", 1)], [BOXES]),
    "misspelt metadata": Case("LBL101", [BOXES.replace("animals-metadata", "animals_metadata")], [BOXES]),
    "misspelt metadata beside a label": Case(
        "MAN206",
        [LABEL[:-1] + ' , "boxes" : {"annotations": []}, "boxes_metadata":{"class-map" : {}} }'] * 2,
        [LABEL[:-1] + ' , "boxes" : {"annotations": []}, "boxes-metadata":{"class-map" : {}} }'] * 2,
    ),
    "misspelt key of a box": Case("LBL102", [BOXES.replace('"class_id"', '"class-id"')], [BOXES]),
    "misspelt key of all boxes": Case("LBL102", [CONFIDENCES.replace('"class_id"', '"class id"')], [CONFIDENCES]),
    "misspelt key of metadata": Case("LBL103", [LABEL.replace("human-annotated", "human_annotated")], [LABEL]),
    "blank lines": Case("MAN201", ["", LABEL, " \t", ""], [None, LABEL, None, None]),
    "byte order mark": Case("MAN204", [b"\xef\xbb\xbf" + LABEL.encode()], [LABEL]),
    "byte-identical repeated line": Case("REF104", [LABEL, SOUND[0], LABEL], [LABEL, None, None]),
    "unused classes": Case("LBL303", [UNUSED], [odd(detection())]),
    "box over the edge by 2 px": Case("BOX101", [OUTSIDE], [CLIPPED]),
    "invalid JSON": Case("MAN201", [LABEL, LABEL[:-1]], [LABEL, None], "unsafe"),
    "line without an image": Case("REF101", [LABEL.replace("source-ref", "file")], [None], "unsafe"),
    "line without an S3 URI": Case("REF102", [LABEL.replace("s3:", "https:")], [None], "unsafe"),
    "line without a label": Case("LBL101", ['{"source-ref": "s3://bucket/1.jpg", "animal": "cat"}'], [None], "unsafe"),
    "line with an invalid label": Case("LBL102", [BOXES.replace('"annotations"', '"boxes"')], [None], "unsafe"),
    "line with unsupported labels": Case("LBL107", [LABEL.replace("image-classification", "custom")], [None], "unsafe"),
    "line that is too long": Case(
        "MAN202", [LABEL.replace("{", '{"note": "' + "x" * 100_000 + '", ', 1)], [None], "unsafe"
    ),
    "line without a valid box": Case("BOX104", [one_box((700, 0, 9, 9), 1)], [None], "unsafe"),
    "repeated line with other labels": Case(
        "REF104", [LABEL, LABEL.replace('"cat"', '"dog"')], [LABEL, None], "unsafe"
    ),
    "missing confidence": Case(
        "LBL103",
        [NO_CONFIDENCE],
        [NO_CONFIDENCE.replace('"labeling-job/animal"', '"labeling-job/animal" ,"confidence":  1')],
        "unsafe",
    ),
    "missing objects": Case(
        "LBL104",
        [NO_OBJECTS],
        [NO_OBJECTS.replace(JOB, JOB + ', "objects": [{"confidence": 1}, {"confidence": 1}]')],
        "unsafe",
    ),
    "too few objects": Case(
        "LBL104",
        [CONFIDENCES.replace(TWO, '{"confidence": 0.90}')],
        [CONFIDENCES.replace(TWO, '{"confidence": 0.90}, {"confidence": 1}')],
        "unsafe",
    ),
    "objects without confidence": Case(
        "LBL104",
        [CONFIDENCES.replace(TWO, "{ }, {}")],
        [CONFIDENCES.replace(TWO, '{"confidence": 1 }, {"confidence": 1}')],
        "unsafe",
    ),
    "similar label names": Case(
        "LBL301",
        [
            BOXES,
            LABEL.replace("/1.", "/2."),
            BOXES.replace("/1.", "/3.").replace('"cat"', '"Cat"'),
            LABEL.replace('"cat"', '"Cat"').replace("/1.", "/4."),
        ],
        [BOXES, LABEL.replace("/1.", "/2."), BOXES.replace("/1.", "/3."), LABEL.replace("/1.", "/4.")],
        "unsafe",
    ),
    "hidden characters in a label": Case(
        "LBL302", [BOXES.replace("cat", "c\\u200bow")], [BOXES.replace("cat", "cow")], "unsafe"
    ),
    "fractions": Case(
        "BOX401",
        [one_box(box, n) for n, box in enumerate(FRACTIONS)],
        [one_box(box, n) for n, box in enumerate(PLACES)],
        "unsafe",
    ),
    "corners": Case(
        "BOX403",
        [one_box(box, n) for n, box in enumerate(CORNERS)],
        [one_box(box, n) for n, box in enumerate(PLACES)],
        "unsafe",
    ),
    "centers": Case(
        "BOX404",
        [one_box(box, n) for n, box in enumerate(CENTERS)],
        [one_box(box, n) for n, box in enumerate(PLACES)],
        "unsafe",
    ),
    "superseded attribute": Case(
        "LBL404",
        [json.dumps(line) for line in ADJUSTED],
        [json.dumps({key: line[key] for key in line if key not in ("bb", "bb-metadata")}) for line in ADJUSTED],
        "unsafe",
    ),
}


def as_bytes(lines: Sequence[str | bytes | None]) -> bytes:
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines if line is not None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_a_fix_changes_what_it_should_and_nothing_else(here: Path, name: str) -> None:
    case = CASES[name]
    # Diagnoses need most lines.
    sound = [] if case.code in ("BOX401", "BOX403", "BOX404", "LBL404") else SOUND
    flags = {"select": [case.code], "target": case.target}
    (here / "a.manifest").write_bytes(as_bytes([*case.before, *sound]))
    before = checked("a.manifest", **flags).findings
    assert set(before["fix"]) == {case.safety}
    if case.safety == "unsafe":
        assert contents(fixed("a.manifest", **flags)) == {}
    made = fixed("a.manifest", unsafe=case.safety == "unsafe", **flags)
    assert contents(made)["a.manifest"].decode() == as_bytes([*case.after, *sound]).decode()
    assert made.count == before.height
    write(made)
    assert checked("a.manifest", **flags).findings.is_empty()
    assert contents(fixed("a.manifest", unsafe=True, **flags)) == {}


def test_percentages_become_pixels(here: Path) -> None:
    (here / "a.manifest").write_text("".join(large(one_box(box, n)) + "\n" for n, box in enumerate(PERCENTAGES)))
    made = fixed("a.manifest", unsafe=True, select=["BOX402"])
    lines = [json.loads(line)["animals"]["annotations"][0] for line in contents(made)["a.manifest"].splitlines()]
    assert [line["width"] for line in lines] == [2000, 1250, 1220, 190]
    assert made.after.findings.is_empty()


def test_line_ends_become_lf_and_nothing_else(here: Path) -> None:
    text = as_bytes([LABEL, *SOUND])
    (here / "a.manifest").write_bytes(text.replace(b"\n", b"\r\n", 2))
    assert contents(fixed("a.manifest", select=["MAN205"])) == {"a.manifest": text}


def test_other_fixes_keep_line_ends_and_the_missing_one_at_the_end(here: Path) -> None:
    misspelt = BOXES.replace("source-ref", "source_ref")
    (here / "a.manifest").write_bytes(f"{SOUND[0]}\r\n\r\n{misspelt}\r\n{SOUND[1]}".encode())
    made = fixed("a.manifest", select=["MAN201", "REF101"])
    assert contents(made) == {"a.manifest": f"{SOUND[0]}\r\n{BOXES}\r\n{SOUND[1]}".encode()}


@pytest.mark.parametrize(
    "box",
    [{"left": 600, "width": 43}, {"left": 640.5, "width": 2}, {"left": 639.2, "width": 1.5}, {"width": -5}],
    ids=["3 px over the edge", "beyond the image", "too small when clipped", "negative"],
)
def test_other_boxes_are_not_clipped(here: Path, box: dict[str, float]) -> None:
    (here / "a.manifest").write_bytes(as_bytes([*SOUND, odd(detection(boxes=({}, box)))]))
    outcome = checked("a.manifest", select=["BOX101"])
    assert outcome.findings["fix"].to_list() == [None]


def test_classes_are_kept_where_a_box_has_an_unknown_id(here: Path) -> None:
    line = odd(detection(boxes=({"class_id": 5},), **{"class-map": {"0": "cat"}}))
    (here / "a.manifest").write_bytes(as_bytes([line]))
    assert checked("a.manifest", select=["LBL303"]).findings["fix"].to_list() == [None]


def test_a_label_is_renamed_in_training_and_test_data_at_once(here: Path) -> None:
    (here / "groundlint.toml").write_text('[datasets.a]\ntrain = ["train.manifest"]\ntest = ["test.manifest"]\n')
    (here / "train.manifest").write_bytes(as_bytes([*SOUND, LABEL.replace("/1.", "/2.").replace('"cat"', '"CAT"')]))
    (here / "test.manifest").write_bytes(
        as_bytes([BOXES.replace("/1.", "/3."), UNUSED.replace('"cat"', '"CAT"').replace("/1.", "/4.")])
    )
    made = fixed("train.manifest", unsafe=True, select=["LBL301"])
    assert contents(made) == {
        "train.manifest": as_bytes([*SOUND, LABEL.replace("/1.", "/2.")]),
        "test.manifest": as_bytes([BOXES.replace("/1.", "/3."), UNUSED.replace("/1.", "/4.")]),
    }


def images(here: Path, *names: str) -> dict[str, bytes]:
    made = {name: image_bytes((640, 480), seed=40 * n) for n, name in enumerate(names)}
    for name, data in made.items():
        (here / name).write_bytes(data)
    return made


def untouched(here: Path, made: dict[str, bytes]) -> bool:
    return {name: (here / name).read_bytes() for name in made} == made


def test_image_size_is_that_of_the_file(here: Path) -> None:
    made = images(here, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    lines = [odd(detection(f"s3://bucket/{name}", ({"left": 20 * n, "top": 10 * n},))) for n, name in enumerate(made)]
    wrong = lines[0].replace(":  640", ":  320.0")
    (here / "a.manifest").write_bytes(as_bytes([wrong, *lines[1:]]))
    (here / "far.manifest").write_bytes(
        as_bytes([lines[0].replace(":  640", ":  2000").replace('"left":  0', '"left":  900'), *lines[1:]])
    )
    assert contents(fixed("a.manifest", select=["IMG206"], unsafe=True)) == {"a.manifest": as_bytes(lines)}
    # The boxes are not those of an image of 640 px.
    assert contents(fixed("far.manifest", select=["IMG206"], unsafe=True)) == {}
    assert untouched(here, made)


def test_a_copied_image_size_becomes_that_of_each_file(here: Path) -> None:
    lines = []
    for n in range(4):
        (here / f"{n}.jpg").write_bytes(image_bytes((600 + n, 450), seed=n))
        lines.append(odd(detection(f"s3://bucket/{n}.jpg", ({"left": 20 * n},))))
    (here / "a.manifest").write_bytes(as_bytes(lines))
    made = fixed("a.manifest", select=["BOX405", "IMG206"], unsafe=True)
    sized = [line.replace(":  640", f":  {600 + n}").replace(":  480", ":  450") for n, line in enumerate(lines)]
    assert contents(made)["a.manifest"].decode() == as_bytes(sized).decode()
    assert made.after.findings.is_empty()


def test_an_exact_duplicate_is_removed_unless_its_labels_differ(here: Path) -> None:
    made = images(here, "a.jpg", "b.jpg")
    for name in ("copy.jpg", "other.jpg"):
        (here / name).write_bytes(made["a.jpg"])
    of = {name: odd(classification(f"s3://bucket/{name}")) for name in ("copy.jpg", "a.jpg", "b.jpg", "other.jpg")}
    of["b.jpg"] = of["b.jpg"].replace('"cat"', '"dog"')
    (here / "a.manifest").write_bytes(as_bytes([of["copy.jpg"], of["a.jpg"], of["b.jpg"]]))
    reported = checked("a.manifest", select=["DUP101"]).findings
    kept = reported["related"][0][0]["source_ref"]
    removed = {"s3://bucket/a.jpg": "copy.jpg", "s3://bucket/copy.jpg": "a.jpg"}[kept]
    expected = as_bytes([line for name, line in of.items() if name not in (removed, "other.jpg")])
    assert contents(fixed("a.manifest", select=["DUP101"], unsafe=True)) == {"a.manifest": expected}
    different = of["other.jpg"].replace('"cat"', '"dog"')
    (here / "b.manifest").write_bytes(as_bytes([of["a.jpg"], different, of["b.jpg"]]))
    assert contents(fixed("b.manifest", select=["DUP101"], unsafe=True)) == {}
    assert untouched(here, made)


def test_leaked_images_are_removed_from_the_training_data(here: Path) -> None:
    made = images(here, "a.jpg", "b.jpg", "c.jpg")
    (here / "copy.jpg").write_bytes(made["b.jpg"])
    a, b, c, copy = (odd(classification(f"s3://bucket/{name}")) for name in ("a.jpg", "b.jpg", "c.jpg", "copy.jpg"))
    (here / "train.manifest").write_bytes(as_bytes([a, b, c]))
    (here / "test.manifest").write_bytes(as_bytes([copy, a]))
    request = Request(train=("train.manifest",), test=("test.manifest",))
    result = fixed(request=request, select=["SPL204"], unsafe=True)
    assert contents(result) == {"train.manifest": as_bytes([c])}
    assert result.after.findings.is_empty()
    assert untouched(here, made)


def test_a_key_is_decoded_if_the_file_with_the_decoded_name_exists(here: Path) -> None:
    images(here, "a b.jpg", "c%20d.jpg", "f.jpg")
    lines = [
        odd(classification(f"s3://bucket/img/{name}")) for name in ("a%20b.jpg", "c%20d.jpg", "e%20g.jpg", "f.jpg")
    ]
    (here / "a.manifest").write_bytes(as_bytes(lines))
    made = fixed("a.manifest", select=["IMG203"])
    # The slashes of the rest of the line stay escaped; those of the new value are not.
    decoded = lines[0].replace("s3:\\/\\/bucket/img/a%20b.jpg", "s3://bucket/img/a b.jpg")
    assert contents(made)["a.manifest"].decode() == as_bytes([decoded, *lines[1:]]).decode()


def test_a_line_that_can_be_repaired_is_not_removed(here: Path) -> None:
    line = odd(detection(boxes=({"left": -1},)))
    (here / "a.manifest").write_bytes(as_bytes([line, *SOUND]))
    found = checked("a.manifest", select=["BOX101", "BOX104"]).findings
    assert dict(found.select("code", "fix").rows()) == {"BOX101": "safe", "BOX104": "unsafe"}
    made = fixed("a.manifest", select=["BOX101", "BOX104"], unsafe=True)
    assert len(contents(made)["a.manifest"].splitlines()) == 4
    assert made.count == 1
    assert made.after.findings.is_empty()


def test_not_all_lines_are_removed(here: Path) -> None:
    (here / "a.manifest").write_bytes(as_bytes([LABEL.replace("source-ref", "file"), LABEL[:-1], ""]))
    made = fixed("a.manifest", unsafe=True, select=["MAN201", "REF101"])
    assert contents(made)["a.manifest"] == as_bytes([LABEL.replace("source-ref", "file"), LABEL[:-1]])


def test_the_consequence_of_a_fault_on_most_lines_is_not_fixed(here: Path) -> None:
    lines = [LABEL.replace("/1.", f"/{n}.").replace("image-classification", "video-object-detection") for n in range(4)]
    (here / "a.manifest").write_bytes(as_bytes([*lines, *SOUND]))
    found = checked("a.manifest", select=["LBL107", "LBL402"]).findings
    assert set(found["caused_by"].drop_nulls()) == {"LBL402"}
    assert found["fix"].is_null().all()


def test_a_fault_that_is_suppressed_or_ignored_is_not_fixed(here: Path) -> None:
    (here / "groundlint.toml").write_text('ignore = ["MAN201"]\n[[suppress]]\nrule = "REF101"\nreason = "known"\n')
    (here / "a.manifest").write_bytes(as_bytes([BOXES.replace("source-ref", "source_ref"), "", *SOUND]))
    assert contents(fixed("a.manifest", select=["MAN201", "REF101"])) == {}


def test_every_declared_fix_has_a_case_here() -> None:
    tested = {(case.code, case.safety) for case in CASES.values()}
    alone = {
        *(("MAN205", "safe"), ("IMG203", "safe"), ("BOX402", "unsafe"), ("BOX405", "unsafe"), ("IMG206", "unsafe")),
        *(("DUP101", "unsafe"), ("SPL204", "unsafe")),
    }
    # They remove a line as the others do, and their examples show it.
    like = {
        ("LBL105", "unsafe"),
        ("LBL106", "unsafe"),
        ("LBL108", "unsafe"),
        ("IMG101", "unsafe"),
        ("IMG102", "unsafe"),
    }
    declared = {(code, safety.value) for code, rule in REGISTRY.rules.items() for safety in rule.fixes}
    assert declared == tested | alone | like | {("LBL103", "safe")}
