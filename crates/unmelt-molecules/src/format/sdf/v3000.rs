//! Records of version 3000: blocks of words.

use std::collections::HashMap;

use nalgebra::Point3;

use unmelt_diffusion::files::limits::{limits, within};

use super::super::text::clip;
use super::draft::{Draft, coordinate, radicals};
use crate::BondOrder;

/// What begins each line.
const PREFIX: &str = "M  V30 ";

/// The block that holds a structure. Programs differ in the case of its name and of the words around it; those of the blocks within
/// are capitals, as RDKit wants them.
const STRUCTURE: &str = "CTAB";

/// Reads what follows a counts line; also says where the data fields begin.
pub(super) fn read(lines: &[&str]) -> Result<(Draft, usize), String> {
    let mut reader = Reader::default();
    let (mut end, mut finished) = (0, false);
    while end < lines.len() && !lines[end].starts_with('>') {
        if lines[end].starts_with("M  END") {
            finished = true;
            end += 1;
            break;
        }
        let Some(rest) = lines[end].strip_prefix(PREFIX) else {
            end += 1;
            continue;
        };
        end += 1;
        // A trailing hyphen continues the line, also where blanks follow it.
        let mut line = rest.to_string();
        while line.trim_end().ends_with('-') {
            let Some(next) = lines.get(end).and_then(|l| l.strip_prefix(PREFIX)) else { break };
            line.truncate(line.trim_end().len() - 1);
            line.push_str(next);
            end += 1;
        }
        reader.line(&line)?;
    }
    let (n, m) = reader.wanted.ok_or("it has no COUNTS line")?;
    let draft = reader.draft;
    if !finished || draft.atoms.len() != n || draft.bonds.len() != m {
        return Err(format!(
            "it promises {n} atoms and {m} bonds, and has {} and {}{}",
            draft.atoms.len(),
            draft.bonds.len(),
            if finished { "" } else { " before it breaks off" }
        ));
    }
    Ok((draft, end))
}

#[derive(Default)]
struct Reader {
    draft: Draft,
    /// The blocks that are open, the outermost first.
    blocks: Vec<String>,
    /// Places of the atoms by the index that the file gives them, and those of the bonds.
    atoms: HashMap<String, usize>,
    bonds: HashMap<String, usize>,
    wanted: Option<(usize, usize)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let words = words(line);
        match words.first().copied() {
            Some(word) if opens(word, "BEGIN", &words) => {
                within(
                    limits().depth,
                    "depth",
                    self.blocks.len() as u64 + 1,
                    "the record's nesting of blocks",
                )
                .map_err(|e| e.to_string())?;
                let name = words.get(1).copied().unwrap_or_default();
                let is_structure = name.eq_ignore_ascii_case(STRUCTURE);
                self.blocks.push(if is_structure { STRUCTURE } else { name }.into());
            }
            Some(word) if opens(word, "END", &words) => drop(self.blocks.pop()),
            // Blocks of R groups and templates have structures of their own, which are not the record's.
            _ => match self.blocks.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [STRUCTURE] if words.first().is_some_and(|w| w.eq_ignore_ascii_case("COUNTS")) => {
                    self.counts(&words)?;
                }
                [STRUCTURE, "ATOM"] => self.atom(line, &words)?,
                [STRUCTURE, "BOND"] => self.bond(line, &words)?,
                [STRUCTURE, "SGROUP"] => self.group(&words),
                _ => {}
            },
        }
        Ok(())
    }

    fn counts(&mut self, words: &[&str]) -> Result<(), String> {
        let count = |k: usize, what: &str| {
            let fault = || format!("its COUNTS line has no number of {what}");
            let n: usize = words.get(k).and_then(|w| w.parse().ok()).ok_or_else(fault)?;
            within(limits().molecule_atoms, "molecule_atoms", n as u64, &format!("it promises {n} {what}"))
                .map_err(|e| e.to_string())?;
            Ok::<usize, String>(n)
        };
        self.wanted = Some((count(1, "atoms")?, count(2, "bonds")?));
        Ok(())
    }

    fn atom(&mut self, line: &str, words: &[&str]) -> Result<(), String> {
        let [index, symbol, x, y, z, options @ ..] = words else {
            return Err(format!("\"{}\" is not a whole atom", clip(line)));
        };
        let k = self.draft.atoms.len();
        let position = Point3::new(coordinate(x, k + 1)?, coordinate(y, k + 1)?, coordinate(z, k + 1)?);
        if self.atoms.insert(index.to_string(), k).is_some() {
            return Err(format!("two atoms have the index {}", clip(index)));
        }
        self.draft.add_atom(symbol, 0, position)?;
        for option in options {
            let Some((key, value)) = option.split_once('=') else { continue };
            let wrong = |what: &str| format!("atom {} has the {what} \"{}\"", k + 1, clip(value));
            let atom = &mut self.draft.atoms[k];
            match key.to_ascii_uppercase().as_str() {
                "CHG" => atom.charge = value.parse().map_err(|_| wrong("charge"))?,
                "RAD" => {
                    let code = value.parse().ok().and_then(radicals);
                    atom.radicals = code.ok_or_else(|| wrong("radical"))?;
                }
                // A mass may have digits behind a point.
                "MASS" => {
                    let mass: f64 = value.parse().map_err(|_| wrong("mass"))?;
                    atom.isotope = mass.round().clamp(0.0, 999.0) as u16;
                }
                "ATTCHPT" if value != "0" => self.draft.mark(k),
                _ => {}
            }
        }
        Ok(())
    }

    fn bond(&mut self, line: &str, words: &[&str]) -> Result<(), String> {
        let [index, order, a, b, ..] = words else {
            return Err(format!("\"{}\" is not a whole bond", clip(line)));
        };
        let k = self.draft.bonds.len();
        let at = |w: &str| {
            let place = self.atoms.get(w).map(|p| p + 1);
            place.ok_or_else(|| format!("bond {} names atom {}, which is not there", k + 1, clip(w)))
        };
        let order = order.parse().map_err(|_| format!("bond {} has the order \"{}\"", k + 1, clip(order)))?;
        let (a, b) = (at(a)?, at(b)?);
        self.draft.add_bond(a, b, order)?;
        self.bonds.insert(index.to_string(), k);
        Ok(())
    }

    /// A group of data on bonds may say that their order is zero.
    fn group(&mut self, words: &[&str]) {
        if !words.contains(&"FIELDNAME=ZBO") {
            return;
        }
        let list = words.iter().find_map(|w| w.strip_prefix("CBONDS=("));
        let names = list.unwrap_or_default().trim_end_matches(')').split_whitespace().skip(1);
        for k in names.filter_map(|w| self.bonds.get(w)) {
            self.draft.bonds[*k].order = BondOrder::Zero;
        }
    }
}

/// Whether a word opens or closes a block: in capitals, or in any case where the block is that of the structure.
fn opens(word: &str, wanted: &str, words: &[&str]) -> bool {
    let is_structure = words.get(1).is_some_and(|name| name.eq_ignore_ascii_case(STRUCTURE));
    word == wanted || is_structure && word.eq_ignore_ascii_case(wanted)
}

/// The words of a line; what stands in brackets or quotation marks belongs together.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut start, mut depth, mut quoted) = (Vec::new(), None, 0usize, false);
    for (k, c) in line.char_indices() {
        if c.is_whitespace() && depth == 0 && !quoted {
            words.extend(start.take().map(|s| &line[s..k]));
            continue;
        }
        start = start.or(Some(k));
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    words.extend(start.map(|s| &line[s..]));
    words
}
