"""The formats of labels: reader and schemas agree, and faults are explained by place and value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import classification, detection, line_texts

from groundlint.manifest import explain, label_formats
from groundlint.manifest.kinds import Kind
from groundlint.manifest.lines import SCHEMAS, LineReader, Rows
from groundlint.manifest.strict_json import InvalidJson, parse

FORMATS = {
    "detection": label_formats.Detection,
    "detection-metadata": label_formats.DetectionMetadata,
    "classification": label_formats.Classification,
    "classification-metadata": label_formats.ClassificationMetadata,
}
PUBLISHED = Path(label_formats.__file__).parent / "schemas"


def is_accepted(format_: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, format_)
    except msgspec.ValidationError:
        return False
    return True


@given(line_texts())
def test_the_schemas_accept_what_the_reader_accepts(text: str) -> None:
    try:
        line = parse(text.encode("utf-8", "surrogatepass")).value
    except InvalidJson:
        return
    for value in line.values() if isinstance(line, dict) else ():
        for name, format_ in FORMATS.items():
            assert is_accepted(format_, value) == explain.validator(name).is_valid(value), (name, value)


def test_valid_labels_are_accepted() -> None:
    for line, kind in ((detection(), "detection"), (classification(), "classification")):
        value, metadata = (part for key, part in line.items() if key != "source-ref")
        assert explain.validator(kind).is_valid(value)
        assert explain.validator(f"{kind}-metadata").is_valid(metadata)


@pytest.mark.parametrize("name", FORMATS)
def test_the_published_schemas_are_up_to_date(name: str) -> None:
    published = json.loads((PUBLISHED / f"{name}.schema.json").read_text())
    assert published == label_formats.schemas()[name], "renew it with: make docs"


@given(st.datetimes(), st.sampled_from(["T", " "]), st.sampled_from(["", "Z", "+02:00"]))
def test_every_date_is_accepted(moment: datetime, separator: str, zone: str) -> None:
    assert is_accepted(FORMATS["detection-metadata"], metadata(moment.isoformat(separator) + zone))


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True))
def test_an_impossible_date_is_refused(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        is_date = text.startswith("0000")
    else:
        is_date = True
    if not text.startswith("0000"):
        assert is_accepted(FORMATS["detection-metadata"], metadata(text)) == is_date


@pytest.mark.parametrize("date", ["2024-05-02T10:11:12\n", "2024-05-02\n", "20240502T101112"])
def test_a_date_in_another_form_is_refused(date: str) -> None:
    assert not is_accepted(FORMATS["detection-metadata"], metadata(date))


def test_a_line_feed_after_an_index_is_refused() -> None:
    assert is_accepted(FORMATS["classification"], "12")
    assert not is_accepted(FORMATS["classification"], "12\n")


def metadata(date: str) -> Any:
    return detection(**{"creation-date": date})["animals-metadata"]


def problems(lines: Iterable[dict[str, Any]]) -> list[tuple[Kind, dict[str, Any], str | None]]:
    """Kind, values and pointer of each problem of lines that are read one after the other."""
    rows = Rows()
    reader = LineReader(rows)
    for number, line in enumerate(lines, 1):
        reader.read(number, json.dumps(line).encode())
    columns = list(SCHEMAS["problems"])
    wanted = [columns.index(name) for name in ("kind", "values", "pointer")]
    return [tuple(row[place] for place in wanted) for row in rows.problems]  # type: ignore[misc]


def test_the_number_of_entries_is_that_of_the_line() -> None:
    lines = [detection(), detection(), detection()]
    for line, count in zip(lines, (2, 3, 0), strict=True):
        line["animals"]["image_size"] *= count
    found = [(kind, values["key"], values["count"], values["limit"]) for kind, values, _ in problems(lines)]
    assert found == [(Kind.LABEL_WITH_INVALID_LENGTH, "animals.image_size", count, 1) for count in (2, 3, 0)]


def test_the_entry_of_a_class_map_is_named() -> None:
    maps: list[dict[str, Any]] = [{"1": "x", "0": ""}, {"1": "", "0": "y"}, {"0": 5}, {"a/b": None}]
    found = problems(detection(**{"class-map": names}) for names in maps)
    assert [(kind, values["key"], values["found"], pointer) for kind, values, pointer in found] == [
        (
            Kind.METADATA_WITH_EMPTY_NAME,
            *("animals-metadata.class-map.0", 'the string ""', "/animals-metadata/class-map/0"),
        ),
        (
            Kind.METADATA_WITH_EMPTY_NAME,
            *("animals-metadata.class-map.1", 'the string ""', "/animals-metadata/class-map/1"),
        ),
        (
            Kind.METADATA_WITH_INVALID_VALUE,
            *("animals-metadata.class-map.0", "5", "/animals-metadata/class-map/0"),
        ),
        (
            Kind.METADATA_WITH_INVALID_VALUE,
            *("animals-metadata.class-map.a/b", "null", "/animals-metadata/class-map/a~1b"),
        ),
    ]


@pytest.mark.parametrize(
    ("line", "kind", "found"),
    [
        (classification() | {"source-ref": None}, Kind.INVALID_SOURCE_REF, "null"),
        (classification(""), Kind.INVALID_SOURCE_REF, 'the string ""'),
        (classification() | {"source-ref": []}, Kind.INVALID_SOURCE_REF, "a list"),
        (classification(type=""), Kind.UNSUPPORTED_TYPE, '""'),
        (classification(confidence=10**400), Kind.METADATA_WITH_INVALID_VALUE, "a number out of range"),
        (
            classification() | {"x-metadata": {"failure-reason": None}},
            *(Kind.FAILED_LABEL, "the job gives no reason"),
        ),
        (
            classification() | {"errors": [{"code": "ERROR_X", "message": None}]},
            *(Kind.RECORDED_ERROR, "ERROR_X"),
        ),
    ],
)
def test_unusual_values_are_described_in_the_words_of_json(line: dict[str, Any], kind: Kind, found: str) -> None:
    assert (kind, found) in [(problem, values.get("found")) for problem, values, _ in problems([line])]


def test_faults_of_one_shape_differ_in_place_and_value() -> None:
    explainer = explain.Explainer()
    faults = []
    for n in (1, 3):
        value = json.loads(json.dumps(detection(boxes=({},) * 5)["animals"]))
        value["annotations"][n]["left"] = f"{n}"
        with pytest.raises(msgspec.ValidationError) as refused:
            msgspec.convert(value, label_formats.Detection)
        faults.append(explainer.explain("detection", "animals", value, str(refused.value)))
    assert [fault.pointer for fault in faults] == ["/animals/annotations/1/left", "/animals/annotations/3/left"]
    values = {"key": "animals.annotations[3].left", "found": 'the string "3"', "expected": "a number"}
    assert values.items() <= faults[1].values.items()
