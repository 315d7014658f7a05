"""The two steps of the GitHub Action: `install` groundlint, and `check` the data.

Inputs are environment variables, and every one becomes whole arguments of a program: no shell reads them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

# The working directory is the repository that is checked: its modules must not replace those that are installed.
PYTHON = (sys.executable, "-P", "-m")

COULD_NOT_CHECK = 2
"""The exit code of groundlint where something could not be checked."""


def install() -> int:
    """Install the version that is asked for, else that of the action."""
    version = given("version")
    if version and not re.fullmatch(r"[0-9]+(\.[0-9]+)*([a-z]+[0-9]+)?", version):
        return refuse("version is not a version number, such as 0.1.0")
    wanted = f"groundlint=={version}" if version else os.environ["GITHUB_ACTION_PATH"]
    return subprocess.run([*PYTHON, "pip", "install", "--disable-pip-version-check", wanted], check=False).returncode


def check() -> int:
    """Check, print annotations, write the reports, and return the exit code of groundlint."""
    require_images = given("require_images") or "true"
    if require_images not in ("true", "false"):
        return refuse("require-images is neither true nor false")
    try:
        more = shlex.split(given("args"))
    except ValueError as error:
        return refuse(f"args cannot be split into arguments: {error}")
    folder = Path(tempfile.mkdtemp(prefix="groundlint-", dir=os.environ.get("RUNNER_TEMP")))
    sarif, report, summary, page = (
        folder / name for name in ("groundlint.sarif", "groundlint.html", "summary.json", "summary.md")
    )
    flags = [
        "--no-progress",
        "--output=github",
        f"--output=markdown:{page}",
        f"--output=sarif:{sarif}",
        f"--summary-file={summary}",
        f"--output=html:{report}",
        *(["--require-images"] if require_images == "true" else []),
        *([f"--fail-on={given('fail_on')}"] if given("fail_on") else []),
        *(f"--images={images}" for images in given("images").splitlines() if images.strip()),
    ]
    paths = [path.strip() for path in given("paths").splitlines() if path.strip()]
    # Nothing after -- is a flag, whatever the name of a file is.
    done = subprocess.run([*PYTHON, "groundlint", "check", *flags, *more, "--", *paths], check=False)
    if done.returncode == COULD_NOT_CHECK:
        print("::error title=groundlint::Not everything could be checked; the log of this step says why")
    append("GITHUB_STEP_SUMMARY", page.read_text(encoding="utf-8") if page.is_file() else "")
    outputs = {"sarif": sarif, "report": report, "summary": summary}
    append("GITHUB_OUTPUT", "".join(f"{name}={file}\n" for name, file in outputs.items() if file.is_file()))
    return done.returncode


def given(name: str) -> str:
    """An input of the action."""
    return os.environ.get(f"INPUT_{name.upper()}", "").strip()


def append(variable: str, text: str) -> None:
    """Add text to the file that an environment variable names."""
    if file := os.environ.get(variable):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text)


def refuse(why: str) -> int:
    """Say which input is wrong, as an annotation."""
    print(f"::error title=groundlint::{why}")
    return COULD_NOT_CHECK


if __name__ == "__main__":
    sys.exit({"install": install, "check": check}[sys.argv[1]]())
