"""Globs: the dialect of gitignore, in linear time, and paths relative to a folder."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from groundlint.config.paths import matches, matching, relative

NAMES = ["a.manifest", "sub/a.manifest", "sub/deep/b.jsonl", "s3://bucket/cats/1.jpg", "s3://bucket/dogs/1.jpg"]


@pytest.mark.parametrize(
    ("globs", "matched"),
    [
        (["a.manifest"], ["a.manifest", "sub/a.manifest"]),
        (["/a.manifest"], ["a.manifest"]),
        (["sub"], ["sub/a.manifest", "sub/deep/b.jsonl"]),
        (["sub/*.manifest"], ["sub/a.manifest"]),
        (["sub/**/*.jsonl"], ["sub/deep/b.jsonl"]),
        (["s3://bucket/cats/*"], ["s3://bucket/cats/1.jpg"]),
        (["s3://bucket/[cd]o*/*"], ["s3://bucket/dogs/1.jpg"]),
        (["s3://bucket/[!c]*/*"], ["s3://bucket/dogs/1.jpg"]),
        (["*/cats/*"], []),
        (["**/cats/*"], ["s3://bucket/cats/1.jpg"]),
        (["*.manifest", "!sub/*"], ["a.manifest"]),
        ([], []),
    ],
)
def test_globs_follow_the_rules_of_gitignore(globs: list[str], matched: list[str]) -> None:
    assert matching(NAMES, globs) == set(matched)
    column = pl.DataFrame({"name": [None, *NAMES]}).filter(matches("name", globs))
    assert column["name"].to_list() == matched


# Python's engine warns of sets that a later version may read otherwise.
@pytest.mark.filterwarnings("ignore::FutureWarning")
@settings(max_examples=500)
@given(
    name=st.from_regex(r"[ab\-\[\]!&~ #][ab.\-\[\]!&~ #]{0,3}(/[ab\-\[\]!&~ #]{1,4}){0,2}", fullmatch=True),
    glob=st.text("ab*?[]!./^\\ &~#", min_size=1, max_size=10),
)
def test_a_glob_matches_what_it_matches_in_pathspec(name: str, glob: str) -> None:
    try:
        expected = GitIgnoreSpec.from_lines([glob]).match_file(name)
    except ValueError:
        expected = False
    assert (name in matching([name], [glob])) == expected


@pytest.mark.parametrize("glob", ["[", "[z-a]", "a\\", "!", "[!]", "#", "/", " ", "[a--z]", "a" * 5000, "\udcff"])
def test_an_odd_glob_matches_nothing_and_does_not_raise(glob: str) -> None:
    assert matching(["b/c"], [glob]) == set()


@pytest.mark.parametrize("glob", ["*a" * 300 + "b", "**/a/" * 200 + "b", "[!b]*" * 200 + "b", "?*" * 400 + "b"])
def test_a_hostile_glob_takes_no_exponential_time(glob: str) -> None:
    start = time.perf_counter()
    assert matching(["a" * 5000, "a/" * 2000 + "c"], [glob]) == set()
    assert time.perf_counter() - start < 5


def test_a_name_that_is_not_text_can_be_matched() -> None:
    assert matching(["a\udcff.manifest"], ["*.manifest"]) == {"a\udcff.manifest"}


def test_a_name_with_a_line_break_can_be_matched() -> None:
    assert matching(["a\nb/c.manifest"], ["c.manifest"]) == {"a\nb/c.manifest"}


def test_a_link_below_the_folder_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to("../mounted")
    (tmp_path / "root/a.manifest").symlink_to("../mounted/b.manifest")
    (tmp_path / "link").symlink_to("root")
    root = tmp_path.resolve() / "root"
    for way in ("root", "link"):
        assert relative(str(tmp_path / way / "data/b.manifest"), root) == "data/b.manifest"
        assert relative(str(tmp_path / way / "a.manifest"), root) == "a.manifest"
