"""Molecules: agreement with the command line and with RDKit, and what users do wrong."""

import copy
import json
import os
import pickle
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmelt


def test_the_command_line_gives_the_same_molecules(folder: Path) -> None:
    program = os.environ.get("UNMELT_PROGRAM")
    if program is None:
        pytest.skip("UNMELT_PROGRAM does not name the command line")
    options = ["--count", "6", "--seed", "5", "--steps", "12", "--filter", "unique", "--property", "dipole=2"]
    command = [program, "molecules", "generate", *options, "--output", "cli.sdf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    made = unmelt.molecules.generate(
        6, seed=5, steps=12, filters=["unique"], properties={"dipole": 2.0}, batch=4, progress=False
    )
    made.save(folder / "python.sdf")
    assert (folder / "python.sdf").read_text() == (folder / "cli.sdf").read_text()


def test_samples_do_not_depend_on_their_company(molecules: unmelt.molecules.Molecules) -> None:
    some = unmelt.molecules.generate(3, seed=3, first=5, steps=25, batch=2, progress=False)
    assert list(some) == list(molecules[5:8])


def test_two_threads_sample_from_one_model() -> None:
    model = unmelt.molecules.Model()
    results: dict[int, Any] = {}

    def work(seed: int) -> None:
        results[seed] = model.generate(4, seed=seed, steps=10, progress=False)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    for seed in (1, 2):
        assert results[seed] == model.generate(4, seed=seed, steps=10, progress=False)


def test_other_threads_run_meanwhile() -> None:
    done = threading.Event()
    ticks = 0

    def count() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1

    counter = threading.Thread(target=count)
    counter.start()
    unmelt.molecules.generate(4, steps=40, progress=False)
    done.set()
    counter.join()
    # A thread that holds the interpreter would leave the other next to nothing.
    assert ticks > 100_000, ticks


def test_rdkit_sees_the_same_graph(molecules: unmelt.molecules.Molecules, folder: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    molecules.save(folder / "all.sdf")
    records = list(chem.SDMolSupplier(str(folder / "all.sdf"), sanitize=False, removeHs=False))
    assert len(records) == len(molecules)
    for mine, theirs in zip(molecules, records, strict=True):
        assert [a.GetSymbol() for a in theirs.GetAtoms()] == mine.symbols
        assert [a.GetFormalCharge() for a in theirs.GetAtoms()] == mine.charges.tolist()
        bonds = {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())): b.GetBondTypeAsDouble() for b in theirs.GetBonds()}
        assert bonds == {frozenset((i, j)): float(order) for i, j, order in mine.bonds}
        assert np.allclose(theirs.GetConformer().GetPositions(), mine.positions, atol=1e-4)
        assert theirs.GetProp("smiles") == mine.smiles


def test_rdkit_and_back(molecules: unmelt.molecules.Molecules) -> None:
    pytest.importorskip("rdkit")
    refused = 0
    for molecule, mol in zip(molecules, molecules.to_rdkit(), strict=True):
        if mol is None:
            refused += 1
            continue
        back = unmelt.Molecule.from_rdkit(mol)
        assert back.key == molecule.key and back.name == molecule.name and back.fields["smiles"] == molecule.smiles
        assert np.array_equal(back.positions, molecule.positions)
    assert refused < len(molecules) / 2


def test_molecules_of_rdkit_come_in() -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    mol = chem.AddHs(chem.MolFromSmiles("c1ccccc1C(=O)[O-]"))
    with pytest.raises(ValueError, match="no conformer"):
        unmelt.Molecule.from_rdkit(mol)
    AllChem.EmbedMolecule(mol, randomSeed=1)
    molecule = unmelt.Molecule.from_rdkit(mol)
    assert molecule.is_valid and molecule.formula.startswith("C7H5O2") and int(molecule.charges.sum()) == -1
    with pytest.raises(TypeError, match="RDKit"):
        unmelt.Molecule.from_rdkit("c1ccccc1")


def test_objects_pickle_and_copy(water: unmelt.Molecule, molecules: unmelt.molecules.Molecules) -> None:
    for one in (water, molecules[0]):
        for other in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
            assert other == one and other.fields == one.fields
    assert pickle.loads(pickle.dumps(molecules)) == molecules
    model = pickle.loads(pickle.dumps(unmelt.molecules.Model()))
    assert model.name == "qm9"
    assert water != molecules[0] and water != "water"


