"""Cases for every documented code of the service, written from the documents: what raises it and what must not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from groundlint_rules.samples import classification, detection


class Case(NamedTuple):
    """A data set, and what must and must not be found in it.

    `raises` maps a service code (or the name of a rule of ours) to the places where it must be found, as
    (line, attribute, box, loses); `spares` names what must not be found at all.
    """

    row: str
    what: str
    train: str
    raises: Mapping[str, list[tuple[Any, ...]]] = MappingProxyType({})
    spares: tuple[str, ...] = ()
    test: str | None = None
    settings: Mapping[str, Any] = MappingProxyType({})
    suffix: str = ".manifest"


def text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def images(count: int, *labels: str, start: int = 0) -> list[str]:
    """Valid image-level lines, each of an image of its own, the labels in turn."""
    names = labels or ("cat", "dog")
    return [classification(names[n % len(names)], source_ref=f"s3://bucket/i{start + n}.jpg") for n in range(count)]


def boxed(count: int, start: int = 0) -> list[str]:
    """Valid lines with a box, each of an image of its own."""
    return [detection(source_ref=f"s3://bucket/b{start + n}.jpg") for n in range(count)]


def among(line: str, others: Iterable[str] | None = None) -> str:
    """A line as the first of eleven: its loss alone is not 20%."""
    return text(line, *(boxed(10) if others is None else others))


def with_key(line: str, **keys: Any) -> str:
    return json.dumps(json.loads(line) | {name.replace("__", "-"): value for name, value in keys.items()})


def line_of(characters: int) -> str:
    """A valid line of so many characters, which are more bytes."""
    bare = json.dumps(json.loads(detection()) | {"note": ""}, ensure_ascii=False)
    return bare[:-2] + "ä" * (characters - len(bare)) + bare[-2:]


ATTRIBUTE = (1, "animals", None, "attribute")
LINE = (1, None, None, "line")
WHOLE = (None, None, None, "training")
NAME = {"class-map": {"0": "x" * 256}}
LONG_NAME = {"class-map": {"0": "x" * 257}}
TOO_LONG_NAME = {"class-map": {"0": "cat", "1": "x" * 257}}
UNSUPPORTED = {"type": "groundtruth/semantic-segmentation"}
FORMAT = "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
METADATA = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
CONFIDENCE = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
CLASS = "ERROR_MISSING_CLASS_MAP_ID"
NO_VALID = "ERROR_NO_VALID_LABEL_ATTRIBUTES"
UNSUPPORTED_CODE = "ERROR_UNSUPPORTED_USE_CASE_TYPE"
BOX = "ERROR_INVALID_BOUNDING_BOX"
SMALL = "ERROR_BOUNDING_BOX_TOO_SMALL"
MANY_BOXES = "ERROR_TOO_MANY_BOUNDING_BOXES"
NO_BOXES = "ERROR_NO_VALID_ANNOTATIONS"
DIMENSION = "ERROR_INVALID_IMAGE_DIMENSION"
IMAGE = "ERROR_INVALID_IMAGE"
FEW = "ERROR_MANIFEST_TOO_FEW_LABELS"
FEW_USABLE = "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS"
OVERLAP = "ERROR_INSUFFICIENT_LABEL_OVERLAP"
USABLE_OVERLAP = "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP"
INVALID_ROWS = "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST"
RECORDS = "ERROR_TOO_MANY_RECORDS_IN_ERROR"
AUTOSPLIT = "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"
ROWS = "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM"
UNSUPPORTED_FILE = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
NO_ATTRIBUTES = "ERROR_NO_LABEL_ATTRIBUTES"
REF = "ERROR_MISSING_SOURCE_REF"
REF_FORMAT = "ERROR_INVALID_SOURCE_REF_FORMAT"
JSON_LINE = "ERROR_INVALID_JSON_LINE"
EMPTY = "ERROR_EMPTY_MANIFEST"
UNANNOTATED = "WARNING_UNANNOTATED_RECORD"
NO_ANNOTATIONS = "WARNING_NO_ANNOTATIONS"
NO_ATTRIBUTE_ANNOTATIONS = "WARNING_NO_ATTRIBUTE_ANNOTATIONS"
BUCKETS = "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS"
MANY_LABELS = "ERROR_MANIFEST_TOO_MANY_LABELS"
LENGTH = "ERROR_INVALID_LABEL_NAME_LENGTH"
FIRST_GROUP = (FORMAT, METADATA, CONFIDENCE, CLASS)

GROUND_TRUTH = {"target": "ground-truth"}
EMPTY_BOXES: dict[str, Any] = {"value": {"annotations": []}, "metadata": {"objects": []}}
SOURCE_ONLY = '{"source-ref": "s3://bucket/1.jpg"}'
A_FIFTH_BLANK = [*boxed(8), "", ""]

CASES = [
    # The file.
    Case(UNSUPPORTED_FILE, "no JSON", "label;image\ncat;1.jpg\n", {UNSUPPORTED_FILE: [WHOLE]}, (INVALID_ROWS, FEW)),
    Case(UNSUPPORTED_FILE, "UTF-16", "\ufeff", {UNSUPPORTED_FILE: [WHOLE]}, settings={"encoding": "utf-16"}),
    Case(
        UNSUPPORTED_FILE,
        "gzip",
        "\x1f\x8b",
        {UNSUPPORTED_FILE: [WHOLE]},
        settings={"encoding": "latin-1"},
        suffix=".gz",
    ),
    Case(
        UNSUPPORTED_FILE,
        "no suffix",
        text(*boxed(3)),
        {"manifest-without-suffix": [(None, None, None, None)]},
        suffix="",
    ),
    Case(UNSUPPORTED_FILE, "a manifest", text(*boxed(3)), spares=(UNSUPPORTED_FILE,)),
    Case(EMPTY, "no bytes", "", {EMPTY: [WHOLE]}, (UNSUPPORTED_FILE, FEW)),
    Case(EMPTY, "blank lines only", "\n \n", {EMPTY: [WHOLE]}, (JSON_LINE, INVALID_ROWS)),
    Case(EMPTY, "a line", text(*boxed(2)), spares=(EMPTY,)),
    Case(ROWS, "250,000", "\n" * 249_999 + text(detection()), spares=(ROWS,)),
    Case(ROWS, "250,001", "\n" * 250_000 + text(detection()), {ROWS: [WHOLE]}),
    Case(ROWS, "raised", "\n" * 250_000 + text(classification()), spares=(ROWS,), settings={"max-images": 500_000}),
    Case(
        ROWS,
        "not raised for boxes",
        "\n" * 250_000 + text(detection()),
        {ROWS: [WHOLE]},
        settings={"max-images": 500_000},
    ),
    Case(
        ROWS, "28,000 in Mumbai", "\n" * 27_999 + text(detection()), spares=(ROWS,), settings={"region": "ap-south-1"}
    ),
    Case(
        ROWS, "28,001 in Mumbai", "\n" * 28_000 + text(detection()), {ROWS: [WHOLE]}, settings={"region": "ap-south-1"}
    ),
    Case(
        ROWS,
        "28,001 in London, raised",
        "\n" * 28_000 + text(classification()),
        {ROWS: [WHOLE]},
        settings={"region": "eu-west-2", "max-images": 500_000},
    ),
    Case(
        ROWS,
        "7,000 to test",
        text(*boxed(2)),
        spares=(ROWS,),
        test="\n" * 6_999 + text(detection()),
        settings={"region": "eu-west-2"},
    ),
    Case(
        ROWS,
        "7,001 to test",
        text(*boxed(2)),
        {ROWS: [WHOLE]},
        test="\n" * 7_000 + text(detection()),
        settings={"region": "eu-west-2"},
    ),
    Case(ROWS, "28,001 elsewhere", "\n" * 28_000 + text(detection()), spares=(ROWS,), settings={"region": "us-east-1"}),
    # Lines as JSON.
    Case(JSON_LINE, "cut off", among(detection()[:-1]), {JSON_LINE: [LINE]}),
    Case(JSON_LINE, "blank", among(""), {JSON_LINE: [LINE]}),
    Case(JSON_LINE, "an array", among("[1]"), {JSON_LINE: [LINE]}),
    Case(JSON_LINE, "a trailing comma", among('{"source-ref": "s3://b/k",}'), {JSON_LINE: [LINE]}),
    Case(JSON_LINE, "NaN", among(detection().replace("0.9", "NaN")), {JSON_LINE: [LINE]}),
    Case(JSON_LINE, "valid", among(detection()), spares=(JSON_LINE,)),
    # source-ref.
    Case(REF, "missing", among(detection().replace('"source-ref"', '"source_ref"')), {REF: [LINE]}, FIRST_GROUP),
    Case(REF, "text to label", among('{"source": "good food", "a": 1, "a-metadata": {}}'), {REF: [LINE]}, FIRST_GROUP),
    Case(REF_FORMAT, "https", among(detection(source_ref="https://b/k.jpg")), {REF_FORMAT: [LINE]}, (REF,)),
    Case(REF_FORMAT, "no key", among(detection(source_ref="s3://bucket")), {REF_FORMAT: [LINE]}),
    Case(REF_FORMAT, "empty key", among(detection(source_ref="s3://bucket/")), {REF_FORMAT: [LINE]}),
    Case(REF_FORMAT, "a number", among(with_key(detection(), source__ref=7)), {REF_FORMAT: [LINE]}),
    Case(REF_FORMAT, "spaces and Hangul", among(detection(source_ref="s3://bucket/a b/한.jpg")), spares=(REF_FORMAT,)),
    Case(
        REF_FORMAT,
        "upper case",
        among(detection(source_ref="S3://bucket/1.jpg")),
        {"upper-case-scheme": [(1, None, None, None)]},
        (REF_FORMAT,),
    ),
    Case(
        REF_FORMAT,
        "an access point",
        among(detection(source_ref="s3://arn:aws:s3:x/1.jpg")),
        {"invalid-bucket-name": [(1, None, None, None)]},
        (REF_FORMAT,),
    ),
    Case(BUCKETS, "two", text(detection(), detection(source_ref="s3://other/2.jpg")), {BUCKETS: [WHOLE]}),
    Case(
        BUCKETS, "one a split", text(*boxed(2)), spares=(BUCKETS,), test=text(detection(source_ref="s3://other/2.jpg"))
    ),
    Case(
        "(none) dataset content: repeated source-ref",
        "in a split",
        among(detection(), [detection(), *boxed(9)]),
        {"repeated-source-ref": [(2, None, None, "line")]},
    ),
    Case(
        "(none) dataset content: repeated source-ref",
        "over the splits",
        among(detection()),
        spares=("repeated-source-ref",),
        test=among(detection()),
    ),
    # Label attributes.
    Case(
        NO_ATTRIBUTES,
        "no metadata",
        among(detection().replace("animals-metadata", "animals_metadata")),
        {NO_ATTRIBUTES: [LINE]},
        (UNANNOTATED,),
    ),
    Case(
        NO_ATTRIBUTES,
        "a failed job",
        among('{"source-ref": "s3://b/k", "a-metadata": {"failure-reason": "x"}}'),
        {NO_ATTRIBUTES: [LINE]},
        ("failed-label", "orphan-key"),
    ),
    Case(
        NO_ATTRIBUTES, "a number without metadata", among('{"source-ref": "s3://b/k", "a": 1}'), {NO_ATTRIBUTES: [LINE]}
    ),
    *(
        Case(NO_ATTRIBUTES, what, among(with_key(SOURCE_ONLY, **keys)), {NO_ATTRIBUTES: [LINE]}, (UNANNOTATED,))
        for what, keys in {
            "a name without metadata": {"label": "cat"},
            "metadata without a label": {"fruit-metadata": {"confidence": 1, "human-annotated": "yes"}},
            "metadata of the image": {"source-ref-metadata": {"type": "groundtruth/object-detection"}},
        }.items()
    ),
    Case(UNANNOTATED, "source-ref alone", among(SOURCE_ONLY), {UNANNOTATED: [(1, None, None, None)]}, (NO_ATTRIBUTES,)),
    Case(
        UNANNOTATED,
        "with the console's note",
        among(with_key(SOURCE_ONLY, cl__metadata={"is_labeled": False})),
        {UNANNOTATED: [(1, None, None, None)]},
    ),
    Case(UNANNOTATED, "labeled", among(detection()), spares=(UNANNOTATED,)),
    Case(
        UNANNOTATED,
        "ignored lines are not lost",
        text(*[json.dumps({"source-ref": f"s3://bucket/{n}"}) for n in range(9)], *boxed(2)),
        spares=(INVALID_ROWS,),
    ),
    *(
        Case(FORMAT, what, among(line), {FORMAT: [ATTRIBUTE]}, (NO_VALID, METADATA))
        for what, line in {
            "no image_size": detection(value={"image_size": None}),
            "two sizes": detection(value={"image_size": [{"width": 9, "height": 9, "depth": 3}] * 2}),
            "a bare size": detection(value={"image_size": {"width": 640, "height": 480, "depth": 3}}),
            "no depth": detection(value={"image_size": [{"width": 640, "height": 480}]}),
            "no annotations": detection(value={"annotations": None}),
            "text as left": detection({"left": "10"}),
            "no class_id": detection(value={"annotations": [{"left": 1, "top": 1, "width": 9, "height": 9}]}),
            "no object": with_key(detection(), animals="boxes"),
        }.items()
    ),
    Case(FORMAT, "fractional pixels", among(detection({"left": 164.60000000000002})), spares=(FORMAT,)),
    Case(FORMAT, "text as class", among(classification(value="cat")), {FORMAT: [(1, "animal", None, "attribute")]}),
    Case(
        FORMAT,
        "a digit in quotes",
        among(classification(value="1")),
        {"quoted-class-index": [(1, "animal", None, None)]},
        (FORMAT,),
    ),
    *(
        Case(METADATA, what, among(line), {METADATA: [(1, name, None, "attribute")]}, (NO_VALID,))
        for what, name, line in [
            ("no type", "animals", detection(metadata={"type": None})),
            ("no class-map", "animals", detection(metadata={"class-map": None})),
            ("no human-annotated", "animals", detection(metadata={"human-annotated": None})),
            ("human-annotated: true", "animals", detection(metadata={"human-annotated": True})),
            ("no creation-date", "animals", detection(metadata={"creation-date": None})),
            ("no date", "animals", detection(metadata={"creation-date": "Tue May 02"})),
            ("30 February", "animals", detection(metadata={"creation-date": "2024-02-30T00:00:00"})),
            ("an empty name", "animals", detection(metadata={"class-map": {"0": ""}})),
            ("no class-name", "animal", classification(metadata={"class-name": None})),
            ("no confidence", "animal", classification(metadata={"confidence": None})),
            ("no object", "animal", with_key(classification(), **{"animal-metadata": "x"})),
        ]
    ),
    Case(
        METADATA,
        "29 February",
        among(detection(metadata={"creation-date": "2024-02-29T00:00:00.123456"})),
        spares=(METADATA, "undocumented-date-format"),
    ),
    Case(
        METADATA,
        "a date with a space",
        among(detection(metadata={"creation-date": "2013-11-18 02:53:27"})),
        {"undocumented-date-format": [(1, "animals", None, None)]},
        (METADATA,),
    ),
    Case(METADATA, "no job-name", among(detection(metadata={"job-name": None})), spares=(METADATA,)),
    Case(METADATA, "labeled by machine", among(detection(metadata={"human-annotated": "no"})), spares=(METADATA,)),
    Case(
        CONFIDENCE,
        "one too few",
        among(detection({}, {}, metadata={"objects": [{"confidence": 1}]})),
        {CONFIDENCE: [ATTRIBUTE]},
        (NO_VALID,),
    ),
    Case(
        CONFIDENCE,
        "one too many",
        among(detection(metadata={"objects": [{"confidence": 1}] * 2})),
        {CONFIDENCE: [ATTRIBUTE]},
    ),
    Case(CONFIDENCE, "an empty entry", among(detection(metadata={"objects": [{}]})), {CONFIDENCE: [ATTRIBUTE]}),
    Case(CONFIDENCE, "no objects", among(detection(metadata={"objects": None})), {CONFIDENCE: [ATTRIBUTE]}),
    Case(CONFIDENCE, "one a box", among(detection({}, {"left": 300})), spares=(CONFIDENCE,)),
    Case(CLASS, "unknown", among(detection({"class_id": 7})), {CLASS: [ATTRIBUTE]}, (NO_VALID,)),
    Case(
        CLASS,
        "three boxes, one class",
        among(detection({}, {"left": 99}, {"left": 200}, metadata={"class-map": {"0": "cat"}})),
        spares=(CLASS,),
    ),
    Case(LENGTH, "256", among(detection(metadata=NAME)), spares=(LENGTH,)),
    Case(LENGTH, "257", among(detection(metadata=LONG_NAME)), {LENGTH: [ATTRIBUTE]}),
    Case(LENGTH, "257, unused", among(detection(metadata=TOO_LONG_NAME)), {LENGTH: [ATTRIBUTE]}),
    Case(LENGTH, "257 as image label", among(classification("x" * 257)), {LENGTH: [(1, "animal", None, "attribute")]}),
    Case(
        UNSUPPORTED_CODE,
        "alone",
        among(classification(metadata=UNSUPPORTED)),
        {UNSUPPORTED_CODE: [(1, "animal", None, "attribute")], NO_VALID: [LINE]},
        FIRST_GROUP,
    ),
    Case(
        UNSUPPORTED_CODE,
        "beside a valid one",
        among(with_key(detection(), x__ref="s3://b/m.png", **{"x-ref-metadata": UNSUPPORTED})),
        {UNSUPPORTED_CODE: [(1, "x-ref", None, "attribute")]},
        (NO_VALID,),
    ),
    Case(
        UNSUPPORTED_CODE,
        "several labels",
        among(
            classification(
                value=[0],
                metadata={
                    "type": "groundtruth/image-classification-multilabel",
                    "class-name": None,
                    "class-map": {"0": "a"},
                },
            )
        ),
        {UNSUPPORTED_CODE: [(1, "animal", None, "attribute")]},
    ),
    Case(
        UNSUPPORTED_CODE,
        "several labels, split",
        among(classification(metadata={"type": "groundtruth/image-classification-multilabel"})),
        {"multilabel-with-class-name": [(1, "animal", None, None)]},
        (UNSUPPORTED_CODE,),
    ),
    Case(
        UNSUPPORTED_CODE,
        "video",
        among(
            with_key(
                detection(),
                **{"v-ref": "s3://b/SeqLabel.json", "v-ref-metadata": {"type": "groundtruth/video-object-tracking"}},
            )
        ),
        {UNSUPPORTED_CODE: [(1, "v-ref", None, "attribute")]},
    ),
    Case(
        NO_VALID,
        "two broken ones",
        among(with_key(detection(metadata={"type": None}), b=1, **{"b-metadata": {}})),
        {NO_VALID: [LINE], METADATA: [ATTRIBUTE, (1, "b", None, "attribute")]},
    ),
    Case(
        NO_VALID,
        "one broken, one valid",
        among(with_key(detection(), b=1, **{"b-metadata": {"type": "groundtruth/image-classification"}})),
        {METADATA: [(1, "b", None, "attribute")]},
        (NO_VALID,),
    ),
    Case(
        FORMAT,
        "only the first fault counts",
        among(detection({"left": "1"}, metadata={"objects": None, "class-map": {}})),
        {FORMAT: [ATTRIBUTE]},
        (METADATA, CONFIDENCE, CLASS),
    ),
    Case(
        METADATA,
        "only the first fault counts",
        among(detection(metadata={"creation-date": None, "objects": None, "class-map": {}})),
        {METADATA: [ATTRIBUTE]},
        (CONFIDENCE, CLASS),
    ),
    # Boxes.
    Case(
        NO_ANNOTATIONS,
        "no boxes",
        among(detection(**EMPTY_BOXES)),
        {NO_ANNOTATIONS: [(1, None, None, None)], NO_ATTRIBUTE_ANNOTATIONS: [(1, "animals", None, None)]},
        (NO_BOXES,),
    ),
    Case(
        NO_ATTRIBUTE_ANNOTATIONS,
        "in one of two",
        among(
            with_key(
                detection(**EMPTY_BOXES),
                **{"b": json.loads(detection())["animals"], "b-metadata": json.loads(detection())["animals-metadata"]},
            )
        ),
        {NO_ATTRIBUTE_ANNOTATIONS: [(1, "animals", None, None)]},
        (NO_ANNOTATIONS,),
    ),
    Case(
        NO_ANNOTATIONS,
        "ignored lines are not lost",
        text(*[detection(source_ref=f"s3://bucket/{n}", **EMPTY_BOXES) for n in range(9)], *boxed(2)),
        spares=(INVALID_ROWS,),
    ),
    *(
        Case(BOX, f"outside: {box}", among(detection(box, {})), {BOX: [(1, "animals", 0, "box")]}, (NO_BOXES,))
        for box in ({"left": -1}, {"top": -0.5}, {"left": 611, "width": 30}, {"top": 441, "height": 40})
    ),
    Case(
        BOX,
        "at the edge",
        among(detection({"left": 610, "width": 30, "top": 440, "height": 40}, {"left": 0, "top": 0})),
        spares=(BOX,),
    ),
    Case(BOX, "averaged to the edge", among(detection({"left": 138.8, "width": 501.2000000000001})), spares=(BOX,)),
    Case(
        NO_BOXES,
        "all outside",
        among(detection({"left": -1}, {"top": -1})),
        {NO_BOXES: [LINE], BOX: [(1, "animals", 0, "box"), (1, "animals", 1, "box")]},
    ),
    Case(SMALL, "1 px", among(detection({"width": 1}, {})), {SMALL: [(1, "animals", 0, "box")]}, (BOX,)),
    Case(SMALL, "1.01 px", among(detection({"width": 1.01}, {})), spares=(SMALL,)),
    Case(
        SMALL,
        "2 px scaled to 1",
        among(detection({"height": 2}, {}, size=(2560, 1920))),
        {SMALL: [(1, "animals", 0, "box")]},
    ),
    Case(SMALL, "2.1 px scaled", among(detection({"height": 2.1}, {}, size=(2560, 1920))), spares=(SMALL,)),
    Case(SMALL, "1.5 px at 1,280", among(detection({"height": 1.5}, {}, size=(1280, 960))), spares=(SMALL,)),
    Case(MANY_BOXES, "50", among(detection(*[{"left": n} for n in range(50)])), spares=(MANY_BOXES,)),
    Case(
        MANY_BOXES,
        "51",
        among(detection(*[{"left": n} for n in range(51)])),
        {MANY_BOXES: [(1, "animals", None, None)]},
    ),
    # The image, from what image_size declares.
    *(
        Case(
            DIMENSION,
            f"{size}",
            among(detection({"width": 9, "height": 9}, size=size)),
            {DIMENSION: [(1, None, None, "line")]},
            (IMAGE,),
        )
        for size in ((63, 640), (640, 63), (4097, 640), (640, 4097))
    ),
    *(
        Case(DIMENSION, f"{size}", among(detection(size=size)), spares=(DIMENSION, IMAGE))
        for size in ((64, 640), (4096, 4096), (640, 64))
    ),
    Case(IMAGE, "exactly 20:1", among(detection(size=(2000, 100))), spares=(IMAGE, DIMENSION)),
    Case(IMAGE, "above 20:1", among(detection(size=(2001, 100))), {IMAGE: [(1, None, None, "line")]}, (DIMENSION,)),
    Case(IMAGE, "20:1 upright", among(detection(size=(100, 2001))), {IMAGE: [(1, None, None, "line")]}),
    # Lost lines and labels of a manifest.
    Case(INVALID_ROWS, "exactly 20%", text(*A_FIFTH_BLANK), spares=(INVALID_ROWS, RECORDS)),
    Case(INVALID_ROWS, "above 20%", text(*A_FIFTH_BLANK, ""), {INVALID_ROWS: [WHOLE], RECORDS: [WHOLE]}),
    Case(
        INVALID_ROWS,
        "lost without a line code",
        text(*[detection(source_ref=f"s3://bucket/{n}", metadata={"type": None}) for n in range(3)], *boxed(8)),
        {INVALID_ROWS: [WHOLE]},
        (RECORDS, NO_VALID),
    ),
    Case(
        INVALID_ROWS,
        "a lost box is not a lost line",
        text(*[detection({"left": -1}, {}, source_ref=f"s3://bucket/{n}") for n in range(9)], *boxed(2)),
        spares=(INVALID_ROWS,),
    ),
    Case(
        RECORDS,
        "repeated images",
        text(*[detection()] * 4, *boxed(8)),
        {
            RECORDS: [WHOLE],
            "repeated-source-ref": [(2, None, None, "line"), (3, None, None, "line"), (4, None, None, "line")],
        },
    ),
    Case(FEW, "one image label", text(*images(4, "cat")), {FEW: [WHOLE]}),
    Case(FEW, "two image labels", text(*images(4)), spares=(FEW, FEW_USABLE)),
    Case(FEW, "one box label", text(*boxed(4)), spares=(FEW, FEW_USABLE)),
    Case(
        FEW,
        "no usable box",
        text(*[detection({"left": -1}, source_ref=f"s3://bucket/{n}") for n in range(3)]),
        {FEW: [WHOLE]},
    ),
    Case(FEW, "one image label to test", text(*images(4)), {FEW: [WHOLE]}, test=text(*images(2, "cat", start=9))),
    Case(MANY_LABELS, "250", text(*images(500, *[f"l{n}" for n in range(250)])), spares=(MANY_LABELS,)),
    Case(MANY_LABELS, "251", text(*images(502, *[f"l{n}" for n in range(251)])), {MANY_LABELS: [WHOLE]}),
    Case(
        OVERLAP,
        "exactly half",
        text(*images(8, "a", "b", "c", "d")),
        spares=(OVERLAP,),
        test=text(*images(4, "a", "b", start=9)),
    ),
    Case(
        OVERLAP,
        "below half",
        text(*images(9, "a", "b", "c")),
        {OVERLAP: [WHOLE]},
        (USABLE_OVERLAP,),
        test=text(*images(4, "a", "x", start=9)),
    ),
    Case(
        FEW_USABLE,
        "one choice fails",
        text(*images(4, "cat"), *boxed(2)),
        {FEW_USABLE: [(None, None, None, None)]},
        (FEW,),
    ),
    Case(FEW_USABLE, "no choice fails", text(*images(4), *boxed(2)), spares=(FEW, FEW_USABLE)),
    Case(
        FEW_USABLE,
        "both fail",
        text(*images(4), *boxed(2)),
        {FEW_USABLE: [WHOLE]},
        (FEW,),
        test=text(*images(2, "cat", start=9)),
    ),
    Case(
        FEW_USABLE,
        "each choice leaves a split without labels",
        text(*images(4)),
        {FEW_USABLE: [WHOLE]},
        (FEW,),
        test=text(*boxed(4)),
    ),
    Case(
        FEW_USABLE,
        "one choice fails in both splits",
        text(*images(4, "cat"), *boxed(2)),
        {FEW_USABLE: [(None, None, None, None)]},
        (FEW,),
        test=text(*images(4, "cat", start=9), *boxed(2, start=9)),
    ),
    Case(
        USABLE_OVERLAP,
        "one choice fails",
        text(*images(4), *boxed(2)),
        {USABLE_OVERLAP: [(None, None, None, None)]},
        (OVERLAP,),
        test=text(*images(4, "x", "y", start=9), *boxed(2, start=9)),
    ),
    Case(
        USABLE_OVERLAP,
        "both fail",
        text(*images(4), *boxed(2)),
        {USABLE_OVERLAP: [WHOLE]},
        (OVERLAP,),
        test=text(
            *images(4, "x", "y", start=9),
            *[detection({"class_id": 1}, source_ref=f"s3://bucket/t{n}") for n in range(2)],
        ),
    ),
    Case(AUTOSPLIT, "one image", text(*images(6), *images(1, "cow", start=9)), {AUTOSPLIT: [WHOLE]}),
    Case(
        AUTOSPLIT,
        "two images",
        text(*images(20), *images(2, "cow", start=29)),
        {"label-few-images": [(None, None, None, None)]},
        (AUTOSPLIT,),
    ),
    Case(AUTOSPLIT, "five images", text(*images(10)), spares=(AUTOSPLIT,)),
    Case(
        AUTOSPLIT,
        "with test data",
        text(*images(10), *images(1, "cow", start=19)),
        spares=(AUTOSPLIT,),
        test=text(*images(4, start=99)),
    ),
    # Faults of lines without a service code.
    Case("(none) dataset content: JSON line too long", "100,000", among(line_of(100_000)), spares=("line-too-long",)),
    Case("(none) dataset content: JSON line too long", "100,001", among(line_of(100_001)), {"line-too-long": [LINE]}),
    Case(
        "contract",
        "orphan keys, once a manifest",
        text(*[with_key(line, extra={"annotations": []}) for line in boxed(5)]),
        {"orphan-key": [(1, "extra", None, None)]},
    ),
    Case(
        "contract",
        "an unrelated key is not an orphan",
        among(with_key(detection(), page="1", id=7, metadata={"pages": 2})),
        spares=("orphan-key",),
    ),
    Case(
        "contract",
        "a failed label beside a valid one",
        among(with_key(detection(), **{"b-metadata": {"failure-reason": "x"}})),
        {"failed-label": [(1, "b", None, None)]},
        (NO_ATTRIBUTES, "orphan-key"),
    ),
    Case(
        "contract",
        "recorded errors",
        among(with_key(detection(), cl__errors=[{"code": IMAGE, "message": "m"}])),
        {"recorded-error": [(1, None, None, None)]},
    ),
    Case(
        "contract",
        "a recorded error that we find as well",
        among(with_key(detection(metadata={"type": None}), errors=[{"code": METADATA, "message": "m"}])),
        {METADATA: [ATTRIBUTE]},
        ("recorded-error",),
    ),
    Case(
        "contract",
        "a duplicate key",
        among(detection().replace('"type"', '"type": "x", "type"')),
        {"duplicate-key": [(1, None, None, None)]},
        (UNSUPPORTED_CODE,),
    ),
    Case(
        "contract", "CRLF", "\r\n".join(boxed(3)) + "\r\n", {"crlf-line-ends": [(None, None, None, None)]}, (JSON_LINE,)
    ),
    Case(
        "contract",
        "a byte order mark",
        "\ufeff" + text(*boxed(3)),
        {"byte-order-mark": [(1, None, None, None)]},
        (JSON_LINE,),
    ),
    # Ground Truth's own rules: only under its target, without a code.
    Case(
        "(none) Ground Truth input: JSON object too long",
        "100,001",
        among(line_of(100_001)),
        {"line-too-long": [LINE]},
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth input: attribute too long",
        "20,000",
        among(detection(extra={"note": "x" * 19_998})),
        spares=("attribute-too-long",),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth input: attribute too long",
        "20,001",
        among(detection(extra={"note": "x" * 20_001})),
        {"attribute-too-long": [(1, "note", None, None)]},
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth input: attribute too long",
        "not for training",
        among(detection(extra={"note": "x" * 20_001})),
        spares=("attribute-too-long",),
    ),
    Case(
        "(none) Ground Truth input: attribute name starts with $",
        "$",
        among(with_key(detection(), **{"$sequencer": 1})),
        {"dollar-key": [(1, "$sequencer", None, None)]},
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth input: attribute name starts with $",
        "not for training",
        among(with_key(detection(), **{"$sequencer": 1})),
        spares=("dollar-key",),
    ),
    Case(
        "(none) Ground Truth input: neither source nor source-ref",
        "neither",
        among('{"ref": "s3://b/k"}'),
        {"missing-source": [(1, None, None, None)]},
        (REF,),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth input: neither source nor source-ref",
        "source",
        among('{"source": "text"}'),
        spares=("missing-source", REF),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth: label attribute name rule",
        "-ref for boxes",
        among(detection(name="animals-ref")),
        {"invalid-attribute-name": [(1, "animals-ref", None, None)]},
        settings=GROUND_TRUTH,
    ),
    *(
        Case(
            "(none) Ground Truth: label attribute name rule",
            f"-ref for {type_}",
            among(classification(name="x-ref", metadata={"type": type_})),
            {"invalid-attribute-name": [(1, "x-ref", None, None)]},
            settings=GROUND_TRUTH,
        )
        for type_ in ("groundtruth/text-classification", "groundtruth/custom", "groundTruth/custom")
    ),
    *(
        Case(
            "(none) Ground Truth: label attribute name rule",
            name,
            among(with_key(detection(), **{name: "s3://bucket/1.jpg", f"{name}-metadata": UNSUPPORTED})),
            {"invalid-attribute-name": [(1, name, None, None)]},
            ("orphan-key",),
            settings=GROUND_TRUTH,
        )
        for name in ("source", "source-ref")
    ),
    Case(
        "(none) Ground Truth: label attribute name rule",
        "metadata of a point cloud's source",
        among(with_key(detection(), **{"source-ref-metadata": {"format": "text/xyzi", "prefix": "s3://b/p/"}})),
        spares=("invalid-attribute-name", "orphan-key"),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth: label attribute name rule",
        "a mask without -ref",
        among(classification(metadata=UNSUPPORTED)),
        {"invalid-attribute-name": [(1, "animal", None, None)]},
        (UNSUPPORTED_CODE,),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth: label attribute name rule",
        "a valid name",
        among(detection()),
        spares=("invalid-attribute-name",),
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth: segmentation colours missing",
        "missing",
        among(classification(name="a-ref", metadata=UNSUPPORTED | {"internal-color-map": {"0": {"class-name": "x"}}})),
        {"mask-without-colors": [(1, "a-ref", None, None)]},
        settings=GROUND_TRUTH,
    ),
    Case(
        "(none) Ground Truth: segmentation colours missing",
        "there",
        among(
            classification(
                name="a-ref",
                metadata=UNSUPPORTED | {"internal-color-map": {"0": {"class-name": "x", "hex-color": "#2ca02c"}}},
            )
        ),
        spares=("mask-without-colors",),
        settings=GROUND_TRUTH,
    ),
    Case(
        "contract",
        "video under ground-truth",
        among(
            with_key(
                detection(),
                **{"v-ref": "s3://b/s.json", "v-ref-metadata": {"type": "groundtruth/video-object-tracking"}},
            )
        ),
        spares=(UNSUPPORTED_CODE,),
        settings=GROUND_TRUTH,
    ),
    Case(
        "contract",
        "other keys in a job's input",
        among(with_key(SOURCE_ONLY, id=4, page="7")),
        spares=("orphan-key",),
        settings=GROUND_TRUTH,
    ),
    Case(
        "contract",
        "metadata without a label in a job's input",
        among(with_key(SOURCE_ONLY, **{"fruit-metadata": {"human-annotated": "yes"}})),
        {"orphan-key": [(1, "fruit", None, None)]},
        settings=GROUND_TRUTH,
    ),
    Case(JSON_LINE, "under ground-truth", among("[1]"), {JSON_LINE: [LINE]}, settings=GROUND_TRUTH),
    Case(EMPTY, "under ground-truth", "", {EMPTY: [WHOLE]}, settings=GROUND_TRUTH),
    Case(UNSUPPORTED_FILE, "under ground-truth", "no json\n", {UNSUPPORTED_FILE: [WHOLE]}, settings=GROUND_TRUTH),
]
