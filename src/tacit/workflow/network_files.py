"""A file of a network, such as alarm.bif, where a run is expected: it answers as a fitted network does."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from tacit.data.features import Target
from tacit.data.schema import Schema
from tacit.estimators.network.bayesian_network import BayesianNetwork
from tacit.estimators.network.files import read_network
from tacit.storage.config import RunConfig
from tacit.storage.run import RunFolder


class NetworkFile(RunFolder):
    """What a run folder says, of a network in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @functools.cached_property
    def _network(self) -> BayesianNetwork:
        return read_network(self.path)

    @property
    def finished(self) -> bool:
        return True

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was put right while the file was read."""
        return self._network.remarks_

    def config(self) -> RunConfig:
        return RunConfig("bayesian-network", {}, {"source": str(self.path)})

    def model(self, network: Any = None) -> BayesianNetwork:
        return self._network

    def schema(self) -> Schema:
        return self._network.schema_

    def target(self) -> Target | None:
        return None

    def metrics(self) -> dict[str, Any]:
        return {}

    def calibration(self) -> dict[str, np.ndarray]:
        return {}
