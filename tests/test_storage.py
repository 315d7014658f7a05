"""Where the file of an image is found, and which files are never opened."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from image_sets import COUNT, image_bytes, image_tables, images_of, write_images, write_manifest
from lines import classification

from groundlint.images.places import Place
from groundlint.images.record import ImageFault
from groundlint.images.storage import LocalStorage, Roots


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_images()
    return tmp_path


def find(source_ref: str, roots: Roots | None = None, manifest: str = "a.manifest") -> Place:
    return LocalStorage(roots or Roots({}), [Path.cwd()]).find(source_ref, manifest)


@pytest.mark.parametrize(
    ("where", "roots"),
    [
        ("images", Roots({})),
        ("elsewhere", Roots({}, [Path("elsewhere")])),
        ("else/bucket/images", Roots({}, [Path("else")])),
        ("else/where", Roots({"s3://bucket/images/": Path("else/where")})),
        ("else/where", Roots({"s3://bucket/images": Path("else/where")})),
    ],
)
def test_images_are_found_below_the_manifest_a_folder_or_the_folder_of_a_prefix(where: str, roots: Roots) -> None:
    if where != "images":
        Path(where).parent.mkdir(parents=True, exist_ok=True)
        Path("images").rename(where)
    paths = set(images_of(image_tables(roots=roots))["path"])
    assert paths == {f"{where}/{n}.jpg" for n in range(COUNT)}


def test_images_above_the_folder_of_a_manifest_are_found() -> None:
    Path("manifests").mkdir()
    assert find("s3://bucket/images/1.jpg", manifest="manifests/a.manifest").path == os.path.realpath("images/1.jpg")


def test_the_longest_suffix_of_the_key_wins() -> None:
    Path("0.jpg").write_bytes(b"another")
    Path("bucket/images").mkdir(parents=True)
    Path("bucket/images/0.jpg").write_bytes(image_bytes())
    assert find("s3://bucket/images/0.jpg").path == os.path.realpath("bucket/images/0.jpg")


HOSTILE = [
    "s3://bucket/../../secret.jpg",
    "s3://bucket/images/../../secret.jpg",
    "s3://bucket//etc/passwd",
    "s3://bucket/etc/passwd",
    "s3://../../secret.jpg",
    "s3://bucket/images/..%2f..%2fsecret.jpg",
    "s3://bucket/images\\..\\..\\secret.jpg",
    "file:///etc/passwd",
    "/etc/passwd",
    "\\\\server\\share\\secret.jpg",
    "s3://bucket/images/out.jpg",
    "s3://bucket/images/loop.jpg",
    "s3://bucket/images/outside/secret.jpg",
    "s3://bucket/images/pipe.jpg",
    "s3://bucket/images/folder.jpg",
    "s3://bucket/images/null.jpg",
    "s3://bucket/images/socket.jpg",
    "s3://bucket/images/\x00.jpg",
    "s3://bucket/proc/self/environ",
    "s3://bucket/dev/zero",
]


@pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices are those of Unix")
def test_nothing_outside_the_folders_is_opened(tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.jpg").write_bytes(image_bytes())
    Path("images/out.jpg").symlink_to(outside / "secret.jpg")
    Path("images/loop.jpg").symlink_to("loop.jpg")
    Path("images/outside").symlink_to(outside)
    Path("images/null.jpg").symlink_to("/dev/zero")
    Path("images/folder.jpg").mkdir()
    os.mkfifo("images/pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("images/socket.jpg")
        opened: set[str] = set()

        def record(event: str, arguments: Any) -> None:
            if event == "open" and isinstance(arguments[0], str):
                opened.add(os.path.realpath(arguments[0]))

        sys.addaudithook(record)
        for roots in (Roots({}), Roots({"s3://bucket/": Path("images")}), Roots({}, [Path("images")])):
            storage = LocalStorage(roots, [Path.cwd()])
            for ref in HOSTILE:
                assert storage.find(ref, "a.manifest").path is None, ref
        write_manifest(*(classification(ref) for ref in HOSTILE), classification("s3://bucket/images/1.jpg"))
        images = images_of(image_tables())
    assert images.filter("found")["source_ref"].to_list() == ["s3://bucket/images/1.jpg"]
    assert not {path for path in opened if path.startswith(("/etc/passwd", "/dev/zero", str(outside)))}


@pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices are those of Unix")
def test_files_found_but_not_opened_are_refused_with_the_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    Path("images/out.jpg").symlink_to(outside / "secret.jpg")
    Path("images/other.jpg").symlink_to(tmp_path_factory.getbasetemp())
    os.mkfifo("images/pipe.jpg")
    reasons = {name: find(f"s3://bucket/images/{name}.jpg").detail for name in ("out", "other", "pipe")}
    assert reasons == {
        "out": "it is a symbolic link that leads out of .",
        "other": "it is a symbolic link that leads out of .",
        "pipe": "it is not a regular file",
    }


@pytest.mark.parametrize(("link", "target"), [("images/link.jpg", "1.jpg"), ("set/link.jpg", "../images/1.jpg")])
def test_a_link_within_the_folders_that_are_searched_is_followed(link: str, target: str) -> None:
    Path("set").mkdir()
    Path(link).symlink_to(target)
    place = find(f"s3://bucket/{link}", manifest="set/a.manifest")
    assert place.path == os.path.realpath("images/1.jpg")


def assert_unreadable(reason: str) -> None:
    """Images of the folder `images` are refused for a reason, others are missing, and the folder is named first."""
    storage = LocalStorage(Roots({}), [Path.cwd()])
    text = f"the folder images cannot be read: {reason}"
    assert storage.find("s3://bucket/images/1.jpg", "a.manifest") == Place(None, fault=ImageFault.REFUSED, detail=text)
    assert storage.find("s3://bucket/others/1.jpg", "a.manifest") == Place(None)
    assert storage.searched(["a.manifest"])[:2] == [f"images (cannot be read: {reason})", "."]
    images = images_of(image_tables())
    assert images.select("found", "fault", "detail").unique().rows() == [(False, "refused", text)]
    by_prefix = Roots({"s3://bucket/images": Path("images")})
    assert find("s3://bucket/images/1.jpg", by_prefix).detail == text
    assert find("s3://bucket/1.jpg", Roots({}, [Path("images")])).detail == text


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_a_folder_without_permission_is_reported_as_unreadable() -> None:
    Path("images").chmod(0)
    try:
        assert_unreadable("Permission denied")
    finally:
        Path("images").chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="links are those of Unix")
def test_a_folder_that_is_a_loop_of_links_is_reported_as_unreadable() -> None:
    Path("images").rename("gone")
    Path("images").symlink_to("images")
    assert_unreadable("Too many levels of symbolic links")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read every folder")
def test_an_unreadable_folder_above_the_images_does_not_make_missing_images_refused(tmp_path: Path) -> None:
    Path("set").mkdir()
    write_manifest(classification("s3://bucket/gone.jpg"), name="set/a.manifest")
    tmp_path.chmod(0o100)
    try:
        assert find("s3://bucket/gone.jpg", manifest="set/a.manifest") == Place(None)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_a_folder_whose_name_is_not_text_is_refused() -> None:
    folder = Path(os.fsdecode(b"odd\xff"))
    Path("images").rename(folder)
    assert find("s3://bucket/images/1.jpg", Roots({}, [folder])).detail == (
        "the folder odd\\udcff has a name that is not valid UTF-8"
    )
