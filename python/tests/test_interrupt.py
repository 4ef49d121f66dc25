"""Ctrl-C, and callbacks that raise."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import unmelt

BODIES = {
    "generate": "unmelt.molecules.generate(100000, steps=100, progress=False)",
    "denoise": """
        import numpy as np
        noisy = unmelt.Volume(np.random.default_rng(0).normal(100, 5, (160, 160, 160)), np.eye(4))
        unmelt.volumes.inpaint(noisy, noisy.array > 110, steps=50, samples=50, progress=False)""",
    "train": "unmelt.molecules.train('some.sdf', 'run', steps=1000000, progress=False)",
}


SCRIPT = """
import signal
import time

import unmelt

# What a shell runs in the background begins without it.
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
try:
{body}
except KeyboardInterrupt:
    print("stopped", time.time(), flush=True)
"""


@pytest.mark.parametrize("kind", BODIES)
def test_ctrl_c_stops_within_a_second(kind: str, folder: Path, molecules: unmelt.molecules.Molecules) -> None:
    molecules.save(folder / "some.sdf")
    body = textwrap.indent(textwrap.dedent(BODIES[kind]).strip(), "    ")
    script = SCRIPT.format(body=body)
    with subprocess.Popen([sys.executable, "-c", script], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(2.0)
        begin = time.time()
        os.kill(process.pid, signal.SIGINT)
        word, stopped = process.stdout.readline().split()
        assert word == "stopped" and process.wait(timeout=30) == 0
    # A second, and something for a machine that does other work as well.
    assert float(stopped) - begin < 1.5


def test_a_callback_that_raises_ends_the_work(folder: Path, molecules: unmelt.molecules.Molecules) -> None:
    class Enough(Exception):
        pass

    def callback(event: dict[str, object]) -> None:
        if event["event"] == "progress":
            raise Enough

    molecules.save(folder / "some.sdf")
    settings = {"batch": 4, "training": {"report_every": 2}}
    with pytest.raises(Enough):
        unmelt.molecules.train(
            folder / "some.sdf", folder / "run", settings=settings, steps=100000, callback=callback, progress=False
        )
    time.sleep(0.5)
    assert (folder / "run" / "training.safetensors").is_file(), "what was done is saved"
