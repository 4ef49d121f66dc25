//! Files that other programs and people write: what RDKit makes of them, or one sentence.

use std::io::Write;
use std::path::Path;

use unmelt_molecules::format::{
    MoleculeWriter, Preparation, Reading, read_molecules, read_prepared, read_sdf, read_xyz, write_sdf,
    write_xyz,
};
use unmelt_molecules::perception::bonded;
use unmelt_molecules::{BondOrder, Fragments, Molecule, is_valid};

/// A record of version 2000: a title, atoms as (element with its codes, x, y, z), bonds, and lines behind them.
fn record(title: &str, atoms: &[(&str, [f64; 3])], bonds: &[[usize; 3]], behind: &str) -> String {
    let mut s = format!(
        "{title}\n  test              3D\n\n{:3}{:3}  0  0  0  0  0  0  0  0999 V2000\n",
        atoms.len(),
        bonds.len()
    );
    for (symbol, [x, y, z]) in atoms {
        s += &format!("{x:10.4}{y:10.4}{z:10.4} {symbol:<3} 0  0\n");
    }
    for [a, b, order] in bonds {
        s += &format!("{a:3}{b:3}{order:3}  0\n");
    }
    s + behind + "M  END\n"
}

const WATER: [(&str, [f64; 3]); 3] =
    [("O", [0.0, 0.0, 0.1178]), ("H", [0.0, 0.7554, -0.4712]), ("H", [0.0, -0.7554, -0.4712])];

fn water() -> String {
    record("water", &WATER, &[[1, 2, 1], [1, 3, 1]], "")
}

fn methyl(behind: &str, charge_code: &str) -> String {
    let atoms = [
        ("C", [0.0, 0.0, 0.1]),
        ("H", [1.08, 0.0, 0.0]),
        ("H", [-0.54, 0.93, 0.0]),
        ("H", [-0.54, -0.93, 0.0]),
    ];
    let text = record("methyl", &atoms, &[[1, 2, 1], [1, 3, 1], [1, 4, 1]], behind);
    text.replacen("C   0  0", &format!("C   0  {charge_code}"), 1)
}

fn one(text: &str) -> Molecule {
    let reading = read_sdf(text);
    assert!(reading.faults.is_empty(), "{:?}", reading.faults);
    reading.molecules.into_iter().next().expect("a molecule")
}

fn fault(reading: &Reading) -> String {
    assert!(reading.molecules.is_empty(), "{:?}", reading.molecules);
    reading.faults.first().expect("a fault").to_string()
}

fn sdf(molecule: &Molecule) -> String {
    let mut out = Vec::new();
    write_sdf(&mut out, molecule).expect("to memory");
    String::from_utf8(out).expect("text")
}

/// Charges, unpaired electrons and isotopes.
fn marks(molecule: &Molecule) -> Vec<(i8, u8, u16)> {
    molecule.atoms().map(|a| (a.charge, a.radicals, a.isotope)).collect()
}

fn orders(molecule: &Molecule) -> Vec<BondOrder> {
    molecule.bonds().map(|b| b.order).collect()
}

#[test]
fn separators_and_blank_lines_cost_no_record() {
    let text = format!("{}$$$$ \n\n\n{}> <A>\n1\n \n$$$$\n\n$$$$\n{}", water(), water(), water());
    let reading = read_sdf(&text);
    assert_eq!((reading.molecules.len(), reading.faults.len()), (3, 0), "{:?}", reading.faults);
    assert!(reading.molecules.iter().all(|m| m.name == "water"));
    assert_eq!(reading.molecules[1].fields, [("A".to_string(), "1".to_string())]);
}

#[test]
fn the_counts_line_is_found_where_it_is() {
    let usual = water();
    for (text, name) in [
        (usual.replacen("3D\n\n", "3D\nStructure written by MMmdl.\n\n", 1), "water"),
        (format!("REMARK score 198.7\n{usual}"), "water"),
        (format!("\n\n{usual}"), "water"),
        (usual.replacen("water\n", "", 1), ""),
        (
            usual.replacen(
                "  3  2  0  0  0  0  0  0  0  0999 V2000",
                "  3  2  0  0  0  0  0  0  0  0  0    0",
                1,
            ),
            "water",
        ),
        (
            usual.replacen(
                "  3  2  0  0  0  0  0  0  0  0999 V2000",
                "3  2  0  0  0  0  0  0  0  0  999V2000 ",
                1,
            ),
            "water",
        ),
        (
            usual.replacen(
                "  3  2  0  0  0  0  0  0  0  0999 V2000",
                "  3  2  0  0  1  0            999 V2000",
                1,
            ),
            "water",
        ),
    ] {
        let molecule = one(&text);
        assert_eq!((molecule.formula().as_str(), molecule.name.as_str()), ("H2O", name), "{text}");
    }
    let text = fault(&read_sdf("title\n\n\nno counts here\n"));
    assert!(text.contains("line 4 of the file") && text.contains("no counts here"), "{text}");
    let text = fault(&read_sdf(&usual.replacen("  3  2  0", "1050700  0", 1)));
    assert!(text.contains("run together") && text.contains("999"), "{text}");
}

