"""A fix that is killed leaves each manifest as it was or as it becomes, never torn and never lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import PLACES
from lines import detection, manifest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")]

KILLS = 200
COUNT = 4000
BEFORE = "".join(
    line.replace("source-ref", "source_ref") + "\n" * (1 + (n % 3 == 0))
    for n, line in enumerate(manifest(*(detection(f"s3://bucket/{n}.jpg") for n in range(COUNT))).splitlines())
).encode()
NAMES = ("train.manifest", "test.manifest")


def run(folder: Path) -> subprocess.Popen[bytes]:
    flags = ("--fix", "--select", "MAN201,REF101", "--isolated", "--no-progress", "--no-cache", "--jobs", "1")
    return subprocess.Popen(
        [sys.executable, "-m", "groundlint", "check", "--train", NAMES[0], "--test", NAMES[1], *flags],
        cwd=folder,
        env={**PLACES, "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def write(folder: Path) -> None:
    for name in NAMES:
        (folder / name).write_bytes(BEFORE)


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_no_manifest_is_torn_or_lost(tmp_path: Path) -> None:
    chance = random.Random(1)
    write(tmp_path)
    start = time.monotonic()
    assert run(tmp_path).wait() == 0
    seconds = time.monotonic() - start
    after = {name: (tmp_path / name).read_bytes() for name in NAMES}
    assert all(text != BEFORE and b"source_ref" not in text for text in after.values())
    outcomes = {"before": 0, "after": 0, "between": 0}
    while_writing = 0
    for n in range(KILLS):
        write(tmp_path)
        child = run(tmp_path)
        if n % 2:
            # Files are written in a small part of the time: half of the kills are then.
            while child.poll() is None and not temporaries(tmp_path):
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0, seconds))
        child.send_signal(signal.SIGKILL)
        child.wait()
        left = temporaries(tmp_path)
        while_writing += bool(left)
        texts = {name: (tmp_path / name).read_bytes() for name in NAMES}
        assert all(texts[name] in (BEFORE, after[name]) for name in NAMES)
        changed = sum(texts[name] != BEFORE for name in NAMES)
        outcomes[("before", "between", "after")[changed]] += 1
        for path in left:
            path.unlink()
    print(f"{outcomes}, killed while files were written: {while_writing}")  # noqa: T201 - for the one who runs it
    assert sum(outcomes.values()) == KILLS
    assert while_writing
    # What a kill left half done, the next run ends.
    assert run(tmp_path).wait() == 0
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == after
