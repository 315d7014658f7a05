"""Measuring on a Dask cluster of separate processes: the report of one machine, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from command import PLACES, groundlint
from image_sets import DECODED, image_bytes, write_images
from lines import classification, manifest

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

START = """
from distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    print(cluster.scheduler_address, *(worker.pid for worker in cluster.workers.values()), flush=True)
    input()
"""


class Cluster(NamedTuple):
    """The scheduler's address, and the processes that are the workers."""

    address: str
    workers: list[int]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    program = tmp_path / "start_cluster.py"
    program.write_text(START)
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        address, *workers = process.stdout.readline().split()
        yield Cluster(address, [int(worker) for worker in workers])
        process.terminate()


def report(folder: Path, *arguments: str, **environment: str) -> bytes:
    flags = ("--no-cache", "--output", "json:report.json", *arguments)
    done = groundlint("check", "a.manifest", *flags, cwd=folder, **environment)
    assert done.returncode in (0, 1), done.stderr
    return (folder / "report.json").read_bytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images, one of which is broken."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "data")
    write_images(150)
    Path("images/3.jpg").write_bytes(image_bytes()[:600])
    return tmp_path / "data"


def test_a_cluster_gives_the_report_of_one_machine_and_keeps_no_process(folder: Path, cluster: Cluster) -> None:
    expected = report(folder)
    assert report(folder, "--dask", cluster.address) == expected
    # A second run finds the cluster as the first one did.
    assert report(folder, "--dask", cluster.address) == expected
    assert not [pid for pid in cluster.workers if _children(pid)]


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def test_a_killed_worker_loses_nothing(folder: Path, cluster: Cluster) -> None:
    expected = report(folder)
    command = ["check", "a.manifest", "--no-cache", "--dask", cluster.address, "--output", "json:report.json"]
    (folder / "report.json").unlink()
    with subprocess.Popen(
        [sys.executable, "-m", "groundlint", *command],
        cwd=folder,
        env={**PLACES, "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        # The worker has a process of its own once it measures.
        until = time.monotonic() + 60
        while not _children(cluster.workers[0]) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(cluster.workers[0], signal.SIGKILL)
        assert process.wait(timeout=120) in (0, 1), process.stderr.read() if process.stderr else ""
    assert (folder / "report.json").read_bytes() == expected


def test_workers_that_do_not_see_the_images_end_the_run(folder: Path, cluster: Cluster) -> None:
    from groundlint.images.cluster import ClusterPool
    from groundlint.images.pool import PoolError
    from groundlint.images.record import ImageTask

    pool = ClusterPool([], address=cluster.address)
    try:
        with pytest.raises(
            PoolError, match=r"--dask: .* does not see /nowhere/1\.jpg: all workers need the same file system"
        ):
            list(pool.measure([ImageTask(0, "/nowhere/1.jpg")]))
    finally:
        pool.close()


def test_workers_that_have_another_version_end_the_run(folder: Path, cluster: Cluster) -> None:
    from groundlint.images.cluster import ClusterPool
    from groundlint.images.pool import PoolError
    from groundlint.images.record import ImageTask

    pool = ClusterPool([DECODED.place._replace(key="decoded@99")], address=cluster.address)
    try:
        said = f"--dask: on {socket.gethostname()}, .*{DECODED.key} instead of decoded@99: install the same version"
        with pytest.raises(PoolError, match=said):
            list(pool.measure([ImageTask(0, str(folder / "images/1.jpg"))]))
    finally:
        pool.close()


def test_an_address_where_nothing_answers_is_named(folder: Path) -> None:
    done = groundlint("check", "a.manifest", "--no-cache", "--dask", "tcp://127.0.0.1:9", cwd=folder)
    assert done.returncode == 2
    assert "error: --dask tcp://127.0.0.1:9: no scheduler can be reached there" in done.stderr


def test_a_run_that_has_all_in_the_cache_needs_no_cluster(folder: Path) -> None:
    for name in Path("images").iterdir():
        os.utime(name, (time.time() - 100,) * 2)
    Path("a.manifest").write_text(manifest(*(classification(f"s3://bucket/images/{n}.jpg", "a") for n in range(5))))
    assert groundlint("check", "a.manifest", cwd=folder).returncode in (0, 1)
    assert groundlint("check", "a.manifest", "--dask", "tcp://127.0.0.1:9", cwd=folder).returncode in (0, 1)


def test_images_in_s3_are_sent_to_workers_without_credentials(folder: Path, cluster: Cluster) -> None:
    pytest.importorskip("moto")
    from s3_server import running_proxy, running_server

    keys = [str(path) for path in Path("images").iterdir()]
    with running_server() as server, running_proxy(server) as proxy:
        server.fill("pictures", {key: Path(key).read_bytes() for key in keys})
        server.put("s3://pictures/large.png", image_bytes((1600, 1200), format="BMP"))
        keys += ["gone.jpg", "large.png"]
        lines = (classification(f"s3://pictures/{key}", "ab"[n % 2]) for n, key in enumerate(keys))
        Path("a.manifest").write_text(manifest(*lines))
        environment = {**server.environment, "AWS_ENDPOINT_URL_S3": proxy.url}
        for select in ((), ("--select", "IMG1,IMG205")):
            expected = report(folder, "--s3", *select, **environment)
            proxy.requests.clear()
            assert report(folder, "--s3", "--dask", cluster.address, *select, **environment) == expected
            assert proxy.count("GET") == len(keys)
            # Less than a batch at once, and a slow service.
            proxy.latency = 0.05
            assert report(folder, "--s3", "--dask", cluster.address, *select, **environment) == expected
            proxy.latency = 0
    assert not [pid for pid in cluster.workers if _children(pid)]
