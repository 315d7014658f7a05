"""CFG: suppressions in the configuration that are expired or unused."""

from __future__ import annotations

import datetime

from polars import LazyFrame, col

from groundlint import FACT, Bad, Good, Rule, Severity


class ExpiredSuppression(Rule):
    """A `[[suppress]]` entry is past its date.

    ## Why it matters
    The entry no longer applies: the findings that it suppressed are reported again.

    ## How to fix it
    Fix the findings and remove the entry, or give it a later date.
    """

    code = "CFG101"
    name = "expired-suppression"
    severity = Severity.WARNING
    precision = FACT
    message = (
        "the [[suppress]] entry {entry} for {rule} ({reason}) expired on {expires} and no longer applies; remove or "
        "renew it"
    )
    examples = (
        Good(suppressions=[{}]),
        Good(suppressions=[{"expires": datetime.date(2026, 1, 31)}]),
        Bad(
            suppressions=[{"expires": datetime.date(2026, 1, 31), "expired": True, "findings": 0}],
            says="the [[suppress]] entry 1 for BOX301 (checked by hand) expired on 2026-01-31 and no longer applies; "
            "remove or renew it",
        ),
    )

    def check(self, suppressions: LazyFrame) -> LazyFrame:
        """Entries past their date."""
        return suppressions.filter("expired")


class UnusedSuppression(Rule):
    """A `[[suppress]]` entry matches no finding.

    ## Why it matters
    The findings that it was written for are fixed. If it stays, it hides the next fault of the same kind.

    ## How to fix it
    Remove the entry.
    """

    code = "CFG102"
    name = "unused-suppression"
    severity = Severity.INFO
    precision = FACT
    message = "the [[suppress]] entry {entry} for {rule} ({reason}) matches no finding; remove it"
    examples = (
        Good(suppressions=[{}]),
        Good(suppressions=[{"findings": 0, "judged": False}]),
        Good(suppressions=[{"findings": 0, "expired": True}]),
        Bad(
            suppressions=[{"findings": 0}],
            says="the [[suppress]] entry 1 for BOX301 (checked by hand) matches no finding; remove it",
        ),
    )

    def check(self, suppressions: LazyFrame) -> LazyFrame:
        """Entries in force that match no finding, although their rule and one of their manifests were judged."""
        return suppressions.filter(~col("expired"), col("findings") == 0, "judged")
