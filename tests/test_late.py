"""Modules of other packages that are loaded late are as ever for whoever uses them."""

import subprocess
import sys

import pytest

CODE = """
import importlib, sys, threading
import tacit
{imports}
import scipy.stats, scipy.optimize
{check}
"""
WHOLE = "assert scipy.stats.norm.cdf(0.0) == 0.5 and 'norm' in dir(scipy.stats) and hasattr(scipy.optimize, 'minimize')"


def run(imports: str, check: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(imports=imports, check=check)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_it_is_not_loaded_for_scikit_learns_sake() -> None:
    loaded = "[n for n in sys.modules if n.startswith(('scipy.stats.', 'scipy.optimize.', 'numpy.f2py.'))]"
    run("import tacit.estimators.mixture.gaussian", f"assert {loaded} == [], {loaded}")


@pytest.mark.parametrize(
    "imports",
    [
        "",
        "from scipy.stats import rankdata",
        "from scipy.stats import *",
        "import scipy.stats.qmc",
        "from scipy.stats._stats_py import rankdata",
        "import scipy.optimize._linesearch",
        "import scipy.stats; importlib.reload(scipy.stats)",
    ],
)
def test_whoever_imports_it_finds_all_of_it(imports: str) -> None:
    one = "import scipy.stats._stats_py as part; assert part is scipy.stats._stats_py is sys.modules[part.__name__]"
    run(imports, f"{WHOLE}\n{one}")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    run("", "try:\n    scipy.stats.nonsense\nexcept AttributeError as error:\n    assert 'nonsense' in str(error)")


def test_threads_wait_for_one_another() -> None:
    check = """
found = []
threads = [threading.Thread(target=lambda: found.append(scipy.stats.t(3).cdf(0.0))) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert found == [0.5] * 16, found
"""
    run("", check)


def test_pandas_is_not_loaded_for_those_who_only_look_for_it() -> None:
    run("import sklearn.base", "assert 'pandas' not in sys.modules; import pandas; assert pandas.DataFrame")


def test_results_load_no_frames_before_they_are_asked_for() -> None:
    check = """
import numpy as np
tacit.GaussianMixture(2).fit(np.random.default_rng(0).normal(size=(40, 2)))
assert not {'pandas', 'polars'} & set(sys.modules)
import sklearn.utils.fixes, pyarrow as pa, pandas as pd
assert pa.table({'a': [1]}).to_pandas().equals(pd.DataFrame({'a': [1]}))
"""
    run("import tacit.data.results", check)


@pytest.mark.parametrize(
    "check",
    [
        "import scipy.spatial.distance as d; assert d.pdist([[0, 0], [3, 4]])[0] == 5.0\n"
        "assert 'scipy.spatial.transform' not in sys.modules\n"
        "import scipy.spatial; assert scipy.spatial.KDTree and scipy.spatial.distance is d",
        "import scipy.cluster; assert scipy.cluster.hierarchy.linkage and scipy.cluster.vq.kmeans",
        "from scipy.spatial import *; assert KDTree and distance.cdist",
        "import scipy.interpolate; assert scipy.interpolate.Rbf",
    ],
)
def test_a_part_of_some_packages_comes_without_the_others(check: str) -> None:
    run("", check)


@pytest.mark.parametrize(
    "check",
    [
        "import sklearn.utils.fixes as f; assert f._get_threadpool_controller().info() is not None",
        "import sklearn.utils.fixes as f; import numpy as np; assert f.laplacian(np.ones((2, 2))).shape == (2, 2)",
        "import sklearn.base, joblib; assert joblib.Parallel(1)([joblib.delayed(abs)(-1)]) == [1]",
        "import sklearn.utils.parallel as p, joblib; assert issubclass(p.Parallel, joblib.Parallel)",
        "import matplotlib.mathtext as m; assert m.MathTextParser('path').parse('$x^2$')",
        "from matplotlib.font_manager import FontProperties as F; assert F('serif:bold').get_weight() == 'bold'",
        "import pyparsing; assert pyparsing.__version__ and pyparsing.Word('a').parse_string('aa')[0] == 'aa'",
        "import narwhals as nw, pyarrow as pa; assert nw.from_native(pa.table({'a': [1]})).columns == ['a']",
        "import joblib, importlib.metadata; assert joblib.__version__ == importlib.metadata.version('joblib')",
    ],
)
def test_what_is_taken_from_a_late_module_does_what_it_should(check: str) -> None:
    run("import tacit.late; tacit.late.in_program(); import sklearn.utils.fixes, matplotlib.figure", check)


def test_other_peoples_code_gets_no_stand_ins() -> None:
    check = """
import joblib, scipy.linalg, sklearn.utils.fixes
assert not any(type(each).__name__ == 'Late' for each in vars(sklearn.utils).values())
assert sklearn.utils.fixes.laplacian is scipy.sparse.csgraph.laplacian
assert issubclass(type('Own', (scipy.sparse.linalg.LinearOperator,), {}), scipy.sparse.linalg.LinearOperator)
"""
    run("import scipy.sparse.linalg, scipy.sparse.csgraph", check)
