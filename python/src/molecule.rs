//! Molecules, and files of them.

use std::path::PathBuf;
use std::sync::Arc;

use nalgebra::Point3;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyType;
use unmelt_molecules::evaluate::{Reference, evaluate};
use unmelt_molecules::format::{self, MoleculeWriter};
use unmelt_molecules::perception::is_stable;
use unmelt_molecules::{Atom, Attachment, Bond, BondOrder, Element};

use crate::arrays::real;
use crate::errors::{FormatError, OrRaise, bad_argument};

/// Atoms in space (positions in Å) and the bonds between them.
///
/// Args:
///     symbols: Element symbols ("C") or atomic numbers (6), one an atom.
///     positions: Positions in Å, shape (atoms, 3).
///     bonds: (begin, end, order) with atoms counted from 0; orders are 1, 2, 3, and 4 for aromatic.
///     charges: Formal charges, one an atom; all 0 if not given.
///     name: Title.
///     fields: Data fields, as in an SDF record.
///     isotopes: Mass numbers, one an atom, 0 for the natural mixture; all 0 if not given.
///     radicals: Unpaired electrons, one an atom; all 0 if not given.
///     attachments: (atom, label, place) where something else is to be bonded: the atom counted from 0, what the file calls
///         the place ("R1"), and its number among the atoms of the file, from 1.
///     is_drawing: Whether the positions are those of a drawing in two dimensions.
///
/// Raises:
///     ValueError: An unknown element, a position that is not finite, a bond that names no atom, shapes that do not fit.
///
/// Example:
///     >>> import unmelt
///     >>> water = unmelt.Molecule(
///     ...     ["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], [(0, 1, 1), (0, 2, 1)])
///     >>> water
///     Molecule(H2O, 3 atoms, stable)
///     >>> water.smiles
///     'O'
#[pyclass(frozen, skip_from_py_object, module = "unmelt", name = "Molecule")]
#[derive(Clone)]
pub struct Molecule {
    pub inner: Arc<unmelt_molecules::Molecule>,
}

/// An element as Python names it.
#[derive(FromPyObject)]
enum ElementName {
    Number(u8),
    Symbol(String),
}

impl ElementName {
    fn element(&self) -> PyResult<Element> {
        match self {
            Self::Number(n) => Element::from_number(*n).ok_or_else(|| {
                bad_argument("symbols", format!("name atomic number {n}, which is no element"))
            }),
            Self::Symbol(s) => Element::from_symbol(s)
                .ok_or_else(|| bad_argument("symbols", format!("name \"{s}\", which is no element"))),
        }
    }
}

impl From<unmelt_molecules::Molecule> for Molecule {
    fn from(inner: unmelt_molecules::Molecule) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

/// Everything that makes a molecule, as the constructor takes it.
type Parts<'py> = (
    Vec<&'static str>,
    Bound<'py, PyArray2<f64>>,
    Vec<(usize, usize, u8)>,
    Bound<'py, PyArray1<i64>>,
    String,
    Vec<(String, String)>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Vec<(usize, String, usize)>,
    bool,
);

/// Numbers of which there must be one an atom; all 0 if they are not given.
fn per_atom<T: Clone + Default>(name: &str, values: Option<Vec<T>>, count: usize) -> PyResult<Vec<T>> {
    let values = values.unwrap_or_else(|| vec![T::default(); count]);
    if values.len() != count {
        let fault = format!("must be {count} numbers, as many as symbols, but there are {}", values.len());
        return Err(bad_argument(name, fault));
    }
    Ok(values)
}

