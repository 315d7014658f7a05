"""From a run to its report: the findings that are shown, and the images of a report with images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from groundlint import __version__
from groundlint.config.settings import Settings
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Severity
from groundlint.policy.severity import at_least, shown
from groundlint.report.report import Presentation, Report

if TYPE_CHECKING:
    from groundlint.outcomes import Described, Outcome

_MAX_THUMBNAIL = 100_000
"""Bytes of a thumbnail, more than any has, where the user says how many there may be."""


def report_of(
    outcome: Outcome, registry: Registry, settings: Settings, presentation: Presentation, least: Severity
) -> Report:
    """The report of a run.

    Args:
        outcome: What the run found.
        registry: The installed rules.
        settings: The configuration.
        presentation: How formats for people present it.
        least: The lowest severity that is shown.
    """
    failing = () if settings.fail_on == "none" else at_least(Severity(settings.fail_on))
    return Report(
        version=__version__,
        target=outcome.target,
        summary=outcome.summary,
        findings=shown(outcome.findings, least),
        hidden=shown(outcome.hidden, least),
        rules={code: registry.rules[code] for code in outcome.rules},
        failing=frozenset(level.value for level in failing),
        boxes_by_label=outcome.boxes_by_label,
        evaluation=outcome.evaluation,
        presentation=presentation,
    )


def illustrated(
    report: Report,
    described: Described,
    most_images: int | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """The report with the data sets and the thumbnails that its page shows.

    Args:
        report: The report.
        described: The data sets of the run.
        most_images: The most thumbnails; as many as a page of the usual size has if not given.
        on_progress: Called now and then with a sentence.
    """
    # A run without a page need not import what makes it.
    from groundlint.gallery import gallery
    from groundlint.report import html
    from groundlint.report.report import Description

    asked = (html.MAX_IMAGES, html.MAX_IMAGE_BYTES)
    most, max_bytes = asked if most_images is None else (most_images, most_images * _MAX_THUMBNAIL)
    description = Description(described.portraits, described.distributions, described.splits, images=most)
    report = replace(report, description=description)
    wanted = html.wanted(report)
    made = gallery(wanted, described.tables, max_bytes=max_bytes, remote=described.remote, on_progress=on_progress)
    return replace(report, description=replace(description, gallery=made))
