"""The core: solvers on a Gaussian, agreement with diffusers, denoisers of NumPy and PyTorch."""

import pickle
from typing import Any

import numpy as np
import pytest

import unmelt
from unmelt.diffusion import Process, Schedule, add_noise, categorical, gaussian as normal, noise, sample, solvers

COSINE = Schedule.cosine()


def gaussian(schedule: Schedule, mean: float = 2.0, deviation: float = 0.5) -> Any:
    """The network that knows the data to be N(mean, deviation²)."""

    def network(x: Any, t: float) -> Any:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        gain = alpha * deviation**2 / (alpha**2 * deviation**2 + sigma**2)
        return mean + gain * (x - alpha * mean)

    return network


@pytest.mark.parametrize("solver", solvers())
def test_every_solver_finds_the_distribution(solver: str) -> None:
    schedule = Schedule.linear()
    x = sample(gaussian(schedule), schedule=schedule, shape=(4000,), solver=solver, steps=60, seed=1)
    assert abs(x.mean() - 2.0) < 0.06 and abs(x.std() - 0.5) < 0.06, (x.mean(), x.std())


@pytest.mark.parametrize("target", ["sample", "epsilon", "v", "score", "flow"])
def test_targets_say_the_same(target: str) -> None:
    schedule = Schedule.linear()
    clean = gaussian(schedule)

    def network(x: Any, t: float) -> Any:
        alpha, sigma, x0 = schedule.alpha(t), schedule.sigma(t), clean(x, t)
        epsilon = (x - alpha * x0) / sigma
        answers = {"sample": x0, "epsilon": epsilon, "v": alpha * epsilon - sigma * x0, "score": -epsilon / sigma}
        return answers.get(target, epsilon - x0)

    common: dict[str, Any] = {"schedule": schedule, "shape": (5, 3), "steps": 12, "seed": 2}
    assert np.allclose(sample(network, target=target, **common), sample(clean, **common), atol=1e-8)


def test_samples_belong_to_their_number() -> None:
    network = gaussian(COSINE)
    common: dict[str, Any] = {"schedule": COSINE, "steps": 8, "solver": "ancestral", "seed": 3}
    together = sample(network, shape=(6, 2), **common)
    alone = sample(network, shape=(1, 2), first=4, **common)
    assert np.array_equal(together[4:5], alone)
    assert np.array_equal(noise((6, 2), 3)[4:5], noise((1, 2), 3, first=4))


def test_noise_is_mixed_as_the_schedule_says() -> None:
    clean = np.full((3, 4), 2.0)
    mixed = add_noise(clean, 0.3, schedule=COSINE, seed=7)
    assert np.allclose(mixed, COSINE.alpha(0.3) * clean + COSINE.sigma(0.3) * noise((3, 4), 7))


def test_schedules_pickle_and_compare() -> None:
    made = [COSINE, Schedule.linear(), Schedule.karras(), Schedule.flow(3.0), Schedule.tabulated([0.9, 0.5, 0.1])]
    made += [Schedule.scaled_linear(), Schedule.polynomial(), Schedule.variance_exploding()]
    for schedule in made:
        assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert COSINE != Schedule.cosine(0.008)
    assert COSINE.alpha([0.0, 1.0]).shape == (2,) and COSINE.alpha(0.5).shape == ()


