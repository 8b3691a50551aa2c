"""What is true of a maximum under a covariance structure, computed without the code under test."""

from collections.abc import Iterator

import numpy as np
import scipy.optimize

TILTED = ("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
ALONG = ("EII", "VII", "EEI", "VEI", "EVI", "VVI")


def problem(seed: int, components: int = 3, dims: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random scatter matrices [K, D, D] of different size, shape and direction, and their counts [K]."""
    rng = np.random.default_rng(seed)
    counts = rng.uniform(4.0, 40.0, components)
    half = rng.normal(size=(components, 2 * dims, dims)) * np.exp(rng.normal(size=(components, 1, dims)) * 0.7)
    return counts[:, None, None] * np.einsum("kni,knj->kij", half, half) / dims, counts


def objective(scatter: np.ndarray, counts: np.ndarray, covariances: np.ndarray) -> float:
    """−½ Σ_k [n_k log|Σ_k| + tr(Σ_k⁻¹ S_k)] over the components with weight."""
    total = 0.0
    for s, n, c in zip(scatter, counts, covariances, strict=True):
        if n > 0:
            total -= 0.5 * (n * np.linalg.slogdet(c)[1] + np.trace(np.linalg.solve(c, s)))
    return float(total)


def axes_of(structure: str, covariances: np.ndarray) -> np.ndarray:
    """D_k [K, D, D]: the columns' axes, one matrix of eigenvectors for all, or each component's own."""
    components, dims = covariances.shape[:2]
    if structure[2] == "I":
        return np.broadcast_to(np.eye(dims), covariances.shape)
    if structure[2] == "E":
        generic = np.einsum("k,kij->ij", 1.0 + np.sqrt(np.arange(2, components + 2)) % 1.0, covariances)
        return np.broadcast_to(np.linalg.eigh(generic)[1], covariances.shape)
    return np.linalg.eigh(covariances)[1]


def tangents(structure: str, covariances: np.ndarray) -> Iterator[np.ndarray]:
    """Directions dΣ [K, D, D] that span the structure at a member of it."""
    components, dims = covariances.shape[:2]
    axes = axes_of(structure, covariances)
    values = np.einsum("kia,kij,kja->ka", axes, covariances, axes)

    def spread(letter: str, each: np.ndarray) -> Iterator[np.ndarray]:
        if letter == "E":
            yield each
        for k in range(components if letter == "V" else 0):
            yield np.where(np.arange(components)[:, None, None] == k, each, 0.0)

    yield from spread(structure[0], covariances)
    for a in range(dims - 1):
        h = np.eye(dims)[a] - np.eye(dims)[a + 1]
        yield from spread(structure[1], np.einsum("kia,ka,kja->kij", axes, h * values, axes))
    for a in range(dims):
        for b in range(a):
            turn = np.outer(np.eye(dims)[a], np.eye(dims)[b])
            turn = turn - turn.T
            yield from spread(structure[2], turn @ covariances - covariances @ turn)


def steepest(structure: str, covariances: np.ndarray, gradient: np.ndarray) -> float:
    """The largest slope of a function with this gradient [K, D, D] along the structure, per unit change."""
    return max(abs(float((gradient * direction).sum())) for direction in tangents(structure, covariances))


def gradient(scatter: np.ndarray, counts: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """The gradient of the objective: −½ (n Σ⁻¹ − Σ⁻¹ S Σ⁻¹)."""
    inverse = np.linalg.inv(covariances)
    return -0.5 * (counts[:, None, None] * inverse - inverse @ scatter @ inverse)


def belongs(structure: str, covariances: np.ndarray) -> float:
    """How far covariances are from the structure (relative): 0 for a member."""
    dims = covariances.shape[1]
    axes = axes_of(structure, covariances)
    turned = np.einsum("kia,kij,kjb->kab", axes, covariances, axes)
    values = np.einsum("kaa->ka", turned)
    off = np.abs(turned - values[:, :, None] * np.eye(dims)).max() / values.max()
    volumes = np.exp(np.log(values).mean(-1))
    shapes = values / volumes[:, None]
    faults = [off]
    if structure[0] == "E":
        faults.append(np.ptp(volumes) / volumes.max())
    if structure[1] == "E":
        faults.append(np.ptp(shapes, axis=0).max())
    if structure[1] == "I":
        faults.append(np.abs(shapes - 1.0).max())
    return float(max(faults))


def free_sizes(structure: str, components: int, dims: int) -> list[int]:
    """How many log-volumes, log-shapes and angles the structure leaves free."""
    copies = {"I": 0, "E": 1, "V": components}
    pairs = dims * (dims - 1) // 2
    return [copies[structure[0]], copies[structure[1]] * (dims - 1), copies[structure[2]] * pairs]


def build(structure: str, parameters: np.ndarray, components: int, dims: int) -> np.ndarray:
    """Covariances [..., K, D, D] from free parameters [..., P]: log-volumes, log-shapes and skew matrices."""
    many = parameters.shape[:-1]
    sizes = free_sizes(structure, components, dims)
    volume, shape, angle = np.split(parameters, np.cumsum(sizes)[:-1], axis=-1)
    free = shape.reshape(*many, -1, dims - 1)
    logs = np.concatenate([free, -free.sum(-1, keepdims=True)], axis=-1) if sizes[1] else np.zeros(dims)
    axes = np.eye(dims)
    if sizes[2]:
        skew = np.zeros((*many, angle.shape[-1] * 2 // (dims * (dims - 1)), dims, dims))
        skew[..., *np.tril_indices(dims, -1)] = angle.reshape(*skew.shape[:-2], -1)
        skew -= np.swapaxes(skew, -1, -2)
        axes = np.linalg.solve(axes - skew, axes + skew)  # Cayley's parameters of a rotation
    values = np.broadcast_to(np.exp(logs + volume[..., None]), (*many, components, dims))
    return (axes * values[..., None, :]) @ np.swapaxes(axes, -1, -2)


def best_found(structure: str, scatter: np.ndarray, counts: np.ndarray, starts: int) -> float:
    """The best objective that a general optimiser finds over the free parameters from random starts."""
    components, dims = scatter.shape[:2]
    size = sum(free_sizes(structure, components, dims))
    rng = np.random.default_rng(0)
    around = 1e-5 * np.concatenate([np.zeros((1, size)), np.eye(size), -np.eye(size)])

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        covariances = build(structure, parameters + around, components, dims)
        ratios = np.linalg.solve(covariances, np.broadcast_to(scatter, covariances.shape))
        traces = np.trace(ratios, axis1=-2, axis2=-1)
        values = 0.5 * (counts * np.linalg.slogdet(covariances)[1] + traces).sum(-1)
        return values[0], (values[1 : size + 1] - values[size + 1 :]) / 2e-5

    starting = [rng.normal(size=size) * 0.5 for _ in range(starts)]
    return -min(scipy.optimize.minimize(cost, start, jac=True, method="BFGS").fun for start in starting)
