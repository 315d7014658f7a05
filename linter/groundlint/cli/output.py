"""Printing, writing and ending, as all commands do it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from groundlint.temporaries import temporaries

if TYPE_CHECKING:
    from groundlint.config.data_sets import Request
    from groundlint.config.settings import Config
    from groundlint.engine.evaluate import MadeNote
    from groundlint.outcomes import Measured, Outcome, Profiled

FAILED = 1
BROKEN = 2


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn an error that the user can fix into a message on standard error and exit status 2."""
    from groundlint.engine.registry import PluginError
    from groundlint.errors import GroundlintError

    if hasattr(signal, "siginterrupt"):
        # Polars, imported by now, handles Ctrl-C first and restarts interrupted calls: without this, a run would wait
        # forever for a pipe that stays open.
        signal.siginterrupt(signal.SIGINT, True)
    try:
        yield
    except PluginError as error:
        fail(joined(str(error)))
    except GroundlintError as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """End with exit status 2, saying why."""
    say(f"error: {text}")
    raise typer.Exit(BROKEN)


def say(text: str) -> None:
    """Print a line on standard error."""
    from groundlint.sanitize import at_line_start, visible

    typer.echo(at_line_start(visible(text, limit=None)), err=True)


def say_notes(notes: Iterable[MadeNote], *, require_images: bool, quiet: bool) -> bool:
    """Print notes on standard error, and return whether images that are required were not found: that is an error."""
    is_blind = False
    for note in notes:
        is_error = require_images and note.kind == "images-not-found"
        is_blind |= is_error
        if is_error or not quiet:
            say(f"{'error' if is_error else 'note'}: {note.message}")
    return is_blind


def say_lines(text: str) -> None:
    """Print lines on standard error."""
    for line in text.splitlines():
        say(line)


def joined(text: str) -> str:
    """The lines of an error's text as one line."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def say_faults(outcome: Outcome | Profiled | Measured, *, verbose: bool) -> None:
    """Say what kept a run from checking all that it was asked to."""
    for unread in outcome.unread:
        say(f"error: {unread}")
    for raised in outcome.raised:
        blocked = f"; not checked: {', '.join(raised.blocks)}" if raised.what.startswith("table ") else ""
        say(f"error: the {raised.what} failed: {joined(raised.error)}{blocked}")
        if verbose:
            say_lines(raised.traceback)


def list_files(settings: Config, request: Request) -> None:
    """Print the manifests of a request, one per line."""
    from groundlint.config.data_sets import data_sets
    from groundlint.manifest.foreign import looks_like
    from groundlint.report.listing import header_path

    asked = data_sets(settings, request, looks_like=looks_like)
    names = sorted({name for data_set in asked for name in data_set.named})
    print_lines(header_path(name) for name in names)


@contextlib.contextmanager
def progress(*, wanted: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows progress on one line of a terminal, which is cleared at the end."""
    from groundlint.sanitize import visible

    if not wanted or not sys.stderr.isatty():
        yield lambda _: None
        return

    def on_progress(text: str) -> None:
        line = visible(text)[: shutil.get_terminal_size().columns - 1]
        typer.echo(f"\r\x1b[K{line}", nl=False, err=True)

    try:
        yield on_progress
    finally:
        typer.echo("\r\x1b[K", nl=False, err=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of visible text on standard output."""
    print_text("".join(f"{line}\n" for line in lines))


def print_text(text: str) -> None:
    """Print text on standard output."""
    print_parts([text])


def print_parts(parts: Iterable[str], *, on_stderr: bool = False) -> None:
    """Print the parts of a text on standard output, or on standard error."""
    stream = sys.stderr if on_stderr else sys.stdout
    with _printing(stream):
        stream.writelines(parts)
        stream.flush()


def print_bytes(data: bytes) -> None:
    """Print bytes on standard output."""
    with _printing(sys.stdout):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def _printing(stream: TextIO) -> Iterator[None]:
    """End with exit status 2 if a stream cannot be written to; a reader that closes it early is not an error."""
    try:
        yield
    except OSError as error:
        # What is left in the buffer must not fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            fail(f"the report cannot be written to standard output: {error.strerror}")


def write(file: Path | str, text: str) -> None:
    """Write a text as `write_parts` does."""
    write_parts(file, [text])


def write_parts(file: Path | str, parts: Iterable[str]) -> None:
    """Write the parts of a text into a file, or an object of S3 if it is a URI, as a whole or not at all."""
    if isinstance(file, str):
        _write_object(file, "".join(parts))
        return
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(parts)


def _write_object(uri: str, text: str) -> None:
    from groundlint.images.downloads import write_object
    from groundlint.images.s3_errors import S3Error

    try:
        write_object(uri, text.encode("utf-8"))
    except S3Error as error:
        fail(f"{uri}: the object cannot be written: {error}")


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary file beside the wanted one, which it replaces as a whole once everything is written.

    A device or pipe, such as /dev/stdout, is written to directly; a symbolic link stays one.
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
