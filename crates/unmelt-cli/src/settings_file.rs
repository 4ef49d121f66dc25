//! Files of settings (TOML).

use std::path::Path;

use serde::de::DeserializeOwned;
use unmelt_diffusion::files::limits::limits;
use unmelt_diffusion::files::read_bounded;

use crate::failure::Failure;

/// Reads a file of settings; a fault is told with its line and key.
pub fn read<C: DeserializeOwned>(path: &Path) -> Result<C, Failure> {
    let bytes = read_bounded(path, limits().card_bytes, "card_bytes")?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("could not read {}: it is no text in UTF-8", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        let begin = e.span().and_then(|span| text.get(..span.start));
        let place = begin.map_or(String::new(), |before| {
            let number = before.matches('\n').count();
            let line = text.lines().nth(number).unwrap_or_default().trim();
            // The message itself does not name the key.
            let key = line.split_once('=').map_or(String::new(), |(key, _)| format!(" ({})", key.trim()));
            format!(", line {}{key}", number + 1)
        });
        Failure::usage(format!("{}{place}: {}", path.display(), e.message()))
    })
}
