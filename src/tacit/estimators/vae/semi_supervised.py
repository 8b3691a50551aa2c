"""``SemiSupervisedVAE``: a VAE of rows of some classes, of which few are labelled."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from tacit.compute import single_precision
from tacit.data.blocks import Standardise
from tacit.estimators.base import Seed, check_whole, seed_of, unmasked_objects
from tacit.estimators.capabilities import Capability, MatrixLike, PredictsClasses, Refines
from tacit.estimators.vae import parts
from tacit.estimators.vae.describe import Architecture, layers
from tacit.estimators.vae.networks import make_encoder
from tacit.estimators.vae.rows import Conditions, DeepRows
from tacit.estimators.vae.vae import VAE
from tacit.inference.objectives import Elbo, Objective
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.vae.labelled import Labelled, LabelledLatent, class_log_probs, classes_rehearsed
from tacit.models.vae.likelihoods import Likelihood
from tacit.models.vae.model import DeepLatent, RowBatch
from tacit.spaces import Held

UNLABELLED = -1


class SemiSupervisedVAE(VAE, PredictsClasses):
    """``p(y) p(z) p(x|y, z)`` with ``q(y|x) q(z|x, y)``: the second model of Kingma et al. 2014.

    Rows without a label are summed over all classes exactly. The parts are those of `VAE`, whose arguments it takes.
    In every answer ``given`` is the class of the rows: left out, codes, reconstructions and gaps are those of the class
    that q(y|x) says, and samples draw theirs from p(y).

    Attributes:
        classes_: the labels, sorted.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "classes_": Held("classes", "any"),
        "model_.logits": Held("classes"),
    }

    classes_: np.ndarray
    model_: Any

    @single_precision
    def fit(self, X: MatrixLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:  # type: ignore[override]
        """Learn from rows and the labels of some.

        Args:
            X: as for `VAE`.
            y: a label a row; −1, None or NaN where there is none.
            sample_weight: a weight a row.

        Raises:
            ValueError: no labels, or labels of one class only.
        """
        known, labels = _labels(y)
        self.classes_ = np.unique(labels[known])
        if self.classes_.size < 2:
            found = f"1 class, {self.classes_[0]!r}" if self.classes_.size else "no class"
            raise ValueError(f"y has labels of {found}: two classes at least are needed")
        codes = np.where(known, np.searchsorted(self.classes_, np.where(known, labels, self.classes_[0])), UNLABELLED)
        self._labelled = float(known.mean())
        self._fit(X, sample_weight, np.where(known, labels, self.classes_[0]), codes.astype(np.int32))
        return self

    def lacks(self) -> frozenset[type[Capability]]:
        """As `VAE`, and what takes a code of real numbers alone."""
        return super().lacks() | {Refines}

    @property
    def annealed_weights(self) -> Any:
        """Not for this model, whose code is not one of real numbers alone."""
        raise AttributeError("rows of SemiSupervisedVAE have classes beside their codes, which cannot be annealed")

    @property
    def refined_bounds(self) -> Any:
        """Not for this model, whose bound is a sum over classes."""
        raise AttributeError("the bound of SemiSupervisedVAE is a sum over classes, which no Gaussian is fitted to")

    @property
    def partial_fit(self) -> Any:
        """Not for this model: which classes there are must be known at once."""
        raise AttributeError("SemiSupervisedVAE learns from all rows at once: call fit")

    def _compose(
        self, likelihood: Likelihood, view: Standardise | None, few: np.ndarray, key: PRNGKeyArray
    ) -> LabelledLatent:
        self.conditions_ = Conditions(self.classes_, None, None)
        one, two = jax.random.split(key)
        latent = self._latent(likelihood, view, few, one)
        count = self.classes_.size
        return LabelledLatent(latent, make_encoder(self._plan(None, 0, ()), count, two), jnp.zeros(count))

    @property
    def _deep_latent(self) -> DeepLatent:
        return self.model_.latent

    def _objective(self) -> Objective:
        # log q(y|x) of the labelled rows weighs as much as the bound of all rows does: with a tenth of it, as Kingma et
        # al. 2014 have it, 100 labels among 1 500 digits gave 69 % right instead of 81 %
        return Labelled(
            parts.choose_objective(self._asked_objective(), self._deep_latent.posterior_kind), 1.0 / self._labelled
        )

    def _bound(self, n_samples: int, given: ArrayLike | None) -> tuple[Any, Objective]:
        return super()._bound(n_samples, given) if given is not None else (self.model_, Labelled(Elbo(n_samples), 0.0))

    @single_precision
    def rehearsal(self) -> str | None:
        return super().rehearsal() or classes_rehearsed(self.model_, self.event_shape_)

    @single_precision
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """``q(y|x)``, ``(n, classes)``."""
        return self._class_shares(self._read(X))

    def _class_shares(self, stored: DeepRows) -> np.ndarray:
        found = [
            np.asarray(class_log_probs(self.model_, rows))[: part.stop - part.start]
            for part, rows in self._batches_of(stored, self.classes_[0])
        ]
        logs = np.concatenate(found).astype(np.float64)
        return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))

    def predict(self, X: MatrixLike) -> np.ndarray:
        """The likeliest class of every row."""
        return self._likeliest(self._read(X))

    def _likeliest(self, stored: DeepRows) -> np.ndarray:
        return self.classes_[self._class_shares(stored).argmax(axis=1)]

    def _conditions(self, stored: DeepRows, given: ArrayLike | None) -> np.ndarray | None:
        return super()._conditions(stored, self._likeliest(stored) if given is None else given)

    def _log_prob(self, rows: RowBatch, key: np.ndarray, number: int, given: ArrayLike | None) -> np.ndarray:
        """``log p(x|y)`` of the classes given, or ``log Σ_y p(y) p(x|y)``."""
        score = super()._log_prob
        if given is not None:
            return score(rows, key, number, given)
        prior = np.asarray(jax.nn.log_softmax(self.model_.logits))
        each = [score(self.model_.of_class(rows, label), key, number, given) for label in range(prior.size)]
        return logsumexp(np.stack(each) + prior[:, None], axis=0)

    @single_precision
    def sample(
        self, n_samples: int = 1, *, given: ArrayLike | None = None, random_state: Seed = None, **settings: Any
    ) -> np.ndarray:
        """New rows, of the classes given or drawn from p(y); settings as for `VAE.sample`."""
        self._model()
        check_whole("n_samples", n_samples, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        if given is None:
            shares = np.asarray(jax.nn.softmax(self.model_.logits), np.float64)
            given = random.choice(self.classes_, n_samples, p=shares / shares.sum())
        return super().sample(n_samples, given=given, random_state=random, **settings)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def architecture(self) -> Architecture:
        """As of `VAE`, with the classifier."""
        plain = super().architecture()
        more = tuple(layers("Classifier", self.model_.classifier, self.event_shape_))
        classes = ("Classes y", f"{self.classes_.size}, with learned shares; q(y|x) from the classifier")
        learned = plain.parameters + sum(layer.parameters for layer in more) + self.classes_.size
        return Architecture((*plain.parts, classes), (*plain.layers, *more), learned)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        plain = super().graph()
        label = Node("y", "y", "latent", ("n",), "categorical(π)")
        nodes = (plain.nodes[0], Node("π", "π", "parameter"), label, *plain.nodes[1:])
        edges = (Edge("π", "y"), Edge("y", "x"), *plain.edges)
        return Graph(nodes, edges, (Plate("n", "n = 1…N"),))


def _is_label(value: object) -> bool:
    try:
        return value is not None and bool(value == value) and bool(value != UNLABELLED)
    except TypeError:  # pandas' NA is neither equal nor unequal to anything
        return False


def _labels(y: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a label, and the labels."""
    if y is None:
        raise ValueError("this model requires y to be passed, but the target y is None: a label a row, -1 for none")
    labels = np.asarray(unmasked_objects(y) if isinstance(y, np.ma.MaskedArray) else y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"y must be labels (n,), got an array {labels.shape}")
    if labels.dtype == object:
        known = np.array([_is_label(each) for each in labels])
        texts = labels.copy()
        texts[~known] = labels[known][0] if known.any() else ""
        return known, np.array(texts.tolist())
    if labels.dtype.kind == "f":
        known = ~np.isnan(labels) & (labels != UNLABELLED)
        return known, np.where(known, labels, 0.0).astype(np.int64 if (labels[known] % 1 == 0).all() else float)
    return (labels != UNLABELLED if labels.dtype.kind == "i" else np.ones(labels.size, bool)), labels
