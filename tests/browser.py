"""Headless Chromium for tests of pages, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


needs_chromium = pytest.mark.skipif(chromium() is None, reason="no Chromium or Chrome is installed")


class Visit:
    """A page that is open, with what went wrong in it.

    Attributes:
        page: The page, as playwright has it.
        requests: Addresses that it asked for, itself excepted, also those that its policy refused.
        sent: Addresses of the requests that its policy let pass.
        faults: Errors of scripts, violations of the policy, and dialogs that opened.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.sent: list[str] = []
        self.faults: list[str] = []
        self.answers_yes = False
        self._own = ""
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: self._note(request.url))
        page.on("dialog", self._answer)

    def _answer(self, dialog: object) -> None:
        self.faults += [] if self.answers_yes else ["a dialog opened"]
        dialog.accept() if self.answers_yes else dialog.dismiss()  # type: ignore[attr-defined]

    def open(self, file: Path, fragment: str = "") -> None:
        """Open a file."""
        self._own = file.as_uri()
        self.page.goto(f"{self._own}{fragment}")

    def _note(self, address: str) -> None:
        if not address.startswith("data:") and address.partition("#")[0] != self._own:
            self.requests.append(address)


@contextmanager
def visit(
    *, width: int = 1400, dark: bool = False, scripts: bool = True, reduced_motion: bool = True
) -> Iterator[Visit]:
    """A new browser with one page that has no network: a request fails and is noted."""
    with sync_playwright() as playwright:
        # Chromium's sandbox needs more rights than a container gives to root.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            accept_downloads=True,
        )
        opened = Visit(context.new_page())

        def decide(route: Route) -> None:
            if route.request.url.startswith("file:"):
                route.continue_()
            else:
                opened.sent.append(route.request.url)
                route.abort()

        context.route("**/*", decide)
        try:
            yield opened
        finally:
            browser.close()
