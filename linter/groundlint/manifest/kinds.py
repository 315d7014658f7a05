"""All kinds of structural faults: the rule that reports each, the service's code, and what the service removes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Flag, StrEnum, auto

Values = Mapping[str, str | int]
"""Values for the message on a fault: some of key, found, expected, hint, count and limit."""


class Loses(StrEnum):
    """What a fault removes directly."""

    BOX = "box"
    ATTRIBUTE = "attribute"
    LINE = "line"
    TRAINING = "training"


class Effect(Flag):
    """What else follows from a fault."""

    NONE = 0
    UNKNOWN_CONTENT = auto()
    """Nothing is known of the manifest's lines."""
    SILENT = auto()
    """The service removes the line without a message when it creates the data set."""
    FINAL = auto()
    """The service checks neither the rest of the attribute or line nor the image."""


_UNSUPPORTED = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
_TOO_LARGE = "ERROR_MANIFEST_SIZE_TOO_LARGE"
_JSON = "ERROR_INVALID_JSON_LINE"
_NO_SOURCE_REF = "ERROR_MISSING_SOURCE_REF"
_NO_LABELS = "ERROR_NO_LABEL_ATTRIBUTES"
_LABEL = "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT"
_METADATA = "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT"
_CONFIDENCE = "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE"
_TYPE = "ERROR_UNSUPPORTED_USE_CASE_TYPE"
_IMAGE = "ERROR_INVALID_IMAGE"

_BOX, _ATTRIBUTE, _LINE, _TRAINING = Loses.BOX, Loses.ATTRIBUTE, Loses.LINE, Loses.TRAINING
_UNKNOWN, _SILENT, _FINAL = Effect.UNKNOWN_CONTENT, Effect.SILENT, Effect.FINAL


