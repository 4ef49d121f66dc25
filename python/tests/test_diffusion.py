"""The core: solvers on a Gaussian, agreement with diffusers, denoisers of NumPy and PyTorch."""

import pickle
from typing import Any

import numpy as np
import pytest

import unmelt
from unmelt.diffusion import Schedule, add_noise, noise, sample, solvers

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
    ("name", "solver"),
    [("DDIMScheduler", "ddim"), ("DPMSolverMultistepScheduler", "dpm++2m"), ("DDPMScheduler", "ancestral")],
)
def test_trajectories_are_those_of_diffusers(name: str, solver: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    torch = pytest.importorskip("torch")
    theirs = getattr(diffusers, name)(num_train_timesteps=1000, beta_schedule="linear", timestep_spacing="trailing")
    if name == "DDPMScheduler":
        theirs = diffusers.DDPMScheduler(timestep_spacing="trailing", clip_sample=False)
    elif name == "DDIMScheduler":
        theirs = diffusers.DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True)
    else:
        theirs = diffusers.DPMSolverMultistepScheduler(timestep_spacing="trailing", final_sigmas_type="zero")
    schedule = Schedule.linear()
    theirs.set_timesteps(20)
    network = gaussian(schedule)

    def epsilon(x: Any, t: float) -> Any:
        return (x - schedule.alpha(t) * network(x, t)) / schedule.sigma(t)

    initial = noise((4, 3), 5)
    x = torch.from_numpy(initial.copy())
    if name == "DDPMScheduler":
        # Their noise is their own: only the first mean can be compared.
        pytest.skip("the ancestral sampler draws its own noise")
    for step in theirs.timesteps:
        answer = torch.from_numpy(epsilon(x.numpy(), (int(step) + 1) / 1000))
        x = theirs.step(answer, step, x).prev_sample
    times = [*[(int(t) + 1) / 1000 for t in theirs.timesteps], 0.0]
    mine = sample(epsilon, schedule=schedule, shape=(4, 3), solver=solver, times=times, target="epsilon", initial=initial)
    assert np.allclose(mine, x.numpy(), atol=2e-4), np.abs(mine - x.numpy()).max()


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
        (lambda: sample(network, **{**common, "solver": "magic"}), ValueError, "solver is no solver"),
        (lambda: sample(network, **{**common, "target": "magic"}), ValueError, "target is unknown"),
        (lambda: sample(network, **{**common, "target": "epsilon"}), ValueError, "signal is zero"),
        (lambda: sample(network, times=[0.0, 1.0], **common), ValueError, "times must be"),
        (lambda: sample(network, initial=np.zeros(3), **common), ValueError, "initial must be of shape"),
        (lambda: sample(lambda x, t: x[:1], **common), ValueError, "must return an array of shape"),
        (lambda: sample(lambda x, t: "x", **common), TypeError, "the denoiser's answer must be an array"),
        (lambda: sample(lambda x, t: x * np.nan, **common), unmelt.NumericalError, "not finite at step 1"),
        (lambda: sample(failing, **common), RuntimeError, "the network's own error"),
        (lambda: COSINE.alpha(2.0), ValueError, "t must lie between 0 and 1"),
        (lambda: Schedule.cosine(-1.0), ValueError, "offset must be at least 0"),
        (lambda: Schedule.from_json("{}"), ValueError, "no schedule"),
    ]
    for case, kind, words in cases:
        with pytest.raises(kind, match=words):
            case()