#[test]
fn radicals_supersede_the_charges_of_atom_lines() {
    let methyl_radical = one(&methyl("M  RAD  1   1   2\n", "3"));
    assert_eq!(marks(&methyl_radical)[0], (0, 1, 0));
    assert_eq!(methyl_radical.radicals(), 1);
    assert_eq!(marks(&one(&methyl("", "3")))[0], (1, 0, 0));
    assert_eq!(marks(&one(&methyl("M  CHG  1   1  -1\n", "3")))[0], (-1, 0, 0));
    assert_eq!(marks(&one(&methyl("M  RAD  1   1   3\n", "0")))[0], (0, 2, 0));
    assert_eq!(marks(&one(&sdf(&methyl_radical))), marks(&methyl_radical));
    assert!(fault(&read_sdf(&methyl("M  RAD  1   9   2\n", "0"))).contains("M  RAD"));
}

#[test]
fn isotopes_are_read_and_written_again() {
    let atoms = [("O", WATER[0].1), ("D", WATER[1].1), ("H", WATER[2].1)];
    let text = record("heavy", &atoms, &[[1, 2, 1], [1, 3, 1]], "").replacen("H   0", "H   1", 1);
    let heavy = one(&text);
    assert_eq!(marks(&heavy), [(0, 0, 0), (0, 0, 2), (0, 0, 2)]);
    assert_eq!(marks(&one(&sdf(&heavy))), marks(&heavy));
    let labelled =
        one(&record("C13", &[("C", [0.0; 3]), ("T", [1.0, 0.0, 0.3])], &[[1, 2, 1]], "M  ISO  1   1  13\n"));
    assert_eq!(marks(&labelled), [(0, 0, 13), (0, 0, 3)]);
    let mut out = Vec::new();
    write_xyz(&mut out, &heavy).expect("to memory");
    assert!(String::from_utf8(out).expect("text").contains("mass_number"));
}

#[test]
fn dative_and_zero_order_bonds_stay_what_they_are() {
    let atoms = [("N", [0.0; 3]), ("B", [1.6, 0.0, 0.1]), ("H", [-0.4, 0.9, 0.0])];
    let bonds = |order| [[1, 2, order], [1, 3, 1]];
    for (text, order) in [
        (record("dative", &atoms, &bonds(9), ""), BondOrder::Dative),
        (record("zero", &atoms, &bonds(8), "M  ZBO  1   1   0\n"), BondOrder::Zero),
        (record("zero of RDKit", &atoms, &bonds(1), "M  ZBO  1   1   0\n"), BondOrder::Zero),
    ] {
        let molecule = one(&text);
        assert_eq!(orders(&molecule), [order, BondOrder::Single]);
        let again = one(&sdf(&molecule));
        assert_eq!(
            molecule.bonds().collect::<Vec<_>>(),
            again.bonds().collect::<Vec<_>>(),
            "{}",
            sdf(&molecule)
        );
    }
    assert!(sdf(&one(&record("d", &atoms, &bonds(9), ""))).contains("V3000"));
    assert!(fault(&read_sdf(&record("q", &atoms, &bonds(6), ""))).contains("query"));
}

