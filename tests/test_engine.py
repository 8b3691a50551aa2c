"""JAX is loaded when something of it is asked for, and then all is as if it had been there from the beginning."""

import subprocess
import sys

import pytest

ROWS = "import numpy as np, sys; rows = np.random.default_rng(0).normal(size=(60, 2)); import tacit\n"
ABSENT = "assert not {'jax', 'jaxlib', 'equinox'} & set(sys.modules), 'JAX was loaded'\n"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", ROWS + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "m = tacit.GaussianMixture(3).fit(rows); m.score_samples(rows); m.predict(rows); m.sample(5)",
        "m = tacit.GaussianMixture(3, means_init=rows[:3], random_state=0).fit(rows)",
        "big = np.random.default_rng(0).normal(size=(180_000, 12)); tacit.GaussianMixture(4, max_iter=2).fit(big)",
        "rows[::7, 0] = np.nan; tacit.GaussianMixture(2).fit(rows).impute(rows)",
        "tacit.PoissonMixture(2).fit(np.random.default_rng(0).poisson(3.0, (60, 3)).astype(float))",
        "tacit.select(rows, components=range(1, 4)).table",
    ],
)
def test_a_small_fit_does_without_it(code: str) -> None:
    run(f"{code}\n{ABSENT}")


def test_records_are_trees_for_whoever_imports_jax_later() -> None:
    run(
        f"m = tacit.GaussianMixture(2).fit(rows)\n{ABSENT}"
        "import jax\n"
        "assert len(jax.tree.leaves(m.model_)) > 3\n"
        "assert jax.jit(lambda model: model.log_weights)(m.model_).shape == (2,)"
    )


def test_a_scope_of_precision_holds_for_jax_that_is_loaded_within_it() -> None:
    run(
        """
from tacit.compute import double_precision, single_precision
from tacit.engine import is_double, jnp

@single_precision
def narrow():
    assert not is_double()
    return jnp.ones(1).dtype

@double_precision
def wide(within):
    assert is_double()
    inner = narrow() if within else None
    assert is_double()
    return inner, jnp.ones(1).dtype

assert not is_double()
assert [str(each) for each in wide(True)] == ['float32', 'float64']
assert not is_double() and jnp.ones(1).dtype == 'float32'
assert str(wide(False)[1]) == 'float64' and jnp.ones(1).dtype == 'float32'
"""
    )


def test_a_scope_that_another_thread_has_open_is_kept_too() -> None:
    run(
        """
import threading
from tacit.compute import double_precision
from tacit.engine import jnp

opened, loaded, found = threading.Event(), threading.Event(), []

@double_precision
def work():
    opened.set()
    loaded.wait(60)
    found.append(jnp.ones(1).dtype)

thread = threading.Thread(target=work)
thread.start()
opened.wait(60)
import jax
assert jax.numpy.ones(1).dtype == 'float32'
loaded.set()
thread.join()
assert found == ['float64'], found
"""
    )


def test_the_folder_of_programs_is_set_when_jax_comes() -> None:
    run(
        """
import tempfile
from pathlib import Path
from tacit.compute import compilation_cache
with tempfile.TemporaryDirectory() as folder:
    with compilation_cache(Path(folder)):
        import jax
        assert jax.config.jax_compilation_cache_dir == folder
    assert jax.config.jax_compilation_cache_dir != folder
"""
    )


@pytest.mark.parametrize("first", ["import jax", "import equinox", ""])
def test_results_do_not_depend_on_whether_it_is_there(first: str) -> None:
    code = "print(repr(tacit.GaussianMixture(3, random_state=0).fit(rows).score_samples(rows).sum()))"
    assert run(f"{first}\n{code}") == run(code)
