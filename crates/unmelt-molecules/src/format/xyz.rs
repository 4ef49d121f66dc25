//! XYZ and extended XYZ files, EDM's text files, which are XYZ, and QM9's own variant.

use std::io::{self, Write};

use nalgebra::Point3;
use unmelt_diffusion::files::limits::{limits, within};

use super::comment::{Comment, plain_value};
use super::text::{clip, lines};
use super::{Fault, Preparation, Reading};
use crate::perception::{CHARGE_FIELD, total_charge};
use crate::{Atom, Element, Molecule};

/// Reads the frames of an XYZ file; those that make no molecule are reported, the rest is read as far as the
/// frames can be told apart. There are no bonds in it. Of extended XYZ the columns of `Properties` are followed
/// (`species` and `pos`), and `key=value` pairs become fields; where `pbc` is set, molecules that lie across a border of the
/// cell are put together.
pub fn read_xyz(text: &str) -> Reading {
    read(text, &Preparation::AsIs)
}

/// Reads frames and prepares them.
pub(super) fn read(text: &str, preparation: &Preparation) -> Reading {
    let lines: Vec<&str> = lines(text);
    let (mut reading, mut start, mut position) = (Reading::default(), 0, 0);
    while start < lines.len() {
        if lines[start].trim().is_empty() {
            start += 1;
            continue;
        }
        position += 1;
        let mut fault = |message: String| reading.faults.push(Fault::new(position, "frame", message));
        if position as u64 > limits().records {
            fault(format!("the limit records is {}; what follows is left out", limits().records));
            break;
        }
        let Some((n, rest)) = count(lines[start]) else {
            fault(format!("line {} is \"{}\", want a number of atoms", start + 1, clip(lines[start])));
            break;
        };
        if n > lines.len().saturating_sub(start + 2) {
            let there = lines.len().saturating_sub(start + 2);
            fault(format!("it promises {n} atoms and breaks off after {there}"));
            break;
        }
        let comment = lines.get(start + 1).copied().unwrap_or_default();
        let end = (start + 2 + n).min(lines.len());
        let is_longer = lines.get(end).is_some_and(|line| is_atom_line(line));
        let frame = match is_longer {
            true => Err(format!(
                "it promises {n} atoms, and line {} is one more: \"{}\"",
                end + 1,
                clip(lines[end])
            )),
            false => read_frame(rest, comment, &lines[(start + 2).min(end)..end]),
        };
        reading.add(position, "frame", preparation, frame);
        start = end;
        if is_longer {
            break;
        }
        start += qm9_tail(&lines[start..], n);
    }
    reading
}

/// Whether a line is a symbol and three numbers with points, as no first line of a frame is.
fn is_atom_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    let number = |w: &str| w.contains('.') && parse_number(w).is_some();
    matches!(words[..], [symbol, x, y, z] if label(symbol).is_some() && number(x) && number(y) && number(z))
}

/// The number of atoms that a line begins with, and what stands behind it.
fn count(line: &str) -> Option<(usize, &str)> {
    let line = line.trim().trim_start_matches('\u{feff}');
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some((word.parse().ok()?, rest.trim()))
}

/// Lines after the atoms in QM9's files: frequencies, two SMILES, two InChI.
fn qm9_tail(lines: &[&str], atoms: usize) -> usize {
    let is_tail = lines.len() >= 3 && lines[2].starts_with("InChI=");
    let frequencies = lines.first().map_or(0, |l| l.split_whitespace().count());
    if is_tail && frequencies + 6 >= atoms.saturating_mul(3).min(7) { 3 } else { 0 }
}

