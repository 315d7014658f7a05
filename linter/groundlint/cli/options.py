"""Flags that several commands share, in groups, and how they set up a run."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from groundlint import __version__
from groundlint.cli.output import fail

if TYPE_CHECKING:
    from groundlint.config.data_sets import Request
    from groundlint.config.s3_access import S3Access
    from groundlint.config.settings import Config
    from groundlint.engine.registry import Registry
    from groundlint.policy.selection import Selection

Command = Callable[..., None]

Destinations = list[tuple[str, Path | str | None]]
"""Formats with the files, or URIs of S3, to write them to; None for standard output."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"groundlint {__version__}")
        raise typer.Exit


Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH]...", help="Manifests, folders, or - for standard input.")
]
Split = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Manifest of this split of one data set; may be repeated.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration file to use.")]
Isolated = Annotated[bool, typer.Option("--isolated", help="Ignore configuration files and rules of other packages.")]
CacheDir = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for cached measurements.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print findings only.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]
BaselineFile = Annotated[
    Path | None, typer.Option("--baseline", metavar="FILE", help="Baseline of known findings to use.")
]


@dataclass(frozen=True)
class Data:
    """Which manifests are read."""

    train: Split = None
    test: Split = None
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Manifest or folder of images to compare the training images with; may be repeated.",
        ),
    ] = None
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="rekognition (default) or ground-truth.")] = None
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Manifests to leave out when a folder is searched.")
    ] = None
    force_exclude: Annotated[
        bool, typer.Option("--force-exclude", help="Treat named files like files found in a folder.")
    ] = False
    stdin_filename: Annotated[
        str, typer.Option("--stdin-filename", metavar="NAME", help="Name of standard input in reports.")
    ] = "-"


@dataclass(frozen=True)
class Images:
    """Where images are."""

    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FOLDER|PREFIX=FOLDER",
            help="Folder of the images; those in GROUNDLINT_IMAGES, else the folder of each manifest and those above "
            "it if not given.",
        ),
    ] = None
    require_images: Annotated[
        bool,
        typer.Option(
            "--require-images",
            help="Make findings on missing images errors. `export`, `profile`, `split` and `baseline` exit with 2 if "
            "no image is found.",
        ),
    ] = False
    measurements: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Measurements of images that `groundlint measure` wrote: a path or glob; may be repeated.",
        ),
    ] = None
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Measure on a Dask cluster whose workers see the same files: its scheduler, as tcp://scheduler:8786.",
        ),
    ] = None
    s3: Annotated[
        bool,
        typer.Option(
            "--s3",
            help="Read s3:// paths and images from S3, where no folder of --images has them; also GROUNDLINT_S3=1.",
        ),
    ] = False
    s3_bucket: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Buckets that images may be read from; all if not given; may be repeated."),
    ] = None
    s3_anonymous: Annotated[
        bool, typer.Option("--s3-anonymous", help="Read S3 without credentials, as public buckets allow.")
    ] = False
    max_download: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZE", help="Most to download from S3, as 500MB, or 2000images; may be given once for each."
        ),
    ] = None


@dataclass(frozen=True)
class Models:
    """Outputs of the user's own model."""

    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Embeddings of your own model: parquet with source_ref, attribute, box and embedding.",
        ),
    ] = None
    pred_probs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Predicted probabilities of your own model on data that it was not trained on: parquet or csv with "
            "source_ref, attribute, box and one column per label.",
        ),
    ] = None
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Evaluation of a trained model: the service's snapshot or summary, or predictions as parquet or csv "
            "with source_ref, label, confidence, and for boxes left, top, width and height; may be repeated.",
        ),
    ] = None


@dataclass(frozen=True)
class Rules:
    """Which rules are checked."""

    select: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Rules to check: codes, prefixes, names, service codes, or ALL."),
    ] = None
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="SELECTOR", help="Rules to leave out; the longest selector wins.")
    ] = None
    extend_select: Annotated[
        list[str] | None,
        typer.Option("--extend-select", metavar="SELECTOR", help="Rules to check in addition to the selected ones."),
    ] = None
    extend_ignore: Annotated[
        list[str] | None,
        typer.Option("--extend-ignore", metavar="SELECTOR", help="Rules to leave out in addition to the ignored ones."),
    ] = None
    preview: Annotated[bool, typer.Option("--preview", help="Check rules in preview too.")] = False
    fast: Annotated[bool, typer.Option("--fast", help="Leave out rules that run a neural network.")] = False


@dataclass(frozen=True)
class Run:
    """How the run works."""

    config: ConfigFile = None
    isolated: Isolated = False
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of processes that read and measure; one per processor if not given."
        ),
    ] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Measure all images again and cache nothing.")] = False
    cache_dir: CacheDir = None
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Do not show progress on a terminal.")] = False
    show_files: Annotated[bool, typer.Option("--show-files", help="Only list the manifests.")] = False
    version: Version = False


