//! Reading files and folders by their endings.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use unmelt_diffusion::files::{GzipReader, bounded, gunzip, is_gzip, read_whole, unpacked_bound};

use super::text::{decode, lines};
use super::{Fault, Reading, parquet, read_qm9_xyz, sdf, xyz};
use crate::perception::{bonded, total_charge};
use crate::solid::{coincident, with_hydrogens, without_geometry};
use crate::{Error, Molecule, Result, bond_class, is_valid};

/// The endings that can be read, for messages.
const ENDINGS: &str = ".sdf, .mol, .xyz, .extxyz, .parquet, .tar.bz2, .tar.gz, also .sdf.gz and .xyz.gz";

/// What molecules are read for: how they are made ready, and which records are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// As they are, aromatic bonds in their Kekulé form; attachment points are faults.
    AsIs,
    /// To be learned from: records without a geometry are faults, and those with bonds that are neither single, double nor
    /// triple and have no Kekulé form.
    Training,
    /// To be measured: records without a geometry are faults; hydrogens are added where a record has none.
    Evaluation,
    /// To be begun from: as for an evaluation, with bonds from distances where a record has none.
    Variation,
    /// To be grown from: attachment points stay, bonds are from distances where a record has none.
    Fragments,
}

/// Counts of what was done to molecules.
#[derive(Debug, Default)]
pub(super) struct Done {
    hydrogens: usize,
    bonds: usize,
    /// Molecules without a total charge whose valences stay open.
    uncharged: usize,
    /// Those of them that are from XYZ, where a comment can say the total charge.
    uncharged_xyz: usize,
}

impl Done {
    fn add(&mut self, other: &Self) {
        self.hydrogens += other.hydrogens;
        self.bonds += other.bonds;
        self.uncharged += other.uncharged;
        self.uncharged_xyz += other.uncharged_xyz;
    }

    fn notes(&self) -> Vec<String> {
        let records = |n: usize| if n == 1 { "one molecule".to_string() } else { format!("{n} molecules") };
        let mut notes = Vec::new();
        if self.hydrogens > 0 {
            notes.push(format!(
                "hydrogens were added to {}, of which the file has none",
                records(self.hydrogens)
            ));
        }
        if self.bonds > 0 {
            notes.push(format!("the bonds of {} are from distances: the file has none", records(self.bonds)));
        }
        if self.uncharged_xyz > 0 {
            notes.push(format!(
                "XYZ holds no formal charges: {} with an open valence may be an ion or a radical; charge=… in the comment \
                 says the total charge",
                records(self.uncharged_xyz)
            ));
        }
        let others = self.uncharged.saturating_sub(self.uncharged_xyz);
        if others > 0 {
            notes.push(format!(
                "distances say nothing of formal charges: {} without bonds in the file and with an open valence may be an ion or a \
                 radical",
                records(others)
            ));
        }
        notes
    }
}

impl Preparation {
    /// Makes a molecule ready, or says why it cannot be.
    fn prepare(self, molecule: Molecule, done: &mut Done) -> std::result::Result<Molecule, String> {
        if self == Self::AsIs {
            return kekulized(sdf::refuse_attachments(molecule)?);
        }
        let molecule = match self {
            Self::Fragments => molecule,
            _ => sdf::refuse_attachments(molecule)?,
        };
        if molecule.is_empty() {
            return Err("it has no atoms".into());
        }
        if self == Self::Training {
            return trainable(molecule);
        }
        if let Some(fault) = without_geometry(&molecule) {
            return Err(format!("it {fault}"));
        }
        if self != Self::Evaluation
            && let Some((a, b)) = coincident(&molecule)
        {
            return Err(format!("its atoms {a} and {b} lie on one place"));
        }
        let bare = molecule.len() > 1 && molecule.graph().edge_count() == 0;
        let with_bonds = if bare { bonded(&molecule)? } else { molecule.clone() };
        if bare && total_charge(&molecule).is_none() && !is_valid(&with_bonds) {
            done.uncharged += 1;
        }
        if self == Self::Fragments {
            done.bonds += usize::from(bare);
            return Ok(with_bonds);
        }
        let with_bonds = kekulized(with_bonds)?;
        // Where the total charge is said, open valences are charges, and nothing is missing.
        let (whole, added) = match bare && total_charge(&molecule).is_some() {
            true => (with_bonds, 0),
            false => with_hydrogens(&with_bonds).map_err(|e| e.to_string())?,
        };
        done.hydrogens += usize::from(added > 0);
        // An evaluation finds the bonds of the others itself, and says so.
        if self == Self::Evaluation && added == 0 && bare {
            return Ok(molecule);
        }
        done.bonds += usize::from(bare);
        Ok(whole)
    }
}

