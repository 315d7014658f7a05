"""`groundlint init` and `groundlint clean`: what the linter keeps in a data set's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from groundlint.cli.options import CacheDir, ConfigFile, Isolated, cache_folder, configure
from groundlint.cli.output import fail, print_text, reported, write


def init() -> None:
    """Write a commented groundlint.toml for the manifests below the working directory."""
    from groundlint.config import settings as config
    from groundlint.config import template as starter
    from groundlint.config.discovery import manifests_below
    from groundlint.engine.wording import number_of

    file = Path.cwd() / config.FILE
    if file.exists():
        fail(f"{config.FILE}: there is one already")
    with reported():
        names = manifests_below(".", exclude=(), root=Path.cwd())
    manifests = [Path(name).as_posix() for name in names]
    write(file, starter.text(manifests))
    alone = number_of(len(starter.grouped(manifests).alone), "manifest")
    found = number_of(len(manifests), "manifest")
    print_text(f"{config.FILE}: written for {found}, {alone} in no data set; `groundlint check` uses it\n")


def clean(config: ConfigFile = None, isolated: Isolated = False, cache_dir: CacheDir = None) -> None:
    """Remove what was remembered of images."""
    from groundlint.images.cache import TAG

    with reported():
        folder = cache_dir or cache_folder(configure(config, isolated))
    if not folder.exists():
        print_text("nothing is remembered\n")
        return
    if not (folder / TAG).is_file():
        fail(f"{folder}: this is no cache of groundlint; remove it by hand if you mean it")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        fail(f"{folder}: the cache cannot be removed: {error.strerror}")
    print_text(f"{folder}: removed\n")
