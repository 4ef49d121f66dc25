//! The documentation: the reference of the command line as the program prints it, links that lead somewhere, examples of shells
//! that name commands and options that there are, and the book.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of mdBook that the book is made with.
const MDBOOK: &str = "0.4.52";

/// The page that the program writes.
const REFERENCE: &str = "docs/cli.md";

/// Writes the reference of the command line from the program's own definition.
pub fn write_reference(root: &Path, program: &Path) -> Result<(), String> {
    let path = root.join(REFERENCE);
    std::fs::write(&path, reference(program)?).map_err(|e| format!("could not write {}: {e}", path.display()))
}

/// Says what is wrong with the documentation; nothing is written.
pub fn check(root: &Path, program: &Path) -> Result<(), String> {
    let path = root.join(REFERENCE);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if written != reference(program)? {
        return Err(format!(
            "{REFERENCE} is not what the program prints: run cargo xtask docs and commit it"
        ));
    }
    let pages = pages(root)?;
    let mut faults = Vec::new();
    for page in &pages {
        let text =
            std::fs::read_to_string(page).map_err(|e| format!("could not read {}: {e}", page.display()))?;
        faults.extend(broken_links(root, page, &text));
        faults.extend(unknown_options(root, page, &text, &written));
    }
    if faults.is_empty() {
        println!("{} pages: links lead somewhere, commands and options are there", pages.len());
        return Ok(());
    }
    Err(faults.join("\n"))
}

/// Makes the book; mdBook is built into `target/tools` where it is not there.
pub fn book(root: &Path) -> Result<PathBuf, String> {
    let tools = root.join("target/tools");
    let own = tools.join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    let is_there =
        |program: &Path| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    let program = [PathBuf::from("mdbook"), own.clone()].into_iter().find(|p| is_there(p));
    let program = match program {
        Some(program) => program,
        None => {
            run(Command::new(env!("CARGO"))
                .args([
                    "install",
                    "mdbook",
                    "--locked",
                    "--no-default-features",
                    "--version",
                    MDBOOK,
                    "--root",
                ])
                .arg(&tools))?;
            own
        }
    };
    run(Command::new(program).arg("build").arg(root.join("docs")))?;
    Ok(root.join("target/book"))
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?} ended with {status}", command.get_program())),
        Err(e) => Err(format!("{:?} could not be started: {e}", command.get_program())),
    }
}

fn reference(program: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .arg("reference")
        .output()
        .map_err(|e| format!("{} could not be started: {e}", program.display()))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|e| format!("the reference is no text: {e}")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// All pages: those beside the README and those of folders that the repository describes.
fn pages(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut pages = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).map_err(|e| format!("could not read {}: {e}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                let is_top = folder == root;
                let wanted = ["docs", "data", "python", "notebooks", "tests"].contains(&name.as_str());
                let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
                if !skipped && (wanted || !is_top) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

/// Links of a page to files of the repository or to headings that are not there.
fn broken_links(root: &Path, page: &Path, text: &str) -> Vec<String> {
    let prose = without_code(text);
    let mut faults = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let Some(length) = prose[at + 2..].find(')') else { continue };
        let link = prose[at + 2..at + 2 + length].split_whitespace().next().unwrap_or_default();
        if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => page.to_path_buf(),
            file => page.parent().unwrap_or(root).join(file),
        };
        let shown = page.strip_prefix(root).unwrap_or(page).display();
        if !target.exists() {
            faults.push(format!("{shown}: the link to {link} leads nowhere"));
        } else if !heading.is_empty() && target.extension().is_some_and(|e| e == "md") {
            let there = std::fs::read_to_string(&target).unwrap_or_default();
            if !headings(&there).contains(heading) {
                faults.push(format!("{shown}: {link} names no heading"));
            }
        }
    }
    faults
}

/// The names by which a page's headings are linked to.
fn headings(text: &str) -> BTreeSet<String> {
    let of = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(of).collect()
}

/// A page without its blocks of code.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    prose.collect::<Vec<_>>().join("\n")
}

/// Lines of the shell that call unmelt with a command or an option that it does not have.
fn unknown_options(root: &Path, page: &Path, text: &str, reference: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in shell_lines(text) {
        let mut words =
            line.split_whitespace().skip_while(|w| w.contains('=') || *w == "time" || *w == "nohup");
        if words.next() != Some("unmelt") {
            continue;
        }
        let words: Vec<&str> =
            words.take_while(|w| !["|", "&&", ";", "#", ">", "2>", "&"].contains(w)).collect();
        let command: Vec<&str> = words
            .iter()
            .copied()
            .take_while(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .take(2)
            .collect();
        let section = (1..=command.len()).rev().find_map(|n| section(reference, &command[..n]));
        let shown = page.strip_prefix(root).unwrap_or(page).display();
        // Options of every command stand with the program itself.
        let general = self::section(reference, &[]).unwrap_or_default();
        let Some(section) = section else {
            faults.push(format!("{shown}: there is no command unmelt {}", command.join(" ")));
            continue;
        };
        for word in words.iter().filter(|w| w.starts_with("--")) {
            let option = word.split('=').next().unwrap_or(word);
            if !has_option(section, option) && !has_option(general, option) && option != "--help" {
                faults.push(format!("{shown}: unmelt {} has no option {option}", command.join(" ")));
            }
        }
    }
    faults
}

/// Whether a part of the reference names an option, with a value or without one.
fn has_option(section: &str, option: &str) -> bool {
    [format!("`{option}`"), format!("`{option} ")].iter().any(|name| section.contains(name))
}

/// The part of the reference that describes a command.
fn section<'a>(reference: &'a str, command: &[&str]) -> Option<&'a str> {
    let title = format!("## `{}`\n", [&["unmelt"], command].concat().join(" "));
    let begin = reference.find(&title)? + title.len();
    let end = reference[begin..].find("\n## ").map_or(reference.len(), |n| begin + n);
    Some(&reference[begin..end])
}

/// Lines of blocks of shell code, with those that go on joined.
fn shell_lines(text: &str) -> Vec<String> {
    let (mut lines, mut is_shell, mut is_code, mut goes_on) = (Vec::<String>::new(), false, false, false);
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_code = !is_code;
            is_shell = is_code && ["sh", "bash", "shell", "console"].contains(&language.trim());
            goes_on = false;
            continue;
        }
        if !is_shell {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(part);
            }
            None => lines.push(part.into()),
        }
        goes_on = more;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_headings_commands_and_options_are_looked_at() {
        let folder = std::env::temp_dir();
        let page = folder.join("page.md");
        let text = "# A title, with `code`\n[here](#a-title-with-code) [no](#b) [none](nowhere.md) [web](https://a.b)\n```sh\n[x](y)\n```\n";
        let faults = broken_links(&folder, &page, text);
        std::fs::write(&page, text).expect("written");
        let then = broken_links(&folder, &page, text);
        std::fs::remove_file(&page).expect("there");
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(then, ["page.md: #b names no heading", "page.md: the link to nowhere.md leads nowhere"]);
        let reference = "## `unmelt`\n\n* `--json`\n\n## `unmelt a b`\n\n* `--count <N>`\n\n## `unmelt a`\n";
        let shell =
            "```sh\nunmelt a b --count 3 --json \\\n  --no\nunmelt c\nls --no\n```\n```text\nunmelt d\n```\n";
        let faults = unknown_options(&folder, &page, shell, reference);
        assert_eq!(
            faults,
            ["page.md: unmelt a b has no option --no", "page.md: there is no command unmelt c"]
        );
    }
}
