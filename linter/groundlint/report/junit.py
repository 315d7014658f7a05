"""The report for programs that read JUnit's XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from polars import DataFrame, col

from groundlint.report.listing import AT_ONCE, LINE_COLUMNS, header_path, line, sentence, with_images
from groundlint.report.report import Report
from groundlint.sanitize import visible

_CASE_COLUMNS = ("attribute", "box", "label")


def render(report: Report) -> Iterator[str]:
    """A suite for each manifest and a case for each finding. Those that fail the run are failures, others output."""
    # In ASCII the encoding that a reader assumes does not matter.
    yield "<?xml version='1.0' encoding='us-ascii'?>\n"
    suites = report.findings.partition_by("manifest", maintain_order=True)
    if not suites:
        yield "<testsuites />\n"
        return
    yield "<testsuites>\n"
    for n, findings in enumerate(suites):
        yield from _suite(n, with_images(findings), report.failing)
    yield "</testsuites>\n"


def _suite(n: int, findings: DataFrame, failing: Set[str]) -> Iterator[str]:
    name = header_path(findings["manifest"][0])
    # The schema requires times and a host; without real ones equal runs have equal reports.
    suite = Element(
        "testsuite",
        {
            "name": name,
            "package": "groundlint",
            "id": str(n),
            "tests": str(findings.height),
            "failures": str(findings.filter(col("severity").is_in(list(failing))).height),
            "errors": "0",
            "time": "0",
            "timestamp": "1970-01-01T00:00:00",
            "hostname": "localhost",
        },
    )
    yield f" {_markup(suite).removesuffix(' />')}>\n  <properties />\n"
    cases: Counter[tuple[str, str]] = Counter()
    for part in findings.select(*LINE_COLUMNS, *_CASE_COLUMNS).iter_slices(AT_ONCE):
        yield "".join(f"  {_markup(case)}\n" for case in _cases(part, name, failing, cases))
    yield from _output(findings.filter(~col("severity").is_in(list(failing))))
    yield "  <system-err />\n </testsuite>\n"


def _cases(findings: DataFrame, name: str, failing: Set[str], cases: Counter[tuple[str, str]]) -> Iterator[Element]:
    """The cases of findings; `cases` counts those of each place and code so far."""
    for *row, attribute, box, label in findings.iter_rows():
        _, number, severity, code, rule, aws, message, image = row
        # GitLab merges cases of equal names. They are distinguished by what they are about, so that a name stays when
        # other findings go; only cases about the same thing get a number.
        about = [visible(part) for part in (attribute, label if box is None else None) if part]
        place = ":".join(map(str, [name, number or 1, *about, *([] if box is None else [box])]))
        cases[place, code] += 1
        nth = f" ({cases[place, code]})" if cases[place, code] > 1 else ""
        case = Element("testcase", {"name": f"{code} {rule}{nth}", "classname": place, "time": "0"})
        if severity in failing:
            text = f"{code} {rule}: {sentence(rule, aws, message, image)}"
            SubElement(case, "failure", {"message": text, "type": severity}).text = line(*row)
            indent(case, " ", level=2)
        yield case


def _output(findings: DataFrame) -> Iterator[str]:
    """What is printed by the cases that do not fail."""
    if findings.is_empty():
        yield "  <system-out />\n"
        return
    yield "  <system-out>"
    for n, part in enumerate(findings.select(LINE_COLUMNS).iter_slices(AT_ONCE)):
        text = Element("system-out")
        text.text = "\n" * (n > 0) + "\n".join(line(*row) for row in part.iter_rows())
        yield _markup(text).removeprefix("<system-out>").removesuffix("</system-out>")
    yield "</system-out>\n"


def _markup(element: Element) -> str:
    text: bytes = tostring(element, encoding="us-ascii", xml_declaration=False)
    return text.decode()
