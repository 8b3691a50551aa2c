"""scikit-learn's own installed tests of its factor analysis, with our class in its place."""

import pytest
import sklearn.decomposition.tests.test_factor_analysis as theirs

from tacit.estimators.factors.factor_analysis import FactorAnalysis

theirs.FactorAnalysis = FactorAnalysis  # type: ignore[misc]
globals().update({n: f for n, f in list(vars(theirs).items()) if n.startswith("test_")})

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.reuses_keys]


@pytest.fixture
def global_random_seed() -> int:
    return 42
