//! SDF files, V2000 and V3000 (BIOVIA, "CTfile formats").

use std::fmt::Write as _;
use std::io::{self, Write};

use nalgebra::Point3;

use super::{Fault, Reading};
use crate::{Atom, Bond, BondOrder, Element, Molecule};

/// More atoms or bonds than this in the counts line are taken for a broken record.
const MAX_COUNT: usize = 100_000;

/// V2000 has three digits for atoms and bonds.
const V2000_MAX: usize = 999;

/// Reads the records of an SDF file; those that make no molecule are reported, the rest is read.
pub fn read_sdf(text: &str) -> Reading {
    let mut reading = Reading::default();
    for (k, record) in records(text).into_iter().enumerate() {
        match read_record(&record) {
            Ok(molecule) => reading.molecules.push(molecule),
            Err(message) => reading.faults.push(Fault::new(k + 1, "record", message)),
        }
    }
    reading
}

/// The lines of each record. What follows the last `$$$$` is a record of its own if it says anything: a molfile,
/// or one that was cut off.
fn records(text: &str) -> Vec<Vec<&str>> {
    let (mut records, mut current) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with("$$$$") {
            records.push(std::mem::take(&mut current));
        } else {
            current.push(line);
        }
    }
    if current.iter().any(|l| !l.trim().is_empty()) {
        records.push(current);
    }
    records
}

fn read_record(lines: &[&str]) -> Result<Molecule, String> {
    let counts = lines.get(3).ok_or("it ends before its counts line")?;
    let version_3 = counts.contains("V3000");
    let (mut molecule, end) = if version_3 { read_v3000(lines)? } else { read_v2000(lines, counts)? };
    molecule.name = lines[0].trim().to_string();
    molecule.fields = read_fields(&lines[end..]);
    Ok(molecule)
}

/// Columns `from..to` of a line, without the spaces around.
fn columns(line: &str, from: usize, to: usize) -> &str {
    line.get(from..to.min(line.len())).unwrap_or("").trim()
}

fn count(text: &str, what: &str) -> Result<usize, String> {
    let n: usize = text.parse().map_err(|_| format!("its counts line has no number of {what}"))?;
    if n > MAX_COUNT { Err(format!("its counts line promises {n} {what}")) } else { Ok(n) }
}

fn coordinate(text: &str, k: usize) -> Result<f64, String> {
    let x: f64 =
        text.parse().map_err(|_| format!("atom {k} has the coordinate \"{text}\", which is no number"))?;
    if x.is_finite() { Ok(x) } else { Err(format!("atom {k} has the coordinate {text}")) }
}

fn element(symbol: &str, k: usize) -> Result<Element, String> {
    Element::from_symbol(symbol).ok_or_else(|| format!("atom {k} is of the unknown element \"{symbol}\""))
}

fn read_v2000(lines: &[&str], counts: &str) -> Result<(Molecule, usize), String> {
    let (n, m) = (count(columns(counts, 0, 3), "atoms")?, count(columns(counts, 3, 6), "bonds")?);
    if lines.len() < 4 + n + m {
        return Err(format!("it ends after {} of {} lines of atoms and bonds", lines.len() - 4, n + m));
    }
    let mut atoms = Vec::new();
    for (k, line) in lines[4..4 + n].iter().enumerate() {
        // Columns are fixed, but many writers only keep their order.
        let fixed = [columns(line, 0, 10), columns(line, 10, 20), columns(line, 20, 30)];
        let words: Vec<&str> = line.split_whitespace().collect();
        let fits = fixed.iter().all(|c| c.parse::<f64>().is_ok());
        let (xyz, symbol, code) = if fits {
            (fixed, columns(line, 31, 34), columns(line, 36, 39))
        } else if words.len() >= 4 {
            ([words[0], words[1], words[2]], words[3], words.get(5).copied().unwrap_or("0"))
        } else {
            return Err(format!("atom {} has no coordinates and element", k + 1));
        };
        let position =
            Point3::new(coordinate(xyz[0], k + 1)?, coordinate(xyz[1], k + 1)?, coordinate(xyz[2], k + 1)?);
        atoms.push(Atom::new(element(symbol, k + 1)?, charge_of_code(code), position));
    }
    let bonds = lines[4 + n..4 + n + m]
        .iter()
        .enumerate()
        .map(|(k, line)| {
            let number = |from| columns(line, from, from + 3).parse::<usize>().ok();
            let fixed = number(0).zip(number(3)).zip(number(6));
            let words: Vec<usize> = line.split_whitespace().map_while(|w| w.parse().ok()).collect();
            let free = || (words.len() >= 3).then(|| ((words[0], words[1]), words[2]));
            let ((a, b), order) =
                fixed.or_else(free).ok_or(format!("bond {} is not three numbers", k + 1))?;
            bond(a, b, order, k + 1)
        })
        .collect::<Result<Vec<_>, String>>()?;
    let mut end = 4 + n + m;
    let mut charges_given = false;
    while end < lines.len() && !lines[end].starts_with('>') {
        let line = lines[end];
        end += 1;
        if line.starts_with("M  END") {
            break;
        }
        if line.starts_with("M  CHG") {
            if !std::mem::replace(&mut charges_given, true) {
                atoms.iter_mut().for_each(|a| a.charge = 0);
            }
            read_charges(line, &mut atoms)?;
        }
    }
    Ok((Molecule::new(atoms, bonds).map_err(|e| e.to_string())?, end))
}

