"""``tacit score`` on amounts: rows near zero and large ones are odd alike, in any unit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

Command = Callable[..., Result]
ASKED = ("--set", "components=1", "--kind", "amount=positive")


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_both_tails_of_a_positive_column_are_odd(
    tacit: Command, tmp_path: Path, rows_of: Callable[[str], list[dict[str, Any]]], unit: float
) -> None:
    random = np.random.default_rng(0)
    amounts = np.exp(random.normal(3.0, 1.0, 400)) * unit
    (tmp_path / "amounts.csv").write_text("amount\n" + "\n".join(f"{x:.9g}" for x in amounts) + "\n")
    strange = np.array([20.0, 1e-6, 1e8]) * unit
    (tmp_path / "new.csv").write_text("amount\n" + "\n".join(f"{x:.9g}" for x in strange) + "\n")
    fitted = tacit("fit", tmp_path / "amounts.csv", *ASKED, "--out", tmp_path / "run")
    assert fitted.exit_code == 0, fitted.output
    done = tacit("score", tmp_path / "run", tmp_path / "new.csv", "--format", "csv")
    assert done.exit_code == 0, done.output
    usual, low, high = rows_of(done.stdout)
    assert usual["p_value"] > 0.5
    assert low["p_value"] == high["p_value"] == pytest.approx(1.0 / 41.0)
    assert usual["typicality"] - low["typicality"] > 20.0
    assert usual["log_density"] == pytest.approx(usual["typicality"] - np.log(20.0 * unit), abs=1e-6)
