"""Images, manifests and reports in S3: the report of local files, on a server that speaks its protocol."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from command import PLACES, groundlint
from image_sets import image_bytes
from lines import classification, detection, manifest
from s3_server import Proxy, Server, running_proxy, running_server

from groundlint import check
from groundlint.config.data_sets import UsageError
from groundlint.config.s3_access import AccessError, S3Access
from groundlint.errors import GroundlintError
from groundlint.images.downloads import Downloads
from groundlint.images.record import ImageTask
from groundlint.images.request_limits import Limiter
from groundlint.images.s3 import S3

COUNT = 12
KEYS = [f"images/{n} ü+%.jpg" for n in range(COUNT)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A bucket with images, one of them broken, and a private one."""
    with running_server() as running:
        images = {key: image_bytes(seed=n) for n, key in enumerate(KEYS)}
        images[KEYS[3]] = images[KEYS[3]][:600]
        running.fill("pictures", images | {"out/output.manifest": _manifest().encode()})
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy before the server, which counts the requests."""
    with running_proxy(server) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest, and without images."""
    monkeypatch.chdir(tmp_path)
    Path("a.manifest").write_text(_manifest())
    return tmp_path


def _manifest(*keys: str, bucket: str = "pictures") -> str:
    refs = [f"s3://{bucket}/{key}" for key in keys or KEYS]
    return manifest(*(classification(ref, "ab"[n % 2]) for n, ref in enumerate(refs)))


def _checked(folder: Path, *arguments: str, status: int | None = None, **environment: str) -> Any:
    """The report of a check of a.manifest with the given flags; the run's standard error is in `said`."""
    done = groundlint("check", *arguments, "--output", "json:report.json", cwd=folder, **environment)
    assert done.returncode in ((0, 1) if status is None else (status,)), done.stderr
    report = json.loads((folder / "report.json").read_text())
    return {**report, "said": done.stderr}


def _findings(report: Any, code: str) -> list[Any]:
    return [finding for finding in report["findings"] if finding["code"] == code]


def test_images_in_s3_give_the_report_of_local_files(folder: Path, server: Server) -> None:
    remote = _checked(folder, "a.manifest", "--s3", "--no-cache", **server.environment)
    for n, key in enumerate(KEYS):
        path = folder / "local" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(seed=n) if n != 3 else image_bytes(seed=3)[:600])
    local = _checked(folder, "a.manifest", "--images", "local", "--no-cache")
    for finding in local["findings"]:
        finding["image"] = None
    assert remote["findings"] == local["findings"]
    assert remote["summary"] == local["summary"]
    assert _findings(remote, "IMG202")


def test_without_the_flag_nothing_is_read_from_s3(folder: Path, server: Server) -> None:
    report = _checked(folder, "a.manifest", **server.environment)
    assert report["summary"]["images"]["found"] == 0
    assert "reading from S3 needs --s3" in groundlint("check", "s3://pictures/out/output.manifest", cwd=folder).stderr


def test_the_environment_allows_reading_s3(folder: Path, server: Server) -> None:
    report = _checked(folder, "a.manifest", **server.environment, GROUNDLINT_S3="1")
    assert report["summary"]["images"]["found"] == COUNT


def test_a_configuration_cannot_allow_it(folder: Path, server: Server) -> None:
    for setting in ("s3 = true", 's3-bucket = ["*"]', 'endpoint = "http://127.0.0.1:9"'):
        Path("groundlint.toml").write_text(setting)
        assert groundlint("check", "a.manifest", cwd=folder, **server.environment).returncode == 2


def _through(server: Server, proxy: Proxy) -> dict[str, str]:
    return {**server.environment, "AWS_ENDPOINT_URL_S3": proxy.url}