#[test]
fn version_3000_is_read_with_its_continuations_and_foreign_blocks() {
    let text = "glycine\n     RDKit          3D\n\n  0  0  0  0  0  0  0  0  0  0999 V3000\nM  V30 BEGIN CTAB\n\
                M  V30 COUNTS 3 2 1 0 0\nM  V30 BEGIN ATOM\nM  V30 7 N 0 0 0 0 -\nM  V30 CHG=1\nM  V30 2 O 1 0 0.1 0 - \n\
                M  V30 CHG=-1 RAD=2\nM  V30 3 H 2 0 0 0 MASS=2\nM  V30 END ATOM\nM  V30 BEGIN BOND\nM  V30 1 9 7 2\n\
                M  V30 2 1 2 3\nM  V30 END BOND\nM  V30 BEGIN SGROUP\nM  V30 1 DAT 0 ATOMS=(2 2 3) CBONDS=(1 2) FIELDNAME=ZBO\n\
                M  V30 END SGROUP\nM  V30 END CTAB\nM  V30 BEGIN RGROUP 1\nM  V30 RLOGIC 0 0 \"\"\nM  V30 BEGIN CTAB\n\
                M  V30 COUNTS 1 0 0 0 0\nM  V30 BEGIN ATOM\nM  V30 1 O 5 4 0 0 ATTCHPT=1\nM  V30 END ATOM\nM  V30 END CTAB\n\
                M  V30 END RGROUP\nM  END\n> <A>\n1\n\n$$$$\n";
    let molecule = one(text);
    assert_eq!(marks(&molecule), [(1, 0, 0), (-1, 1, 0), (0, 0, 2)]);
    assert_eq!(orders(&molecule), [BondOrder::Dative, BondOrder::Zero]);
    assert_eq!(molecule.fields.len(), 1);
    // As RDKit: the words around the structure in any case, those of the blocks within it in capitals.
    for (from, to) in [
        ("BEGIN CTAB", "begin ctab"),
        ("END CTAB", "End Ctab"),
        ("CTAB", "Ctab"),
        ("COUNTS", "counts"),
        ("CHG", "chg"),
    ] {
        assert!(text.contains(from) || from == "CHG", "{from}");
        assert_eq!(sdf(&one(&text.replace(from, to))), sdf(&molecule), "{to}");
    }
    for (from, to) in [("BEGIN ATOM", "begin atom"), ("END BOND", "end bond")] {
        assert!(!read_sdf(&text.replace(from, to)).faults.is_empty(), "{to}");
    }
    let argon = "\n  -INDIGO-08292417452D\n\n  0  0  0  0  0  0  0  0  0  0  0 V3000\nM  V30 BEGIN CTAB\nM  V30 COUNTS 1 0 0 0 0\n\
                 M  V30 BEGIN ATOM\nM  V30 1 Ar 9.35 -4.8 0.0 0\nM  V30 END ATOM\nM  V30 BEGIN BOND\nM  V30 END BOND\nM  V30 END CTAB\nM  END\n";
    assert_eq!(one(argon).formula(), "Ar");
}

#[test]
fn aliases_and_records_in_records_end_nothing() {
    let behind = "A    1\n>OH\nM  ZZJ   7   1  0  0  0  0  0  0  0  0  0  1 V2000\nM  ZZJ   7 M  END\nM  STY  1   1 DAT\nM  SED   1 > 5\n\
                  M  CHG  1   1  -1\n";
    let molecule = one(&(record("w", &WATER, &[[1, 2, 1], [1, 3, 1]], behind) + "> <A>\n7\n\n$$$$\n"));
    assert_eq!(
        (marks(&molecule)[0].0, molecule.fields.as_slice()),
        (-1, [("A".to_string(), "7".to_string())].as_slice())
    );
}

#[test]
fn attachment_points_are_for_fragments_alone() {
    let atoms = |symbol| {
        [
            ("C", [0.0, 0.0, 0.1]),
            (symbol, [1.5, 0.0, 0.0]),
            ("H", [-0.5, 0.9, 0.0]),
            ("H", [-0.5, -0.9, 0.0]),
            ("H", [-0.4, 0.0, 1.1]),
        ]
    };
    let bonds = [[1, 2, 1], [1, 3, 1], [1, 4, 1], [1, 5, 1]];
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("core.sdf");
    for symbol in ["R#", "R1", "R", "*", "Du"] {
        let text = record("core", &atoms(symbol), &bonds, "M  RGP  1   2   1\n");
        let said = fault(&read_sdf(&text));
        assert!(
            said.contains("name its attachment atoms") && said.contains(&format!("atom 2 is {symbol}")),
            "{said}"
        );
        std::fs::write(&path, &text).expect("written");
        let reading = read_prepared(&path, Preparation::Fragments).expect("read");
        let fragments = Fragments::new(&reading.molecules, None).expect("attached");
        assert_eq!(
            (fragments.molecule().formula().as_str(), fragments.open()),
            ("CH3", [true, false, false, false].as_slice())
        );
    }
    for symbol in ["A", "Q", "L"] {
        assert!(fault(&read_sdf(&record("q", &atoms(symbol), &bonds, ""))).contains("query"));
    }
    let said = fault(&read_sdf(&record("two", &atoms("R#"), &[[1, 2, 1], [2, 3, 1]], "")));
    assert!(said.contains("attachment") || said.contains("must have one"), "{said}");
}