def test_isotopes_radicals_and_attachments_stay() -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    mol = chem.AddHs(chem.MolFromSmiles("[2H]C([13CH3])[CH2]"))
    AllChem.EmbedMolecule(mol, randomSeed=7)
    molecule = unmelt.Molecule.from_rdkit(mol)
    assert sorted(molecule.isotopes.tolist())[-2:] == [2, 13] and molecule.radicals.sum() == 1
    assert pickle.loads(pickle.dumps(molecule)) == molecule
    back = molecule.to_rdkit()
    assert chem.MolToSmiles(chem.RemoveHs(back)) == chem.MolToSmiles(chem.RemoveHs(mol))
    fragment = unmelt.Molecule(["C"], [[0, 0, 0]], attachments=[(0, "R1", 2)], is_drawing=True)
    again = pickle.loads(pickle.dumps(fragment))
    assert again == fragment and again.attachments == [(0, "R1", 2)] and again.is_drawing
    with pytest.raises(ValueError, match="isotopes must be 1 numbers"):
        unmelt.Molecule(["C"], [[0, 0, 0]], isotopes=[12, 13])
    with pytest.raises(ValueError, match="attachments name atom 1"):
        unmelt.Molecule(["C"], [[0, 0, 0]], attachments=[(1, "R1", 2)])


def test_files_come_back(molecules: unmelt.molecules.Molecules, folder: Path) -> None:
    for name in ("all.sdf", "all.parquet"):
        molecules.save(folder / name)
        back = unmelt.molecules.read(folder / name)
        assert [m.key for m in back] == [m.key for m in molecules]
    molecules.save(folder / "all.xyz")
    assert [m.symbols for m in unmelt.molecules.read(folder / "all.xyz")] == [m.symbols for m in molecules]


def test_skipped_records_are_warned_about(water: unmelt.Molecule, folder: Path) -> None:
    (folder / "mixed.sdf").write_text(water.to_sdf() + "nonsense\n\n\n  x\n$$$$\n")
    with pytest.warns(unmelt.UnmeltWarning, match="record 2 was skipped"):
        assert len(unmelt.molecules.read(folder / "mixed.sdf")) == 1


def test_tables_hold_numbers_as_numbers(molecules: unmelt.molecules.Molecules) -> None:
    pytest.importorskip("polars")
    table = molecules.table()
    assert table.height == len(molecules)
    assert table["sample"].to_list() == list(range(16)) and table["valid"].to_list() == [m.is_valid for m in molecules]


def test_evaluation_is_that_of_the_command_line(molecules: unmelt.molecules.Molecules, folder: Path) -> None:
    program = os.environ.get("UNMELT_PROGRAM")
    if program is None:
        pytest.skip("UNMELT_PROGRAM does not name the command line")
    molecules.save(folder / "all.sdf")
    command = [program, "molecules", "evaluate", "all.sdf", "--reference", "all.sdf", "--json"]
    theirs = json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout)["result"]
    mine = unmelt.molecules.read(folder / "all.sdf").evaluate(reference=folder / "all.sdf")
    assert mine == theirs
    assert theirs["novel"]["value"] == 0.0


def test_scaffolds_stay(water: unmelt.Molecule) -> None:
    ring = unmelt.molecules.generate(1, seed=2, steps=30, formula="C6H6", progress=False)[0]
    carbon = ring.symbols.index("C")
    try:
        grown = unmelt.molecules.grow(ring, 3, attach=[carbon], atoms=16, steps=10, progress=False)
    except ValueError as error:
        pytest.skip(f"the generated C6H6 has nothing to attach to: {error}")
    carbons = ring.positions[ring.numbers == 6]
    for molecule in grown:
        kept = molecule.positions[molecule.numbers == 6][: len(carbons)]
        assert len(molecule) == 16 and np.allclose(kept, carbons, atol=1e-3)
    with pytest.raises(ValueError, match="attachment atoms name atom 4"):
        unmelt.molecules.grow(water, 1, attach=[3], progress=False)
    with pytest.raises(ValueError, match="two or more"):
        unmelt.molecules.link([water], 1)


def test_variations_are_near_at_little_strength() -> None:
    molecule = unmelt.molecules.generate(1, seed=1, steps=50, filters=["valid", "connected"], progress=False)[0]
    near = unmelt.molecules.vary(molecule, 8, strength=0.1, steps=20, progress=False)
    far = unmelt.molecules.vary(molecule, 8, strength=1.0, steps=20, progress=False)
    same = [sum(m.key == molecule.key for m in found) for found in (near, far)]
    assert same[0] > same[1], same


def test_novel_molecules_are_those_not_trained_on(molecules: unmelt.molecules.Molecules, water: unmelt.Molecule) -> None:
    model = unmelt.molecules.Model()
    assert model.novel([water]) == [False]
    assert len(model.novel(molecules)) == len(molecules)