/// Reads a frame from what stands behind its number of atoms, its comment, and the lines of its atoms.
fn read_frame(behind: &str, comment: &str, lines: &[&str]) -> Result<Molecule, String> {
    within(limits().molecule_atoms, "molecule_atoms", lines.len() as u64, "the frame")
        .map_err(|e| e.to_string())?;
    let mut comment = Comment::read(comment)?;
    let mut atoms = lines
        .iter()
        .enumerate()
        .map(|(k, line)| read_atom(k + 1, line, &comment))
        .collect::<Result<Vec<_>, _>>()?;
    comment.put_together(&mut atoms)?;
    let mut molecule = Molecule::new(atoms, []).map_err(|e| e.to_string())?;
    // Charge and multiplicity may stand behind the number of atoms.
    let words: Vec<&str> = behind.split_whitespace().collect();
    if let (None, [charge, multiplicity]) = (comment.charge(), words.as_slice())
        && let (Ok(charge), Ok(1..)) = (charge.parse::<i32>(), multiplicity.parse::<u32>())
    {
        comment.fields.push((CHARGE_FIELD.into(), charge.to_string()));
    }
    molecule.name = std::mem::take(&mut comment.name);
    molecule.fields = comment.fields;
    let given = molecule.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(CHARGE_FIELD));
    if let Some((_, value)) = given.filter(|(_, value)| !value.is_empty())
        && total_charge(&molecule).is_none()
    {
        return Err(format!(
            "charge={} in its comment is no total charge; write a whole number",
            clip(value)
        ));
    }
    Ok(molecule)
}

fn read_atom(k: usize, line: &str, comment: &Comment) -> Result<Atom, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let word = |c: usize| words.get(c).copied().ok_or_else(|| format!("atom {k} has too few columns"));
    let number = |c: usize| {
        let text = word(c)?;
        let number = parse_number(text).filter(|x| x.is_finite());
        number.ok_or_else(|| format!("atom {k} has the coordinate \"{}\", want a number", clip(text)))
    };
    let symbol = word(comment.symbol)?;
    let p = comment.position;
    let position = Point3::new(number(p)?, number(p + 1)?, number(p + 2)?);
    let by_number = symbol.parse().ok().and_then(Element::from_number);
    let (element, isotope, charge) = match by_number {
        Some(element) => (element, 0, 0),
        None => label(symbol).ok_or_else(|| match is_no_element(symbol) {
            true => format!(
                "atom {k} is \"{}\", a point without an element; XYZ has no bonds that say what it belongs to",
                clip(symbol)
            ),
            false => format!("atom {k} is of the unknown element \"{}\"", clip(symbol)),
        })?,
    };
    Ok(Atom { isotope, ..Atom::new(element, charge, position) })
}

/// Whether a symbol is one that programs write for attachment points, dummy atoms and vectors.
fn is_no_element(symbol: &str) -> bool {
    let group = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'#');
    let named = ["*", "X", "XX", "DU", "Q", "BQ", "TV", "GH"].contains(&symbol.to_ascii_uppercase().as_str());
    named || symbol.strip_prefix('R').is_some_and(group)
}

/// Element, isotope and charge of a symbol with a label behind: O1, H1A, Na1+, Cl-, Fe+3, 13C.
fn label(symbol: &str) -> Option<(Element, u16, i8)> {
    let mass = symbol.bytes().take_while(u8::is_ascii_digit).count();
    let (mass, symbol) = symbol.split_at(mass);
    let letters = symbol.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, rest) = symbol.split_at(letters);
    let (element, isotope) = Element::with_isotope(letters)?;
    let isotope =
        if mass.is_empty() { isotope } else { mass.parse().ok().filter(|m| (1..400).contains(m))? };
    if let Some(charge) = ion(rest) {
        return Some((element, isotope, charge));
    }
    let is_label = rest.is_empty()
        || rest.starts_with(|c: char| c.is_ascii_digit() || c == '_')
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"_'*".contains(&b));
    is_label.then_some((element, isotope, 0))
}

/// The charge of "+", "2-", "-2"; none of anything else.
fn ion(text: &str) -> Option<i8> {
    let sign = text.find(['+', '-'])?;
    let (before, after) = (&text[..sign], &text[sign + 1..]);
    let size: i8 = match (before, after) {
        ("", "") => 1,
        (n, "") | ("", n) => n.parse().ok().filter(|n| *n >= 0)?,
        _ => return None,
    };
    Some(if text[sign..].starts_with('-') { -size } else { size })
}

/// A number, with QM9's `*^` or Fortran's `D` for `e`.
fn parse_number(text: &str) -> Option<f64> {
    let fortran = || {
        let (mantissa, exponent) = text.split_once(['D', 'd'])?;
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let is_exponent = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if is_exponent { format!("{mantissa}e{exponent}").parse().ok() } else { None }
    };
    text.parse().ok().or_else(|| text.replace("*^", "e").parse().ok()).or_else(fortran)
}

