"""The reports for the runners of GitHub, GitLab and all that read JUnit's XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import polars as pl
from polars import DataFrame, col

from groundlint.report.listing import repository_path, sentence, with_unique_fingerprints, worst_first
from groundlint.report.report import Report
from groundlint.sanitize import at_line_start, plain_json, visible

MAX_ANNOTATIONS = 10
"""Annotations of a severity that GitHub shows of a step; it drops others without a word."""

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_GITLAB = {"error": "major", "warning": "minor", "info": "info"}


def github(report: Report) -> str:
    """The worst findings as commands that annotate a pull request, and how many are left out."""
    shown = worst_first(report.findings).filter(pl.int_range(pl.len()).over("severity") < MAX_ANNOTATIONS)
    lines = list(_annotations(shown, report.folder))
    total = report.findings.height
    lines.append(f"groundlint: {shown.height:,} of {total:,} findings annotated, {total - shown.height:,} left out")
    return "".join(f"{line}\n" for line in lines)


def gitlab(report: Report) -> str:
    """All findings as Code Quality, in order."""
    findings = with_unique_fingerprints(report.findings)
    paths = _paths(findings, report.folder)
    columns = ("code", "name", "severity", "aws", "message", "manifest", "line", "fingerprint")
    issues = [
        {
            "description": f"{code} {sentence(name, aws, message)}",
            "check_name": name,
            "fingerprint": fingerprint,
            "severity": _GITLAB[severity],
            "location": {"path": paths[manifest], "lines": {"begin": line or 1}},
        }
        for code, name, severity, aws, message, manifest, line, fingerprint in findings.select(columns).iter_rows()
    ]
    return plain_json(json.dumps(issues)) + "\n"


def junit(report: Report) -> str:
    """A suite for each manifest, a case for each finding: errors and warnings fail, the output tells of the rest."""
    root = Element("testsuites")
    for n, findings in enumerate(report.findings.partition_by("manifest", maintain_order=True)):
        _suite(SubElement(root, "testsuite"), n, findings)
    indent(root, " ")
    # In ASCII an encoding that a reader might take for granted does not matter.
    text: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode() + "\n"


def _paths(findings: DataFrame, folder: str) -> dict[str, str]:
    return {name: repository_path(name, folder) for name in findings["manifest"].unique()}


def _annotations(findings: DataFrame, folder: str) -> Iterator[str]:
    paths = _paths(findings, folder)
    columns = ("code", "name", "severity", "aws", "message", "manifest", "line")
    for code, name, severity, aws, message, manifest, line in findings.select(columns).iter_rows():
        file = _property(visible(paths[manifest], limit=None))
        title = _property(f"{code} {name}")
        text = _data(sentence(name, aws, message))
        yield f"::{_COMMANDS[severity]} file={file},line={line or 1},title={title}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _suite(suite: Element, n: int, findings: DataFrame) -> None:
    manifest = at_line_start(visible(findings["manifest"][0], limit=None))
    name = manifest if manifest.strip() else f"./{manifest}"
    is_failure = col("severity") != "info"
    # The schema wants times and a host; without them equal runs have equal reports.
    suite.attrib = {
        "name": name,
        "package": "groundlint",
        "id": str(n),
        "tests": str(findings.height),
        "failures": str(findings.select(is_failure.sum()).item()),
        "errors": "0",
        "time": "0",
        "timestamp": "1970-01-01T00:00:00",
        "hostname": "localhost",
    }
    SubElement(suite, "properties")
    output = []
    cases: Counter[tuple[str, str]] = Counter()
    columns = ("code", "name", "severity", "aws", "message", "line", "attribute", "box", "label")
    for code, rule, severity, aws, message, line, attribute, box, label in findings.select(columns).iter_rows():
        # GitLab takes cases of equal names for one. What they are about tells them apart, so that a name stays when
        # others go; a number only what is about the same.
        about = [visible(part) for part in (attribute, label if box is None else None) if part]
        place = ":".join(map(str, [name, line or 1, *about, *([] if box is None else [box])]))
        cases[place, code] += 1
        number = f" ({cases[place, code]})" if cases[place, code] > 1 else ""
        case = {"name": f"groundlint.{code}{number}", "classname": place, "time": "0"}
        element = SubElement(suite, "testcase", case)
        text = sentence(rule, aws, message)
        full = f"{name}:{line or 1}: {code} {text}"
        if severity == "info":
            output.append(full)
        else:
            SubElement(element, "failure", {"message": text, "type": severity}).text = full
    SubElement(suite, "system-out").text = "\n".join(output)
    SubElement(suite, "system-err")