#[pymethods]
impl Molecule {
    #[new]
    #[pyo3(signature = (symbols, positions, bonds=None, charges=None, name="", fields=None, isotopes=None, radicals=None, attachments=None, is_drawing=false))]
    #[expect(clippy::too_many_arguments, reason = "they are the keyword arguments of Python's constructor")]
    fn new(
        symbols: Vec<ElementName>,
        positions: &Bound<'_, PyAny>,
        bonds: Option<Vec<(usize, usize, u8)>>,
        charges: Option<Vec<i8>>,
        name: &str,
        fields: Option<&Bound<'_, PyAny>>,
        isotopes: Option<Vec<u16>>,
        radicals: Option<Vec<u8>>,
        attachments: Option<Vec<(usize, String, usize)>>,
        is_drawing: bool,
    ) -> PyResult<Self> {
        let count = symbols.len();
        let positions = real::<f64>(positions, "positions", Some(2))?;
        if positions.shape() != [count, 3] {
            let shape = positions.shape();
            let fault = format!("must be of shape [{count}, 3] for {count} symbols, but it is of {shape:?}");
            return Err(bad_argument("positions", fault));
        }
        let charges = per_atom("charges", charges, count)?;
        let isotopes = per_atom("isotopes", isotopes, count)?;
        let radicals = per_atom("radicals", radicals, count)?;
        let flat: Vec<f64> = positions.as_array().iter().copied().collect();
        let atoms = symbols.iter().zip(flat.chunks_exact(3)).enumerate().map(|(k, (symbol, p))| {
            let plain = Atom::new(symbol.element()?, charges[k], Point3::new(p[0], p[1], p[2]));
            Ok(Atom { isotope: isotopes[k], radicals: radicals[k], ..plain })
        });
        let atoms = atoms.collect::<PyResult<Vec<_>>>()?;
        let attachments =
            attachments.unwrap_or_default().into_iter().map(|(atom, label, place)| match atom < count {
                true => Ok(Attachment { atom, label, place }),
                false => Err(bad_argument("attachments", format!("name atom {atom} of {count}"))),
            });
        let attachments = attachments.collect::<PyResult<Vec<_>>>()?;
        let bonds = bonds.unwrap_or_default().into_iter().map(|(begin, end, order)| {
            let order = BondOrder::from_code(order).ok_or_else(|| {
                bad_argument("bonds", format!("name order {order}; use 1, 2, 3, or 4 for aromatic"))
            })?;
            Ok(Bond { begin, end, order })
        });
        let bonds = bonds.collect::<PyResult<Vec<_>>>()?;
        let mut molecule = unmelt_molecules::Molecule::new(atoms, bonds)
            .map_err(|e| PyValueError::new_err(e.to_string()))?;
        molecule.name = name.into();
        molecule.fields = fields.map(read_fields).transpose()?.unwrap_or_default();
        molecule.attachments = attachments;
        molecule.is_drawing = is_drawing;
        Ok(molecule.into())
    }

