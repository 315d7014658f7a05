"""Flags that several commands have, and what they come to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundlint import __version__
from groundlint.cli.output import fail

if TYPE_CHECKING:
    from groundlint.config.data_sets import Request
    from groundlint.config.settings import Config
    from groundlint.engine.registry import Registry
    from groundlint.policy.selection import Selection

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH]...", help="Manifests, folders, or - for standard input.")
]
Select = Annotated[list[str] | None, typer.Option(help="Rules to judge: codes, prefixes, names, service codes, ALL.")]
Ignore = Annotated[list[str] | None, typer.Option(help="Rules to leave out; the longer selector wins.")]
Extend = Annotated[list[str] | None, typer.Option("--extend-select", help="Rules to judge beside the selected ones.")]
ExtendIgnore = Annotated[
    list[str] | None, typer.Option("--extend-ignore", help="Rules to leave out beside those that are ignored.")
]
Target = Annotated[str | None, typer.Option(help="rekognition (default) or ground-truth.")]
Split = Annotated[list[str] | None, typer.Option(metavar="PATH", help="Manifests of this part of one data set.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration to use.")]
Isolated = Annotated[bool, typer.Option("--isolated", help="Ignore configuration files and other packages' rules.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Manifests to leave out of folders.")]
StdinName = Annotated[str, typer.Option("--stdin-filename", metavar="NAME", help="What to call standard input.")]


Images = Annotated[
    list[str] | None,
    typer.Option(metavar="FOLDER|PREFIX=FOLDER", help="Where the images lie; beside the manifest unless given."),
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes that read and measure; one a processor by default.")]
RequireImages = Annotated[
    bool, typer.Option("--require-images", help="Exit with 2 if no image of a manifest is found.")
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Do not show on a terminal what is done.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Findings only.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Measure all images anew and remember nothing.")]
CacheDir = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where to remember what was measured.")]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Embeddings of your own model: parquet of source_ref, attribute, box, embedding."
    ),
]
PredProbs = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Probabilities that your own model gave to what it was not trained on: parquet or csv of source_ref, "
        "attribute, box, and a column for each label.",
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"groundlint {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")]
Baseline = Annotated[Path | None, typer.Option("--baseline", metavar="FILE", help="Findings that are known.")]


def configure(file: Path | None, isolated: bool, **flags: Any) -> Config:
    """The configuration with the flags over it."""
    from groundlint.config import settings as config
    from groundlint.config.paths import relative

    if isolated:
        found = config.Config()
    else:
        path = file or config.find(Path.cwd())
        found = config.load(path) if path else config.Config()
    given = {name: _separated(value) for name, value in flags.items() if value not in (None, [])}
    if "exclude" in given:
        # On the command line a path starts from here, in the file from there; a mere name fits anywhere.
        globs = [glob.rstrip("/") for glob in given["exclude"]]
        given["exclude"] = [relative(glob, found.root) if "/" in glob else glob for glob in globs]
    return config.override(found, given)


def _separated(value: Any) -> Any:
    """Lists may be given by repeating the option, or in one with commas."""
    return [part for entry in value for part in entry.split(",")] if isinstance(value, list) else value


def requested(
    paths: list[str] | None,
    train: list[str] | None,
    test: list[str] | None,
    reference: list[str] | None,
    stdin_name: str,
    **measuring: Any,
) -> Request:
    """What shall be judged, with the bytes of standard input where it is asked for."""
    from groundlint.config.data_sets import STDIN, Request

    is_wanted = any(STDIN in (names or ()) for names in (paths, train, test, reference))
    return Request(
        paths=tuple(paths or ()),
        train=tuple(train or ()),
        test=tuple(test or ()),
        reference=tuple(reference or ()),
        stdin=_standard_input() if is_wanted else None,
        stdin_name=stdin_name,
        **measuring,
    )


def _standard_input() -> bytes:
    if sys.__stdin__ is None:
        fail("-: standard input is closed")
    return sys.stdin.buffer.read()


def measuring(
    config: Config,
    images: list[str] | None,
    jobs: int | None,
    no_cache: bool,
    cache_dir: Path | None,
    embeddings: Path | None,
    pred_probs: Path | None,
) -> dict[str, Any]:
    """How images are found, measured and remembered, and what a model makes of them, as the parts of a request."""
    return {
        "images": tuple(images or ()),
        "jobs": jobs,
        "cache": None if no_cache else cache_dir or cache_folder(config),
        "embeddings": embeddings,
        "pred_probs": pred_probs,
    }


def cache_folder(config: Config) -> Path:
    """Where what was measured is remembered: as configured, else beside the configuration."""
    from groundlint.images.cache import FOLDER

    return config.root / (config.settings.cache_dir or FOLDER)


def load(config: Config, *, isolated: bool) -> tuple[Registry, Selection]:
    """What the packages offer, and what of it the configuration selects."""
    from groundlint.engine import registry
    from groundlint.policy import selection

    known = registry.load(isolated=isolated)
    return known, selection.of_config(known, config)


def baseline_file(given: Path | None, config: Config, *, isolated: bool) -> Path | None:
    """The baseline to use: the one that is named, else the one beside the configuration, if it is there."""
    from groundlint.policy.baseline import FILE

    default = Path(os.path.relpath(config.root / FILE))
    return given or (default if default.is_file() and not isolated else None)
