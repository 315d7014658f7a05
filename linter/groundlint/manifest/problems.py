"""The faults of structure that reading can find, each with what it removes from the training data."""

from __future__ import annotations

from enum import StrEnum


class Loses(StrEnum):
    """What a fault removes directly."""

    BOX = "box"
    ATTRIBUTE = "attribute"
    LINE = "line"
    TRAINING = "training"


class Kind(StrEnum):
    """One kind of fault; the value of `problems.kind`."""

    # The file as a whole.
    NOT_A_MANIFEST = "not-a-manifest"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    LARGE = "large"
    NO_SUFFIX = "no-suffix"
    BYTE_ORDER_MARK = "byte-order-mark"
    CRLF = "crlf"

    # A line.
    INVALID_JSON = "invalid-json"
    TOO_LONG = "too-long"
    DUPLICATE_KEY = "duplicate-key"
    MISSING_SOURCE_REF = "missing-source-ref"
    INVALID_SOURCE_REF = "invalid-source-ref"
    NO_SOURCE = "no-source"
    UNANNOTATED = "unannotated"
    NO_LABEL_ATTRIBUTES = "no-label-attributes"
    NO_VALID_ATTRIBUTES = "no-valid-attributes"
    NO_ANNOTATIONS = "no-annotations"
    RECORDED_ERROR = "recorded-error"

    # A label attribute, or a key that should belong to one.
    UNSUPPORTED_TYPE = "unsupported-type"
    INVALID_ATTRIBUTE = "invalid-attribute"
    INVALID_METADATA = "invalid-metadata"
    MISSING_CONFIDENCE = "missing-confidence"
    MISSING_CLASS = "missing-class"
    LONG_LABEL_NAME = "long-label-name"
    NO_ATTRIBUTE_ANNOTATIONS = "no-attribute-annotations"
    MULTILABEL_WITH_CLASS_NAME = "multilabel-with-class-name"
    TEXT_INDEX = "text-index"
    DATE_FORM = "date-form"
    FAILED_LABEL = "failed-label"
    ORPHAN_KEY = "orphan-key"
    LONG_ATTRIBUTE = "long-attribute"
    DOLLAR_NAME = "dollar-name"
    ATTRIBUTE_NAME = "attribute-name"
    MASK_COLOURS = "mask-colours"

    @property
    def loses(self) -> Loses | None:
        """What the service removes for this fault; None where it removes nothing."""
        return _LOSES.get(self)


_LOSES = {
    Kind.NOT_A_MANIFEST: Loses.TRAINING,
    Kind.EMPTY: Loses.TRAINING,
    Kind.TOO_LARGE: Loses.TRAINING,
    Kind.INVALID_JSON: Loses.LINE,
    Kind.TOO_LONG: Loses.LINE,
    Kind.MISSING_SOURCE_REF: Loses.LINE,
    Kind.INVALID_SOURCE_REF: Loses.LINE,
    Kind.NO_LABEL_ATTRIBUTES: Loses.LINE,
    Kind.NO_VALID_ATTRIBUTES: Loses.LINE,
    Kind.UNSUPPORTED_TYPE: Loses.ATTRIBUTE,
    Kind.INVALID_ATTRIBUTE: Loses.ATTRIBUTE,
    Kind.INVALID_METADATA: Loses.ATTRIBUTE,
    Kind.MISSING_CONFIDENCE: Loses.ATTRIBUTE,
    Kind.MISSING_CLASS: Loses.ATTRIBUTE,
    Kind.LONG_LABEL_NAME: Loses.ATTRIBUTE,
}

FILE_IS_LOST = frozenset({Kind.NOT_A_MANIFEST, Kind.EMPTY, Kind.TOO_LARGE})
"""Kinds after which nothing is known of the manifest as a data set."""