/// Writes one frame of extended XYZ. Bonds have no place in the format; the total charge has, where it is not zero, and
/// isotopes, where there are any.
pub fn write_xyz(out: &mut dyn Write, molecule: &Molecule) -> io::Result<()> {
    let isotopes = molecule.atoms().any(|a| a.isotope != 0);
    let mut text = format!("{}\nProperties=species:S:1:pos:R:3", molecule.len());
    text.push_str(if isotopes { ":mass_number:I:1" } else { "" });
    if !molecule.name.is_empty() {
        text.push_str(&format!(" name=\"{}\"", plain_value(&molecule.name)));
    }
    let charge: i32 = molecule.atoms().map(|a| i32::from(a.charge)).sum();
    let given = molecule.fields.iter().any(|(key, _)| key.eq_ignore_ascii_case(CHARGE_FIELD));
    if charge != 0 && !given {
        text.push_str(&format!(" {CHARGE_FIELD}={charge}"));
    }
    for (key, value) in &molecule.fields {
        let key = key.replace(|c: char| c.is_whitespace() || "=\"'\\".contains(c), "_");
        // What was read from a header is said by the columns.
        if key.is_empty() || ["properties", "name"].contains(&key.to_ascii_lowercase().as_str()) {
            continue;
        }
        text.push_str(&format!(" {key}=\"{}\"", plain_value(value)));
    }
    text.push('\n');
    for a in molecule.atoms() {
        let p = a.position;
        text.push_str(&format!("{:<2} {:14.8} {:14.8} {:14.8}", a.element.symbol(), p.x, p.y, p.z));
        if isotopes {
            text.push_str(&format!(" {}", a.isotope));
        }
        text.push('\n');
    }
    out.write_all(text.as_bytes())
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
    let lines = lines(text);
    let n: usize =
        lines.first().and_then(|l| l.trim().parse().ok()).ok_or("its first line is not a number of atoms")?;
    if n > lines.len().saturating_sub(2) {
        return Err(format!("it promises {n} atoms and breaks off after {}", lines.len().saturating_sub(2)));
    }
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    let Some(("gdb", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err("its second line does not begin with \"gdb\"".into());
    };
    let mut molecule = read_frame("", "", &lines[2..2 + n])?;
    let (index, values) = rest.split_first().ok_or("its second line has no index")?;
    molecule.name = format!("gdb_{index}");
    molecule.fields =
        PROPERTIES.iter().zip(values).map(|(k, v)| (k.to_string(), v.replace("*^", "e"))).collect();
    if let Some(smiles) = lines.get(n + 3).and_then(|l| l.split_whitespace().next()) {
        molecule.fields.push(("smiles_gdb".into(), smiles.into()));
    }
    Ok(molecule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_ions_are_told_apart() {
        let of = |s: &str| label(s).map(|(e, isotope, charge)| (e.symbol(), isotope, charge));
        for (text, wanted) in [
            ("O1", ("O", 0, 0)),
            ("C12", ("C", 0, 0)),
            ("H1A", ("H", 0, 0)),
            ("Na1+", ("Na", 0, 1)),
            ("Cl1-", ("Cl", 0, -1)),
            ("Cl-", ("Cl", 0, -1)),
            ("Fe+3", ("Fe", 0, 3)),
            ("CL", ("Cl", 0, 0)),
            ("D", ("H", 2, 0)),
            ("13C", ("C", 13, 0)),
            ("C_2", ("C", 0, 0)),
        ] {
            assert_eq!(of(text), Some(wanted), "{text}");
        }
        for bad in ["Xq", "C:", "", "1", "C1+2", "O(w)", "CT", "900C"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn exponents_of_fortran_are_read() {
        for (text, value) in [("0.1D+01", 1.0), ("-0.5d0", -0.5), ("1e2", 100.0), ("8.0*^-3", 0.008)] {
            assert_eq!(parse_number(text), Some(value));
        }
        for bad in ["D", "1D", "1Dx", "0,5", ""] {
            assert_eq!(parse_number(bad), None, "{bad}");
        }
    }
}
