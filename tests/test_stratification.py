"""The stratified choice of a test part: its laws, whatever the groups are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundlint.stratification import Group, choose

SHARES = st.floats(0.05, 0.95)


@st.composite
def groups(draw: st.DrawFn, *, labels: int = 6, size: int = 5) -> list[Group]:
    """Groups of one or more examples, each with any number of labels."""
    made = []
    for n in range(draw(st.integers(2, 40))):
        members = draw(st.lists(st.sets(st.sampled_from("abcdef"[:labels]), max_size=3), min_size=1, max_size=size))
        made.append(
            Group(f"s3://bucket/{n}.jpg", len(members), Counter(label for member in members for label in member))
        )
    return made


@st.composite
def labeled_groups(draw: st.DrawFn, *, size: int = 1) -> list[Group]:
    """Groups all of whose examples have the same one label."""
    labels = draw(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=60))
    sizes = [draw(st.integers(1, size)) for _ in labels]
    return [
        Group(f"s3://bucket/{n}.jpg", k, {label: k}) for n, (label, k) in enumerate(zip(labels, sizes, strict=True))
    ]


@given(st.data(), groups(), SHARES)
def test_the_choice_does_not_depend_on_the_order_of_groups(
    data: st.DataObject, made: list[Group], share: float
) -> None:
    assert choose(data.draw(st.permutations(made)), share) == choose(made, share)


@given(groups(), SHARES)
def test_no_part_is_empty(made: list[Group], share: float) -> None:
    assert 0 < len(choose(made, share)) < len(made)


@given(labeled_groups(size=5), SHARES)
def test_a_label_with_two_groups_is_in_both_parts_and_a_label_with_one_in_training(
    made: list[Group], share: float
) -> None:
    tested = choose(made, share)
    if len({label for group in made for label in group.counts}) == len(made):
        # Every label has one group: they all would be in training.
        return
    for label in {label for group in made for label in group.counts}:
        in_test = [group.key in tested for group in made if label in group.counts]
        assert (True in in_test) == (len(in_test) > 1)
        assert False in in_test


# Rare labels cannot have the share: each is in training, or in both parts. A frequent one does not make up for it.
@example([Group(f"{n}.jpg", 1, {label: 1}) for n, label in enumerate("aaaaaaaaabcd")], 0.75)
@example([Group(f"{n}.jpg", 1, {label: 1}) for n, label in enumerate("a" * 41 + "bbcdeef")], 0.91)
@given(labeled_groups(), SHARES)
def test_each_label_has_the_wanted_share_in_the_test_part_up_to_one_example(made: list[Group], share: float) -> None:
    tested = choose(made, share)
    totals = Counter(label for group in made for label in group.counts)
    counts = Counter(label for group in made for label in group.counts if group.key in tested)
    for label, total in totals.items():
        assert abs(counts[label] - share * total) <= 1 + 1e-9


@given(st.lists(st.integers(1, 8), min_size=20, max_size=60), st.floats(0.1, 0.5))
def test_groups_of_any_size_give_the_wanted_share(sizes: list[int], share: float) -> None:
    made = [Group(f"s3://bucket/{n}.jpg", size, {"cat": size}) for n, size in enumerate(sizes)]
    tested = choose(made, share)
    count = sum(group.size for group in made if group.key in tested)
    assert abs(count - share * sum(sizes)) <= max(sizes) / 2 + 1


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_images_with_many_labels_are_stratified_by_all_of_them(share: float) -> None:
    """Label n is on every (n + 2)-th image; in a random split, the rarest would be off by a third."""
    made = [
        Group(f"s3://bucket/{n}.jpg", 1, {str(k): 1 for k in range(2, 20) if n % k == 0} | {"every": 1})
        for n in range(1000)
    ]
    tested = choose(made, share)
    assert abs(len(tested) - 1000 * share) <= 2
    for label in map(str, range(2, 20)):
        members = [group.key in tested for group in made if label in group.counts]
        assert abs(sum(members) - share * len(members)) <= 2


def test_labels_that_cannot_all_be_in_both_parts_are_split_as_far_as_possible() -> None:
    """Of three images with two of three labels each, one part has two, and so all images of a label."""
    pairs = ("ab", "bc", "ca")
    made = [Group(f"s3://bucket/{pair}.jpg", 1, dict.fromkeys(pair, 1)) for pair in pairs]
    assert len(choose(made, 0.3)) == 1