def spread(command: Command) -> Command:
    """The command as typer needs it: each parameter that is a group of flags is replaced by these flags."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    groups = {each.name: each.annotation for each in own if _is_group(each.annotation)}
    parameters = []
    for parameter in own:
        if parameter.name not in groups:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        hints = get_type_hints(parameter.annotation, include_extras=True)
        parameters += [
            inspect.Parameter(
                flag.name, inspect.Parameter.KEYWORD_ONLY, default=flag.default, annotation=hints[flag.name]
            )
            for flag in _fields(parameter.annotation)
        ]

    def run(**values: Any) -> None:
        given = {
            name: group(**{flag.name: values.pop(flag.name) for flag in _fields(group)})
            for name, group in groups.items()
        }
        command(**values, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # typer reads it
    run.__annotations__ = {}
    return run


def _is_group(annotation: Any) -> bool:
    return dataclasses.is_dataclass(annotation)


def _fields(group: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(group)


def configure(run: Run, data: Data | None = None, rules: Rules | None = None, **flags: Any) -> Config:
    """The configuration, with the flags taking precedence."""
    from groundlint.config.paths import relative
    from groundlint.config.settings import override

    found = configuration(run.config, isolated=run.isolated)
    if data:
        flags |= {"target": data.target, "exclude": data.exclude}
    if rules:
        selectors = {name: getattr(rules, name) for name in ("select", "ignore", "extend_select", "extend_ignore")}
        flags |= selectors | {"preview": rules.preview or None}
    given = {
        name: separated(value) if isinstance(value, list) else value
        for name, value in flags.items()
        if value not in (None, [])
    }
    if "exclude" in given:
        # A path on the command line starts from the working directory, one in the file from its folder; a mere name
        # matches anywhere.
        globs = [glob.rstrip("/") for glob in given["exclude"]]
        given["exclude"] = [relative(glob, found.root) if "/" in glob else glob for glob in globs]
    return override(found, given)


def configuration(file: Path | None, *, isolated: bool) -> Config:
    """The configuration file in force, without flags."""
    from groundlint.config import settings

    path = None if isolated else file or settings.find(Path.cwd())
    return settings.load(path) if path else settings.Config()


def separated(values: list[str]) -> list[str]:
    """The values of an option that may be repeated, or have several values with commas."""
    return [part for value in values for part in value.split(",")]


def requested(paths: list[str] | None, config: Config, data: Data, images: Images, models: Models, run: Run) -> Request:
    """What to check, with the bytes of standard input if it is asked for."""
    from groundlint.config.data_sets import STDIN, Request
    from groundlint.image_access import manifests_in_s3

    s3 = _s3_access(images)
    named = [name for names in (paths, data.train, data.test, data.reference) for name in names or ()]
    is_wanted = any(STDIN in (names or ()) for names in (paths, data.train, data.test, data.reference))
    return Request(
        paths=tuple(paths or ()),
        train=tuple(data.train or ()),
        test=tuple(data.test or ()),
        reference=tuple(data.reference or ()),
        force_exclude=data.force_exclude,
        stdin=_standard_input() if is_wanted else None,
        stdin_name=data.stdin_filename,
        images=tuple(images.images or ()),
        measurements=tuple(images.measurements or ()),
        dask=images.dask,
        s3=s3,
        objects=manifests_in_s3(named, s3),
        jobs=run.jobs,
        cache=None if run.no_cache else run.cache_dir or cache_folder(config),
        embeddings=models.embeddings,
        pred_probs=models.pred_probs,
        evaluation=tuple(models.evaluation or ()),
    ).with_images_of_environment()


def destination(name: str, images: Images) -> Path | str:
    """Where to write: the path of a file, or the URI of an object of S3, if that may be touched."""
    from groundlint.cli.output import reported
    from groundlint.config.s3_access import is_uri

    if not is_uri(name):
        return Path(name)
    with reported():
        if _s3_access(images) is None:
            fail(f"{name}: writing to S3 needs --s3")
    return name


def _s3_access(images: Images) -> S3Access | None:
    """What may be read from S3; None if nothing."""
    from groundlint.config.s3_access import s3_access

    return s3_access(
        is_wanted=images.s3,
        buckets=images.s3_bucket or (),
        is_anonymous=images.s3_anonymous,
        limits=images.max_download or (),
    )


def _standard_input() -> bytes:
    if sys.__stdin__ is None:
        fail("-: standard input is closed")
    return sys.stdin.buffer.read()


def cache_folder(config: Config) -> Path:
    """Folder for cached measurements: as configured, else in the folder of the configuration."""
    from groundlint.images.cache import FOLDER

    return config.root / (config.settings.cache_dir or FOLDER)


def load(
    config: Config, *, isolated: bool, fast: bool = False, requires_images: bool = False
) -> tuple[Registry, Selection]:
    """The registry of installed rules, and the selection that the configuration makes from it."""
    from groundlint.engine import registry
    from groundlint.policy import selection

    known = registry.load(isolated=isolated)
    return known, selection.of_config(known, config, fast=fast, requires_images=requires_images)


def baseline_file(given: Path | None, config: Config, *, isolated: bool) -> Path | None:
    """The baseline to use: the given one, else the one in the folder of the configuration if there is one."""
    from groundlint.policy.baseline import FILE

    default = Path(os.path.relpath(config.root / FILE))
    return given or (default if default.is_file() and not isolated else None)


def one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    """End with a usage error unless a value is one of those known."""
    if value not in known:
        fail(f"{option}: {value!r} is not one of {', '.join(known)}")


def destinations(values: list[str], formats: tuple[str, ...], images: Images) -> Destinations:
    """The values of `--output`; text goes to standard output unless another one does."""
    outputs: Destinations = []
    for value in values:
        form, _, file = value.partition(":")
        one_of("--output", form, formats)
        outputs.append((form, destination(file, images) if file else None))
    return [("text", None), *outputs] if all(path for _, path in outputs) else outputs
