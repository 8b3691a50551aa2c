"""Where fits of hidden Markov models begin."""

import numpy as np

from tacit.arrays import softmax
from tacit.compute import Array, eagerly
from tacit.data.blocks import Standardise
from tacit.data.dataset import Dataset, sampled_places
from tacit.estimators.mixture.starts import STARTS, DrawnStarts, draw, seeding_features
from tacit.models.mixture.model import MixtureModel
from tacit.models.seeding import SAMPLE_ROWS
from tacit.models.sequence.model import LEAST, HiddenMarkov

VARIED = ("kmeans", "random_from_data", "k-means++", "random", "kmeans")
"""Ways to group rows, one start after another."""
CHAIN_STARTS = ("varied", "segments", *STARTS)
STAYS = (0.9, 0.7, 0.5, 0.97, 0.8)
"""How likely a state is followed by itself at the start, one fit after another."""


def stacked_starts(
    template: HiddenMarkov,
    rows: Dataset,
    view: Standardise,
    method: str,
    number: int,
    random: np.random.Generator,
    labels: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
) -> HiddenMarkov:
    """So many starts: densities as those of mixtures, and chains that stay in a state more or less.

    Where ``labels`` say the states of some rows (else −1), densities begin from what these say. A chain that goes from
    left to right begins with pieces of the sequences, of the given ``lengths``, where the starts are varied.
    """
    states = template.log_start.size
    emissions = template.emissions
    if labels is None:
        one_way = template.possible_start is not None
        methods = [VARIED[n % len(VARIED)] if method == "varied" else method for n in range(number)]
        methods = ["segments" if one_way and method == "varied" and not n else m for n, m in enumerate(methods)]
        drawn = _drawn(emissions, rows, view, methods, states, random, lengths)
    else:
        drawn = _labelled(emissions, rows, view, number, states, labels, random)
    with eagerly():
        made: MixtureModel = drawn.begun(emissions, view).made()
    begins, ways = zip(*(_chain(template, STAYS[n % len(STAYS)], random, n) for n in range(number)), strict=True)
    return stacked_of(template, np.stack(begins), np.stack(ways), made)


def _drawn(
    emissions: MixtureModel,
    rows: Dataset,
    view: Standardise,
    methods: list[str],
    states: int,
    random: np.random.Generator,
    lengths: np.ndarray | None,
) -> DrawnStarts:
    """Starts as those of mixtures; "segments" know besides where in its sequence a row stands."""
    pieces = [at for at, method in enumerate(methods) if method == "segments"]
    if not pieces or lengths is None:
        return draw(emissions, rows, view, methods, np.full(len(methods), states), random)
    size = np.repeat(lengths, lengths)
    place = np.arange(size.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    shift = random.uniform(0.0, 1.0, len(methods))  # cuts of the first are even, others anywhere near
    kept = sampled_places(len(rows), SAMPLE_ROWS, random)
    part = rows.take(kept)
    others = ["random" if method == "segments" else method for method in methods]
    drawn = draw(emissions, part, view, others, np.full(len(methods), states), random)
    shares = drawn.shares
    for at in pieces:
        along = (place / size + (shift[at] - 0.5 if at else 0.0) / states)[kept]
        shares[at] = np.eye(states)[np.clip((along * states).astype(int), 0, states - 1)]
    return drawn


def _labelled(
    emissions: MixtureModel,
    rows: Dataset,
    view: Standardise,
    number: int,
    states: int,
    labels: np.ndarray,
    random: np.random.Generator,
) -> DrawnStarts:
    """Rows with their states; those that are not known go to the nearest mean of the known, or anywhere."""
    places = sampled_places(len(rows), SAMPLE_ROWS, random)
    part, known = rows.rows(places).astype(np.float64), labels[places]
    features = seeding_features(emissions, (part - np.asarray(view.shift)) / np.asarray(view.scale))
    shares = []
    for _ in range(number):
        means = features[random.integers(len(features), size=states)]
        for state in np.unique(known[known >= 0]):
            means[state] = features[known == state].mean(0)
        distance = -0.5 * ((features[:, None] - means) ** 2).sum(-1)
        shares.append(np.where(known[:, None] >= 0, np.eye(states)[np.maximum(known, 0)], softmax(distance)))
    return DrawnStarts(part, np.ones(len(part)), np.stack(shares), np.full(number, states))


def _chain(template: HiddenMarkov, stays: float, random: np.random.Generator, number: int) -> tuple[np.ndarray, ...]:
    states = template.log_start.size
    even = np.full((states, states), (1.0 - stays) / max(states - 1, 1))
    np.fill_diagonal(even, stays if states > 1 else 1.0)
    if number:  # no two starts are alike in their chains
        even = even * random.uniform(0.5, 1.5, even.shape)
    return _shares(np.ones(states), template.possible_start), _shares(even, template.possible)


def _shares(mass: np.ndarray, possible: Array | None) -> np.ndarray:
    mass = mass if possible is None else np.where(possible, mass, 0.0)
    with np.errstate(divide="ignore"):
        logs = np.log(mass / mass.sum(-1, keepdims=True))
    return logs if possible is not None else np.maximum(logs, LEAST)


def stacked_of(template: HiddenMarkov, begins: np.ndarray, ways: np.ndarray, emissions: MixtureModel) -> HiddenMarkov:
    """Starts on a leading axis of all arrays."""
    number = len(begins)

    def each(values: Array | None) -> np.ndarray | None:
        return None if values is None else np.stack([np.asarray(values)] * number)

    return HiddenMarkov(
        begins,
        ways,
        emissions,
        each(template.pseudo),
        each(template.pseudo_start),
        each(template.possible),
        each(template.possible_start),
        whole=template.whole,
        hard=template.hard,
    )