class Kind(StrEnum):
    """One kind of fault, with the code of its rule, the service's code, what it removes, and its further effects.

    It is the value of `kind` in `problems` and `verdicts`. The message of its rule for this kind is a template over the
    columns of `values`.
    """

    rule: str
    aws: str | None
    loses: Loses | None
    effects: Effect

    def __new__(
        cls,
        kind: str,
        rule: str,
        aws: str | None = None,
        loses: Loses | None = None,
        effects: Effect = Effect.NONE,
    ) -> Kind:
        """Make a member from a row of the table below."""
        member = str.__new__(cls, kind)
        member._value_ = kind
        member.rule, member.aws, member.loses, member.effects = rule, aws, loses, effects
        return member

    # The file as a whole.
    UTF_16 = "utf-16", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    GZIP = "gzip", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    GIT_LFS_POINTER = "git-lfs-pointer", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    OTHER_FORMAT = "other-format", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    MERGE_CONFLICT = "merge-conflict", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    PYTHON_LITERALS = "python-literals", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    COMMAS_BETWEEN_LINES = "commas-between-lines", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    TRAILING_COMMAS = "trailing-commas", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    ENCODED_TWICE = "encoded-twice", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    SEVERAL_LINES_PER_OBJECT = "several-lines-per-object", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    CSV = "csv", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    NO_JSON_OBJECTS = "no-json-objects", "MAN101", _UNSUPPORTED, _TRAINING, _UNKNOWN
    FOREIGN_FILE = "foreign-file", "MAN210", None, None, _UNKNOWN
    EMPTY_MANIFEST = "empty-manifest", "MAN102", "ERROR_EMPTY_MANIFEST", _TRAINING, _UNKNOWN
    MANIFEST_TOO_LARGE = "manifest-too-large", "MAN103", _TOO_LARGE, _TRAINING, _UNKNOWN
    MANIFEST_NEAR_LIMIT = "manifest-near-size-limit", "MAN103"
    MANIFEST_WITHOUT_SUFFIX = "manifest-without-suffix", "MAN105", _UNSUPPORTED
    BYTE_ORDER_MARK = "byte-order-mark", "MAN204"
    CRLF_LINE_ENDS = "crlf-line-ends", "MAN205"
    TOO_MANY_LINES = "too-many-lines", "MAN106", "ERROR_MANIFEST_ROWS_EXCEEDS_MAXIMUM", _TRAINING
    TOO_MANY_INVALID_LINES = "too-many-invalid-lines", "MAN107", "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST", _TRAINING
    TOO_MANY_REMOVED_LINES = "too-many-removed-lines", "MAN108", "ERROR_TOO_MANY_RECORDS_IN_ERROR", _TRAINING
    SEVERAL_BUCKETS = "several-buckets", "REF103", "ERROR_IMAGES_IN_MULTIPLE_S3_BUCKETS", _TRAINING

    # A line.
    INVALID_JSON = "invalid-json", "MAN201", _JSON, _LINE, _SILENT | _FINAL
    BLANK_LINE = "blank-line", "MAN201", _JSON, _LINE, _SILENT | _FINAL
    NOT_AN_OBJECT = "not-an-object", "MAN201", _JSON, _LINE, _SILENT | _FINAL
    LINE_TOO_LONG = "line-too-long", "MAN202", None, _LINE, _SILENT
    LINE_NOT_PARSED = "line-not-parsed", "MAN202", None, _LINE, _SILENT
    DUPLICATE_KEY = "duplicate-key", "MAN203"
    RECORDED_ERROR = "recorded-error", "MAN207"
    UNANNOTATED_LINE = "unannotated-line", "MAN208", "WARNING_UNANNOTATED_RECORD"
    MISSING_SOURCE = "missing-source", "MAN303"
    MISNAMED_SOURCE = "misnamed-source", "MAN303"
    MISSING_SOURCE_REF = "missing-source-ref", "REF101", _NO_SOURCE_REF, _LINE, _SILENT | _FINAL
    MISNAMED_SOURCE_REF = "misnamed-source-ref", "REF101", _NO_SOURCE_REF, _LINE, _SILENT | _FINAL
    TEXT_SOURCE = "text-source", "REF101", _NO_SOURCE_REF, _LINE, _SILENT | _FINAL
    INVALID_SOURCE_REF = (
        *("invalid-source-ref", "REF102", "ERROR_INVALID_SOURCE_REF_FORMAT", _LINE),
        _SILENT | _FINAL,
    )
    REPEATED_SOURCE_REF = "repeated-source-ref", "REF104", None, _LINE, _SILENT
    REPEATED_WITH_OTHER_BOXES = "repeated-with-other-boxes", "REF104", None, _LINE, _SILENT
    LINE_WITH_UNPAIRED_KEY = "line-with-unpaired-key", "LBL101", _NO_LABELS, _LINE, _FINAL
    LINE_WITH_MISNAMED_METADATA = "line-with-misnamed-metadata", "LBL101", _NO_LABELS, _LINE, _FINAL
    LINE_WITH_METADATA_ONLY = "line-with-metadata-only", "LBL101", _NO_LABELS, _LINE, _FINAL
    LINE_WITH_FAILED_LABEL = "line-with-failed-label", "LBL101", _NO_LABELS, _LINE, _FINAL
    NO_VALID_LABEL_ATTRIBUTES = "no-valid-label-attributes", "LBL106", "ERROR_NO_VALID_LABEL_ATTRIBUTES", _LINE
    LINE_WITHOUT_BOXES = "line-without-boxes", "LBL109", "WARNING_NO_ANNOTATIONS"

    # A label attribute, or a key that should belong to one.
    LABEL_WITHOUT_KEY = "label-without-key", "LBL102", _LABEL, _ATTRIBUTE, _FINAL
    LABEL_WITH_INVALID_VALUE = "label-with-invalid-value", "LBL102", _LABEL, _ATTRIBUTE, _FINAL
    LABEL_WITH_INVALID_LENGTH = "label-with-invalid-length", "LBL102", _LABEL, _ATTRIBUTE, _FINAL
    LABEL_OF_UNKNOWN_FORM = "label-of-unknown-form", "LBL102", _LABEL, _ATTRIBUTE, _FINAL
    METADATA_WITHOUT_KEY = "metadata-without-key", "LBL103", _METADATA, _ATTRIBUTE, _FINAL
    METADATA_WITH_INVALID_VALUE = "metadata-with-invalid-value", "LBL103", _METADATA, _ATTRIBUTE, _FINAL
    METADATA_WITH_EMPTY_NAME = "metadata-with-empty-name", "LBL103", _METADATA, _ATTRIBUTE, _FINAL
    MISSING_OBJECTS = "missing-objects", "LBL104", _CONFIDENCE, _ATTRIBUTE, _FINAL
    OBJECTS_UNLIKE_BOXES = "objects-unlike-boxes", "LBL104", _CONFIDENCE, _ATTRIBUTE, _FINAL
    OBJECT_WITHOUT_CONFIDENCE = "object-without-confidence", "LBL104", _CONFIDENCE, _ATTRIBUTE, _FINAL
    MISSING_CLASS_ID = "missing-class-id", "LBL105", "ERROR_MISSING_CLASS_MAP_ID", _ATTRIBUTE, _FINAL
    UNSUPPORTED_TYPE = "unsupported-label-type", "LBL107", _TYPE, _ATTRIBUTE
    UNSUPPORTED_MULTILABEL = "unsupported-multilabel-type", "LBL107", _TYPE, _ATTRIBUTE
    UNSUPPORTED_MASK = "unsupported-mask-type", "LBL107", _TYPE, _ATTRIBUTE
    UNSUPPORTED_VERIFICATION = "unsupported-verification-type", "LBL107", _TYPE, _ATTRIBUTE
    LABEL_NAME_TOO_LONG = "label-name-too-long", "LBL108", "ERROR_INVALID_LABEL_NAME_LENGTH", _ATTRIBUTE
    ATTRIBUTE_WITHOUT_BOXES = "attribute-without-boxes", "LBL110", "WARNING_NO_ATTRIBUTE_ANNOTATIONS"
    MULTILABEL_WITH_CLASS_NAME = "multilabel-with-class-name", "LBL114"
    FAILED_LABEL = "failed-label", "LBL115"
    QUOTED_CLASS_INDEX = "quoted-class-index", "LBL116"
    UNDOCUMENTED_DATE_FORMAT = "undocumented-date-format", "LBL117"
    UNPAIRED_KEY = "unpaired-key", "MAN206"
    MISNAMED_METADATA = "misnamed-metadata", "MAN206"
    METADATA_ONLY = "metadata-only", "MAN206"
    ATTRIBUTE_TOO_LONG = "attribute-too-long", "MAN301"
    DOLLAR_KEY = "dollar-key", "MAN302"
    NAME_IS_RESERVED = "name-is-reserved", "LBL201"
    NAME_ENDS_IN_METADATA = "name-ends-in-metadata", "LBL201"
    NAME_ENDS_IN_REF = "name-ends-in-ref", "LBL201"
    NAME_WITHOUT_REF = "name-without-ref", "LBL201"
    MASK_WITHOUT_COLORS = "mask-without-colors", "LBL202"

    # A box.
    BOX_OUTSIDE_IMAGE = "box-outside-image", "BOX101", "ERROR_INVALID_BOUNDING_BOX", _BOX
    BOX_BEYOND_IMAGE = "box-beyond-image", "BOX101", "ERROR_INVALID_BOUNDING_BOX", _BOX
    NEGATIVE_BOX = "negative-box", "BOX101", "ERROR_INVALID_BOUNDING_BOX", _BOX
    BOX_TOO_SMALL = "box-too-small", "BOX102", "ERROR_BOUNDING_BOX_TOO_SMALL", _BOX
    PLACEHOLDER_BOX = "placeholder-box", "BOX102", "ERROR_BOUNDING_BOX_TOO_SMALL", _BOX
    TOO_MANY_BOXES = "too-many-boxes", "BOX103", "ERROR_TOO_MANY_BOUNDING_BOXES"
    NO_VALID_BOXES = "no-valid-boxes", "BOX104", "ERROR_NO_VALID_ANNOTATIONS", _LINE

    # The image of a line.
    MISSING_IMAGE = "missing-image", "IMG101", _IMAGE, _LINE
    NOT_AN_IMAGE = "not-an-image", "IMG101", _IMAGE, _LINE
    UNSUPPORTED_IMAGE_FORMAT = "unsupported-image-format", "IMG101", _IMAGE, _LINE
    IMAGE_FILE_TOO_LARGE = "image-file-too-large", "IMG101", _IMAGE, _LINE
    IMAGE_SIDE_OUT_OF_RANGE = "image-side-out-of-range", "IMG101", _IMAGE, _LINE
    IMAGE_TOO_ELONGATED = "image-too-elongated", "IMG101", _IMAGE, _LINE
    INVALID_IMAGE_DIMENSION = "invalid-image-dimension", "IMG102", "ERROR_INVALID_IMAGE_DIMENSION", _LINE

    # The labels of a data set.
    TOO_FEW_LABELS = "too-few-labels", "LBL111", "ERROR_MANIFEST_TOO_FEW_LABELS", _TRAINING
    TOO_MANY_LABELS = "too-many-labels", "LBL112", "ERROR_MANIFEST_TOO_MANY_LABELS", _TRAINING
    TOO_FEW_USABLE_LABELS = "too-few-usable-labels", "LBL113", "ERROR_MANIFEST_TOO_FEW_USABLE_LABELS", _TRAINING
    INSUFFICIENT_LABEL_OVERLAP = "insufficient-label-overlap", "SPL101", "ERROR_INSUFFICIENT_LABEL_OVERLAP", _TRAINING
    INSUFFICIENT_USABLE_LABEL_OVERLAP = (
        "insufficient-usable-label-overlap",
        "SPL102",
        "ERROR_INSUFFICIENT_USABLE_LABEL_OVERLAP",
        _TRAINING,
    )
    TOO_FEW_IMAGES_TO_SPLIT = (
        *("too-few-images-to-split", "SPL103", "ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_AUTOSPLIT"),
        _TRAINING,
    )


def kinds_with(effect: Effect) -> list[str]:
    """The kinds that have an effect."""
    return [kind.value for kind in Kind if effect in kind.effects]


def kinds_of(rule: str) -> list[str]:
    """The kinds that a rule reports, by its code."""
    return [kind.value for kind in Kind if kind.rule == rule]
