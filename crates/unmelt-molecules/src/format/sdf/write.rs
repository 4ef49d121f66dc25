//! Writing records: V2000, or V3000 where something does not fit that.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::header::V2000_MAX;
use crate::{Atom, Bond, BondOrder, Molecule};

/// Writes one record: V2000, or V3000 where a count, a coordinate or a bond does not fit that.
pub fn write_sdf(out: &mut dyn Write, molecule: &Molecule) -> io::Result<()> {
    let newer = |order| matches!(order, BondOrder::Dative | BondOrder::Hydrogen);
    let fits = molecule.len() <= V2000_MAX
        && molecule.graph().edge_count() <= V2000_MAX
        && molecule.atoms().all(|a| a.position.iter().all(|x| x.abs() < 9999.0))
        && !molecule.bonds().any(|b| newer(b.order));
    let body = if fits { v2000(molecule) } else { v3000(molecule) };
    out.write_all(body.as_bytes())
}

/// A title or name in one line, so that it cannot be taken for the next part of the record.
fn one_line(text: &str) -> String {
    let parts = text.split(['\n', '\r']).map(|l| l.trim_start_matches("$$$$"));
    parts.filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A value: its own lines where each of them can only be taken for a part of it, else one line.
fn value_lines(text: &str) -> String {
    let safe = |l: &str| !l.trim().is_empty() && !l.starts_with("$$$$") && !l.starts_with('>');
    let plain = text.split('\n').all(|l| safe(l) && !l.contains('\r'));
    // A single line may begin as it likes: no blank line stands before it.
    let single = !text.contains(['\n', '\r']) && !text.starts_with("$$$$");
    if plain || single { text.into() } else { one_line(text) }
}

fn header(molecule: &Molecule) -> String {
    // Two columns for a user, eight for the program, ten for a date, then the dimensions.
    let dimensions = if molecule.is_drawing { "2D" } else { "3D" };
    format!("{}\n  {:<8}{:10}{dimensions}\n\n", one_line(&molecule.name), "unmelt", "")
}

/// The code of a radical: a doublet for one unpaired electron, a triplet for two.
fn radical_code(atom: &Atom) -> i64 {
    match atom.radicals {
        0 => 0,
        1 => 2,
        _ => 3,
    }
}

fn v2000(molecule: &Molecule) -> String {
    let mut s = header(molecule);
    let bonds: Vec<Bond> = molecule.bonds().collect();
    // Writing to a string cannot fail.
    let _ = writeln!(s, "{:3}{:3}  0  0  0  0  0  0  0  0999 V2000", molecule.len(), bonds.len());
    for a in molecule.atoms() {
        let p = a.position;
        let symbol = a.element.symbol();
        let _ = writeln!(
            s,
            "{:10.4}{:10.4}{:10.4} {symbol:<3} 0  0  0  0  0  0  0  0  0  0  0  0",
            p.x, p.y, p.z
        );
    }
    for b in &bonds {
        let _ = writeln!(s, "{:3}{:3}{:3}  0", b.begin + 1, b.end + 1, b.order.code());
    }
    let of_atoms = |f: fn(&Atom) -> i64| molecule.atoms().map(f).collect::<Vec<i64>>();
    property(&mut s, "CHG", &of_atoms(|a| i64::from(a.charge)));
    property(&mut s, "RAD", &of_atoms(radical_code));
    property(&mut s, "ISO", &of_atoms(|a| i64::from(a.isotope)));
    for k in zero_order(&bonds) {
        let _ = writeln!(s, "M  ZBO  1 {k:3}   0");
    }
    s.push_str("M  END\n");
    end_of_record(s, molecule)
}

/// Lines of a property, eight atoms each, of the atoms where it is not zero.
fn property(s: &mut String, name: &str, values: &[i64]) {
    let set: Vec<(usize, i64)> =
        values.iter().enumerate().filter(|(_, v)| **v != 0).map(|(k, v)| (k + 1, *v)).collect();
    for chunk in set.chunks(8) {
        let _ = write!(s, "M  {name}{:3}", chunk.len());
        for (k, value) in chunk {
            let _ = write!(s, " {k:3} {value:3}");
        }
        s.push('\n');
    }
}

/// Numbers of the bonds of order zero, from 1.
fn zero_order(bonds: &[Bond]) -> impl Iterator<Item = usize> + '_ {
    bonds.iter().enumerate().filter(|(_, b)| b.order == BondOrder::Zero).map(|(k, _)| k + 1)
}

fn v3000(molecule: &Molecule) -> String {
    let mut s = header(molecule);
    let bonds: Vec<Bond> = molecule.bonds().collect();
    let groups = zero_order(&bonds).count();
    s.push_str("  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n");
    let _ = writeln!(s, "M  V30 COUNTS {} {} {groups} 0 0\nM  V30 BEGIN ATOM", molecule.len(), bonds.len());
    for (k, a) in molecule.atoms().enumerate() {
        let p = a.position;
        let _ = write!(s, "M  V30 {} {} {:.6} {:.6} {:.6} 0", k + 1, a.element, p.x, p.y, p.z);
        let values = [("CHG", i64::from(a.charge)), ("RAD", radical_code(a)), ("MASS", i64::from(a.isotope))];
        for (key, value) in values.into_iter().filter(|(_, v)| *v != 0) {
            let _ = write!(s, " {key}={value}");
        }
        s.push('\n');
    }
    s.push_str("M  V30 END ATOM\nM  V30 BEGIN BOND\n");
    for (k, b) in bonds.iter().enumerate() {
        let _ = writeln!(s, "M  V30 {} {} {} {}", k + 1, b.order.code(), b.begin + 1, b.end + 1);
    }
    s.push_str("M  V30 END BOND\n");
    if groups > 0 {
        s.push_str("M  V30 BEGIN SGROUP\n");
        for (k, bond) in zero_order(&bonds).enumerate() {
            let [a, b] = [bonds[bond - 1].begin + 1, bonds[bond - 1].end + 1];
            let _ = writeln!(s, "M  V30 {} DAT 0 ATOMS=(2 {a} {b}) CBONDS=(1 {bond}) FIELDNAME=ZBO", k + 1);
        }
        s.push_str("M  V30 END SGROUP\n");
    }
    s.push_str("M  V30 END CTAB\nM  END\n");
    end_of_record(s, molecule)
}

fn end_of_record(mut s: String, molecule: &Molecule) -> String {
    for (name, value) in &molecule.fields {
        // A name may hold both signs where the reader finds its ends.
        let name = one_line(name);
        let _ = writeln!(s, ">  <{name}>\n{}\n", value_lines(value));
    }
    s.push_str("$$$$\n");
    s
}
