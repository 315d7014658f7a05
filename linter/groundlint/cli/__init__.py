"""The command: the only package that prints, writes or exits."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from typing import NoReturn

import typer

from groundlint.cli import baseline, check, explain, start
from groundlint.cli.options import Version
from groundlint.cli.output import BROKEN, say, say_lines, temporaries

# What is imported by this package is paid for by `groundlint --version`; all else is imported where it is used.

app = typer.Typer(
    help="Lint image data sets: read Ground Truth manifests and tell before training what would spoil the model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command, and end as a command should on Ctrl-C, on SIGTERM and when nobody reads the output."""
    # One run makes next to no cycles, and looking for them costs a tenth of the time on a small manifest.
    gc.disable()
    # Several threads slow down linear algebra on small matrices, and make the last digits depend on the machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Polars' allocator would keep most of what is freed, a sixth of the peak, in case that it is wanted again.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:2,dirty_decay_ms:20,muzzy_decay_ms:0")
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 whatever the locale, and no character ends a run.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - a panic of polars is no Exception
        import traceback

        say("error: groundlint itself failed; please report this:")
        say_lines(traceback.format_exc())
        sys.exit(BROKEN)


def _end(number: int, _: object) -> NoReturn:
    """End on a signal with the status that a shell expects. An exception might be swallowed on its way up."""
    for temporary in temporaries:
        temporary.unlink(missing_ok=True)
    os._exit(128 + number)


@app.callback()
def _options(version: Version = False) -> None:
    pass


app.command()(check.check)
app.command()(baseline.baseline)
app.command()(explain.export)
app.command()(explain.rule)
app.command(name="config")(explain.show_config)
app.command()(explain.test)
app.command()(start.init)
app.command()(start.clean)
