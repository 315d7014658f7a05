"""What the commands print and write, and how they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from groundlint.session import Outcome

FAILED = 1
BROKEN = 2

temporaries: set[Path] = set()
"""Files that are being written, to be put away when a signal ends the run."""


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """What keeps a run from starting, as one line on standard error and exit status 2."""
    from groundlint.config.data_sets import UsageError
    from groundlint.config.settings import ConfigError
    from groundlint.engine.registry import PluginError, SelectionError
    from groundlint.evaluation.model_outputs import ModelOutputError
    from groundlint.images.pool import PoolError
    from groundlint.policy.baseline import BaselineError

    if hasattr(signal, "siginterrupt"):
        # Polars, imported by now, handles Ctrl-C before we do and restarts what it breaks into: a pipe that stays open
        # would be waited for all the same.
        signal.siginterrupt(signal.SIGINT, True)
    try:
        yield
    except (
        BaselineError,
        ConfigError,
        ModelOutputError,
        PluginError,
        PoolError,
        SelectionError,
        UsageError,
    ) as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """End with exit status 2, saying why."""
    say(f"error: {text}")
    raise typer.Exit(BROKEN)


def say(text: str) -> None:
    """A line on standard error."""
    from groundlint.sanitize import at_line_start, visible

    typer.echo(at_line_start(visible(text, limit=None)), err=True)


def say_lines(text: str) -> None:
    """Lines on standard error."""
    for line in text.splitlines():
        say(line)


def tell_of_failures(outcome: Outcome, *, verbose: bool) -> None:
    """What kept a run from judging all that it was asked."""
    for unread in outcome.unread:
        say(f"error: {unread}")
    for raised in outcome.raised:
        say(f"error: the rule {raised.code} failed: {raised.error}" if raised.code else f"error: {raised.error}")
        if verbose:
            say_lines(raised.traceback)


@contextlib.contextmanager
def progress(*, wanted: bool) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done, on one line of a terminal that is wiped at the end."""
    from groundlint.sanitize import visible

    if not wanted or not sys.stderr.isatty():
        yield lambda _: None
        return

    def tell(text: str) -> None:
        line = visible(text)[: shutil.get_terminal_size().columns - 1]
        typer.echo(f"\r\x1b[K{line}", nl=False, err=True)

    try:
        yield tell
    finally:
        typer.echo("\r\x1b[K", nl=False, err=True)


def print_text(text: str) -> None:
    """Text on standard output; a reader that has seen enough is no fault."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            fail(f"the report cannot be written to standard output: {error.strerror}")


def write(file: Path, text: str) -> None:
    """A file as a whole or not at all."""
    with replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary file beside the wanted one, which it replaces as a whole when all is written.

    A device or pipe, as /dev/stdout, is written to as it is; a symbolic link stays one.
    """
    try:
        if file.exists() and not file.is_file():
            yield file
            return
        target = Path(os.path.realpath(file))
        temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
        temporaries.add(temporary)
        try:
            temporary.touch(exist_ok=False)
            yield temporary
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
            temporaries.discard(temporary)
    except OSError as error:
        fail(f"{file}: the file cannot be written: {error.strerror or error}")