#[test]
fn xyz_counts_labels_numbers_and_ions_are_read() {
    let of = |text: &str| {
        let reading = read_xyz(text);
        assert!(reading.faults.is_empty(), "{text}: {:?}", reading.faults);
        reading.molecules
    };
    assert_eq!(of("3 0 1\nw\nO 0 0 0.1\nH 0 0.7D0 -0.4\nH 0 -7.0D-01 -0.4\n")[0].formula(), "H2O");
    assert_eq!(of("      1\nw1\nO1 0 0 0\n        1\nw2\nH1A 0 0 0\n\n\n").len(), 2);
    let salt = &of("2\nsalt\nNa1+ 0 0 0\nCl1- 2.6 0 0\n")[0];
    assert_eq!(salt.atoms().map(|a| a.charge).collect::<Vec<_>>(), [1, -1]);
    for (text, message) in [
        ("1\n\nX 0 0 0\n", "a point without an element"),
        ("1\n\nR1 0 0 0\n", "a point without an element"),
        ("1\n\nC: 0 0 0\n", "unknown element"),
        ("1\nProperties=species:S:99999999999999999999:pos:R:3\nC 0 0 0\n", "width"),
        ("0", ""),
    ] {
        let reading = read_xyz(text);
        assert!(message.is_empty() || fault(&reading).contains(message), "{text:?}");
    }
}

#[test]
fn extended_xyz_is_read_in_any_order_and_across_borders() {
    let text = "3\nlattice='4.0 0 0 0 4.0 0 0 0 4.0' PROPERTIES=pos:R:3:forces:R:3:species:S:1 pbc=\"T T T\" name=\"a \\\"b\\\"\" e=-1\n\
                0 2.0 3.9 0 0 0 O\n0 2.75545 0.48895 0 0 0 H\n0 1.24455 0.48895 0 0 0 H\n";
    let molecule = &read_xyz(text).molecules[0];
    assert_eq!(molecule.name, "a \"b\"");
    assert!((molecule.atom(1).position.z - 4.48895).abs() < 1e-9, "{:?}", molecule.atom(1));
    assert!(is_valid(&bonded(molecule).expect("bonds")));
    let open = read_xyz(&text.replace("T T T", "F F F"));
    assert_eq!(open.molecules[0].atom(1).position.z, 0.48895);
    assert!(fault(&read_xyz(&text.replace("4.0 0 0 0", "4.0 0 0"))).contains("nine numbers"));
    let mut out = Vec::new();
    write_xyz(&mut out, molecule).expect("to memory");
    let again = &read_xyz(std::str::from_utf8(&out).expect("text")).molecules[0];
    assert_eq!((&again.name, again.len()), (&molecule.name, 3));
}

const AMMONIUM: &str =
    "N 0 0 0\nH 0.59 0.59 0.59\nH -0.59 -0.59 0.59\nH -0.59 0.59 -0.59\nH 0.59 -0.59 -0.59\n";