/// A molecule with a geometry whose bonds are single, double and triple.
fn trainable(molecule: Molecule) -> std::result::Result<Molecule, String> {
    if let Some(fault) = without_geometry(&molecule) {
        return Err(format!("it {fault}"));
    }
    let whole = kekulized(molecule)?;
    let unknown = whole.bonds().find(|b| bond_class(b.order).is_err());
    match unknown {
        Some(bond) => Err(format!(
            "the bond between its atoms {} and {} is dative, of order zero or a hydrogen bond, which no model knows",
            bond.begin + 1,
            bond.end + 1
        )),
        None => Ok(whole),
    }
}

/// A molecule with single and double bonds for its aromatic ones.
fn kekulized(molecule: Molecule) -> std::result::Result<Molecule, String> {
    match molecule.has_aromatic_bonds() {
        true => molecule.kekulized().map_err(|e| e.to_string()),
        false => Ok(molecule),
    }
}

impl Reading {
    /// Adds a record, made ready.
    pub(super) fn add(
        &mut self,
        position: usize,
        unit: &'static str,
        preparation: &Preparation,
        record: std::result::Result<Molecule, String>,
    ) {
        match record.and_then(|molecule| preparation.prepare(molecule, &mut self.done)) {
            Ok(molecule) => self.molecules.push(molecule),
            Err(message) => self.faults.push(Fault::new(position, unit, message)),
        }
    }

    /// Adds what a file held.
    fn append(&mut self, reading: Self, file: &Path) {
        self.molecules.extend(reading.molecules);
        let named = |fault: Fault| Fault { file: fault.file.or_else(|| Some(file.to_path_buf())), ..fault };
        self.faults.extend(reading.faults.into_iter().map(named));
        self.done.add(&reading.done);
    }
}

/// Reads the molecules of a file by its ending, or of all such files in a folder.
pub fn read_molecules(path: &Path) -> Result<Reading> {
    read_prepared(path, Preparation::AsIs)
}

/// Reads the molecules of a file or a folder and makes them ready.
pub fn read_prepared(path: &Path, preparation: Preparation) -> Result<Reading> {
    let mut reading =
        if path.is_dir() { read_folder(path, &preparation)? } else { read_file(path, &preparation)? };
    reading.notes = reading.done.notes();
    Ok(reading)
}

/// Reads a Parquet table with one molecule a row.
pub fn read_parquet(path: &Path) -> Result<Reading> {
    let bytes = read_whole(path)?;
    parquet::read(&bytes, path, &Preparation::AsIs)
}

fn read_file(path: &Path, preparation: &Preparation) -> Result<Reading> {
    let mut all = Reading::default();
    let reading = match Format::of(path) {
        Some(Format::Tar) => return read_tar(path, preparation),
        Some(Format::Parquet) => parquet::read(&read_whole(path)?, path, preparation)?,
        Some(format) => read_text_file(format, path, preparation)?,
        None => return Err(unread(path)),
    };
    all.append(reading, path);
    Ok(all)
}

