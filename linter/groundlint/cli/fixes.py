"""Fixed manifests: shown as a diff, or written."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint.cli.output import fail, print_bytes, print_text, say
from groundlint.temporaries import temporaries

if TYPE_CHECKING:
    from groundlint.config.data_sets import Request
    from groundlint.config.settings import Config
    from groundlint.fixing import Change, Fixed, Judge, Snapshot
    from groundlint.outcomes import Outcome

_CONTEXT = 3
"""Unchanged lines that a diff shows before and after changed ones."""


@dataclass(frozen=True)
class Fixing:
    """Whether manifests are fixed, and how."""

    fix: Annotated[bool, typer.Option("--fix", help="Apply safe fixes to the manifests, and report what is left.")] = (
        False
    )
    unsafe_fixes: Annotated[
        bool,
        typer.Option(
            "--unsafe-fixes",
            help="With --fix, --fix-only or --diff, apply fixes too that may change what a manifest means; alone, show "
            "them as fixable.",
        ),
    ] = False
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="Write nothing, print what would be fixed as a diff, and exit with 1 if anything would."
        ),
    ] = False
    fix_only: Annotated[bool, typer.Option("--fix-only", help="Apply fixes, and do not report what is left.")] = False
    exit_non_zero_on_fix: Annotated[
        bool, typer.Option("--exit-non-zero-on-fix", help="Exit with 1 if anything was fixed.")
    ] = False

    @property
    def is_wanted(self) -> bool:
        """Whether manifests are fixed, in files or in a diff."""
        return self.fix or self.fix_only or self.diff

    def fixed(self, judge: Judge, config: Config, request: Request) -> Fixed | None:
        """The fixed manifests; None if no fixes are wanted."""
        if not self.is_wanted:
            return None
        if request.objects:
            fail(f"{min(request.objects)}: manifests in S3 are not fixed; copy it, and fix the copy")
        from groundlint.fixing import fixed

        return fixed(judge, config, request, unsafe=self.unsafe_fixes)

    def reported(self, fixed: Fixed) -> Outcome:
        """What is left after fixes, or what there is if they are only shown."""
        return fixed.before if self.diff else fixed.after

    def prints_manifest(self, fixed: Fixed | None) -> bool:
        """Whether standard output has a fixed manifest."""
        return fixed is not None and fixed.standard_input is not None and not self.diff

    def passes(self, fixed: Fixed | None, *, passed: bool) -> bool:
        """Whether the run passes, given whether its findings pass."""
        if fixed is None:
            return passed
        if self.exit_non_zero_on_fix and fixed.count:
            return False
        return not fixed.changes if self.diff else passed or self.fix_only

    @property
    def reports_rest(self) -> bool:
        """Whether the findings that are left are reported."""
        return not (self.diff or self.fix_only)


def carry_out(fixing: Fixing, fixed: Fixed, *, is_whole: bool, quiet: bool) -> None:
    """Write the manifests that fixes changed, or show how they would change them.

    Args:
        fixing: What is wanted.
        fixed: The fixed manifests.
        is_whole: Whether everything could be checked; else nothing was fixed.
        quiet: Whether to leave out how much was fixed.
    """
    from groundlint.phrases import first_of, number_of

    if not is_whole:
        say("error: nothing was fixed, because not everything could be checked")
    if fixing.diff:
        # In everything that is printed, all characters are visible.
        for change in fixed.changes:
            print_text("".join(f"{line}\n" for line in _diff(change)))
    else:
        _write(fixed)
    if fixed.count and not quiet:
        names = first_of([change.snapshot.name for change in fixed.changes])
        say(f"{'would fix' if fixing.diff else 'fixed'} {number_of(fixed.count, 'finding')} in {names}")


def _write(fixed: Fixed) -> None:
    """Write the manifests that fixes changed; what comes from standard input goes to standard output.

    Nothing is written unless all files are as they were when they were read.
    """
    files = [change for change in fixed.changes if change.snapshot.path is not None]
    for change in files:
        _refuse_if_changed(change.snapshot)
        if not stat.S_IMODE(_status(change.snapshot).st_mode) & 0o222:
            fail(f"{change.snapshot.name}: the file is read-only; nothing was fixed")
    with contextlib.ExitStack() as stack:
        written = [(change, stack.enter_context(_temporary(change))) for change in files]
        for change, temporary in written:
            _refuse_if_changed(change.snapshot)
            _replace(temporary, change)
    if fixed.standard_input is not None:
        print_bytes(fixed.standard_input)


def _refuse_if_changed(snapshot: Snapshot) -> None:
    if not snapshot.is_current():
        fail(f"{snapshot.name}: the file changed while it was checked, and was not fixed; run the command again")


def _status(snapshot: Snapshot) -> os.stat_result:
    assert snapshot.status is not None
    return snapshot.status


@contextlib.contextmanager
def _temporary(change: Change) -> Iterator[Path]:
    """A file beside the manifest with its new content, its mode and its owner, safe on the disk."""
    target, status = change.snapshot.path, _status(change.snapshot)
    assert target is not None
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    temporaries.add(temporary)
    try:
        # Until it has the mode of the manifest, nobody else may read it.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(change.data)
            stream.flush()
            os.fsync(stream.fileno())
        if hasattr(os, "chown"):
            # Only the superuser may give files away; those of another owner become those of this one.
            with contextlib.suppress(PermissionError):
                os.chown(temporary, status.st_uid, status.st_gid)
        temporary.chmod(stat.S_IMODE(status.st_mode))
        yield temporary
    except OSError as error:
        fail(f"{change.snapshot.name}: the fixed file cannot be written: {error.strerror or error}")
    finally:
        temporary.unlink(missing_ok=True)
        temporaries.discard(temporary)


def _replace(temporary: Path, change: Change) -> None:
    target = change.snapshot.path
    assert target is not None
    temporary.replace(target)
    if hasattr(os, "O_DIRECTORY"):
        # The new name is on the disk only when the folder is.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _diff(change: Change) -> Iterator[str]:
    """A unified diff. Fixes only change and remove lines, so that their origins say what is compared with what."""
    from groundlint.manifest.physical_lines import split_lines
    from groundlint.report.listing import header_path
    from groundlint.sanitize import at_line_start, visible

    def shown(sign: str, raw: bytes) -> Iterator[str]:
        text = raw.removesuffix(b"\n").decode("utf-8", "backslashreplace")
        yield at_line_start(f"{sign}{visible(text, limit=None)}")
        if not raw.endswith(b"\n"):
            yield "\\ No newline at end of file"

    old, new = split_lines(change.snapshot.data), split_lines(change.data)
    becomes = dict(zip(change.origins, new, strict=True))
    changed = [n for n, line in enumerate(old) if becomes.get(n) != line]
    path = header_path(change.snapshot.name)
    yield f"--- {path}"
    yield f"+++ {path}"
    removed = 0
    for first, end in _hunks(changed, len(old)):
        kept = sum(n in becomes for n in range(first, end))
        yield f"@@ -{_range(first, end - first)} +{_range(first - removed, kept)} @@"
        removed += end - first - kept
        for n in range(first, end):
            line = becomes.get(n)
            if line == old[n]:
                yield from shown(" ", line)
                continue
            yield from shown("-", old[n])
            if line is not None:
                yield from shown("+", line)


def _hunks(changed: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """The ranges of lines that a diff shows, so that changed ones have some unchanged ones around them."""
    begin = end = -1
    for n in changed:
        first, last = max(0, n - _CONTEXT), min(count, n + _CONTEXT + 1)
        if first <= end:
            end = last
            continue
        if begin >= 0:
            yield begin, end
        begin, end = first, last
    if begin >= 0:
        yield begin, end


def _range(first: int, count: int) -> str:
    """A range of lines in the header of a hunk: an empty one has the number of the line before it."""
    return f"{first + 1 if count else first},{count}"
