//! Records of version 2000: columns, and lines of properties.

use nalgebra::Point3;

use unmelt_diffusion::files::limits::{limits, within};

use super::super::text::clip;
use super::draft::{Draft, coordinate, radicals};
use super::header::{counts, is_atom_line};
use crate::BondOrder;

/// Reads what follows a counts line; also says where the data fields begin.
pub(super) fn read(counts_line: &str, lines: &[&str]) -> Result<(Draft, usize), String> {
    let (n, m) = counts(counts_line)?;
    if lines.len() < n + m {
        return Err(format!("it ends after {} of {} lines of atoms and bonds", lines.len(), n + m));
    }
    within(limits().molecule_atoms, "molecule_atoms", n as u64, "the record").map_err(|e| e.to_string())?;
    let mut draft = Draft::default();
    for line in &lines[..n] {
        read_atom(line, &mut draft)?;
    }
    for line in &lines[n..n + m] {
        read_bond(line, &mut draft)?;
    }
    if let Some(line) = lines.get(n + m).filter(|l| is_atom_line(l)) {
        return Err(format!("it has more atoms than its counts line says: \"{}\" follows them", clip(line)));
    }
    if let Some(line) = lines.get(n + m).filter(|l| is_bond_line(l, n)) {
        return Err(format!("it has more bonds than its counts line says: \"{}\" follows them", clip(line)));
    }
    let end = n + m + read_properties(&lines[n + m..], &mut draft)?;
    Ok((draft, end))
}

/// Whether a line is three numbers or more and nothing else, the first two of atoms and the third an order.
fn is_bond_line(line: &str, atoms: usize) -> bool {
    let numbers: Option<Vec<usize>> = line.split_whitespace().map(|w| w.parse().ok()).collect();
    let is_atom = |k: &usize| (1..=atoms).contains(k);
    matches!(numbers.as_deref(), Some([a, b, 1..=10, ..]) if is_atom(a) && is_atom(b) && a != b)
}

/// Columns `from..to` of a line, without the spaces around.
fn columns(line: &str, from: usize, to: usize) -> &str {
    line.get(from..to.min(line.len())).unwrap_or("").trim()
}

fn read_atom(line: &str, draft: &mut Draft) -> Result<(), String> {
    let k = draft.atoms.len() + 1;
    // Columns are fixed, but many writers only keep their order.
    let fixed = [columns(line, 0, 10), columns(line, 10, 20), columns(line, 20, 30)];
    let words: Vec<&str> = line.split_whitespace().take(6).collect();
    let word = |k: usize| words.get(k).copied().unwrap_or("0");
    let fits = fixed.iter().all(|c| c.parse::<f64>().is_ok()) && !columns(line, 31, 34).is_empty();
    let is_symbol = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '*');
    let (xyz, symbol, difference, code) = if fits && is_symbol(columns(line, 31, 34)) {
        (fixed, columns(line, 31, 34), columns(line, 34, 36), columns(line, 36, 39))
    } else if words.len() >= 4 {
        ([words[0], words[1], words[2]], words[3], word(4), word(5))
    } else {
        return Err(format!("atom {k} has no coordinates and element"));
    };
    let position = Point3::new(coordinate(xyz[0], k)?, coordinate(xyz[1], k)?, coordinate(xyz[2], k)?);
    draft.add_atom(symbol, 0, position)?;
    let atom = &mut draft.atoms[k - 1];
    let difference: i32 = difference.parse().unwrap_or(0);
    if difference != 0 {
        let isotope = i32::from(atom.element.common_isotope()) + difference;
        atom.isotope = u16::try_from(isotope).unwrap_or(0);
    }
    match code.parse::<i8>() {
        // A doublet radical, by the document.
        Ok(4) => atom.radicals = 1,
        Ok(code @ 1..=7) => atom.charge = 4 - code,
        _ => {}
    }
    Ok(())
}

