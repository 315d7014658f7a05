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
    EMPTY_MANIFEST = "empty-manifest"
    MANIFEST_TOO_LARGE = "manifest-too-large"
    LARGE_MANIFEST = "large-manifest"
    MANIFEST_WITHOUT_SUFFIX = "manifest-without-suffix"
    BYTE_ORDER_MARK = "byte-order-mark"
    CRLF_LINE_ENDS = "crlf-line-ends"

    # A line.
    INVALID_JSON = "invalid-json"
    LINE_TOO_LONG = "line-too-long"
    REPEATED_KEY = "repeated-key"
    MISSING_SOURCE_REF = "missing-source-ref"
    INVALID_SOURCE_REF = "invalid-source-ref"
    MISSING_SOURCE = "missing-source"
    UNANNOTATED_LINE = "unannotated-line"
    NO_LABEL_ATTRIBUTES = "no-label-attributes"
    NO_VALID_LABEL_ATTRIBUTES = "no-valid-label-attributes"
    LINE_WITHOUT_BOXES = "line-without-boxes"
    RECORDED_ERROR = "recorded-error"

    # A label attribute, or a key that should belong to one.
    UNSUPPORTED_LABEL_TYPE = "unsupported-label-type"
    INVALID_LABEL_ATTRIBUTE = "invalid-label-attribute"
    INVALID_LABEL_METADATA = "invalid-label-metadata"
    MISSING_BOX_CONFIDENCE = "missing-box-confidence"
    MISSING_CLASS_ID = "missing-class-id"
    LABEL_NAME_TOO_LONG = "label-name-too-long"
    ATTRIBUTE_WITHOUT_BOXES = "attribute-without-boxes"
    MULTILABEL_WITH_CLASS_NAME = "multilabel-with-class-name"
    TEXT_CLASS_INDEX = "text-class-index"
    ODD_CREATION_DATE = "odd-creation-date"
    FAILED_LABEL = "failed-label"
    ORPHAN_KEY = "orphan-key"
    ATTRIBUTE_TOO_LONG = "attribute-too-long"
    DOLLAR_KEY = "dollar-key"
    ODD_ATTRIBUTE_NAME = "odd-attribute-name"
    MASK_WITHOUT_COLOURS = "mask-without-colours"

    @property
    def loses(self) -> Loses | None:
        """What the service removes for this fault; None where it removes nothing."""
        return _LOSES.get(self)


_LOSES = {
    Kind.NOT_A_MANIFEST: Loses.TRAINING,
    Kind.EMPTY_MANIFEST: Loses.TRAINING,
    Kind.MANIFEST_TOO_LARGE: Loses.TRAINING,
    Kind.INVALID_JSON: Loses.LINE,
    Kind.LINE_TOO_LONG: Loses.LINE,
    Kind.MISSING_SOURCE_REF: Loses.LINE,
    Kind.INVALID_SOURCE_REF: Loses.LINE,
    Kind.NO_LABEL_ATTRIBUTES: Loses.LINE,
    Kind.NO_VALID_LABEL_ATTRIBUTES: Loses.LINE,
    Kind.UNSUPPORTED_LABEL_TYPE: Loses.ATTRIBUTE,
    Kind.INVALID_LABEL_ATTRIBUTE: Loses.ATTRIBUTE,
    Kind.INVALID_LABEL_METADATA: Loses.ATTRIBUTE,
    Kind.MISSING_BOX_CONFIDENCE: Loses.ATTRIBUTE,
    Kind.MISSING_CLASS_ID: Loses.ATTRIBUTE,
    Kind.LABEL_NAME_TOO_LONG: Loses.ATTRIBUTE,
}

FILE_IS_LOST = frozenset({Kind.NOT_A_MANIFEST, Kind.EMPTY_MANIFEST, Kind.MANIFEST_TOO_LARGE})
"""Kinds after which nothing is known of the manifest as a data set."""
