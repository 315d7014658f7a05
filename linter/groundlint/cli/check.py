"""`groundlint check`: check manifests, and report."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint.cli import timings
from groundlint.cli.fixes import Fixing, carry_out
from groundlint.cli.options import (
    BaselineFile,
    Data,
    Destinations,
    Images,
    Models,
    Paths,
    Quiet,
    Rules,
    Run,
    baseline_file,
    configure,
    destination,
    destinations,
    load,
    one_of,
    requested,
    spread,
)
from groundlint.cli.output import (
    BROKEN,
    FAILED,
    list_files,
    print_parts,
    progress,
    reported,
    say,
    say_faults,
    write,
    write_parts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from groundlint.config.settings import Settings
    from groundlint.engine.registry import Registry
    from groundlint.outcomes import Outcome
    from groundlint.report.report import Presentation, Report

_LOADING = "loading configuration and rules"


@dataclass(frozen=True)
class Verdict:
    """When the run fails."""

    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="Lowest severity that fails the run: error (default), warning, info or none."
        ),
    ] = None
    max_warnings: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Number of warnings above which the run fails.")
    ] = None
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 even if there are findings.")] = False
    baseline: BaselineFile = None
    strict_baseline: Annotated[
        bool, typer.Option("--strict-baseline", help="Fail if the baseline has entries that are no longer found.")
    ] = False


@dataclass(frozen=True)
class Reporting:
    """What is reported, and how."""

    output: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT[:FILE]",
            help="Report to write; may be repeated. Formats: text, concise, json, jsonl, csv, sarif, github, gitlab, "
            "junit, markdown, html.",
        ),
    ] = None
    min_severity: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="Lowest severity of findings to report: error, warning or info; text then lists infos.",
        ),
    ] = None
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="Rows of the text report per rule and manifest; 0 lists all.")
    ] = 5
    show_suppressed: Annotated[
        bool, typer.Option("--show-suppressed", help="Show suppressed and baselined findings, and why they are.")
    ] = False
    statistics: Annotated[bool, typer.Option("--statistics", help="Show the number of findings by rule.")] = False
    summary_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the numbers that a gate reads, as JSON.")
    ] = None
    html_images: Annotated[
        int | None,
        typer.Option(
            "--html-images",
            min=0,
            metavar="N",
            help="Images in the html report: 600 if not given, in a file of at most 10 MB.",
        ),
    ] = None
    color: Annotated[str, typer.Option(metavar="WHEN", help="auto, always or never.")] = "auto"
    quiet: Quiet = False
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="Say which configuration is used, show tracebacks, and end with the seconds of all stages and of the "
            "slowest rules, derived tables and features, on standard error.",
        ),
    ] = False


@spread
def check(
    data: Data,
    images: Images,
    models: Models,
    rules: Rules,
    verdict: Verdict,
    reporting: Reporting,
    fixing: Fixing,
    run: Run,
    paths: Paths = None,
) -> None:
    """Check manifests and images: exit 0 if nothing is wrong, 1 if something is, 2 if not all could be checked."""
    from groundlint.engine.timings import Stopwatch

    stopwatch = Stopwatch()
    with stopwatch.timing("stage", "importing packages"):
        # The tables' package and what judges them take longer than a small check.
        from groundlint.engine.rule import Severity
        from groundlint.policy import baseline as baselines
        from groundlint.reporting import report_of
        from groundlint.session import Session

    outputs = _outputs(reporting, images)
    with reported():
        with stopwatch.timing("stage", _LOADING):
            settings = configure(run, data, rules, fail_on=verdict.fail_on)
            request = requested(paths, settings, data, images, models, run)
        if reporting.verbose:
            say(f"configuration: {settings.path or 'none'}")
        if run.show_files:
            list_files(settings, request)
            return
        with stopwatch.timing("stage", _LOADING):
            registry, selection = load(
                settings, isolated=run.isolated, fast=rules.fast, requires_images=images.require_images
            )
            file = baseline_file(verdict.baseline, settings, isolated=run.isolated)
            known = baselines.load(file) if file else None
        with progress(wanted=not (run.no_progress or reporting.quiet)) as on_progress:

            def judge(contents: Mapping[str, bytes]) -> Outcome:
                asked = replace(request, contents=contents)
                session = Session(registry, settings, asked, on_progress=on_progress, stopwatch=stopwatch)
                describes = any(form == "html" for form, _ in outputs)
                return session.check(selection, baseline=known, describes=describes)

            fixed = fixing.fixed(judge, settings, request)
            outcome = fixing.reported(fixed) if fixed else judge({})
    is_whole = not outcome.raised and not outcome.unread
    passed = _passes(outcome, settings.settings, verdict)
    say_faults(outcome, verbose=reporting.verbose)
    if fixed:
        carry_out(fixing, fixed, is_whole=is_whole, quiet=reporting.quiet)
    _say_remarks(outcome, file, quiet=reporting.quiet)
    with stopwatch.timing("stage", "writing reports"):
        look = _presentation(reporting, registry, settings.settings, unsafe_fixes=fixing.unsafe_fixes)
        report = report_of(outcome, registry, settings.settings, look, Severity(reporting.min_severity or "info"))
        report = replace(report, is_whole=is_whole, baseline=str(file) if file else None, root=settings.root)
        if fixing.reports_rest:
            report = _with_images(report, outcome, reporting, run)
            is_whole = _deliver(report, outputs, on_stderr=fixing.prints_manifest(fixed)) and is_whole
        if reporting.summary_file:
            write(destination(reporting.summary_file, images), _summary(outcome, passed=passed and is_whole))
    if reporting.verbose:
        names = {code: rule.name for code, rule in registry.rules.items()}
        for line in timings.table({**stopwatch.seconds, **outcome.seconds}, names):
            say(line)
    if not is_whole:
        raise typer.Exit(BROKEN)
    if not fixing.passes(fixed, passed=passed) and not verdict.exit_zero:
        raise typer.Exit(FAILED)


def _with_images(report: Report, outcome: Outcome, reporting: Reporting, run: Run) -> Report:
    """The report with the images that its page shows, if there is a page."""
    from groundlint.reporting import illustrated

    if not outcome.described:
        return report
    with progress(wanted=not (run.no_progress or reporting.quiet)) as on_progress:
        return illustrated(report, outcome.described, reporting.html_images, on_progress)


def _outputs(reporting: Reporting, images: Images) -> Destinations:
    """Where reports go; before anything is read, the summary file says that the run did not pass."""
    from groundlint.report import FORMATS, gate

    if reporting.summary_file:
        # A gate that reads this file stays shut until the run has ended well.
        write(destination(reporting.summary_file, images), gate.render(passed=False, counts={}, rules={}, images={}))
    outputs = destinations(reporting.output or [], tuple(FORMATS), images)
    if reporting.min_severity is not None:
        one_of("--min-severity", reporting.min_severity, ("error", "warning", "info"))
    one_of("--color", reporting.color, ("auto", "always", "never"))
    return outputs


def _say_remarks(outcome: Outcome, baseline: Path | None, *, quiet: bool) -> None:
    """Say what limited the check, and which entries of the baseline are no longer found."""
    if not quiet:
        for note in outcome.summary.notes:
            say(f"note: {note.message}")
    if outcome.stale:
        count = len(outcome.stale)
        are = "entries are" if count > 1 else "entry is"
        say(f"{baseline}: {count:,} {are} no longer found; `groundlint baseline prune` removes fixed findings")


def _passes(outcome: Outcome, settings: Settings, verdict: Verdict) -> bool:
    from groundlint.engine.rule import Severity
    from groundlint.policy.severity import Gate

    fail_on = None if settings.fail_on == "none" else Severity(settings.fail_on)
    gate = Gate(fail_on, verdict.max_warnings, refuses_stale=verdict.strict_baseline)
    return gate.passes(outcome.summary.counts.model_dump(), stale=len(outcome.stale))


def _presentation(reporting: Reporting, registry: Registry, settings: Settings, *, unsafe_fixes: bool) -> Presentation:
    from groundlint.report.report import Presentation

    environment = os.environ
    if reporting.color == "auto":
        color = bool(environment.get("FORCE_COLOR")) or (sys.stdout.isatty() and not environment.get("NO_COLOR"))
    else:
        color = reporting.color == "always"
    named = {selector.lower() for selector in (*settings.select, *settings.extend_select)}
    return Presentation(
        limit=reporting.limit,
        lists_infos=reporting.min_severity == "info",
        listed=frozenset(code for code, rule in registry.rules.items() if named & {code.lower(), rule.name.lower()}),
        show_suppressed=reporting.show_suppressed,
        statistics=reporting.statistics,
        quiet=reporting.quiet,
        unsafe_fixes=unsafe_fixes,
        color=color,
        width=shutil.get_terminal_size((100, 24)).columns,
    )


def _summary(outcome: Outcome, *, passed: bool) -> str:
    """The numbers of a run, for gates."""
    from groundlint.report import gate

    found = dict(outcome.findings.group_by("code").len().iter_rows())
    of_rules = {code: found.get(code, 0) for code in outcome.rules}
    numbers = outcome.summary.model_dump()
    return gate.render(passed=passed, counts=numbers["counts"], rules=of_rules, images=numbers["images"])


def _deliver(report: Report, outputs: Destinations, *, on_stderr: bool) -> bool:
    """Print and write the report in all formats that are asked for; whether all of them could be.

    Args:
        report: The report.
        outputs: The formats.
        on_stderr: Whether to print on standard error, because standard output has a fixed manifest.
    """
    from groundlint.report import FORMATS, sarif

    is_whole = True
    plain = replace(report, presentation=replace(report.presentation, color=False))
    for form, path in outputs:
        try:
            if path:
                write_parts(path, FORMATS[form](plain))
            else:
                print_parts(FORMATS[form](report), on_stderr=on_stderr)
        except typer.Exit:
            # The reason was reported; the other reports may be for other readers.
            is_whole = False
    left_out = len(report.findings) - sarif.MAX_RESULTS
    if left_out > 0 and any(form == "sarif" for form, _ in outputs):
        say(f"note: the sarif report leaves out {left_out:,} findings: code scanning takes {sarif.MAX_RESULTS:,}")
    return is_whole
