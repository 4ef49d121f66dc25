//! Files: what is written is read back, and what is broken is named and skipped.

use std::path::Path;

use nalgebra::Point3;
use proptest::prelude::*;
use unmelt_molecules::evaluate::Assessment;
use unmelt_molecules::format::{
    MoleculeWriter, TableRow, TableWriter, read_molecules, read_qm9_xyz, read_sdf, read_xyz, write_sdf,
    write_xyz,
};
use unmelt_molecules::{Atom, Bond, BondOrder, Element, Molecule};

fn atom(symbol: &str, charge: i8, [x, y, z]: [f64; 3]) -> Atom {
    Atom::new(Element::from_symbol(symbol).expect("known"), charge, Point3::new(x, y, z))
}

fn bond(begin: usize, end: usize, code: u8) -> Bond {
    Bond { begin, end, order: BondOrder::from_code(code).expect("an order") }
}

/// Glycine's zwitterion, roughly.
fn zwitterion() -> Molecule {
    let atoms = [
        atom("N", 1, [0.0, 0.0, 0.0]),
        atom("C", 0, [1.5, 0.0, 0.0]),
        atom("C", 0, [2.0, 1.4, 0.0]),
        atom("O", 0, [1.3, 2.4, 0.0]),
        atom("O", -1, [3.3, 1.5, 0.0]),
        atom("H", 0, [-0.4, 0.9, 0.1]),
        atom("H", 0, [-0.4, -0.5, 0.8]),
        atom("H", 0, [-0.4, -0.5, -0.8]),
        atom("H", 0, [1.9, -0.5, 0.9]),
        atom("H", 0, [1.9, -0.5, -0.9]),
    ];
    let bonds = [
        bond(0, 1, 1),
        bond(1, 2, 1),
        bond(2, 3, 2),
        bond(2, 4, 1),
        bond(0, 5, 1),
        bond(0, 6, 1),
        bond(0, 7, 1),
        bond(1, 8, 1),
        bond(1, 9, 1),
    ];
    let mut molecule = Molecule::new(atoms, bonds).expect("valid");
    molecule.name = "zwitterion".into();
    molecule.fields = vec![("source".into(), "by hand".into())];
    molecule
}

fn sdf(molecule: &Molecule) -> String {
    let mut out = Vec::new();
    write_sdf(&mut out, molecule).expect("to memory");
    String::from_utf8(out).expect("text")
}

fn assert_same(a: &Molecule, b: &Molecule, tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.atoms().zip(b.atoms()) {
        assert_eq!((x.element, x.charge), (y.element, y.charge));
        assert!((x.position - y.position).norm() < tolerance, "{x:?} {y:?}");
    }
    assert_eq!(a.bonds().collect::<Vec<_>>(), b.bonds().collect::<Vec<_>>());
}

#[test]
fn sdf_comes_back() {
    let reading = read_sdf(&sdf(&zwitterion()));
    assert!(reading.faults.is_empty());
    assert_same(&reading.molecules[0], &zwitterion(), 1e-3);
    assert_eq!(reading.molecules[0].name, "zwitterion");
    assert_eq!(reading.molecules[0].fields, zwitterion().fields);
}

#[test]
fn large_molecules_are_written_as_v3000_and_come_back() {
    let atoms = (0..1200).map(|k| atom("C", if k == 7 { -1 } else { 0 }, [1.5 * k as f64, 0.25, -3.0]));
    let bonds = (0..1199).map(|k| bond(k, k + 1, 1 + (k % 2) as u8));
    let chain = Molecule::new(atoms, bonds).expect("valid");
    let text = sdf(&chain);
    assert!(text.contains("V3000"));
    assert_same(&read_sdf(&text).molecules[0], &chain, 1e-5);
}

#[test]
fn names_and_fields_cannot_break_a_record() {
    let mut molecule = zwitterion();
    molecule.name = "two\nlines\n$$$$".into();
    molecule.fields = vec![("a<b>".into(), "x\n$$$$\n> <y>".into())];
    let reading = read_sdf(&format!("{}{}", sdf(&molecule), sdf(&zwitterion())));
    assert_eq!((reading.molecules.len(), reading.faults.len()), (2, 0));
}

