"""`groundlint review`: write the images of selected findings as input of a labeling or verification job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint.cli.options import Isolated, Quiet, one_of, separated
from groundlint.cli.output import fail, print_lines, replacing, reported, say

if TYPE_CHECKING:
    from groundlint.review import LabelAttribute, Review

_MAX_ATTRIBUTES = 10
"""Label attributes that are printed: the most frequent ones."""


def review(
    report: Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report of `check --output json:FILE`.")],
    to: Annotated[Path, typer.Option(metavar="FILE.manifest", help="Manifest to write.")],
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Rules: codes, prefixes, names, service codes, or ALL (default)."),
    ] = None,
    min_severity: Annotated[
        str, typer.Option(metavar="LEVEL", help="Lowest severity of findings: error, warning or info.")
    ] = "info",
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="SCORE", help="Lowest score of findings, from 0 to 1; leaves out those without one."
        ),
    ] = None,
    isolated: Isolated = False,
    quiet: Quiet = False,
) -> None:
    """Write the images of selected findings as a manifest, to be labeled again or verified."""
    one_of("--min-severity", min_severity, ("error", "warning", "info"))
    with reported():
        from groundlint import review as reviews
        from groundlint.engine import registry
        from groundlint.engine.rule import Severity
        from groundlint.manifest.physical_lines import read_bytes

        if to.exists() and report.exists() and to.samefile(report):
            fail(f"--to: {to} is the report; write to another file")
        known = reviews.read_report(read_bytes(report), str(report))
        codes = None
        if select:
            rules = registry.load(isolated=isolated)
            codes = {code for selector in separated(select) for code in rules.matching(selector)}
        selected = reviews.chosen(known.findings, codes=codes, min_severity=Severity(min_severity))
        findings = reviews.with_score(selected, min_score)

        def read_manifest(name: str) -> bytes:
            if not Path(name).exists():
                fail(
                    f"{name}: {report} is about this manifest, which does not exist here; run the command in the "
                    "folder in which the report was written (standard input cannot be reviewed)"
                )
            if to.exists() and to.samefile(name):
                fail(f"--to: {to} is a manifest that the report is about; write to another file")
            return read_bytes(Path(name))

        made = reviews.review(findings, read_manifest)
    if not quiet:
        unscored = sum(finding.score is None for finding in selected)
        if min_score is not None and unscored:
            say(f"note: {unscored:,} of {len(selected):,} selected findings have no score; --min-score leaves them out")
        for note in made.notes:
            say(f"note: {note}")
    with replacing(to) as temporary:
        temporary.write_bytes(made.manifest)
    if not quiet:
        print_lines(_summary(made, to))


def _summary(made: Review, to: Path) -> Iterator[str]:
    """What was written, and what to name in the settings of the job."""
    from groundlint.phrases import number_of
    from groundlint.sanitize import at_line_start, visible

    file = at_line_start(visible(str(to), limit=None))
    yield f"{file}: {number_of(made.images, 'image')} of {number_of(made.findings, 'finding')}"
    if not made.images:
        yield "there is nothing to label again"
        return
    yield "label attribute to name in the job:" if len(made.attributes) == 1 else "label attributes to name in the job:"
    for attribute in made.attributes[:_MAX_ATTRIBUTES]:
        lines = f"{attribute.lines:,} of {number_of(made.images, 'line')}"
        yield f"  {visible(repr(attribute.name))} on {lines}: {_job(attribute)}"
    if len(made.attributes) > _MAX_ATTRIBUTES:
        yield f"  and {number_of(len(made.attributes) - _MAX_ATTRIBUTES, 'attribute')} on fewer lines"


def _job(attribute: LabelAttribute) -> str:
    """The job that takes a label attribute."""
    if attribute.is_adjustable:
        return "an adjustment or verification job takes it as the existing labels"
    return "a new labeling job with another attribute name labels the images again"
