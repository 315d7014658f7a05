"""Files and folders that must not stay when a signal ends the run."""

from __future__ import annotations

import shutil
from pathlib import Path

temporaries: set[Path] = set()
"""Those that there are now. Whoever makes one adds it, and discards it when it is gone."""


def remove_temporaries() -> None:
    """Remove all of them, as far as that is possible."""
    for path in temporaries:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
