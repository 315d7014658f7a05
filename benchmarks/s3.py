"""Measure downloading and checking images in S3: against obstore itself, and against the same files on disk.

Run `python benchmarks/s3.py --folder FOLDER`; `--help` lists the options. The server is a toy on loopback that answers
from memory after a delay; it takes its share of the same processors.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from obstore.store import S3Store
from PIL import Image

from groundlint.config.s3_access import S3Access
from groundlint.images.downloads import MAX_REQUESTS, Downloads
from groundlint.images.record import ImageTask
from groundlint.images.s3 import S3

LATENCIES = (0, 30)
"""Milliseconds before each answer."""

BUCKET = "bench"

_SERVE = """
import asyncio, pathlib, re, sys

folder, latency = pathlib.Path(sys.argv[1]), float(sys.argv[2]) / 1000
files = {f"/bench/images/{path.name}".encode(): path.read_bytes() for path in (folder / "images").iterdir()}
RANGE = re.compile(rb"\\nrange: bytes=0-(\\d+)", re.IGNORECASE)
HEAD = b'HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\nETag: "%d"\\r\\n'
HEAD += b'Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT\\r\\n\\r\\n'

async def serve(reader, writer):
    try:
        while True:
            request = await reader.readuntil(b"\\r\\n\\r\\n")
            method, path, _ = request.split(b" ", 2)
            body = files.get(path, b"")
            await asyncio.sleep(latency)
            status, sent = b"200 OK", body
            if last := RANGE.search(request):
                sent = body[: int(last[1]) + 1]
                status = b"206 Partial\\r\\nContent-Range: bytes 0-%d/%d" % (len(sent) - 1, len(body))
            writer.write(HEAD % (status, len(sent), hash(body)) + (b"" if method == b"HEAD" else sent))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def write_images(folder: Path, count: int) -> None:
    """Write different JPEG files of about 60 kB, and a manifest that names them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for n in range(count):
        path = folder / "images" / f"{n}.jpg"
        if not path.exists():
            random = np.random.default_rng(n)
            coarse = Image.fromarray(random.integers(0, 255, (9, 12, 3), dtype=np.uint8)).resize((480, 360))
            noise = random.integers(-40, 40, (360, 480, 3))
            pixels = np.clip(np.asarray(coarse, dtype=np.int16) + noise, 0, 255).astype(np.uint8)
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "JPEG", quality=75)
            path.write_bytes(stream.getvalue())
        label = {"class-name": "ab"[n % 2], "confidence": 0.9, "type": "groundtruth/image-classification"}
        label |= {"human-annotated": "yes", "creation-date": "2024-05-02T10:11:12", "job-name": "job"}
        lines.append(json.dumps({"source-ref": f"s3://{BUCKET}/images/{n}.jpg", "kind": 0, "kind-metadata": label}))
    (folder / "a.manifest").write_text("\n".join(lines) + "\n")


@contextmanager
def server(folder: Path, latency: int) -> Iterator[str]:
    command = [sys.executable, "-c", _SERVE, str(folder), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def seconds_of(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def with_obstore(uris: list[str], url: str) -> None:
    """As many requests at once, with nothing but obstore."""
    store = S3Store(
        BUCKET,
        endpoint=url,
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        client_options={"allow_http": True},
    )
    with ThreadPoolExecutor(MAX_REQUESTS) as threads:
        list(threads.map(lambda uri: store.get(uri.partition(f"{BUCKET}/")[2]).bytes().to_bytes(), uris))


def with_downloads(uris: list[str]) -> None:
    """The same objects as the session fetches them."""
    access = S3Access()
    downloads = Downloads(S3(access), access)
    count = 0
    for task in downloads.loaded(ImageTask(n, uri) for n, uri in enumerate(uris)):
        if task is None:
            # The session waits for its workers here.
            time.sleep(0.002)
        else:
            count += 1
            downloads.release(task.path)
    assert count == len(uris), downloads.unread


def check(folder: Path, select: str, *flags: str) -> tuple[float, float]:
    """Wall time and CPU time of a check, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "groundlint", "check", "a.manifest", "--no-cache", "--select", select, *flags]
    wall = seconds_of(lambda: subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False) and None)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--select", default="IMG,DUP", help="rules of the checks")
    parser.add_argument("--only", choices=("downloads", "check"))
    parser.add_argument("--latency", type=int, action="append", help="milliseconds; may be repeated")
    given = parser.parse_args()
    write_images(given.folder, given.objects)
    size = sum(path.stat().st_size for path in (given.folder / "images").iterdir()) / given.objects
    print(f"{given.objects:,} objects of {size / 1000:.0f} kB, {os.cpu_count()} processors")
    uris = [f"s3://{BUCKET}/images/{n}.jpg" for n in range(given.objects)]
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for latency in given.latency or LATENCIES:
        with server(given.folder, latency) as url:
            os.environ["AWS_ENDPOINT_URL_S3"] = url
            if given.only != "check":
                # One after the other, so that both see the same load of the machine.
                pairs = [
                    (seconds_of(lambda: with_obstore(uris, url)), seconds_of(lambda: with_downloads(uris)))
                    for _ in range(given.rounds)
                ]
                alone, ours = (len(uris) / min(times) for times in zip(*pairs, strict=True))
                ratio = median(theirs / own for theirs, own in pairs)
                print(f"{latency} ms: obstore {alone:,.0f}/s, downloads {ours:,.0f}/s, median ratio {ratio:.2f}")
            if given.only != "downloads":
                runs = [
                    (check(given.folder, given.select, "--images", "."), check(given.folder, given.select, "--s3"))
                    for _ in range(given.rounds)
                ]
                wall = median(remote[0] / local[0] for local, remote in runs)
                cpu = median(remote[1] / local[1] for local, remote in runs)
                disk, remote = (min(run[side][0] for run in runs) for side in (0, 1))
                print(f"{latency} ms: check on disk {disk:.1f} s, in S3 {remote:.1f} s, wall {wall:.2f}, CPU {cpu:.2f}")


if __name__ == "__main__":
    main()
