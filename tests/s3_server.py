"""S3 servers on loopback, as processes of their own, and a proxy before them that injects faults."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

Fault = str | tuple[int, str] | None

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "secret-of-tests"}

_SERVE = """
import logging, sys, threading
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


OTHERS = {
    "pys3local": ("--path", "{folder}", "--listen", "127.0.0.1:{port}", "--allow-bucket-creation"),
    "s3rver": ("--directory", "{folder}", "--address", "127.0.0.1", "--port", "{port}", "--silent"),
}
"""Servers that have nothing in common with moto's, and their arguments. That of PyPI sends whole objects only."""

_KEY = "S3RVER"
"""The only key, and its secret, that s3rver knows."""


class Server:
    """A server, and a way to fill it."""

    def __init__(self, url: str, credentials: Mapping[str, str] = CREDENTIALS) -> None:
        self.url = url
        self.credentials = credentials
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                connect_timeout=5,
                read_timeout=20,
                s3={"addressing_style": "path"},
                # Not all servers know the form that checksums have by default.
                request_checksum_calculation="when_required",
            ),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the command reads from it."""
        return {**self.credentials, "AWS_ENDPOINT_URL_S3": self.url}

    def fill(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Make a bucket with objects by key."""
        self.client.create_bucket(Bucket=bucket)
        for key, data in objects.items():
            self.put(f"s3://{bucket}/{key}", data)

    def put(self, uri: str, data: bytes) -> None:
        """Write an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=data, ACL="public-read")

    def get(self, uri: str) -> bytes:
        """The bytes of an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        data: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data


class Proxy(ThreadingHTTPServer):
    """Stands before a server, counts the requests and injects faults.

    Attributes:
        requests: Method, path and headers of each request.
        fault: Called with the path of an object and how often it was asked for, from 1. It returns what happens: None
            for the answer of the server, "reset" or "truncated" for half of it, or a status with an error code.
        latency: Seconds before each answer.
        sent: Bytes of objects that were sent.
    """

    daemon_threads = True
    request_queue_size = 200

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarding)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.server = urlsplit(server)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.fault: Callable[[str, int], Fault] = lambda _path, _time: None
        self.latency = 0.0
        self.sent = 0
        self._asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    def count(self, method: str) -> int:
        """How many requests for objects there were."""
        return sum(each == method and path.count("/") > 1 for each, path, _ in self.requests)

    def fault_of(self, method: str, path: str, headers: dict[str, str]) -> Fault:
        """Note a request, and return what happens to it."""
        with self.lock:
            self.requests.append((method, path, headers))
            self._asked[path] += 1
            times = self._asked[path]
        return self.fault(path, times) if method == "GET" else None


class _Forwarding(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.server.fault_of(self.command, self.path, headers)
        time.sleep(self.server.latency)
        if isinstance(fault, tuple):
            status, code = fault
            text = f"<Error><Code>{code}</Code><Message>arn:aws:iam::123456789012:user/x {code}</Message></Error>"
            self._answer(status, {}, text.encode())
            return
        connection = HTTPConnection(self.server.server.netloc, timeout=20)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        try:
            data = answer.read()
        # s3rver says that a part of an empty object has one byte.
        except IncompleteRead as error:
            data = error.partial
        known = dict(answer.headers.items())
        connection.close()
        if self.command == "GET" and answer.status in (200, 206) and "list-type" not in self.path:
            with self.server.lock:
                self.server.sent += len(data)
        if fault is None:
            self._answer(answer.status, known, data)
        else:
            self._answer(answer.status, known, data, sent=len(data) // 2)
            self.close_connection = True
            if fault == "reset":
                # Without waiting for what is still to be sent, the other side sees a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    do_HEAD = do_PUT = do_GET  # noqa: N815

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes, sent: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        size = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", size)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:sent])

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def running_proxy(server: Server) -> Iterator[Proxy]:
    """A proxy for the time of a test."""
    with Proxy(server.url) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for the time of a test."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            server = Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
            yield server
            server.client.close()
        finally:
            process.kill()


@contextmanager
def other_server(name: str, folder: Path) -> Iterator[Server]:
    """One of `OTHERS`, for the time of a test; the test is skipped where it is not installed.

    Args:
        name: Name of the server.
        folder: Where it has its data.
    """
    program = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{name} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [each.format(folder=folder, port=port) for each in OTHERS[name]]
    if name == "pys3local":
        arguments = ["serve", *arguments, "--access-key-id", _KEY, "--secret-access-key", _KEY]
    folder.mkdir()
    environment = {**os.environ, "HOME": str(folder)}
    with subprocess.Popen([program, *arguments], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            server = Server(f"http://127.0.0.1:{port}", {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _KEY})
            yield server
            server.client.close()
        finally:
            process.kill()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no server answers at port {port}")