#[test]
fn the_total_charge_decides_on_formal_charges() {
    let of = |comment: &str, atoms: &str| {
        let molecule =
            read_xyz(&format!("{}\n{comment}\n{atoms}", atoms.lines().count())).molecules.remove(0);
        bonded(&molecule).expect("bonds")
    };
    let ammonium = of("charge=1 spin=1", AMMONIUM);
    assert!(is_valid(&ammonium));
    assert_eq!(ammonium.formula(), "H4N+");
    assert!(!is_valid(&of("no word on it", AMMONIUM)));
    // Acetate, both bonds to oxygen of one length.
    let acetate = "C 0.0 0.0 0.0\nC 1.53 0.0 0.0\nO 2.15 1.08 0.0\nO 2.15 -1.08 0.0\nH -0.4 1.02 0.0\nH -0.4 -0.51 0.88\nH -0.4 -0.51 -0.88\n";
    let made = of("CHARGE=-1", acetate);
    assert!(is_valid(&made), "{:?}", made.bonds().collect::<Vec<_>>());
    assert_eq!(made.formula(), "C2H3O2-");
    assert!(!is_valid(&of("charge=0=", acetate)));
    // A nitro group needs no word: its charges add up to nought, or RDKit's rules take five bonds for them.
    let nitro = "C 0.0 0.0 0.0\nN 1.49 0.0 0.0\nO 2.05 1.08 0.0\nO 2.05 -1.08 0.0\nH -0.35 1.02 0.0\nH -0.35 -0.51 0.88\nH -0.35 -0.51 -0.88\n";
    let made = of("charge=0=", nitro);
    assert!(is_valid(&made), "{:?}", made.bonds().collect::<Vec<_>>());
    assert_eq!(made.formula(), "CH3NO2");
    // Benzene: lengths between those of the tables.
    let ring: String = (0..6)
        .flat_map(|k| {
            let angle = std::f64::consts::TAU * f64::from(k) / 6.0;
            [("C", 1.397), ("H", 2.48)]
                .map(|(s, r)| format!("{s} {:.4} {:.4} 0.0\n", r * angle.cos(), r * angle.sin()))
        })
        .collect();
    let benzene = of("benzene", &ring);
    assert!(is_valid(&benzene));
    assert_eq!(benzene.bonds().filter(|b| b.order == BondOrder::Double).count(), 3);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

#[test]
fn packed_files_and_encodings_are_read_and_damage_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let xyz = "3\nwater\nO 0 0 0.11779\nH 0 0.75545 -0.47116\nH 0 -0.75545 -0.47116\n";
    let utf16: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(water().encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let whole = gzip(water().as_bytes());
    let bom = [&[0xEF, 0xBB, 0xBF], water().as_bytes()].concat();
    for (name, bytes) in [
        ("a.sdf.gz", whole.clone()),
        ("b.xyz.gz", gzip(xyz.as_bytes())),
        ("c.sdf", utf16),
        ("d.sdf", water().replace('\n', "\r").into_bytes()),
        ("e.sdf", water().replace('\n', "\r\n").into_bytes()),
        ("f.sdf", bom),
        ("molecule_000.txt", xyz.as_bytes().to_vec()),
        ("unpacked_name.sdf", whole.clone()),
    ] {
        let reading = read_molecules(&write(name, &bytes)).expect(name);
        assert_eq!((reading.molecules.len(), reading.faults.len()), (1, 0), "{name}");
        assert_eq!(reading.molecules[0].formula(), "H2O", "{name}");
        assert!(["water", ""].contains(&reading.molecules[0].name.as_str()), "{name}");
    }
    write("README.txt", b"These are molecules.\n");
    write("ligand.mol2", b"@<TRIPOS>MOLECULE\n");
    let all = read_molecules(folder.path()).expect("the folder");
    assert_eq!((all.molecules.len(), all.faults.len()), (8, 1));
    assert!(
        all.faults[0].to_string().contains("ligand.mol2: the file was left out: it is a Tripos mol2 file")
    );

    let mut damaged = whole;
    let end = damaged.len() - 6;
    damaged[end] ^= 1;
    for (name, bytes, message) in [
        ("x.sdf.gz", damaged.as_slice(), "checksum"),
        ("ligand.mol2", b"x", "Tripos mol2"),
        ("x.smi", b"CCO", "a list of SMILES, which has no coordinates"),
        ("x.txt", b"hello", "begins like neither"),
    ] {
        let error = read_molecules(&write(name, bytes)).expect_err(name).to_string();
        assert!(error.contains(message) && error.contains(name), "{error}");
    }
}

#[test]
fn drawings_and_missing_hydrogens_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |text: &str, preparation| {
        let path = folder.path().join("in.sdf");
        std::fs::write(&path, text).expect("written");
        read_prepared(&path, preparation).expect("read")
    };
    let bare = record("bare", &[("C", [0.0, 0.0, 0.3]), ("O", [1.4, 0.0, 0.0])], &[[1, 2, 1]], "");
    for preparation in [Preparation::Evaluation, Preparation::Variation] {
        let reading = read(&bare, preparation);
        assert_eq!(reading.molecules[0].formula(), "CH4O");
        assert!(reading.notes[0].contains("hydrogens were added to one molecule"), "{:?}", reading.notes);
        let drawing = read(
            &water().replace("3D", "2D").replace("0.1178", "0.0000").replace("-0.4712", " 0.0000"),
            preparation,
        );
        assert!(fault(&drawing).contains("drawing in two dimensions"));
        let zero =
            record("zero", &[("C", [0.0; 3]), ("O", [0.0; 3]), ("H", [0.0; 3])], &[[1, 2, 1], [2, 3, 1]], "");
        assert!(fault(&read(&zero, preparation)).contains("all its atoms on one place"));
    }
    // Geometry says nothing of a file that is only read.
    assert_eq!(read(&bare, Preparation::AsIs).molecules[0].len(), 2);
    let nothing = record("nothing", &[], &[], "");
    assert!(fault(&read(&nothing, Preparation::Variation)).contains("no atoms"));
}