    /// Element symbols, one an atom.
    #[getter]
    fn symbols(&self) -> Vec<&'static str> {
        self.inner.atoms().map(|a| a.element.symbol()).collect()
    }

    /// Atomic numbers, shape (atoms,).
    #[getter]
    fn numbers<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.atoms().map(|a| i64::from(a.element.number())))
    }

    /// Positions in Å, shape (atoms, 3); a copy.
    #[getter]
    fn positions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let flat = self.inner.atoms().flat_map(|a| [a.position.x, a.position.y, a.position.z]);
        PyArray1::from_iter(py, flat).reshape([self.inner.len(), 3])
    }

    /// Formal charges in elementary charges, shape (atoms,).
    #[getter]
    fn charges<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.atoms().map(|a| i64::from(a.charge)))
    }

    /// Mass numbers, shape (atoms,); 0 for the natural mixture of isotopes.
    #[getter]
    fn isotopes<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.atoms().map(|a| i64::from(a.isotope)))
    }

    /// Unpaired electrons, shape (atoms,).
    #[getter]
    fn radicals<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.atoms().map(|a| i64::from(a.radicals)))
    }

    /// Where something else is to be bonded, as (atom, label, place); see the constructor.
    #[getter]
    fn attachments(&self) -> Vec<(usize, String, usize)> {
        self.inner.attachments.iter().map(|a| (a.atom, a.label.clone(), a.place)).collect()
    }

    /// Whether the positions are those of a drawing in two dimensions.
    #[getter]
    fn is_drawing(&self) -> bool {
        self.inner.is_drawing
    }

    /// Bonds as (begin, end, order); orders are 1, 2, 3, and 4 for aromatic.
    #[getter]
    fn bonds(&self) -> Vec<(usize, usize, u8)> {
        self.inner.bonds().map(|b| (b.begin, b.end, b.order.code())).collect()
    }

    /// Title.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// Data fields; values are text, as in an SDF record. A copy.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
        let fields = pyo3::types::PyDict::new(py);
        for (key, value) in &self.inner.fields {
            fields.set_item(key, value)?;
        }
        Ok(fields)
    }

    /// Molecular formula in Hill order.
    #[getter]
    fn formula(&self) -> String {
        self.inner.formula()
    }

    /// Canonical SMILES from the bonds, without stereochemistry.
    #[getter]
    fn smiles(&self) -> String {
        unmelt_molecules::canonical_smiles(&self.inner)
    }

    /// Canonical key from the bonds: equal for the same molecule, whatever the order of its atoms.
    #[getter]
    fn key(&self) -> String {
        unmelt_molecules::canonical_key(&self.inner)
    }

    /// Whether every atom has a valence that its element and charge allow, with none left open.
    #[getter]
    fn is_valid(&self) -> bool {
        unmelt_molecules::is_valid(&self.inner)
    }

    /// Whether the bonds connect all atoms.
    #[getter]
    fn is_connected(&self) -> bool {
        self.inner.components() == 1
    }

    /// Whether all atoms are stable by the EDM protocol, which reads bonds from distances.
    #[getter]
    fn is_stable(&self) -> bool {
        is_stable(&self.inner)
    }

    /// Number of independent rings.
    #[getter]
    fn rings(&self) -> usize {
        self.inner.rings()
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self) -> String {
        let word = match (self.is_valid(), self.is_stable()) {
            (true, true) => "stable",
            (true, false) => "valid",
            (false, _) => "not valid",
        };
        format!("Molecule({}, {} atoms, {word})", self.inner.formula(), self.inner.len())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        let Ok(other) = other.cast::<Self>() else { return false };
        let (a, b) = (&self.inner, &other.get().inner);
        a.name == b.name
            && a.fields == b.fields
            && a.attachments == b.attachments
            && a.is_drawing == b.is_drawing
            && a.atoms().eq(b.atoms())
            && a.bonds().eq(b.bonds())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, Parts<'py>)> {
        let (py, own) = (slf.py(), slf.get());
        let parts = (
            own.symbols(),
            own.positions(py)?,
            own.bonds(),
            own.charges(py),
            own.inner.name.clone(),
            own.inner.fields.clone(),
            own.isotopes(py),
            own.radicals(py),
            own.attachments(),
            own.is_drawing(),
        );
        Ok((slf.get_type(), parts))
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.clone()
    }

    /// The molecule as an SDF record.
    fn to_sdf(&self) -> PyResult<String> {
        let mut text = Vec::new();
        format::write_sdf(&mut text, &self.inner)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The first molecule of an SDF text.
    ///
    /// Raises:
    ///     FormatError: There is none that can be read.
    #[staticmethod]
    fn from_sdf(text: &str) -> PyResult<Self> {
        let reading = format::read_sdf(text);
        match (reading.molecules.into_iter().next(), reading.faults.first()) {
            (Some(molecule), _) => Ok(molecule.into()),
            (None, Some(fault)) => Err(FormatError::new_err(fault.to_string())),
            (None, None) => Err(FormatError::new_err("the text holds no SDF record")),
        }
    }

    /// Canonical SMILES without stereochemistry: `smiles`, or RDKit's with aromatic atoms in lower case and isotopes.
    ///
    /// Args:
    ///     aromatic: Whether aromatic atoms are written in lower case, which needs RDKit.
    ///
    /// Raises:
    ///     ModuleNotFoundError: RDKit is not installed: `pip install unmelt[chem]`.
    ///     ValueError: RDKit refuses the molecule.
    #[pyo3(signature = (aromatic=false))]
    fn to_smiles<'py>(slf: &Bound<'py, Self>, aromatic: bool) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt._rdkit")?.call_method1("to_smiles", (slf, aromatic))
    }

    /// The molecule as RDKit's `Mol`, with bonds, charges, hydrogens, one conformer and the data fields as properties.
    ///
    /// Args:
    ///     sanitize: Whether to sanitize it; what is not valid raises RDKit's own error then.
    ///
    /// Raises:
    ///     ModuleNotFoundError: RDKit is not installed: `pip install unmelt[chem]`.
    #[pyo3(signature = (sanitize=true))]
    fn to_rdkit<'py>(slf: &Bound<'py, Self>, sanitize: bool) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt._rdkit")?.call_method1("to_rdkit", (slf, sanitize))
    }

    /// The molecule of RDKit's `Mol`, with the conformer's positions; hydrogens must be explicit to be there.
    ///
    /// Args:
    ///     mol: An `rdkit.Chem.Mol` with a 3D conformer.
    ///
    /// Raises:
    ///     ValueError: It has no conformer.
    #[staticmethod]
    fn from_rdkit(mol: &Bound<'_, PyAny>) -> PyResult<Self> {
        let made = mol.py().import("unmelt._rdkit")?.call_method1("from_rdkit", (mol,))?;
        Ok(made.cast::<Self>()?.get().clone())
    }

    /// A 3D view by py3Dmol (`pip install unmelt[notebook]`).
    #[pyo3(signature = (width=400, height=300))]
    fn view<'py>(slf: &Bound<'py, Self>, width: u32, height: u32) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt.views")?.call_method1("molecule", (slf, width, height))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("unmelt.views")?.call_method1("molecule_html", (slf,))
    }
}

