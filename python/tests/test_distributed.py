"""Generation on local clusters."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import unmelt

OPTIONS: dict[str, Any] = {"seed": 9, "steps": 8}


@pytest.fixture(scope="module")
def ray() -> Any:
    ray = pytest.importorskip("ray")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception as error:
        pytest.skip(f"Ray does not start on this machine: {error}")
    yield ray
    ray.shutdown()


def alone(count: int, **more: Any) -> unmelt.molecules.Molecules:
    return unmelt.molecules.generate(count, progress=False, **OPTIONS, **more)


def test_ray_gives_the_molecules_of_one_machine(ray: Any, folder: Path) -> None:
    made = unmelt.distributed.generate(10, engine="ray", shards=3, output=folder / "parts", **OPTIONS)
    assert made == alone(10)
    parts = sorted((folder / "parts").iterdir())
    assert [p.name for p in parts] == ["part-00000000.sdf", "part-00000003.sdf", "part-00000006.sdf"]
    together = [m.key for p in parts for m in unmelt.molecules.read(p)]
    assert together == [m.key for m in made]


def test_filters_are_those_of_one_machine(ray: Any) -> None:
    filters = ["valid", "connected", "unique"]
    made = unmelt.distributed.generate(4, engine="ray", shards=2, filters=filters, **OPTIONS)
    same = alone(4, filters=filters)
    assert made == same and made.drawn == same.drawn


def test_a_lost_worker_is_survived(ray: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = folder / "killed"
    original = unmelt.distributed._task

    def dying(model: str, device: str, first: int, count: int, options: Any, output: Any, name: str) -> Any:
        if first > 0 and not mark.exists():
            mark.write_text("once")
            os.kill(os.getpid(), signal.SIGKILL)
        return original(model, device, first, count, options, output, name)

    monkeypatch.setattr(unmelt.distributed, "_task", dying)
    made = unmelt.distributed.generate(4, engine="ray", shards=2, **OPTIONS)
    assert mark.exists() and made == alone(4)


def test_dask_gives_the_molecules_of_one_machine() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        with distributed.Client(cluster):
            assert unmelt.distributed.generate(5, engine="dask", shards=2, **OPTIONS) == alone(5)


def test_mistakes_are_found_before_the_cluster_works() -> None:
    for arguments, words in [
        ({"engine": "slurm"}, "engine must be one of"),
        ({"shards": 0}, "shards must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"filters": ["pretty"]}, "no filter"),
    ]:
        with pytest.raises(ValueError, match=words):
            unmelt.distributed.generate(2, **arguments)
    with pytest.raises(ValueError, match="count must be at least 0"):
        unmelt.distributed.generate(-1)
