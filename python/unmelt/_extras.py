"""Packages that are only needed by some."""

import importlib
from typing import Any

_EXTRAS = {
    "rdkit": "chem",
    "posebusters": "checks",
    "tblite": "checks",
    "scipy": "checks",
    "polars": "chem",
    "nibabel": "imaging",
    "pydicom": "imaging",
    "py3Dmol": "notebook",
    "ipyniivue": "notebook",
    "matplotlib": "notebook",
    "IPython": "notebook",
    "ray": "distributed",
    "distributed": "distributed",
}


def extra(module: str) -> Any:
    """Imports a module of an optional package.

    Raises:
        ModuleNotFoundError: It is not installed; the message names the extra that brings it.
    """
    package = module.split(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package:
            raise
        name = _EXTRAS[package]
        message = f"this needs {package}, which is not installed: pip install 'unmelt[{name}]'"
        raise ModuleNotFoundError(message, name=package) from None
