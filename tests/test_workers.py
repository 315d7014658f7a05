"""Worker processes: messages, exceptions, death; the pool that measures images, and parts of manifests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from image_sets import (
    COUNT,
    CULPRITS,
    DECODED,
    image_bytes,
    image_tables,
    imported,
    measured_in_pool,
    tables_of,
    write_images,
)
from lines import detection

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.features import Feature
from groundlint.images.pool import PoolError
from groundlint.images.record import ImageTask
from groundlint.manifest.reader import read
from groundlint.processes.process import WorkerError, WorkerProcess, ready

unix_only = pytest.mark.skipif(os.name == "nt", reason="signals are those of Unix")

SERVERS = """
import json, os, sys, time

def serve(connection):
    while True:
        order, data = connection.recv_bytes().split(b" ", 1)
        if order == b"raise": raise ValueError("odd \\ud800")
        if order == b"exit": os._exit(3)
        if order == b"print": print("x" * 100_000, flush=True)
        if order == b"modules": data = json.dumps(sorted(sys.modules)).encode()
        if order == b"threads": data = os.environ["OPENBLAS_NUM_THREADS"].encode()
        if order == b"wait": time.sleep(600)
        connection.send_bytes(data)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with images, from which this process and its workers import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    write_images()
    return tmp_path


