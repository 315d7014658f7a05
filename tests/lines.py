"""Lines of manifests for tests: valid ones, and the parts from which hypothesis makes others."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

DATE = "2024-05-02T10:11:12"


def detection(
    source_ref: str = "s3://bucket/1.jpg",
    boxes: tuple[dict[str, Any], ...] = ({},),
    name: str = "animals",
    **metadata: Any,
) -> dict[str, Any]:
    """A line with boxes; each box may override parts of a valid one."""
    used = {"0", *(str(box.get("class_id")) for box in boxes)}
    return {
        "source-ref": source_ref,
        name: {
            "image_size": [{"width": 640, "height": 480, "depth": 3}],
            "annotations": [{"class_id": 0, "left": 10, "top": 20, "width": 30, "height": 40} | box for box in boxes],
        },
        f"{name}-metadata": {
            "objects": [{"confidence": 0.9} for _ in boxes],
            "class-map": {key: name for key, name in {"0": "cat", "1": "dog"}.items() if key in used},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": DATE,
            "job-name": "labeling-job/animals",
        }
        | metadata,
    }


def classification(
    source_ref: str = "s3://bucket/1.jpg", label: str = "cat", name: str = "animal", **metadata: Any
) -> dict[str, Any]:
    """A line with one image-level label."""
    return {
        "source-ref": source_ref,
        name: 0,
        f"{name}-metadata": {
            "class-name": label,
            "confidence": 0.9,
            "type": "groundtruth/image-classification",
            "human-annotated": "yes",
            "creation-date": DATE,
            "job-name": "labeling-job/animal",
        }
        | metadata,
    }


def manifest(*lines: dict[str, Any] | str) -> str:
    """Lines as the text of a manifest; strings go in as they are."""
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)


_ODD = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        1.0,
        12.5,
        1e10,
        -0.0,
        10**20,
        "",
        "0",
        "yes",
        "a" * 257,
        [],
        {},
        [{}],
        "naïve",
        'q"q',
        "12\n",
        10**310,
        "a\\b",
    ]
)
_NUMBERS = st.one_of(
    st.integers(-5, 2000),
    st.floats(-10, 2000).map(lambda x: round(x, 3)),
    st.floats(allow_nan=False, allow_infinity=False),
)
_KEYS = st.sampled_from(
    [
        "image_size",
        "annotations",
        "class_id",
        "left",
        "width",
        "objects",
        "confidence",
        "class-map",
        "type",
        "class-name",
        "human-annotated",
        "creation-date",
        "job-name",
        "adjustment-status",
        "source-ref",
        "animals-meta",
        "animals-metadata",
        "animals",
        "metadata",
        "note",
        "0",
        "7",
        "failure-reason",
        "errors",
        "cl-metadata",
        "$id",
        "worker-feedback",
    ]
)
_DATES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(
        [DATE, "2013-11-18 02:53:27", "2024-05-02", "2023-02-29T00:00:00", "2024-02-29T00:00:00Z", "now", f"{DATE}\n"]
    ),
)


@st.composite
def _shuffled(draw: st.DrawFn, value: Any) -> Any:
    """The same value with its objects' keys in another order."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value))) if draw(st.booleans()) else list(value)
        return {key: draw(_shuffled(value[key])) for key in keys}
    if isinstance(value, list):
        return [draw(_shuffled(entry)) for entry in value]
    return value


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, child in children for place in _places(child, (*path, key))]


@st.composite
def _broken(draw: st.DrawFn, line: dict[str, Any]) -> dict[str, Any]:
    """A line with one part removed, replaced or added."""
    line = json.loads(json.dumps(line))
    *way, key = draw(st.sampled_from(_places(line)[1:]))
    parent: Any = line
    for step in way:
        parent = parent[step]
    action = draw(st.sampled_from(["remove", "replace", "add"]))
    if action == "remove":
        del parent[key]
    elif action == "replace":
        parent[key] = draw(_ODD)
    elif isinstance(parent, dict):
        parent[draw(_KEYS)] = draw(_ODD)
    return line


@st.composite
def _valid(draw: st.DrawFn) -> dict[str, Any]:
    """A line as jobs write it, of many shapes."""
    source_ref = draw(st.sampled_from(["s3://bucket/1.jpg", "s3://bucket/é ü.jpg", "S3://b/한.png", "s3://b/c/d"]))
    sides = st.fixed_dictionaries(
        {}, optional={"class_id": st.integers(0, 1)} | dict.fromkeys(("left", "top", "width", "height"), _NUMBERS)
    )
    line: dict[str, Any] = {"source-ref": source_ref}
    if draw(st.booleans()):
        line |= detection(source_ref, tuple(draw(st.lists(sides, min_size=1, max_size=4))))
    if not draw(st.booleans()) or len(line) == 1:
        name = draw(st.sampled_from(["animal", "weather", "cl", 'q"q', "a\\b", "tab\t", "é"]))
        line |= classification(source_ref, draw(st.sampled_from(["cat", "Käfer", "a:b", "x" * 256])), name)
    for key, value in line.items():
        if key.endswith("-metadata"):
            value["creation-date"] = draw(_DATES)
            if draw(st.booleans()):
                del value["job-name"]
            if draw(st.booleans()):
                value["adjustment-status"] = "adjusted"
    if draw(st.booleans()):
        key = draw(st.sampled_from(["note", "note", 'no"te', "no\\te", "no\nte"]))
        line[key] = draw(st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none()))
    if draw(st.booleans()):
        line.setdefault("cl-metadata", {"is_labeled": True})
    return line


@st.composite
def _twisted(draw: st.DrawFn, text: str) -> str:
    """Text of a line with a key written twice, or a character too many or too few."""
    at = draw(st.integers(0, len(text)))
    return draw(
        st.sampled_from(
            [
                text.replace('"left"', '"left": 1, "left"', 1),
                text.replace('"type"', '"type": "x", "type"', 1),
                text.replace('"0": ', '"0": "x", "0": ', 1),
                text.replace('"source-ref"', '"source-ref": "s3://a/b", "source-ref"', 1),
                text.replace('"width"', '"wi\\u0064th"', 1),
                text.replace("0.9", "0.90", 1),
                text.replace("10", "1e1", 1),
                text[:at] + text[at + 1 :],
                text[:at]
                + draw(st.sampled_from(['"', ",", " ", "1", "\t", "\r", "\x00", "\\", "{", "NaN"]))
                + text[at:],
            ]
        )
    )


@st.composite
def line_texts(draw: st.DrawFn) -> str:
    """Text of one line, mostly valid, sometimes broken in one place."""
    line = draw(_shuffled(draw(_valid())))
    kind = draw(st.sampled_from(["valid", "valid", "broken", "broken", "twisted", "other"]))
    if kind == "broken":
        line = draw(_broken(line))
    if kind == "other":
        return draw(
            st.sampled_from(["", " ", "[]", "{}", "null", "not json", '{"source-ref": "s3://a/b"}', "\ufeff{}"])
        )
    separators = draw(st.sampled_from([None, (",", ":"), (" ,\t", " : ")]))
    text = json.dumps(line, ensure_ascii=draw(st.booleans()), separators=separators)
    return draw(_twisted(text)) if kind == "twisted" else text
