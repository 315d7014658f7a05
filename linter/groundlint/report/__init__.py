"""Reports: what a run found as text for people and programs. Each format is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groundlint.report import json, text
from groundlint.report.report import Report

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": text.render,
    "json": json.render,
}
