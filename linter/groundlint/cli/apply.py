"""`groundlint apply`: write a manifest with the label changes and removals of a review."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundlint.cli.options import Quiet
from groundlint.cli.output import BROKEN, fail, print_lines, replacing, reported, say

if TYPE_CHECKING:
    from groundlint.relabeling import Relabeled
    from groundlint.review_file import ReviewFile


def apply(
    review: Annotated[
        Path,
        typer.Argument(
            metavar="REVIEW.csv",
            help="Decisions, one per row: source_ref, attribute, box, label, decision (keep, relabel or remove), "
            "new_label, rule, note.",
        ),
    ],
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest that was reviewed.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="Manifest to write.")],
    quiet: Quiet = False,
) -> None:
    """Write a manifest with the label changes and removals of a review, if every row can be applied."""
    with reported():
        from groundlint.manifest.physical_lines import read_bytes
        from groundlint.relabeling import relabel
        from groundlint.review_file import ReviewFileError, read_review

        for file in (review, manifest):
            if to.exists() and file.exists() and to.samefile(file):
                fail(f"--to: {to} is read; write to another file, because boxes are numbered as in the given manifest")
        try:
            read = read_review(read_bytes(review))
        except ReviewFileError as error:
            fail(f"{review}: {error}")
        made = relabel(read.rows, read_bytes(manifest))
    problems = sorted({*read.problems, *made.problems})
    for problem in problems:
        say(f"{review}:{problem.row}: {problem.text}")
    if problems:
        from groundlint.phrases import number_of

        are = "it is" if len(problems) == 1 else "they are"
        say(f"error: {number_of(len(problems), 'problem')}; nothing is written until {are} fixed")
        raise typer.Exit(BROKEN)
    if not quiet:
        for note in _notes(read):
            say(f"note: {review}: {note}")
    with replacing(to) as temporary:
        temporary.write_bytes(made.manifest)
    if not quiet:
        print_lines([_summary(made, to)])


def _notes(read: ReviewFile) -> Iterator[str]:
    """What of the review was not used."""
    from groundlint.phrases import number_of

    if read.ignored:
        yield f"not used: {number_of(len(read.ignored), 'column')} ({', '.join(read.ignored)})"
    if read.undecided:
        yield f"{number_of(read.undecided, 'row')} without a decision: nothing changes there"
    if read.unused:
        yield f"{number_of(read.unused, 'row')} with a new label that is not used, because the decision is not relabel"


def _summary(made: Relabeled, to: Path) -> str:
    """What changed, in one line."""
    from groundlint.phrases import number_of
    from groundlint.sanitize import at_line_start, visible

    done = (
        (made.relabeled, "label", "changed"),
        (made.removed_boxes, "box", "removed"),
        (made.removed_labels, "label", "removed"),
        (made.removed_lines, "line", "removed"),
        (made.kept, "decision", "to keep what is there"),
    )
    parts = [f"{number_of(count, noun)} {what}" for count, noun, what in done if count]
    return f"{at_line_start(visible(str(to), limit=None))}: {', '.join(parts) or 'nothing changed'}"
