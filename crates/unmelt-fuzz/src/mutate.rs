//! How an input is broken.

use crate::draws::Draws;

/// Numbers in text that readers trip over.
const NUMBERS: [&str; 32] = [
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "127",
    "128",
    "255",
    "256",
    "999",
    "1000",
    "32767",
    "32768",
    "65535",
    "65536",
    "1000000",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e18",
    "1e300",
    "1e-300",
    "NaN",
    "inf",
    "0.5",
];

/// Whole numbers in binary that readers trip over.
const WORDS: [i64; 20] = [
    0,
    1,
    -1,
    2,
    3,
    127,
    128,
    255,
    256,
    32_767,
    -32_768,
    65_535,
    65_536,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    i64::MAX,
    i64::MIN,
];

/// Numbers with a point in binary that readers trip over.
const FLOATS: [f64; 12] =
    [0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e18, 1e38, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];

/// Characters of more than one byte, of no width, and such that end lines elsewhere.
const ODD: [&str; 10] = ["é", "Å", "中", "😀", "\u{feff}", "\u{0}", "\u{1b}[31m", "\r", "\u{85}", "\t"];

/// What a target's inputs are like.
pub struct Shape<'a> {
    /// Whether they are text.
    pub text: bool,
    /// Words that mean something in them.
    pub tokens: &'a [&'a str],
    /// Most bytes.
    pub most: usize,
}

/// A broken copy of an input; `other` is another one, to take parts from.
pub fn mutate(input: &[u8], other: &[u8], shape: &Shape, draws: &mut Draws) -> Vec<u8> {
    let mut bytes = input.to_vec();
    let mut again = true;
    while again {
        once(&mut bytes, other, shape, draws);
        again = draws.chance(0.6);
    }
    bytes.truncate(shape.most);
    bytes
}

fn once(bytes: &mut Vec<u8>, other: &[u8], shape: &Shape, draws: &mut Draws) {
    let kinds = if shape.text { 16 } else { 13 };
    match draws.below(kinds) {
        0 if !bytes.is_empty() => {
            let at = draws.below(bytes.len());
            bytes[at] ^= 1 << draws.below(8);
        }
        1 if !bytes.is_empty() => {
            let at = draws.below(bytes.len());
            bytes[at] = draws.byte();
        }
        2 => {
            let length = draws.below(bytes.len() + 1);
            bytes.truncate(length);
        }
        3 => {
            let range = draws.range(bytes.len());
            bytes.drain(range);
        }
        4 => {
            let range = draws.range(bytes.len());
            let part = bytes[range].to_vec();
            insert(bytes, &part, draws);
        }
        5 => {
            let part = other[draws.range(other.len())].to_vec();
            insert(bytes, &part, draws);
        }
        6 => {
            let part = other[draws.range(other.len())].to_vec();
            overwrite(bytes, &part, draws);
        }
        7 => binary_number(bytes, draws),
        8 => text_number(bytes, draws),
        9 if !shape.tokens.is_empty() => {
            let token = draws.of(shape.tokens).as_bytes();
            insert(bytes, token, draws);
        }
        10 if !shape.tokens.is_empty() => {
            let token = draws.of(shape.tokens).as_bytes();
            overwrite(bytes, token, draws);
        }
        // Nesting, and long runs of one thing.
        11 => {
            let piece = match shape.tokens.is_empty() {
                true => vec![draws.byte()],
                false => draws.of(shape.tokens).as_bytes().to_vec(),
            };
            let times = 1usize << draws.below(13);
            let times = times.min(shape.most / piece.len().max(1));
            insert(bytes, &piece.repeat(times), draws);
        }
        12 => {
            let odd = draws.of(&ODD).as_bytes();
            insert(bytes, odd, draws);
        }
        13 => lines(bytes, draws),
        14 => text_number(bytes, draws),
        15 => lines(bytes, draws),
        _ => bytes.push(draws.byte()),
    }
}

fn insert(bytes: &mut Vec<u8>, part: &[u8], draws: &mut Draws) {
    let at = draws.below(bytes.len() + 1);
    bytes.splice(at..at, part.iter().copied());
}