def test_filters_are_those_of_generate(molecules: unmelt.molecules.Molecules, water: unmelt.Molecule, folder: Path) -> None:
    for filters in (["valid"], ["connected", "valid"], ["stable"], ["novel", "unique"], ["valid", "connected", "unique", "novel"]):
        count = len(molecules.filter(filters))
        assert count > 0, filters
        made = unmelt.molecules.generate(count, seed=3, steps=25, filters=filters, progress=False)
        assert [m.name for m in molecules.filter(filters)] == [m.name for m in made]
    other = unmelt.Molecule(water.symbols, water.positions, water.bonds, name="another water")
    twice = unmelt.molecules.Molecules([water, molecules[0], other, molecules[1], molecules[0]])
    assert list(twice.filter("unique")) == [water, molecules[0], molecules[1]]
    # What another filter refuses does not stand in the way of the next of its kind.
    assert list(twice.filter(["unique", lambda m: m != water])) == [molecules[0], other, molecules[1]]
    assert list(twice.filter(lambda m: len(m) == 3)) == [water, other] and list(twice.filter([])) == list(twice)
    unmelt.molecules.Molecules([water]).save(folder / "known.sdf")
    for known in ([water], folder / "known.sdf"):
        assert water not in twice.filter("novel", reference=known) and molecules[0] in twice.filter(["novel"], reference=known)
    with pytest.raises(ValueError, match='"pretty" is no filter; use some of valid, connected, stable, unique, novel'):
        molecules.filter(["valid", "pretty"])
    with pytest.raises(TypeError, match="there is a int"):
        molecules.filter([3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"count": -1}, ValueError, "count must be at least 0"),
        ({"count": 1.5}, TypeError, "count must be a whole number"),
        ({"count": "many"}, TypeError, "count must be a whole number"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"seed": -3}, ValueError, "seed must be at least 0"),
        ({"atoms": 0}, ValueError, "at least 1 atom"),
        ({"candidates": 0}, ValueError, "candidates must be between 1 and 1000"),
        ({"temperature": -1.0}, ValueError, "temperature must be above 0"),
        ({"atoms": 100000}, ValueError, "limit of 1024 for generated_atoms"),
        ({"solver": "magic"}, ValueError, 'solver: "magic" is no solver; use one of ancestral'),
        ({"grid": "magic"}, ValueError, 'grid: "magic" is no grid'),
        ({"formula": "C7!"}, ValueError, "formula: .*no formula"),
        ({"properties": {"charm": 1.0}}, ValueError, "knows no property \"charm\""),
        ({"properties": {"dipole": float("nan")}}, ValueError, "must be a number within reach"),
        ({"filters": "valid"}, TypeError, "filters must be a list"),
        ({"filters": ["pretty"]}, ValueError, "\"pretty\" is no filter"),
        ({"contains": ["Q>=1"]}, ValueError, "contains: "),
        ({"model": "no such model"}, ValueError, "is no model"),
        ({"device": "abacus"}, ValueError, "device: .*is no device"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], kind: type[Exception], words: str) -> None:
    arguments = {"count": 1, "progress": False, **arguments}
    with pytest.raises(kind, match=words):
        unmelt.molecules.generate(**arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((["O"], [[0, 0]]), ValueError, r"positions must be of shape \[1, 3\]"),
        ((["O"], [0, 0, 0]), ValueError, "positions must have 2 axes"),
        ((["O"], [["a", "b", "c"]]), TypeError, "positions must be an array of real numbers"),
        ((["Xx"], [[0, 0, 0]]), ValueError, "symbols name \"Xx\""),
        (([0], [[0, 0, 0]]), ValueError, "symbols name atomic number 0"),
        ((["O"], [[0, 0, float("inf")]]), ValueError, "atom 1 has a coordinate"),
        ((["O", "H"], [[0, 0, 0], [1, 0, 0]], [(0, 2, 1)]), ValueError, "a bond names atom 3"),
        ((["O", "H"], [[0, 0, 0], [1, 0, 0]], [(0, 1, 7)]), ValueError, "bonds name order 7"),
        ((["O"], [[0, 0, 0]], None, [0, 0]), ValueError, "charges must be 1 numbers"),
    ],
)
def test_wrong_molecules_are_refused(arguments: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        unmelt.Molecule(*arguments)


def test_files_that_are_not_there_or_not_usable(folder: Path, water: unmelt.Molecule) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.sdf"):
        unmelt.molecules.read(folder / "nowhere.sdf")
    (folder / "empty.parquet").write_bytes(b"")
    with pytest.raises(unmelt.FormatError, match="Parquet"):
        unmelt.molecules.read(folder / "empty.parquet")
    with pytest.raises(ValueError, match="ending"):
        unmelt.molecules.read(folder / "empty.docx")
    molecules = unmelt.molecules.Molecules([water])
    with pytest.raises(ValueError, match="ending"):
        molecules.save(folder / "water.docx")
    with pytest.raises(OSError):
        molecules.save(folder / "no" / "such" / "folder.sdf")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("{}")
    (folder / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(unmelt.ModelError, match="model card"):
        unmelt.molecules.Model(folder / "model")
    with pytest.raises(TypeError, match="unmelt.Molecule"):
        unmelt.molecules.Molecules(["C"])  # type: ignore[list-item]


def test_targets_out_of_range_are_warned_about() -> None:
    with pytest.warns(unmelt.UnmeltWarning, match="outside of what the model has seen"):
        unmelt.molecules.generate(1, steps=5, properties={"dipole": 99.0}, progress=False)


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch, water: unmelt.Molecule) -> None:
    import importlib

    def missing(name: str, package: str | None = None) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"unmelt\[chem\]"):
        water.to_rdkit()
    with pytest.raises(ModuleNotFoundError, match=r"unmelt\[notebook\]"):
        water.view()