#[test]
fn broken_records_are_named_and_the_rest_is_read() {
    let good = sdf(&zwitterion());
    let cases = [
        ("no counts", "title\n\n\n".to_string(), "counts line"),
        ("truncated", good.lines().take(9).collect::<Vec<_>>().join("\n"), "ends after 5 of 19"),
        ("huge count", good.replacen(" 10  9", "999999", 1), "ends after"),
        ("NaN", good.replacen("    1.5000", "       NaN", 1), "NaN"),
        ("element", good.replacen(" N   0", " Xx  0", 1), "unknown element \"Xx\""),
        ("bond end", good.replacen("  1  2  1", "  1 77  1", 1), "names atom 77"),
        ("order", good.replacen("  1  2  1", "  1  2  7", 1), "order 7"),
        ("twice", good.replacen("  2  3  1", "  1  2  1", 1), "bonded twice"),
    ];
    for (name, broken, message) in cases {
        let broken = broken.trim_end_matches("$$$$\n").to_string();
        let reading = read_sdf(&format!("{good}{broken}\n$$$$\n{good}"));
        assert_eq!(reading.molecules.len(), 2, "{name}");
        assert_eq!((reading.faults.len(), reading.faults[0].position), (1, 2), "{name}");
        let text = reading.faults[0].to_string();
        assert!(text.contains(message), "{name}: {text}");
    }
    let v3000 = "big\n\n\n  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n\
                 M  V30 COUNTS 99999999 3 0 0 0\nM  END\n$$$$\n";
    assert!(read_sdf(v3000).faults[0].message.contains("promises 99999999 atoms"));
}

#[test]
fn nothing_in_a_file_makes_the_reader_panic() {
    let good = sdf(&zwitterion());
    let mut bytes = good.clone().into_bytes();
    for k in 0..bytes.len() {
        let before = std::mem::replace(&mut bytes[k], 0xFF);
        read_sdf(&String::from_utf8_lossy(&bytes));
        bytes[k] = before;
        read_sdf(&good[..k]);
    }
    for text in ["", "\n\n\n\n", "M  CHG", "\n\n\n  0  0 V2000\nM  CHG\nM  END\n"] {
        read_sdf(text);
    }
}

#[test]
fn xyz_comes_back_without_bonds() {
    let mut out = Vec::new();
    write_xyz(&mut out, &zwitterion()).expect("to memory");
    let text = String::from_utf8(out).expect("text");
    let molecule = &read_xyz(&text).molecules[0];
    assert_eq!(molecule.len(), 10);
    assert!((molecule.atom(3).position - zwitterion().atom(3).position).norm() < 1e-7);
    assert!(molecule.fields.contains(&("source".into(), "by hand".into())));
}

#[test]
fn xyz_variants_are_read() {
    let extended = "2\nLattice=\"1 0 0 0 1 0 0 0 1\" Properties=id:I:1:species:S:1:pos:R:3:q:R:1 energy=-1.5\n\
                    1 O 0 0 1 0.2\n2 H 0 0 2 0.1\n";
    let molecule = &read_xyz(extended).molecules[0];
    assert_eq!((molecule.atom(0).element, molecule.atom(1).position.z), (Element::O, 2.0));
    assert!(molecule.fields.contains(&("energy".into(), "-1.5".into())));
    assert_eq!(read_xyz("1\ncomment\n8 0 0 0\n\n1\n\nH 0 0 0\n").molecules.len(), 2);
    for (text, message) in [
        ("2\n\nC 0 0 0\n", "promises 2 atoms"),
        ("99999999999999\n\nC 0 0 0\n", "promises 99999999999999 atoms"),
        ("1\n\nC 0 nan 0\n", "coordinate \"nan\""),
        ("1\n\nQq 0 0 0\n", "unknown element"),
        ("hello\n", "want a number of atoms"),
        ("1\n\nC 0 0\n", "too few columns"),
    ] {
        let reading = read_xyz(text);
        assert!(reading.molecules.is_empty() && reading.faults[0].message.contains(message), "{text:?}");
    }
}

/// The first file of QM9, as published.
const METHANE: &str = "5\ngdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893\t-40.476062\t-40.475117\t-40.498597\t6.469\t\n\
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689\n\
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921\n\
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922\n\
H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923\n\
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 1.33922*^-1\n\
1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078\n\
C\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n";

#[test]
fn qm9_files_are_read_singly_and_in_their_archive() {
    let molecule = read_qm9_xyz(METHANE).expect("methane");
    assert_eq!((molecule.formula().as_str(), molecule.name.as_str()), ("CH4", "gdb_1"));
    assert!(molecule.fields.contains(&("homo_hartree".into(), "-0.3877".into())));
    let exponents = METHANE.replace("0.0080009958", "8.0009958*^-3");
    let again = read_qm9_xyz(&exponents).expect("methane");
    assert!((again.atom(0).position.z - 0.0080009958).abs() < 1e-12);

    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("dsgdb9nsd.xyz.tar.bz2");
    let file = std::fs::File::create(&archive).expect("a file");
    let encoder = bzip2::write::BzEncoder::new(file, bzip2::Compression::fast());
    let mut tar = tar::Builder::new(encoder);
    for (name, text) in [("dsgdb9nsd_000001.xyz", METHANE), ("dsgdb9nsd_000002.xyz", "broken")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, text.as_bytes()).expect("an entry");
    }
    tar.into_inner().and_then(|e| e.finish()).expect("written");
    let reading = read_molecules(&archive).expect("the archive");
    assert_eq!((reading.molecules.len(), reading.faults.len()), (1, 1));
    assert!(reading.faults[0].to_string().contains("dsgdb9nsd_000002.xyz"));

    // Cut in half: a sentence, no panic.
    let bytes = std::fs::read(&archive).expect("bytes");
    std::fs::write(&archive, &bytes[..bytes.len() / 2]).expect("written");
    assert!(read_molecules(&archive).is_err());
}

