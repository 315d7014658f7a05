"""Reading manifests: the tables depend on the bytes only, not on how and in which blocks they are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from corpora import JSON_TEST_SUITE
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import classification, detection, line_texts, manifest
from polars.testing import assert_frame_equal

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.base_tables import BASE
from groundlint.manifest.kinds import Kind
from groundlint.manifest.part import MIN_BATCH
from groundlint.manifest.reader import READ_TABLES, read


def tables(data: str | bytes, *, block: int = 1 << 20, fast: bool = True) -> Mapping[str, pl.DataFrame]:
    content = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return read([data_set(Source("a.manifest", "train", data=content))], block=block, fast=fast).tables


def data_set(*sources: Source) -> DataSet:
    return DataSet(sources, frozenset(source.name for source in sources))


def assert_same(some: Mapping[str, pl.DataFrame], others: Mapping[str, pl.DataFrame]) -> None:
    for name in READ_TABLES:
        keys = ("data_set", "split", "manifest", "line", "attribute", "box", "id", "label", "kind", "pointer")
        by = [key for key in keys if key in some[name].columns]
        without_ids = [frame.drop("box_id", strict=False).sort(by) for frame in (some[name], others[name])]
        assert_frame_equal(*without_ids, check_exact=True)


def causes(found: Mapping[str, pl.DataFrame]) -> list[tuple[Kind, dict[str, Any]]]:
    """The kind and the values of each problem."""
    return [
        (Kind(kind), {key: value for key, value in values.items() if value is not None})
        for kind, values in found["problems"].select("kind", "values").iter_rows()
    ]


def kinds(data: str | bytes) -> list[str]:
    return sorted(tables(data)["problems"]["kind"])


@settings(max_examples=60, deadline=None)
@given(st.lists(line_texts(), min_size=1, max_size=4))
def test_batches_give_the_rows_of_lines_read_one_by_one(texts: list[str]) -> None:
    # Repeated, so that shapes are known, and lines of a shape suffice for a batch.
    data = "\n".join(texts * MIN_BATCH)
    assert_same(tables(data), tables(data, fast=False))


@given(st.lists(line_texts(), max_size=8), st.integers(1, 400))
def test_any_block_size_gives_the_same_tables(texts: list[str], block: int) -> None:
    data = "\n".join(texts)
    assert_same(tables(data, block=block), tables(data))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of valid and faulty lines, with a byte order mark, CR LF and blank lines, and no line feed at its end."""
    path = tmp_path_factory.mktemp("large") / "large.manifest"
    sound = [detection(f"s3://bucket/{n}.jpg", ({}, {"class_id": n % 2})) for n in range(40)]
    others = [classification(f"s3://bucket/{n}.jpg", "cat") for n in range(40, 60)]
    faulty = ["", "{", '{"source-ref": 1}\r', json.dumps(detection("s3://bucket/60.jpg", ({"width": "wide"},)))]
    path.write_text("\ufeff" + manifest(*sound) + "\n".join([*faulty, manifest(*others).removesuffix("\n")]))
    return path


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_several_processes_read_the_same_tables(large: Path, jobs: int) -> None:
    source = Source("large.manifest", "train", large)
    whole = read([data_set(source)]).tables
    assert whole["manifests"]["lines"].to_list() == [64]
    assert_same(read([data_set(source)], jobs=jobs, part=1).tables, whole)