@pytest.mark.parametrize(
    ("name", "solver", "options"),
    [
        ("DDIMScheduler", "ddim", {"clip_sample": False, "set_alpha_to_one": True}),
        ("DDPMScheduler", "ancestral", {"clip_sample": False}),
        ("DPMSolverMultistepScheduler", "dpm++2m", {"final_sigmas_type": "zero"}),
    ],
)
def test_trajectories_are_those_of_diffusers(
    name: str, solver: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    diffusers = pytest.importorskip("diffusers")
    torch = pytest.importorskip("torch")
    theirs = getattr(diffusers, name)(timestep_spacing="trailing", **options)
    theirs.set_timesteps(20)
    schedule = Schedule.linear()
    network = gaussian(schedule)

    def epsilon(x: Any, t: float) -> Any:
        return (x - schedule.alpha(t) * network(x, t)) / schedule.sigma(t)

    x = torch.from_numpy(noise((4, 3), 5))
    for k, step in enumerate(theirs.timesteps):
        # Their sampler is given our noise.
        drawn = torch.from_numpy(noise((4, 3), 5, step=k))
        if name == "DDPMScheduler":
            monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, d=drawn, **__: d)
        answer = torch.from_numpy(epsilon(x.numpy(), (int(step) + 1) / 1000))
        x = theirs.step(answer, step, x).prev_sample
    times = [*[(int(t) + 1) / 1000 for t in theirs.timesteps], 0.0]
    mine = sample(
        epsilon, schedule=schedule, shape=(4, 3), solver=solver, times=times, target="epsilon", seed=5, initial=noise((4, 3), 5)
    )
    assert np.allclose(mine, x.numpy(), atol=2e-4), np.abs(mine - x.numpy()).max()


def mixture() -> tuple[Process, Any]:
    """A class, and a number around 4·class − 4, with the network that knows so."""
    process = Process({"x": normal(COSINE), "kind": categorical(COSINE, frequencies=[0.5, 0.25, 0.25])})
    prior, means = np.array([0.5, 0.25, 0.25]), np.array([-4.0, 0.0, 4.0])

    def network(noisy: dict[str, Any], t: float) -> dict[str, Any]:
        alpha, sigma = float(COSINE.alpha(t)), float(COSINE.sigma(t))
        variance = (0.5 * alpha) ** 2 + sigma**2
        x, kind = noisy["x"][..., None].astype(float), np.eye(3)[noisy["kind"]]
        likelihood = np.exp(-((x - alpha * means) ** 2) / (2 * variance)) * (alpha**2 * kind + (1 - alpha**2) * prior[noisy["kind"]][..., None])
        p = likelihood * prior
        p /= p.sum(-1, keepdims=True)
        clean = means + alpha * 0.25 / variance * (x - alpha * means)
        return {"x": (p * clean).sum(-1), "kind": p}

    return process, network


def test_numbers_and_classes_are_sampled_together() -> None:
    process, network = mixture()
    drawn = process.sample(network, 2000, {"x": (), "kind": ()}, steps=50, seed=1)
    shares = np.bincount(drawn["kind"], minlength=3) / 2000
    assert np.allclose(shares, [0.5, 0.25, 0.25], atol=0.06), shares
    assert np.mean(np.abs(drawn["x"] - (4.0 * drawn["kind"] - 4)) < 1.75) > 0.9
    alone = process.sample(network, 1, {"x": (), "kind": ()}, steps=50, seed=1, first=7)
    assert alone["x"][0] == drawn["x"][7] and alone["kind"][0] == drawn["kind"][7]


def test_processes_noise_pickle_and_name_mistakes() -> None:
    process, network = mixture()
    assert pickle.loads(pickle.dumps(process)) == process
    clean = {"x": np.zeros((500, 2)), "kind": np.ones((500, 2), int)}
    noisy = process.add_noise(clean, 1.0)
    assert abs(float(noisy["x"].std()) - 1.0) < 0.1 and abs(float(np.mean(noisy["kind"] == 0)) - 0.5) < 0.06
    assert np.array_equal(process.add_noise(clean, 0.0)["kind"], clean["kind"])
    masked = Process({"kind": categorical(COSINE, classes=2, absorbing=True)})
    assert set(masked.add_noise({"kind": np.zeros((9, 1))}, 1.0)["kind"].ravel().tolist()) == {2}
    shapes = {"x": (2,), "kind": (2,)}
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: Process({}), ValueError, "at least one"),
        (lambda: categorical(COSINE), ValueError, "either classes or frequencies"),
        (lambda: Process({"k": categorical(COSINE, frequencies=[0.5, 0.2])}), ValueError, "sum of the frequencies"),
        (lambda: process.add_noise({"x": np.zeros((1, 2))}, 0.5), KeyError, "kind"),
        (lambda: process.add_noise({**clean, "kind": np.full((500, 2), 3)}, 0.5), ValueError, "classes are 0 to 2"),
        (lambda: process.add_noise({**clean, "kind": np.ones((4, 2))}, 0.5), ValueError, "500"),
        (lambda: process.sample(network, 2, {"x": (2,)}), KeyError, "kind"),
        (lambda: process.sample(lambda x, t: 3, 2, shapes), TypeError, "dictionary of arrays"),  # type: ignore[arg-type,return-value]
        (lambda: process.sample(lambda x, t: {"x": x["x"]}, 2, shapes), KeyError, "kind"),
        (lambda: process.sample(lambda x, t: {**x}, 2, shapes), ValueError, "kind must be of shape"),
        (lambda: process.sample(lambda x, t: 1 / 0, 2, shapes), ZeroDivisionError, "division"),  # type: ignore[arg-type,return-value]
    ]
    for case, kind, words in cases:
        with pytest.raises(kind, match=words):
            case()


