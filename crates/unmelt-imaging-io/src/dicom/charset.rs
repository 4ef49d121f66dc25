//! Character sets of texts: names put right, and texts shortened between characters. Bytes are never changed.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Value, is_text};
use super::tags::text;

/// Numbers of the sets that the standard names.
const SETS: [u32; 18] = [6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149, 159, 166, 192, 203];

/// Gives SpecificCharacterSet the name that the standard has for what the file says: "ISO IR 100" is ISO_IR 100, "UTF-8" is
/// ISO_IR 192. A name that means nothing goes where no text needs it.
pub(super) fn put_right(set: &mut Dataset) {
    let Some(said) = text(set, tags::SPECIFIC_CHARACTER_SET) else { return };
    let names: Option<Vec<String>> = said.split('\\').map(name).collect();
    let right = match names {
        Some(names) => names.join("\\"),
        None if !has_letters_beyond_ascii(set) => {
            set.remove(tags::SPECIFIC_CHARACTER_SET);
            return;
        }
        None if is_utf_8(set) => "ISO_IR 192".into(),
        None => return,
    };
    set.put_bytes(tags::SPECIFIC_CHARACTER_SET, VR::CS, right);
}

/// The standard's name for one value; none if it means nothing.
fn name(said: &str) -> Option<String> {
    let said = said.trim_matches(['\0', ' ']).to_uppercase();
    let plain: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.as_str() {
        "" => return Some(String::new()),
        "UTF8" => return Some("ISO_IR 192".into()),
        "GB18030" | "GBK" => return Some(plain),
        _ => {}
    }
    let (start, number) = match plain.strip_prefix("ISO2022IR") {
        Some(number) => ("ISO 2022 IR", number),
        None => ("ISO_IR", plain.strip_prefix("ISOIR")?),
    };
    let number: u32 = number.parse().ok()?;
    SETS.contains(&number).then(|| format!("{start} {number}"))
}

fn texts(set: &Dataset) -> impl Iterator<Item = &[u8]> {
    set.elements().filter_map(|element| match &element.value {
        Value::Bytes(bytes) if is_text(element.vr) => Some(bytes.as_slice()),
        _ => None,
    })
}

fn has_letters_beyond_ascii(set: &Dataset) -> bool {
    texts(set).any(|bytes| bytes.iter().any(|b| *b >= 0x80 || *b == 0x1B))
}

fn is_utf_8(set: &Dataset) -> bool {
    texts(set).all(|bytes| std::str::from_utf8(bytes).is_ok())
}

/// At most `room` characters of a text in a character set.
pub(super) fn shortened(bytes: &[u8], set: &str, room: usize) -> Vec<u8> {
    let (utf_8, chinese) = (set.contains("192"), set.contains("GB"));
    // Which of the two halves of a byte's values stand for characters of two bytes, by escape sequences.
    let mut double = [false; 2];
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() && count < room {
        if let [0x1B, rest @ ..] = &bytes[at..] {
            at += 1 + escape(rest, &mut double);
            continue;
        }
        let first = bytes[at];
        let second = bytes.get(at + 1).copied().unwrap_or_default();
        at += match first {
            _ if utf_8 => match first {
                0xC0..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xFF => 4,
                _ => 1,
            },
            0x80.. if chinese => {
                if second.is_ascii_digit() {
                    4
                } else {
                    2
                }
            }
            _ => 1 + usize::from(double[usize::from(first >> 7)]),
        };
        count += 1;
    }
    let mut out = bytes[..at.min(bytes.len())].to_vec();
    if double[0] {
        // A text ends in the set that it began with.
        out.extend_from_slice(b"\x1B(B");
    }
    out
}

/// Takes in an escape sequence; its length.
fn escape(rest: &[u8], double: &mut [bool; 2]) -> usize {
    match rest {
        [b'$', b'(', _, ..] => {
            double[0] = true;
            3
        }
        [b'$', b')', _, ..] => {
            double[1] = true;
            3
        }
        [b'$', _, ..] => {
            double[0] = true;
            2
        }
        [b'(', _, ..] => {
            double[0] = false;
            2
        }
        [b')' | b'-', _, ..] => {
            double[1] = false;
            2
        }
        _ => rest.len().min(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_right() {
        for (said, right) in [
            ("ISO IR 100", Some("ISO_IR 100")),
            ("ISO_IR_192", Some("ISO_IR 192")),
            ("UTF-8", Some("ISO_IR 192")),
            ("ISO-2022-IR 87", Some("ISO 2022 IR 87")),
            ("gb18030", Some("GB18030")),
            ("", Some("")),
            ("KLINGON", None),
            ("ISO_IR 7", None),
        ] {
            assert_eq!(name(said).as_deref(), right, "{said}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("Zoë Müller".as_bytes(), "ISO_IR 192", 6), "Zoë Mü".as_bytes());
        assert_eq!(shortened(b"\xCD\xF5^\xD0\xA1\xB6\xAB", "GB18030", 3), b"\xCD\xF5^\xD0\xA1");
        assert_eq!(shortened(b"\xE4bc", "ISO_IR 100", 2), b"\xE4b");
        let japanese = b"\x1B$BF,It\x1B(B T1";
        assert_eq!(shortened(japanese, "\\ISO 2022 IR 87", 1), b"\x1B$BF,\x1B(B");
        assert_eq!(shortened(japanese, "\\ISO 2022 IR 87", 9), japanese);
        assert_eq!(shortened(b"\x1B$)C\xC8\xAB\xB1\xE6", "\\ISO 2022 IR 149", 1), b"\x1B$)C\xC8\xAB");
    }
}