def test_training_validates_on_molecules_held_out(molecules: unmelt.molecules.Molecules, folder: Path) -> None:
    events: list[str] = []
    settings = {
        "batch": 4,
        "network": {"node_width": 16, "pair_width": 16, "heads": 2, "layers": 1},
        "validation": {"share": 0.25, "molecules": 4, "steps": 3},
        "training": {"report_every": 2},
    }
    run = unmelt.molecules.train(
        molecules, folder / "run", settings=settings, steps=6, callback=lambda e: events.append(e["event"]), progress=False
    )
    assert run.steps == 6 and [r["step"] for r in run.progress] == [2, 4, 6]
    assert events == ["started", "saved", *["progress"] * 3, "saved", "validated"]
    assert run.validation[-1]["step"] == 6 and run.validation[-1]["loss"] > 0
    assert len(unmelt.molecules.Model(run.folder).generate(2, steps=3, progress=False)) == 2
    for wrong, words in [({"stpes": 1}, "unknown field"), ({"batch": 0}, "batch must be at least 1"), ({"validation": {"share": 2}}, "share")]:
        with pytest.raises(ValueError, match=words):
            unmelt.molecules.train(molecules, folder / "wrong", settings=wrong, steps=1, progress=False)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        unmelt.molecules.train(molecules, folder / "wrong", steps=0, progress=False)


def test_training_begins_with_a_model(molecules: unmelt.molecules.Molecules, folder: Path) -> None:
    import json

    small = {"batch": 4, "network": {"node_width": 16, "pair_width": 16, "heads": 2, "layers": 1}, "validation": {"molecules": 0}}
    first = unmelt.molecules.train(molecules, folder / "first", settings=small, steps=2, progress=False)
    rest = {"batch": 4, "validation": {"molecules": 0}, "name": "tuned"}
    tuned = unmelt.molecules.train(molecules, folder / "tuned", settings=rest, steps=2, model=first.folder, progress=False)
    before, after = (json.loads((run.folder / "model.json").read_text()) for run in (first, tuned))
    assert after["provenance"]["began_with"] == {"name": "custom", "sha256": before["weights"]["sha256"]}
    assert after["model"]["network"]["node_width"] == 16
    with pytest.raises(ValueError, match="network.layers must be that of the model custom, 1, but it is 2"):
        wrong = {"network": {**small["network"], "vectors": 8, "layers": 2}}
        unmelt.molecules.train(molecules, folder / "wrong", settings=wrong, steps=1, model=first.folder, progress=False)
    with pytest.raises(ValueError, match="no model"):
        unmelt.molecules.train(molecules, folder / "wrong", steps=1, model="gone", progress=False)


def test_checkpoints_of_edm_become_models(folder: Path) -> None:
    checkpoints = Path(__file__).parents[2] / "crates" / "unmelt-molecules" / "tests" / "data" / "edm"
    model = unmelt.molecules.import_edm(checkpoints / "plain", folder / "plain")
    assert [len(m) for m in model.generate(2, atoms=5, steps=3, progress=False)] == [5, 5]
    conditional = unmelt.molecules.import_edm(
        checkpoints / "conditional", folder / "conditional", norms={"alpha": (75.3, 6.3)}
    )
    assert conditional.properties["alpha"][2] == "Bohr³"
    with pytest.raises(ValueError, match="norm alpha"):
        unmelt.molecules.import_edm(checkpoints / "conditional", folder / "missing")
    with pytest.raises(ValueError, match="deviation above 0"):
        unmelt.molecules.import_edm(checkpoints / "conditional", folder / "missing", norms={"alpha": (75.3, 0.0)})
    with pytest.raises(FileNotFoundError, match=r"args\.pickle"):
        unmelt.molecules.import_edm(folder, folder / "missing")
