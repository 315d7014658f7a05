"""CFG: what in the configuration has outlived its use."""

from __future__ import annotations

import datetime

from polars import LazyFrame, col

from groundlint import Bad, Good, Rule, Severity


class ExpiredIgnore(Rule):
    """An `[[ignore]]` entry is past its date.

    ## Why is this bad?
    It no longer applies: what it left out is reported again.

    ## How to mend it
    Mend the findings and remove the entry, or give it a new date.
    """

    code = "CFG101"
    name = "expired-ignore"
    severity = Severity.WARNING
    message = "the [[ignore]] entry {entry} for {rule} ({reason}) expired on {expires}; it no longer applies"
    examples = (
        Good(suppressions=[{}]),
        Bad(
            suppressions=[{"expires": datetime.date(2026, 1, 31), "expired": True, "findings": 0}],
            says="the [[ignore]] entry 1 for BOX301 (checked by hand) expired on 2026-01-31; it no longer applies",
        ),
    )

    def check(self, suppressions: LazyFrame) -> LazyFrame:
        """Entries past their date."""
        return suppressions.filter("expired")


class UnusedIgnore(Rule):
    """An `[[ignore]]` entry leaves out nothing.

    ## Why is this bad?
    What it was for is mended; left there, it would hide the next fault.

    ## How to mend it
    Remove the entry.
    """

    code = "CFG102"
    name = "unused-ignore"
    severity = Severity.INFO
    message = "the [[ignore]] entry {entry} for {rule} ({reason}) leaves out nothing"
    examples = (
        Good(suppressions=[{}]),
        Good(suppressions=[{"findings": 0, "judged": False}]),
        Bad(
            suppressions=[{"findings": 0}],
            says="the [[ignore]] entry 1 for BOX301 (checked by hand) leaves out nothing",
        ),
    )

    def check(self, suppressions: LazyFrame) -> LazyFrame:
        """Entries in force that were tried and fit no finding."""
        return suppressions.filter(~col("expired"), col("findings") == 0, "judged")
