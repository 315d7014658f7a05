"""Reports: the findings of a run as text for people and programs. Each format is a module and a line here.

Formats that list every finding give their text in parts, because there may be a million.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from groundlint.report import concise, csv, github, gitlab, json, jsonl, junit, markdown, sarif, text
from groundlint.report.report import Report


def _page(report: Report) -> Iterable[str]:
    # Start-up counts in a commit hook, and few runs write a page.
    from groundlint.report import html

    return [html.render(report)]


FORMATS: Mapping[str, Callable[[Report], Iterable[str]]] = {
    "text": text.render,
    "concise": concise.render,
    "json": json.render,
    "jsonl": jsonl.render,
    "csv": csv.render,
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "html": _page,
}
