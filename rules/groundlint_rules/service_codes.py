"""The service's documented codes: the rule that reports each, or why none can before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from groundlint import Rule
from groundlint.manifest.kinds import Kind


class CodeNote(NamedTuple):
    """A documented row that no rule reports under a code of its own: related rules, and an explanation."""

    row: str
    rules: tuple[str, ...]
    explanation: str


_ACCOUNT = "It depends on the permissions of your account and cannot be seen in the data; the service reports it."
_SAME = "The same finding as for the rule's own code; the service gives it another name here."
_SILENT = "Removed by the service without a message; we report it."
_IMAGES = "It is found only with `--s3`: whether an object exists is not seen on this machine."
_GROUND_TRUTH = "Under the target ground-truth."

NOTES = (
    CodeNote("ERROR_INVALID_PERMISSIONS_MANIFEST_S3_BUCKET", (), _ACCOUNT),
    CodeNote("ERROR_CANNOT_WRITE_OUTPUT_S3_BUCKET", (), _ACCOUNT),
    CodeNote("ERROR_INVALID_PERMISSIONS_IMAGES_S3_BUCKET", (), _ACCOUNT),
    CodeNote("ERROR_FAILED_IMAGES_S3_COPY", (), _ACCOUNT),
    CodeNote(
        "ERROR_INVALID_IMAGES_S3_BUCKET_OWNER",
        (),
        "It depends on who owns the two buckets and cannot be seen in the data; the service reports it.",
    ),
    CodeNote("ERROR_INSUFFICIENT_IMAGES_PER_LABEL_FOR_DISTRIBUTE", ("SPL103",), _SAME),
    CodeNote(
        "(none) service error / InternalServerError",
        (),
        "The service itself failed; the data does not show it. Train again.",
    ),
    CodeNote("(none) dataset content: JSON line too long", ("MAN202",), _SILENT),
    CodeNote("(none) dataset content: source-ref missing", ("REF101",), _SAME),
    CodeNote("(none) dataset content: source-ref format", ("REF102",), _SAME),
    CodeNote("(none) dataset content: line contents invalid", ("MAN201",), _SAME),
    CodeNote(
        "(none) dataset content: repeated source-ref",
        ("REF104", "REF108"),
        "Removed by the service without a message; we report it, and source-refs that differ in case or encoding only.",
    ),
    CodeNote("(none) validation rule: inaccessible source-ref < 20%", ("IMG101",), _IMAGES),
    CodeNote("(none) validation rule: inaccessible source-ref > 20%", ("IMG101",), _IMAGES),
    CodeNote(
        "(none) validation rule: train/test image overlap",
        (),
        "Documented as “should not”, without an error: it distorts the evaluation, not the training.",
    ),
    CodeNote("(none) validation rule: class both as image label and box", (), "Documented as not an error."),
    CodeNote("(exception) InvalidManifestException", ("MAN102", "MAN103"), _SAME),
    CodeNote(
        "(none) UpdateDatasetEntries Changes size",
        (),
        "A limit of one call to the service (less than 5 MB), not of the data; send the lines in parts.",
    ),
    CodeNote("(none) Ground Truth input: JSON object too long", ("MAN202",), _GROUND_TRUTH),
    CodeNote("(none) Ground Truth input: attribute too long", ("MAN301",), _GROUND_TRUTH),
    CodeNote("(none) Ground Truth input: attribute name starts with $", ("MAN302",), _GROUND_TRUTH),
    CodeNote("(none) Ground Truth input: neither source nor source-ref", ("MAN303",), _GROUND_TRUTH),
    CodeNote("(none) Ground Truth: label attribute name rule", ("LBL201",), _GROUND_TRUTH),
    CodeNote("(none) Ground Truth: segmentation colours missing", ("LBL202",), _GROUND_TRUTH),
)


def page(rules: Mapping[str, type[Rule]]) -> str:
    """The page of all documented codes, in Markdown."""
    rows = ["| service code | our rule | removes | |", "| --- | --- | --- | --- |", *sorted(_rows(rules))]
    intro = (
        "# Service codes\n\n"
        "Every code and documented refusal of Amazon Rekognition Custom Labels and SageMaker Ground Truth, with the\n"
        "rule that reports it before training, or why no rule can, or why it is not an error.\n\n"
    )
    return intro + "\n".join(rows) + "\n"


def _rows(rules: Mapping[str, type[Rule]]) -> Iterator[str]:
    codes: dict[str, set[str]] = {}
    losses: dict[str, set[str]] = {}
    for kind in Kind:
        if kind.aws:
            codes.setdefault(kind.aws, set()).add(kind.rule)
            losses.setdefault(kind.aws, set()).update([kind.loses] if kind.loses else [])
    for aws, of_code in codes.items():
        first, *_ = listed = sorted(of_code)
        summary = (rules[first].__doc__ or "").split("\n")[0]
        yield _row(f"`{aws}`", listed, rules, ", ".join(sorted(losses[aws])), summary)
    for note in NOTES:
        yield _row(f"`{note.row}`", note.rules, rules, "", note.explanation)


def _row(what: str, codes: Sequence[str], rules: Mapping[str, type[Rule]], loss: str, explanation: str) -> str:
    links = ", ".join(f"[{code}](rules/{code}.md) {rules[code].name}" for code in codes)
    return f"| {what} | {links or 'none'} | {loss} | {explanation} |"