def test_torch_modules_are_denoisers() -> None:
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, t: Any) -> Any:
            assert x.dtype == torch.float32 and t.shape == (5,)
            alpha, sigma = torch.cos(t * torch.pi / 2)[:, None], torch.sin(t * torch.pi / 2)[:, None]
            return 2.0 + alpha * 0.25 / (alpha**2 * 0.25 + sigma**2) * (x - alpha * 2.0)

    common: dict[str, Any] = {"schedule": COSINE, "shape": (5, 3), "steps": 10}
    x = sample(Network(), dtype=np.float32, **common)
    assert x.dtype == np.float32 and np.allclose(x, sample(gaussian(COSINE), **common), atol=1e-4)


def test_callbacks_see_every_evaluation() -> None:
    seen: list[tuple[int, float]] = []
    sample(
        gaussian(COSINE), schedule=COSINE, shape=(2,), steps=5, callback=lambda step, t, x: seen.append((step, t))
    )
    assert [s for s, _ in seen] == list(range(5)) and seen[0][1] == 1.0


def test_mistakes_are_named() -> None:
    network = gaussian(COSINE)
    common: dict[str, Any] = {"schedule": COSINE, "shape": (2, 2), "steps": 3}

    def failing(x: Any, t: float) -> Any:
        raise RuntimeError("the network's own error")

    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: sample(3, **common), TypeError, "denoiser must be callable"),  # type: ignore[arg-type]
        (lambda: sample(network, **{**common, "schedule": "cosine"}), TypeError, "schedule must be"),
        (lambda: sample(network, **{**common, "steps": 0}), ValueError, "steps must be at least 1"),
        (lambda: sample(network, **{**common, "shape": ()}), ValueError, "shape must have at least one axis"),
        (lambda: sample(network, **{**common, "solver": "magic"}), ValueError, 'solver: "magic" is no solver'),
        (lambda: sample(network, **{**common, "target": "magic"}), ValueError, "target is unknown"),
        (lambda: sample(network, **{**common, "target": "epsilon"}), ValueError, "signal is zero"),
        (lambda: sample(network, times=[0.0, 1.0], **common), ValueError, "times must be"),
        (lambda: sample(network, initial=np.zeros(3), **common), ValueError, "initial must be of shape"),
        (lambda: sample(lambda x, t: x[:1], **common), ValueError, "must return an array of shape"),
        (lambda: sample(lambda x, t: "x", **common), TypeError, "the denoiser's answer must be an array"),
        (lambda: sample(lambda x, t: x * np.nan, **common), unmelt.NumericalError, "not finite at step 1"),
        (lambda: sample(failing, **common), RuntimeError, "the network's own error"),
        (lambda: COSINE.alpha(2.0), ValueError, "t must lie between 0 and 1"),
        (lambda: Schedule.cosine(-1.0), ValueError, "offset must be from 0 to 1"),
        (lambda: Schedule.from_json("{}"), ValueError, "no schedule"),
    ]
    for case, kind, words in cases:
        with pytest.raises(kind, match=words):
            case()
