"""scikit-learn's own tests of its KMeans, with ours in its place."""

import importlib.util
from collections.abc import Callable
from types import ModuleType

import pytest
import sklearn.cluster
from sklearn.cluster.tests import test_k_means as theirs

from tacit.estimators.kmeans import KMeans

EXCLUDED = {
    "test_relocate_empty_clusters": "calls a private C function of scikit-learn, not KMeans",
    "test_euclidean_distance": "calls a private C function of scikit-learn, not KMeans",
    "test_inertia": "calls a private C function of scikit-learn, not KMeans",
    "test_is_same_clustering": "calls a private C function of scikit-learn, not KMeans",
    "test_k_means_function": "calls the function k_means, which makes scikit-learn's own KMeans",
    "test_sample_weight_init": "calls the private method _init_centroids; tests/estimators/test_kmeans.py has it",
    "test_sample_weight_zero": "calls the private method _init_centroids; tests/estimators/test_kmeans.py has it",
    "test_kmeans_init_auto_with_initial_centroids": "reads the private attribute _n_init",
    "test_n_init_auto": "reads the private attribute _n_init",
}
"""Their tests that say nothing about a public KMeans; those of MiniBatchKMeans and kmeans_plusplus are left out too."""
OTHERS = ("minibatch", "plusplus")


def loaded() -> ModuleType:
    """Their module, run again with our class under the name that it imports."""
    spec = importlib.util.spec_from_file_location("their_k_means_tests", theirs.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    original = sklearn.cluster.KMeans
    sklearn.cluster.KMeans = KMeans
    try:
        spec.loader.exec_module(module)
    finally:
        sklearn.cluster.KMeans = original
    assert module.KMeans is KMeans
    return module


def ours_alone(test: Callable) -> Callable:
    """The test without the parameters that stand for MiniBatchKMeans."""
    marks = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize" and "MiniBatchKMeans" in repr(mark.args[1]):
            kept = [value for value in mark.args[1] if "MiniBatchKMeans" not in repr(value)]
            assert kept
            mark = pytest.mark.parametrize(mark.args[0], kept).mark  # their ids name the others as well
        marks.append(mark)
    test.pytestmark = marks
    return test


MODULE = loaded()
for name, value in list(vars(MODULE).items()):
    if name.startswith("test_") and name not in EXCLUDED and not any(word in name for word in OTHERS):
        globals()[name] = ours_alone(value)


@pytest.fixture
def global_random_seed() -> int:
    return 42


@pytest.fixture(params=["float32", "float64"])
def global_dtype(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_exclusion_names_a_test() -> None:
    assert not set(EXCLUDED) - set(vars(MODULE))