fn overwrite(bytes: &mut Vec<u8>, part: &[u8], draws: &mut Draws) {
    let at = draws.below(bytes.len() + 1);
    let end = (at + part.len()).min(bytes.len());
    bytes.splice(at..end, part.iter().copied());
}

/// Puts a number over some bytes, of either byte order.
fn binary_number(bytes: &mut [u8], draws: &mut Draws) {
    let word = match draws.chance(0.7) {
        true => *draws.of(&WORDS),
        false => draws.below(1 << 16) as i64,
    };
    let float = *draws.of(&FLOATS);
    let mut number = match draws.below(6) {
        0 => (word as i16).to_le_bytes().to_vec(),
        1 => (word as i32).to_le_bytes().to_vec(),
        2 => word.to_le_bytes().to_vec(),
        3 => (float as f32).to_le_bytes().to_vec(),
        4 => float.to_le_bytes().to_vec(),
        _ => vec![word as u8],
    };
    if draws.chance(0.2) {
        number.reverse();
    }
    if bytes.len() < number.len() {
        return;
    }
    // Numbers of headers stand at multiples of their width more often than not.
    let mut at = draws.below(bytes.len() - number.len() + 1);
    if draws.chance(0.7) {
        at -= at % number.len();
    }
    bytes[at..at + number.len()].copy_from_slice(&number);
}

/// Puts another number in the place of one of a text.
fn text_number(bytes: &mut Vec<u8>, draws: &mut Draws) {
    if bytes.is_empty() {
        return;
    }
    let of_number = |b: u8| b.is_ascii_digit() || b == b'.' || b == b'-';
    // The first number from a place that is drawn.
    let from = draws.below(bytes.len());
    let Some(start) = (from..bytes.len()).find(|&k| bytes[k].is_ascii_digit()) else { return };
    let start = (0..start).rev().take_while(|&k| of_number(bytes[k])).last().unwrap_or(start);
    let end = (start..bytes.len()).find(|&k| !of_number(bytes[k])).unwrap_or(bytes.len());
    let number = match draws.chance(0.75) {
        true => (*draws.of(&NUMBERS)).to_string(),
        false => draws.below(1 << 10).to_string(),
    };
    let mut number = number.into_bytes();
    // Columns of fixed width stay where they are.
    if draws.chance(0.5) {
        let width = end - start;
        number.truncate(width);
        let pad = width - number.len();
        number.splice(0..0, std::iter::repeat_n(b' ', pad));
    }
    bytes.splice(start..end, number);
}

/// Takes a line away, doubles it or exchanges two.
fn lines(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    if lines.is_empty() {
        return;
    }
    let (a, b) = (draws.below(lines.len()), draws.below(lines.len()));
    match draws.below(4) {
        0 => drop(lines.remove(a)),
        1 => lines.insert(b, lines[a]),
        2 => lines.swap(a, b),
        _ => {
            let times = 1usize << draws.below(10);
            let line = lines[a];
            lines.splice(b..b, std::iter::repeat_n(line, times));
        }
    }
    *bytes = lines.concat();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_numbers_break_the_same_way() {
        let shape = Shape { text: true, tokens: &["M  END", "$$$$"], most: 4096 };
        let input = b"a 12 34\nb 1.5 x\n".as_slice();
        let of = |k| mutate(input, b"other 7", &shape, &mut Draws::new(3, 1, k));
        let all: Vec<Vec<u8>> = (0..2000).map(of).collect();
        assert!((0..2000).all(|k| all[k as usize] == of(k)), "an input depends on more than its number");
        assert!(all.iter().all(|x| x.len() <= 4096));
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert!(distinct.len() > 1500, "only {} differ", distinct.len());
    }

    #[test]
    fn any_input_can_be_broken() {
        let shape = Shape { text: false, tokens: &[], most: 64 };
        for k in 0..500 {
            mutate(b"", b"", &shape, &mut Draws::new(0, 0, k));
            mutate(b"x", b"", &shape, &mut Draws::new(1, 0, k));
        }
    }
}
