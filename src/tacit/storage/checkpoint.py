"""The state of a running fit on disk, so that one that was killed goes on and ends bit for bit where it would have.

The file holds the arrays of the driver's state, the trace up to it and the snapshots. What is static about the model
(its structure, its form) comes with the fresh start that the fit makes again; the arrays are checked against it.
"""

import contextlib
import hashlib
import json
import os
import re
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone

from tacit import trees
from tacit.compute import cores
from tacit.data.dataset import Dataset
from tacit.engine import PyTree, is_array, is_loaded, jax
from tacit.files import remove_leftovers
from tacit.inference.watch import OtherForm, Progress, Snapshot
from tacit.storage import container
from tacit.storage.encode import Node, encode
from tacit.storage.errors import ModelFileError
from tacit.storage.lock import FolderLock
from tacit.storage.model_file import versions

_ENDING = ".checkpoint.safetensors"
WORTH_SECONDS = 0.5
"""A fit that ended sooner is sooner fitted again, to the same bits, than read."""
_SLICE = 16_000_000
"""Bytes of an array that are copied at a time to be hashed."""


class Checkpoint:
    """A watcher that writes every fit of a run to a folder every few seconds, and goes on from there.

    Use it around the fit: ``with watch(Checkpoint(folder, fingerprint(estimator, X))): estimator.fit(X)``. The
    fits of one run are told apart by label and order of appearance, so a run repeats them in the same order; those
    that had ended are taken from their last state. Call `clear` when the result is safe. The folder is locked from the
    first fit on, until then or until this object is gone: another process is refused, and within a process the newest
    object has it.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: str, every: float = 10.0) -> None:
        """Watch with a folder.

        Args:
            folder: where the files lie; made when there is something to write.
            fingerprint: of the settings and data, from `fingerprint`; a checkpoint of others is refused.
            every: seconds between two writings of a running fit.

        Raises:
            ModelFileError: another process is writing there.
        """
        self.folder = Path(folder)
        self.fingerprint, self.every = fingerprint, every
        self._seen: Counter[str] = Counter()
        self._paths: dict[str, Path] = {}
        self._written = 0.0
        self._lock, self._ready = FolderLock(self.folder), False
        if self.folder.is_dir():
            self._hold()

    def resume(self, label: str, state: PyTree) -> Snapshot | None:
        """What was kept of the next fit of this label, put into the fresh state; None where there is nothing.

        Raises:
            ModelFileError: the file is damaged, or of other settings, data or shapes; or another process is writing
                to the folder.
        """
        self._hold()
        word = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "fit"
        self._seen[word] += 1
        path = self._paths[label] = self.folder / f"{word}-{self._seen[word]}{_ENDING}"
        self._written = time.monotonic()
        return self._read(path, state) if path.exists() else None

    def _hold(self) -> None:
        """Lock the folder, once, and remove what was left in it by writers that are no more.

        With the lock nobody else writes there. Without (another object of this process had it, or the file system has
        no locks), what the living write stays.
        """
        if self._ready:
            return
        with contextlib.suppress(OSError):  # where no folder can be made, the first writing will say so
            self.folder.mkdir(parents=True, exist_ok=True)
        alone = self._lock.acquire(take_over=True)
        remove_leftovers(self.folder, of_the_dead=not alone)
        self._ready = True

    def look(self, progress: Progress) -> None:
        """Write the state if the last writing is some seconds ago."""
        if time.monotonic() - self._written >= self.every:
            self._write(progress)

    def done(self, progress: Progress) -> None:
        """Write the last state: of a fit that Ctrl-C broke off, or that ended and would take long to do again."""
        if progress.running or progress.seconds >= WORTH_SECONDS:
            self._write(progress)

    def clear(self) -> None:
        """Remove the checkpoints, and the folder if nothing else is in it."""
        for path in self.folder.glob(f"*{_ENDING}"):
            path.unlink()
        remove_leftovers(self.folder, of_the_dead=True)
        self._lock.release()
        with contextlib.suppress(OSError):  # something else is in it, or another fit has just begun there
            self.folder.rmdir()

    def _write(self, progress: Progress) -> None:
        kept = progress.snapshot
        if kept is None:
            return
        leaves = _leaves(kept.state)
        arrays = {f"state{name}": np.asarray(leaf) for name, leaf in leaves.items()}
        for cycle, model in kept.snapshots.items():
            arrays |= {f"snapshots.{cycle}{name}": np.asarray(leaf) for name, leaf in _leaves(model).items()}
        if kept.trace:
            iterations, seconds, bounds = zip(*kept.trace, strict=True)
            arrays["trace.iteration"] = np.asarray(iterations, dtype=np.int64)
            arrays["trace.seconds"] = np.asarray(seconds, dtype=np.float64)
            arrays["trace.bound"] = np.stack([np.asarray(bound) for bound in bounds])
        body = {
            "label": progress.label,
            "fingerprint": self.fingerprint,
            "machine": _machine(),
            "snapshots": sorted(kept.snapshots),
            "repaired": kept.repaired,
        }
        path = self._paths[progress.label]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            container.write(path, "checkpoint", body, arrays)
        except OSError as error:  # a full disk is no reason to lose the fit itself
            warnings.warn(
                f"cannot write {str(path)!r}: {error.strerror or error}. The fit goes on, but could not be resumed.",
                UserWarning,
                stacklevel=3,
            )
        self._written = time.monotonic()

    def _read(self, path: Path, fresh: PyTree) -> Snapshot:
        body, arrays = container.read(path, "checkpoint")
        if body.get("fingerprint") != self.fingerprint:
            raise ModelFileError(
                f"{str(path)!r} belongs to a fit with other settings or other data. Give the same ones to resume "
                f"it, or delete {str(self.folder)!r} to start anew."
            )
        _compare_machines(path, body.get("machine"))
        if body.get("repaired"):
            raise OtherForm(lambda other: _snapshot(path, body, arrays, other))
        return _snapshot(path, body, arrays, fresh)


def _snapshot(path: Path, body: dict[str, Any], arrays: dict[str, np.ndarray], fresh: PyTree) -> Snapshot:
    """The file's arrays in a fresh state of the same form."""
    try:
        state = trees.map(_device, _filled(fresh, arrays, "state"))
        snapshots = {int(cycle): _filled(fresh.model, arrays, f"snapshots.{int(cycle)}") for cycle in body["snapshots"]}
        trace = _trace(arrays, fresh.bound.shape)
    except (KeyError, ValueError, TypeError) as error:
        reason = error.args[0] if error.args else error
        raise container.damaged(path, f"it does not fit this model ({reason})", "checkpoint") from None
    return Snapshot(state, trace, snapshots, bool(body.get("repaired")))


