"""`groundlint clean`: remove the cache."""

from __future__ import annotations

import shutil

from groundlint.cli.options import CacheDir, ConfigFile, Isolated, cache_folder, configuration
from groundlint.cli.output import fail, print_lines, reported


def clean(config: ConfigFile = None, isolated: Isolated = False, cache_dir: CacheDir = None) -> None:
    """Remove the cached measurements of images."""
    from groundlint.images.cache import TAG
    from groundlint.sanitize import visible

    with reported():
        folder = cache_dir or cache_folder(configuration(config, isolated=isolated))
    if not folder.exists():
        print_lines(["nothing is cached"])
        return
    if not (folder / TAG).is_file():
        fail(f"{folder}: not a cache of groundlint; remove it yourself if you mean it")
    try:
        shutil.rmtree(folder)
    except OSError as error:
        fail(f"{folder}: the cache cannot be removed: {error.strerror}")
    print_lines([f"{visible(str(folder), limit=None)}: removed"])
