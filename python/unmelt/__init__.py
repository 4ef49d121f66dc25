"""Diffusion models that generate 3D molecules and enhance MRI and CT volumes.

`unmelt.molecules` generates molecules, `unmelt.volumes` enhances volumes, `unmelt.diffusion` samples with your own networks,
`unmelt.distributed` spreads generation over a Ray or Dask cluster. `unmelt.views` and `unmelt.plots` show results, `unmelt.checks`
checks molecules with PoseBusters and GFN2-xTB.
"""

from . import checks, diffusion, distributed, molecules, plots, views, volumes
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
    "checks",
    "devices",
    "diffusion",
    "distributed",
    "molecules",
    "plots",
    "set_limit",
    "views",
    "volumes",
]