def test_lines_are_read_even_if_no_process_starts(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("large.manifest", "train", large)
    whole = read([data_set(source)]).tables
    for program in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        assert_same(read([data_set(source)], jobs=2, part=1).tables, whole)


def test_manifests_read_together_have_the_rows_of_each_read_alone() -> None:
    texts = [
        manifest(*[detection(f"s3://bucket/{n}.jpg") for n in range(count)], "{", classification("s3://b/c.jpg"))
        for count in (1, 5, 2 * MIN_BATCH)
    ]
    sources = [Source(f"{n}.manifest", "train", data=text.encode()) for n, text in enumerate(texts)]
    together = read([data_set(source) for source in sources]).tables
    for number, source in enumerate(sources):
        own = {name: rows.filter(pl.col("data_set") == number) for name, rows in together.items()}
        alone = read([data_set(source)]).tables
        ids = ["data_set", "line_id", "attribute_id"]
        assert_same(*({name: rows.drop(ids, strict=False) for name, rows in each.items()} for each in (own, alone)))


def test_ids_join_lines_with_their_contents() -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", ({}, {"left": 300})) | classification() for n in range(3)]
    source = Source("a.manifest", "train", data=manifest(*lines).encode())
    # A manifest in two splits and two data sets has its rows once for each.
    found = read([data_set(source, source._replace(split="test")), data_set(source)]).tables
    assert found["lines"]["line_id"].n_unique() == found["lines"].height == 9
    assert found["attributes"]["attribute_id"].n_unique() == found["attributes"].height == 18
    assert found["boxes"]["box_id"].n_unique() == found["boxes"].height == 18
    place = ["data_set", "split", "manifest", "line"]
    of_line = found["boxes"].join(found["lines"], on="line_id", suffix="_of_line")
    assert all(of_line[key].equals(of_line[f"{key}_of_line"]) for key in place)
    of_attribute = found["boxes"].join(found["attributes"], on="attribute_id", suffix="_of_attribute")
    assert of_attribute.height == found["boxes"].height
    assert all(of_attribute[key].equals(of_attribute[f"{key}_of_attribute"]) for key in [*place, "attribute"])


@pytest.mark.parametrize(("before", "after"), [(30, 30), (0, 30)])
def test_a_merge_conflict_is_named_by_its_line_whichever_process_read_it(
    tmp_path: Path, before: int, after: int
) -> None:
    line = json.dumps(detection())
    path = tmp_path / "conflict.manifest"
    path.write_text("\n".join([*[line] * before, "<<<<<<< HEAD", *[line] * after]))
    problems = read([data_set(Source("conflict.manifest", "train", path))], jobs=3, part=1).tables["problems"]
    assert problems.select("kind", "line").rows() == [(Kind.MERGE_CONFLICT, before + 1)]


def test_many_valid_lines_are_read() -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", ({}, {"class_id": 1})) for n in range(3 * MIN_BATCH)]
    found = tables(manifest(detection(), *lines))
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
        ("[1, 2]", Kind.NOT_AN_OBJECT),
        (" \t", Kind.BLANK_LINE),
    ],
)
def test_a_line_that_is_not_a_json_object_is_reported_and_the_others_are_read(line: str, kind: Kind) -> None:
    found = tables(manifest(detection(), line, detection("s3://bucket/2.jpg")))
    assert found["problems"].select("line", "kind").rows() == [(2, kind)]
    assert found["lines"]["line"].sort().to_list() == [1, 3]


def test_bytes_that_are_not_utf_8_are_reported() -> None:
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
def test_a_class_index_of_any_length_is_read(digits: int, sign: str) -> None:
    line = json.dumps(classification())
    changed = line.replace('"animal": 0', f'"animal": {sign}{"9" * digits}')
    data = manifest(line, *[changed] * 2 * MIN_BATCH)
    assert_same(tables(data), tables(data, fast=False))


def test_a_byte_order_mark_is_reported_once_and_removed() -> None:
    found = tables(b"\xef\xbb\xbf" + manifest(detection()).encode())
    assert found["problems"].select("line", "kind", "loses").rows() == [(1, Kind.BYTE_ORDER_MARK, None)]
    assert found["boxes"].height == 1


def test_a_byte_order_mark_on_a_later_line_is_reported_as_one() -> None:
    found = tables(manifest(detection(), "\ufeff" + json.dumps(detection())))
    assert causes(found) == [(Kind.INVALID_JSON, {"found": "remove the byte order mark at character 1"})]


def test_crlf_is_reported_once() -> None:
    found = tables(manifest(detection(), detection("s3://bucket/2.jpg")).replace("\n", "\r\n"))
    assert found["problems"].select("line", "kind").rows() == [(None, Kind.CRLF_LINE_ENDS)]
    assert found["lines"].height == 2


def test_a_duplicate_key_is_reported_and_the_last_one_counts() -> None:
    line = json.dumps(classification()).replace('"class-name"', '"class-name": "dog", "class-name"')
    found = tables(manifest(classification(), classification(), line))
    assert found["problems"].select("line", "kind").rows() == [(3, Kind.DUPLICATE_KEY)]
    assert found["labels"]["label"].to_list() == ["cat", "cat", "cat"]


def test_a_line_over_100_000_characters_keeps_its_rows_unusable() -> None:
    long = detection("s3://bucket/2.jpg", ({},) * 2000)
    found = tables(manifest(detection(), long))
    assert Kind.LINE_TOO_LONG in found["problems"]["kind"]
    assert found["boxes"].filter(pl.col("line") == 2)["usable"].to_list() == [False] * 2000


def test_a_line_over_eight_mebibytes_is_not_parsed() -> None:
    found = tables(manifest(detection(), detection() | {"note": "x" * (8 << 20)}, detection("s3://bucket/3.jpg")))
    assert found["problems"].select("line", "kind").rows() == [(2, Kind.LINE_NOT_PARSED)]
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
def test_other_keys_beside_a_label_are_not_orphans(keys: dict[str, Any]) -> None:
    assert kinds(manifest(detection() | keys)) == []


