//! Decimal strings.

/// A number in at most 16 characters.
pub(super) fn ds(v: f64) -> String {
    let v = if v.abs() < 1e-10 { 0.0 } else { v };
    for digits in (0..=10).rev() {
        let text = format!("{v:.digits$}");
        if text.len() <= 16 && (v == 0.0 || v.abs() > 1e-4) {
            let short = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            return short.to_string();
        }
    }
    format!("{v:.8e}")
}
