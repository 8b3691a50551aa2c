"""The texts of the benchmark of topic models: a split of documents, and of the words of the unseen ones."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from benchmarks.rows import TABLES

TEXTS = TABLES.parent / "text"


class Split(NamedTuple):
    """Documents to learn from, and the two halves of the words of unseen ones; words not learned are left out."""

    train: sparse.csr_matrix
    given: sparse.csr_matrix
    asked: sparse.csr_matrix


def read(path: Path) -> sparse.csr_matrix:
    """Counts of one set."""
    packed = np.load(path)
    return sparse.csr_matrix((packed["data"], packed["indices"], packed["indptr"]), packed["shape"]).astype(float)


def split(name: str, few: int | None = None) -> Split:
    """One in seven documents is unseen; one seed for all."""
    random = np.random.default_rng(0)
    counts = read(TEXTS / f"{name}.npz")[:few]
    order = random.permutation(counts.shape[0])
    unseen, seen = np.sort(order[: len(order) // 7]), np.sort(order[len(order) // 7 :])
    train = counts[seen]
    known = np.asarray(train.sum(axis=0)).ravel() > 0
    train, unseen_counts = train[:, known].tocsr(), counts[unseen][:, known].tocsr()
    given = unseen_counts.copy()
    given.data = random.binomial(given.data.astype(int), 0.5).astype(float)
    asked = (unseen_counts - given).tocsr()
    for half in (given, asked):
        half.eliminate_zeros()
    return Split(train, given, asked)
