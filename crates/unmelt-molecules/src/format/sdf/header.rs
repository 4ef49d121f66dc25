//! Where a record's counts line is, and what stands before it.

use super::super::text::clip;

/// Lines that are searched for the counts line.
const SEARCHED: usize = 64;

/// V2000 has three digits for atoms and bonds.
pub(super) const V2000_MAX: usize = 999;

/// What the beginning of a record says.
pub(super) struct Header {
    /// The title.
    pub name: String,
    /// The line of the record that is the counts line, from 0.
    pub counts: usize,
    /// Whether the record is of version 3000.
    pub is_v3000: bool,
    /// Whether the header says that the positions are two-dimensional.
    pub says_2d: bool,
}

impl Header {
    /// Finds the counts line: the fourth line, or, where lines are missing or too many, the first that looks like one.
    pub fn find(lines: &[&str], first: usize) -> Result<Self, String> {
        let usual = Some(3).filter(|&k| is_counts_line(lines, k));
        let end = lines.len().min(SEARCHED);
        let counts = usual.or_else(|| (0..end).find(|&k| k != 3 && is_certain(lines, k)));
        let Some(counts) = counts else {
            return Err(match lines.get(3) {
                None => {
                    format!("it ends before its counts line, which should be line {} of the file", first + 3)
                }
                Some(line) => format!(
                    "it has no counts line: line {} of the file, which should be it, is \"{}\"",
                    first + 3,
                    clip(line)
                ),
            });
        };
        let program = match usual {
            Some(_) => Some(1),
            None => (0..counts).find(|&k| dimensions(lines[k]).is_some()),
        };
        // A remark before the title, or lines behind that of the program, do not make the title another.
        let title = match program {
            Some(k) => k.checked_sub(1),
            None => (0..counts).find(|&k| !lines[k].trim().is_empty()),
        };
        Ok(Self {
            name: title.map_or("", |k| lines[k].trim()).to_string(),
            counts,
            is_v3000: lines[counts].to_ascii_uppercase().contains("V3000"),
            says_2d: program.and_then(|k| dimensions(lines[k])) == Some("2D"),
        })
    }
}

/// "2D" or "3D" where the line of the program has it: in columns 21 and 22, or at its end where it was shifted.
fn dimensions(line: &str) -> Option<&'static str> {
    let of = |text: &str| match text.to_ascii_uppercase().as_str() {
        "2D" => Some("2D"),
        "3D" => Some("3D"),
        _ => None,
    };
    let end = line.trim_end();
    let shifted = || end.len().checked_sub(2).and_then(|k| end.get(k..));
    line.get(20..22).and_then(of).or_else(|| shifted().and_then(of))
}

fn has_version(line: &str) -> bool {
    let line = line.to_ascii_uppercase();
    line.contains("V2000") || line.contains("V3000")
}

/// Whether the line where a counts line should be is one: it begins with two numbers, or names a version behind some.
fn is_counts_line(lines: &[&str], k: usize) -> bool {
    lines.get(k).is_some_and(|line| {
        let digits = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        digits && (has_version(line) || numbers(line) >= 2)
    })
}

/// Whether any other line is a counts line without warning.
fn is_certain(lines: &[&str], k: usize) -> bool {
    let line = lines[k];
    let digits = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let atom_follows = || lines.get(k + 1).is_some_and(|next| is_atom_line(next));
    let empty = || lines.get(k + 1).is_some_and(|next| next.starts_with("M  "));
    digits
        && (has_version(line) && (atom_follows() || empty())
            || numbers(line) >= 4 && numbers(line) == line.split_whitespace().count() && atom_follows())
}

fn numbers(line: &str) -> usize {
    line.split_whitespace().take_while(|w| w.bytes().all(|b| b.is_ascii_digit())).count()
}

/// Whether a line is three numbers with points and a word.
pub(super) fn is_atom_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().take(4).collect();
    let number = |w: &str| w.contains('.') && w.parse::<f64>().is_ok();
    match words[..] {
        [x, y, z, symbol] => {
            number(x) && number(y) && number(z) && !symbol.starts_with(|c: char| c.is_ascii_digit())
        }
        _ => false,
    }
}

/// Numbers of atoms and bonds of a V2000 counts line, in columns of three or as words.
pub(super) fn counts(line: &str) -> Result<(usize, usize), String> {
    let too_many = || {
        format!(
            "its counts line \"{}\" has more than {V2000_MAX} atoms or bonds: V2000 has three columns for each, so the \
             numbers run together and cannot be told apart; write the record as V3000",
            clip(line)
        )
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let start = line.len() - line.trim_start().len();
    let length = digits(&line[start..]);
    let (atoms, rest) = match length {
        0..=3 => line[start..].split_at(length),
        // Two numbers without a blank between them fill their columns.
        4..=6 if start + length == 6 => line[start..6].split_at(3 - start),
        _ => return Err(too_many()),
    };
    let rest = rest.trim_start();
    let bonds = &rest[..digits(rest)];
    if bonds.len() > 3 {
        return Err(too_many());
    }
    let number = |text: &str, what: &str| {
        text.parse().map_err(|_| format!("its counts line \"{}\" has no number of {what}", clip(line)))
    };
    Ok((number(atoms, "atoms")?, number(bonds, "bonds")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_apart() {
        for (line, wanted) in [
            ("  9  8  0  0  0  0  0  0  0  0999 V2000", (9, 8)),
            ("9  8  0  0  0  0  0  0  0  0  999V2000 ", (9, 8)),
            ("  9  8  0  0  0  0  0  0  0  0  0    0", (9, 8)),
            ("9 8 0", (9, 8)),
            (" 99100  0", (99, 100)),
            ("100 99  0", (100, 99)),
            ("100101  0", (100, 101)),
            ("999999  0", (999, 999)),
            ("  1  0", (1, 0)),
        ] {
            assert_eq!(counts(line), Ok(wanted), "{line}");
        }
        for line in ["1050700  0", "10501100  0", "9991000  0", "1000 99  0", "1000100  0"] {
            assert!(counts(line).is_err_and(|e| e.contains("run together") && e.contains("V3000")), "{line}");
        }
        assert!(counts("  9").is_err_and(|e| e.contains("no number of bonds")));
    }
}
