"""The report for code scanning: SARIF 2.1.0 within the limits of GitHub."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import polars as pl
from polars import DataFrame

from groundlint.engine.findings import worst_first
from groundlint.engine.rule import Rule
from groundlint.report.listing import repository_path, sentence, with_images, with_unique_fingerprints
from groundlint.report.report import Report
from groundlint.sanitize import plain_json, visible

MAX_RESULTS = 5000
"""Results of a run that GitHub keeps; it does not document which ones if there are more."""

_MAX_RELATED = 100
_MAX_DESCRIPTION = 1024
_ROOT = "%SRCROOT%"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEMS = {"error": "error", "warning": "warning", "info": "recommendation"}
_PRECISIONS = ((0.9, "very-high"), (2 / 3, "high"), (1 / 3, "medium"), (0, "low"))


def render(report: Report) -> Iterator[str]:
    """The worst findings, at least one of each rule, and how many are left out."""
    findings = worst_first(with_images(with_unique_fingerprints(report.findings)))
    shown = _shown(findings)
    first = shown.unique("code", keep="first", maintain_order=True).sort("code")
    index = {code: n for n, code in enumerate(first["code"])}
    rows = first.select("code", "name", "severity", "url").iter_rows()
    run = {
        "tool": {
            "driver": {
                "name": "groundlint",
                "version": report.version,
                "rules": [_descriptor(report.rules.get(row[0]), *row) for row in rows],
            }
        },
        "invocations": [_invocation(report, findings.height - shown.height)],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The working directory of the run."}}},
        "columnKind": "unicodeCodePoints",
        "results": list(_results(shown, index, report.folder)),
    }
    value = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    yield plain_json(json.dumps(value)) + "\n"


def _shown(findings: DataFrame) -> DataFrame:
    """The first findings, the first of each rule among them."""
    nth_of_rule = pl.int_range(pl.len()).over("code")
    numbered = findings.with_row_index("n").sort(nth_of_rule > 0, maintain_order=True)
    return numbered.head(MAX_RESULTS).sort("n").drop("n")


def _invocation(report: Report, left_out: int) -> dict[str, Any]:
    notes = [
        {"level": "note", "message": {"text": visible(note.message) or note.kind}} for note in report.summary.notes
    ]
    if left_out:
        text = f"{left_out:,} findings are left out: code scanning takes {MAX_RESULTS:,}, the worst are kept"
        notes.append({"level": "warning", "message": {"text": text}})
    invocation: dict[str, Any] = {"executionSuccessful": report.is_whole}
    return invocation | ({"toolExecutionNotifications": notes} if notes else {})


def _descriptor(rule: type[Rule] | None, code: str, name: str, severity: str, url: str | None) -> dict[str, Any]:
    explanation = (inspect.getdoc(rule) if rule else None) or name
    description = explanation.partition("\n\n")[0].replace("\n", " ")[:_MAX_DESCRIPTION]
    default = rule.severity.value if rule else severity
    properties = {"problem.severity": _PROBLEMS[default]}
    if rule and rule.precision is not None:
        share = rule.precision
        properties["precision"] = next(word for least, word in _PRECISIONS if share >= least)
    described = {
        "id": code,
        "name": name,
        "shortDescription": {"text": description},
        "fullDescription": {"text": description},
        "help": {"text": explanation, "markdown": explanation},
        "defaultConfiguration": {"level": _LEVELS[default]},
        "properties": properties,
    }
    return described | ({"helpUri": url} if url else {})


_COLUMNS = (
    *("code", "name", "severity", "aws", "message", "shown_image", "manifest", "line", "fingerprint", "related"),
    *("pointer", "attribute", "box"),
)


def _results(findings: DataFrame, index: dict[str, int], folder: str) -> Iterator[dict[str, Any]]:
    for row in findings.select(_COLUMNS).iter_rows():
        code, name, severity, aws, message, image, manifest, line, fingerprint, related, *part = row
        places = [place for place in related[:_MAX_RELATED] if place["manifest"] is not None]
        location: dict[str, Any] = {"physicalLocation": _location(manifest, line, folder)}
        if pointer := _pointer(*part):
            location["logicalLocations"] = [{"fullyQualifiedName": visible(pointer, limit=None), "kind": "member"}]
        result = {
            "ruleId": code,
            "ruleIndex": index[code],
            "level": _LEVELS[severity],
            "message": {"text": _without_links(f"{name}: {sentence(name, aws, message, image)}")},
            "locations": [location],
            "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        }
        if places:
            result["relatedLocations"] = [_related(n, place, folder) for n, place in enumerate(places)]
        yield result


def _pointer(pointer: str | None, attribute: str | None, box: int | None) -> str | None:
    """JSON pointer into the line: of the fault, else of the box or attribute."""
    if pointer or attribute is None:
        return pointer
    key = attribute.replace("~", "~0").replace("/", "~1")
    return f"/{key}" if box is None else f"/{key}/annotations/{box}"


def _related(n: int, place: dict[str, Any], folder: str) -> dict[str, Any]:
    text = _without_links(visible(place["source_ref"] or place["manifest"])) or "-"
    location = _location(place["manifest"], place["line"], folder)
    return {"id": n, "physicalLocation": location, "message": {"text": text}}


def _location(manifest: str, line: int | None, folder: str) -> dict[str, Any]:
    # GitHub requires columns, which a finding on a line does not have.
    return {
        "artifactLocation": {"uri": quote(repository_path(manifest, folder)), "uriBaseId": _ROOT},
        "region": {"startLine": line or 1, "startColumn": 1, "endLine": line or 1, "endColumn": 2},
    }


def _without_links(text: str) -> str:
    # `[text](address)` in the message of a result is a link.
    return text.replace("](", "] (")