#[test]
fn files_by_ending_and_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for name in ["a.sdf", "b.parquet", "c.xyz"] {
        let mut writer = MoleculeWriter::create(&path(name)).expect("a writer");
        writer.write(&[zwitterion(), zwitterion()]).expect("written");
        assert!(!path(name).exists(), "nothing is there before it is whole");
        writer.finish().expect("finished");
        let reading = read_molecules(&path(name)).expect("read");
        assert_eq!((reading.molecules.len(), reading.faults.len()), (2, 0), "{name}");
        if name != "c.xyz" {
            assert_same(&reading.molecules[1], &zwitterion(), 1e-3);
        }
    }
    assert_eq!(read_molecules(folder.path()).expect("the folder").molecules.len(), 6);

    std::fs::write(path("empty.sdf"), "").expect("written");
    std::fs::write(path("d.pdb"), "").expect("written");
    std::fs::write(path("f.abc"), "").expect("written");
    std::fs::write(path("e.parquet"), "not a table").expect("written");
    for (file, message) in [
        ("empty.sdf", "it is empty"),
        ("d.pdb", "it is a PDB file, which is not read; convert it to SDF"),
        ("f.abc", "ending"),
        ("e.parquet", "not a usable Parquet"),
        ("none.sdf", "could not read"),
    ] {
        let error = read_molecules(&path(file)).expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
    std::fs::write(path("latin.sdf"), [b"caf\xE9".as_slice(), &sdf(&zwitterion()).as_bytes()[10..]].concat())
        .expect("written");
    assert_eq!(read_molecules(&path("latin.sdf")).expect("read").molecules.len(), 1);
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = MoleculeWriter::create(&folder.path().join("x.sdf")).expect("a writer");
    writer.write(&[zwitterion()]).expect("written");
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    for bad in ["no/such/folder/x.sdf", "x.pdb"] {
        assert!(MoleculeWriter::create(Path::new(bad)).is_err());
    }
}

#[test]
fn what_was_committed_can_be_rescued() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.sdf");
    let mut writer = MoleculeWriter::create(&path).expect("a writer");
    writer.write(&[zwitterion()]).expect("written");
    writer.commit().expect("committed");
    writer.write(&[zwitterion()]).expect("written");
    assert!(writer.rescue());
    assert_eq!(read_molecules(&path).expect("whole").molecules.len(), 1);
    let mut empty = MoleculeWriter::create(&folder.path().join("y.sdf")).expect("a writer");
    empty.write(&[zwitterion()]).expect("written");
    assert!(!empty.rescue());
    assert!(!folder.path().join("y.sdf").exists());
}

#[test]
fn tables_are_written_batch_by_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |sample| TableRow {
        assessment: Assessment::of(&zwitterion()),
        seed: 7,
        sample,
        targets: Vec::new(),
        estimates: Vec::new(),
    };
    for name in ["t.csv", "t.parquet"] {
        let mut table = TableWriter::create(&folder.path().join(name), &[], false).expect("a writer");
        table.write(&[row(0), row(1)]).expect("written");
        table.write(&[row(2)]).expect("written");
        table.finish().expect("finished");
    }
    let text = std::fs::read_to_string(folder.path().join("t.csv")).expect("text");
    assert_eq!(text.lines().count(), 4);
    assert!(text.starts_with("sample,seed,smiles,formula,atoms,stable,valid,connected,rings,key\n0,7,C(C[NH3+])([O-])=O,C2H5NO2,10,"));
}

proptest! {
    #[test]
    fn any_molecule_survives_sdf(
        atoms in prop::collection::vec((1u8..=118, -4i8..=4, prop::array::uniform3(-99.0f64..99.0)), 1..30),
        ends in prop::collection::vec((0usize..30, 0usize..30, 1u8..=3), 0..40),
    ) {
        let n = atoms.len();
        let atoms: Vec<Atom> = atoms.into_iter().map(|(z, charge, [x, y, z_])| {
            Atom::new(Element::from_number(z).expect("in range"), charge, Point3::new(x, y, z_))
        }).collect();
        let mut seen = std::collections::HashSet::new();
        let bonds: Vec<Bond> = ends.into_iter()
            .filter(|(a, b, _)| a != b && *a < n && *b < n && seen.insert((*a.min(b), *a.max(b))))
            .map(|(a, b, code)| bond(a, b, code))
            .collect();
        let molecule = Molecule::new(atoms, bonds).expect("valid");
        assert_same(&read_sdf(&sdf(&molecule)).molecules[0], &molecule, 1e-3);
    }
}