def test_a_second_run_downloads_only_what_has_changed(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = [f"cached/{n}.jpg" for n in range(30)]
    for n, key in enumerate(keys):
        server.put(f"s3://pictures/{key}", image_bytes(seed=n))
    Path("a.manifest").write_text(_manifest(*keys))
    first = _checked(folder, "a.manifest", "--s3", **_through(server, proxy))
    assert proxy.count("GET") == len(keys)
    proxy.requests.clear()
    assert _checked(folder, "a.manifest", "--s3", **_through(server, proxy)) == first
    assert proxy.count("GET") + proxy.count("HEAD") == 0
    server.put(f"s3://pictures/{keys[7]}", image_bytes(seed=7)[:600])
    proxy.requests.clear()
    changed = _checked(folder, "a.manifest", "--s3", **_through(server, proxy))
    assert proxy.count("GET") == 1
    assert [finding["line"] for finding in _findings(changed, "IMG202")] == [8]


def test_folders_of_images_win_over_s3(folder: Path, server: Server, proxy: Proxy) -> None:
    Path("local/images").mkdir(parents=True)
    for key in KEYS[:5]:
        Path("local", key).write_bytes(image_bytes(seed=1))
    flags = ("--s3", "--images", "local", "--no-cache")
    report = _checked(folder, "a.manifest", *flags, **_through(server, proxy))
    assert report["summary"]["images"]["found"] == COUNT
    assert proxy.count("GET") == COUNT - 5


def test_a_missing_object_is_an_error_of_the_service(folder: Path, server: Server) -> None:
    Path("a.manifest").write_text(_manifest(*KEYS, "images/gone.jpg"))
    report = _checked(folder, "a.manifest", "--s3", status=1, **server.environment)
    (finding,) = _findings(report, "IMG101")
    assert (finding["aws"], finding["line"], finding["loses"]) == ("ERROR_INVALID_IMAGE", COUNT + 1, "line")
    assert finding["message"].startswith("the image cannot be loaded: the object does not exist")
    assert not _findings(report, "IMG203")
    other = _checked(folder, "a.manifest", "--s3", "--target", "ground-truth", **server.environment)
    assert [finding["line"] for finding in _findings(other, "IMG203")] == [COUNT + 1]
    Path("a.manifest").write_text(_manifest("1.jpg", "2.jpg", bucket="no-such-bucket"))
    report = _checked(folder, "a.manifest", "--s3", status=1, **server.environment)
    assert [finding["message"] for finding in _findings(report, "IMG101")] == [
        "the image cannot be loaded: the bucket does not exist; upload it or correct the source-ref"
    ] * 2


REFUSALS = {
    (403, "AccessDenied"): "access denied",
    (403, "InvalidObjectState"): "it is archived in Glacier; restore it",
    (400, "KMS.DisabledException"): "it is encrypted with a KMS key",
    (403, "AllAccessDisabled"): "all access to the bucket is disabled",
    (400, "InvalidToken"): "the AWS credentials are not valid (InvalidToken)",
    (400, "AuthorizationHeaderMalformed"): "the bucket is in another region",
    (400, "Odd"): "the service refused the request (Odd)",
}


@pytest.mark.parametrize(("answer", "says"), REFUSALS.items(), ids=lambda value: str(value[1]))
def test_a_refusal_is_one_clear_warning(
    folder: Path, server: Server, proxy: Proxy, answer: tuple[int, str], says: str
) -> None:
    proxy.fault = lambda _path, _time: answer
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", status=2, **_through(server, proxy))
    (finding,) = _findings(report, "IMG203")
    assert finding["message"].startswith(f"12 of 12 images not read from S3: {says}")
    assert f"error: s3://pictures: 12 images could not be read: {says}" in report["said"]
    everything = (folder / "report.json").read_text() + report["said"]
    assert not [leak for leak in ("123456789012", "arn:", "secret", "Debug", "http://") if leak in everything.lower()]


def test_one_refused_object_is_a_warning_on_its_line(folder: Path, server: Server, proxy: Proxy) -> None:
    proxy.fault = lambda path, _time: (403, "InvalidObjectState") if path.startswith("/pictures/images/5") else None
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", **_through(server, proxy))
    (finding,) = _findings(report, "IMG203")
    assert (finding["line"], finding["severity"]) == (6, "warning")


def test_passing_faults_change_nothing(folder: Path, server: Server, proxy: Proxy) -> None:
    expected = _checked(folder, "a.manifest", "--s3", "--no-cache", **server.environment)
    faults = ["reset", "truncated", (503, "SlowDown"), (500, "InternalError")]
    proxy.fault = lambda path, time: faults[(len(path) + time) % 4] if time < 4 else None
    proxy.latency = 0.01
    assert _checked(folder, "a.manifest", "--s3", "--no-cache", **_through(server, proxy)) == expected
    assert proxy.count("GET") == 4 * COUNT


def test_a_service_that_stays_busy_ends_the_run_with_2(folder: Path, server: Server, proxy: Proxy) -> None:
    proxy.fault = lambda _path, _time: (503, "SlowDown")
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", status=2, **_through(server, proxy))
    assert "error: s3://pictures: 12 images could not be read: the service is busy (SlowDown)" in report["said"]


def test_other_buckets_than_those_allowed_are_not_asked(folder: Path, server: Server, proxy: Proxy) -> None:
    server.fill("private", {"1.jpg": image_bytes()})
    Path("a.manifest").write_text(_manifest() + _manifest("1.jpg", bucket="private"))
    flags = ("--s3", "--s3-bucket", "pic*", "--no-cache")
    report = _checked(folder, "a.manifest", *flags, **_through(server, proxy))
    assert not [path for _, path, _ in proxy.requests if "private" in path]
    (finding,) = _findings(report, "IMG204")
    assert "--s3-bucket does not allow to read the bucket 'private'" in finding["message"]


@pytest.mark.parametrize(("limit", "most"), [("5images", 5), ("20kB", COUNT - 1)])
def test_a_limit_of_downloads_takes_an_even_sample(
    folder: Path, server: Server, proxy: Proxy, limit: str, most: int
) -> None:
    flags = ("--s3", "--no-cache", "--max-download", limit)
    report = _checked(folder, "a.manifest", *flags, **_through(server, proxy))
    found = report["summary"]["images"]["found"]
    assert 0 < found <= most
    assert proxy.count("GET") == found
    (note,) = [note for note in report["summary"]["notes"] if note["kind"] == "download-limit"]
    assert note["count"] == COUNT - found
    Path("a.manifest").write_text("".join(reversed(_manifest().splitlines(keepends=True))))
    again = _checked(folder, "a.manifest", *flags, **_through(server, proxy))
    assert again["summary"]["images"] == report["summary"]["images"]


def test_the_address_of_instance_metadata_is_not_asked(folder: Path, server: Server) -> None:
    with running_proxy(server) as metadata, running_proxy(server) as proxy:
        elsewhere = {"AWS_METADATA_ENDPOINT": metadata.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url}
        _checked(folder, "a.manifest", "--s3", "--no-cache", **elsewhere, **_through(server, proxy))
        assert "authorization" in proxy.requests[-1][2]
        proxy.requests.clear()
        flags = ("--s3", "--s3-anonymous", "--no-cache")
        _checked(folder, "a.manifest", *flags, **elsewhere, AWS_ENDPOINT_URL=proxy.url)
        assert not any("authorization" in headers for _, _, headers in proxy.requests)
        assert proxy.count("GET") == COUNT
        assert not metadata.requests


def test_profiles_are_read_by_boto3(folder: Path, server: Server, proxy: Proxy) -> None:
    Path(".aws").mkdir()
    Path(".aws/credentials").write_text("[lab]\naws_access_key_id = of-profile\naws_secret_access_key = x\n")
    environment = {"AWS_ENDPOINT_URL_S3": proxy.url, "AWS_PROFILE": "lab", "AWS_EC2_METADATA_DISABLED": "true"}
    _checked(folder, "a.manifest", "--s3", "--no-cache", **environment)
    assert "Credential=of-profile/" in proxy.requests[-1][2]["authorization"]
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", status=2, **{**environment, "AWS_PROFILE": "none"})
    assert "boto3 has no AWS credentials (ProfileNotFound)" in report["said"]


def test_manifests_and_reports_may_be_in_s3(folder: Path, server: Server) -> None:
    outputs = ("--output", "json:s3://pictures/out/report.json", "--summary-file", "s3://pictures/out/gate.json")
    remote = "s3://pictures/out/output.manifest"
    done = groundlint("check", remote, "--s3", "--no-cache", *outputs, cwd=folder, **server.environment)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(server.get("s3://pictures/out/report.json"))
    assert json.loads(server.get("s3://pictures/out/gate.json"))["images"]["found"] == COUNT
    local = _checked(folder, "a.manifest", "--s3", "--no-cache", **server.environment)
    assert {finding["manifest"] for finding in report["findings"]} == {remote}
    done = groundlint("check", remote, "--s3", "--output", "sarif", cwd=folder, **server.environment)
    assert '"outside-working-directory/pictures/out/output.manifest"' in done.stdout
    assert [f["message"] for f in report["findings"]] == [f["message"] for f in local["findings"]]


def test_a_manifest_that_is_not_in_s3_does_not_hide_the_others(folder: Path, server: Server) -> None:
    names = ("s3://pictures/none.manifest", "a.manifest")
    report = _checked(folder, *names, "--s3", status=2, **server.environment)
    assert "error: s3://pictures/none.manifest: the object does not exist" in report["said"]
    assert report["summary"]["lines"] == COUNT


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--s3-anonymous",), "--s3-anonymous needs --s3"),
        (("--s3", "--max-download", "5"), "--max-download: '5' is neither a size such as 500MB nor a number"),
        (("--output", "json:s3://pictures/x.json"), "s3://pictures/x.json: writing to S3 needs --s3"),
    ],
)
def test_flags_that_do_not_go_together(folder: Path, flags: tuple[str, ...], says: str) -> None:
    done = groundlint("check", "a.manifest", *flags, cwd=folder)
    assert done.returncode == 2
    assert says in done.stderr


