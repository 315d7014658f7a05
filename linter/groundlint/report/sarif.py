"""The report for code scanning: SARIF 2.1.0 within the limits of GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import polars as pl
from polars import DataFrame

from groundlint.report.listing import repository_path, sentence, with_unique_fingerprints, worst_first
from groundlint.report.report import Report
from groundlint.sanitize import plain_json, visible

MAX_RESULTS = 5000
"""Results that GitHub keeps of a run; which ones, if there are more, it does not say reliably."""

_MAX_RELATED = 100
_MAX_DESCRIPTION = 1024
_ROOT = "%SRCROOT%"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_PROBLEMS = {"error": "error", "warning": "warning", "info": "recommendation"}


def render(report: Report) -> str:
    """The worst findings, at least one of each rule, and how many are left out."""
    findings = worst_first(with_unique_fingerprints(report.findings))
    shown = _shown(findings)
    first = shown.unique("code", keep="first", maintain_order=True).sort("code")
    index = {code: n for n, code in enumerate(first["code"])}
    run = {
        "tool": {
            "driver": {
                "name": "groundlint",
                "version": report.version,
                "rules": [_rule(report, *row) for row in first.select("code", "name", "severity", "url").iter_rows()],
            }
        },
        "invocations": [_invocation(report, findings.height - shown.height)],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The working directory of the run."}}},
        "columnKind": "unicodeCodePoints",
        "results": list(_results(shown, index, report.folder)),
    }
    value = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return plain_json(json.dumps(value)) + "\n"


def _shown(findings: DataFrame) -> DataFrame:
    """The first findings, the first of each rule among them."""
    nth_of_rule = pl.int_range(pl.len()).over("code")
    numbered = findings.with_row_index("n").sort(nth_of_rule > 0, maintain_order=True)
    return numbered.head(MAX_RESULTS).sort("n").drop("n")


def _invocation(report: Report, left_out: int) -> dict[str, Any]:
    invocation: dict[str, Any] = {"executionSuccessful": report.is_whole}
    if left_out:
        text = f"{left_out:,} findings are left out: code scanning takes {MAX_RESULTS:,}, the worst are kept"
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return invocation


def _rule(report: Report, code: str, name: str, severity: str, url: str | None) -> dict[str, Any]:
    explanation = report.explanations.get(code) or name
    description = explanation.partition("\n\n")[0].replace("\n", " ")[:_MAX_DESCRIPTION]
    rule = {
        "id": code,
        "name": name,
        "shortDescription": {"text": description},
        "fullDescription": {"text": description},
        "help": {"text": explanation, "markdown": explanation},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"problem.severity": _PROBLEMS[severity]},
    }
    return rule | ({"helpUri": url} if url else {})


def _results(findings: DataFrame, index: dict[str, int], folder: str) -> Iterator[dict[str, Any]]:
    columns = ("code", "name", "severity", "aws", "message", "manifest", "line", "fingerprint", "related")
    rows = findings.select(columns).iter_rows()
    for code, name, severity, aws, message, manifest, line, fingerprint, related in rows:
        places = [place for place in related[:_MAX_RELATED] if place["manifest"] is not None]
        result = {
            "ruleId": code,
            "ruleIndex": index[code],
            "level": _LEVELS[severity],
            "message": {"text": _without_links(sentence(name, aws, message))},
            "locations": [{"physicalLocation": _location(manifest, line, folder)}],
            "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        }
        if places:
            result["relatedLocations"] = [_related(n, place, folder) for n, place in enumerate(places)]
        yield result


def _related(n: int, place: dict[str, Any], folder: str) -> dict[str, Any]:
    text = _without_links(visible(place["source_ref"] or place["manifest"])) or "-"
    location = _location(place["manifest"], place["line"], folder)
    return {"id": n, "physicalLocation": location, "message": {"text": text}}


def _location(manifest: str, line: int | None, folder: str) -> dict[str, Any]:
    # GitHub wants columns, which a finding on a line does not have.
    return {
        "artifactLocation": {"uri": quote(repository_path(manifest, folder)), "uriBaseId": _ROOT},
        "region": {"startLine": line or 1, "startColumn": 1, "endLine": line or 1, "endColumn": 2},
    }


def _without_links(text: str) -> str:
    # `[text](address)` in the message of a result is a link.
    return text.replace("](", "] (")
