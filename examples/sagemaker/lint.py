"""Entry point of the SageMaker Processing container: check the data of the job, and write the reports to its output.

The arguments of the job are flags of `groundlint check`. Without `--exit-zero`, findings fail the job; what cannot be
checked always does. The reason is in the job's ExitMessage.

After the argument `measure` they are flags of `groundlint measure`: each instance of the job measures the images that
it was given, and writes the measurements to the output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

MAX_MESSAGE = 1024
"""Bytes of a failure message that the service shows."""


def main(arguments: Sequence[str], root: Path = Path("/opt/ml")) -> int:
    """Check or measure the data of the job, and return the exit code of groundlint.

    Args:
        arguments: Flags of `groundlint check`, or "measure" and flags of `groundlint measure`.
        root: The folder in which the service puts inputs and takes outputs.
    """
    output = root / "processing/output"
    output.mkdir(parents=True, exist_ok=True)
    report = output / "report.json"
    if arguments[:1] == ["measure"]:
        # The instances write to one prefix of S3, so their files need different names.
        resources = json.loads((root / "config/resourceconfig.json").read_text(encoding="utf-8"))
        name, flags = "measure", [*arguments[1:], f"--to={output / resources['current_host']}.parquet"]
    else:
        name = "check"
        flags = [
            "--require-images",
            "--output=text",
            f"--output=json:{report}",
            f"--output=html:{output / 'report.html'}",
            f"--summary-file={output / 'summary.json'}",
            *arguments,
        ]
    inputs = str(root / "processing/input")
    command = [sys.executable, "-P", "-m", "groundlint", name, inputs, "--no-progress", *flags]
    errors = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        for line in process.stderr:
            # The log of the job has everything, its message only the errors.
            sys.stderr.write(line)
            if line.startswith("error: "):
                errors.append(line.removeprefix("error: "))
    if process.returncode:
        # The service reads the message of a failed job here.
        message = root / "output/message"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_bytes("".join(errors or [found(report)]).encode()[:MAX_MESSAGE])
    return process.returncode


def found(report: Path) -> str:
    """The numbers of findings, and the rules that have most of the worst."""
    if not report.is_file():
        return "groundlint ended without a report"
    read = json.loads(report.read_text(encoding="utf-8"))
    levels = list(read["summary"]["counts"])
    rules = Counter((levels.index(each["severity"]), each["code"]) for each in read["findings"])
    worst = sorted(rules.items(), key=lambda rule: (rule[0][0], -rule[1], rule[0][1]))
    counts = ", ".join(f"{level}: {count}" for level, count in read["summary"]["counts"].items())
    named = ", ".join(f"{code} ({count})" for (_, code), count in worst[:10])
    return f"groundlint found faults in the data ({counts}), worst first: {named}; see report.json in the output"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
