"""The command: the only package that prints, writes or exits."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from typing import NoReturn

import typer

from groundlint.cli import (
    apply,
    baseline,
    check,
    clean,
    config,
    export,
    init,
    measure,
    profile,
    review,
    rule,
    split,
    tables,
    test,
)
from groundlint.cli.options import Version
from groundlint.cli.output import BROKEN, say, say_lines
from groundlint.temporaries import remove_temporaries

# `groundlint --version` imports everything that this package imports; all else is imported where it is used.

app = typer.Typer(
    help="Lint image data sets: read Ground Truth manifests and report what would harm the model, before training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command, and end properly on Ctrl-C, on SIGTERM and when nobody reads the output."""
    # A run makes almost no cycles, and looking for them takes a tenth of the time on a small manifest.
    gc.disable()
    # Several threads slow down linear algebra on small matrices, and make the last digits depend on the machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Polars' allocator would keep most of what is freed, a sixth of the peak, for later use.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:2,dirty_decay_ms:20,muzzy_decay_ms:0")
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 in every locale, and no character may end a run.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - a panic of polars is not an Exception
        import traceback

        say("error: groundlint itself failed; please report this:")
        say_lines(traceback.format_exc())
        sys.exit(BROKEN)


def _end(number: int, _: object) -> NoReturn:
    """End on a signal with the status that a shell expects. An exception could be swallowed on its way up."""
    remove_temporaries()
    os._exit(128 + number)


@app.callback()
def _options(version: Version = False) -> None:
    pass


app.command()(check.check)
app.command()(export.export)
app.command()(measure.measure)
app.command()(profile.profile)
app.command()(rule.rule)
app.command()(tables.tables)
app.command(name="config")(config.show_config)
app.command()(baseline.baseline)
app.command()(init.init)
app.command()(clean.clean)
app.command()(review.review)
app.command()(apply.apply)
app.command()(split.split)
app.command()(test.test)
