"""What the training of molecules and of volumes has in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._arguments import at_least
from ._extras import extra
from ._progress import Bar

if TYPE_CHECKING:
    import polars

Event = dict[str, Any]
Callback = Callable[[Event], None]


@dataclass
class Training:
    """A run of training, as far as it came.

    Attributes:
        folder: Folder of the run: model, checkpoint, log. Its path is what `Model` takes.
        steps: Steps done, over all resumes.
        progress: What was reported on the way, a dictionary a report: step, loss, its parts, gradient_norm, learning_rate,
            samples_per_second.
        validation: What was measured at every checkpoint: step, and for molecules loss (on those held out), valid and
            valid_and_connected (of generated ones).
    """

    folder: Path
    steps: int
    progress: list[Event] = field(repr=False)
    validation: list[Event] = field(repr=False, default_factory=list)

    def losses(self) -> polars.DataFrame:
        """The reports as a polars data frame (`pip install unmelt[chem]`)."""
        frame: polars.DataFrame = extra("polars").DataFrame(self.progress)
        return frame


def settings_json(settings: Mapping[str, Any] | None, steps: int | None) -> str:
    """Settings as the Rust side reads them; `steps` goes into the part that is about training."""
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a mapping, but they are a {type(settings).__name__}")
    merged: dict[str, Any] = dict(settings or {})
    if steps is not None:
        at_least("steps", steps, 1)
        merged["training"] = {**merged.get("training", {}), "steps": steps}
    return json.dumps(merged)


class Listener:
    """Collects reports, moves a bar, and passes events on."""

    def __init__(self, bar: Bar, callback: Callback | None) -> None:
        self.progress: list[Event] = []
        self.validation: list[Event] = []
        self._bar = bar
        self._callback = callback
        self._steps = 1

    def __call__(self, event: Event) -> None:
        if event["event"] == "started":
            self._steps = max(event["steps"], 1)
        if event["event"] == "progress":
            self.progress.append({key: value for key, value in event.items() if key != "event"})
            self._bar.show(event["step"] / self._steps, f"loss {event['loss']:.4f}")
        if event["event"] == "validated":
            self.validation.append({key: value for key, value in event.items() if key != "event"})
        if self._callback is not None:
            self._callback(event)
