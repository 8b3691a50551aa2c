"""A posterior as draws by name: what every variational fit of parameters gives a person."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import lazy_loader as lazy
import numpy as np
import pyarrow as pa
from jaxtyping import Float

from tacit import plots
from tacit.data.results import TableResult

PLOTTED = 40
"""Numbers that are drawn, at most."""
arviz = lazy.load("arviz", error_on_import=False)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Posterior(TableResult):
    """Draws of the parameters from q(θ), with the moments and intervals that they give.

    Attributes:
        draws: by name, arrays that lead with ``[draws]``.
        dims: names of the axes behind the first, for ArviZ.
        coords: names of the places along such axes.
    """

    draws: Mapping[str, Float[np.ndarray, "draws ..."]]
    dims: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    coords: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What there are draws of."""
        return tuple(self.draws)

    @property
    def mean(self) -> dict[str, np.ndarray]:
        """Means by name."""
        return {name: value.mean(0) for name, value in self.draws.items()}

    @property
    def sd(self) -> dict[str, np.ndarray]:
        """Standard deviations by name."""
        return {name: value.std(0, ddof=1) for name, value in self.draws.items()}

    def interval(self, level: float = 0.9) -> dict[str, Float[np.ndarray, "ends ..."]]:
        """Central credible intervals by name: the lower ends, then the upper.

        Raises:
            ValueError: a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level!r}")
        ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]
        return {name: np.quantile(value, ends, axis=0) for name, value in self.draws.items()}

    def to_arrow(self) -> pa.Table:
        """A line a number: its name, mean, standard deviation and central 90 % interval."""
        lines = [line for name, draws in self.draws.items() for line in self._lines(name, draws)]
        names = [name for name, _ in lines]
        values = np.stack([value for _, value in lines], axis=1) if lines else np.zeros((1, 0))
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        sd = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        return pa.table(
            {"parameter": pa.array(names, pa.string()), "mean": values.mean(axis=0), "sd": sd, "5 %": low, "95 %": high}
        )

    def _lines(self, name: str, draws: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Every number of an array of draws by its own name."""
        axes = list(self.dims.get(name, ()))
        found = []
        for place in np.ndindex(draws.shape[1:]):
            at = [
                str(self.coords[axis][i]) if axis in self.coords else str(i)
                for axis, i in zip(axes + [""] * (len(place) - len(axes)), place, strict=True)
            ]
            found.append((f"{name}[{', '.join(at)}]" if at else name, draws[(slice(None), *place)]))
        return found

    def headline(self) -> str:
        """How many draws of what."""
        return repr(self)

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the mean of every number (the first forty) with its central 90 % interval."""
        table = self.to_arrow().slice(0, PLOTTED)
        mean, low, high = (table.column(name).to_numpy() for name in ("mean", "5 %", "95 %"))
        return plots.coefficient_plot(
            table.column("parameter").to_pylist(), mean, low, high, says="Mean and central 90 % interval"
        )

    def to_arviz(self) -> Any:
        """The draws as ArviZ's ``InferenceData``, as one chain.

        Raises:
            ImportError: ArviZ is not there.
        """
        if isinstance(arviz, lazy.DelayedImportErrorModule):
            raise ImportError("to_arviz needs ArviZ: pip install 'tacit[arviz]'")
        single = {name: value[None] for name, value in self.draws.items()}
        return arviz.from_dict(
            posterior=single,
            dims={name: list(axes) for name, axes in self.dims.items()} or None,
            coords={name: list(places) for name, places in self.coords.items()} or None,
        )

    def __repr__(self) -> str:
        lines = [f"{name} {value.shape[1:] or ''}".rstrip() for name, value in self.draws.items()]
        number = next(iter(self.draws.values())).shape[0] if self.draws else 0
        return f"Posterior({number} draws of {', '.join(lines)})"
