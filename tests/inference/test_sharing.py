"""Gradients of mini-batches over several devices; a processor stands for several, in a process of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tacit
from tacit import distributed

SCRIPT = """
import json
import jax, numpy as np, tacit
from tacit.inference import stochastic
from tacit.inference.sharing import sharing

X = np.random.default_rng(0).normal(size=(300, 4))
X[:, 1] += X[:, 0] ** 2
parts, means = [], stochastic._means

def looked_at(values, weights):
    jax.debug.inspect_array_sharding(weights, callback=lambda found: parts.append(found.shard_shape(weights.shape)[0]))
    return means(values, weights)

def fitted(devices):
    parts.clear()
    with tacit.distributed.devices(devices):
        model = tacit.VAE(1, network="linear", max_epochs=2, batch_size=60, random_state=0).fit(X)
    return model.score_samples(X[:20], n_samples=5).tolist(), sorted(set(parts))

stochastic._means = looked_at
with tacit.distributed.devices() as number:  # of 50 rows two devices can have the same number
    told = {"number": number, "of_fifty": sharing(50).rows.mesh.size}
print(json.dumps(told | {"one": fitted(1), "four": fitted(4)}))
"""


def test_the_rows_of_a_batch_are_shared_and_the_fit_is_that_of_one_device() -> None:
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, "XLA_FLAGS": flags}, capture_output=True, text=True
    )
    assert not told.returncode, told.stderr
    found = json.loads(told.stdout)
    assert (found["number"], found["of_fifty"]) == (4, 2)
    (one, whole), (four, quarter) = found["one"], found["four"]
    assert (whole, quarter) == ([60], [15])
    np.testing.assert_allclose(four, one, rtol=2e-5)


def test_what_cannot_be_is_refused() -> None:
    with (
        pytest.raises(distributed.EngineError, match="there is 1 cpu device here, and 2 are asked for"),
        distributed.devices(2),
    ):
        pass
    for number in (0, True):
        with pytest.raises(ValueError, match="whole number of at least 1"), distributed.devices(number):
            pass
    with distributed.devices(1) as number:
        assert number == distributed.sharing_devices() == 1
    assert tacit.distributed.sharing_devices() == 1
