"""The published schemas and the reader agree on what a label is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import classification, detection, line_texts

from groundlint.manifest import attributes, explain
from groundlint.manifest.lines import SCHEMAS, LineReader, Rows
from groundlint.manifest.strict_json import InvalidJson, parse

FORMS = {
    "detection": attributes.Detection,
    "detection-metadata": attributes.DetectionMetadata,
    "classification": attributes.Classification,
    "classification-metadata": attributes.ClassificationMetadata,
}


def is_taken(form: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, form)
    except msgspec.ValidationError:
        return False
    return True


@given(line_texts())
def test_the_schemas_take_what_the_reader_takes(text: str) -> None:
    try:
        line = parse(text.encode("utf-8", "surrogatepass")).value
    except InvalidJson:
        return
    for value in line.values() if isinstance(line, dict) else ():
        for name, form in FORMS.items():
            assert is_taken(form, value) == explain.validator(name).is_valid(value), (name, value)


def test_sound_labels_are_taken() -> None:
    for line, kind in ((detection(), "detection"), (classification(), "classification")):
        value, metadata = (part for key, part in line.items() if key != "source-ref")
        assert explain.validator(kind).is_valid(value)
        assert explain.validator(f"{kind}-metadata").is_valid(metadata)


@pytest.mark.parametrize("name", ["detection-metadata", "classification-metadata"])
def test_the_schemas_have_the_readers_pattern_of_a_date(name: str) -> None:
    assert explain.schema(name)["properties"]["creation-date"]["pattern"] == attributes.DATE


@given(st.datetimes(), st.sampled_from(["T", " "]), st.sampled_from(["", "Z", "+02:00"]))
def test_every_date_is_taken(moment: datetime, separator: str, zone: str) -> None:
    assert is_taken(FORMS["detection-metadata"], metadata(moment.isoformat(separator) + zone))


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True))
def test_what_is_no_date_is_refused(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        is_date = text.startswith("0000")
    else:
        is_date = True
    if not text.startswith("0000"):
        assert is_taken(FORMS["detection-metadata"], metadata(text)) == is_date


@pytest.mark.parametrize("date", ["2024-05-02T10:11:12\n", "2024-05-02\n", "20240502T101112"])
def test_a_date_in_another_form_is_refused(date: str) -> None:
    assert not is_taken(FORMS["detection-metadata"], metadata(date))


def test_a_line_feed_is_no_part_of_an_index() -> None:
    assert is_taken(FORMS["classification"], "12")
    assert not is_taken(FORMS["classification"], "12\n")


def metadata(date: str) -> Any:
    return detection(**{"creation-date": date})["animals-metadata"]


def refusals(lines: Iterable[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """What is said of lines that are read one after the other."""
    rows = Rows()
    reader = LineReader(rows)
    for number, line in enumerate(lines, 1):
        reader.read(number, json.dumps(line).encode())
    columns = list(SCHEMAS["problems"])
    return [(row[columns.index("detail")], row[columns.index("pointer")]) for row in rows.problems]


def test_the_number_of_entries_is_that_of_the_line() -> None:
    lines = [detection(), detection(), detection()]
    for line, count in zip(lines, (2, 3, 0), strict=True):
        line["animals"]["image_size"] *= count
    says = [detail.split(",")[0] for detail, _ in refusals(lines)]
    assert says == [f"`animals.image_size` holds {count} entries" for count in (2, 3, 0)]


def test_the_entry_of_a_class_map_is_named() -> None:
    maps: list[dict[str, Any]] = [{"1": "x", "0": ""}, {"1": "", "0": "y"}, {"0": 5}, {"a/b": None}]
    found = refusals(detection(**{"class-map": names}) for names in maps)
    assert [(detail.split(";")[0], pointer) for detail, pointer in found] == [
        ("`animals-metadata.class-map.0` is empty", "/animals-metadata/class-map/0"),
        ("`animals-metadata.class-map.1` is empty", "/animals-metadata/class-map/1"),
        ("`animals-metadata.class-map.0` is 5, expected a string", "/animals-metadata/class-map/0"),
        ("`animals-metadata.class-map.a/b` is null, expected a string", "/animals-metadata/class-map/a~1b"),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (classification() | {"source-ref": None}, "source-ref is null; write"),
        (classification(""), 'source-ref is the string ""; write'),
        (classification() | {"source-ref": []}, "source-ref is a list; write"),
        (classification(type=""), '`animal` has the type "", which'),
        (classification(confidence=10**400), "is a number beyond all limits"),
        (
            classification() | {"x-metadata": {"failure-reason": None}},
            "labeling of `x` failed: the job gives no reason",
        ),
        (classification() | {"errors": [{"code": "ERROR_X", "message": None}]}, "the file records ERROR_X"),
    ],
)
def test_what_is_said_of_odd_values_reads_as_json(line: dict[str, Any], says: str) -> None:
    assert any(says in detail and "None" not in detail for detail, _ in refusals([line]))


def test_faults_of_one_shape_differ_in_place_and_value() -> None:
    explainer = explain.Explainer()
    details = []
    for n in (1, 3):
        value = json.loads(json.dumps(detection(boxes=({},) * 5)["animals"]))
        value["annotations"][n]["left"] = f"{n}"
        with pytest.raises(msgspec.ValidationError) as refused:
            msgspec.convert(value, attributes.Detection)
        details.append(explainer.explain("detection", "animals", value, str(refused.value)))
    assert [fault.pointer for fault in details] == ["/animals/annotations/1/left", "/animals/annotations/3/left"]
    assert details[1].detail.startswith('`animals.annotations[3].left` is the string "3", expected a number; write')
