"""Runs that are interrupted, or wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import report_of, with_manifests
from lines import detection, manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_manifests(tmp_path)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
@pytest.mark.parametrize("delay", [0.2, 0.8])
def test_an_interrupted_run_leaves_a_shut_gate_and_no_partial_report(
    tmp_path: Path, sent: signal.Signals, status: int, delay: float
) -> None:
    (tmp_path / "big.manifest").write_text(manifest(*(detection(f"s3://b/{n}.jpg") for n in range(5000))) * 30)
    arguments = ["check", "big.manifest", "--output", "json:a.json", "--summary-file", "gate.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", *arguments], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        deadline = time.monotonic() + 20
        while not (tmp_path / "gate.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(delay)
        run.send_signal(sent)
        assert run.wait(timeout=30) == status
    assert report_of(tmp_path / "gate.json")["passed"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.manifest", "gate.json"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_ends_the_run_and_leaves_nothing_partial(folder: Path, sent: signal.Signals) -> None:
    (folder / "gate.json").write_text('{"passed": 1}')
    command = [sys.executable, "-m", "groundlint", "check", "bad.manifest", "-q", "--summary-file", "gate.json"]
    for delay in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
        with subprocess.Popen([*command, "--output", "json:a.json"], cwd=folder, stderr=subprocess.DEVNULL) as run:
            time.sleep(delay)
            run.send_signal(sent)
            # Before the command has taken over, the interpreter is killed by the signal itself.
            assert run.wait(timeout=30) in {128 + sent, -sent, 1}
        if (folder / "a.json").exists():
            assert report_of(folder / "a.json")["schema_version"] == 1
            assert report_of(folder / "gate.json")["passed"] == 0
        assert report_of(folder / "gate.json")["passed"] in {0, 1}
        assert not list(folder.glob(".*.tmp"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("path", ["-", "pipe.manifest"])
def test_a_signal_ends_the_wait_for_a_pipe_that_stays_open(
    folder: Path, path: str, sent: signal.Signals, status: int
) -> None:
    os.mkfifo(folder / "pipe.manifest")
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", "check", path], cwd=folder, stdin=subprocess.PIPE
    ) as run:
        # Until it waits.
        time.sleep(2)
        run.send_signal(sent)
        try:
            assert run.wait(timeout=10) == status
        finally:
            run.kill()


def test_a_closed_standard_input_is_not_an_empty_manifest(folder: Path) -> None:
    command = f"{sys.executable} -m groundlint check - <&-"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: -: standard input is closed\n")
