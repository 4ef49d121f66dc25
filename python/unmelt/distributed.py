"""Generation on a cluster that you already have, by Ray or Dask.

The numbers of the samples are split among tasks, so the cluster gives the same molecules as one machine. A task whose worker is lost
is repeated by another worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ._arguments import Path_, at_least
from ._extras import extra
from ._unmelt import Molecule
from .molecules import Model, Molecules

__all__ = ["generate"]

#: How often a task is tried again.
_RETRIES = 5


def generate(
    count: int,
    *,
    engine: str = "ray",
    shards: int | None = None,
    output: Path_ | None = None,
    ending: str = ".sdf",
    model: Path_ = "qm9",
    device: str = "cpu",
    first: int = 0,
    filters: Sequence[str] = (),
    address: str | None = None,
    **options: Any,
) -> Molecules:
    """Generates molecules on a cluster.

    Args:
        count: Number of molecules.
        engine: "ray" or "dask".
        shards: Tasks; about one for 256 molecules if not given.
        output: A folder that all workers see, for a file a task: part-00000.sdf, …; none is written without it.
        ending: ".sdf", ".xyz" or ".parquet".
        model: The name of a built-in model, or a folder that all workers see.
        device: Where each worker computes.
        first: Number of the first molecule within the seed.
        filters: As for `unmelt.molecules.generate`; applied here, in order. The files contain all molecules that were drawn.
        address: Address of the cluster; the one that runs already, or else a local one, if not given.
        **options: Further arguments of `unmelt.molecules.generate`, such as seed and steps.

    Returns:
        The molecules, in order: the same as on one machine.

    Raises:
        ValueError: An unknown engine, an argument out of its range.
        ModuleNotFoundError: The engine is not installed: `pip install unmelt[distributed]`.
    """
    if engine not in _ENGINES:
        raise ValueError(f'engine must be one of {", ".join(_ENGINES)}, but it is "{engine}"')
    at_least("count", count, 0)
    if shards is not None:
        at_least("shards", shards, 1)
    if options.get("contains"):
        raise ValueError("contains cannot be used on clusters; filter the result with Molecules.filter")
    # What is wrong with a request is found here, not on a worker.
    here = Model(model, device)
    here.plan(count, **options)
    folder = None if output is None else Path(output).absolute()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    filter_set = here._raw.filter_set(list(filters))
    kept: list[Molecule] = []
    drawn = 0
    with _ENGINES[engine](address) as run:
        while len(kept) < count:
            wanted = count - len(kept)
            tasks = [
                (os.fspath(model), device, begin, size, options, folder, f"part-{(begin - first):08d}{ending}")
                for begin, size in _ranges(first + drawn, wanted, shards)
            ]
            for part in run.map(tasks):
                for molecule in part:
                    if len(kept) < count:
                        drawn += 1
                        kept.extend([molecule] if filter_set.keeps(molecule) else [])
            if not kept and drawn >= 10_000:
                raise ValueError(f"none of {drawn} molecules passes the filters")
    return Molecules(kept, drawn)


def _ranges(first: int, count: int, shards: int | None) -> Iterator[tuple[int, int]]:
    """Begin and size of each task."""
    number = min(shards or -(-count // 256), count)
    for k in range(number):
        begin, end = count * k // number, count * (k + 1) // number
        yield first + begin, end - begin


def _task(
    model: str, device: str, first: int, count: int, options: dict[str, Any], folder: Path | None, name: str
) -> list[Molecule]:
    """What a worker does. A file is written aside and renamed, so that a lost worker leaves none that is half written."""
    from .molecules import generate as generate_here

    made = generate_here(count, model=model, device=device, first=first, **{**options, "progress": False})
    if folder is not None:
        made.save(folder / name)
    return list(made)


class _Ray:
    """Tasks by Ray; it is left as it was found."""

    def __init__(self, address: str | None) -> None:
        self._ray = extra("ray")
        self._own = not self._ray.is_initialized()
        if self._own:
            self._ray.init(address=address, log_to_driver=False, include_dashboard=False)

    def __enter__(self) -> _Ray:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._ray.shutdown()

    def map(self, tasks: list[tuple[Any, ...]]) -> Iterator[list[Molecule]]:
        remote = self._ray.remote(max_retries=_RETRIES)(_task)
        for handle in [remote.remote(*task) for task in tasks]:
            yield self._ray.get(handle)


class _Dask:
    """Tasks by Dask."""

    def __init__(self, address: str | None) -> None:
        distributed = extra("distributed")
        try:
            self._client, self._own = distributed.get_client(address), False
        except ValueError:
            self._client, self._own = distributed.Client(address), True

    def __enter__(self) -> _Dask:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._client.close()

    def map(self, tasks: list[tuple[Any, ...]]) -> Iterator[list[Molecule]]:
        for handle in [self._client.submit(_task, *task, retries=_RETRIES, pure=False) for task in tasks]:
            yield handle.result()


_ENGINES: dict[str, Any] = {"ray": _Ray, "dask": _Dask}