/// Data fields of a mapping or of pairs; values become text.
fn read_fields(fields: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let items = if fields.hasattr("items")? { fields.call_method0("items")? } else { fields.clone() };
    let wrong = |_| PyTypeError::new_err("fields must be a mapping from names to values");
    items
        .try_iter()
        .map_err(wrong)?
        .map(|item| {
            let (key, value): (String, Bound<'_, PyAny>) = item?.extract().map_err(wrong)?;
            Ok((key, value.str()?.to_string()))
        })
        .collect()
}

/// The Rust molecules of Python's.
pub fn inner(molecules: &[Py<Molecule>]) -> Vec<unmelt_molecules::Molecule> {
    molecules.iter().map(|m| m.get().inner.as_ref().clone()).collect()
}

/// Reads a file or folder of molecules; returns them, and a sentence for each record that was skipped.
#[pyfunction]
pub fn read_molecules(py: Python, path: PathBuf) -> PyResult<(Vec<Molecule>, Vec<String>)> {
    let reading = py.detach(|| format::read_molecules(&path)).or_raise()?;
    let faults = reading.faults.iter().map(ToString::to_string).collect();
    Ok((reading.molecules.into_iter().map(Molecule::from).collect(), faults))
}

/// Writes molecules to a file by its ending, whole or not at all.
#[pyfunction]
pub fn write_molecules(py: Python, path: PathBuf, molecules: Vec<Py<Molecule>>) -> PyResult<()> {
    let molecules = inner(&molecules);
    let write = || {
        let mut writer = MoleculeWriter::create(&path)?;
        writer.write(&molecules)?;
        writer.finish()
    };
    py.detach(write).or_raise()
}

/// Metrics of molecules, as JSON.
#[pyfunction]
#[pyo3(signature = (molecules, reference=None))]
pub fn evaluate_molecules(
    py: Python,
    molecules: Vec<Py<Molecule>>,
    reference: Option<Vec<Py<Molecule>>>,
) -> PyResult<String> {
    let (molecules, reference) = (inner(&molecules), reference.map(|r| inner(&r)));
    let evaluation =
        py.detach(|| evaluate(&molecules, reference.map(|r| Reference::of(&r)).as_ref())).or_raise()?;
    serde_json::to_string(&evaluation).map_err(|e| PyValueError::new_err(e.to_string()))
}