def test_keys_that_the_client_would_change_are_not_requested(folder: Path, server: Server, proxy: Proxy) -> None:
    Path("a.manifest").write_text(_manifest(*KEYS, "a//b.jpg", "images/../c.jpg", "/d.jpg"))
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", **_through(server, proxy))
    assert proxy.count("GET") == COUNT
    assert len(_findings(report, "IMG203")) == 3


def test_what_was_measured_before_ctrl_c_is_kept(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = [f"slow/{n}.jpg" for n in range(40)]
    for n, key in enumerate(keys):
        server.put(f"s3://pictures/{key}", image_bytes(seed=n))
    Path("a.manifest").write_text(_manifest(*keys))

    def trickle(path: str, _time: int) -> None:
        # One every quarter of a second, the last ones never.
        n = int(Path(path).stem)
        time.sleep(n / 4 if n < 30 else 120)

    proxy.fault = trickle
    command = [sys.executable, "-m", "groundlint", "check", "a.manifest", "--s3", "--select", "IMG201"]
    environment = {**PLACES, "HOME": str(folder), **_through(server, proxy)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while _stored(folder) < 5 and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
    stored = _stored(folder)
    assert stored >= 5
    proxy.fault = lambda _path, _time: None
    proxy.requests.clear()
    _checked(folder, "a.manifest", "--s3", "--select", "IMG201", **_through(server, proxy))
    assert proxy.count("GET") == len(keys) - stored


def _stored(folder: Path) -> int:
    """How many files the cache knows."""
    for file in folder.glob(".groundlint_cache/*.sqlite"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
    return 0


def test_without_the_flag_no_client_is_imported(folder: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "groundlint", "check", "a.manifest"]
    done = subprocess.run(command, env={**PLACES, "HOME": str(folder)}, capture_output=True, check=False)
    assert b"groundlint.session" in done.stderr
    assert not [name for name in (b"obstore", b"boto3", b"groundlint.images.s3") if name in done.stderr]


def test_more_bytes_than_may_be_held_come_one_after_the_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    downloads = Downloads(S3(S3Access()), S3Access(), window=1)
    came = []
    for task in downloads.loaded(ImageTask(n, f"s3://pictures/{key}") for n, key in enumerate(KEYS)):
        if task:
            came.append(task)
            assert downloads.bytes == sum(len(each.data or b"") for each in came)
            downloads.release(task.path)
    assert sorted(task.number for task in came) == list(range(COUNT))


def test_a_busy_service_gets_half_the_requests_and_slowly_more_again() -> None:
    limiter = Limiter(64)
    under_way = [limiter.enter() for _ in range(64)]
    for number in under_way:
        limiter.leave(number, is_busy=True)
    # What was under way when the service first said so counts once.
    assert limiter.limit == 32
    limiter.leave(limiter.enter(), is_busy=True)
    assert limiter.limit == 16
    for _ in range(33):
        limiter.leave(limiter.enter(), is_busy=False)
    assert limiter.limit == 18
    for _ in range(10):
        limiter.leave(limiter.enter(), is_busy=True)
    assert limiter.limit == 1


def test_without_the_permission_to_list_objects_are_asked_for_one_by_one(
    folder: Path, server: Server, proxy: Proxy
) -> None:
    keys = [f"unlisted/{n}.jpg" for n in range(6)]
    for n, key in enumerate(keys):
        server.put(f"s3://pictures/{key}", image_bytes(seed=n))
    Path("a.manifest").write_text(_manifest(*keys))
    proxy.fault = lambda path, _time: (403, "AccessDenied") if "list-type" in path else None
    first = _checked(folder, "a.manifest", "--s3", **_through(server, proxy))
    proxy.requests.clear()
    assert _checked(folder, "a.manifest", "--s3", **_through(server, proxy)) == first
    assert (proxy.count("HEAD"), proxy.count("GET")) == (len(keys), 0)


def test_images_measured_in_s3_are_judged_elsewhere(folder: Path, server: Server) -> None:
    Path("a.manifest").write_text(_manifest(*KEYS, "images/gone.jpg"))
    expected = _checked(folder, "a.manifest", "--s3", "--no-cache", **server.environment)
    for part in ("1/2", "2/2"):
        flags = ("--s3", "--no-cache", "--part", part, "--to", f"part-{part[0]}.parquet")
        done = groundlint("measure", "a.manifest", *flags, cwd=folder, **server.environment)
        assert done.returncode == 0, done.stderr
    judged = _checked(folder, "a.manifest", "--no-cache", "--measurements", "part-*.parquet")
    assert judged["findings"] == expected["findings"]


def test_requests_are_signed_for_the_region_of_the_bucket(folder: Path, server: Server, proxy: Proxy) -> None:
    region = {"LocationConstraint": "eu-west-3"}
    server.client.create_bucket(Bucket="elsewhere", CreateBucketConfiguration=region)
    server.put("s3://elsewhere/1.jpg", image_bytes())
    Path("a.manifest").write_text(_manifest("1.jpg", bucket="elsewhere"))
    environment = {**_through(server, proxy), "AWS_REGION": "us-west-1", "AWS_REQUEST_PAYER": "requester"}
    report = _checked(folder, "a.manifest", "--s3", "--no-cache", **environment)
    assert report["summary"]["images"]["found"] == 1
    headers = proxy.requests[-1][2]
    assert "/eu-west-3/s3/" in headers["authorization"]
    assert headers["x-amz-request-payer"] == "requester"


def _page(folder: Path, *flags: str, **environment: str) -> str:
    select = ("--select", "BOX101,IMG202", "--s3", "--output", "html:page.html")
    done = groundlint("check", "a.manifest", *select, *flags, cwd=folder, **environment)
    assert done.returncode == 1, done.stderr
    return (folder / "page.html").read_text("utf-8")


def _with_boxes(folder: Path, server: Server, count: int = 5) -> list[str]:
    """A manifest of images with a box that leaves the image, the last image broken; their keys."""
    keys = [f"boxes/{n}.jpg" for n in range(count)]
    for n, key in enumerate(keys):
        data = image_bytes((640, 480), seed=n)
        server.put(f"s3://pictures/{key}", data[:2000] if n == count - 1 else data)
    boxes = ({"left": -5}, {"left": 100, "top": 100, "width": 90, "height": 80})
    (folder / "a.manifest").write_text(manifest(*(detection(f"s3://pictures/{key}", boxes) for key in keys)))
    return keys


def _shown(page: str) -> list[str]:
    return sorted(re.findall(r'href="data:image/webp;base64,([^"]+)"', page))


def test_the_page_shows_images_of_s3_as_it_shows_files(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = _with_boxes(folder, server)
    for key in keys:
        Path("local", key).parent.mkdir(parents=True, exist_ok=True)
        Path("local", key).write_bytes(server.get(f"s3://pictures/{key}"))
    remote = _page(folder, **_through(server, proxy))
    assert len(_shown(remote)) == 8
    # Those that can be shown are read once more, however many views of them there are.
    assert proxy.count("GET") == len(keys) + 4
    proxy.requests.clear()
    assert _shown(_page(folder, **_through(server, proxy))) == _shown(remote)
    assert proxy.count("GET") == 4
    assert _shown(_page(folder, "--images", "local", "--no-cache", **server.environment)) == _shown(remote)


def test_the_page_shows_only_what_the_flags_allow(folder: Path, server: Server, proxy: Proxy) -> None:
    _with_boxes(folder, server)
    _page(folder, **_through(server, proxy))
    proxy.requests.clear()
    few = _shown(_page(folder, "--html-images", "4", **_through(server, proxy)))
    assert (len(few), proxy.count("GET")) == (2, 1)
    # All was measured before, so that the limit leaves room for two images.
    proxy.requests.clear()
    assert len(_shown(_page(folder, "--max-download", "2images", **_through(server, proxy)))) == 4
    assert proxy.count("GET") == 2
    proxy.requests.clear()
    assert not _shown(_page(folder, "--max-download", "1kB", **_through(server, proxy)))
    assert proxy.count("GET") == 0


def test_an_object_that_changed_since_it_was_measured_is_not_shown(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = _with_boxes(folder, server)
    changed = f"/pictures/{keys[1]}"

    def change(path: str, time: int) -> None:
        if path == changed and time == 2:
            server.put(f"s3:/{changed}", image_bytes((640, 480), seed=20))

    proxy.fault = change
    assert len(_shown(_page(folder, "--no-cache", **_through(server, proxy)))) == 6


def test_python_reads_s3_as_the_command_does(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = "s3://pictures/out/output.manifest"
    local = _checked(folder, remote, "--s3", "--isolated", "--no-cache", **server.environment)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    result = check(remote, s3=True, isolated=True, page=True)
    assert result.summary.images.found == COUNT
    assert sorted(result.findings["fingerprint"]) == sorted(each["fingerprint"] for each in local["findings"])
    assert result.page
    assert _shown(result.page.html)
    few = check("a.manifest", s3=True, s3_buckets="pic*", max_download="3images", isolated=True)
    assert few.summary.images.found == 3
    with pytest.raises(AccessError, match="--max-download needs --s3"):
        check("a.manifest", max_download="3images")
    with pytest.raises(UsageError, match="reading from S3 needs --s3"):
        check(remote)
    with pytest.raises(GroundlintError, match="no scheduler can be reached there"):
        check("a.manifest", s3=True, dask="tcp://127.0.0.1:9")