fn read_text_file(format: Format, path: &Path, preparation: &Preparation) -> Result<Reading> {
    let mut bytes = read_whole(path)?;
    if is_gzip(&bytes) {
        bytes = gunzip(&bytes, &path.display().to_string())?;
    }
    let fault = |fault| Error::Format { kind: format.name(), path: path.into(), fault };
    let reading = read_text(format, &bytes, preparation).map_err(fault)?;
    if reading.molecules.is_empty() && reading.faults.is_empty() {
        return Err(fault("it is empty".into()));
    }
    Ok(reading)
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Sdf,
    Xyz,
    /// Text that is one or the other.
    Text,
    Parquet,
    Tar,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let ends = |name: &str, endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
        if ends(&name, &[".tar.bz2", ".tbz2", ".tar.gz", ".tgz", ".tar"]) {
            return Some(Self::Tar);
        }
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        Some(match () {
            () if ends(plain, &[".sdf", ".sd", ".mol", ".sdfgz"]) => Self::Sdf,
            () if ends(plain, &[".xyz", ".extxyz"]) => Self::Xyz,
            () if ends(plain, &[".parquet"]) && plain.len() == name.len() => Self::Parquet,
            () if ends(plain, &[".txt"]) => Self::Text,
            () => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sdf => "SDF",
            Self::Xyz => "XYZ",
            Self::Text => "XYZ or SDF",
            Self::Parquet => "Parquet",
            Self::Tar => "tar",
        }
    }
}

/// Formats of molecules that are known and not read: endings, and what they are.
const UNREAD: [(&[&str], &str); 10] = [
    (&["mol2"], "a Tripos mol2 file"),
    (&["pdb", "ent", "pdbqt"], "a PDB file"),
    (&["cif", "mmcif"], "a CIF file"),
    (&["mae", "maegz"], "a Maestro file"),
    (&["cml", "cdx", "cdxml", "mrv"], "a drawing or CML file"),
    (&["gro", "lmp", "data", "dcd", "traj"], "a file of a simulation"),
    (&["gjf", "com", "log", "out", "fchk", "molden"], "a file of a quantum-chemistry program"),
    (&["rxn", "rdf"], "a file of reactions"),
    (&["smi", "smiles", "ism", "can"], "a list of SMILES"),
    (&["inchi"], "a list of InChI"),
];

/// The error of a file whose ending names no format that is read.
fn unread(path: &Path) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ending = name.strip_suffix(".gz").unwrap_or(&name).rsplit_once('.').map_or("", |(_, ending)| ending);
    let Some((_, what)) = UNREAD.iter().find(|(endings, _)| endings.contains(&ending)) else {
        return Error::UnknownFormat { path: path.into(), endings: ENDINGS };
    };
    let remedy = match what.starts_with("a list") {
        true => {
            "which has no coordinates; make three-dimensional ones with hydrogens first (RDKit's EmbedMolecule, or obabel with \
             --gen3d) and write SDF"
        }
        false => "which is not read; convert it to SDF first (by RDKit or obabel)",
    };
    Error::Format { kind: "molecule", path: path.into(), fault: format!("it is {what}, {remedy}") }
}

/// Reads a text in a format.
fn read_text(
    format: Format,
    bytes: &[u8],
    preparation: &Preparation,
) -> std::result::Result<Reading, String> {
    let text = decode(bytes)?;
    let format = match format {
        Format::Text => {
            sniff(&text).ok_or("it begins like neither: an XYZ file begins with a number of atoms")?
        }
        known => known,
    };
    if format == Format::Sdf {
        return Ok(sdf::read(&text, preparation));
    }
    let mut reading = match () {
        () if is_qm9(&text) => {
            let mut reading = Reading::default();
            reading.add(1, "frame", preparation, read_qm9_xyz(&text));
            reading
        }
        () => xyz::read(&text, preparation),
    };
    reading.done.uncharged_xyz = reading.done.uncharged;
    Ok(reading)
}

