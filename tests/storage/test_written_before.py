"""Files that an earlier version wrote, of every model it listed, load and give the answers that it gave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacit.estimators.vae.vae import IWAE, VAE
from tacit.storage import load, save

WRITTEN = Path(__file__).parent / "written"
TOLD: dict[str, Any] = json.loads((WRITTEN / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(TOLD["answers"]))
def test_a_file_written_before_answers_as_it_did(name: str) -> None:
    model, rows = load(WRITTEN / f"{name}.safetensors"), np.array(TOLD["rows"])
    given = {"given": np.array(TOLD["given"])} if name == "conditional-vae" else {}
    for question, answer in TOLD["answers"][name].items():
        found = np.asarray(getattr(model, question)(rows, **given))
        if found.dtype.kind in "US":
            assert found.tolist() == answer
        else:
            # networks answer in single precision, and another machine adds in another order
            np.testing.assert_allclose(found, answer, rtol=2e-4 if "history_" in vars(model) else 1e-9, atol=1e-6)


@pytest.mark.parametrize("name", ["iwae", "beta-vae", "vq-vae", "auto-encoder"])
def test_a_choice_of_parts_written_before_is_a_vae_of_these_parts(name: str) -> None:
    model = load(WRITTEN / f"{name}.safetensors")
    assert type(model) is VAE


def test_a_choice_of_parts_comes_back_as_itself(tmp_path: Path) -> None:
    model = IWAE(2, samples=3, hidden=(4,), max_epochs=1, random_state=0).fit(np.array(TOLD["rows"]))
    found = load(save(model, tmp_path))
    assert type(found) is IWAE
    assert found.get_params() == model.get_params()
    np.testing.assert_array_equal(found.transform(TOLD["rows"]), model.transform(TOLD["rows"]))


def test_a_vae_with_flows_loads_and_scores_as_it_did() -> None:
    """From before its posterior and prior were choices of moved distributions (commit cd0304a)."""
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 0.3]])
    rows = np.random.default_rng(0).normal(size=(40, 3)) @ mixing + [1.0, -2.0, 0.0]
    model = load(WRITTEN / "vae-with-flows.safetensors")
    scores = [-2.3347489833831787, -2.6622862815856934, -4.476783752441406, -3.9065122604370117, -6.6690168380737305]
    np.testing.assert_allclose(model.score_samples(rows[:5]), scores, rtol=1e-5)
    codes = [[0.03837879, 0.066605], [0.04099841, 0.0324535], [0.09847236, 0.07678656]]
    np.testing.assert_allclose(model.transform(rows[:3]), codes, atol=1e-6)
