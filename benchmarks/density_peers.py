"""Flows of zuko and of flowjax, fitted for so many seconds of the processor; run by the interpreter that has them.

python -m benchmarks.density_peers PEER SET SECONDS      prints one line of JSON
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.density_data import parts

PATIENCE = 20
"""Epochs without a better score of the rows to choose by."""
THREADS = 2


def main() -> None:
    """Fit, and print what the test rows score."""
    peer, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if peer == "epoch":
        print(json.dumps({"seconds": zuko_epoch(parts(name)[0])}))
        return
    fitting = flowjax_spline if peer == "flowjax-RQS" else zuko_flow(peer.removeprefix("zuko-"))
    learned, chosen, test = (part.astype(np.float32) for part in parts(name))
    epoch, score, keep, back = fitting(learned)
    score(chosen), epoch()  # compiles
    best, worse, epochs, spent = -np.inf, 0, 0, 0.0
    while spent < seconds and worse < PATIENCE:
        began = time.process_time()
        epoch()
        level = float(score(chosen).mean())
        spent += time.process_time() - began
        epochs, worse = epochs + 1, worse + 1
        if level > best:
            best, worse = level, 0
            keep()
    back()
    found = np.asarray(score(test), np.float64)
    print(json.dumps({"score": float(found.mean()), "seconds": spent, "epochs": epochs, "ended": worse >= PATIENCE}))


Fitting = tuple[Callable[[], None], Callable[[np.ndarray], np.ndarray], Callable[[], None], Callable[[], None]]


def zuko_flow(kind: str) -> Callable[[np.ndarray], Fitting]:
    """Its tutorials' settings: three transforms, two layers of 64, Adam of 1e-3; batches of 256."""

    def fitting(learned: np.ndarray) -> Fitting:
        import torch
        import zuko

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

    return fitting


def zuko_epoch(learned: np.ndarray) -> float:
    """Seconds of an epoch of a spline flow of two transforms, two layers of 128 and 8 bins, batches of 256."""
    import torch
    import zuko

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


def flowjax_spline(learned: np.ndarray) -> Fitting:
    """Its masked autoregressive flow of splines, and the rate and batches of its ``fit_to_data``."""
    import equinox as eqx
    import jax
    import optax
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import StandardNormal
    from flowjax.flows import masked_autoregressive_flow
    from paramax import NonTrainable, unwrap

    spline = RationalQuadraticSpline(knots=8, interval=4)
    dims = learned.shape[1]
    flow = masked_autoregressive_flow(jax.random.key(0), base_dist=StandardNormal((dims,)), transformer=spline)
    adam, random = optax.adam(5e-4), np.random.default_rng(0)
    leaf: Any = lambda each: isinstance(each, NonTrainable)  # noqa: E731
    moved, static = eqx.partition(flow, eqx.is_inexact_array, is_leaf=leaf)
    now = {"moved": moved, "state": adam.init(moved), "kept": moved}

    @eqx.filter_jit
    def step(moved: Any, state: Any, x: Any) -> Any:
        slope = eqx.filter_grad(lambda each: -unwrap(eqx.combine(each, static)).log_prob(x).mean())(moved)
        change, state = adam.update(slope, state, moved)
        return eqx.apply_updates(moved, change), state

    log_prob = eqx.filter_jit(lambda moved, x: unwrap(eqx.combine(moved, static)).log_prob(x))

    def epoch() -> None:
        order = random.permutation(len(learned))
        for index in np.array_split(order[: len(order) // 100 * 100], len(order) // 100):
            now["moved"], now["state"] = step(now["moved"], now["state"], learned[index])
        jax.block_until_ready(now["moved"])

    return (
        epoch,
        lambda x: np.asarray(log_prob(now["moved"], x)),
        lambda: now.update(kept=now["moved"]),
        lambda: now.update(moved=now["kept"]),
    )


if __name__ == "__main__":
    main()
