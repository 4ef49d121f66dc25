//! Files of molecules.

use std::path::Path;

use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::format::{
    MoleculeWriter, Reading, read_molecules, read_sdf, read_xyz, write_sdf, write_xyz,
};
use unmelt_molecules::{Molecule, canonical_key, canonical_smiles, is_valid};

use super::{BINARY, OfFile, Read, TEXT, Target, seed};

const SDF: [&str; 40] = [
    "M  END",
    "$$$$",
    "M  CHG",
    "M  RAD",
    "M  ISO",
    "M  V30 ",
    "M  V30 BEGIN CTAB",
    "M  V30 COUNTS ",
    "M  V30 BEGIN ATOM",
    "M  V30 END ATOM",
    "M  V30 BEGIN BOND",
    "M  V30 END BOND",
    "M  V30 END CTAB",
    " CHG=",
    " RAD=",
    " MASS=",
    "V2000",
    "V3000",
    "> <name>",
    ">  <",
    "A    1",
    "V    1",
    "G  ",
    "S  SKP",
    "M  ALS",
    "M  RGP",
    "M  APO",
    "R#",
    "*",
    "Du",
    "D ",
    "T ",
    "LP",
    "  0  0  0",
    "999",
    "  1  2  4  0",
    "  1  1  1",
    "\r\n",
    "\t",
    "-",
];

const XYZ: [&str; 24] = [
    "Lattice=\"",
    "Properties=",
    "species:S:1:pos:R:3",
    "pbc=\"T T T\"",
    "charge=",
    "spin=",
    "Z:I:1",
    "forces:R:3",
    "\"",
    "'",
    "=",
    "gdb 1",
    "*^",
    "1.0*^-6",
    "Cl",
    "c",
    "C1",
    "6",
    "D",
    "X",
    "Bq",
    "nan",
    "1e400",
    "\n\n",
];

pub fn targets() -> Vec<Target> {
    vec![
        Target {
            name: "sdf",
            number: 1,
            tokens: &SDF,
            open: |folder| OfFile::open(folder, "x.sdf", molecules),
            ..TEXT
        },
        Target {
            name: "xyz",
            number: 2,
            tokens: &XYZ,
            open: |folder| OfFile::open(folder, "x.xyz", molecules),
            ..TEXT
        },
        Target {
            name: "edm-text",
            number: 3,
            tokens: &XYZ,
            open: |folder| OfFile::open(folder, "molecule_000.txt", molecules),
            ..TEXT
        },
        Target {
            name: "sdf-gz",
            number: 4,
            tokens: &SDF,
            open: |folder| Ok(Box::new(Gzip(folder.join("x.sdf.gz")))),
            ..TEXT
        },
        Target {
            name: "tar-bz2",
            number: 5,
            tokens: &["ustar", "x.xyz", "x.sdf", "../", "/", "0000644", "00000000144"],
            open: |folder| Ok(Box::new(Bzip2(folder.join("x.tar.bz2")))),
            ..BINARY
        },
        Target {
            name: "parquet",
            number: 6,
            tokens: &["PAR1", "atomic_numbers", "positions", "ARROW:schema", "list", "element", "id"],
            open: |folder| OfFile::open(folder, "x.parquet", molecules),
            ..BINARY
        },
    ]
}

fn molecules(path: &Path) -> Result<String, String> {
    let reading = read_molecules(path).map_err(|e| e.to_string())?;
    Ok(answer(&reading))
}

/// What a reading holds, after everything that is asked of molecules has been asked of some.
fn answer(reading: &Reading) -> String {
    reading.molecules.iter().filter(|m| m.len() <= 200).take(4).for_each(check);
    let atoms = reading.molecules.first().map_or(0, Molecule::len);
    let fault = reading.faults.first().map_or(String::new(), |f| f.message.clone());
    let several = |n: usize| {
        if n > 1 {
            "several"
        } else if n == 1 {
            "one"
        } else {
            "no"
        }
    };
    format!(
        "{} molecules, {} atoms, {} faults {fault}",
        several(reading.molecules.len()),
        several(atoms),
        several(reading.faults.len())
    )
}

/// A molecule must be fit for what is done with molecules, and be the same after it was written and read.
fn check(molecule: &Molecule) {
    assert!(
        molecule.atoms().all(|a| a.position.coords.iter().all(|x| x.is_finite())),
        "a place that is no number"
    );
    canonical_key(molecule);
    canonical_smiles(molecule);
    is_valid(molecule);
    Assessment::of(molecule);
    let elements = |m: &Molecule| m.atoms().map(|a| (a.element, a.charge)).collect::<Vec<_>>();
    let mut text = Vec::new();
    if write_sdf(&mut text, molecule).is_ok() {
        let text = String::from_utf8(text).expect("SDF is UTF-8");
        let again = read_sdf(&text);
        let fault = again.faults.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(again.molecules.len(), 1, "SDF was written that is not read: {fault}\n{text}");
        assert_eq!(elements(&again.molecules[0]), elements(molecule), "SDF tells other atoms\n{text}");
        assert_eq!(
            again.molecules[0].bonds().count(),
            molecule.bonds().count(),
            "SDF tells other bonds\n{text}"
        );
    }
    let mut text = Vec::new();
    if !molecule.is_empty() && write_xyz(&mut text, molecule).is_ok() {
        let text = String::from_utf8(text).expect("XYZ is UTF-8");
        let again = read_xyz(&text);
        let fault = again.faults.first().map(ToString::to_string).unwrap_or_default();
        assert_eq!(again.molecules.len(), 1, "XYZ was written that is not read: {fault}\n{text}");
        assert_eq!(again.molecules[0].len(), molecule.len(), "XYZ tells other atoms\n{text}");
    }
}

