"""Files written by earlier versions of tacit still load, and answer what they answered."""

from pathlib import Path

import numpy as np

from tacit.storage import load

FILES = Path(__file__).parent / "written_before"


def test_a_vae_with_flows_loads_and_scores_as_it_did() -> None:
    """From before its posterior and prior were choices of moved distributions (commit cd0304a)."""
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 0.3]])
    rows = np.random.default_rng(0).normal(size=(40, 3)) @ mixing + [1.0, -2.0, 0.0]
    model = load(FILES / "vae_flows.safetensors")
    scores = [-2.3347489833831787, -2.6622862815856934, -4.476783752441406, -3.9065122604370117, -6.6690168380737305]
    np.testing.assert_allclose(model.score_samples(rows[:5]), scores, rtol=1e-5)
    codes = [[0.03837879, 0.066605], [0.04099841, 0.0324535], [0.09847236, 0.07678656]]
    np.testing.assert_allclose(model.transform(rows[:3]), codes, atol=1e-6)
