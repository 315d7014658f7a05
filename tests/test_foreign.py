"""Files of other formats with the suffix of a manifest: skipped where found, one error where named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from command import BAD, GOOD, groundlint, report_of
from lines import classification, detection, manifest

UNSUPPORTED = "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT"
COCO = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [], "categories": []}
WEB_APP = {"name": "App", "short_name": "A", "start_url": "/", "icons": [], "display": "standalone"}
SUMMARY = {"statistics": {"training": {"use_case": "BINARY"}}, "errors": []}


def rows(*lines: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in lines)


# What each file looks like, and whether a line of it is a JSON object.
FOREIGN = {
    "metadata": (
        rows({"file_name": "1.png", "text": "a dog"}, {"file_name": "2.png", "text": ""}),
        "Hugging Face",
        True,
    ),
    "objects": (rows({"file_name": "1.png", "objects": {"bbox": [[1, 2, 3, 4]]}}), "Hugging Face", True),
    "coco": (json.dumps(COCO), "a COCO data set", True),
    "coco-indented": (json.dumps(COCO, indent=1), "a COCO data set", False),
    "array": (json.dumps([{"image": "1.jpg"}]), "one JSON array", False),
    "array-indented": (json.dumps([{"image": "1.jpg"}], indent=1), "one JSON array", False),
    "summary": (json.dumps(SUMMARY), "a manifest_summary.json of the service", True),
    "summary-indented": (json.dumps(SUMMARY, indent=2), "a manifest_summary.json of the service", False),
    "entries": (json.dumps({"DatasetEntries": [json.dumps(detection())]}), "list-dataset-entries", True),
    "cvat": (
        rows({"version": "1.1"}, {"type": "images"}, {"name": "1", "extension": ".jpg", "width": 6, "height": 4}),
        "CVAT",
        True,
    ),
    "chat": (rows({"messages": [{"role": "user", "content": "Hi"}]}), "chat data", True),
    "texts": (rows({"text": "a"}, {"text": "b"}), "text for a language model", True),
    "completions": (rows({"prompt": "a", "completion": "b"}), "chat data", True),
    "web-app": (json.dumps(WEB_APP, indent=2), "an app manifest", False),
    "web-app-minified": (json.dumps(WEB_APP), "an app manifest", True),
    "windows-app": ('<?xml version="1.0"?>\n<assembly manifestVersion="1.0"/>\n', "a Windows app manifest", False),
    "appcache": ("CACHE MANIFEST\n/index.html\n", "an HTML cache manifest", False),
    "jar": ("Manifest-Version: 1.0\nMain-Class: A\n", "a JAR manifest", False),
    "csv": ("image,label\n1.jpg,cat\n", "the file is CSV", False),
    "yaml": ("train: images/train\nnames:\n", "YAML", False),
    "dvc": (
        "outs:\n- md5: 0123\n  path: a.manifest\n",
        "a pointer file; its content is tracked by DVC; run `dvc pull`",
        False,
    ),
    "python": ("{'image': '1.jpg'}\n", "line 1 is a Python object", False),
    "comma": ('{"image": "1.jpg"},\n', "line 1 ends in a comma", False),
    "text": ("hello\nworld, and more\n", "it looks like text that is not JSON", False),
    "one-value": ("5\n[1]\n", "it looks like JSON values other than objects", False),
    "apostrophe": ('{"caption": "it\'s a dog",}\n', "line 1 has a comma before a closing bracket", False),
    "indented": ('{\n "a": 1\n}\n', "the object that begins on line 1 does not end there", False),
    "other": (rows({"id": 1, "score": 0.5}), "with the keys `id`, `score`", True),
    "empty-objects": ("{}\n", "empty objects", True),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.manifest").write_text(GOOD)
    return tmp_path


def check(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Exit status, findings but those on missing images, and summary of the command."""
    flags = ("--fast", "--preview", "--output", "json:report.json", "--ignore", "image-missing")
    done = groundlint("check", *arguments, *flags, cwd=folder)
    assert done.stderr == ""
    report = report_of(folder / "report.json")
    return done.returncode, report["findings"], report["summary"]


def notes(summary: dict[str, Any], kind: str) -> list[tuple[int | None, str]]:
    return [(note["count"], note["message"]) for note in summary["notes"] if note["kind"] == kind]


