"""Molecules: generated, grown, varied, read, measured, learned from.

Example:
    >>> import unmelt
    >>> molecules = unmelt.molecules.generate(4, seed=7, steps=20, atoms=12, progress=False)
    >>> len(molecules), len(molecules[0])
    (4, 12)
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from . import _rdkit, _unmelt
from ._arguments import Path_, at_least
from ._extras import extra
from ._models import NamedModel, loaded
from ._progress import Bar
from ._training import Callback, Listener, Training, settings_json
from ._unmelt import Molecule
from ._warnings import warn

if TYPE_CHECKING:
    import polars

__all__ = [
    "Model",
    "Molecules",
    "evaluate",
    "generate",
    "grow",
    "import_edm",
    "link",
    "models",
    "read",
    "train",
    "vary",
]


class Molecules(Sequence[Molecule]):
    """A list of molecules that can be saved, tabulated and measured.

    Args:
        molecules: The molecules.
        drawn: How many were drawn to get them, where filters were at work.

    Example:
        >>> water = unmelt.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [(0, 1, 1), (0, 2, 1)])
        >>> unmelt.molecules.Molecules([water, water])
        Molecules(2: H2O, H2O)
    """

    def __init__(self, molecules: Iterable[Molecule] = (), drawn: int | None = None) -> None:
        self._list = list(molecules)
        for molecule in self._list:
            if not isinstance(molecule, Molecule):
                raise TypeError(f"molecules must be of unmelt.Molecule, but there is a {type(molecule).__name__}")
        self.drawn = len(self._list) if drawn is None else drawn

    def __len__(self) -> int:
        return len(self._list)

    @overload
    def __getitem__(self, index: int) -> Molecule: ...
    @overload
    def __getitem__(self, index: slice) -> Molecules: ...
    def __getitem__(self, index: int | slice) -> Molecule | Molecules:
        if isinstance(index, slice):
            return Molecules(self._list[index])
        return self._list[index]

    def __iter__(self) -> Iterator[Molecule]:
        return iter(self._list)

    def __add__(self, other: Iterable[Molecule]) -> Molecules:
        return Molecules([*self._list, *other])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Molecules) and self._list == other._list

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first = ", ".join(m.formula for m in self._list[:5])
        return f"Molecules({len(self)}: {first}{', …' if len(self) > 5 else ''})"

    def _repr_html_(self) -> str:
        from . import views

        return views.molecules_html(self._list)

    def filter(
        self,
        keep: _Filter | Iterable[_Filter],
        *,
        reference: Iterable[Molecule] | Path_ | None = None,
        model: Model | Path_ = "qm9",
    ) -> Molecules:
        """Those that pass all filters, in order.

        Args:
            keep: A name as in `filters` of `generate` ("valid", "connected", "stable", "unique", "novel"), a function of a molecule, or
                a list of both.
            reference: Molecules, or a file of them, that are not "novel"; what `model` was trained on if not given.
            model: A model, the name of a built-in one, or the folder of a trained one; for "novel".

        Raises:
            ValueError: An unknown name.
            TypeError: A filter that is neither a name nor a function.

        Example:
            >>> water = unmelt.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [(0, 1, 1), (0, 2, 1)])
            >>> some = unmelt.molecules.Molecules([water, water, unmelt.Molecule(["O"], [[0, 0, 0]])])
            >>> some.filter(["valid", "unique"])
            Molecules(1: H2O)
            >>> some.filter(lambda m: len(m) < 3)
            Molecules(1: O)
        """
        filters = [keep] if isinstance(keep, str) or callable(keep) else list(keep)
        for one in filters:
            if not (isinstance(one, str) or callable(one)):
                raise TypeError(f"keep must be names and functions of a molecule, but there is a {type(one).__name__}")
            if isinstance(one, str) and one not in _FILTERS:
                raise ValueError(f'keep: "{one}" is no filter; use some of {", ".join(_FILTERS)}')
        tests = [_ATTRIBUTES[one] if isinstance(one, str) else one for one in filters if one not in ("novel", "unique")]
        kept = [m for m in self._list if all(test(m) for test in tests)]
        if "novel" in filters:
            if reference is None:
                novel = loaded(Model, model, "cpu").novel(kept)
            else:
                known = {m.key for m in (read(reference) if isinstance(reference, (str, os.PathLike)) else reference)}
                novel = [m.key not in known for m in kept]
            kept = [m for m, is_novel in zip(kept, novel, strict=True) if is_novel]
        if "unique" in filters:
            first: dict[str, Molecule] = {}
            for m in kept:
                first.setdefault(m.key, m)
            kept = list(first.values())
        return Molecules(kept)

    def to_rdkit(self, sanitize: bool = True) -> list[Any]:
        """RDKit molecules, in order; with `sanitize`, None stands where RDKit refuses one.

        Raises:
            ModuleNotFoundError: RDKit is not installed: `pip install unmelt[chem]`.
        """
        refused = extra("rdkit.Chem").MolSanitizeException

        def of(molecule: Molecule) -> Any:
            try:
                return molecule.to_rdkit(sanitize)
            except refused:
                return None

        return [of(m) for m in self._list]

    def to_smiles(self, aromatic: bool = False) -> list[str | None]:
        """SMILES, in order: `Molecule.smiles`, or with `aromatic` RDKit's with aromatic atoms in lower case and isotopes, where None
        stands for a molecule that RDKit refuses.

        Raises:
            ModuleNotFoundError: RDKit is not installed, which `aromatic` needs: `pip install unmelt[chem]`.

        Example:
            >>> unmelt.molecules.generate(1, seed=1, steps=10, formula="CH4", progress=False).to_smiles()
            ['C']
        """
        if not aromatic:
            return [m.smiles for m in self._list]
        return [None if mol is None else _rdkit.written(mol) for mol in self.to_rdkit()]

    def table(self, aromatic: bool = False) -> polars.DataFrame:
        """A polars data frame, a row a molecule: name, smiles, formula, atoms, charge, valid, connected, stable, rings, key, and
        the data fields, numbers as numbers.

        Args:
            aromatic: Whether the SMILES are RDKit's aromatic ones; see `to_smiles`.

        Raises:
            ModuleNotFoundError: polars is not installed: `pip install unmelt[chem]`.

        Example:
            >>> methane = unmelt.molecules.generate(1, seed=1, steps=10, formula="CH4", progress=False)
            >>> methane.table()["smiles"].to_list()  # doctest: +SKIP
            ['C']
        """
        own = {
            "name": [m.name for m in self._list],
            "smiles": self.to_smiles(aromatic),
            "formula": [m.formula for m in self._list],
            "atoms": [len(m) for m in self._list],
            "charge": [int(m.charges.sum()) for m in self._list],
            "valid": [m.is_valid for m in self._list],
            "connected": [m.is_connected for m in self._list],
            "stable": [m.is_stable for m in self._list],
            "rings": [m.rings for m in self._list],
            "key": [m.key for m in self._list],
        }
        fields = [m.fields for m in self._list]
        names = dict.fromkeys(name for f in fields for name in f if name not in own)
        rest = {name: _numbers([f.get(name) for f in fields]) for name in names}
        frame: polars.DataFrame = extra("polars").DataFrame({**own, **rest})
        return frame

    def save(self, path: Path_) -> None:
        """Writes them by the ending, whole or not at all: .sdf (bonds, charges, data fields), .xyz or .parquet.

        Raises:
            ValueError: An ending that names no format.
            OSError: The file cannot be written.
        """
        _unmelt.write_molecules(os.fspath(path), self._list)

    def evaluate(self, reference: Molecules | Path_ | None = None) -> dict[str, Any]:
        """Their metrics; see `unmelt.molecules.evaluate`."""
        return evaluate(self, reference)

    def view(self, columns: int = 4, limit: int = 12) -> Any:
        """A grid of 3D views by py3Dmol (`pip install unmelt[notebook]`)."""
        from . import views

        return views.molecules(self._list, columns, limit)


#: A filter by name, or a function that says whether a molecule is kept.
_Filter = str | Callable[[Molecule], bool]

_ATTRIBUTES: dict[str, Callable[[Molecule], bool]] = {
    "valid": lambda m: m.is_valid,
    "connected": lambda m: m.is_connected,
    "stable": lambda m: m.is_stable,
}
_FILTERS = (*_ATTRIBUTES, "unique", "novel")


def _numbers(values: list[str | None]) -> list[Any]:
    """Texts as numbers or truth values, if all of them are."""
    words = {"true": True, "false": False}
    if all(v is None or v in words for v in values):
        return [None if v is None else words[v] for v in values]
    for kind in (int, float):
        try:
            return [None if v is None else kind(v) for v in values]
        except ValueError:
            continue
    return values


class Model(NamedModel):
    """A model that generates molecules.

    Args:
        name: A built-in model (see `models`), or the folder of a trained one.
        device: Where it computes: "cpu", "cuda", "cuda:N" or "wgpu".

    Raises:
        ValueError: There is no such model or device.
        ModelError: Its files cannot be used.

    Example:
        >>> model = unmelt.molecules.Model("qm9")
        >>> "dipole" in model.properties
        True
    """

    def __init__(self, name: Path_ = "qm9", device: str = "cpu") -> None:
        self._raw: _unmelt.MoleculeModel = _unmelt.MoleculeModel(os.fspath(name), device)

    @property
    def properties(self) -> dict[str, tuple[float, float, str]]:
        """Properties that condition the generation: (lowest, highest, unit) of the training data by name."""
        return self._raw.properties

    def novel(self, molecules: Iterable[Molecule]) -> list[bool]:
        """Whether each molecule is not among those that the model was trained on.

        Raises:
            ValueError: The model does not know them.
        """
        return self._raw.novel([m.key for m in molecules])

    def generate(
        self,
        count: int,
        *,
        seed: int = 0,
        first: int = 0,
        steps: int = 100,
        solver: str = "sde-dpm++2m",
        grid: str = "power:1.25",
        temperature: float | None = None,
        atoms: int | None = None,
        formula: str | None = None,
        properties: Mapping[str, float] | None = None,
        guidance: float | None = None,
        guidance_interval: tuple[float, float] | None = None,
        candidates: int | None = None,
        fragments: Sequence[Molecule] | None = None,
        attach: Sequence[int] | None = None,
        vary: Molecule | None = None,
        strength: float = 0.3,
        filters: Sequence[str] = (),
        contains: Sequence[str] = (),
        reference: Iterable[Molecule] | None = None,
        batch: int = 64,
        progress: bool = True,
    ) -> Molecules:
        """Generates molecules; see `unmelt.molecules.generate`, which takes the same arguments."""
        plan = self._plan(
            count,
            first=first,
            seed=seed,
            steps=steps,
            solver=solver,
            grid=grid,
            temperature=temperature,
            atoms=atoms,
            properties=properties,
            guidance=guidance,
            guidance_interval=guidance_interval,
            candidates=candidates,
            formula=formula,
            fragments=fragments,
            attach=attach,
            vary=vary,
            strength=strength,
            filters=filters,
            contains=contains,
            reference=reference,
            batch=batch,
        )
        with Bar(progress, "molecules") as bar:
            shown = (lambda kept, share: bar.show(share, f"{kept} of {count}")) if progress else None
            molecules, drawn = plan.run(shown)
        warn(plan.warnings)
        return Molecules(molecules, drawn)

    def plan(self, count: int, **options: Any) -> dict[str, Any]:
        """What `generate` would do with the same arguments, and what it would take: molecules drawn, evaluations of the network,
        batches, bytes of memory, and what was filled in because it was not asked for.

        Raises:
            ValueError: An argument that cannot be honoured.

        Example:
            >>> plan = unmelt.molecules.Model("qm9").plan(64, properties={"dipole": 3.5})
            >>> plan["cost"]["drawn"], plan["cost"]["evaluations"]
            (512, 102400)
        """
        options.pop("progress", None)
        plan: dict[str, Any] = json.loads(self._plan(count, **options).json)
        return plan

    def _plan(self, count: int, **options: Any) -> _unmelt.MoleculePlan:
        """A checked request; what remains to be checked here is what Rust has no type for."""
        at_least("count", count, 0)
        for name in ("first", "seed", "steps", "batch", "candidates", "atoms"):
            if options.get(name) is not None:
                at_least(name, options[name], 0)
        for name in ("filters", "contains"):
            if isinstance(options.get(name), str):
                raise TypeError(f"{name} must be a list, but they are a string")
        for name in ("fragments", "attach", "reference", "filters", "contains"):
            if options.get(name) is not None:
                options[name] = list(options[name])
        if options.get("properties") is not None:
            options["properties"] = {k: float(v) for k, v in options["properties"].items()}
        return self._raw.plan(count, **options)


def import_edm(
    folder: Path_, output: Path_ | None = None, *, norms: Mapping[str, tuple[float, float]] | None = None, device: str = "cpu"
) -> Model:
    """Converts a checkpoint of EDM (Hoogeboom et al. 2022) to a model. Its pickles are read as data and never executed.

    Args:
        folder: The checkpoint: `args.pickle` with `generative_model_ema.npy` or `generative_model.npy`.
        output: Folder to write the model to; the checkpoint's own by default.
        norms: (mean, mean absolute deviation) of each property in the training data, for a conditional checkpoint, which does
            not store them.
        device: Where the model computes.

    Raises:
        FormatError: The files are no checkpoint of EDM, or of a network that EDM's code can make and unmelt cannot.
        ValueError: A norm is missing or wrong.

    Example:
        >>> model = unmelt.molecules.import_edm("outputs/edm_qm9")  # doctest: +SKIP
        >>> model.generate(10, steps=1000, solver="ancestral", grid="trailing")  # doctest: +SKIP
    """
    output = folder if output is None else output
    _unmelt.import_edm(os.fspath(folder), os.fspath(output), dict(norms or {}))
    return Model(output, device)


def models() -> list[str]:
    """The names of the built-in models.

    Example:
        >>> unmelt.molecules.models()
        ['qm9']
    """
    return _unmelt.molecule_models()


def generate(
    count: int,
    *,
    model: Model | Path_ = "qm9",
    device: str = "cpu",
    seed: int = 0,
    first: int = 0,
    steps: int = 100,
    solver: str = "sde-dpm++2m",
    grid: str = "power:1.25",
    temperature: float | None = None,
    atoms: int | None = None,
    formula: str | None = None,
    properties: Mapping[str, float] | None = None,
    guidance: float | None = None,
    guidance_interval: tuple[float, float] | None = None,
    candidates: int | None = None,
    filters: Sequence[str] = (),
    contains: Sequence[str] = (),
    reference: Iterable[Molecule] | None = None,
    batch: int = 64,
    progress: bool = True,
) -> Molecules:
    """Generates molecules. The same seed gives the same molecules as on the command line, whatever the batch.

    Args:
        count: Number of molecules.
        model: A model, the name of a built-in one, or the folder of a trained one.
        device: Where to compute, for a model that is named.
        seed: Seed.
        first: Number of the first molecule within the seed.
        steps: Steps from noise to molecule.
        solver: Solver of the positions.
        grid: Times that the steps visit: "trailing", "karras", "logsnr" or "power:P".
        temperature: Temperature of atoms and bonds: below 1 likelier ones are drawn more often, which compensates for few steps (0.7 with 25
            steps); 1 if not given.
        atoms: Number of atoms of every molecule, hydrogens included; drawn as in the training data if not given.
        formula: Molecular formula of every molecule, such as "C7H10O2".
        properties: Target values of properties by name, in the units of `Model.properties`.
        guidance: Strength of the classifier-free guidance towards the properties: 1 is the conditional prediction alone, at half the
            cost; more extrapolates beyond it; 2 if not given.
        guidance_interval: Noise levels of the positions, from 0 (clean) to 1 (noise), between which the guidance acts; all if not given.
        candidates: Molecules to draw for each one that is kept, where there are target properties, at as many times the cost; the one
            whose estimated properties are nearest to the targets is kept; 8 if not given.
        filters: Keep only molecules that are "valid", "connected", "stable", "unique", "novel"; sampling continues until `count` are kept.
        contains: Keep only molecules with these numbers of atoms: "N>=1", "O<=2".
        reference: Molecules that do not count as novel; the training data if not given.
        batch: Molecules computed at a time; it changes speed and memory, not the molecules.
        progress: Whether to show a bar.

    Returns:
        The molecules; `drawn` says how many were drawn for them.

    Raises:
        ValueError: An argument out of its range, an unknown name.
        NumericalError: Nothing passes the filters, or a number became infinite or NaN.

    Example:
        >>> unmelt.molecules.generate(2, seed=1, steps=10, formula="CH4", progress=False)
        Molecules(2: CH4, CH4)
    """
    return loaded(Model, model, device).generate(
        count,
        seed=seed,
        first=first,
        steps=steps,
        solver=solver,
        grid=grid,
        temperature=temperature,
        atoms=atoms,
        formula=formula,
        properties=properties,
        guidance=guidance,
        guidance_interval=guidance_interval,
        candidates=candidates,
        filters=filters,
        contains=contains,
        reference=reference,
        batch=batch,
        progress=progress,
    )


def grow(
    scaffold: Molecule,
    count: int,
    *,
    attach: Sequence[int] | None = None,
    model: Model | Path_ = "qm9",
    device: str = "cpu",
    **options: Any,
) -> Molecules:
    """Grows molecules around a scaffold, whose atoms and bonds stay as they are and come first.

    Args:
        scaffold: The fragment to keep.
        count: How many.
        attach: Atoms (from 0) that new atoms may bond to; each gives up a hydrogen where it has no open valence. All atoms with
            an open valence if not given.
        model: As for `generate`.
        device: As for `generate`.
        **options: Further arguments of `generate`.

    Raises:
        ValueError: New atoms can bond to no atom of the scaffold, or an argument is out of its range.

    Example:
        >>> methane = unmelt.molecules.generate(1, formula="CH4", steps=20, progress=False)[0]
        >>> grown = unmelt.molecules.grow(methane, 2, attach=[methane.symbols.index("C")], atoms=9, steps=10, progress=False)
        >>> [len(m) for m in grown]
        [9, 9]
    """
    _one("scaffold", scaffold)
    return loaded(Model, model, device).generate(count, fragments=[scaffold], attach=attach, **options)


def link(
    fragments: Sequence[Molecule],
    count: int,
    *,
    attach: Sequence[int] | None = None,
    model: Model | Path_ = "qm9",
    device: str = "cpu",
    **options: Any,
) -> Molecules:
    """Grows a linker between fragments that stay where they are.

    Args:
        fragments: Two or more fragments, in their places.
        count: How many.
        attach: Atoms (from 0, through all fragments) that the linker may bond to.
        model: As for `generate`.
        device: As for `generate`.
        **options: Further arguments of `generate`.

    Raises:
        ValueError: Fewer than two fragments, or none that the linker can bond to.
    """
    parts = list(fragments)
    for part in parts:
        _one("fragments", part)
    if len(parts) < 2:
        raise ValueError(f"fragments must be two or more, but there are {len(parts)}")
    return loaded(Model, model, device).generate(count, fragments=parts, attach=attach, **options)


def vary(
    molecule: Molecule,
    count: int,
    *,
    strength: float = 0.3,
    model: Model | Path_ = "qm9",
    device: str = "cpu",
    **options: Any,
) -> Molecules:
    """Varies a molecule: noise is added up to a level and removed again by sampling.

    Args:
        molecule: The molecule.
        count: How many.
        strength: Share of noise in the positions, from 0 to 1, at which sampling begins: 0.2 mostly gives the same molecule again, 0.3 close
            relatives, 0.5 distant ones; at 1 nothing of the molecule is left.
        model: As for `generate`.
        device: As for `generate`.
        **options: Further arguments of `generate`.

    Raises:
        ValueError: A strength out of (0, 1], an element that the model does not know.
    """
    _one("molecule", molecule)
    return loaded(Model, model, device).generate(count, vary=molecule, strength=strength, **options)


def _one(name: str, molecule: object) -> None:
    if not isinstance(molecule, Molecule):
        raise TypeError(f"{name} must be an unmelt.Molecule, but it is a {type(molecule).__name__}")


def read(path: Path_) -> Molecules:
    """Reads .sdf, .mol, .xyz, .extxyz, .parquet or .tar.bz2, or a folder of such files.

    Records that make no molecule are skipped, with an `UnmeltWarning`.

    Raises:
        FileNotFoundError: There is no such file.
        FormatError: The file is not what its ending says.
        ValueError: An ending that names no format.
    """
    molecules, faults = _unmelt.read_molecules(os.fspath(path))
    warn(faults)
    return Molecules(molecules)


def evaluate(molecules: Iterable[Molecule], reference: Iterable[Molecule] | Path_ | None = None) -> dict[str, Any]:
    """Metrics of molecules: validity, connectedness, stability (EDM protocol), uniqueness, novelty, geometry, rings and functional
    groups. Shares come as {"value", "low", "high"} with a 95 % bootstrap interval.

    Args:
        molecules: The molecules.
        reference: Molecules, or a file of them, to be novel against and to compare lengths and angles with.

    Raises:
        ValueError: There is no molecule.

    Example:
        >>> water = unmelt.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [(0, 1, 1), (0, 2, 1)])
        >>> unmelt.molecules.evaluate([water])["valid"]["value"]
        1.0
    """
    if isinstance(reference, (str, os.PathLike)):
        reference = read(reference)
    known = None if reference is None else list(reference)
    metrics: dict[str, Any] = json.loads(_unmelt.evaluate_molecules(list(molecules), known))
    return metrics


def train(
    data: Iterable[Molecule] | Path_,
    output: Path_,
    *,
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    model: Path_ | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    callback: Callback | None = None,
    progress: bool = True,
) -> Training:
    """Trains a model on molecules.

    Args:
        data: Molecules, or a file or folder of them.
        output: Folder of the run.
        settings: Settings as in the command line's configuration file: name, batch, network, schedules, loss, properties,
            validation, training.
        steps: Steps of the whole run.
        minutes: Stop, with a checkpoint, after so many minutes.
        model: Start from the network and the weights of this model (a name or a folder) instead of random weights. Its elements, charges and
            properties stay, and the molecules must have no others.
        resume: Continue from the checkpoint of the folder.
        overwrite: Start again in a folder that holds a run; the first checkpoint of the new run replaces the old one.
        device: Where to compute.
        callback: Called with every event, a dictionary with "event" ("started", "progress", "saved", "validated") and "step". What it raises
            ends the training, with a checkpoint.
        progress: Whether to show a bar.

    Raises:
        ValueError: An unknown or wrong setting, no molecule to train on.
        NumericalError: The loss became infinite or NaN.
    """
    with tempfile.TemporaryDirectory() as folder, Bar(progress, "training") as bar:
        if not isinstance(data, (str, os.PathLike)):
            table = Path(folder) / "molecules.sdf"
            Molecules(data).save(table)
            data = table
        listener = Listener(bar, callback)
        done, faults = _unmelt.train_molecules(
            os.fspath(data),
            os.fspath(output),
            settings_json(settings, steps),
            model=None if model is None else os.fspath(model),
            resume=resume,
            overwrite=overwrite,
            minutes=minutes,
            device=device,
            callback=listener,
        )
    warn(faults)
    return Training(Path(output), done, listener.progress, listener.validation)