@pytest.mark.parametrize(
    ("keys", "attribute", "pointer", "cause"),
    [
        (
            {"boxes-metadata": LABEL},
            *("boxes", "/boxes-metadata"),
            (Kind.UNPAIRED_KEY, {"key": "boxes-metadata", "expected": "boxes"}),
        ),
        (
            {"a/b": {"annotations": []}},
            *("a/b", "/a~1b"),
            (Kind.UNPAIRED_KEY, {"key": "a/b", "expected": "a/b-metadata"}),
        ),
        (
            {"fruit": 1, "fruit_metadata": LABEL},
            *("fruit", "/fruit"),
            (Kind.MISNAMED_METADATA, {"key": "fruit", "found": "fruit_metadata", "expected": "fruit-metadata"}),
        ),
        (
            {"fruit": 1, "Fruit-metdata": LABEL},
            *("fruit", "/fruit"),
            (Kind.MISNAMED_METADATA, {"key": "fruit", "found": "Fruit-metdata", "expected": "fruit-metadata"}),
        ),
        (
            {"fruits": 1, "fruit-metadata": LABEL},
            *("fruits", "/fruits"),
            (Kind.MISNAMED_METADATA, {"key": "fruits", "found": "fruit-metadata", "expected": "fruits-metadata"}),
        ),
        (
            {"animals_metadata": LABEL},
            *("animals_metadata", "/animals_metadata"),
            (Kind.METADATA_ONLY, {"key": "animals_metadata"}),
        ),
    ],
)
def test_an_unpaired_key_beside_a_label_is_reported_on_its_attribute(
    keys: dict[str, Any], attribute: str, pointer: str, cause: tuple[Kind, dict[str, Any]]
) -> None:
    found = tables(manifest(detection() | keys))
    assert found["problems"].select("attribute", "pointer").rows() == [(attribute, pointer)]
    assert causes(found) == [cause]


def test_problems_of_metadata_are_reported_on_its_attribute() -> None:
    long = detection() | {"note-metadata": "x" * 20_000, "$a": 1, "$a-metadata": "x", "$b-metadata": 1}
    problems = tables(manifest(long))["problems"].filter(~pl.col("kind").str.starts_with("metadata-with"))
    found = set(problems.select("kind", "attribute").rows())
    assert found == {(Kind.ATTRIBUTE_TOO_LONG, "note"), (Kind.DOLLAR_KEY, "$a"), (Kind.DOLLAR_KEY, "$b")}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", Kind.EMPTY_MANIFEST),
        (b"\n \n", Kind.EMPTY_MANIFEST),
        ("\ufeff{}".encode("utf-16"), Kind.UTF_16),
        ('{"source-ref": "s3://b/k"}'.encode("utf-16-le"), Kind.UTF_16),
        (b"\x1f\x8b\x08\x00", Kind.GZIP),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", Kind.GIT_LFS_POINTER),
        (json.dumps([detection(), detection()]).encode(), Kind.OTHER_FORMAT),
        (json.dumps([detection(), detection()], indent=1).encode(), Kind.OTHER_FORMAT),
        (b'{"images": [], "annotations": [], "categories": []}', Kind.FOREIGN_FILE),
        (json.dumps({"images": [1], "categories": []}, indent=2).encode(), Kind.OTHER_FORMAT),
        (b'{"errors": [], "statistics": {"training": {}}}', Kind.FOREIGN_FILE),
        (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", Kind.MERGE_CONFLICT),
        (b"hello\nworld\n", Kind.OTHER_FORMAT),
        (b"source-ref,label\ns3://b/1.jpg,cat\n", Kind.CSV),
    ],
)
def test_a_file_that_is_not_a_manifest_is_reported_by_its_kind(data: bytes, kind: Kind) -> None:
    assert kinds(data) == [kind]


@pytest.mark.parametrize("path", sorted(JSON_TEST_SUITE.glob("*.json")), ids=lambda path: path.name)
def test_the_json_corpus_ends_as_its_file_names_say(path: Path) -> None:
    data = path.read_bytes()
    problems = tables(data)["problems"]
    if path.name.startswith("y_"):
        assert Kind.INVALID_JSON not in problems["kind"]
    if path.name.startswith("n_"):
        assert not problems.is_empty()
    if b"\n" not in data and not path.name.startswith("i_"):
        line = json.dumps(detection()).encode()[:-1] + b', "value": ' + data + b"}"
        found = [kind for kind in kinds(manifest(detection()).encode() + line) if Kind(kind).rule != "MAN206"]
        if path.name.startswith("y_"):
            assert found in ([], [Kind.DUPLICATE_KEY])
        else:
            assert found