/// Text that is packed with gzip.
struct Gzip(std::path::PathBuf);

impl Read for Gzip {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let packed = super::volumes::gzip(bytes).map_err(|e| e.to_string())?;
        std::fs::write(&self.0, packed).map_err(|e| e.to_string())?;
        molecules(&self.0)
    }
}

/// An archive that is packed with bzip2.
struct Bzip2(std::path::PathBuf);

impl Read for Bzip2 {
    fn read(&mut self, bytes: &[u8]) -> Result<String, String> {
        let mut packed = Vec::new();
        let mut encoder = bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast());
        std::io::Read::read_to_end(&mut encoder, &mut packed).map_err(|e| e.to_string())?;
        std::fs::write(&self.0, packed).map_err(|e| e.to_string())?;
        molecules(&self.0)
    }
}

/// Ethanol without hydrogens, ammonium, and a fragment with a ring.
const HAND_MADE: &str = "ring and charge\n  hand\n\n  5  5  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 C   0  0  0  0  0  0\n    1.5000    0.0000    0.0000 C   0  0  0  0  0  0\n    0.7500    1.3000    0.0000 N   0  3  0  0  0  0\n    0.7500    2.8000    0.0000 O   0  0  0  0  0  0\n    9.0000    0.0000    0.0000 Na  0  0  0  0  0  0\n  1  2  1  0\n  2  3  1  0\n  1  3  1  0\n  3  4  1  0\n  1  4  1  0\nM  CHG  2   3   1   5   1\nM  END\n> <energy>\n-12.5\n\n$$$$\n";

const V3000: &str = "v3000\n  hand\n\n  0  0  0  0  0  0  0  0  0  0999 V3000\nM  V30 BEGIN CTAB\nM  V30 COUNTS 3 2 0 0 0\nM  V30 BEGIN ATOM\nM  V30 1 C 0 0 0 0\nM  V30 2 O 1.4 0 0 0 CHG=-1\nM  V30 3 H -0.6 0.9 0 0 MASS=2\nM  V30 END ATOM\nM  V30 BEGIN BOND\nM  V30 1 1 1 2\nM  V30 2 1 1 3\nM  V30 END BOND\nM  V30 END CTAB\nM  END\n$$$$\n";

const EXTXYZ: &str = "3\nLattice=\"10 0 0 0 10 0 0 0 10\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.5 pbc=\"T T T\"\nO 0.0 0.0 0.1 0 0 0\nH 0.0 0.76 -0.5 0 0 0\nH 0.0 -0.76 -0.5 0 0 0\n2\ncharge=-1\nO 0 0 0\nH 0 0 0.97\n";

const QM9: &str = "3\ngdb 3\t799.58812\t437.90386\t282.94545\t1.8511\t6.31\t-0.2928\t0.0687\t0.3615\t19.0002\t0.021375\t-76.404702\t-76.401867\t-76.400922\t-76.422349\t6.002\t\nO\t-0.0343604951\t 0.9775395708\t 0.0076015923\t-0.589706\nH\t 0.0647664923\t 0.0205721989\t 0.0015346341\t 0.294853\nH\t 0.8717903737\t 1.3007924048\t 0.0006931336\t 0.294853\n1671.4222\t3803.6305\t3907.698\nO\tO\nInChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2\n";

const EDM: &str = "3\n\nO 0.000 0.000 0.117\nH 0.000 0.757 -0.471\nH 0.000 -0.757 -0.471\n";

pub fn write_corpus() -> Result<(), String> {
    seed("sdf", "hand.sdf", HAND_MADE.as_bytes())?;
    seed("sdf", "v3000.sdf", V3000.as_bytes())?;
    seed("sdf-gz", "hand.sdf", HAND_MADE.as_bytes())?;
    seed("xyz", "extended.xyz", EXTXYZ.as_bytes())?;
    seed("xyz", "qm9.xyz", QM9.as_bytes())?;
    seed("edm-text", "water.txt", EDM.as_bytes())?;
    let water = read_xyz(EDM).molecules;
    let ring = read_sdf(HAND_MADE).molecules;
    let both: Vec<Molecule> = water.into_iter().chain(ring).collect();
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for (target, name) in [("sdf", "own.sdf"), ("xyz", "own.xyz"), ("parquet", "own.parquet")] {
        let path = folder.path().join(name);
        let mut writer = MoleculeWriter::create(&path).map_err(|e| e.to_string())?;
        writer.write(&both).map_err(|e| e.to_string())?;
        writer.finish().map_err(|e| e.to_string())?;
        seed(target, name, &std::fs::read(&path).map_err(|e| e.to_string())?)?;
    }
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("a.xyz", QM9), ("b.sdf", HAND_MADE), ("readme.txt", "three files")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes()).map_err(|e| e.to_string())?;
    }
    seed("tar-bz2", "three.tar", &archive.into_inner().map_err(|e| e.to_string())?)
}
