"""How two things are compared: in blocks of peer, ours, ours, peer, so that a slow drift of the machine cancels out."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["HEADER", "Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """A ratio, ours over peer's, with its spread."""

    name: str
    unit: str
    ours: list[float]
    peer: list[float]
    ratios: list[float]
    goal: str

    @property
    def ratio(self) -> float:
        """The median of the blocks' ratios."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """95% bootstrap interval of the median."""
        draw = random.Random(0)
        medians = sorted(statistics.median(draw.choices(self.ratios, k=len(self.ratios))) for _ in range(2000))
        return medians[49], medians[1949]

    @property
    def noise(self) -> float:
        """How far apart two runs of the peer in one block were: the median of larger over smaller."""
        pairs = zip(self.peer[::2], self.peer[1::2], strict=True)
        return statistics.median(max(pair) / min(pair) for pair in pairs)

    def row(self) -> str:
        """A line of a Markdown table."""
        low, high = self.interval
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        return (
            f"| {self.name} | {ours:.4g} | {peer:.4g} | {self.unit} | **{self.ratio:.3f}** | {low:.3f} to {high:.3f} "
            f"| {self.noise:.3f} | {self.goal} |"
        )


HEADER = """\
| what | ours | peer | unit | ratio | 95% interval | peer against itself | goal |
|---|---|---|---|---|---|---|---|"""


def compare(
    name: str, unit: str, ours: Callable[[], float], peer: Callable[[], float], *, goal: str, blocks: int = 7
) -> Comparison:
    """Measures `blocks` blocks of peer, ours, ours, peer after one round that does not count."""
    peer()
    ours()
    ours_all: list[float] = []
    peer_all: list[float] = []
    ratios = []
    for _ in range(blocks):
        first, one, two, last = peer(), ours(), ours(), peer()
        peer_all += [first, last]
        ours_all += [one, two]
        ratios.append((one + two) / (first + last))
    return Comparison(name, unit, ours_all, peer_all, ratios, goal)
