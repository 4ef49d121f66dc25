//! Unique identifiers that are made here.

use unmelt_diffusion::checkpoint::sha256;

/// Implementation of this program, below the root for UUIDs.
pub(super) const IMPLEMENTATION: &str = "2.25.83135666665417666090625254464557398464";

/// A UID below 2.25 from a text, by way of a UUID of version 8 (RFC 9562): the same text gives the same UID.
pub(super) fn made(from: &str) -> String {
    let digest = sha256(from.as_bytes());
    let number = u128::from_str_radix(&digest[..32], 16).unwrap_or(1);
    let version = (number & !(0xF << 76)) | 8 << 76;
    format!("2.25.{}", (version & !(0b11 << 62)) | 0b10 << 62)
}

/// Whether a text is a UID by its form.
pub(super) fn is_valid(uid: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) && (p.len() == 1 || !p.starts_with('0'))
    };
    uid.len() <= 64 && uid.contains('.') && uid.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_uuid(uid: &str) -> bool {
        let number: u128 = uid.strip_prefix("2.25.").expect("the root").parse().expect("a number");
        number >> 76 & 0xF == 8 && number >> 62 & 0b11 == 0b10
    }

    #[test]
    fn uids_have_the_bits_of_a_uuid() {
        assert!(is_uuid(IMPLEMENTATION));
        for k in 0..100 {
            let uid = made(&k.to_string());
            assert!(is_uuid(&uid) && is_valid(&uid), "{uid}");
        }
        assert_eq!(made("a"), made("a"));
        for bad in ["", "1", "1.2\u{1b}]0;x", "1..2", "1.02", &"1.".repeat(40)] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
