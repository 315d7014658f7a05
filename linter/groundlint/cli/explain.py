"""Commands that show what the linter knows: of the data, of its rules, of its configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from groundlint.cli.options import (
    CacheDir,
    ConfigFile,
    Embeddings,
    Exclude,
    Images,
    Isolated,
    Jobs,
    NoCache,
    NoProgress,
    Paths,
    PredProbs,
    Quiet,
    RequireImages,
    Split,
    StdinName,
    Target,
    configure,
    load,
    measuring,
    requested,
)
from groundlint.cli.output import BROKEN, FAILED, fail, print_text, progress, replacing, reported, say, write


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
    images: Images = None,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    cache_dir: CacheDir = None,
    embeddings: Embeddings = None,
    pred_probs: PredProbs = None,
    require_images: RequireImages = False,
    no_progress: NoProgress = False,
    quiet: Quiet = False,
) -> None:
    """Write a table of the data as a file."""
    if to.suffix not in (".parquet", ".csv", ".jsonl"):
        fail(f"{to}: a table is written as .parquet, .csv or .jsonl")
    from groundlint import export as exports

    with reported():
        settings = configure(config, isolated, target=target, exclude=exclude)
        registry, _ = load(settings, isolated=isolated)
        how = measuring(settings, images, jobs, no_cache, cache_dir, embeddings, pred_probs)
        request = requested(paths, train, test, reference, stdin_filename, **how)
        with progress(wanted=not (no_progress or quiet)) as tell:
            rows, not_found = exports.export(registry, table, settings, request, tell)
    if not_found and (require_images or not quiet):
        say(f"{'error' if require_images else 'note'}: {not_found}")
    with replacing(to) as temporary:
        if to.suffix == ".parquet":
            rows.write_parquet(temporary)
        elif to.suffix == ".jsonl":
            exports.readable(rows).write_ndjson(temporary)
        else:
            exports.flat(exports.readable(rows)).write_csv(temporary)
    if not_found and require_images:
        raise typer.Exit(BROKEN)


def rule(
    name: Annotated[
        str | None, typer.Argument(metavar="CODE|NAME", help="The rule; a code of the service is one too.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="All rules.")] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page for each rule, with an index.")
    ] = None,
    isolated: Isolated = False,
) -> None:
    """Explain a rule: what it finds, why it matters, how to mend it."""
    if (name is None) == (not show_all):
        fail("name a rule, or --all")
    from groundlint import pages as docs
    from groundlint.engine import registry

    with reported():
        known = registry.load(isolated=isolated)
        codes = sorted(known.rules) if show_all else [rule.code for rule in known.named(str(name))]
    pages = {code: docs.page(known, code) for code in codes}
    if to is None:
        print_text("\n".join(pages.values()))
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{to}: the folder cannot be made: {error.strerror}")
    for code, page in pages.items():
        write(to / f"{code}.md", page)
    write(to / "index.md", docs.index(known))


def show_config(
    schema: Annotated[bool, typer.Option("--schema", help="Its JSON Schema.")] = False,
    config: ConfigFile = None,
    isolated: Isolated = False,
) -> None:
    """Show the configuration in force."""
    from groundlint.config import settings as settings_of
    from groundlint.engine import registry

    with reported():
        if schema:
            shown: Any = settings_of.schema(registry.load(isolated=isolated))
        else:
            shown = configure(config, isolated).settings.model_dump(mode="json", by_alias=True)
    print_text(json.dumps(shown, indent=2) + "\n")


def test(package: Annotated[str, typer.Argument(help="Installed package with rules.")]) -> None:
    """Try the examples of a package's rules."""
    from groundlint.engine import examples, registry

    with reported():
        known = registry.load()
        rules = known.of_package(package)
        if not rules:
            owners = ", ".join(sorted(set(known.packages.values())))
            fail(f"no installed package {package} has rules; those that have: {owners}")
        faults = [fault for rule in rules for fault in examples.faults(known, rule)]
    count = sum(len(rule.examples) for rule in rules)
    print_text("".join(f"{fault}\n" for fault in faults))
    print_text(f"{len(rules)} rules, {count} examples, {len(faults)} faults\n")
    if faults:
        raise typer.Exit(FAILED)
