"""The report for GitLab: Code Quality."""

from __future__ import annotations

import json
from collections.abc import Iterator

from groundlint.report.listing import AT_ONCE, repository_path, sentence, with_images, with_unique_fingerprints
from groundlint.report.report import Report
from groundlint.sanitize import plain_json

_SEVERITIES = {"error": "major", "warning": "minor", "info": "info"}


def render(report: Report) -> Iterator[str]:
    """All findings, in order."""
    findings = with_images(with_unique_fingerprints(report.findings))
    paths = {name: repository_path(name, report.folder) for name in findings["manifest"].unique()}
    columns = ("code", "name", "severity", "aws", "message", "shown_image", "manifest", "line", "fingerprint")
    yield "["
    for n, part in enumerate(findings.select(columns).iter_slices(AT_ONCE)):
        issues = [
            {
                "description": f"{code} {name}: {sentence(name, aws, message, image)}",
                "check_name": name,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[severity],
                "location": {"path": paths[manifest], "lines": {"begin": line or 1}},
            }
            for code, name, severity, aws, message, image, manifest, line, fingerprint in part.iter_rows()
        ]
        listed = json.dumps(issues).removeprefix("[").removesuffix("]")
        yield plain_json(f", {listed}" if n else listed)
    yield "]\n"