/// The charge field of a V2000 atom line.
fn charge_of_code(code: &str) -> i8 {
    match code {
        "1" => 3,
        "2" => 2,
        "3" => 1,
        "5" => -1,
        "6" => -2,
        "7" => -3,
        _ => 0,
    }
}

fn read_charges(line: &str, atoms: &mut [Atom]) -> Result<(), String> {
    let broken = || format!("its charge line \"{}\" cannot be read", line.trim());
    let numbers: Vec<i64> =
        line[6..].split_whitespace().map(|w| w.parse().map_err(|_| broken())).collect::<Result<_, _>>()?;
    for pair in numbers.get(1..).unwrap_or(&[]).chunks_exact(2) {
        let place = usize::try_from(pair[0] - 1).ok().and_then(|k| atoms.get_mut(k)).ok_or_else(broken)?;
        place.charge = i8::try_from(pair[1]).map_err(|_| broken())?;
    }
    Ok(())
}

fn bond(a: usize, b: usize, order: usize, k: usize) -> Result<Bond, String> {
    let order = u8::try_from(order)
        .ok()
        .and_then(BondOrder::from_code)
        .ok_or_else(|| format!("bond {k} has the order {order}, want 1, 2, 3 or 4"))?;
    let from_zero = |x: usize| x.checked_sub(1).ok_or_else(|| format!("bond {k} names atom 0"));
    Ok(Bond { begin: from_zero(a)?, end: from_zero(b)?, order })
}

fn read_v3000(lines: &[&str]) -> Result<(Molecule, usize), String> {
    let (mut atoms, mut bonds, mut places) = (Vec::new(), Vec::new(), std::collections::HashMap::new());
    let (mut block, mut end, mut finished) = ("", 4, false);
    let mut wanted = None;
    while end < lines.len() && !lines[end].starts_with('>') {
        let mut line = lines[end].to_string();
        end += 1;
        if line.starts_with("M  END") {
            finished = true;
            break;
        }
        // A trailing hyphen continues the line.
        while line.ends_with('-') && end < lines.len() && lines[end].starts_with("M  V30 ") {
            line.pop();
            line.push_str(&lines[end][7..]);
            end += 1;
        }
        let Some(rest) = line.strip_prefix("M  V30 ") else { continue };
        let words: Vec<&str> = rest.split_whitespace().collect();
        match words[..] {
            ["BEGIN", "ATOM", ..] => block = "atom",
            ["BEGIN", "BOND", ..] => block = "bond",
            ["BEGIN", ..] | ["END", ..] => block = "",
            ["COUNTS", n, m, ..] => wanted = Some((count(n, "atoms")?, count(m, "bonds")?)),
            [index, symbol, x, y, z, ..] if block == "atom" => {
                let k = atoms.len() + 1;
                let charge = words.iter().find_map(|w| w.strip_prefix("CHG=")).unwrap_or("0");
                let charge = charge.parse().map_err(|_| format!("atom {k} has the charge \"{charge}\""))?;
                let position = Point3::new(coordinate(x, k)?, coordinate(y, k)?, coordinate(z, k)?);
                if places.insert(index.to_string(), atoms.len()).is_some() {
                    return Err(format!("two atoms have the index {index}"));
                }
                atoms.push(Atom::new(element(symbol, k)?, charge, position));
            }
            [_, order, a, b, ..] if block == "bond" => {
                let k = bonds.len() + 1;
                let at = |w: &str| {
                    places
                        .get(w)
                        .map(|p| p + 1)
                        .ok_or_else(|| format!("bond {k} names atom {w}, which is not there"))
                };
                let order = order.parse().map_err(|_| format!("bond {k} has the order \"{order}\""))?;
                bonds.push(bond(at(a)?, at(b)?, order, k)?);
            }
            _ if block == "atom" || block == "bond" => {
                return Err(format!("\"{rest}\" is not a whole {block}"));
            }
            _ => {}
        }
    }
    let (n, m) = wanted.ok_or("it has no COUNTS line")?;
    if !finished || atoms.len() != n || bonds.len() != m {
        return Err(format!(
            "it promises {n} atoms and {m} bonds, and has {} and {}{}",
            atoms.len(),
            bonds.len(),
            if finished { "" } else { " before it breaks off" }
        ));
    }
    Ok((Molecule::new(atoms, bonds).map_err(|e| e.to_string())?, end))
}