@pytest.mark.parametrize(("text", "looks_like", "has_objects"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_that_is_named_is_one_error_that_says_what_it_looks_like(
    folder: Path, text: str, looks_like: str, has_objects: bool
) -> None:
    (folder / "a.jsonl").write_text(text)
    status, [finding], _ = check(folder, "a.jsonl")
    assert status == 1
    assert (finding["severity"], finding["line"]) == ("error", None)
    assert finding["aws"] == (None if has_objects else UNSUPPORTED)
    assert finding["message"].startswith("not a manifest: ")
    assert looks_like in finding["message"]


def test_foreign_files_in_a_folder_are_skipped_with_a_note_as_if_they_were_not_there(folder: Path) -> None:
    alone = check(folder, ".")
    for name, (text, _, _) in FOREIGN.items():
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "packed.manifest").write_bytes(gzip.compress(GOOD.encode()))
    status, found, summary = check(folder, ".")
    ((count, message),) = notes(summary, "foreign-files")
    assert count == len(FOREIGN) + 1
    assert message.startswith(f"{count} files in other formats were skipped: apostrophe.jsonl (JSON with commas ")
    assert "appcache.jsonl (an HTML cache manifest), " in message
    assert (status, found) == alone[:2]
    assert {**summary, "notes": []} == {**alone[2], "notes": []}
    listed = groundlint("check", ".", "--show-files", cwd=folder)
    assert listed.stdout == "good.manifest\n"


def test_files_of_a_configured_data_set_are_not_counted_where_others_are_checked(folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d/a.manifest").write_text(GOOD)
    (folder / "d/chat.jsonl").write_text(FOREIGN["chat"][0])
    (folder / "groundlint.toml").write_text('[datasets.x]\ntrain = "d"\n')
    assert notes(check(folder, "good.manifest")[2], "foreign-files") == []
    assert notes(check(folder)[2], "foreign-files") == [
        (1, "1 file in another format was skipped: d/chat.jsonl (chat data for a language model)")
    ]


def test_a_first_configuration_has_no_data_set_of_foreign_files(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / f"chat-{split}.jsonl").write_text(FOREIGN["chat"][0])
        (folder / f"cats-{split}.manifest").write_text(GOOD)
    assert groundlint("init", cwd=folder).returncode == 0
    configuration = (folder / "groundlint.toml").read_text()
    assert "cats-train.manifest" in configuration
    assert "chat" not in configuration


def test_a_device_is_not_read_to_see_what_it_looks_like(folder: Path) -> None:
    done = groundlint("check", "--force-exclude", "/dev/zero", cwd=folder)
    assert done.returncode == 2
    assert "/dev/zero: not a regular file" in done.stderr


def test_a_folder_of_nothing_but_foreign_files_has_no_manifest(folder: Path) -> None:
    (folder / "only").mkdir()
    (folder / "only/metadata.jsonl").write_text(FOREIGN["metadata"][0])
    done = groundlint("check", "only", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "only: the folder has no manifest (" in done.stderr
    assert "only/metadata.jsonl (Hugging Face ImageFolder metadata" in done.stderr


@pytest.mark.parametrize("path", ["only/metadata.jsonl", "only"])
def test_if_force_exclude_leaves_no_file_a_note_says_so(folder: Path, path: str) -> None:
    (folder / "only").mkdir()
    (folder / "only/metadata.jsonl").write_text(FOREIGN["metadata"][0])
    status, found, summary = check(folder, "--force-exclude", path)
    assert (status, found) == (0, [])
    assert notes(summary, "no-files-left") == [(None, "nothing was checked: --force-exclude left no file")]
    assert [count for count, _ in notes(summary, "foreign-files")] == [1]


def test_the_hook_judges_the_manifests_among_the_files_it_is_given(folder: Path) -> None:
    (folder / "bad.jsonl").write_text(BAD)
    (folder / "metadata.jsonl").write_text(FOREIGN["metadata"][0])
    (folder / "metadata.manifest").write_text(FOREIGN["csv"][0])
    status, found, summary = check(folder, "--force-exclude", "bad.jsonl", "metadata.jsonl", "metadata.manifest")
    assert (status, {finding["manifest"] for finding in found}) == (1, {"bad.jsonl"})
    assert [count for count, _ in notes(summary, "foreign-files")] == [2]


@pytest.mark.parametrize("arguments", [(), (".",), ("a.jsonl",), ("--force-exclude",), ("--force-exclude", "a.jsonl")])
def test_a_manifest_of_a_configured_data_set_counts_as_named(folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "a.jsonl").write_text(FOREIGN["metadata"][0])
    (folder / "groundlint.toml").write_text('[datasets.a]\ntrain = "good.manifest"\ntest = "a.jsonl"\n')
    status, found, _ = check(folder, *arguments)
    assert status == 1
    assert [f["name"] for f in found if f["manifest"] == "a.jsonl"] == ["foreign-file"]


BROKEN = {
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
    "conflict": (f"<<<<<<< HEAD\n{GOOD}=======\n{BAD}>>>>>>> other\n".encode(), "merge conflict markers"),
    "conflict-in-other": (
        b'<<<<<<< HEAD\n{"file_name": "1.png"}\n=======\n{}\n>>>>>>> other\n',
        "merge conflict markers",
    ),
    "utf-16": (GOOD.encode("utf-16"), "UTF-16"),
    "utf-16-without-mark": (GOOD.encode("utf-16-le"), "UTF-16"),
    "array-of-lines": (json.dumps([detection(), detection()]).encode(), "one JSON array"),
    "array-of-lines-indented": (json.dumps([detection(), detection()], indent=1).encode(), "one JSON array"),
    "csv-of-source-refs": (b"source-ref,label\ns3://bucket/1.jpg,cat\n", "not a manifest"),
    "entries-indented": (json.dumps({"DatasetEntries": [GOOD]}, indent=1).encode(), "list-dataset-entries"),
}


@pytest.mark.parametrize(("data", "says"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("arguments", [("a.manifest",), (".",), ("--force-exclude", "a.manifest")])
def test_a_broken_manifest_is_one_error_wherever_it_is_met(
    folder: Path, data: bytes, says: str, arguments: tuple[str, ...]
) -> None:
    (folder / "a.manifest").write_bytes(data)
    status, found, _ = check(folder, *arguments)
    assert status == 1
    ((aws, message),) = [(f["aws"], f["message"]) for f in found if f["manifest"] == "a.manifest"]
    assert aws == UNSUPPORTED
    assert says in message


NEAR = [
    {"source_ref": "s3://bucket/1.jpg"},
    {"Source-Ref": "s3://bucket/1.jpg", "label": 1},
    {"source": "a text"},
    {"animal": 0, "animal-metadata": {}},
    {"source-ref": None},
]


@pytest.mark.parametrize("line", NEAR, ids=lambda line: next(iter(line)))
def test_a_file_with_one_line_like_that_of_a_manifest_is_judged(folder: Path, line: dict[str, Any]) -> None:
    (folder / "a.jsonl").write_text(rows(*[{"file_name": f"{n}.png"} for n in range(200)], line))
    _, found, summary = check(folder, ".")
    assert summary["manifests"] == 2
    assert "missing-source-ref" in {finding["name"] for finding in found}


@pytest.mark.parametrize("line", ["{'source-ref': 's3://bucket/1.jpg'}", '{"animal-metadata": {}},'])
def test_a_line_that_does_not_parse_counts_by_its_text(folder: Path, line: str) -> None:
    (folder / "a.jsonl").write_text(f"{line}\n")
    assert check(folder, ".")[2]["manifests"] == 2


def test_standard_input_may_be_foreign(folder: Path) -> None:
    for flags, status, says in (((), 1, "Hugging Face"), (("--force-exclude",), 0, "")):
        done = groundlint(
            "check", "-", *flags, "--output", "concise", cwd=folder, stdin=FOREIGN["metadata"][0].encode()
        )
        assert done.returncode == status
        assert says in done.stdout


def test_an_empty_manifest_in_a_folder_is_a_finding(folder: Path) -> None:
    (folder / "empty.manifest").write_text("\n")
    status, found, _ = check(folder, ".")
    assert (status, [f["name"] for f in found if f["manifest"] == "empty.manifest"]) == (1, ["empty-manifest"])


def test_the_training_set_is_judged_although_the_test_set_is_foreign(folder: Path) -> None:
    (folder / "a.jsonl").write_text(FOREIGN["chat"][0])
    (folder / "bad.manifest").write_text(manifest(classification("ftp://bucket/1.jpg")) + GOOD)
    status, found, _ = check(folder, "--train", "bad.manifest", "--test", "a.jsonl")
    assert status == 1
    assert {"foreign-file", "invalid-source-ref"} <= {finding["name"] for finding in found}
