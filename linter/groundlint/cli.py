"""The command: the only module that prints, writes or exits."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from groundlint import __version__

if TYPE_CHECKING:
    from groundlint.config import Config
    from groundlint.registry import Registry
    from groundlint.rule import Rule
    from groundlint.run import Outcome, Request

# What is imported here is paid for by `groundlint --version`; everything else is imported where it is used.

FAILED = 1
BROKEN = 2

_temporaries: set[Path] = set()
"""Files that are being written, to be put away when a signal ends the run."""

app = typer.Typer(
    help="Lint image data sets: read Ground Truth manifests and tell before training what would spoil the model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH]...", help="Manifests, folders, or - for standard input.")
]
Select = Annotated[list[str] | None, typer.Option(help="Rules to judge: codes, prefixes, names, service codes, ALL.")]
Ignore = Annotated[list[str] | None, typer.Option(help="Rules to leave out; the longer selector wins.")]
Extend = Annotated[list[str] | None, typer.Option("--extend-select", help="Rules to judge beside the selected ones.")]
Target = Annotated[str | None, typer.Option(help="rekognition (default) or ground-truth.")]
Split = Annotated[list[str] | None, typer.Option(metavar="PATH", help="Manifests of this part of one data set.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration to use.")]
Isolated = Annotated[bool, typer.Option("--isolated", help="Ignore configuration files and other packages' rules.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Manifests to leave out of folders.")]
StdinName = Annotated[str, typer.Option("--stdin-filename", metavar="NAME", help="What to call standard input.")]


def main() -> None:
    """Run the command, and end as a command should on Ctrl-C, on SIGTERM and when nobody reads the output."""
    # One run makes next to no cycles, and looking for them costs a tenth of the time on a small manifest.
    gc.disable()
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

        _say("error: groundlint itself failed; please report this:")
        _say_lines(traceback.format_exc())
        sys.exit(BROKEN)


def _end(number: int, _: object) -> NoReturn:
    """End on a signal with the status that a shell expects. An exception might be swallowed on its way up."""
    for temporary in _temporaries:
        temporary.unlink(missing_ok=True)
    os._exit(128 + number)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"groundlint {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")]


@app.callback()
def _options(version: Version = False) -> None:
    pass


@app.command()
def check(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: Extend = None,
    fail_on: Annotated[str | None, typer.Option(help="error (default), warning, info or none.")] = None,
    max_warnings: Annotated[int | None, typer.Option(min=0, help="More warnings than these fail the run.")] = None,
    min_severity: Annotated[str, typer.Option(help="Show only findings of this severity and above.")] = "info",
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever is found.")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Show counts by rule.")] = False,
    target: Target = None,
    train: Split = None,
    test: Split = None,
    reference: Split = None,
    output: Annotated[
        list[str] | None, typer.Option(metavar="FORMAT[:FILE]", help="Report to write, several times: text, json.")
    ] = None,
    summary_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Numbers for a gate, as JSON.")] = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    exclude: Exclude = None,
    show_files: Annotated[bool, typer.Option("--show-files", help="Only list the manifests.")] = False,
    stdin_filename: StdinName = "-",
    color: Annotated[str, typer.Option(help="auto, always or never.")] = "auto",
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Do not show on a terminal what is done.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Findings only.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say which configuration is used, and where a rule failed.")
    ] = False,
    version: Version = False,  # noqa: ARG001 - typer acts on it
) -> None:
    """Report what would spoil a training: exit 0 if nothing, 1 if something, 2 if not all could be judged."""
    from groundlint.report import FORMATS, gate

    if summary_file:
        # A gate that reads this file stays shut until the run has ended well.
        _write(summary_file, gate.render(passed=False, counts={}, rules={}, images={}))
    outputs = _outputs(output or [])
    _one_of("--min-severity", min_severity, ("error", "warning", "info"))
    _one_of("--color", color, ("auto", "always", "never"))
    from groundlint import policy
    from groundlint.report.report import Report
    from groundlint.report.sanitize import at_line_start, visible
    from groundlint.rule import Severity
    from groundlint.run import data_sets, run

    with _reported():
        settings = _configure(
            config,
            isolated,
            target=target,
            select=select,
            ignore=ignore,
            extend_select=extend_select,
            fail_on=fail_on,
            exclude=exclude,
        )
        request = _request(paths, train, test, reference, stdin_filename)
        if verbose:
            _say(f"configuration: {settings.path or 'none'}")
        if show_files:
            names = sorted({name for data_set in data_sets(settings, request) for name in data_set.named})
            _print("".join(f"{at_line_start(visible(name, limit=None))}\n" for name in names))
            return
        registry, rules = _rules(settings, isolated)
        with _progress(wanted=not (no_progress or quiet)) as tell:
            outcome = run(registry, rules, settings, request, tell)
    counts = policy.count(outcome.findings)
    level = settings.settings.fail_on
    limits = policy.Gate(None if level == "none" else Severity(level), max_warnings)
    is_whole = not outcome.raised and not outcome.unread
    passed = limits.passes(counts)
    report = Report(
        version=__version__,
        target=outcome.target,
        summary=outcome.summary | {"counts": counts, "suppressed": 0, "baselined": 0, "skipped_rules": []},
        findings=policy.shown(outcome.findings, Severity(min_severity)),
        statistics=statistics,
        quiet=quiet,
    )
    _tell_of_failures(outcome, verbose=verbose)
    if all(file for _, file in outputs):
        outputs = [("text", None), *outputs]
    for form, file in outputs:
        try:
            if file:
                _write(file, FORMATS[form](report))
            else:
                _print(FORMATS[form](_colored(report, color)))
        except typer.Exit:
            # Why it cannot be written was said; the other reports are for others.
            is_whole = False
    if summary_file:
        found = dict(outcome.findings.group_by("code").len().iter_rows())
        of_rules = {code: found.get(code, 0) for code in outcome.rules}
        images = outcome.summary["images"]
        is_open = passed and is_whole
        _write(summary_file, gate.render(passed=is_open, counts=counts, rules=of_rules, images=images))
    if not is_whole:
        raise typer.Exit(BROKEN)
    if not passed and not exit_zero:
        raise typer.Exit(FAILED)


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="Name of a table, base or derived.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where to: .parquet, .csv or .jsonl.")],
    paths: Paths = None,
    target: Target = None,
    train: Split = None,
    test: Split = None,
    reference: Split = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    exclude: Exclude = None,
    stdin_filename: StdinName = "-",
) -> None:
    """Write a table of the data as a file."""
    if to.suffix not in (".parquet", ".csv", ".jsonl"):
        _fail(f"{to}: a table is written as .parquet, .csv or .jsonl")
    from groundlint import run

    with _reported():
        settings = _configure(config, isolated, target=target, exclude=exclude)
        registry, _ = _rules(settings, isolated)
        request = _request(paths, train, test, reference, stdin_filename)
        rows = run.export(registry, table, settings, request)
    with _replacing(to) as temporary:
        if to.suffix == ".parquet":
            rows.write_parquet(temporary)
        elif to.suffix == ".jsonl":
            rows.write_ndjson(temporary)
        else:
            run.flat(rows).write_csv(temporary)


@app.command()
def rule(
    name: Annotated[str | None, typer.Argument(metavar="CODE|NAME", help="The rule.")] = None,
    show_all: Annotated[bool, typer.Option("--all", help="All rules.")] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page for each rule, with an index.")
    ] = None,
    isolated: Isolated = False,
) -> None:
    """Explain a rule: what it finds, why it matters, how to mend it."""
    if (name is None) == (not show_all):
        _fail("name a rule, or --all")
    from groundlint import docs, registry

    with _reported():
        known = registry.load(isolated=isolated)
        codes = sorted(known.rules) if show_all else [known.find(str(name)).code]
    pages = {code: docs.page(known, code) for code in codes}
    if to is None:
        _print("\n".join(pages.values()))
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _fail(f"{to}: the folder cannot be made: {error.strerror}")
    for code, page in pages.items():
        _write(to / f"{code}.md", page)
    _write(to / "index.md", docs.index(known))


@app.command(name="config")
def show_config(
    schema: Annotated[bool, typer.Option("--schema", help="Its JSON Schema.")] = False,
    config: ConfigFile = None,
    isolated: Isolated = False,
) -> None:
    """Show the configuration in force."""
    from groundlint import config as settings_of
    from groundlint import registry

    with _reported():
        if schema:
            shown: Any = settings_of.schema(registry.load(isolated=isolated))
        else:
            shown = _configure(config, isolated).settings.model_dump(mode="json", by_alias=True)
    _print(json.dumps(shown, indent=2) + "\n")


@app.command()
def test(package: Annotated[str, typer.Argument(help="Installed package with rules.")]) -> None:
    """Try the examples of a package's rules."""
    from groundlint import examples, registry

    with _reported():
        known = registry.load()
        rules = known.of_package(package)
        if not rules:
            owners = ", ".join(sorted(set(known.packages.values())))
            _fail(f"no installed package {package} has rules; those that have: {owners}")
        faults = [fault for rule in rules for fault in examples.faults(known, rule)]
    count = sum(len(rule.examples) for rule in rules)
    _print("".join(f"{fault}\n" for fault in faults))
    _print(f"{len(rules)} rules, {count} examples, {len(faults)} faults\n")
    if faults:
        raise typer.Exit(FAILED)


