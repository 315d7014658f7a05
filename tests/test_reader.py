"""Reading manifests: the tables say what the bytes say, whatever path and whatever blocks they were read in."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import classification, detection, line_texts, manifest
from polars.testing import assert_frame_equal

from groundlint.engine.tables import BASE
from groundlint.manifest.kinds import Kind
from groundlint.manifest.reader import READ_TABLES, Source, read

CORPUS = Path(__file__).parents[2] / "shared/data/corpora/json_test_suite"


def tables(data: str | bytes, *, block: int = 1 << 20, fast: bool = True) -> Mapping[str, pl.DataFrame]:
    content = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return read([Source("a.manifest", "train", data=content)], tables=READ_TABLES, block=block, fast=fast).tables


def assert_same(some: Mapping[str, pl.DataFrame], others: Mapping[str, pl.DataFrame]) -> None:
    for name in READ_TABLES:
        by = [key for key in ("line", "attribute", "box", "id", "label", "kind", "detail") if key in some[name].columns]
        assert_frame_equal(some[name].sort(by), others[name].sort(by), check_exact=True)


def kinds(data: str | bytes) -> list[str]:
    return sorted(tables(data)["problems"]["kind"])


@given(st.lists(line_texts(), min_size=1, max_size=12))
def test_the_fast_path_gives_the_rows_of_the_slow_path(texts: list[str]) -> None:
    # Twice, so that the second half meets shapes that the first has taught.
    data = "\n".join(texts * 2)
    assert_same(tables(data), tables(data, fast=False))


@given(st.lists(line_texts(), max_size=8), st.integers(1, 400))
def test_any_split_of_the_bytes_gives_the_same_tables(texts: list[str], block: int) -> None:
    data = "\n".join(texts)
    assert_same(tables(data, block=block), tables(data))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of sound and faulty lines, with a byte order mark, CR LF and blank lines, and no feed at its end."""
    path = tmp_path_factory.mktemp("large") / "large.manifest"
    sound = [detection(f"s3://bucket/{n}.jpg", ({}, {"class_id": n % 2})) for n in range(40)]
    others = [classification(f"s3://bucket/{n}.jpg", "cat") for n in range(40, 60)]
    faulty = ["", "{", '{"source-ref": 1}\r', json.dumps(detection("s3://bucket/60.jpg", ({"width": "wide"},)))]
    path.write_text("\ufeff" + manifest(*sound) + "\n".join([*faulty, manifest(*others).removesuffix("\n")]))
    return path


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_several_processes_read_the_same_tables(large: Path, jobs: int) -> None:
    source = Source("large.manifest", "train", large)
    whole = read([source]).tables
    assert whole["manifests"]["lines"].to_list() == [64]
    assert_same(read([source], jobs=jobs, part=1).tables, whole)


def test_lines_are_read_though_no_process_starts(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("large.manifest", "train", large)
    whole = read([source]).tables
    for program in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        assert_same(read([source], jobs=2, part=1).tables, whole)


@pytest.mark.parametrize(("before", "after"), [(30, 30), (0, 30)])
def test_a_merge_conflict_is_named_by_its_line_whichever_process_read_it(
    tmp_path: Path, before: int, after: int
) -> None:
    line = json.dumps(detection())
    path = tmp_path / "conflict.manifest"
    path.write_text("\n".join([*[line] * before, "<<<<<<< HEAD", *[line] * after]))
    problems = read([Source("conflict.manifest", "train", path)], jobs=3, part=1).tables["problems"]
    assert problems.select("kind", "line").rows() == [(Kind.NOT_A_MANIFEST, before + 1)]


def test_sound_lines_take_the_fast_path() -> None:
    found = tables(manifest(detection(), *(detection(f"s3://bucket/{n}.jpg", ({}, {"class_id": 1})) for n in range(3))))
    assert found["problems"].is_empty()
    assert found["boxes"].filter(pl.col("line") == 4)["label"].to_list() == ["cat", "dog"]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x1f", "cl", "ü"])
def test_a_key_of_any_characters_is_read(name: str) -> None:
    lines = [detection(name=name), detection("s3://bucket/2.jpg", name=name), classification("s3://b/3.jpg", name=name)]
    found = tables(manifest(*lines, detection("s3://bucket/4.jpg") | {name: 1}, detection("s3://bucket/5.jpg")))
    assert found["problems"].is_empty()
    assert found["boxes"].sort("line")["attribute"].to_list() == [name, name, "animals", "animals"]
    assert found["labels"]["attribute"].to_list() == [name]


def test_every_table_has_the_documented_columns() -> None:
    for name, frame in tables(manifest(detection(), classification())).items():
        assert frame.schema == BASE[name].schema


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"source-ref": "s3://b/k", "a": 1', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/k\0"}', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/k", "a": NaN}', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/k", "a": -Infinity}', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/\\ud800"}', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/k", "n": "\\ud800", "n": "x"}', Kind.INVALID_JSON),
        ('{"source-ref": "s3://b/k", "n": {"\\udfff": 1}, "n": ' + "7" * 5000 + "}", Kind.INVALID_JSON),
        ('{"a": ' + "[" * 501 + "]" * 501 + "}", Kind.INVALID_JSON),
        ("[1, 2]", Kind.INVALID_JSON),
        (" \t", Kind.INVALID_JSON),
    ],
)
def test_a_line_that_is_no_json_object_is_named_and_the_others_are_read(line: str, kind: Kind) -> None:
    found = tables(manifest(detection(), line, detection("s3://bucket/2.jpg")))
    assert found["problems"].select("line", "kind").rows() == [(2, kind)]
    assert found["lines"]["line"].sort().to_list() == [1, 3]


