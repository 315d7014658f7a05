"""`groundlint init`: write a first configuration."""

from __future__ import annotations

from pathlib import Path

from groundlint.cli.output import fail, print_lines, reported, write


def init() -> None:
    """Write a commented groundlint.toml for the manifests below the working directory."""
    from groundlint.config import settings, template
    from groundlint.config.data_sets import Source
    from groundlint.config.discovery import manifests_below
    from groundlint.manifest.foreign import looks_like
    from groundlint.phrases import number_of

    file = Path.cwd() / settings.FILE
    if file.exists():
        fail(f"{settings.FILE}: the file exists already")
    with reported():
        names = manifests_below(".", exclude=(), root=Path.cwd())
    manifests = [Path(name).as_posix() for name in names if not looks_like(Source(name, "train", Path(name)))]
    write(file, template.text(manifests))
    found = number_of(len(manifests), "manifest")
    alone = number_of(len(template.grouped(manifests).alone), "manifest")
    print_lines([f"{settings.FILE}: written for {found}, {alone} in no data set; `groundlint check` uses it"])