def _configure(file: Path | None, isolated: bool, **flags: Any) -> Config:
    """The configuration with the flags over it."""
    from groundlint import config

    if isolated:
        found = config.Config()
    else:
        path = file or config.find(Path.cwd())
        found = config.load(path) if path else config.Config()
    given = {name: _separated(value) for name, value in flags.items() if value not in (None, [])}
    if "exclude" in given:
        # On the command line a path starts from here, in the file from there; a mere name fits anywhere.
        globs = [glob.rstrip("/") for glob in given["exclude"]]
        given["exclude"] = [os.path.relpath(glob, found.root) if "/" in glob else glob for glob in globs]
    return config.override(found, given)


def _separated(value: Any) -> Any:
    """Lists may be given by repeating the option, or in one with commas."""
    return [part for entry in value for part in entry.split(",")] if isinstance(value, list) else value


def _rules(settings: Config, isolated: bool) -> tuple[Registry, list[Rule]]:
    from groundlint import registry, run

    known = registry.load(isolated=isolated)
    return known, run.prepare(known, settings)


def _request(
    paths: list[str] | None,
    train: list[str] | None,
    test: list[str] | None,
    reference: list[str] | None,
    stdin_name: str,
) -> Request:
    from groundlint.run import STDIN, Request

    is_wanted = any(STDIN in (names or ()) for names in (paths, train, test, reference))
    return Request(
        paths=tuple(paths or ()),
        train=tuple(train or ()),
        test=tuple(test or ()),
        reference=tuple(reference or ()),
        stdin=sys.stdin.buffer.read() if is_wanted else None,
        stdin_name=stdin_name,
    )


