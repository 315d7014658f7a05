"""Fingerprints: a finding is told again when lines move, are reordered or written anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import detection, manifest

import groundlint
from groundlint.engine.findings import relative

LINES = [
    detection("s3://bucket/1.jpg", ({"left": -1}, {"left": -1}, {"left": -2}, {})),
    detection("s3://bucket/2.jpg", ({"width": 0.5}, {})),
    detection("s3://bucket/3.jpg", type="groundtruth/custom"),
    detection("s3://bucket/4.jpg", **{"class-map": {}}),
]
NO_URI = json.dumps({"a": 1})


def prints(folder: Path, text: str, name: str = "a.manifest") -> list[str]:
    (folder / name).write_text(text)
    found = groundlint.check(folder / name, select=["BOX1", "LBL1", "REF1", "MAN2"], isolated=True)
    of_lines = found.filter(found["line"].is_not_null())
    return sorted(of_lines["fingerprint"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(order=st.permutations(range(len(LINES))), blanks=st.integers(0, 3))
def test_moved_and_reordered_lines_keep_their_fingerprints(tmp_path: Path, order: list[int], blanks: int) -> None:
    before = prints(tmp_path, manifest(*LINES, NO_URI))
    after = prints(
        tmp_path,
        manifest(*[detection(f"s3://bucket/x{n}.jpg") for n in range(blanks)], *(LINES[n] for n in order), NO_URI),
    )
    assert set(before) <= set(after)


def test_lines_written_anew_keep_their_fingerprints(tmp_path: Path) -> None:
    compact = "".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in LINES)
    floats = compact.replace('"left":-1', '"left":-1.0')
    assert prints(tmp_path, manifest(*LINES)) == prints(tmp_path, compact) == prints(tmp_path, floats)


def test_no_two_findings_share_a_fingerprint(tmp_path: Path) -> None:
    found = prints(tmp_path, manifest(*LINES, NO_URI, NO_URI))
    assert len(set(found)) == len(found) > 5


def test_a_fingerprint_depends_on_the_content(tmp_path: Path) -> None:
    moved = json.loads(json.dumps(LINES[0]).replace('"left": -2', '"left": -3'))
    assert set(prints(tmp_path, manifest(LINES[0]))) != set(prints(tmp_path, manifest(moved)))


def test_the_way_to_a_manifest_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = prints(tmp_path, manifest(*LINES))
    assert prints(Path(), manifest(*LINES)) == absolute


def test_links_on_the_way_to_a_manifest_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "deep").symlink_to("real/sub")
    monkeypatch.chdir(tmp_path / "link")
    known = prints(Path("sub"), manifest(*LINES))
    for folder in ("real/sub", "link/sub", "deep"):
        assert prints(tmp_path / folder, manifest(*LINES)) == known
    outside = prints(Path(".."), manifest(*LINES))
    assert prints(tmp_path, manifest(*LINES)) == outside != known


def test_a_link_below_the_folder_is_called_as_it_is_and_not_by_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/data").symlink_to("../mounted")
    (tmp_path / "root/a.manifest").symlink_to("../mounted/b.manifest")
    (tmp_path / "link").symlink_to("root")
    root = tmp_path.resolve() / "root"
    for way in ("root", "link"):
        assert relative(str(tmp_path / way / "data/b.manifest"), root) == "data/b.manifest"
        assert relative(str(tmp_path / way / "a.manifest"), root) == "a.manifest"
