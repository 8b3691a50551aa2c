"""The flows of zuko, as its tutorials fit them; only that package and PyTorch are needed."""

import time
from collections.abc import Callable

import numpy as np
import torch
import zuko

THREADS = 1
"""Threads that wait by spinning would be counted as work."""
Fitting = tuple[Callable[[], None], Callable[[np.ndarray], np.ndarray], Callable[[], None], Callable[[], None]]


def fitting(kind: str) -> Callable[[np.ndarray], Fitting]:
    """Its tutorials' settings: three transforms, two layers of 64, Adam of 1e-3; batches of 256."""

    def begun(learned: np.ndarray) -> Fitting:
        torch.set_num_threads(THREADS)
        torch.manual_seed(0)
        flow = getattr(zuko.flows, kind)(learned.shape[1], transforms=3, hidden_features=(64, 64))
        adam, rows, kept = torch.optim.Adam(flow.parameters(), 1e-3), torch.from_numpy(learned), [flow.state_dict()]

        def epoch() -> None:
            for index in torch.randperm(len(rows)).split(256):
                loss = -flow().log_prob(rows[index]).mean()
                adam.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
                adam.step()

        def score(x: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return flow().log_prob(torch.from_numpy(x)).numpy()

        def keep() -> None:
            kept[0] = {name: value.clone() for name, value in flow.state_dict().items()}

        return epoch, score, keep, lambda: flow.load_state_dict(kept[0])

    return begun


def epoch_seconds(learned: np.ndarray) -> float:
    """Seconds of an epoch of a spline flow of two transforms, two layers of 128 and 8 bins, batches of 256."""
    torch.set_num_threads(1)
    flow = zuko.flows.NSF(learned.shape[1], transforms=2, hidden_features=(128, 128), bins=8)
    adam, rows, spent = torch.optim.Adam(flow.parameters(), 1e-3), torch.from_numpy(learned.astype(np.float32)), []
    for _ in range(4):
        began = time.process_time()
        for index in torch.randperm(len(rows)).split(256):
            loss = -flow().log_prob(rows[index]).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        spent.append(time.process_time() - began)
    return min(spent[1:])