def _outputs(values: list[str]) -> list[tuple[str, Path | None]]:
    from groundlint.report import FORMATS

    outputs = []
    for value in values:
        form, _, file = value.partition(":")
        _one_of("--output", form, tuple(FORMATS))
        outputs.append((form, Path(file) if file else None))
    return outputs


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        _fail(f"{option}: {value!r} is none of {', '.join(known)}")


def _tell_of_failures(outcome: Outcome, *, verbose: bool) -> None:
    for unread in outcome.unread:
        _say(f"error: {unread}")
    for raised in outcome.raised:
        _say(f"error: the rule {raised.code} failed: {raised.error}")
        if verbose:
            _say_lines(raised.traceback)


def _colored(report: Any, color: str) -> Any:
    from dataclasses import replace

    environment = os.environ
    if color == "auto":
        wanted = bool(environment.get("FORCE_COLOR")) or (sys.stdout.isatty() and not environment.get("NO_COLOR"))
    else:
        wanted = color == "always"
    return replace(report, color=wanted)


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """What keeps a run from starting, as one line on standard error and exit status 2."""
    from groundlint.config import ConfigError
    from groundlint.registry import PluginError, SelectionError
    from groundlint.run import UsageError

    try:
        yield
    except (ConfigError, PluginError, SelectionError, UsageError) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    _say(f"error: {text}")
    raise typer.Exit(BROKEN)


def _say(text: str) -> None:
    from groundlint.report.sanitize import at_line_start, visible

    typer.echo(at_line_start(visible(text, limit=None)), err=True)


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        _say(line)


@contextlib.contextmanager
def _progress(*, wanted: bool) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done, on one line of a terminal that is wiped at the end."""
    from groundlint.report.sanitize import visible

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


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader that has seen enough is no fault.
        if not isinstance(error, BrokenPipeError):
            _fail(f"the report cannot be written to standard output: {error.strerror}")


def _write(file: Path, text: str) -> None:
    with _replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """A temporary file beside the wanted one, which it replaces as a whole when all is written.

    A device or pipe, as /dev/stdout, is written to as it is; a symbolic link stays one.
    """
    try:
        if file.exists() and not file.is_file():
            yield file
            return
        target = Path(os.path.realpath(file))
        temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
        _temporaries.add(temporary)
        try:
            temporary.touch(exist_ok=False)
            yield temporary
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
            _temporaries.discard(temporary)
    except OSError as error:
        _fail(f"{file}: the file cannot be written: {error.strerror or error}")
