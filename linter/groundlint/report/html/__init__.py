"""The report as a page with images: one file that makes no request, and is readable without its script.

`wanted` says which images and boxes the page would show; a gallery of them goes into the report that `render` takes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from groundlint.gallery import Place, PlacedBox
from groundlint.report.html import choice
from groundlint.report.html.content import Page
from groundlint.report.html.page import page
from groundlint.report.report import Report

MAX_BYTES = 10_000_000
"""Size of a page, unless the user asks for a number of images."""

MAX_IMAGES = 600
"""Images in a page, unless the user asks for another number."""

MAX_IMAGE_BYTES = 5_000_000
"""Bytes of all thumbnails of a page of the usual size; as text they take a third more."""

_MIN_LISTED = 50
"""Findings that a page lists however long their texts are."""


def wanted(report: Report) -> list[Place | PlacedBox]:
    """The images and boxes that the page of a report would show, the most important first."""
    return choice.choose(report.findings, images=report.description.images).wanted


def render(report: Report) -> str:
    """The page as HTML. It lists fewer findings if it would be larger than `MAX_BYTES` without its images."""
    most = choice.MAX_LISTED
    gallery = report.description.gallery
    illustrations = (*gallery.images.values(), *gallery.crops.values())
    images = sum(len(each.thumbnail.webp) for each in illustrations)
    # Only a user who asks for many images gets a larger page, and only by these.
    allowed = MAX_BYTES + max(0, images - MAX_IMAGE_BYTES) * 4 // 3
    while True:
        text = _html(page(report, most))
        if len(text.encode()) <= allowed or most <= _MIN_LISTED:
            return text
        most //= 2


def _html(content: Page) -> str:
    # Start-up counts in a commit hook, and few runs write a page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("groundlint.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    folder = files("groundlint.report.html") / "templates"
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return environment.get_template("page.html").render(
        page=content, style=style, script=script, style_hash=_hash(style), script_hash=_hash(script)
    )


def _hash(text: str) -> str:
    """The source expression of a content security policy that allows a text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