def fingerprint(estimator: BaseEstimator, *data: Any) -> str:
    """What tells one fit from another: a hash of the hyper-parameters and of the data's bytes.

    Args:
        estimator: its settings count, not what it has learned; a random generator given as setting does not.
        data: data sets, and arrays of numbers (rows, weights), dense or sparse, or None.

    Raises:
        TypeError: an array of objects or texts: encode it first.
    """
    settings = encode(clone(estimator))
    found = hashlib.sha256(json.dumps(_alike(settings.node)).encode("ascii"))
    for array in (*settings.arrays.values(), *data):
        if isinstance(array, Dataset):
            found.update(f"\n1\n{array.dtype.str} {array.shape}\n".encode("ascii"))
            for _, part in array.slices():
                found.update(np.ascontiguousarray(part).tobytes())
            if (array.weights != 1.0).any():
                _update(found, array.weights)
            continue
        if sparse.issparse(array):
            rows = array.tocsr()
            parts = [np.asarray(rows.shape), rows.indptr, rows.indices, rows.data]
        else:
            parts = [] if array is None else [np.asarray(array)]
        found.update(f"\n{len(parts)}".encode("ascii"))
        for part in parts:
            _update(found, part)
    return found.hexdigest()


def _alike(node: Node) -> Any:
    """A tuple is a list here: a config has only lists."""
    if isinstance(node, dict):
        node = {key: item for key, item in node.items() if (node.get("$"), key) != ("numbers", "in")}
        return _alike(node["items"]) if node.get("$") == "tuple" else {key: _alike(item) for key, item in node.items()}
    return [_alike(item) for item in node] if isinstance(node, list) else node


def _update(found: Any, array: np.ndarray) -> None:
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a fingerprint is made of numbers, not of {array.dtype}: encode the columns first.")
    found.update(f"\n{array.dtype.str} {array.shape}\n".encode("ascii"))
    rows = np.atleast_1d(array)
    together = max(1, _SLICE * len(rows) // max(rows.nbytes, 1))
    for start in range(0, rows.shape[0], together):  # never a copy of the whole
        found.update(np.ascontiguousarray(rows[start : start + together]).tobytes())


def _leaves(tree: PyTree) -> dict[str, Any]:
    """The arrays of a tree by their paths, such as ``.model.log_weights``."""
    return {path: leaf for path, leaf in trees.named(tree) if is_array(leaf)}


def _filled(fresh: PyTree, arrays: dict[str, np.ndarray], prefix: str) -> PyTree:
    """A fresh tree with its arrays replaced by those of the file, each of the same shape and type."""
    stored = []
    for name, leaf in _leaves(fresh).items():
        array = arrays.get(prefix + name, arrays.get(prefix + name.replace(".noise_floor", ".blur")))
        if array is None:
            raise KeyError(f"{prefix}{name} is missing")
        if array.shape != leaf.shape or array.dtype != leaf.dtype:
            raise ValueError(
                f"{prefix}{name} is {array.dtype} of shape {array.shape}, and should be {leaf.dtype} of shape "
                f"{leaf.shape}"
            )
        stored.append(array)
    left = iter(stored)
    return trees.map(lambda leaf: next(left) if is_array(leaf) else leaf, fresh)


def _device(leaf: object) -> Any:
    return jax.device_put(leaf) if is_loaded() and is_array(leaf) else leaf


def _trace(arrays: dict[str, np.ndarray], starts: tuple[int, ...]) -> list[tuple[int, float, np.ndarray]]:
    if "trace.bound" not in arrays:
        return []
    iterations, seconds, bounds = (arrays[f"trace.{part}"] for part in ("iteration", "seconds", "bound"))
    if bounds.shape[1:] != starts or not iterations.shape == seconds.shape == bounds.shape[:1]:
        raise ValueError(f"its trace has the shape {bounds.shape}")
    return [(int(i), float(s), np.asarray(bound)) for i, s, bound in zip(iterations, seconds, bounds, strict=True)]


def _machine() -> dict[str, Any]:
    """What decides the last bits beside settings and data."""
    return {
        **versions(),
        "threads": cores(),
        "device": jax.default_backend() if is_loaded() else "cpu",
    }


def _compare_machines(path: Path, then: object) -> None:
    now = _machine()
    if not isinstance(then, dict):
        raise container.damaged(path, "it does not say on what it was written", "checkpoint")
    changed = [f"{what} {then.get(what)} then, {now[what]} now" for what in now if then.get(what) != now[what]]
    if changed:
        warnings.warn(
            f"resuming {str(path)!r} on another set-up ({'; '.join(changed)}): the result may differ in its last "
            "bits from that of an unbroken fit",
            UserWarning,
            stacklevel=2,
        )
