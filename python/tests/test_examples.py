"""The examples of the docstrings, and that there are docstrings."""

import ast
import doctest
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import unmelt

MODULES = [
    unmelt,
    unmelt.diffusion,
    unmelt.distributed,
    unmelt.checks,
    unmelt.molecules,
    unmelt.plots,
    unmelt.views,
    unmelt.volumes,
]


def documented() -> dict[str, Any]:
    """Every public thing of the package by its name, the methods of classes among them."""
    found: dict[str, Any] = {}
    for module in MODULES:
        found[module.__name__] = module
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if isinstance(thing, (ModuleType, str)):
                continue
            found[f"{module.__name__}.{name}"] = thing
            if inspect.isclass(thing):
                own = [vars(base) for base in thing.__mro__ if base.__module__.startswith("unmelt")]
                for key, value in (pair for names in reversed(own) for pair in names.items()):
                    if not key.startswith("_") and (callable(value) or hasattr(value, "__doc__")):
                        found[f"{module.__name__}.{name}.{key}"] = value
    return found


THINGS = documented()


@pytest.mark.parametrize("name", THINGS)
def test_everything_public_is_documented(name: str) -> None:
    doc = getattr(THINGS[name], "__doc__", None)
    assert doc is not None and doc.strip(), f"{name} has no docstring"


def test_every_public_module_is_looked_at() -> None:
    folder = Path(unmelt.__file__).parent
    assert {m.__name__ for m in MODULES[1:]} == {f"unmelt.{p.stem}" for p in folder.glob("*.py") if not p.stem.startswith("_")}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_all_names_what_is_public(module: ModuleType) -> None:
    named: list[str] = module.__all__
    assert named == sorted(set(named)), "__all__ is in order, without repeats"
    assert all(hasattr(module, name) for name in named)
    defined: set[str] = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined.update(t.id for t in targets if isinstance(t, ast.Name))
    assert {name for name in defined if not name.startswith("_")} <= set(named)


@pytest.mark.parametrize("name", [n for n, thing in THINGS.items() if ">>>" in (thing.__doc__ or "")])
def test_examples_hold(name: str) -> None:
    import numpy as np

    text = inspect.cleandoc(THINGS[name].__doc__)
    example = doctest.DocTestParser().get_doctest(text, {"unmelt": unmelt, "np": np}, name, None, None)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=report.append)
    assert not runner.failures, "".join(report)
