"""The command in a process of its own, and manifests to run it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lines import detection, manifest

from groundlint.engine.registry import load

RULES = load(isolated=True).rules
# Where programs and packages are.
PLACES = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
GOOD = manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(12)))
BAD = manifest(
    detection("s3://bucket/1.jpg", ({"left": -5}, {})), *(detection(f"s3://bucket/{n}.jpg") for n in range(2, 14))
)
WARN = manifest({"source-ref": "s3://bucket/0.jpg"}) + GOOD.replace("/0.jpg", "/99.jpg")


def groundlint(
    *arguments: str, cwd: Path, stdin: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without the environment of the tests; standard error without notes."""
    done = subprocess.run(
        [sys.executable, "-m", "groundlint", *arguments],
        cwd=cwd,
        input=stdin,
        env={**PLACES, "HOME": str(cwd), **environment},
        capture_output=True,
        check=False,
    )
    said = "".join(line for line in done.stderr.decode().splitlines(keepends=True) if not line.startswith("note: "))
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), said)


def with_manifests(folder: Path) -> Path:
    """A folder with a sound manifest, one with an error, and one with a warning."""
    for name, text in {"good": GOOD, "bad": BAD, "warn": WARN}.items():
        (folder / f"{name}.manifest").write_text(text)
    return folder


def report_of(path: Path) -> Any:
    """The JSON in a file."""
    return json.loads(path.read_text())
