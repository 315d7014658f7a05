"""S3 as servers have it that share no code with moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import groundlint
from image_sets import image_bytes
from lines import classification, manifest
from s3_server import OTHERS, Proxy, Server, other_server, running_proxy

IMAGES = {f"images/{n} ü+%.jpg": image_bytes((640, 480), seed=n, quality=95) for n in range(10)}
IMAGES |= {"cut.jpg": IMAGES["images/3 ü+%.jpg"][:20_000], "empty.jpg": b"", "scan.png": image_bytes(format="PNG")}
HEADERS = ("--select", "IMG1,IMG205,IMG206,IMG207")


@pytest.fixture(scope="module", params=OTHERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A bucket with images, some of them broken."""
    with other_server(request.param, tmp_path_factory.mktemp("server") / "data") as running:
        running.fill("pictures", {**IMAGES, "out/a.manifest": _manifest().encode()})
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy before the server, which counts the requests."""
    with running_proxy(server) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest, and the images as files in a folder."""
    (tmp_path / "a.manifest").write_text(_manifest())
    for key, data in IMAGES.items():
        path = tmp_path / "local" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path


def _manifest() -> str:
    return manifest(*(classification(f"s3://pictures/{key}", "ab"[n % 2]) for n, key in enumerate(IMAGES)))


def _checked(folder: Path, *arguments: str, **environment: str) -> Any:
    done = groundlint("check", "--output", "json:r.json", *arguments, cwd=folder, **environment)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads((folder / "r.json").read_text())
    for finding in report["findings"]:
        finding["image"] = None
    return report


@pytest.mark.parametrize("select", [(), HEADERS], ids=["all", "headers"])
def test_the_report_is_that_of_files_and_a_second_run_reads_nothing(
    folder: Path, server: Server, proxy: Proxy, select: tuple[str, ...]
) -> None:
    environment = {**server.environment, "AWS_ENDPOINT_URL_S3": proxy.url}
    expected = _checked(folder, "a.manifest", *select, "--images", "local", "--no-cache")
    assert _checked(folder, "a.manifest", *select, "--s3", **environment) == expected
    assert proxy.count("GET") >= len(IMAGES)
    proxy.requests.clear()
    assert _checked(folder, "a.manifest", *select, "--s3", **environment) == expected
    assert proxy.count("GET") == 0


def test_manifests_reports_and_missing_objects(folder: Path, server: Server) -> None:
    gone = classification("s3://pictures/gone.jpg", "a")
    server.put("s3://pictures/out/b.manifest", (_manifest() + manifest(gone)).encode())
    flags = ("--s3", "--no-cache", "--output", "json:s3://pictures/out/r.json")
    done = groundlint("check", "s3://pictures/out/b.manifest", *flags, cwd=folder, **server.environment)
    assert done.returncode == 1, done.stderr
    findings = json.loads(server.get("s3://pictures/out/r.json"))["findings"]
    missing = [finding["line"] for finding in findings if "the object does not exist" in finding["message"]]
    assert missing == [len(IMAGES) + 1]
    done = groundlint("check", "s3://none/b.manifest", "--s3", cwd=folder, **server.environment)
    assert done.returncode == 2
    assert "error: s3://none/b.manifest: the bucket does not exist" in done.stderr


def test_wrong_credentials_end_the_run_with_2(folder: Path, server: Server) -> None:
    environment = {**server.environment, "AWS_ACCESS_KEY_ID": "other"}
    done = groundlint("check", "a.manifest", "--s3", "--no-cache", cwd=folder, **environment)
    assert done.returncode == 2
    # They do not all say what is wrong with them.
    assert f"error: s3://pictures: {len(IMAGES)} images could not be read: " in done.stderr
    assert "credentials" in done.stderr


def test_an_object_that_changed_is_measured_again(folder: Path, server: Server) -> None:
    before = _checked(folder, "a.manifest", "--s3", **server.environment)
    server.put("s3://pictures/cut.jpg", IMAGES["images/4 ü+%.jpg"])
    after = _checked(folder, "a.manifest", "--s3", **server.environment)
    server.put("s3://pictures/cut.jpg", IMAGES["cut.jpg"])
    assert {"IMG202"} == {each["code"] for each in before["findings"]} - {each["code"] for each in after["findings"]}
