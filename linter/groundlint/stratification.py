"""Stratified choice of a test part: groups stay whole, and each label has about the wanted share in it.

Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", 2011: iterative stratification serves the
rarest label first, and gives each example to the part that lacks most of this label. Here examples are whole groups,
and the choice is then improved group by group. scikit-learn's StratifiedGroupKFold takes one label per example, but an
image has many.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

_MAX_ROUNDS = 10
"""Rounds of improvement; on public sets none is left to do after three."""

_LEAST = 1e-9
"""Gain below which a difference is one of rounding."""

_Stratum = str | None
"""A label; None for all examples, with or without labels."""


class Group(NamedTuple):
    """Examples that stay together: a key that no other group has, their number, and the number with each label."""

    key: str
    size: int
    counts: Mapping[str, int]


def choose(groups: Sequence[Group], share: float) -> frozenset[str]:
    """The keys of the groups of the test part.

    Of two or more groups, each part gets one. A label with two or more groups is in both parts, and one with a single
    group in the training part, unless other labels of these groups forbid it; this comes before the wanted share. The
    choice does not depend on the order of the groups.

    Args:
        groups: The groups.
        share: Share of the examples that is wanted in the test part, between 0 and 1.
    """
    # The digest is an order that depends neither on names of files nor on their numbers.
    shuffled = sorted(groups, key=lambda group: hashlib.sha256(group.key.encode("utf-8", "surrogatepass")).digest())
    assignment = _Assignment(shuffled, share)
    assignment.stratify()
    assignment.supply()
    assignment.improve()
    return frozenset(group.key for group, is_test in zip(shuffled, assignment.is_test, strict=True) if is_test)


class _Assignment:
    """Groups, of which some are in the test part, and the counts of each stratum in it."""

    def __init__(self, groups: Sequence[Group], share: float) -> None:
        self._share = share
        self._strata: list[list[tuple[_Stratum, int]]] = [
            [(None, group.size), *sorted(group.counts.items())] for group in groups
        ]
        self._members: dict[_Stratum, list[int]] = {}
        self._total: dict[_Stratum, int] = {}
        for n, strata in enumerate(self._strata):
            for stratum, count in strata:
                self._members.setdefault(stratum, []).append(n)
                self._total[stratum] = self._total.get(stratum, 0) + count
        self.is_test = [False] * len(groups)
        self._tested = dict.fromkeys(self._total, 0)
        self._tested_groups = dict.fromkeys(self._total, 0)

    def stratify(self) -> None:
        """Assign every group, those of the rarest label first."""
        lacking = {stratum: [total * (1 - self._share), total * self._share] for stratum, total in self._total.items()}
        is_open = [True] * len(self.is_test)
        for stratum, members in self._rarest_first(is_open):
            for n in members:
                train, test = lacking[stratum]
                of_all = lacking[None]
                is_test = (test, of_all[1]) > (train, of_all[0])
                is_open[n] = False
                for other, count in self._strata[n]:
                    lacking[other][is_test] -= count
                if is_test:
                    self._move(n)

    def _rarest_first(self, is_open: Sequence[bool]) -> Iterator[tuple[_Stratum, list[int]]]:
        """Strata with their open groups, those with the fewest first; all examples, a stratum of their own, last."""
        queue = [(len(members), stratum) for stratum, members in self._members.items() if stratum is not None]
        heapq.heapify(queue)
        while queue:
            count, stratum = heapq.heappop(queue)
            members = [n for n in self._members[stratum] if is_open[n]]
            if members and len(members) < count:
                heapq.heappush(queue, (len(members), stratum))
            elif members:
                yield stratum, members
        yield None, [n for n in self._members.get(None, ()) if is_open[n]]

    def supply(self) -> None:
        """Give a part that has no group of a stratum one of them, where this takes no other stratum from a part."""
        for stratum in sorted(self._total, key=lambda stratum: (len(self._members[stratum]), stratum or "")):
            if self._is_absent(stratum, self._tested_groups[stratum]):
                gain, n = min((self._change(n), n) for n in self._members[stratum])
                if gain < (0, 0.0, 0.0):
                    self._move(n)

    def improve(self) -> None:
        """Move single groups to the other part for as long as this brings the counts closer to the wanted share."""
        for _ in range(_MAX_ROUNDS):
            moved = False
            for n in range(len(self.is_test)):
                if self._change(n) < (0, 0.0, -_LEAST):
                    self._move(n)
                    moved = True
            if not moved:
                return

    def _change(self, n: int) -> tuple[int, float, float]:
        """What moving a group changes: how many strata are absent from a part, then how far labels are beyond one
        example from the wanted share, then the distance of all strata from it.

        Without the second, a frequent label would make up for rare ones that cannot have the share.
        """
        sign = -1 if self.is_test[n] else 1
        absent, excess, distance = 0, 0.0, 0.0
        for stratum, count in self._strata[n]:
            tested, groups = self._tested[stratum], self._tested_groups[stratum]
            # An empty part is worse than labels that are absent from one.
            weight = 1 if stratum is not None else len(self._total)
            absent += weight * (self._is_absent(stratum, groups + sign) - self._is_absent(stratum, groups))
            after = tested + sign * count
            distance += self._distance(stratum, after) - self._distance(stratum, tested)
            if stratum is not None:
                excess += self._distance(stratum, after, beyond=1) - self._distance(stratum, tested, beyond=1)
        # Differences of rounding are no gain.
        return absent, round(excess, 9), distance

    def _is_absent(self, stratum: _Stratum, tested_groups: int) -> bool:
        """Whether a part would have no group of a stratum; the only group of one belongs into the training part."""
        groups = len(self._members[stratum])
        return tested_groups in (0, groups) if groups > 1 else tested_groups == 1

    def _distance(self, stratum: _Stratum, tested: int, beyond: int = 0) -> float:
        """The squared distance from the wanted count, as far as it is beyond some examples, in terms of the variance of
        the count in a random split.
        """
        wanted = self._share * self._total[stratum]
        return max(0.0, abs(tested - wanted) - beyond) ** 2 / (wanted * (1 - self._share))

    def _move(self, n: int) -> None:
        """Move a group to the other part."""
        sign = -1 if self.is_test[n] else 1
        self.is_test[n] = not self.is_test[n]
        for stratum, count in self._strata[n]:
            self._tested[stratum] += sign * count
            self._tested_groups[stratum] += sign
