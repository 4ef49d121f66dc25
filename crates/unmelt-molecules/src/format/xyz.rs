//! XYZ and extended XYZ files, and QM9's own variant of them.

use std::io::{self, Write};

use nalgebra::Point3;

use super::{Fault, Reading};
use crate::{Atom, Element, Molecule};

/// More atoms than this are taken for a broken file.
const MAX_ATOMS: usize = 1_000_000;

/// Reads the frames of an XYZ file; those that make no molecule are reported, the rest is read as far as the
/// frames can be told apart. There are no bonds in it. Of extended XYZ the columns of `Properties` are followed
/// (`species` and `pos`), and `key=value` pairs become fields.
pub fn read_xyz(text: &str) -> Reading {
    let lines: Vec<&str> = text.lines().collect();
    let (mut reading, mut start) = (Reading::default(), 0);
    while start < lines.len() {
        if lines[start].trim().is_empty() {
            start += 1;
            continue;
        }
        let position = reading.molecules.len() + reading.faults.len() + 1;
        let mut fault = |message: String| reading.faults.push(Fault::new(position, "frame", message));
        let Ok(n) = lines[start].trim().parse::<usize>() else {
            fault(format!("line {} is \"{}\", want a number of atoms", start + 1, clip(lines[start])));
            break;
        };
        if n > MAX_ATOMS || start + 2 + n > lines.len() {
            let there = lines.len().saturating_sub(start + 2);
            fault(format!("it promises {n} atoms and breaks off after {there}"));
            break;
        }
        match read_frame(lines[start + 1], &lines[start + 2..start + 2 + n]) {
            Ok(molecule) => reading.molecules.push(molecule),
            Err(message) => fault(message),
        }
        start += 2 + n;
        start += qm9_tail(&lines[start..], n);
    }
    reading
}