fn read_fields(lines: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in lines {
        if let Some(rest) = line.strip_prefix('>') {
            let name = rest.split_once('<').and_then(|(_, r)| r.split_once('>')).map(|(name, _)| name);
            open = name.is_some();
            fields.extend(name.map(|n| (n.to_string(), String::new())));
        } else if line.trim().is_empty() {
            open = false;
        } else if let (true, Some((_, value))) = (open, fields.last_mut()) {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(line);
        }
    }
    fields
}

/// Writes one record: V2000, or V3000 where a count or coordinate does not fit that.
pub fn write_sdf(out: &mut dyn Write, molecule: &Molecule) -> io::Result<()> {
    let fits = molecule.len() <= V2000_MAX
        && molecule.graph().edge_count() <= V2000_MAX
        && molecule.atoms().all(|a| a.position.iter().all(|x| x.abs() < 9999.0));
    let body = if fits { v2000(molecule) } else { v3000(molecule) };
    out.write_all(body.as_bytes())
}

/// A title or field value in one line, so that it cannot be taken for the next part of the record.
fn one_line(text: &str) -> String {
    text.lines().map(|l| l.trim_start_matches("$$$$")).collect::<Vec<_>>().join(" ")
}

fn header(molecule: &Molecule) -> String {
    // Two columns for a user, eight for the program, ten for a date, then the dimensions.
    format!("{}\n  {:<8}{:10}3D\n\n", one_line(&molecule.name), "unmelt", "")
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
    for b in bonds {
        let _ = writeln!(s, "{:3}{:3}{:3}  0", b.begin + 1, b.end + 1, b.order.code());
    }
    let charged: Vec<(usize, i8)> =
        molecule.atoms().enumerate().filter(|(_, a)| a.charge != 0).map(|(k, a)| (k + 1, a.charge)).collect();
    for chunk in charged.chunks(8) {
        let _ = write!(s, "M  CHG{:3}", chunk.len());
        for (k, charge) in chunk {
            let _ = write!(s, " {k:3} {charge:3}");
        }
        s.push('\n');
    }
    s.push_str("M  END\n");
    end_of_record(s, molecule)
}

fn v3000(molecule: &Molecule) -> String {
    let mut s = header(molecule);
    let bonds: Vec<Bond> = molecule.bonds().collect();
    s.push_str("  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n");
    let _ = writeln!(s, "M  V30 COUNTS {} {} 0 0 0\nM  V30 BEGIN ATOM", molecule.len(), bonds.len());
    for (k, a) in molecule.atoms().enumerate() {
        let p = a.position;
        let charge = if a.charge == 0 { String::new() } else { format!(" CHG={}", a.charge) };
        let _ = writeln!(s, "M  V30 {} {} {:.6} {:.6} {:.6} 0{charge}", k + 1, a.element, p.x, p.y, p.z);
    }
    s.push_str("M  V30 END ATOM\nM  V30 BEGIN BOND\n");
    for (k, b) in bonds.iter().enumerate() {
        let _ = writeln!(s, "M  V30 {} {} {} {}", k + 1, b.order.code(), b.begin + 1, b.end + 1);
    }
    s.push_str("M  V30 END BOND\nM  V30 END CTAB\nM  END\n");
    end_of_record(s, molecule)
}

fn end_of_record(mut s: String, molecule: &Molecule) -> String {
    for (name, value) in &molecule.fields {
        let name = one_line(name).replace(['<', '>'], "_");
        let _ = writeln!(s, ">  <{name}>\n{}\n", one_line(value));
    }
    s.push_str("$$$$\n");
    s
}
