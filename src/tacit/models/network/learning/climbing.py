"""Hill climbing over directed graphs: the best arrow to add, take out or turn, again and again.

Between two moves the search walks at random among graphs that are equivalent to the one at hand, by turning covered
arrows (x → y where y has the parents of x, and x, and no others: Chickering 1995, theorem 2). Equivalent graphs score
alike, but what one move reaches from them differs: the search is then one over classes of graphs, and is led astray far
less (Castelo & Kočka 2003). After a local maximum it goes on with the best moves to graphs it has not
visited lately (tabu, Glover 1989), and it starts again (restarts). Scores of families are kept, so that a move costs
two of them anew, and a restart little.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.network.graph import topological_order
from tacit.models.network.learning.graphs import Parents, arrows_of, matrix_of, parents_of, reached
from tacit.models.network.learning.options import Options
from tacit.models.network.learning.scores import Score

_KEPT = 2**24
"""Scores of families that are kept."""
_GAIN = 1e-9
"""The least gain, as a share of the score: what is below it is rounding, as between equivalent graphs."""

MoveKind = Literal["add", "remove", "turn"]


class Move(NamedTuple):
    """One step of a search: what is done to which arrow, and the score after it."""

    kind: MoveKind
    source: int
    target: int
    score: float


@dataclass(frozen=True)
class Learned:
    """A structure that was found.

    Attributes:
        parents: of every node, in rising order.
        score: of the whole graph, in nats.
        trace: the moves of the search that found it, from where that began.
        searches: the best score of every search, the first and each restart.
        families: how many families were scored anew.
        reason: why the last search ended.
    """

    parents: Parents
    score: float
    trace: tuple[Move, ...]
    searches: tuple[float, ...]
    families: int
    reason: str


class Cache:
    """The scores of families, kept."""

    def __init__(self, score: Score) -> None:
        """Keep the scores that this one gives."""
        self.score, self.families = score, 0
        self._local: dict[tuple[int, tuple[int, ...]], float] = {}
        self._added: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}

    def local(self, node: int, parents: tuple[int, ...]) -> float:
        """The score of a family, its parents in rising order."""
        key = (node, parents)
        found = self._local.get(key)
        if found is None:
            found = self.score.local(node, parents)
            self.families += 1
            self._local[key] = found
        return found

    def additions(self, node: int, parents: tuple[int, ...]) -> Float[np.ndarray, " nodes"]:
        """The scores with each node as one more parent."""
        key = (node, parents)
        found = self._added.get(key)
        if found is None:
            found = self.score.additions(node, parents)
            self.families += int(np.isfinite(found).sum())
            if len(self._added) * len(found) > _KEPT:
                self._added.clear()
                self._local.clear()
            self._added[key] = found
        return found

    def total(self, parents: Sequence[tuple[int, ...]]) -> float:
        """The score of a graph."""
        return float(sum(self.local(node, own) for node, own in enumerate(parents)))


def learn(
    score: Score, options: Options | None = None, *, start: Parents | None = None, names: Sequence[str] | None = None
) -> Learned:
    """The best structure that hill climbing finds.

    Args:
        score: of families.
        options: of the search.
        start: the graph to start from; of None the required arrows alone.
        names: of the nodes, for messages.

    Raises:
        ValueError: the options contradict each other, or the start does them.
    """
    chosen = options or Options()
    cache = Cache(score)
    allowed = chosen.constraints.allowed(score.possible(), names)
    first = parents_of(score.nodes, chosen.constraints.required) if start is None else _checked(start, chosen, allowed)
    _check_scored(cache, first, names)
    random = np.random.default_rng(chosen.seed)
    best = _Search(cache, chosen, allowed, first, random).run()
    searches = [best.score]
    for again in range(chosen.restarts):
        # in turn from the start, and from the best graph with some arrows changed
        begin = first if again % 2 == 0 else _changed(best.parents, cache, chosen, allowed, random)
        found = _Search(cache, chosen, allowed, begin, random).run()
        searches.append(found.score)
        if found.score > best.score + _GAIN * abs(best.score):
            best = found
    return Learned(best.parents, cache.total(best.parents), best.trace, tuple(searches), cache.families, best.reason)


def _check_scored(cache: Cache, start: Parents, names: Sequence[str] | None) -> None:
    """Refuse a start that has no score, as one of required arrows may be."""
    for node, own in enumerate(start):
        if not np.isfinite(cache.local(node, own)):
            words = [str(each) if names is None else repr(names[each]) for each in (node, *own)]
            raise ValueError(
                f"node {words[0]} cannot be scored given its parents {', '.join(words[1:])}: there are too few rows "
                "for some of their configurations. Take an arrow out of those that are required"
            )


def _checked(start: Parents, options: Options, allowed: np.ndarray) -> Parents:
    """A start, with its parents in rising order."""
    rules = options.constraints
    sorted_ones = tuple(tuple(sorted(own)) for own in start)
    if len(start) != len(allowed):
        raise ValueError(f"the start has {len(start)} nodes and the data {len(allowed)}")
    topological_order(sorted_ones)
    arrows = set(arrows_of(sorted_ones))
    odd = [arrow for arrow in arrows if not allowed[arrow]] + sorted(rules.required - arrows)
    if odd:
        raise ValueError(f"the start and the demands on arrows differ about {odd[0][0]} → {odd[0][1]}")
    most = max(map(len, start), default=0)
    if rules.max_parents is not None and most > rules.max_parents:
        raise ValueError(f"the start has a node with {most} parents; max_parents is {rules.max_parents}")
    return sorted_ones


def _changed(
    parents: Parents, cache: Cache, options: Options, allowed: np.ndarray, random: np.random.Generator
) -> Parents:
    """A graph with some arrows taken out, turned or added at random, within the demands."""
    rules, nodes = options.constraints, len(parents)
    most = nodes if rules.max_parents is None else rules.max_parents
    count = options.changes if options.changes is not None else max(2, nodes // 4)
    found = [set(own) for own in parents]
    pairs = np.argwhere(allowed)
    for place in random.integers(len(pairs), size=count) if len(pairs) else ():
        source, target = (int(end) for end in pairs[place])
        if source in found[target]:
            if (source, target) not in rules.required:
                found[target].discard(source)
            continue
        turned = target in found[source]
        found[source].discard(target)
        wider = tuple(sorted((*found[target], source)))
        if len(wider) <= most and not _leads(found, target, source) and np.isfinite(cache.local(target, wider)):
            found[target].add(source)
        elif turned:
            found[source].add(target)
    return tuple(tuple(sorted(own)) for own in found)


def _leads(parents: list[set[int]], one: int, other: int) -> bool:
    """Whether a directed path leads from one node to the other."""
    seen, waiting = {other}, [other]
    while waiting:
        for parent in parents[waiting.pop()] - seen:
            if parent == one:
                return True
            seen.add(parent)
            waiting.append(parent)
    return False


class _Search:
    """One search: the graph at hand, and what every move from it would gain."""

    def __init__(
        self, cache: Cache, options: Options, allowed: np.ndarray, start: Parents, random: np.random.Generator
    ) -> None:
        self._cache, self._options, self._allowed, self._random = cache, options, allowed, random
        self._score = cache.total(start)
        nodes = len(start)
        self._most = nodes if options.constraints.max_parents is None else options.constraints.max_parents
        self._fixed = np.zeros((nodes, nodes), bool)
        for arrow in options.constraints.required:
            self._fixed[arrow] = True
        self._worth = np.zeros(nodes)
        self._parents = [tuple(own) for own in start]
        self._arrows = matrix_of(start)
        self._paths = reached(start)
        self._adding = np.full((nodes, nodes), -np.inf)  # gains at [source, target]
        self._removing = np.full((nodes, nodes), -np.inf)
        for node in range(nodes):
            self._weigh(node)
        # a number for each arrow; those of a graph's arrows, combined, tell graphs apart (Zobrist 1970)
        self._keys = np.random.default_rng(0).integers(1, 2**63, size=(nodes, nodes))
        self._key = int(np.bitwise_xor.reduce(self._keys[self._arrows], initial=0))
        self._trace: list[Move] = []
        self._visited = deque([self._key], maxlen=max(options.tabu, 1))

    def run(self) -> Learned:
        """Climb, and go on past local maxima for as long as that may pay."""
        options = self._options
        best, best_score, best_length, since = tuple(self._parents), self._score, 0, 0
        reason = "the number of moves was reached"
        patience = options.patience * (2 if options.tabu > 0 else 1)
        while len(self._trace) < options.max_moves:
            past = since >= options.patience
            kind, source, target, gain = self._best_move(past)
            if gain > self._least() or (past and since < patience and np.isfinite(gain)):
                self._apply(kind, source, target)
            elif past or not options.walk:
                reason = f"no better graph in {since} moves" if since else "a local maximum"
                break
            for _ in range(0 if past else options.walk):
                self._walk()
            since += 1
            if self._score > best_score + _GAIN * abs(best_score):
                best, best_score, best_length, since = tuple(self._parents), self._score, len(self._trace), 0
        return Learned(best, best_score, tuple(self._trace[:best_length]), (best_score,), 0, reason)

    def _least(self) -> float:
        return _GAIN * abs(self._score)

    def _walk(self) -> None:
        """Turn a covered arrow at random, if that leaves the score as it is."""
        arrows = [
            (source, target)
            for target, own in enumerate(self._parents)
            for source in own
            if len(self._parents[source]) == len(own) - 1 and set(self._parents[source]) < set(own)
        ]
        if not arrows:
            return
        source, target = arrows[self._random.integers(len(arrows))]
        gain = float(self._removing[source, target] + self._adding[target, source])
        if abs(gain) <= self._least():
            self._apply("turn", source, target)

    def _weigh(self, node: int) -> None:
        """What it would gain to add a parent to a node or take one out."""
        own = self._parents[node]
        now = self._cache.local(node, own)
        self._worth[node] = now
        if len(own) < self._most:
            added = self._cache.additions(node, own) - now
            self._adding[:, node] = np.where(self._allowed[:, node], added, -np.inf)
        else:
            self._adding[:, node] = -np.inf
        self._removing[:, node] = -np.inf
        for parent in own:
            if not self._fixed[parent, node]:
                rest = tuple(each for each in own if each != parent)
                self._removing[parent, node] = self._cache.local(node, rest) - now

    def _best_move(self, past: bool) -> tuple[MoveKind, int, int, float]:
        """The move that gains most, among those that make no circle; past a maximum, to a graph not visited lately."""
        adding = np.where(self._paths.T | self._arrows, -np.inf, self._adding)
        turning = np.full_like(adding, -np.inf)
        sources, targets = np.nonzero(self._arrows)
        if len(sources):
            gains = self._removing[sources, targets] + self._adding[targets, sources]
            # x → y can be turned unless another parent of y is reached from x
            around = (self._paths[sources] & self._arrows[:, targets].T).any(axis=1)
            turning[sources, targets] = np.where(around, -np.inf, gains)
        moves = np.stack([adding, self._removing, turning])
        kinds: tuple[MoveKind, ...] = ("add", "remove", "turn")
        while moves.size:
            which, source, target = (int(each) for each in np.unravel_index(int(moves.argmax()), moves.shape))
            gain = float(moves[which, source, target])
            key = self._key ^ int(self._keys[source, target])
            if which == 2:
                key ^= int(self._keys[target, source])
            if not past or gain == -np.inf or key not in self._visited:
                return kinds[which], source, target, gain
            moves[which, source, target] = -np.inf
        return "add", 0, 0, -np.inf

    def _apply(self, kind: MoveKind, source: int, target: int) -> None:
        own = self._parents[target]
        covered = kind == "turn" and set(own) == {*self._parents[source], source}
        self._arrows[source, target] = kind == "add"
        self._key ^= int(self._keys[source, target])
        self._parents[target] = (
            tuple(sorted((*own, source))) if kind == "add" else tuple(each for each in own if each != source)
        )
        if kind == "turn":
            self._arrows[target, source] = True
            self._key ^= int(self._keys[target, source])
            self._parents[source] = tuple(sorted((*self._parents[source], target)))
            self._weigh(source)
        self._weigh(target)
        if kind == "add":
            before, after = self._paths[:, source].copy(), self._paths[target].copy()
            before[source] = after[target] = True
            self._paths |= before[:, None] & after[None, :]
        elif covered:  # what reaches the two stays, and so does what others reach
            for node in (source, target):
                children = self._arrows[node]
                self._paths[node] = children | self._paths[children].any(axis=0)
        else:
            self._paths = reached(self._parents)
        self._score = float(self._worth.sum())
        self._trace.append(Move(kind, source, target, self._score))
        self._visited.append(self._key)
