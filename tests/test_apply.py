"""`groundlint apply`: what a review changes in a manifest, what stays as it is, and what is refused."""

from __future__ import annotations

import codecs
import csv
import io
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command import groundlint
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import DATE, classification, detection, line_texts, manifest

from groundlint.config.data_sets import DataSet, Source
from groundlint.manifest.reader import read
from groundlint.manifest.strict_json import parse
from groundlint.relabeling import relabel
from groundlint.report.csv import cell
from groundlint.review_file import COLUMNS, Decision, ReviewFileError, Row, read_review

CAT_AND_DOG = ({}, {"class_id": 1, "left": 200}, {"left": 300})
LINES = [
    detection("s3://bucket/0.jpg", CAT_AND_DOG),
    detection("s3://bucket/1.jpg", ({"class_id": 1},), **{"class-map": {"1": "dog"}}),
    detection("s3://bucket/2.jpg") | classification("s3://bucket/2.jpg", "night", name="scene"),
    classification("s3://bucket/3.jpg", "day", name="scene"),
]


def row(source: str, decision: str, **values: Any) -> dict[str, Any]:
    return {"source_ref": f"s3://bucket/{source}", "decision": decision, **values}


def review(*rows: dict[str, Any], delimiter: str = ",") -> str:
    """A review as a spreadsheet writes it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def apply(lines: list[Any], *rows: dict[str, Any]) -> list[Any]:
    """The lines after a review."""
    read = read_review(review(*rows).encode())
    made = relabel(read.rows, manifest(*lines).encode())
    assert (read.problems, made.problems) == ([], [])
    return [json.loads(line) for line in made.manifest.splitlines()]


def command(folder: Path, text: str | bytes, csv_text: str | bytes) -> subprocess.CompletedProcess[str]:
    """The command on a manifest and a review."""
    for name, content in (("a.manifest", text), ("r.csv", csv_text)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return groundlint("apply", "r.csv", "a.manifest", "--to", "b.manifest", cwd=folder)


def problems(lines: list[Any], csv_text: str) -> list[str]:
    """What is wrong with the rows of a review."""
    read = read_review(csv_text.encode())
    made = relabel(read.rows, manifest(*lines).encode())
    return [f"{row}: {text}" for row, text in sorted({*read.problems, *made.problems})]


def labels(value: Any) -> list[str]:
    """Labels of the boxes of a line."""
    return [value["animals-metadata"]["class-map"][str(box["class_id"])] for box in value["animals"]["annotations"]]


def test_a_box_gets_another_label() -> None:
    lines = apply(LINES, row("0.jpg", "relabel", attribute="animals", box=2, label="cat", new_label="dog"))
    assert labels(lines[0]) == ["cat", "dog", "dog"]
    assert lines[0]["animals-metadata"]["class-map"] == {"0": "cat", "1": "dog"}
    lines[0]["animals"]["annotations"][2]["class_id"] = 0
    assert lines == LINES


def test_a_new_label_has_one_new_id_on_all_lines() -> None:
    """The class of a label that no box has any longer leaves the class map."""
    rows = [row(f"{n}.jpg", "relabel", attribute="animals", box=0, new_label="fox") for n in (0, 1, 2)]
    lines = apply(LINES, *rows)
    assert [labels(line) for line in lines[:3]] == [["fox", "dog", "cat"], ["fox"], ["fox"]]
    assert [line["animals-metadata"]["class-map"] for line in lines[:3]] == [
        {"0": "cat", "1": "dog", "2": "fox"},
        {"2": "fox"},
        {"2": "fox"},
    ]


def test_a_class_map_that_names_all_classes_stays_complete() -> None:
    whole = {"0": "cat", "1": "dog", "2": "fox"}
    (line,) = apply(
        [detection("s3://bucket/0.jpg", **{"class-map": whole})],
        row("0.jpg", "relabel", attribute="animals", box=0, new_label="dog"),
    )
    assert labels(line) == ["dog"]
    assert line["animals-metadata"]["class-map"] == whole


def test_ids_that_mean_another_label_on_a_line_are_not_used_there() -> None:
    """The console numbers the labels of each line from 0."""
    lines = [
        detection("s3://bucket/0.jpg", **{"class-map": {"0": "cat"}}),
        detection("s3://bucket/1.jpg", **{"class-map": {"0": "dog"}}),
        detection("s3://bucket/2.jpg", ({}, {}), **{"class-map": {"0": "cat"}}),
    ]
    rows = [row(f"{n}.jpg", "relabel", attribute="animals", box=0, new_label="dog") for n in (0, 2)]
    changed = apply(lines, *rows)
    assert [labels(line) for line in changed] == [["dog"], ["dog"], ["dog", "cat"]]


def test_a_box_without_a_label_does_not_get_one_by_chance() -> None:
    """Its class_id is not in the class map, and must not become the id of another label."""
    line = detection("s3://bucket/0.jpg", ({}, {"class_id": 2}), **{"class-map": {"0": "cat"}})
    other = detection("s3://bucket/1.jpg", ({"class_id": 2},), **{"class-map": {"2": "dog"}})
    for label in ("fox", "dog"):
        changed, _ = apply([line, other], row("0.jpg", "relabel", attribute="animals", box=0, new_label=label))
        assert [box["class_id"] for box in changed["animals"]["annotations"]] == [3, 2]
        assert changed["animals-metadata"]["class-map"] == {"3": label}


def test_boxes_are_numbered_as_in_the_given_manifest() -> None:
    boxes = tuple({"left": 10 * n, "class_id": n % 2} for n in range(6))
    confidences = [{"confidence": n / 10} for n in range(6)]
    (line,) = apply(
        [detection("s3://bucket/0.jpg", boxes, objects=confidences)],
        row("0.jpg", "remove", attribute="animals", box=0),
        row("0.jpg", "relabel", attribute="animals", box=5, label="dog", new_label="cat"),
        row("0.jpg", "remove", attribute="animals", box=3),
        row("0.jpg", "remove", attribute="animals", box=1),
    )
    assert [box["left"] for box in line["animals"]["annotations"]] == [20, 40, 50]
    assert line["animals-metadata"]["objects"] == [confidences[n] for n in (2, 4, 5)]
    assert labels(line) == ["cat", "cat", "cat"]
    assert line["animals-metadata"]["class-map"] == {"0": "cat"}


def test_an_image_gets_another_label() -> None:
    lines = apply(
        [*LINES, classification("s3://bucket/4.jpg", "dusk", name="scene") | {"scene": "7"}],
        row("2.jpg", "relabel", attribute="scene", label="night", new_label="dusk"),
        row("4.jpg", "relabel", attribute="scene", new_label="dawn"),
    )
    assert [(line["scene"], line["scene-metadata"]["class-name"]) for line in lines[2:]] == [
        (7, "dusk"),
        (0, "day"),
        ("8", "dawn"),
    ]


def test_a_label_of_several_is_changed_and_removed() -> None:
    tags = {
        "source-ref": "s3://bucket/0.jpg",
        "tags": [3, 0, 1],
        "tags-metadata": {
            "class-map": {"3": "wet", "0": "night", "1": "city"},
            "confidence-map": {"3": 0.8, "0": 0.3, "1": 0.5},
            "type": "groundtruth/image-classification-multilabel",
            "human-annotated": "yes",
            "creation-date": DATE,
        },
    }
    (line,) = apply(
        [tags],
        row("0.jpg", "relabel", attribute="tags", label="night", new_label="day"),
        row("0.jpg", "remove", attribute="tags", label="city"),
        row("0.jpg", "keep", attribute="tags", label="wet"),
    )
    assert line["tags"] == [3, 4]
    assert line["tags-metadata"]["class-map"] == {"3": "wet", "4": "day"}
    assert line["tags-metadata"]["confidence-map"] == {"3": 0.8, "4": 0.3}
    (line,) = apply([tags], row("0.jpg", "relabel", attribute="tags", label="night", new_label="wet"))
    assert (line["tags"], line["tags-metadata"]["class-map"]) == ([3, 1], {"3": "wet", "1": "city"})


def test_an_attribute_or_a_line_is_removed() -> None:
    lines = apply(LINES, row("2.jpg", "remove", attribute="scene"), row("1.jpg", "remove", note="blurred"))
    assert lines == [LINES[0], detection("s3://bucket/2.jpg"), LINES[3]]


def test_lines_that_nothing_changes_keep_their_bytes(tmp_path: Path) -> None:
    """Spaces, escapes, ends of lines, broken lines, the byte order mark and a missing last end."""
    texts = [
        json.dumps(LINES[0]).replace(": ", " :\t"),
        '{"source-ref": ',
        "",
        json.dumps(detection("s3://bucket/9.jpg", job="é"), ensure_ascii=True),
        json.dumps(detection("s3://bucket/1.jpg", job="é"), ensure_ascii=False, separators=(",", ":")),
        json.dumps(LINES[3]),
    ]
    text = codecs.BOM_UTF8 + "\r\n".join(texts).encode()
    rows = (
        row("1.jpg", "relabel", attribute="animals", box=0, new_label="fox"),
        row("0.jpg", "keep", attribute="animals", box=1),
        row("3.jpg", "relabel", attribute="scene", new_label="day"),
    )
    done = command(tmp_path, text, review(*rows))
    assert done.stdout == "b.manifest: 1 label changed, 1 decision to keep what is there\n"
    written = (tmp_path / "b.manifest").read_bytes()
    was, now = text.split(b"\n"), written.split(b"\n")
    assert [n for n in range(6) if was[n] != now[n]] == [4]
    assert now[4] == was[4].replace(b'"class_id":0', b'"class_id":2').replace(b'{"0":"cat"}', b'{"2":"fox"}')
    assert (tmp_path / "a.manifest").read_bytes() == text


def test_the_changed_manifest_is_sound(tmp_path: Path) -> None:
    lines = apply(
        LINES,
        row("0.jpg", "remove", attribute="animals", box=1),
        row("1.jpg", "relabel", attribute="animals", box=0, new_label="fox"),
        row("2.jpg", "relabel", attribute="scene", new_label="fox"),
    )
    (tmp_path / "b.manifest").write_text(manifest(*lines))
    options = ("--select", "MAN,LBL1,LBL2,BOX1", "--output", "concise", "--fail-on", "info")
    done = groundlint("check", "b.manifest", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text.replace("\r\n", "\r\n\r\n,,,,,,,\r\n"),
        lambda text: text.replace("relabel", " Relabel ").replace("decision", "Decision"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: "sep=;\r\n" + text.replace(",", ";"),
        lambda text: text.replace(",2,", ",2.0,"),
        lambda text: text.replace("note", "Note,reviewer").replace(",,\r\n", ',"x,\r\ny",anna\r\n'),
        lambda text: "\r\n".join(f"{line},,," for line in text.splitlines()),
    ],
)
def test_habits_of_spreadsheets_are_read(change: Any) -> None:
    text = review(row("0.jpg", "relabel", attribute="animals", box=2, label="cat", new_label="dog"))
    read = read_review(change(text).encode())
    assert [each._replace(number=0) for each in read.rows] == [
        Row(0, "s3://bucket/0.jpg", "animals", 2, "cat", Decision.RELABEL, "dog")
    ]
    assert read.problems == []


@pytest.mark.parametrize("label", ["=1+1", "+x", "-x", "@x", "'=x", "a\u200bb", " a", 'say "x", y', "Käfer"])
def test_names_that_the_csv_report_escapes_are_found(label: str) -> None:
    """An apostrophe is before what a spreadsheet would take for a formula, and invisible characters are escapes."""
    line = classification("s3://bucket/0.jpg", label, name="=scene")
    changed = apply(
        [line],
        row("0.jpg", "relabel", attribute="'=scene", label=cell(label), new_label="'-new"),
    )
    assert changed[0]["=scene-metadata"]["class-name"] == "-new"


def test_the_csv_report_with_decisions_is_a_review(tmp_path: Path) -> None:
    bad = [detection("s3://bucket/0.jpg", ({"left": -5}, {"left": 620}, {})), *LINES[1:]]
    (tmp_path / "a.manifest").write_text(manifest(*bad))
    groundlint("check", "a.manifest", "--output", "csv:found.csv", "--exit-zero", cwd=tmp_path)
    with (tmp_path / "found.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0])[:4] == ["code", "name", "severity", "message"]
    for each in found:
        each["decision"] = "REMOVE" if each["code"] == "BOX101" else ""
    with (tmp_path / "r.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, [*found[0]], delimiter=";")
        writer.writeheader()
        writer.writerows(found)
    done = groundlint("apply", "r.csv", "a.manifest", "--to", "b.manifest", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (first, *others) = [json.loads(line) for line in (tmp_path / "b.manifest").read_text().splitlines()]
    assert [box["left"] for box in first["animals"]["annotations"]] == [10]
    assert others == bad[1:]


HEAD = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("9.jpg", "keep")], "r.csv:2: the manifest has no image 's3://bucket/9.jpg'"),
        ([row("0.jpg", "keep", attribute="cars")], "r.csv:2: line 1 has no label attribute 'cars'; it has 'animals'"),
        (
            [row("0.jpg", "remove", attribute="animals", box=3)],
            "r.csv:2: 'animals' on line 1 has 3 boxes, counted from 0; there is no box 3",
        ),
        (
            [row("0.jpg", "remove", attribute="animals", box=1, label="cat")],
            "r.csv:2: box 1 of 'animals' on line 1 is 'dog', not 'cat'",
        ),
        (
            [row("3.jpg", "relabel", attribute="scene", label="night", new_label="dusk")],
            "r.csv:2: 'scene' on line 4 has 'day', not 'night'; the manifest has changed since the review",
        ),
        ([row("3.jpg", "remove", attribute="scene", box=0)], "r.csv:2: 'scene' on line 4 has no boxes"),
        ([row("0.jpg", "relabel", attribute="animals", new_label="x")], "r.csv:2: box is empty; 'animals' has 3 boxes"),
        ([row("0.jpg", "remove", attribute="animals", label="cat")], "r.csv:2: box is empty"),
        ([row("0.jpg", "relabel", attribute="animals", box=0)], "r.csv:2: new_label is empty"),
        ([row("0.jpg", "relabel", attribute="animals", box=0, new_label="a\u200b")], "has invisible characters"),
        ([row("0.jpg", "relabel", attribute="animals", box=0, new_label="a" * 257)], "has 257 characters"),
        ([row("0.jpg", "relabel", new_label="x")], "r.csv:2: attribute is empty"),
        ([row("0.jpg", "remove", box=1)], "r.csv:2: a box or label without attribute"),
        ([row("0.jpg", "remove", label="cat")], "r.csv:2: a box or label without attribute"),
        ([row("0.jpg", "remove", attribute="animals", box="first")], "r.csv:2: box 'first' is not a number"),
        ([row("0.jpg", "remove", attribute="animals", box=-1)], "r.csv:2: box '-1' is not a number"),
        ([row("0.jpg", "removed")], "r.csv:2: decision 'removed' is not one of keep, relabel, remove; did you mean"),
        ([row("0.jpg", "", new_label="dog")], "r.csv:2: decision '' is not one of"),
        ([{"decision": "remove"}], "r.csv:2: source_ref is empty"),
        (
            [row("0.jpg", "remove", attribute="animals", box=1), row("0.jpg", "keep", attribute="animals", box=1)],
            "r.csv:3: contradiction about the same box 1: this row says keep and row 2 remove; keep one of",
        ),
        (
            [row("3.jpg", "relabel", attribute="scene", new_label=label) for label in ("dusk", "dawn")],
            "r.csv:3: contradiction about the same attribute 'scene': this row says 'dawn' and row 2 'dusk'",
        ),
        ([row("0.jpg", "keep"), row("0.jpg", "remove")], "r.csv:3: contradiction about the same line"),
        (
            [row("0.jpg", "relabel", attribute="animals", box=0, new_label="x"), row("0.jpg", "remove")],
            "r.csv:2: contradiction: this row says relabel, but row 3 removes the line around it",
        ),
        (
            [row("0.jpg", "remove", attribute="animals"), row("0.jpg", "keep", attribute="animals", box=0)],
            "r.csv:3: contradiction: this row says keep, but row 2 removes the attribute 'animals' around it",
        ),
    ],
)
def test_rows_that_cannot_be_applied_are_refused(rows: list[dict[str, Any]], says: str) -> None:
    (said,) = problems(LINES, review(*rows))
    assert says in f"r.csv:{said}"


def test_all_problems_are_listed_before_anything_is_written(tmp_path: Path) -> None:
    rows = [
        row("1.jpg", "remove", attribute="animals", box=0),
        row("9.jpg", "remove"),
        row("0.jpg", "delete"),
        {},
        row("0.jpg", "keep", attribute="cars"),
    ]
    done = command(tmp_path, manifest(*LINES), review(*rows))
    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in said] == ["r.csv:3", "r.csv:4", "r.csv:6", "error"]
    assert said[-1] == "error: 3 problems; nothing is written until they are fixed"
    assert not (tmp_path / "b.manifest").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first row does not name the column `source_ref`; it has nothing"),
        ("s3://bucket/0.jpg,keep\n", "the first row does not name the column `source_ref`"),
        ("source_ref,decison\n", "does not name the column `decision`; it has `source_ref`, `decison`"),
        ("source_ref,decision,decision\n", "the column `decision` appears twice"),
        (HEAD.encode("utf-16"), "the text is UTF-16; save it as CSV UTF-8"),
        (f"{HEAD}\ns3://bucket/\xe9.jpg\n".encode("latin-1"), "line 2 is not UTF-8; save the file as CSV UTF-8"),
    ],
)
def test_files_that_are_not_reviews_are_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(ReviewFileError) as refusal:
        read_review(text if isinstance(text, bytes) else text.encode())
    assert says in str(refusal.value)


def test_text_with_a_delimiter_outside_of_quotes_is_refused() -> None:
    (said,) = problems(LINES, f"{HEAD}\ns3://bucket/0.jpg,,,,keep,,,well, I think so\n")
    assert said.startswith("2: 9 cells, but 8 columns; put text that has a delimiter in double quotes")


def test_an_image_on_two_lines_is_refused_unless_the_row_fits_one() -> None:
    twice = [LINES[0], classification("s3://bucket/0.jpg", "day", name="scene"), LINES[0]]
    (said,) = problems(twice, review(row("0.jpg", "remove")))
    assert said == "2: lines 1, 2, 3 name this image; remove all but one from the manifest first"
    lines = apply(
        twice,
        row("0.jpg", "remove", attribute="scene"),
        row("0.jpg", "keep", attribute="animals", box=0),
    )
    assert lines == [LINES[0], {"source-ref": "s3://bucket/0.jpg"}, LINES[0]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            json.dumps(LINES[0]).replace('"left"', '"left": 1, "left"', 1),
            "line 1: the key 'left' is there twice; fix the line first",
        ),
        (json.dumps(LINES[0]).replace("300", "1e999", 1), "line 1: a number is too large; fix the line first"),
        (
            detection("s3://bucket/0.jpg", CAT_AND_DOG, objects=[{}]),
            "line 1: 'animals' has 3 annotations, but 1 objects in its metadata; fix the line first",
        ),
    ],
)
def test_lines_that_must_be_fixed_first_are_refused(line: Any, says: str) -> None:
    (said,) = problems([line], review(row("0.jpg", "remove", attribute="animals", box=0)))
    assert says in said


def test_the_files_that_are_read_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(*LINES))
    (tmp_path / "r.csv").write_text(review(row("0.jpg", "remove")))
    for name in ("a.manifest", "./r.csv"):
        done = groundlint("apply", "r.csv", "a.manifest", "--to", name, cwd=tmp_path)
        assert done.returncode == 2
        assert "write to another file" in done.stderr
    assert (tmp_path / "a.manifest").read_text() == manifest(*LINES)


NAMES = ("cat", "dog", "fox", "=owl")


@st.composite
def reviewed(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Row], list[list[tuple[str, int]]]]:
    """Lines with boxes, a review of some of them, and the labels and left sides that must be left on each line."""
    lines, rows, left = [], [], []
    for n in range(draw(st.integers(1, 4))):
        ids = draw(st.lists(st.integers(0, 2), max_size=4))
        names = draw(st.permutations(NAMES))
        boxes = tuple({"class_id": class_id, "left": at} for at, class_id in enumerate(ids))
        shown = range(3) if draw(st.booleans()) else sorted(set(ids))
        class_map = {"class-map": {str(class_id): names[class_id] for class_id in shown}}
        lines.append(detection(f"s3://bucket/{n}.jpg", boxes, **class_map))
        kept = []
        for at, class_id in enumerate(ids):
            decision, new = draw(st.sampled_from([None, *Decision])), draw(st.sampled_from(NAMES))
            if decision:
                place = (f"s3://bucket/{n}.jpg", "animals", at, draw(st.sampled_from(["", names[class_id]])))
                rows.append(Row(len(rows) + 2, *place, decision, new))
            if decision is not Decision.REMOVE:
                kept.append((new if decision is Decision.RELABEL else names[class_id], at))
        left.append(kept)
    return lines, draw(st.permutations(rows)), left


@settings(max_examples=60, deadline=None)
@given(reviewed(), st.randoms())
def test_the_reader_finds_the_decided_labels_and_nothing_else_changed(
    given: tuple[list[dict[str, Any]], list[Row], list[list[tuple[str, int]]]], chance: random.Random
) -> None:
    lines, rows, left = given
    text = manifest(*lines).encode()
    made = relabel(rows, text)
    assert made.problems == []
    source = Source("a.manifest", "train", data=made.manifest)
    tables = read([DataSet((source,), frozenset({"a.manifest"}))]).tables
    boxes = tables["boxes"].sort("line", "box").select("line", "label", "left").rows()
    assert boxes == [(n, label, at) for n, some in enumerate(left, 1) for label, at in some]
    # A line without boxes is a finding of its own.
    assert {row["kind"] for row in tables["problems"].to_dicts()} <= {
        "attribute-without-boxes",
        "line-without-boxes",
        "manifest-without-suffix",
    }
    touched = {row.source_ref for row in rows if row.decision is not Decision.KEEP}
    for was, now in zip(text.splitlines(), made.manifest.splitlines(), strict=True):
        assert was == now or json.loads(was)["source-ref"] in touched
    order = chance.sample(range(len(lines)), len(lines))
    shuffled = relabel(chance.sample(rows, len(rows)), manifest(*(lines[n] for n in order)).encode())
    assert sorted(shuffled.manifest.splitlines()) == sorted(made.manifest.splitlines())


@st.composite
def any_row(draw: st.DrawFn) -> Row:
    source_ref = draw(st.sampled_from(["s3://bucket/1.jpg", "s3://bucket/é ü.jpg", "S3://b/한.png", "s3://b/c/d"]))
    attribute = draw(st.sampled_from(["animals", "animals", "animal", "weather", "note", ""]))
    box = draw(st.sampled_from([0, 0, 1, None])) if attribute else None
    decision = draw(st.sampled_from([*Decision] if attribute else [Decision.KEEP, Decision.REMOVE]))
    return Row(draw(st.integers(2, 9)), source_ref, attribute, box, "", decision, draw(st.sampled_from(NAMES)))


@settings(max_examples=150, deadline=None)
@given(st.lists(line_texts(), max_size=4), st.lists(any_row(), max_size=3))
def test_any_line_is_changed_or_refused(texts: list[str], rows: list[Row]) -> None:
    """Broken and odd lines end in a problem or in a line that is valid JSON, never in an error of ours."""
    data = "".join(f"{text}\n" for text in texts).encode(errors="replace")
    for row in rows:
        made = relabel([row], data)
        was, now = data.split(b"\n"), made.manifest.split(b"\n")
        if made.problems:
            assert len(made.problems) == 1
        elif made.removed_lines:
            assert len(now) == len(was) - 1
        else:
            assert len(now) == len(was)
            for before, after in zip(was, now, strict=True):
                assert before == after or parse(after.strip())


@given(st.lists(st.tuples(*[st.text("ab,;\"'\n\r\t=", max_size=4)] * 2), min_size=1, max_size=4))
def test_cells_are_read_as_they_are_written(cells: list[tuple[str, str]]) -> None:
    """Whatever delimiters and quotes a cell has."""
    rows = [{"source_ref": f"s3://{a}", "attribute": f"x{b}", "decision": "keep"} for a, b in cells]
    for delimiter in ",;\t":
        read = read_review(review(*rows, delimiter=delimiter).encode())
        assert [(row.source_ref, row.attribute) for row in read.rows] == [(f"s3://{a}", f"x{b}") for a, b in cells]