Start = Callable[[], WorkerProcess]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts workers that do what they are told, and ends them."""
    Path("servers.py").write_text(SERVERS)
    started: list[WorkerProcess] = []

    def start_one() -> WorkerProcess:
        started.append(WorkerProcess("servers"))
        return started[-1]

    yield start_one
    for worker in started:
        worker.stop()


def answer(worker: WorkerProcess, message: bytes) -> bytes | None:
    worker.send(message)
    return worker.receive()


def test_a_worker_answers_and_what_it_prints_is_not_an_answer(start: Start) -> None:
    worker = start()
    assert answer(worker, b"echo one") == b"one"
    assert answer(worker, b"print two") == b"two"


def test_linear_algebra_has_one_thread_in_a_worker(start: Start) -> None:
    assert answer(start(), b"threads ") == b"1"


def test_messages_larger_than_any_buffer_do_not_block_both_sides(start: Start) -> None:
    worker = start()
    data = b"x" * 20_000_000
    for _ in range(4):
        worker.send(b"echo " + data)
    assert [len(worker.receive() or b"") for _ in range(4)] == [len(data)] * 4


def test_an_exception_in_a_worker_arrives_with_its_traceback(start: Start) -> None:
    worker = start()
    with pytest.raises(WorkerError, match=r"ValueError: odd \\ud800") as raised:
        answer(worker, b"raise ")
    assert 'raise ValueError("odd' in raised.value.traceback
    assert worker.receive() is None


def test_a_module_that_cannot_be_imported_is_an_exception_of_the_worker() -> None:
    worker = WorkerProcess("no_such_module")
    with pytest.raises(WorkerError, match="no_such_module"):
        worker.receive()
    worker.stop()


def test_a_worker_that_ends_is_noticed_while_others_wait(start: Start) -> None:
    workers = [start(), start(), start()]
    workers[0].send(b"wait ")
    workers[1].send(b"exit ")
    assert ready(workers, 30) == [workers[1]]
    assert workers[1].receive() is None
    assert workers[1].stop() == 3
    assert ready([workers[0], workers[2]], 0.1) == []


@unix_only
def test_a_worker_ends_when_its_parent_is_gone(folder: Path, start: Start) -> None:
    code = (
        "from groundlint.processes.process import WorkerProcess\n"
        "import os, psutil, signal\n"
        "worker = WorkerProcess('servers')\n"
        "worker.send(b'echo x')\n"
        "worker.receive()\n"
        "open('child', 'w').write(str(psutil.Process().children()[0].pid))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = psutil.Popen([sys.executable, "-c", code])
    assert parent.wait(30) == -signal.SIGKILL
    child = int(Path("child").read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(30)


@pytest.mark.parametrize(
    ("module", "needless"),
    [
        ("groundlint.images.measure, groundlint.images.worker", {"polars", "numpy", "pydantic", "sqlite3", "typer"}),
        ("groundlint.manifest.worker", {"numpy", "PIL", "pydantic", "sqlite3", "typer"}),
        ("groundlint.session", {"multiprocessing", "numpy", "PIL", "scipy"}),
    ],
)
def test_no_process_imports_what_it_does_not_need(module: str, needless: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert needless & set(done.stdout.split()) == set()


# The pool that measures images


def tasks() -> list[ImageTask]:
    return [ImageTask(n, f"images/{n}.jpg") for n in range(COUNT)]


@unix_only
def test_a_file_that_kills_or_hangs_a_worker_costs_only_itself() -> None:
    culprit = imported("culprits", CULPRITS).culprit
    image = image_bytes()
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(image)
    for n, order in ((5, b"crash"), (17, b"hang"), (30, b"crash"), (31, b"exit")):
        Path(f"images/{n}.jpg").write_bytes(image + order)
    records = {each.number: each.record for each in measured_in_pool(tasks(), [culprit], jobs=2, timeout=2)}
    assert sorted(records) == list(range(COUNT))
    faults = {number: record.fault for number, record in records.items() if record.fault}
    assert faults == {5: "crashed", 17: "timed-out", 30: "crashed", 31: "crashed"}
    assert records[17].detail == "measuring it takes more than 2 s"
    assert records[30].detail == "measuring it ended the process twice (status -11)"
    assert records[31].detail == "measuring it ended the process twice (SystemExit: gone)"


@unix_only
def test_a_worker_that_somebody_kills_costs_nothing() -> None:
    large = image_bytes((2000, 1500), quality=95)
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(large)
    Path("images/7.jpg").write_bytes(b"no image")
    faults = {}
    for each in measured_in_pool(tasks(), [DECODED], jobs=2):
        faults[each.number] = each.record.fault
        if len(faults) == 3:
            psutil.Process().children()[0].kill()
    assert sorted(faults) == list(range(COUNT))
    assert {number: fault for number, fault in faults.items() if fault} == {7: "no-image"}


@unix_only
def test_a_worker_that_ends_as_it_starts_leaves_its_work_to_the_others() -> None:
    size = imported(
        "once",
        "import os, signal\n"
        "from groundlint.engine.features import feature\n"
        "try:\n"
        "    open('begun', 'x').close()\n"
        "except FileExistsError:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "@feature(of='images', dtype=int)\n"
        "def size(data: bytes) -> int:\n"
        "    return len(data)\n",
    ).size
    Path("begun").unlink()
    measured = {each.number: each.record.values[size.key] for each in measured_in_pool(tasks(), [size], jobs=2)}
    assert measured == {n: Path(f"images/{n}.jpg").stat().st_size for n in range(COUNT)}


def test_a_feature_that_cannot_be_imported_is_named_with_the_traceback() -> None:
    def lost(data: bytes) -> int:
        return len(data)

    with pytest.raises(PoolError, match="images cannot be measured: ") as raised:
        list(measured_in_pool(tasks()[:1], [Feature(lost, "images", 1, int)], jobs=1))
    assert raised.value.raised is not None
    assert "importlib.import_module(module)" in raised.value.raised.traceback


@pytest.mark.parametrize(("count", "jobs", "processes"), [(0, 2, 0), (3, 2, 1), (COUNT, 2, 2), (COUNT, 8, 2)])
def test_there_are_no_more_workers_than_work(count: int, jobs: int, processes: int) -> None:
    most = 0
    for _ in measured_in_pool(tasks()[:count], [DECODED], jobs=jobs):
        most = max(most, len(psutil.Process().children()))
    assert most == processes
    assert psutil.Process().children() == []


@unix_only
def test_a_system_that_starts_no_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(PoolError, match=r"no worker process can be started .*: No such file"):
        list(measured_in_pool(tasks(), [DECODED], jobs=2))


def test_a_feature_that_raises_is_reported_once_and_its_images_are_not_cached(folder: Path) -> None:
    culprit = imported("culprits_once", CULPRITS).culprit
    for n in (3, 4, 20):
        with Path(f"images/{n}.jpg").open("ab") as stream:
            stream.write(b"raise")
    for path in Path("images").iterdir():
        os.utime(path, (0, 0))
    for opened in (COUNT, 3):
        made = image_tables(folder / "cache", features=[culprit])
        values = tables_of(made)["images"].sort("path")
        assert [(raised.what, raised.error) for raised in made.raised] == [("feature culprit", "RuntimeError: odd")]
        assert "in culprit" in made.raised[0].traceback
        assert (made.opened, values["culprit"].null_count(), values["fault"].null_count()) == (opened, 3, COUNT)


# Parts of manifests


@pytest.fixture
def large() -> DataSet:
    """A manifest of many lines, among them bad ones."""
    lines = [json.dumps(detection(f"s3://bucket/{n}.jpg", ({}, {"left": -1}))) for n in range(3000)]
    lines[1234] = "{"
    lines[2345] = ""
    Path("large.manifest").write_text("\n".join(lines) + "\n")
    return DataSet((Source("large.manifest", "train", Path("large.manifest")),), frozenset())


def sorted_tables(data_set: DataSet, jobs: int) -> dict[str, Any]:
    tables = read([data_set], jobs=jobs, part=1000).tables
    return {name: table.drop("box_id", strict=False).rows() for name, table in tables.items()}


def sorted_rows(tables: dict[str, Any]) -> dict[str, list[str]]:
    return {name: sorted(map(repr, rows)) for name, rows in tables.items()}


def test_parts_read_by_processes_make_the_same_tables(large: DataSet) -> None:
    assert sorted_rows(sorted_tables(large, 3)) == sorted_rows(sorted_tables(large, 1))


@unix_only
def test_a_part_whose_process_does_not_start_is_still_read(large: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sorted_rows(sorted_tables(large, 1))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert sorted_rows(sorted_tables(large, 3)) == whole


def test_a_part_whose_process_raises_is_still_read(
    large: DataSet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sorted_rows(sorted_tables(large, 1))
    # Workers import this file in place of polars, which this process has imported already.
    Path("polars.py").write_text("raise ImportError('not here')\n")
    assert sorted_rows(sorted_tables(large, 3)) == whole
