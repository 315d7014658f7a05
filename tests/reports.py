"""Reports for tests of formats, and what may not occur in them."""

from __future__ import annotations

import re

from findings import LISTED, finding, on_manifest, report

from groundlint import Rule, Severity
from groundlint.report import FORMATS
from groundlint.report.report import Report

# The commands that GitHub's runner would take from a line, and those that we mean.
COMMAND = re.compile(r"^\s*::|##\w*\[")
OURS = re.compile(r"::(error|warning|notice) file=([^:,\n]+),line=([1-9][0-9]*),title=([^:,\n]+)::(\S.*)")


class Outside(Rule):
    """A box leaves the frame
    of its image.

    ## Why it matters
    The service drops it.
    """

    code = "BOX101"
    name = "box-outside-image"
    severity = Severity.ERROR
    precision = 0.95
    message = "box {box} leaves the image"


def rendered(form: str, of: Report) -> str:
    """A report in a format, all its parts together."""
    return "".join(FORMATS[form](of))


def hostile(texts: list[str]) -> Report:
    """Each text as message, label, attribute, source-ref, image, service code, related place and manifest."""
    rows = []
    for n, text in enumerate(texts):
        severity = ("error", "warning", "info")[n % 3]
        place = {"manifest": text or "x", "line": None, "attribute": text, "box": None, "source_ref": text}
        rows.append(
            finding(
                code=f"BOX{n:03}",
                severity=severity,
                message=f"label {text} of {text}",
                attribute=text,
                label=text,
                source_ref=text,
                image=text if n % 2 else None,
                aws=text,
                pointer=text,
                related=[place],
            )
        )
        whole = {"message": text, "manifest": text or "x", "line": None, "source_ref": None}
        rows.append(finding(code=f"DUP{n:03}", severity=severity, **whole))
    return report(*rows, presentation=LISTED)


def many() -> Report:
    """More findings than any limit; the most serious ones and those of rare rules are at the end."""
    rows = [finding(severity="info", code="BOX300", line=n + 1) for n in range(4000)]
    rows += [finding(severity="warning", code="BOX200", line=n + 1, score=n / 2000) for n in range(2000)]
    rows += [finding(severity="info", code="BOX400"), finding(severity="info", code="BOX500")]
    rows += [finding(severity="error", code="BOX100", precision=0.9, line=n + 1) for n in range(20)]
    rows += [finding(severity="error", code="MAN100", line=None, box=None, loses="training")]
    return report(*rows)


MIXED = report(
    finding(line=3, message="100% wrong: a, b", image="images/1.jpg"),
    finding(severity="warning", line=None, code="DUP101", name="exact-duplicate", aws="ERROR_X", url=None),
    on_manifest(severity="info", manifest="b c/ä:1.manifest", code="LBL201", name="label-few-images", message="few"),
    rules={"BOX101": Outside},
)
