"""``VAE``: a variational auto-encoder with scikit-learn's face; its variants are choices of parts."""

from collections.abc import Sequence
from typing import Any, Self

from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin

from tacit.compute import single_precision
from tacit.estimators.vae.evaluation import DeepEvaluation
from tacit.estimators.vae.fit import DeepFit
from tacit.inference.objectives import Elbo, ImportanceWeighted
from tacit.models.vae.discrete import QuantisedCodes


class VAE(DeepFit, DeepEvaluation, TransformerMixin, DensityMixin, BaseEstimator):
    """A deep latent variable model ``p(x) = ∫ p(x|z) p(z) dz``, learned with an encoder ``q(z|x)``.

    The bound raised is ``E_q log p(x|z) − KL(q(z|x) ‖ p(z)) ≤ log p(x)`` (Kingma & Welling 2014), or another
    ``objective``. Rows are vectors ``(n, d)`` or images ``(n, height, width[, channels])``; NaN marks a missing entry,
    which contributes nothing to the likelihood (Mattei & Frellsen 2019).

    Args:
        n_components: dimensions of z; two numbers make two levels, ``p(z₂) p(z₁|z₂) p(x|z₁)``, z₁ first; of a discrete
            posterior the number of variables.
        likelihood: p(x|z): "bernoulli", "continuous-bernoulli", "normal", "normal-per-entry", "poisson",
            "normal-low-rank" (entries tied by four loadings), "negative-binomial", "discretised-logistic", a list with
            one a column (and ("categorical", levels)), or a ``Likelihood``. "auto" takes Bernoulli for 0/1, the
            discretised logistic for 8-bit images (uint8), the continuous Bernoulli for values in [0, 1], and else
            Normal: with a scale for every entry in rows, and one learned scale in images.
        posterior: q(z|x): "diagonal", "full", "inverse-autoregressive" (a flow), "categorical" (variables of ten
            levels), "quantised" (vectors of a codebook of 64), "point" (a plain auto-encoder), or a ``Posterior``.
        prior: p(z): "normal", "mixture" of Gaussians, "vamp", "flow", or a ``Prior``; "auto" takes the normal one, and
            for two levels or discrete codes the one that belongs to them.
        objective: "elbo", "iwae", "renyi", "beta-tcvae", "infovae", "score-function", "vector-quantised", or an
            ``Objective``; "auto" takes the ELBO, or what a quantised posterior needs.
        network: "mlp", "conv", "residual"; "auto" takes convolutions for images.
        hidden: widths of the encoder's fully connected layers, the decoder's in reverse.
        channels: of the convolutions, at every halving of the image.
        activation: "relu", "tanh", "gelu", "silu", "softplus".
        encoder: a network of your own, from one row to ``posterior.outputs(n_components)`` numbers.
        decoder: from one z to ``likelihood.shape(event)`` numbers.
        binarize: "stochastic" draws every pixel anew with its grey level as probability, "threshold" cuts at ½.
        max_epochs: passes over the rows; None makes about 10 000 steps, and 20 passes at least.
        batch_size: rows of a step.
        learning_rate: of Adam.
        schedule: "cosine": the rate falls to 0 along a half cosine; "constant".
        warm_up: share of the fit over which the weight of the KL rises from 0 to 1.
        validation_fraction: of the rows, held out (10 000 at most) to stop the fit and to choose its best parameters
            once the KL has its full weight; 0 holds out none.
        patience: measurements of the held-out bound without a better one after which the fit ends; one is taken every
            epoch, or every 200 steps where epochs are shorter.
        clip: the largest norm of a gradient; 0 does not clip.
        optimiser: an `optax.GradientTransformation` in Adam's place (its rate is multiplied by ``learning_rate``).
        n_samples: draws of z in ``score_samples``.
        random_state: seed.
        verbose: print a line every so many epochs.

    Attributes:
        model_: the model, an immutable pytree with NumPy leaves; real columns are centred and scaled in it.
        trace_: how the bound rose: ``iteration`` (epochs), ``bound`` (of all rows, in nats and the user's units; the
            held-out one where rows are held out) and ``seconds``.
        history_: a column a figure: epoch, step, elbo, reconstruction, kl, held_out, seconds …, in nats a row and the
            units of the model.
        lower_bound_: the held-out bound of the parameters that were kept, in nats a row and the user's units.
        n_iter_: epochs.
        converged_, stop_reason_: whether and why the fit ended by itself.
    """

    def __init__(
        self,
        n_components: int | tuple[int, int] = 16,
        *,
        likelihood: Any = "auto",
        posterior: Any = "diagonal",
        prior: Any = "auto",
        objective: Any = "auto",
        network: str = "auto",
        hidden: Sequence[int] = (256, 256),
        channels: Sequence[int] = (32, 64),
        activation: str = "silu",
        encoder: Any = None,
        decoder: Any = None,
        binarize: str | None = None,
        max_epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        warm_up: float = 0.1,
        validation_fraction: float = 0.1,
        patience: int | None = 20,
        clip: float = 0.0,
        optimiser: Any = None,
        n_samples: int = 1000,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.likelihood = likelihood
        self.posterior = posterior
        self.prior = prior
        self.objective = objective
        self.network = network
        self.hidden = hidden
        self.channels = channels
        self.activation = activation
        self.encoder = encoder
        self.decoder = decoder
        self.binarize = binarize
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warm_up = warm_up
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.clip = clip
        self.optimiser = optimiser
        self.n_samples = n_samples
        self.random_state = random_state
        self.verbose = verbose

    @single_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, given: Any = None) -> Self:
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
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, given: Any = None) -> Self:
        """One pass over these rows at a constant rate; the first call settles the scale and the networks."""
        self._fit_more(X, sample_weight, given)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def AutoEncoder(n_components: int = 16, **settings: Any) -> VAE:
    """The plain auto-encoder: q(z|x) is a point, and nothing is paid for codes. It has no likelihood of rows."""
    return VAE(n_components, posterior="point", **settings)


def VQVAE(n_components: int = 16, *, levels: int = 64, length: int = 4, **settings: Any) -> VAE:
    """The VAE whose codes are vectors of a codebook (van den Oord et al. 2017)."""
    return VAE(n_components, posterior=QuantisedCodes(levels, length), **settings)


def BetaVAE(n_components: int = 16, *, beta: float = 4.0, **settings: Any) -> VAE:
    """The VAE that pays β times the KL (Higgins et al. 2017)."""
    return VAE(n_components, objective=Elbo(beta=beta), **settings)


def IWAE(n_components: int = 16, *, samples: int = 5, **settings: Any) -> VAE:
    """The importance-weighted auto-encoder (Burda et al. 2016), with doubly reparameterised gradients."""
    return VAE(n_components, objective=ImportanceWeighted(samples), **settings)
