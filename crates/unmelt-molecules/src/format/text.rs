//! From bytes to lines: encodings, and the ends of lines of all systems.

use std::borrow::Cow;

/// Bytes as text: UTF-8 with or without its mark, UTF-16 of both byte orders, and Latin-1 where it is neither, which costs
/// no record for the sake of a title.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) || bytes.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Err("it is text in UTF-32; write it as UTF-8".into());
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        return Ok(utf16(rest, u16::from_le_bytes).into());
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        return Ok(utf16(rest, u16::from_be_bytes).into());
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    match zeros_alternate(bytes) {
        Some(1) => return Ok(utf16(bytes, u16::from_le_bytes).into()),
        Some(_) => return Ok(utf16(bytes, u16::from_be_bytes).into()),
        None => {}
    }
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect::<String>().into(),
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Which byte of each pair is zero almost throughout, where one is: the mark of UTF-16 without a mark.
fn zeros_alternate(bytes: &[u8]) -> Option<usize> {
    let pairs = || bytes.chunks_exact(2).take(256);
    let count = pairs().count();
    let zeros = |k: usize| pairs().filter(|pair| pair[k] == 0).count();
    [0, 1].into_iter().find(|&k| count > 8 && zeros(k) * 10 > count * 9 && zeros(1 - k) == 0)
}

/// The lines of a text, whether they end as on Unix, Windows or the old Macintosh. Carriage returns that a translation
/// has doubled end one line.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut lines, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => {
                lines.push(&text[start..at]);
                start = at + 1;
            }
            b'\r' => {
                lines.push(&text[start..at]);
                let run = bytes[at..].iter().take_while(|b| **b == b'\r').count();
                let windows = bytes.get(at + run) == Some(&b'\n');
                if !windows {
                    lines.extend(std::iter::repeat_n("", run - 1));
                }
                start = at + run + usize::from(windows);
                at = start - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if start < bytes.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// The beginning of a text, for messages.
pub(super) fn clip(text: &str) -> String {
    text.trim().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_of_all_systems_are_told() {
        for text in ["a\n\nb\nc", "a\r\n\r\nb\r\nc\r\n", "a\r\rb\rc", "a\r\r\n\r\r\nb\r\r\nc"] {
            assert_eq!(lines(text), ["a", "", "b", "c"], "{text:?}");
        }
        assert!(lines("").is_empty());
        assert_eq!(lines("\n"), [""]);
        assert_eq!(lines(&"\r".repeat(100_000)).len(), 100_000);
    }

    #[test]
    fn encodings_are_told() {
        let text = "héavy water, 5 µl\n  x\n\n  3  2\n";
        let encoded = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (little, big) = (encoded(u16::to_le_bytes), encoded(u16::to_be_bytes));
        let cases = [
            text.as_bytes().to_vec(),
            [&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat(),
            [&[0xFF, 0xFE], little.as_slice()].concat(),
            [&[0xFE, 0xFF], big.as_slice()].concat(),
            little,
            big,
            text.chars().map(|c| c as u8).collect(),
        ];
        for case in cases {
            assert_eq!(decode(&case).expect("text"), text, "{case:?}");
        }
        assert!(decode(&[0xFF, 0xFE, 0, 0, 65, 0, 0, 0]).is_err());
    }
}
