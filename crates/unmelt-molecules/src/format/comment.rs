//! The comment line of an XYZ frame: a title, or the pairs of extended XYZ.

use std::collections::HashMap;

use nalgebra::{Matrix3, Vector3};

use super::text::clip;
use crate::Atom;
use crate::perception::{CHARGE_FIELD, unwrapped};

/// Columns that a frame may have.
const MOST_COLUMNS: usize = 100_000;

/// What a comment line says.
pub(super) struct Comment {
    /// Title: the value of `name`, or the whole line where it is no extended XYZ.
    pub name: String,
    /// All other pairs.
    pub fields: Vec<(String, String)>,
    /// The column of the element.
    pub symbol: usize,
    /// The first column of the position.
    pub position: usize,
}

impl Comment {
    /// Reads a line.
    pub fn read(line: &str) -> Result<Self, String> {
        let (pairs, bare) = pairs(line);
        let properties = value(&pairs, "Properties");
        let (symbol, position) = properties.map_or(Ok((0, 1)), columns)?;
        let own = value(&pairs, "name");
        let name = match (own, properties) {
            (Some(name), _) => name.to_string(),
            // Words that belong to no pair make a title of the line.
            (None, None) if bare => line.trim().to_string(),
            _ => String::new(),
        };
        let known = |key: &str| key.eq_ignore_ascii_case("Properties") || key.eq_ignore_ascii_case("name");
        let fields = pairs.into_iter().filter(|(key, _)| !known(key)).collect();
        Ok(Self { name, fields, symbol, position })
    }

    /// The total charge, where it is given.
    pub fn charge(&self) -> Option<&str> {
        value(&self.fields, CHARGE_FIELD)
    }

    /// Puts molecules together that lie across a border of a periodic cell.
    pub fn put_together(&self, atoms: &mut [Atom]) -> Result<(), String> {
        let Some(lattice) = value(&self.fields, "Lattice") else { return Ok(()) };
        let periodic = match value(&self.fields, "pbc") {
            // A cell without a word on it is periodic.
            None => [true; 3],
            Some(text) => {
                flags(text).ok_or_else(|| format!("pbc=\"{}\" is not three of T and F", clip(text)))?
            }
        };
        let numbers: Vec<f64> = lattice.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        let fault = || format!("Lattice=\"{}\" is not nine numbers", clip(lattice));
        let [a, b, c] = match numbers.chunks_exact(3).collect::<Vec<_>>()[..] {
            [a, b, c] if numbers.len() == 9 && numbers.iter().all(|x| x.is_finite()) => [a, b, c],
            _ if !periodic.contains(&true) => return Ok(()),
            _ => return Err(fault()),
        };
        let vector = |v: &[f64]| Vector3::new(v[0], v[1], v[2]);
        let cell = Matrix3::from_columns(&[vector(a), vector(b), vector(c)]);
        for (atom, position) in unwrapped(atoms, &cell, periodic).into_iter().enumerate() {
            atoms[atom].position = position;
        }
        Ok(())
    }
}

fn value<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
}

/// "T T F", "1 1 0", "True True False".
fn flags(text: &str) -> Option<[bool; 3]> {
    let flag = |w: &str| match w.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "p" => Some(true),
        "f" | "false" | "0" | "n" => Some(false),
        _ => None,
    };
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty());
    let list: Vec<bool> = words.map(flag).collect::<Option<_>>()?;
    match list[..] {
        [all] => Some([all; 3]),
        [a, b, c] => Some([a, b, c]),
        _ => None,
    }
}

/// The `key=value` pairs of a line, and whether there are words beside them. Values may stand in single or double quotes,
/// with `\` before a quote that belongs to them, and with blanks around the `=`. Of a key that comes again the last counts.
fn pairs(line: &str) -> (Vec<(String, String)>, bool) {
    let (mut pairs, mut bare, mut rest) = (Vec::<(String, String)>::new(), false, line.trim_start());
    let mut places: HashMap<&str, usize> = HashMap::new();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let Some(value) = behind.trim_start().strip_prefix('=').filter(|_| !key.is_empty()) else {
            bare = true;
            // A lone sign is passed over.
            rest = behind.strip_prefix('=').unwrap_or(behind).trim_start();
            continue;
        };
        let (value, next) = take_value(value.trim_start());
        let place = *places.entry(key).or_insert(pairs.len());
        match pairs.get_mut(place) {
            Some(pair) => pair.1 = value,
            None => pairs.push((key.into(), value)),
        }
        rest = next.trim_start();
    }
    (pairs, bare)
}