def test_bytes_that_are_not_utf_8_are_named() -> None:
    data = manifest(detection()).encode() + b'{"source-ref": "s3://b/\xff"}\n'
    assert tables(data)["problems"].select("line", "kind").rows() == [(2, Kind.INVALID_JSON)]


def test_unicode_line_separators_do_not_end_a_line() -> None:
    found = tables(manifest(json.dumps(classification(label="a\u2028b\x85c"), ensure_ascii=False)))
    assert found["labels"]["label"].to_list() == ["a\u2028b\x85c"]


def test_nesting_of_five_hundred_is_read() -> None:
    line = json.dumps(detection())[:-1] + ', "deep": ' + "[" * 498 + "]" * 498 + "}"
    assert kinds(manifest(detection(), line)) == []


def test_a_number_of_five_thousand_digits_is_read() -> None:
    line = json.dumps(detection())[:-1] + ', "big": ' + "7" * 5000 + "}"
    assert kinds(manifest(detection(), line)) == []


@pytest.mark.parametrize("digits", [18, 19, 20, 300, 301, 306, 5000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_class_index_is_read_alike_on_both_paths(digits: int, sign: str) -> None:
    line = json.dumps(classification())
    data = manifest(line, line.replace('"animal": 0', f'"animal": {sign}{"9" * digits}'))
    assert_same(tables(data), tables(data, fast=False))


def test_a_byte_order_mark_is_named_once_and_stripped() -> None:
    found = tables(b"\xef\xbb\xbf" + manifest(detection()).encode())
    assert found["problems"].select("line", "kind", "loses").rows() == [(1, Kind.BYTE_ORDER_MARK, None)]
    assert found["boxes"].height == 1


def test_a_byte_order_mark_on_a_later_line_is_named_as_such() -> None:
    problems = tables(manifest(detection(), "\ufeff" + json.dumps(detection())))["problems"]
    assert problems["detail"].to_list() == [
        "the line is no valid JSON: remove the byte order mark at character 1",
    ]


def test_crlf_is_named_once() -> None:
    found = tables(manifest(detection(), detection("s3://bucket/2.jpg")).replace("\n", "\r\n"))
    assert found["problems"].select("line", "kind").rows() == [(None, Kind.CRLF_LINE_ENDS)]
    assert found["lines"].height == 2


def test_a_repeated_key_is_named_and_the_last_one_counts() -> None:
    line = json.dumps(classification()).replace('"class-name"', '"class-name": "dog", "class-name"')
    found = tables(manifest(classification(), classification(), line))
    assert found["problems"].select("line", "kind").rows() == [(3, Kind.REPEATED_KEY)]
    assert found["labels"]["label"].to_list() == ["cat", "cat", "cat"]


def test_a_line_over_100_000_characters_keeps_its_rows_unusable() -> None:
    long = detection("s3://bucket/2.jpg", ({},) * 2000)
    found = tables(manifest(detection(), long))
    assert Kind.LINE_TOO_LONG in found["problems"]["kind"]
    assert found["boxes"].filter(pl.col("line") == 2)["usable"].to_list() == [False] * 2000


def test_a_line_over_eight_mebibytes_is_not_parsed() -> None:
    found = tables(manifest(detection(), detection() | {"note": "x" * (8 << 20)}, detection("s3://bucket/3.jpg")))
    assert found["problems"].select("line", "kind").rows() == [(2, Kind.LINE_TOO_LONG)]
    assert found["lines"]["line"].sort().to_list() == [1, 3]


LABEL = {"type": "groundtruth/object-detection"}


@pytest.mark.parametrize(
    "keys",
    [
        {"image_id": 17, "image_metadata": {"iso": 100}},
        {"frame_id": 17, "frame_meta": {"fps": 25}},
        {"capture-metadata": {"objects": 12}},
        {"capture-metadata": {"objects": [{"name": "tripod"}]}},
        {"capture": {"image_size": [640, 480], "annotations": "none"}},
        {"image": 17, "image_metadata": {"iso": 100}},
        {"page": 7, "metadata": {"pages": 2}},
    ],
)
def test_keys_of_the_users_own_beside_a_label_are_no_orphans(keys: dict[str, Any]) -> None:
    assert kinds(manifest(detection() | keys)) == []


@pytest.mark.parametrize(
    ("keys", "attribute", "pointer", "says"),
    [
        ({"boxes-metadata": LABEL}, "boxes", "/boxes-metadata", "`boxes-metadata` has no `boxes` beside it"),
        ({"a/b": {"annotations": []}}, "a/b", "/a~1b", "`a/b` has no `a/b-metadata` beside it"),
        ({"fruit": 1, "fruit_metadata": LABEL}, "fruit", "/fruit", "fruit_metadata: did you mean fruit-metadata?"),
        ({"fruit": 1, "Fruit-metdata": LABEL}, "fruit", "/fruit", "Fruit-metdata: did you mean fruit-metadata?"),
        ({"fruits": 1, "fruit-metadata": LABEL}, "fruits", "/fruits", "fruit-metadata: did you mean fruits-metadata?"),
        ({"animals_metadata": LABEL}, "animals_metadata", "/animals_metadata", "is the metadata of no label"),
    ],
)
def test_half_a_label_beside_a_whole_one_is_named_by_its_attribute(
    keys: dict[str, Any], attribute: str, pointer: str, says: str
) -> None:
    problems = tables(manifest(detection() | keys))["problems"]
    assert problems.select("kind", "attribute", "pointer").rows() == [(Kind.ORPHAN_KEY, attribute, pointer)]
    assert says in problems["detail"][0]


def test_what_is_told_of_metadata_stands_on_its_attribute() -> None:
    long = detection() | {"note-metadata": "x" * 20_000, "$a": 1, "$a-metadata": "x", "$b-metadata": 1}
    problems = tables(manifest(long))["problems"].filter(pl.col("kind") != Kind.INVALID_LABEL_METADATA)
    found = set(problems.select("kind", "attribute").rows())
    assert found == {(Kind.ATTRIBUTE_TOO_LONG, "note"), (Kind.DOLLAR_KEY, "$a"), (Kind.DOLLAR_KEY, "$b")}


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b"", Kind.EMPTY_MANIFEST, "empty"),
        (b"\n \n", Kind.EMPTY_MANIFEST, "empty"),
        ("\ufeff{}".encode("utf-16"), Kind.NOT_A_MANIFEST, "UTF-16"),
        ('{"source-ref": "s3://b/k"}'.encode("utf-16-le"), Kind.NOT_A_MANIFEST, "UTF-16"),
        (b"\x1f\x8b\x08\x00", Kind.NOT_A_MANIFEST, "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", Kind.NOT_A_MANIFEST, "Git LFS"),
        (json.dumps([detection(), detection()]).encode(), Kind.NOT_A_MANIFEST, "JSON array"),
        (json.dumps([detection(), detection()], indent=1).encode(), Kind.NOT_A_MANIFEST, "JSON array"),
        (b'{"images": [], "annotations": [], "categories": []}', Kind.NOT_A_MANIFEST, "COCO"),
        (json.dumps({"images": [1], "categories": []}, indent=2).encode(), Kind.NOT_A_MANIFEST, "COCO"),
        (b'{"errors": [], "statistics": {"training": {}}}', Kind.NOT_A_MANIFEST, "manifest_summary.json"),
        (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", Kind.NOT_A_MANIFEST, "merge-conflict"),
        (b"hello\nworld\n", Kind.NOT_A_MANIFEST, "no line of the file"),
    ],
)
def test_a_file_that_is_no_manifest_is_named_as_what_it_is(data: bytes, kind: Kind, says: str) -> None:
    problems = tables(data)["problems"]
    assert problems["kind"].to_list() == [kind]
    assert says in problems["detail"][0]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the JSON corpus lies outside the project, in ../shared/data/corpora")
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.name)
def test_the_json_corpus_ends_as_its_file_names_say(path: Path) -> None:
    data = path.read_bytes()
    problems = tables(data)["problems"]
    if path.name.startswith("y_"):
        assert "no valid JSON" not in " ".join(problems["detail"])
    if path.name.startswith("n_"):
        assert not problems.is_empty()
    if b"\n" not in data and not path.name.startswith("i_"):
        line = json.dumps(detection()).encode()[:-1] + b', "value": ' + data + b"}"
        found = [kind for kind in kinds(manifest(detection()).encode() + line) if kind != Kind.ORPHAN_KEY]
        if path.name.startswith("y_"):
            assert found in ([], [Kind.REPEATED_KEY])
        else:
            assert found
