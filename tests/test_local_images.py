"""What is missing on this machine: partial copies, links, pointers and twins, from the files to the report."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from command import groundlint, report_of
from image_sets import image_bytes
from lines import classification, manifest

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
NAMES = [f"{n:02}.jpg" for n in range(14)]
RULES = ("IMG203", "IMG204")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set below the folder that a test may fill with a cache of images beside it."""
    (tmp_path / "set/img").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    return tmp_path / "set"


def write(folder: Path, names: Iterable[str], here: Mapping[str, bytes] | Iterable[str]) -> None:
    """A manifest that names images, of which some are here."""
    lines = (classification(f"s3://bucket/img/{name}", "ab"[n % 2]) for n, name in enumerate(names))
    (folder / "a.manifest").write_text(manifest(*lines), encoding="utf-8")
    for n, name in enumerate(here):
        path = folder / "img" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(here[name] if isinstance(here, Mapping) else image_bytes(seed=n))


def check(folder: Path, *arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Exit status, findings and summary of the command with all fast rules."""
    flags = ("--fast", "--no-cache", "--output", "json:report.json", *arguments)
    done = groundlint("check", "a.manifest", *flags, cwd=folder, **environment)
    report = report_of(folder / "report.json")
    findings = report["findings"]
    assert [finding["aws"] for finding in findings if finding["aws"]] == []
    assert [finding["code"] for finding in findings if finding["loses"]] == []
    return done.returncode, [f for f in findings if f["code"] in RULES], report["summary"]


def on_manifest(findings: list[dict[str, Any]], severity: str, says: str) -> bool:
    """Whether there is one finding, on the manifest, of this severity, whose message has these words."""
    places = [(f["manifest"], f["line"], f["severity"], f["label"]) for f in findings]
    return places == [("a.manifest", None, severity, None)] and says in findings[0]["message"]


@pytest.mark.parametrize("here", [4, 0])
def test_a_partial_copy_is_one_info_and_an_error_only_where_images_are_required(folder: Path, here: int) -> None:
    write(folder, NAMES, NAMES[:here])
    says = f"partial copy: {14 - here} of 14 images are not among the local files"
    status, found, summary = check(folder)
    assert status == 0
    assert on_manifest(found, "info", says)
    assert summary["images"] == {"total": 14, "found": here, "unreadable": 0}
    status, found, _ = check(folder, "--require-images", "--select", "BOX")
    assert status == 1
    assert on_manifest(found, "error", says)


@pytest.mark.parametrize(("total", "missing", "is_partial"), [(14, 3, False), (14, 4, True), (80, 4, False)])
def test_few_missing_images_are_a_warning_each_that_says_where_they_were_looked_for(
    folder: Path, total: int, missing: int, is_partial: bool
) -> None:
    names = [f"{n}.jpg" for n in range(total)]
    write(folder, names, names[missing:])
    for flags, status, severity in ((), 0, "warning"), (("--require-images",), 1, "error"):
        done, found, _ = check(folder, "--select", "IMG2", *flags)
        if is_partial:
            assert on_manifest(found, "error" if flags else "info", f"{missing} of {total} images")
        else:
            assert [(f["line"], f["severity"]) for f in found] == [(n + 1, severity) for n in range(missing)]
            assert found[0]["message"].startswith("image not found: no img/0.jpg below . or ..; ")
        assert done == status


def test_the_share_is_that_of_each_manifest(folder: Path) -> None:
    write(folder, NAMES, NAMES[:1])
    (folder / "b.manifest").write_text(manifest(*(classification(f"s3://bucket/img/{name}") for name in NAMES[:2])))
    check(folder, "b.manifest", "--select", "IMG2")
    found = report_of(folder / "report.json")["findings"]
    assert [(f["manifest"], f["line"], f["severity"]) for f in found] == [
        ("a.manifest", None, "info"),
        ("b.manifest", 2, "warning"),
    ]


def link_to_cache(folder: Path, names: Iterable[str]) -> None:
    for n, name in enumerate(names):
        (folder.parent / "cache" / str(n)).write_bytes(image_bytes(seed=n))
        (folder / "img" / name).symlink_to(folder.parent / "cache" / str(n))


def test_links_that_lead_outside_are_one_info_whose_remedy_works(folder: Path) -> None:
    write(folder, NAMES, [])
    link_to_cache(folder, NAMES)
    status, found, summary = check(folder)
    assert (status, summary["images"]["found"]) == (0, 0)
    assert on_manifest(
        found,
        "info",
        "images not opened: links that lead outside the roots; name the folder that they lead to with `--images CACHE`",
    )
    remedies = [
        (("--images", "../cache"), {}),
        (("--images", "img", "--images", "../cache"), {}),
        (("--images", "s3://bucket/=.", "--images", "../cache"), {}),
        ((), {"GROUNDLINT_IMAGES": "../cache"}),
    ]
    for flags, environment in remedies:
        status, found, summary = check(folder, *flags, **environment)
        assert (status, found, summary["images"]["found"]) == (0, [], 14), flags


def test_a_linked_folder_that_leads_outside_is_one_info_whose_remedy_works(folder: Path) -> None:
    write(folder, NAMES, NAMES)
    (folder / "img").rename(folder.parent / "cache/files")
    (folder / "img").symlink_to(folder.parent / "cache/files")
    status, found, _ = check(folder)
    assert status == 0
    assert on_manifest(found, "info", "14 of 14 images not opened: links that lead outside the roots")
    for cache in ("../cache", "../cache/files"):
        status, found, summary = check(folder, "--images", cache)
        assert (status, found, summary["images"]["found"]) == (0, [], 14)


def test_links_do_not_count_as_absent(folder: Path) -> None:
    write(folder, NAMES, NAMES[:9])
    link_to_cache(folder, NAMES[9:12])
    status, found, _ = check(folder, "--select", "IMG2")
    assert status == 0
    assert [(f["line"], f["severity"]) for f in found] == [(None, "info"), (13, "warning"), (14, "warning")]


def test_links_into_a_cache_of_dvc_that_lacks_them_say_how_to_fetch_them(folder: Path) -> None:
    write(folder, NAMES, [])
    for n, name in enumerate(NAMES):
        (folder / "img" / name).symlink_to(folder.parent / f"cache/files/md5/{n:02x}/{n:030x}")
    assert on_manifest(check(folder)[1], "info", "14 of 14 images cannot be judged: tracked by DVC; run `dvc pull`")


@pytest.mark.parametrize("pointer", ["img.dvc", "img/{}.dvc"])
def test_files_of_dvc_in_place_of_images_say_how_to_fetch_them(folder: Path, pointer: str) -> None:
    write(folder, NAMES, NAMES[:2])
    for name in NAMES[2:]:
        (folder / pointer.format(name)).write_text("outs:\n- md5: 0123\n")
    status, found, _ = check(folder)
    assert status == 0
    assert on_manifest(found, "info", "12 of 14 images cannot be judged: tracked by DVC; run `dvc pull`")


@pytest.mark.parametrize("count", [14, 5])
def test_pointers_of_git_lfs_are_one_info(folder: Path, count: int) -> None:
    images = {name: POINTER if n < count else image_bytes(seed=n) for n, name in enumerate(NAMES)}
    write(folder, NAMES, images)
    status, found, _ = check(folder)
    assert status == 0
    assert on_manifest(found, "info", f"{count} of 14 images cannot be judged: stored in Git LFS; run `git lfs pull`")
    status, found, _ = check(folder, "--require-images")
    assert status == 1
    assert on_manifest(found, "error", "git lfs pull")


TWINS = [
    ("my+file+%281%29.jpg", "my file (1).jpg", "the key is URL-encoded"),
    ("sub%20dir/a.jpg", "sub dir/a.jpg", "the key is URL-encoded"),
    ("sub%2Fa.jpg", "sub/a.jpg", "the key is URL-encoded"),
    ("a b.jpg", "a%20b.jpg", "the file name is URL-encoded"),
    ("UP.jpg", "UP.JPG", "upper and lower case differ"),
    ("Sub/a.jpg", "sub/a.jpg", "upper and lower case differ"),
    (unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.jpg"), "another Unicode normalization"),
    (unicodedata.normalize("NFD", "한.jpg"), unicodedata.normalize("NFC", "한.jpg"), "another Unicode normalization"),
    ("cat\\a.jpg", "cat/a.jpg", "the key has backslashes"),
    ("cat/a.jpg", "cat\\a.jpg", "the file name has backslashes"),
    ("n0.jpg", "n0.png", "its extension differs"),
    ("n0.jpg", "n0.JPEG", "its extension differs"),
    ("N0%20.jpg", "n0 .png", "its name is written differently"),
]


@pytest.mark.parametrize(("key", "file", "says"), TWINS)
def test_a_twin_on_disk_is_a_finding_of_its_own(folder: Path, key: str, file: str, says: str) -> None:
    # With four absent images this is a partial copy of which the twin is no part.
    write(folder, [key, *NAMES], [file, *NAMES[4:]])
    status, found, _ = check(folder, "--select", "IMG203")
    assert status == 0
    of_manifest, twin = found
    assert of_manifest["message"].startswith("partial copy: 4 of 15 images")
    assert (twin["line"], twin["severity"], twin["image"]) == (1, "warning", None)
    assert f"img/{file} exists: " in twin["message"]
    assert says in twin["message"]
    status, found, _ = check(folder, "--select", "IMG203", "--require-images")
    assert (status, {f["severity"] for f in found}) == (1, {"error"})


def test_other_files_of_the_same_name_are_no_twins(folder: Path) -> None:
    write(folder, ["a.jpg", "b.jpg", "b.png", *NAMES], ["b.png", *NAMES])
    (folder / "img/a.txt").write_text("0 0.5 0.5 1 1")
    (folder / "img/A.JPG").mkdir()
    found = check(folder, "--select", "IMG203")[1]
    assert [(f["line"], "not found: no img/" in f["message"]) for f in found] == [(1, True), (2, True)]


def test_a_twin_outside_the_folders_is_not_named(folder: Path) -> None:
    (folder.parent / "cache/A.JPG").write_bytes(image_bytes())
    (folder / "img/SUB").symlink_to(folder.parent / "cache")
    write(folder, ["sub/a.jpg", *NAMES], NAMES)
    (finding,) = check(folder, "--select", "IMG203", "--images", "img")[1]
    assert "exists" not in finding["message"]


def test_missing_images_are_no_reason_to_lose_a_line_or_a_label(folder: Path) -> None:
    write(folder, NAMES, NAMES[:4])
    assert check(folder, "--select", "ALL")[0] == 0


def test_a_folder_of_images_in_a_configuration_must_be_inside_its_folder(folder: Path) -> None:
    write(folder, NAMES, NAMES)
    for inside in ("img", "./img", "img/../img"):
        (folder / "groundlint.toml").write_text(f'[images]\n"s3://bucket/img" = "{inside}"\n')
        assert check(folder)[0] == 0
    (folder / "link").symlink_to(folder.parent / "cache")
    for outside in ("../cache", str(folder.parent / "cache"), "link"):
        (folder / "groundlint.toml").write_text(f'[images]\n"s3://bucket/img" = "{outside}"\n')
        done = groundlint("check", "a.manifest", cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"the folder {outside} is outside the folder of the configuration; give it with --images " in done.stderr


def test_the_environment_names_folders_of_images_and_the_command_line_wins(folder: Path) -> None:
    write(folder, NAMES, NAMES)
    (folder / "img").rename(folder.parent / "cache/img")
    for named in ("../cache", "s3://bucket=../cache", "s3://bucket/=../cache"):
        status, found, summary = check(folder, GROUNDLINT_IMAGES=named)
        assert (status, found, summary["images"]["found"]) == (0, [], 14)
    (folder / "other").mkdir()
    done = groundlint("check", "a.manifest", "--fast", cwd=folder, GROUNDLINT_IMAGES="s3://bucket/=../cache:other")
    assert done.returncode == 2
    assert "GROUNDLINT_IMAGES other: no image was found there" in done.stderr
    done = groundlint("check", "a.manifest", cwd=folder, GROUNDLINT_IMAGES="nowhere")
    assert (done.returncode, done.stderr) == (2, "error: GROUNDLINT_IMAGES: there is no folder nowhere\n")
    status, _, summary = check(folder, "--images", "../cache", GROUNDLINT_IMAGES="nowhere")
    assert (status, summary["images"]["found"]) == (0, 14)


def test_a_mistyped_prefix_keeps_the_run_from_passing(folder: Path) -> None:
    write(folder, NAMES, NAMES)
    done = groundlint("check", "a.manifest", "--fast", "--images", "s3://wrong/prefix=img", cwd=folder)
    assert done.returncode == 2
    assert "--images s3://wrong/prefix=img: no image was found there" in done.stderr


def test_an_unusable_file_fails_a_labeling_job(folder: Path) -> None:
    write(folder, NAMES, {name: image_bytes(seed=n) for n, name in enumerate(NAMES)} | {NAMES[3]: b"text"})
    status, found, _ = check(folder, "--target", "ground-truth")
    assert (status, [(f["line"], f["severity"]) for f in found]) == (1, [(4, "error")])


def test_the_export_says_which_file_was_looked_for(folder: Path) -> None:
    write(folder, [*NAMES, "UP.jpg"], [*NAMES[1:], "UP.JPG"])
    done = groundlint("export", "images", "a.manifest", "--to", "images.jsonl", cwd=folder)
    assert done.returncode == 0
    rows = [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]
    assert {(row["fault"], row["detail"]) for row in rows if not row["found"]} == {
        (None, "img/00.jpg below . or .."),
        ("misnamed", "img/UP.JPG exists: upper and lower case differ"),
    }