/// Whether a text is XYZ (a number of atoms, a comment, an atom) or SDF (a version in one of the first lines).
fn sniff(text: &str) -> Option<Format> {
    let end = text.char_indices().nth(8192).map_or(text.len(), |(k, _)| k);
    let lines = lines(&text[..end]);
    let words = |k: usize| lines.get(k).map(|l| l.split_whitespace().collect::<Vec<_>>()).unwrap_or_default();
    let is_number = |w: &&str| w.parse::<f64>().is_ok();
    let count = matches!(words(0)[..], [n, ..] if n.parse::<u32>().is_ok());
    if count && words(2).len() >= 4 && words(2)[1..4].iter().all(is_number) {
        return Some(Format::Xyz);
    }
    let version = |l: &&str| l.contains("V2000") || l.contains("V3000");
    lines.iter().take(64).any(version).then_some(Format::Sdf)
}

/// Whether a text is one of QM9's own files: its second line begins with `gdb`.
fn is_qm9(text: &str) -> bool {
    text.lines().nth(1).is_some_and(|l| l.starts_with("gdb ") || l.starts_with("gdb\t"))
}

fn read_folder(folder: &Path, preparation: &Preparation) -> Result<Reading> {
    let failed = || Error::file("read", folder);
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    let (mut all, mut found) = (Reading::default(), 0);
    for file in files {
        match Format::of(&file) {
            // Other texts may lie beside molecules.
            Some(Format::Text) if !is_text_of_molecules(&file)? => {}
            Some(_) => {
                found += 1;
                let reading = read_file(&file, preparation)?;
                all.append(reading, &file);
            }
            None => {
                if let Error::Format { fault, .. } = unread(&file)
                    && !is_by_product(&file)
                {
                    let fault = Fault::new(1, "file", fault);
                    all.faults.push(Fault { file: Some(file), ..fault });
                }
            }
        }
    }
    if found == 0 {
        let fault = format!("it holds no file that ends in {ENDINGS}");
        return Err(Error::Format { kind: "molecule", path: folder.into(), fault });
    }
    Ok(all)
}

/// Whether a file is one that programs leave beside molecules, which nobody takes for one.
fn is_by_product(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ["log", "out", "data", "com"].contains(&ending.as_str())
}

fn is_text_of_molecules(path: &Path) -> Result<bool> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::file("read", path))?;
    file.take(1 << 16).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    Ok(is_gzip(&bytes) || decode(&bytes).is_ok_and(|text| sniff(&text).is_some()))
}

/// A tar of molecule files, packed or not, as QM9 is published.
fn read_tar(path: &Path, preparation: &Preparation) -> Result<Reading> {
    let fault = |e: std::io::Error| Error::Format { kind: "tar", path: path.into(), fault: e.to_string() };
    let file = File::open(path).map_err(Error::file("read", path))?;
    let length = file.metadata().map_err(Error::file("read", path))?.len();
    let file = std::io::BufReader::new(file);
    let name = path.to_string_lossy().to_ascii_lowercase();
    let inner: Box<dyn Read> = match () {
        () if name.ends_with("bz2") => Box::new(MultiBzDecoder::new(file)),
        () if name.ends_with("gz") => Box::new(GzipReader::new(file)),
        () => Box::new(file),
    };
    let limit = unpacked_bound(length);
    let mut archive = tar::Archive::new(bounded(inner, limit, path.display().to_string()));
    let mut all = Reading::default();
    for entry in archive.entries().map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.path().map_err(fault)?.into_owned();
        let Some(format @ (Format::Sdf | Format::Xyz | Format::Text)) = Format::of(&name) else { continue };
        // A sparse entry grows without the archive.
        let mut bytes = Vec::new();
        bounded(entry, limit, name.display().to_string()).read_to_end(&mut bytes).map_err(fault)?;
        if is_gzip(&bytes) {
            bytes = gunzip(&bytes, &name.display().to_string())?;
        }
        match read_text(format, &bytes, preparation) {
            Ok(reading) => all.append(reading, &name),
            // A text beside the molecules.
            Err(_) if format == Format::Text => {}
            Err(message) => {
                let fault = Fault::new(1, "file", message);
                all.faults.push(Fault { file: Some(name), ..fault });
            }
        }
    }
    Ok(all)
}
