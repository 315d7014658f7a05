"""`groundlint init`: a first configuration for the manifests that are there."""

from __future__ import annotations

from pathlib import Path

from groundlint.cli.output import fail, print_text, reported, write


def init() -> None:
    """Write a commented groundlint.toml for the manifests below the working directory."""
    from groundlint import config, starter
    from groundlint.discover import manifests_below

    file = Path.cwd() / config.FILE
    if file.exists():
        fail(f"{config.FILE}: there is one already")
    with reported():
        names = manifests_below(".", exclude=(), root=Path.cwd())
    write(file, starter.text([Path(name).as_posix() for name in names]))
    print_text(f"{config.FILE}: written for {len(names)} manifests; `groundlint check` uses it\n")
