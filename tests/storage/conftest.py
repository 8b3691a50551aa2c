"""A fitted model, a file of it, and a way to forge files whose checksum is right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.storage import container, save

Forge = Callable[[Callable[[dict[str, Any], dict[str, np.ndarray]], Any]], Path]


@pytest.fixture(scope="session")
def rows() -> np.ndarray:
    """Two groups in three columns."""
    random = np.random.default_rng(5)
    return np.concatenate([random.normal(size=(60, 3)), random.normal(4.0, 2.0, size=(40, 3))])


@pytest.fixture(scope="session")
def fitted(rows: np.ndarray) -> GaussianMixture:
    """A converged mixture of them."""
    return GaussianMixture(2, random_state=0, max_iter=500).fit(rows)


@pytest.fixture
def file(fitted: GaussianMixture, tmp_path: Path) -> Path:
    """The mixture in a file."""
    return save(fitted, tmp_path / "mixture.safetensors")


@pytest.fixture
def forge(file: Path) -> Forge:
    """Change the document and the arrays of the file, and make the checksum right again."""

    def change(how: Callable[[dict[str, Any], dict[str, np.ndarray]], Any]) -> Path:
        body, arrays = container.read(file, "model")
        how(body, arrays)
        path = file.with_name("forged.safetensors")
        container.write(path, "model", {k: v for k, v in body.items() if k != "kind"}, arrays)
        return path

    return change
