"""``VAE``: a variational auto-encoder with scikit-learn's face; its variants are choices of parts."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, Self

from numpy.typing import ArrayLike

from tacit.compute import single_precision
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.settings import FROM_0, Choice, Whole, Widths, settings
from tacit.estimators.vae.evaluation import DeepEvaluation, DeepWalks
from tacit.estimators.vae.networks import NETWORKS
from tacit.estimators.vae.parts import BINARIZE
from tacit.estimators.vae.prior_fit import FitsPrior
from tacit.inference.objectives import Elbo, ImportanceWeighted
from tacit.models.vae.discrete import QuantisedCodes
from tacit.models.vae.networks import ACTIVATIONS


@settings
class VAE(FitsPrior, DeepWalks, DeepEvaluation):
    """A deep latent variable model ``p(x) = ∫ p(x|z) p(z) dz``, learned with an encoder ``q(z|x)``.

    The bound raised is ``E_q log p(x|z) − KL(q(z|x) ‖ p(z)) ≤ log p(x)`` (Kingma & Welling 2014), or another
    ``objective``. Rows are vectors ``(n, d)`` or images ``(n, height, width[, channels])``; NaN marks a missing entry,
    which contributes nothing to the likelihood (Mattei & Frellsen 2019).

    Attributes:
        model_: the model, an immutable pytree with NumPy leaves; real columns are centred and scaled in it.
        trace_: how the bound rose: ``iteration`` (epochs), ``bound`` (of all rows, in nats and the user's units; the
            held-out one where rows are held out) and ``seconds``.
        history_: a column a figure: epoch, step, elbo, reconstruction, kl, held_out, seconds …, in nats a row and the
            units of the model.
        lower_bound_: the held-out bound of the parameters that were kept, in nats a row and the user's units.
        n_iter_: epochs.
        converged_, stop_reason_: whether and why the fit ended by itself.
        prior_gain_, prior_gain_error_: what `fit_prior` has added to the bound of rows held out, in nats a row.
    """

    n_components: int | tuple[int, int] = 16
    """dimensions of z; two numbers make two levels, ``p(z₂) p(z₁|z₂) p(x|z₁)``, z₁ first; of a discrete posterior the
    number of variables."""
    _: KW_ONLY
    likelihood: Any = "auto"
    """p(x|z): "bernoulli", "continuous-bernoulli", "normal", "normal-per-entry", "poisson", "normal-low-rank" (entries
    tied by four loadings), "negative-binomial", "discretised-logistic", a list with one a column (and ("categorical",
    levels)), or a ``Likelihood``. "auto" takes Bernoulli for 0/1, the discretised logistic for 8-bit images (uint8),
    the continuous Bernoulli for values in [0, 1], and else Normal: with a scale for every entry in rows, and one
    learned scale in images."""
    posterior: Any = "diagonal"
    """q(z|x): "diagonal", "full", "inverse-autoregressive" or "spline-autoregressive" (flows), "categorical" (variables
    of ten levels), "quantised" (vectors of a codebook of 64), "point" (a plain auto-encoder), or a ``Posterior``."""
    prior: Any = "auto"
    """p(z): "normal", "mixture" of Gaussians, "vamp", "flow", "spline-flow", or a ``Prior``; "auto" takes the normal
    one, and for two levels or discrete codes the one that belongs to them."""
    objective: Any = "auto"
    """"elbo", "iwae", "renyi", "beta-tcvae", "infovae", "score-function", "vector-quantised", or an ``Objective``;
    "auto" takes the ELBO, or what a quantised posterior needs."""
    network: Annotated[str, Choice(NETWORKS)] = "auto"
    """"mlp", "linear" (one layer without activation, so that the model is probabilistic PCA with likelihood="normal"),
    "conv", "residual"; "auto" takes convolutions for images."""
    hidden: Annotated[Sequence[int], Widths()] = (256, 256)
    """widths of the encoder's fully connected layers, the decoder's in reverse."""
    channels: Annotated[Sequence[int], Widths(fewest=1)] = (32, 64)
    """of the convolutions, at every halving of the image."""
    activation: Annotated[str, Choice(tuple(ACTIVATIONS))] = "silu"
    """"relu", "tanh", "gelu", "silu", "softplus"."""
    encoder: Any = None
    """a network of your own, from one row to ``posterior.outputs(n_components)`` numbers."""
    decoder: Any = None
    """from one z to ``likelihood.shape(event)`` numbers."""
    binarize: Annotated[str | None, Choice(BINARIZE)] = None
    """"stochastic" draws every pixel anew with its grey level as probability, "threshold" cuts at ½."""
    max_epochs: Annotated[int | None, Whole(1)] = None
    """passes over the rows; None makes about 10 000 steps, and 20 passes at least."""
    schedule: Annotated[str, Choice(("cosine", "constant"))] = "cosine"
    """"cosine": the rate falls to 0 along a half cosine; "constant"."""
    clip: Annotated[float, FROM_0] = 0.0
    """the largest norm of a gradient; 0 does not clip."""
    optimiser: Any = None
    """an `optax.GradientTransformation` in Adam's place (its rate is multiplied by ``learning_rate``)."""
    n_samples: Annotated[int, Whole(1)] = 1000
    """draws of z in ``score_samples``."""

    @single_precision
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        given: ArrayLike | None = None,
    ) -> Self:
        """Learn from rows.

        Args:
            X: rows ``(n, d)`` or images ``(n, height, width[, channels])``; more than a GiB of them, such as a memory
                map, stays where it is and is read a piece at a time.
            y: ignored.
            sample_weight: a weight a row.
            given: what the density is conditional on: a label ``(n,)``, covariates ``(n, c)`` or an image a row.

        Raises:
            ValueError: what is wrong with the rows or a parameter, and what to do.
        """
        self._fit(X, sample_weight, given)
        return self

    @single_precision
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        given: ArrayLike | None = None,
    ) -> Self:
        """One pass over these rows at a constant rate; the first call settles the scale and the networks."""
        self._fit_more(X, sample_weight, given)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@settings
class AutoEncoder(VAE):
    """The plain auto-encoder: q(z|x) is a point, and nothing is paid for codes. It has no likelihood of rows.

    The other parts are those of `VAE`.
    """

    posterior: Any = field(default="point", init=False)


@settings
class VQVAE(VAE):
    """The VAE whose codes are vectors of a codebook (van den Oord et al. 2017).

    The other parts are those of `VAE`.
    """

    posterior: Any = field(default="quantised", init=False)
    levels: Annotated[int, Whole(2)] = 64
    """vectors of the codebook."""
    length: Annotated[int, Whole(1)] = 4
    """numbers of each."""

    def _asked_posterior(self) -> Any:
        return QuantisedCodes(self.levels, self.length)


@settings
class BetaVAE(VAE):
    """The VAE that pays β times the KL (Higgins et al. 2017).

    The other parts are those of `VAE`.
    """

    objective: Any = field(default="elbo", init=False)
    beta: Annotated[float, FROM_0] = 4.0
    """β: above 1, codes are simpler."""

    def _asked_objective(self) -> Any:
        return Elbo(beta=self.beta)


@settings
class IWAE(VAE):
    """The importance-weighted auto-encoder (Burda et al. 2016), with doubly reparameterised gradients.

    The other parts are those of `VAE`.
    """

    objective: Any = field(default="iwae", init=False)
    samples: Annotated[int, Whole(1)] = 5
    """draws of z a row in the bound that is raised."""

    def _asked_objective(self) -> Any:
        return ImportanceWeighted(self.samples)