/// Lines after the atoms in QM9's files: frequencies, two SMILES, two InChI.
fn qm9_tail(lines: &[&str], atoms: usize) -> usize {
    let is_tail = lines.len() >= 3 && lines[2].starts_with("InChI=");
    let frequencies = lines.first().map_or(0, |l| l.split_whitespace().count());
    if is_tail && frequencies + 6 >= (3 * atoms).min(7) { 3 } else { 0 }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Where the columns of an atom line are.
struct Columns {
    symbol: usize,
    position: usize,
}

fn read_frame(comment: &str, lines: &[&str]) -> Result<Molecule, String> {
    let pairs = key_values(comment);
    let columns = match pairs.iter().find(|(k, _)| k == "Properties") {
        Some((_, properties)) => columns_of(properties)?,
        None => Columns { symbol: 0, position: 1 },
    };
    let atoms = lines
        .iter()
        .enumerate()
        .map(|(k, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let word =
                |c: usize| words.get(c).copied().ok_or_else(|| format!("atom {} has too few columns", k + 1));
            let number = |c: usize| {
                let text = word(c)?;
                parse_number(text)
                    .filter(|x| x.is_finite())
                    .ok_or_else(|| format!("atom {} has the coordinate \"{}\"", k + 1, clip(text)))
            };
            let symbol = word(columns.symbol)?;
            let by_number = symbol.parse().ok().and_then(Element::from_number);
            let element = by_number
                .or_else(|| Element::from_symbol(symbol))
                .ok_or_else(|| format!("atom {} is of the unknown element \"{}\"", k + 1, clip(symbol)))?;
            let p = columns.position;
            Ok(Atom::new(element, 0, Point3::new(number(p)?, number(p + 1)?, number(p + 2)?)))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let mut molecule = Molecule::new(atoms, []).map_err(|e| e.to_string())?;
    if pairs.is_empty() {
        molecule.name = comment.trim().to_string();
    }
    molecule.fields = pairs.into_iter().filter(|(k, _)| k != "Properties").collect();
    Ok(molecule)
}

/// A number, with QM9's `*^` for `e`.
fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| text.replace("*^", "e").parse().ok())
}

/// The `key=value` pairs of a comment line; values may be in double quotes.
fn key_values(comment: &str) -> Vec<(String, String)> {
    let (mut pairs, mut rest) = (Vec::new(), comment.trim());
    while let Some((before, after)) = rest.split_once('=') {
        let key = before.split_whitespace().last().unwrap_or("").to_string();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        pairs.push((key, value.to_string()));
        rest = next.trim_start();
    }
    pairs
}

/// Columns from extended XYZ's `species:S:1:pos:R:3:…`.
fn columns_of(properties: &str) -> Result<Columns, String> {
    let parts: Vec<&str> = properties.split(':').collect();
    let (mut at, mut symbol, mut position) = (0, None, None);
    for part in parts.chunks(3) {
        let [name, _, width] = part else { return Err(format!("Properties={properties} is not in threes")) };
        match *name {
            "species" | "Z" | "element" => symbol = symbol.or(Some(at)),
            "pos" | "positions" => position = Some(at),
            _ => {}
        }
        at += width.parse::<usize>().map_err(|_| format!("Properties={properties} has the width {width}"))?;
    }
    match (symbol, position) {
        (Some(symbol), Some(position)) => Ok(Columns { symbol, position }),
        _ => Err(format!("Properties={properties} names no species and pos")),
    }
}

/// Writes one frame of extended XYZ. Bonds have no place in the format.
pub fn write_xyz(out: &mut dyn Write, molecule: &Molecule) -> io::Result<()> {
    let mut text = format!("{}\nProperties=species:S:1:pos:R:3", molecule.len());
    if !molecule.name.is_empty() {
        text.push_str(&format!(" name=\"{}\"", plain(&molecule.name)));
    }
    for (key, value) in &molecule.fields {
        text.push_str(&format!(" {}=\"{}\"", plain(key).replace([' ', '='], "_"), plain(value)));
    }
    text.push('\n');
    for a in molecule.atoms() {
        let p = a.position;
        text.push_str(&format!("{:<2} {:14.8} {:14.8} {:14.8}\n", a.element.symbol(), p.x, p.y, p.z));
    }
    out.write_all(text.as_bytes())
}

fn plain(text: &str) -> String {
    text.replace(['"', '\n', '\r'], " ")
}

/// Reads one of QM9's `dsgdb9nsd_*.xyz` files: its fifteen properties become fields, its GDB SMILES too.
pub fn read_qm9_xyz(text: &str) -> Result<Molecule, String> {
    const PROPERTIES: [&str; 15] = [
        "A_GHz",
        "B_GHz",
        "C_GHz",
        "dipole_debye",
        "polarizability_bohr3",
        "homo_hartree",
        "lumo_hartree",
        "gap_hartree",
        "r2_bohr2",
        "zpve_hartree",
        "U0_hartree",
        "U_hartree",
        "H_hartree",
        "G_hartree",
        "Cv_cal_per_mol_K",
    ];
    let lines: Vec<&str> = text.lines().collect();
    let n: usize =
        lines.first().and_then(|l| l.trim().parse().ok()).ok_or("its first line is not a number of atoms")?;
    if n > MAX_ATOMS || lines.len() < n + 2 {
        return Err(format!("it promises {n} atoms and breaks off after {}", lines.len().saturating_sub(2)));
    }
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    let Some(("gdb", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err("its second line does not begin with \"gdb\"".into());
    };
    let mut molecule = read_frame("", &lines[2..2 + n])?;
    let (index, values) = rest.split_first().ok_or("its second line has no index")?;
    molecule.name = format!("gdb_{index}");
    molecule.fields =
        PROPERTIES.iter().zip(values).map(|(k, v)| (k.to_string(), v.replace("*^", "e"))).collect();
    if let Some(smiles) = lines.get(n + 3).and_then(|l| l.split_whitespace().next()) {
        molecule.fields.push(("smiles_gdb".into(), smiles.into()));
    }
    Ok(molecule)
}
