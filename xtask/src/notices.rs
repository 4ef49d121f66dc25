//! The crates that the program and the Python module are built from, with their licences.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The page that lists them.
const PAGE: &str = "THIRD-PARTY.md";

/// Licences under which code may be in the program. Those of MPL-2.0 crates are files of their own, which are not changed.
const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "IJG",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Writes the page.
pub fn write(root: &Path) -> Result<(), String> {
    let path = root.join(PAGE);
    std::fs::write(&path, page(root)?).map_err(|e| format!("could not write {}: {e}", path.display()))
}

/// Says whether the page is what the lock file says, and whether every licence is allowed.
pub fn check(root: &Path) -> Result<(), String> {
    let written = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    match written == page(root)? {
        true => Ok(()),
        false => Err(format!("{PAGE} is not what Cargo.lock says: run cargo xtask docs and commit it")),
    }
}

fn page(root: &Path) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}|{r}"])
        .args(["--package", "unmelt-cli", "--package", "unmelt-python"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo tree could not be started: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rows = BTreeSet::new();
    let mut refused = Vec::new();
    for line in text.lines() {
        let mut parts = line.trim_end_matches(" (*)").split('|');
        let (Some(package), licence, source) =
            (parts.next(), parts.next().unwrap_or(""), parts.next().unwrap_or(""))
        else {
            continue;
        };
        let mut words = package.split_whitespace();
        let (name, version) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if name.is_empty() || name.starts_with("unmelt") {
            continue;
        }
        if !is_allowed(licence) {
            refused.push(format!("{name}: \"{licence}\""));
        }
        rows.insert(format!("| {name} | {} | {licence} | {source} |", version.trim_start_matches('v')));
    }
    if !refused.is_empty() {
        return Err(format!("licences that are not allowed: {}", refused.join(", ")));
    }
    let rows: Vec<String> = rows.into_iter().collect();
    Ok(format!(
        "# Third-party crates\n\nThe program and the Python module are built from these {} crates. `cargo xtask docs` writes this page from \
         `Cargo.lock` and refuses licences that are not on its list.\n\n| crate | version | licence | source |\n|---|---|---|---|\n{}\n",
        rows.len(),
        rows.join("\n")
    ))
}

/// Whether code under a licence expression may be in the program: one alternative of which all parts are allowed.
fn is_allowed(expression: &str) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], "");
    // "(A OR B) AND C" is A, or B AND C, without the brackets; every C is looked at either way.
    let all_of = |part: &str| part.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim()));
    plain.split(" OR ").any(all_of)
        && expression.split(" AND ").skip(1).all(|rest| rest.split(" OR ").any(all_of_one))
}

fn all_of_one(licence: &str) -> bool {
    ALLOWED.contains(&licence.trim().trim_matches(['(', ')']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_as_alternatives() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "BSD-3-Clause AND MIT",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "AGPL-3.0"] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
