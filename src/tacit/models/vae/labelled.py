"""Rows of some classes, of which few are labelled: ``p(y) p(z) p(x|y, z)`` with ``q(y|x) q(z|x, y)``."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from tacit.compute import Array, compiled
from tacit.inference.objectives import Batch, Elbo, LatentVariable, Objective, Terms
from tacit.models.vae.model import DeepLatent, RowBatch


class LabelledLatent(eqx.Module):
    """The second model of Kingma et al. 2014: a conditional deep model, a table of classes, and a classifier."""

    latent: DeepLatent
    """Of rows that are given the indicators of their class."""
    classifier: Callable
    """From a row, as the encoder sees it, to logits of q(y|x)."""
    logits: Float[Array, " classes"]
    """Of p(y), learned."""

    def log_posterior(self, rows: RowBatch) -> Float[Array, "rows classes"]:
        """``log q(y|x)``."""
        return jax.nn.log_softmax(jax.vmap(self.classifier)(self.latent.seen(rows.x)), axis=-1)

    def of_class(self, rows: RowBatch, label: int | Int[Array, ""]) -> RowBatch:
        """The rows as if all were of one class."""
        indicator = jax.nn.one_hot(label, self.logits.shape[0])
        return RowBatch(rows.x, jnp.broadcast_to(indicator, (rows.x.shape[0], indicator.shape[0])))


class Labelled(Objective):
    """A bound of the latent part, summed exactly over the classes of rows without a label.

    ``Σ_y q(y|x) (F(x, y) + log p(y)) + H(q(y|x))`` where the label is not known, ``F(x, y) + log p(y) + α log q(y|x)``
    where it is (Kingma et al. 2014, equations 6–9). Among the terms, ``classification`` is ``log q(y|x)`` of rows with
    a label, times the share of rows that they are turned round: its mean over a batch is that over labelled rows.
    """

    inner: Objective = Elbo()
    alpha: float = eqx.field(static=True, default=1.0)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        if not isinstance(model, LabelledLatent):
            raise TypeError("the objective Labelled is for a model with classes")
        rows: RowBatch = batch.rows
        log_q = model.log_posterior(rows)
        classes = jnp.arange(log_q.shape[1])

        def each(label: Int[Array, ""]) -> tuple[Float[Array, " rows"], Terms]:
            return self.inner(model.latent, batch._replace(rows=model.of_class(rows, label)))

        raised, terms = jax.vmap(each, out_axes=1)(classes)
        label = jnp.full(rows.x.shape[0], -1) if rows.label is None else rows.label
        known = label >= 0
        share = jnp.where(known[:, None], label[:, None] == classes, jnp.exp(log_q))
        # what knowing no label costs: KL(q(y|x) ‖ p(y)); of a label, −log p(y)
        cost = -(share * jax.nn.log_softmax(model.logits)).sum(1) + jnp.where(known, 0.0, (share * log_q).sum(1))
        told = jnp.where(known, (share * log_q).sum(1), 0.0)
        total = (share * raised).sum(1) - cost + self.alpha * told
        found: Terms = {name: (share * value).sum(1) for name, value in terms.items()}
        counted = batch.weights * known
        scale = batch.weights.sum() / jnp.maximum(counted.sum(), 1e-30)
        more: Terms = {"elbo": found["elbo"] - cost, "kl": found["kl"] + cost, "classification": scale * told}
        return total, found | more

    def bound(self) -> "Objective":
        """``log p(x)``, or ``log p(x, y)`` where the label is known."""
        return Labelled(self.inner.bound(), 0.0)


def classes_rehearsed(model: LabelledLatent, event: tuple[int, ...]) -> str | None:
    """What fails on the way of rows through the classifier; None if nothing does. Nothing is computed."""
    try:
        found = eqx.filter_eval_shape(
            lambda x: model.log_posterior(RowBatch(x)), jax.ShapeDtypeStruct((2, *event), jnp.float32)
        )
    except (ValueError, TypeError, IndexError) as error:
        return f"its classifier does not fit the rows ({' '.join(str(error).split())[:160]})"
    wanted = (2, model.logits.shape[0])
    return None if found.shape == wanted else f"its classifier tells {found.shape[1:]} of {wanted[1]} classes"


@compiled
def class_log_probs(model: LabelledLatent, rows: RowBatch) -> Float[Array, "rows classes"]:
    """``log q(y|x)``."""
    return model.log_posterior(rows)
