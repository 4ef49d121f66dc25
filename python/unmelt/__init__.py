"""Diffusion melts data into noise; unmelt runs that backwards.

`unmelt.molecules` generates 3D molecules, `unmelt.volumes` enhances MRI and CT volumes, `unmelt.diffusion` is the core of both
for your own networks, `unmelt.distributed` spreads generation over a Ray or Dask cluster.
"""

from . import diffusion, distributed, judges, molecules, plots, views, volumes
from ._unmelt import (
    FormatError,
    ModelError,
    Molecule,
    NumericalError,
    UnmeltError,
    Volume,
    __version__,
    devices,
    set_limit,
)
from ._warnings import UnmeltWarning

__all__ = [
    "FormatError",
    "ModelError",
    "Molecule",
    "NumericalError",
    "UnmeltError",
    "UnmeltWarning",
    "Volume",
    "__version__",
    "devices",
    "diffusion",
    "distributed",
    "judges",
    "molecules",
    "plots",
    "set_limit",
    "views",
    "volumes",
]
