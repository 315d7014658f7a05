"""The service's documented codes: which rule gives each, and why some cannot be seen before the data is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from groundlint import Rule


class Note(NamedTuple):
    """A documented row that no rule gives by a code of its own: rules that speak of it, and a sentence."""

    row: str
    rules: tuple[str, ...]
    sentence: str


_ACCOUNT = "It depends on the permissions of your account and cannot be seen from the data; the service reports it."
_AS = "The same finding as for the code named; the service gives it another name here."

NOTES = (
    Note("ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET", (), _ACCOUNT),
    Note("ERROR_CANNOT_WRITE_OUTPUT_S3_BUCKET", (), _ACCOUNT),
    Note("ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET", (), _ACCOUNT),
    Note("ERROR_FAILED_IMAGES_S3_COPY", (), _ACCOUNT),
    Note(
        "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER",
        (),
        "It depends on who owns the two buckets and cannot be seen from the data; the service reports it.",
    ),
    Note("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE", ("SPL103",), _AS),
    Note(
        "(none) service error / InternalServerError",
        (),
        "The service itself failed; nothing in the data foretells it. Train again.",
    ),
    Note("(none) dataset content: JSON line too long", ("MAN202",), "Removed silently by the service; we report it."),
    Note("(none) dataset content: source-ref missing", ("REF101",), _AS),
    Note("(none) dataset content: source-ref format", ("REF102",), _AS),
    Note("(none) dataset content: line contents invalid", ("MAN201",), _AS),
    Note(
        "(none) dataset content: repeated source-ref",
        ("REF104", "REF108"),
        "Removed silently by the service; we report it, and references that differ only to the eye of a machine.",
    ),
    Note(
        "(none) validation rule: inaccessible source-ref < 20%",
        (),
        "It needs the images; a copy of them on this machine will tell.",
    ),
    Note(
        "(none) validation rule: inaccessible source-ref > 20%",
        (),
        "It needs the images; a copy of them on this machine will tell.",
    ),
    Note(
        "(none) validation rule: train/test image overlap",
        (),
        "Documented as “should not”, without an error: it spoils the evaluation, not the training.",
    ),
    Note("(none) validation rule: class both as image label and box", (), "Documented as no error."),
    Note("(exception) InvalidManifestException", ("MAN102", "MAN103"), _AS),
    Note(
        "(none) UpdateDatasetEntries Changes size",
        (),
        "A limit of one call to the service (less than 5 MB), not of the data; send the lines in parts.",
    ),
    Note("(none) Ground Truth input: JSON object too long", ("MAN202",), "Under the target ground-truth."),
    Note("(none) Ground Truth input: attribute too long", ("MAN301",), "Under the target ground-truth."),
    Note("(none) Ground Truth input: attribute name starts with $", ("MAN302",), "Under the target ground-truth."),
    Note("(none) Ground Truth input: neither source nor source-ref", ("MAN303",), "Under the target ground-truth."),
    Note("(none) Ground Truth: label attribute name rule", ("LBL201",), "Under the target ground-truth."),
    Note("(none) Ground Truth: segmentation colours missing", ("LBL202",), "Under the target ground-truth."),
)


def page(rules: Mapping[str, type[Rule]]) -> str:
    """The page of all documented codes, in Markdown."""
    rows = ["| the service's code | our rule | |", "| --- | --- | --- |", *sorted(_rows(rules))]
    intro = (
        "# The service's codes\n\n"
        "Every code and documented refusal of Amazon Rekognition Custom Labels and SageMaker Ground Truth, with the\n"
        "rule that finds it before training, or why it cannot be found, or why it is no error.\n\n"
    )
    return intro + "\n".join(rows) + "\n"


def _rows(rules: Mapping[str, type[Rule]]) -> Iterator[str]:
    by_code: dict[str, list[str]] = {}
    for code, rule in sorted(rules.items()):
        if rule.aws:
            by_code.setdefault(rule.aws, []).append(code)
    for aws, codes in by_code.items():
        yield _row(f"`{aws}`", codes, rules, (rules[codes[0]].__doc__ or "").split("\n")[0])
    for note in NOTES:
        yield _row(f"`{note.row}`", note.rules, rules, note.sentence)


def _row(what: str, codes: tuple[str, ...] | list[str], rules: Mapping[str, type[Rule]], sentence: str) -> str:
    links = ", ".join(f"[{code}](rules/{code}.md) {rules[code].name}" for code in codes)
    return f"| {what} | {links or 'none'} | {sentence} |"
