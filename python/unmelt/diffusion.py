"""The core for your own networks: schedules, times, solvers and noise, with a network that is a Python function.

Example:
    A network that is exact for data of N(2, 0.5²), and samples of it:

    >>> import numpy as np
    >>> import unmelt
    >>> schedule = unmelt.diffusion.Schedule.cosine()
    >>> def network(x, t):
    ...     alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    ...     gain = alpha * 0.25 / (alpha**2 * 0.25 + sigma**2)
    ...     return 2.0 + gain * (x - alpha * 2.0)
    >>> x = unmelt.diffusion.sample(network, schedule=schedule, shape=(2000,), steps=20)
    >>> bool(abs(x.mean() - 2.0) < 0.05), bool(abs(x.std() - 0.5) < 0.05)
    (True, True)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _unmelt
from ._arguments import at_least
from ._unmelt import Process, Schedule, noise, solvers

__all__ = ["Process", "Schedule", "add_noise", "categorical", "gaussian", "noise", "sample", "solvers"]

_Array = npt.NDArray[np.floating[Any]]


def add_noise(clean: npt.ArrayLike, t: float, *, schedule: Schedule, seed: int = 0, first: int = 0) -> _Array:
    """Adds noise to samples up to a time: α(t)·x₀ + σ(t)·ε.

    Args:
        clean: Samples, one along the first axis each.
        t: Time in [0, 1].
        schedule: The schedule.
        seed: Seed of the noise.
        first: Number of the first sample within the seed.

    Example:
        >>> schedule = unmelt.diffusion.Schedule.cosine()
        >>> unmelt.diffusion.add_noise(np.ones((1, 2)), 0.0, schedule=schedule).tolist()
        [[1.0, 1.0]]
    """
    x = np.asarray(clean, dtype=np.float64)
    if x.ndim == 0:
        raise ValueError("clean must have at least one axis, that of the samples")
    drawn = noise(x.shape, seed, first=first)
    mixed: _Array = schedule.alpha(t) * x + schedule.sigma(t) * drawn
    return mixed


def gaussian(schedule: Schedule, *, centred: bool = False) -> str:
    """A feature of numbers with Gaussian noise, for `Process`.

    Args:
        schedule: Its schedule.
        centred: Whether the numbers are points in three dimensions, along the last axis, whose mean is zero.
    """
    return _feature(schedule, {"gaussian": "centred-points" if centred else "full"})


def categorical(
    schedule: Schedule,
    *,
    classes: int | None = None,
    frequencies: Sequence[float] | None = None,
    absorbing: bool = False,
) -> str:
    """A feature of classes, for `Process`: kept with probability α(t)², else drawn anew (Austin et al. 2021).

    Args:
        schedule: Its schedule.
        classes: Number of classes. Noise is uniform, or with `absorbing` a mask, whose number is `classes`.
        frequencies: Frequencies of the classes in the data, summing to 1, which noise has as well (Vignac et al. 2023).
        absorbing: Whether noise turns classes into a mask.

    Raises:
        ValueError: Not exactly one of `classes` and `frequencies`.
    """
    if (classes is None) == (frequencies is None):
        raise ValueError("give either classes or frequencies")
    if frequencies is not None:
        return _feature(schedule, {"categorical": {"kind": "marginal", "frequencies": [float(f) for f in frequencies]}})
    return _feature(schedule, {"categorical": {"kind": "absorbing" if absorbing else "uniform", "classes": classes}})


def _feature(schedule: Schedule, process: dict[str, Any]) -> str:
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be an unmelt.diffusion.Schedule, but it is a {type(schedule).__name__}")
    return json.dumps({"schedule": json.loads(schedule.to_json()), "process": process})


def sample(
    denoiser: Callable[[Any, Any], Any],
    *,
    schedule: Schedule,
    shape: Sequence[int],
    solver: str = "dpm++2m",
    steps: int = 50,
    grid: str = "trailing",
    times: npt.ArrayLike | None = None,
    target: str = "sample",
    seed: int = 0,
    first: int = 0,
    initial: npt.ArrayLike | None = None,
    dtype: npt.DTypeLike = np.float64,
    callback: Callable[[int, float, _Array], object] | None = None,
) -> _Array:
    """Draws samples with a denoiser of your own.

    Sample `k` of a seed is the same whatever it is drawn with, as long as the denoiser treats samples one by one. The solver
    computes in float64.

    Args:
        denoiser: Called as `denoiser(x, t)` with an array of `shape` and the time in [0, 1]; returns an array of the same shape.
            A `torch.nn.Module` gets tensors on the device of its parameters: x of `dtype`, and t of shape (samples,).
        schedule: The schedule that the denoiser was trained for.
        shape: Shape of the samples, one along the first axis each.
        solver: One of `solvers()`.
        steps: Steps.
        grid: Times that the steps visit: "trailing", "karras", "logsnr" or "power:P".
        times: The times themselves, falling, the last one 0 for clean samples; instead of `steps` and `grid`.
        target: What the denoiser returns: "sample" (x₀), "epsilon", "v", "score" or "flow".
        seed: Seed of the noise.
        first: Number of the first sample within the seed.
        initial: Where to begin, instead of noise.
        dtype: Type of what the denoiser gets and of the result.
        callback: Called as `callback(step, t, x)` after every evaluation.

    Raises:
        ValueError: An unknown name, shapes that do not fit, an epsilon target where the signal is zero.
        NumericalError: The denoiser's answer is not finite.

    An exception of the denoiser or of the callback is raised unchanged.
    """
    if not callable(denoiser):
        raise TypeError(f"denoiser must be callable, but it is a {type(denoiser).__name__}")
    if not isinstance(schedule, Schedule):
        raise TypeError(f"schedule must be an unmelt.diffusion.Schedule, but it is a {type(schedule).__name__}")
    at_least("steps", steps, 1)
    visited = schedule.times(grid, steps) if times is None else np.asarray(times, dtype=np.float64)
    ask = _torch(denoiser, dtype) or _numpy(denoiser, dtype)
    drawn = _unmelt.sample(
        ask,
        schedule,
        [int(n) for n in shape],
        solver=solver,
        times=[float(t) for t in visited],
        seed=seed,
        first=first,
        target=target,
        initial=initial,
        callback=callback,
    )
    return drawn.astype(dtype, copy=False)


def _numpy(denoiser: Callable[[Any, Any], Any], dtype: npt.DTypeLike) -> Callable[[_Array, float], Any]:
    return lambda x, t: denoiser(x.astype(dtype, copy=False), t)


def _torch(denoiser: Any, dtype: npt.DTypeLike) -> Callable[[_Array, float], Any] | None:
    """A torch module as a function of arrays; None of anything else. torch is not imported for it."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(denoiser, torch.nn.Module):
        return None
    parameter = next(denoiser.parameters(), None)
    device = "cpu" if parameter is None else parameter.device

    def ask(x: _Array, t: float) -> Any:
        with torch.no_grad():
            state = torch.from_numpy(np.ascontiguousarray(x, dtype=dtype)).to(device)
            time = torch.full((x.shape[0],), t, dtype=state.dtype, device=device)
            return denoiser(state, time).detach().cpu().double().numpy()

    return ask
