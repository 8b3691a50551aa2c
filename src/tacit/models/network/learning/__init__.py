"""Structures of networks from data: scores, searches, trees, how sure an arrow is, equivalence classes."""

from tacit.models.network.learning.climbing import Learned, learn
from tacit.models.network.learning.counts import ExpectedCounts, FamilyCounts, RowCounts
from tacit.models.network.learning.gaussian import GaussianMoments, GaussianScore, moments_of
from tacit.models.network.learning.graphs import EquivalenceClass, equivalence_class, extension, hamming_distance
from tacit.models.network.learning.mixed import MixedScore
from tacit.models.network.learning.options import Constraints, Options
from tacit.models.network.learning.scores import DiscreteScore, Score
from tacit.models.network.learning.streamed import (
    StreamedCounts,
    StreamedMixedScore,
    counts_of,
    distinct_rows,
    moments_of_rows,
)
from tacit.models.network.learning.strengths import Strengths, averaged, bootstrap, strengths_of, threshold_of
from tacit.models.network.learning.trees import augmented, naive, tree

__all__ = [
    "Constraints",
    "DiscreteScore",
    "EquivalenceClass",
    "ExpectedCounts",
    "FamilyCounts",
    "GaussianMoments",
    "GaussianScore",
    "Learned",
    "MixedScore",
    "Options",
    "RowCounts",
    "Score",
    "StreamedCounts",
    "StreamedMixedScore",
    "Strengths",
    "augmented",
    "averaged",
    "bootstrap",
    "counts_of",
    "distinct_rows",
    "equivalence_class",
    "extension",
    "hamming_distance",
    "learn",
    "moments_of",
    "moments_of_rows",
    "naive",
    "strengths_of",
    "threshold_of",
    "tree",
]
