"""`groundlint check`: judge manifests, and report."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint import __version__
from groundlint.cli.options import (
    Baseline,
    CacheDir,
    ConfigFile,
    Embeddings,
    Exclude,
    Extend,
    ExtendIgnore,
    Ignore,
    Images,
    Isolated,
    Jobs,
    NoCache,
    NoProgress,
    Paths,
    PredProbs,
    Quiet,
    RequireImages,
    Select,
    Split,
    StdinName,
    Target,
    Version,
    baseline_file,
    configure,
    load,
    measuring,
    requested,
)
from groundlint.cli.output import BROKEN, FAILED, fail, print_text, progress, reported, say, tell_of_failures, write

if TYPE_CHECKING:
    from groundlint.report.report import Report
    from groundlint.session import Outcome


def check(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: Extend = None,
    extend_ignore: ExtendIgnore = None,
    fail_on: Annotated[str | None, typer.Option(help="error (default), warning, info or none: never.")] = None,
    max_warnings: Annotated[int | None, typer.Option(min=0, help="More warnings than these fail the run.")] = None,
    min_severity: Annotated[str, typer.Option(help="Show only findings of this severity and above.")] = "info",
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever is found.")] = False,
    show_suppressed: Annotated[
        bool, typer.Option("--show-suppressed", help="Show what [[ignore]] and the baseline leave out, and why.")
    ] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Show counts by rule.")] = False,
    target: Target = None,
    train: Split = None,
    test: Split = None,
    reference: Split = None,
    images: Images = None,
    require_images: RequireImages = False,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    cache_dir: CacheDir = None,
    embeddings: Embeddings = None,
    pred_probs: PredProbs = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT[:FILE]",
            help="Report to write, several times: text, json, jsonl, sarif, github, gitlab, junit, markdown.",
        ),
    ] = None,
    summary_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Numbers for a gate, as JSON.")] = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    baseline: Baseline = None,
    strict_baseline: Annotated[
        bool, typer.Option("--strict-baseline", help="Fail if the baseline has entries that are no longer found.")
    ] = False,
    exclude: Exclude = None,
    show_files: Annotated[bool, typer.Option("--show-files", help="Only list the manifests.")] = False,
    stdin_filename: StdinName = "-",
    color: Annotated[str, typer.Option(help="auto, always or never.")] = "auto",
    no_progress: NoProgress = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say which configuration is used, and where a rule failed.")
    ] = False,
    _version: Version = False,
) -> None:
    """Report what would spoil a training: exit 0 if nothing, 1 if something, 2 if not all could be judged."""
    from groundlint.report import gate

    if summary_file:
        # A gate that reads this file stays shut until the run has ended well.
        write(summary_file, gate.render(passed=False, counts={}, rules={}, images={}))
    outputs = _outputs(output or [])
    _one_of("--min-severity", min_severity, ("error", "warning", "info"))
    _one_of("--color", color, ("auto", "always", "never"))
    from groundlint.config.data_sets import data_sets
    from groundlint.engine.rule import Severity
    from groundlint.policy import baseline as baselines
    from groundlint.policy import policy
    from groundlint.report.report import Report
    from groundlint.sanitize import at_line_start, visible
    from groundlint.session import run

    with reported():
        settings = configure(
            config,
            isolated,
            target=target,
            select=select,
            ignore=ignore,
            extend_select=extend_select,
            extend_ignore=extend_ignore,
            fail_on=fail_on,
            exclude=exclude,
        )
        how = measuring(settings, images, jobs, no_cache, cache_dir, embeddings, pred_probs)
        request = requested(paths, train, test, reference, stdin_filename, **how)
        if verbose:
            say(f"configuration: {settings.path or 'none'}")
        if show_files:
            names = sorted({name for data_set in data_sets(settings, request) for name in data_set.named})
            print_text("".join(f"{at_line_start(visible(name, limit=None))}\n" for name in names))
            return
        registry, selection = load(settings, isolated=isolated)
        file = baseline_file(baseline, settings, isolated=isolated)
        known = baselines.load(file) if file else None
        with progress(wanted=not (no_progress or quiet)) as tell:
            outcome = run(registry, selection, settings, request, baseline=known, tell=tell)
    level = settings.settings.fail_on
    limits = policy.Gate(None if level == "none" else Severity(level), max_warnings, refuses_stale=strict_baseline)
    is_blind = require_images and bool(outcome.blind)
    is_whole = not outcome.raised and not outcome.unread and not is_blind
    passed = limits.passes(outcome.summary["counts"], stale=len(outcome.stale))
    report = Report(
        version=__version__,
        target=outcome.target,
        summary=outcome.summary,
        findings=policy.shown(outcome.findings, Severity(min_severity)),
        hidden=outcome.hidden if show_suppressed else outcome.hidden.clear(),
        explanations={code: inspect.getdoc(registry.rules[code]) or "" for code in outcome.rules},
        summed_up=frozenset(code for code in outcome.rules if registry.rules[code].is_summed_up),
        is_whole=is_whole,
        statistics=statistics,
        quiet=quiet,
        folder=str(Path.cwd()),
    )
    tell_of_failures(outcome, verbose=verbose)
    # Who asks for no rule on images and names no folder of them does not miss them.
    is_missed = bool(outcome.blind and (outcome.summary["skipped_rules"] or images or settings.settings.images))
    if is_blind or (is_missed and not quiet):
        say(f"{'error' if is_blind else 'note'}: {outcome.tried}")
    for note in outcome.notes if not quiet else ():
        say(f"note: {note}")
    if outcome.stale:
        are = "entries are" if len(outcome.stale) > 1 else "entry is"
        say(f"{file}: {len(outcome.stale):,} {are} no longer found; `groundlint baseline prune` removes what is mended")
    is_whole = _deliver(report, outputs, color) and is_whole
    if summary_file:
        write(summary_file, _summary(outcome, passed=passed and is_whole))
    if not is_whole:
        raise typer.Exit(BROKEN)
    if not passed and not exit_zero:
        raise typer.Exit(FAILED)


def _summary(outcome: Outcome, *, passed: bool) -> str:
    """The numbers of a run, for gates."""
    from groundlint.report import gate

    found = dict(outcome.findings.group_by("code").len().iter_rows())
    of_rules = {code: found.get(code, 0) for code in outcome.rules}
    numbers = outcome.summary
    return gate.render(passed=passed, counts=numbers["counts"], rules=of_rules, images=numbers["images"])


def _deliver(report: Report, outputs: list[tuple[str, Path | None]], color: str) -> bool:
    """Print and write the report in all forms that are asked for; whether all could be."""
    from groundlint.report import FORMATS, sarif

    is_whole = True
    if all(path for _, path in outputs):
        outputs = [("text", None), *outputs]
    for form, path in outputs:
        try:
            if path:
                write(path, FORMATS[form](report))
            else:
                print_text(FORMATS[form](_colored(report, color)))
        except typer.Exit:
            # Why it cannot be written was said; the other reports are for others.
            is_whole = False
    left_out = len(report.findings) - sarif.MAX_RESULTS
    if left_out > 0 and any(form == "sarif" for form, _ in outputs):
        say(f"the sarif report leaves out {left_out:,} findings: code scanning takes {sarif.MAX_RESULTS:,}")
    return is_whole


def _outputs(values: list[str]) -> list[tuple[str, Path | None]]:
    from groundlint.report import FORMATS

    outputs = []
    for value in values:
        form, _, file = value.partition(":")
        _one_of("--output", form, tuple(FORMATS))
        outputs.append((form, Path(file) if file else None))
    return outputs


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        fail(f"{option}: {value!r} is none of {', '.join(known)}")


def _colored(report: Report, color: str) -> Report:
    from dataclasses import replace

    environment = os.environ
    if color == "auto":
        wanted = bool(environment.get("FORCE_COLOR")) or (sys.stdout.isatty() and not environment.get("NO_COLOR"))
    else:
        wanted = color == "always"
    return replace(report, color=wanted)
