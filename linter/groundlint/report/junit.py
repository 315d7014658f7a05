"""The report for programs that read JUnit's XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from polars import DataFrame, col

from groundlint.report.listing import LINE_COLUMNS, header_path, line, sentence, with_images
from groundlint.report.report import Report
from groundlint.sanitize import visible

_CASE_COLUMNS = ("attribute", "box", "label")


def render(report: Report) -> str:
    """A suite for each manifest and a case for each finding. Those that fail the run are failures, others output."""
    root = Element("testsuites")
    for n, findings in enumerate(report.findings.partition_by("manifest", maintain_order=True)):
        _suite(SubElement(root, "testsuite"), n, findings, report.failing)
    indent(root, " ")
    # In ASCII the encoding that a reader assumes does not matter.
    text: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode() + "\n"


def _suite(suite: Element, n: int, findings: DataFrame, failing: Set[str]) -> None:
    name = header_path(findings["manifest"][0])
    # The schema requires times and a host; without real ones equal runs have equal reports.
    suite.attrib = {
        "name": name,
        "package": "groundlint",
        "id": str(n),
        "tests": str(findings.height),
        "failures": str(findings.filter(col("severity").is_in(list(failing))).height),
        "errors": "0",
        "time": "0",
        "timestamp": "1970-01-01T00:00:00",
        "hostname": "localhost",
    }
    SubElement(suite, "properties")
    output = []
    cases: Counter[tuple[str, str]] = Counter()
    for *row, attribute, box, label in with_images(findings).select(*LINE_COLUMNS, *_CASE_COLUMNS).iter_rows():
        _, number, severity, code, rule, aws, message, image = row
        # GitLab merges cases of equal names. They are distinguished by what they are about, so that a name stays when
        # other findings go; only cases about the same thing get a number.
        about = [visible(part) for part in (attribute, label if box is None else None) if part]
        place = ":".join(map(str, [name, number or 1, *about, *([] if box is None else [box])]))
        cases[place, code] += 1
        nth = f" ({cases[place, code]})" if cases[place, code] > 1 else ""
        case = {"name": f"{code} {rule}{nth}", "classname": place, "time": "0"}
        element = SubElement(suite, "testcase", case)
        full = line(*row)
        if severity in failing:
            text = f"{code} {rule}: {sentence(rule, aws, message, image)}"
            SubElement(element, "failure", {"message": text, "type": severity}).text = full
        else:
            output.append(full)
    SubElement(suite, "system-out").text = "\n".join(output)
    SubElement(suite, "system-err")