#[test]
fn atoms_on_one_place_take_no_time() {
    let text = format!("20000\n\n{}", "C 0 0 0\n".repeat(20_000));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.xyz");
    std::fs::write(&path, text).expect("written");
    assert!(fault(&read_prepared(&path, Preparation::Evaluation).expect("read")).contains("on one place"));
    // Two places, and a ball without room between the atoms.
    let ball: String = (0..5000u32)
        .map(|k| format!("C {} {} {}\n", k % 17, f64::from(k) * 1e-4, f64::from(k % 13) * 0.05))
        .collect();
    std::fs::write(&path, format!("5000\n\n{ball}")).expect("written");
    let reading = read_prepared(&path, Preparation::Variation).expect("read");
    assert!(
        fault(&reading).contains("too close together") || fault(&reading).contains("one place"),
        "{:?}",
        reading.faults
    );
}

#[test]
fn control_characters_of_a_file_are_not_sent_to_a_terminal() {
    let said = fault(&read_sdf(&record("esc", &[("\u{1b}[2", [0.0; 3])], &[], "")));
    assert!(!said.contains('\u{1b}') && said.contains("\\u{1b}"), "{said}");
}

fn table(path: &Path, molecules: &[Molecule]) {
    let mut writer = MoleculeWriter::create(path).expect("a writer");
    writer.write(molecules).expect("written");
    writer.finish().expect("finished");
}

/// Every byte of a table changed, and every length cut: a table or a sentence, never a panic or memory on a header's word.
#[test]
fn broken_tables_are_sentences() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.parquet");
    let mut molecule = one(&methyl("M  RAD  1   1   2\nM  ISO  1   2   2\n", "0"));
    molecule.name = "methyl".into();
    table(&path, &[molecule.clone(), one(&water()), molecule.clone()]);
    let reading = read_molecules(&path).expect("read");
    assert_eq!((reading.molecules.len(), reading.faults.len()), (3, 0), "{:?}", reading.faults);
    assert_eq!(marks(&reading.molecules[2]), marks(&molecule));
    assert_eq!(reading.molecules[0].name, "methyl");
    assert_eq!(reading.molecules[1].formula(), "H2O");
    let whole = std::fs::read(&path).expect("bytes");
    let mut refused = 0;
    for (k, change) in (0..whole.len()).step_by(3).zip([0xFF, 0x01, 0x80, 0x10].into_iter().cycle()) {
        let mut bytes = whole.clone();
        bytes[k] ^= change;
        std::fs::write(&path, &bytes).expect("written");
        refused += usize::from(read_molecules(&path).is_err());
    }
    assert!(refused > 50, "{refused}");
    for length in (0..whole.len()).step_by(31) {
        std::fs::write(&path, &whole[..length]).expect("written");
        read_molecules(&path).expect_err("cut off");
    }
}

#[test]
fn what_a_format_says_of_charges_is_said_of_that_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let notes = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("room");
        read_prepared(&path, Preparation::Variation).expect("readable").notes.join("; ")
    };
    let xyz = notes("a.xyz", "2\n\nO 0 0 0\nH 0 0 0.97\n");
    assert!(xyz.contains("XYZ holds no formal charges: one molecule"), "{xyz}");
    let atom = |symbol: &str, z: f64| {
        format!("    0.0000    0.0000{z:10.4} {symbol}   0  0  0  0  0  0  0  0  0  0  0  0\n")
    };
    let (oxygen, hydrogen) = (atom("O", 0.0), atom("H", 0.97));
    let sdf = format!(
        "a\n  x         3D\n\n  2  0  0  0  0  0  0  0  0  0999 V2000\n{oxygen}{hydrogen}M  END\n$$$$\n"
    );
    let sdf = notes("a.sdf", &sdf);
    assert!(
        sdf.contains("distances say nothing of formal charges: one molecule") && !sdf.contains("XYZ"),
        "{sdf}"
    );
}
