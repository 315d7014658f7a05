"""Discovery: the manifests of a folder or pattern, in friendly and hostile trees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from groundlint.config.discovery import DiscoveryNote, files_matching, manifests_below


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}\n")


def below(folder: str = ".", *exclude: str) -> list[str]:
    return [Path(name).as_posix() for name in manifests_below(folder, exclude=exclude, root=Path.cwd())]


def notes(folder: str = ".") -> list[DiscoveryNote]:
    found: list[DiscoveryNote] = []
    manifests_below(folder, exclude=(), root=Path.cwd(), on_note=found.append)
    return found


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_a_folder_means_the_manifests_below_it_without_hidden_ones() -> None:
    put("a.manifest", "b.jsonl", "sub/c.ndjson", "d.json", "e.manifest.txt", ".f.manifest", ".g/h.manifest")
    assert below() == ["a.manifest", "b.jsonl", "sub/c.ndjson"]
    assert below("sub") == ["sub/c.ndjson"]
    assert below(".g") == [".g/h.manifest"]


def test_a_folder_with_the_name_of_a_manifest_is_searched_and_not_listed() -> None:
    put("a.manifest/b.manifest")
    assert below() == ["a.manifest/b.manifest"]


@pytest.mark.parametrize(
    ("glob", "kept"),
    [
        ("out", ["a.manifest", "sub/in/b.jsonl"]),
        ("out/", ["a.manifest", "sub/in/b.jsonl"]),
        ("sub/out", ["a.manifest", "out/d.manifest", "sub/in/b.jsonl"]),
        ("*.jsonl", ["a.manifest", "out/d.manifest", "sub/out/c.manifest"]),
        ("a.manifest", ["out/d.manifest", "sub/in/b.jsonl", "sub/out/c.manifest"]),
        ("sub/*/c.manifest", ["a.manifest", "out/d.manifest", "sub/in/b.jsonl"]),
        ("other", ["a.manifest", "out/d.manifest", "sub/in/b.jsonl", "sub/out/c.manifest"]),
    ],
)
def test_excluded_manifests_are_left_out(glob: str, kept: list[str]) -> None:
    put("a.manifest", "out/d.manifest", "sub/in/b.jsonl", "sub/out/c.manifest")
    assert below(".", glob) == kept


def test_exclude_does_not_depend_on_the_links_that_lead_to_the_folder(folder: Path) -> None:
    put("here/a.manifest", "here/sub/out/c.manifest")
    Path("link").symlink_to("here")
    found = manifests_below(str(folder / "link"), exclude=["sub/out"], root=folder / "here")
    assert found == [str(folder / "link/a.manifest")]


def test_a_broken_link_is_kept_so_that_it_is_reported_as_missing() -> None:
    Path("a.manifest").symlink_to("pulled-later")
    assert below() == ["a.manifest"]


def test_a_pipe_is_left_out() -> None:
    put("a.manifest")
    os.mkfifo("b.manifest")
    assert below() == ["a.manifest"]


def test_a_cycle_of_links_ends() -> None:
    put("sub/a.manifest")
    Path("sub/sub").symlink_to("../sub", target_is_directory=True)
    assert below() == ["sub/a.manifest"]


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root can list every folder")
def test_a_folder_that_cannot_be_listed_is_reported_as_missing() -> None:
    put("a.manifest", "closed/b.manifest")
    Path("closed").chmod(0)
    try:
        assert below() == ["a.manifest", "closed/*.manifest"]
    finally:
        Path("closed").chmod(0o700)


def test_ignored_manifests_are_left_out_unless_they_are_tracked() -> None:
    git("init")
    put("a.manifest", "sub/b.manifest", "sub/c\nd.manifest", "e é.manifest", "tracked/f.manifest")
    Path(".gitignore").write_text("c*\ne*\nb.*\ntracked/\n!sub/b.manifest\n")
    git("add", "-f", "tracked/f.manifest")
    assert below() == ["a.manifest", "sub/b.manifest", "tracked/f.manifest"]
    assert below("sub") == ["sub/b.manifest"]


def make_module(place: str) -> None:
    """A repository that ignores one of its two manifests."""
    put(f"{place}/sub/kept.manifest", f"{place}/sub/ignored.manifest")
    Path(place, ".gitignore").write_text("ignored.manifest\n")
    git("init", place)
    git("-C", place, "add", ".")
    git("-C", place, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "a")


@pytest.mark.parametrize("within_a_hook", [False, True])
def test_each_repository_decides_about_its_own_files(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, within_a_hook: bool
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    make_module(str(elsewhere / "module"))
    git("init")
    put("a.manifest", "out/b.manifest")
    Path(".gitignore").write_text("out/\nkept.manifest\n")
    git("-c", "protocol.file.allow=always", "submodule", "add", str(elsewhere / "module"), "data/module")
    put("data/module/sub/ignored.manifest")
    make_module("data/clone")
    make_module("data/clone/deeper")
    make_module("out/clone")
    if within_a_hook:
        monkeypatch.setenv("GIT_DIR", str(folder / ".git"))
    modules = [f"data/{name}/sub/kept.manifest" for name in ("clone/deeper", "clone", "module")]
    assert below() == ["a.manifest", *modules]
    assert below("data") == modules
    # The repository of the submodule is kept in the outer one.
    Path(".git").rename("no-git")
    assert [name for name in below("data") if "module" not in name] == modules[:2]


def test_without_a_repository_nothing_is_ignored() -> None:
    put("a.manifest")
    Path(".gitignore").write_text("*\n")
    assert (below(), notes()) == (["a.manifest"], [])
    git("init")
    assert (below(), notes()) == ([], [])


def test_a_missing_git_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    git("init")
    put("a.manifest")
    monkeypatch.setenv("PATH", "")
    assert below() == ["a.manifest"]
    ((kind, message, _),) = notes()
    assert kind == "git-failed"
    assert message.startswith("git cannot say which files in . are ignored (git: No such file")


@pytest.mark.parametrize(
    ("breaking", "reason"),
    [
        (lambda: Path(".git/HEAD").write_text("broken"), "not a git repository"),
        (lambda: Path(".git/config").write_text("[core"), "bad config"),
    ],
)
def test_a_git_that_fails_is_noted(breaking: Callable[[], object], reason: str) -> None:
    git("init")
    put("a.manifest", "sub/b.manifest")
    Path(".gitignore").write_text("a.manifest\n")
    breaking()
    assert below() == ["a.manifest", "sub/b.manifest"]
    (note,) = notes()
    assert (note.kind, reason in note.message) == ("git-failed", True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    git("init", "theirs")
    put("theirs/a.manifest")
    for path in (folder / "theirs", folder / "theirs/.git"):
        os.chown(path, 12345, 12345)
    assert below("theirs") == ["theirs/a.manifest"]
    (note,) = notes("theirs")
    assert "dubious ownership" in note.message


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("train.manifest", ["train.manifest"]),
        ("*.manifest", ["train.manifest"]),
        ("sub/*.manifest", ["sub/a.manifest"]),
        ("sub/**", ["sub/a.manifest", "sub/deep/b.jsonl", "sub/deep/train.manifest"]),
        ("**/train.manifest", ["sub/deep/train.manifest", "train.manifest"]),
        ("sub", ["sub"]),
        ("s*", ["sub/a.manifest", "sub/deep/b.jsonl", "sub/deep/train.manifest"]),
        ("*/deep", ["sub/deep/b.jsonl", "sub/deep/train.manifest"]),
        ("./sub/[a-c].manifest", ["sub/a.manifest"]),
        ("sub/../*.manifest", ["sub/../train.manifest"]),
        ("sub/*.json", ["sub/c.json"]),
        ("[x]/d.manifest", ["[x]/d.manifest"]),
        ("missing.manifest", []),
        ("missing/*.manifest", []),
        ("[", []),
    ],
)
def test_a_pattern_means_the_manifests_that_it_matches(folder: Path, pattern: str, found: list[str]) -> None:
    put("train.manifest", "sub/a.manifest", "sub/1.jpg", "sub/c.json", "sub/deep/b.jsonl", "sub/deep/train.manifest")
    put("[x]/d.manifest", "sub/.hidden.manifest", ".hidden/train.manifest")
    assert files_matching(pattern, folder) == found


@pytest.mark.parametrize("bare", [True, False])
def test_a_folder_that_poses_as_a_repository_runs_no_program(folder: Path, bare: bool) -> None:
    git("init")
    repository = folder / ("evil" if bare else "evil/.git")
    git("init", *(["--bare"] if bare else []), "evil")
    tree = folder / "evil/tree" if bare else folder / "evil"
    put(str(tree / "a.manifest"))
    git("config", "--file", str(repository / "config"), "core.bare", "false")
    git("config", "--file", str(repository / "config"), "core.worktree", str(tree))
    git(f"--git-dir={repository}", f"--work-tree={tree}", "add", str(tree / "a.manifest"))
    git(f"--git-dir={repository}", f"--work-tree={tree}", "update-index", "--fsmonitor")
    git("config", "--file", str(repository / "config"), "core.fsmonitor", f"touch {folder}/owned; false")
    subprocess.run(["git", "-C", "evil", "check-ignore", "a.manifest"], capture_output=True, check=False)
    if not (folder / "owned").exists():
        pytest.skip("this git resists the attack")
    (folder / "owned").unlink()
    assert below("evil") == [(tree / "a.manifest").relative_to(folder).as_posix()]
    assert not (folder / "owned").exists()
