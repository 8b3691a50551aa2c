# The public names. To add one: import it here from the module that defines it, add it to __all__,
# and give it a line in docs/api.md.
from . import datasets, distributed, families, mlflow
from .data.corpus import Corpus
from .data.opening import dataset
from .estimators.explaining import Explanation
from .estimators.factors.factor_analysis import FactorAnalysis
from .estimators.factors.items import GradedResponse, ItemFactorAnalysis, TwoParameterLogistic
from .estimators.factors.pca import PCA
from .estimators.flow.triangular_flow import TriangularFlow
from .estimators.generative_classifier import GenerativeClassifier
from .estimators.infer import Inferred, infer
from .estimators.kmeans import KMeans
from .estimators.mixture.bayesian_columns import BayesianMixture
from .estimators.mixture.bayesian_gaussian import BayesianGaussianMixture
from .estimators.mixture.counts import MultinomialMixture, PoissonMixture
from .estimators.mixture.density import Density
from .estimators.mixture.factors import MixtureOfFactorAnalysers
from .estimators.mixture.gaussian import GaussianMixture
from .estimators.mixture.latent_class import LatentClass
from .estimators.mixture.mixed import Mixture
from .estimators.network.bayesian_network import BayesianNetwork
from .estimators.network.cases import CasesAnswer
from .estimators.network.density import NetworkDensity
from .estimators.network.files import read_network, write_network
from .estimators.network.results import JointAnswer, MostProbable, NetworkAnswer
from .estimators.query.answer import QueryAnswer
from .estimators.regression.bayesian_linear import BayesianLinearRegression
from .estimators.regression.bayesian_logistic import BayesianLogisticRegression
from .estimators.regression.counts import NegativeBinomialRegression, PoissonRegression
from .estimators.regression.least_absolute_deviations import LeastAbsoluteDeviations
from .estimators.regression.mixture import RegressionMixture
from .estimators.regression.student_t import StudentTRegression
from .estimators.sequence.forecasts import Forecast
from .estimators.sequence.hidden_markov import HiddenMarkovModel
from .estimators.sequence.state_space import LinearGaussianStateSpace
from .estimators.stacked.stacked_density import StackedDensity
from .estimators.topics.latent_dirichlet_allocation import LatentDirichletAllocation
from .estimators.topics.prod_lda import ProdLDA
from .estimators.topics.vectorise import read_corpus
from .estimators.vae.semi_supervised import SemiSupervisedVAE
from .estimators.vae.vae import IWAE, VAE, VQVAE, AutoEncoder, BetaVAE
from .estimators.verdict import Verdict
from .evaluation.anomalies import odd_columns
from .evaluation.bootstrap import bootstrap
from .evaluation.coherence import Coherence, topic_coherence
from .evaluation.compare import Comparison, compare
from .evaluation.conformal import Calibration
from .evaluation.coverage import Coverage, coverage
from .evaluation.disentangle import mutual_information_gap, separated_attribute_predictability
from .evaluation.drift import Drift, drift
from .evaluation.gap import AnnealedLogProb, InferenceGap, annealed_log_prob, inference_gap
from .evaluation.health import LatentHealth, latent_health
from .evaluation.held_out import held_out
from .evaluation.likelihood_ratio import likelihood_ratio_test
from .evaluation.match import match
from .evaluation.number_of_factors import NumberOfFactors, number_of_factors
from .evaluation.ordinal import PolychoricCorrelations, polychoric_correlations
from .evaluation.ordinary import anomaly_scores
from .evaluation.select import Selection, select
from .evaluation.topic_selection import TopicSelection, select_topics
from .evaluation.topic_trace import TopicTrace
from .evaluation.topics import (
    Representatives,
    Stability,
    representative_documents,
    top_words,
    topic_distances,
    topic_diversity,
    topic_exclusivity,
    topic_map,
    topic_sizes,
    topic_stability,
)
from .evaluation.typicality import typicality
from .export.onnx_graph import to_onnx
from .export.sql import to_sql
from .inference.posterior import Posterior
from .inference.watch import watch
from .models.topics.completion import Completion, document_completion, document_halves
from .storage import load, save
from .storage.checkpoint import Checkpoint, fingerprint
from .storage.event_logs import TensorBoardLog
from .storage.logs import CsvLog

__all__ = [
    "IWAE",
    "PCA",
    "VAE",
    "VQVAE",
    "AnnealedLogProb",
    "AutoEncoder",
    "BayesianGaussianMixture",
    "BayesianLinearRegression",
    "BayesianLogisticRegression",
    "BayesianMixture",
    "BayesianNetwork",
    "BetaVAE",
    "Calibration",
    "CasesAnswer",
    "Checkpoint",
    "Coherence",
    "Comparison",
    "Completion",
    "Corpus",
    "Coverage",
    "CsvLog",
    "Density",
    "Drift",
    "Explanation",
    "FactorAnalysis",
    "Forecast",
    "GaussianMixture",
    "GenerativeClassifier",
    "GradedResponse",
    "HiddenMarkovModel",
    "InferenceGap",
    "Inferred",
    "ItemFactorAnalysis",
    "JointAnswer",
    "KMeans",
    "LatentClass",
    "LatentDirichletAllocation",
    "LatentHealth",
    "LeastAbsoluteDeviations",
    "LinearGaussianStateSpace",
    "Mixture",
    "MixtureOfFactorAnalysers",
    "MostProbable",
    "MultinomialMixture",
    "NegativeBinomialRegression",
    "NetworkAnswer",
    "NetworkDensity",
    "NumberOfFactors",
    "PoissonMixture",
    "PoissonRegression",
    "PolychoricCorrelations",
    "Posterior",
    "ProdLDA",
    "QueryAnswer",
    "RegressionMixture",
    "Representatives",
    "Selection",
    "SemiSupervisedVAE",
    "Stability",
    "StackedDensity",
    "StudentTRegression",
    "TensorBoardLog",
    "TopicSelection",
    "TopicTrace",
    "TriangularFlow",
    "TwoParameterLogistic",
    "Verdict",
    "__version__",
    "annealed_log_prob",
    "anomaly_scores",
    "bootstrap",
    "compare",
    "coverage",
    "dataset",
    "datasets",
    "distributed",
    "document_completion",
    "document_halves",
    "drift",
    "families",
    "fingerprint",
    "held_out",
    "infer",
    "inference_gap",
    "latent_health",
    "likelihood_ratio_test",
    "load",
    "match",
    "mlflow",
    "mutual_information_gap",
    "number_of_factors",
    "odd_columns",
    "polychoric_correlations",
    "read_corpus",
    "read_network",
    "representative_documents",
    "save",
    "select",
    "select_topics",
    "separated_attribute_predictability",
    "to_onnx",
    "to_sql",
    "top_words",
    "topic_coherence",
    "topic_distances",
    "topic_diversity",
    "topic_exclusivity",
    "topic_map",
    "topic_sizes",
    "topic_stability",
    "typicality",
    "watch",
    "write_network",
]

__version__: str
