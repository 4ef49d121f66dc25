"""What models of molecules and of volumes have in common."""

from __future__ import annotations

import json
import os
from typing import Any, TypeVar

from ._unmelt import MoleculeModel, VolumeModel


class NamedModel:
    """A model by its name, on a device."""

    _raw: MoleculeModel | VolumeModel

    def __init__(self, name: str | os.PathLike[str], device: str = "cpu") -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return repr(self._raw)

    @property
    def name(self) -> str:
        """Name on the card."""
        return self._raw.name

    @property
    def card(self) -> dict[str, Any]:
        """The model's card: network, data, measured quality."""
        card: dict[str, Any] = json.loads(self._raw.card_json)
        return card


M = TypeVar("M", bound=NamedModel)


#: Built-in models that are loaded, by class, name and device; there are no more than the package has.
_BUILT_IN: dict[tuple[object, str, str], Any] = {}


def loaded(kind: type[M], model: M | str | os.PathLike[str], device: str) -> M:
    """A model, or the one of this name; built-in ones are loaded once."""
    if isinstance(model, kind):
        return model
    name = os.fspath(model)  # type: ignore[arg-type]
    if os.path.isdir(name):
        # A folder may hold other weights the next time.
        return kind(name, device)
    key = (kind, name, device)
    if key not in _BUILT_IN:
        _BUILT_IN[key] = kind(name, device)
    built_in: M = _BUILT_IN[key]
    return built_in