fn read_bond(line: &str, draft: &mut Draft) -> Result<(), String> {
    let k = draft.bonds.len() + 1;
    let words: Vec<&str> = line.split_whitespace().take(3).collect();
    // Words run together where numbers have three digits; then the columns hold.
    let apart = words.len() == 3 && words.iter().all(|w| w.len() <= 3);
    let parts = match apart {
        true => [words[0], words[1], words[2]],
        false => [columns(line, 0, 3), columns(line, 3, 6), columns(line, 6, 9)],
    };
    let number = |text: &str| text.parse().map_err(|_| format!("bond {k} is not three numbers"));
    draft.add_bond(number(parts[0])?, number(parts[1])?, number(parts[2])?)
}

/// Reads the lines of properties up to the end of the structure; returns how many they were.
fn read_properties(lines: &[&str], draft: &mut Draft) -> Result<usize, String> {
    let mut at = 0;
    let mut superseded = false;
    while let Some(line) = lines.get(at) {
        at += 1;
        let tag = line.get(..6).unwrap_or(line).trim_end();
        match tag {
            "M  END" => break,
            "M  CHG" | "M  RAD" => {
                // They supersede what the lines of the atoms say of both.
                if !std::mem::replace(&mut superseded, true) {
                    draft.atoms.iter_mut().for_each(|a| (a.charge, a.radicals) = (0, 0));
                }
                for (atom, value) in pairs(line, draft.atoms.len())? {
                    let atom = &mut draft.atoms[atom];
                    let wrong = || broken(line);
                    match tag {
                        "M  CHG" => atom.charge = i8::try_from(value).map_err(|_| wrong())?,
                        _ => atom.radicals = radicals(value).ok_or_else(wrong)?,
                    }
                }
            }
            // Charges beside bonds of order zero.
            "M  ZCH" => {
                for (atom, value) in pairs(line, draft.atoms.len())? {
                    draft.atoms[atom].charge = i8::try_from(value).map_err(|_| broken(line))?;
                }
            }
            "M  ISO" => {
                for (atom, value) in pairs(line, draft.atoms.len())? {
                    draft.atoms[atom].isotope = u16::try_from(value).map_err(|_| broken(line))?;
                }
            }
            "M  ZBO" => {
                for (bond, value) in pairs(line, draft.bonds.len())? {
                    if value == 0 {
                        draft.bonds[bond].order = BondOrder::Zero;
                    }
                }
            }
            "M  APO" => pairs(line, draft.atoms.len())?.into_iter().for_each(|(atom, _)| draft.mark(atom)),
            "M  ALS" => return Err("it has a list of elements for an atom: a query is no molecule".into()),
            // The text of an alias, and of an abbreviation, is the next line, whatever it begins with.
            _ if line.starts_with("A  ") || line.starts_with("G  ") => at += 1,
            _ if line.starts_with("S  SKP") => {
                at +=
                    line.get(6..).and_then(|n| n.trim().parse::<usize>().ok()).unwrap_or(0).min(lines.len());
            }
            // The end of the structure is missing.
            _ if line.starts_with('>') => {
                at -= 1;
                break;
            }
            _ => {}
        }
    }
    Ok(at.min(lines.len()))
}

fn broken(line: &str) -> String {
    format!("its line \"{}\" cannot be read", clip(line))
}

/// The pairs of a line of properties: what they are about, from 0 and below `count`, and a value.
fn pairs(line: &str, count: usize) -> Result<Vec<(usize, i64)>, String> {
    let numbers = line[6..].split_whitespace().map(|w| w.parse().map_err(|_| broken(line)));
    let numbers: Vec<i64> = numbers.collect::<Result<_, _>>()?;
    let pairs = numbers.get(1..).unwrap_or(&[]).chunks_exact(2);
    pairs
        .map(|pair| {
            let place = pair[0].checked_sub(1).and_then(|k| usize::try_from(k).ok());
            Ok((place.filter(|k| *k < count).ok_or_else(|| broken(line))?, pair[1]))
        })
        .collect()
}