/// A list of numbers or flags in braces or brackets at the beginning of a text, and what follows it.
fn take_list(text: &str) -> Option<(String, &str)> {
    let close = if text.starts_with('{') { '}' } else { ']' };
    let (list, rest) = text.strip_prefix(['{', '['])?.split_once(close)?;
    let list = list.replace(',', " ");
    let known = |w: &str| w.parse::<f64>().is_ok() || flags(w).is_some();
    let is_list = list.split_whitespace().count() >= 3 && list.split_whitespace().all(known);
    (is_list && !rest.starts_with(|c: char| !c.is_whitespace())).then_some((list, rest))
}

/// A value at the beginning of a text, and what follows it.
fn take_value(text: &str) -> (String, &str) {
    if let Some(list) = take_list(text) {
        return list;
    }
    let Some(quote) = text.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        let (value, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return (value.trim_end_matches(',').into(), rest);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (k, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                if c != quote && c != '\\' {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return (value, &text[k + c.len_utf8()..]),
            c => value.push(c),
        }
    }
    (value, "")
}

/// Columns of element and position from extended XYZ's `species:S:1:pos:R:3:…`.
fn columns(properties: &str) -> Result<(usize, usize), String> {
    let shown = clip(properties);
    let parts: Vec<&str> = properties.split(':').collect();
    let (mut at, mut symbol, mut number, mut position) = (0usize, None, None, None);
    for part in parts.chunks(3) {
        let [name, _, width] = part else { return Err(format!("Properties={shown} is not in threes")) };
        let width = width.trim().parse::<usize>().ok().filter(|w| *w <= MOST_COLUMNS);
        let width =
            width.ok_or_else(|| format!("Properties={shown} has a width that is no number of columns"))?;
        match name.trim().to_ascii_lowercase().as_str() {
            "species" | "element" | "elements" | "symbol" | "symbols" => symbol = symbol.or(Some(at)),
            "z" | "numbers" | "atomic_numbers" => number = number.or(Some(at)),
            "pos" | "positions" | "position" if width == 3 => position = position.or(Some(at)),
            _ => {}
        }
        at = at.saturating_add(width).min(MOST_COLUMNS);
    }
    match (symbol.or(number), position) {
        (Some(symbol), Some(position)) => Ok((symbol, position)),
        _ => Err(format!("Properties={shown} names no species and pos")),
    }
}

/// A text that cannot end the quotes or the line that it is put in.
pub(super) fn plain_value(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_extended_xyz_has_them() {
        let of = |line: &str| {
            let (pairs, bare) = pairs(line);
            (pairs.iter().map(|(k, v)| format!("{k}|{v}")).collect::<Vec<_>>(), bare)
        };
        assert_eq!(
            of(
                "Properties='species:S:1:pos:R:3' name='it has = signs' note=\"a \\\"quoted\\\" word\" tail=5"
            ),
            (
                vec![
                    "Properties|species:S:1:pos:R:3".into(),
                    "name|it has = signs".into(),
                    "note|a \"quoted\" word".into(),
                    "tail|5".into()
                ],
                false
            )
        );
        assert_eq!(of("E = -76.4 Eh, dipole = 1.85 D").0, ["E|-76.4", "dipole|1.85"]);
        assert!(of("E = -76.4 Eh, dipole = 1.85 D").1);
        assert_eq!(of("charge=0=").0, ["charge|0="]);
        assert_eq!(of("a title = ").0, ["title|"]);
        assert_eq!(of("= = ="), (vec![], true));
        assert_eq!(of("k=\"no end").0, ["k|no end"]);
        assert_eq!(of("k=1 k=2").0, ["k|2"]);
        assert_eq!(of(""), (vec![], false));
    }

    #[test]
    fn columns_are_found_in_any_order() {
        assert_eq!(columns("pos:R:3:forces:R:3:species:S:1:Z:I:1"), Ok((6, 0)));
        assert_eq!(columns("Z:I:1:momenta:R:3:pos:R:3"), Ok((0, 4)));
        assert_eq!(columns("SPECIES:S:1:Pos:R:3"), Ok((0, 1)));
        for bad in
            ["species:S:1", "species:S", "species:S:x:pos:R:3", "species:S:99999999999999999999:pos:R:3"]
        {
            assert!(columns(bad).is_err(), "{bad}");
        }
    }
}
