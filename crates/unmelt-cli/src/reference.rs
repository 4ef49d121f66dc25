//! What the program can do, for shells, for `man` and for the documentation: all of it from the definition of the options.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::Outcome;
use crate::args::Args;
use crate::failure::Failure;

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "unmelt", &mut text);
    let text = String::from_utf8_lossy(&text);
    println!("{}", text.trim_end());
    Ok(json!({ "shell": shell.to_string(), "text": text }))
}

/// Writes a man page for each command.
pub fn man(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::usage(format!("could not create {}: {e}", folder.display())))?;
    clap_mangen::generate_to(Args::command().disable_help_subcommand(true), folder)
        .map_err(|e| Failure::failed(format!("could not write man pages to {}: {e}", folder.display())))?;
    println!("Wrote man pages to {}.", folder.display());
    Ok(json!({ "folder": folder }))
}

/// Prints the reference of all commands as Markdown.
pub fn markdown() -> Outcome {
    let options = clap_markdown::MarkdownOptions::new()
        .title("Command line".into())
        .show_footer(false)
        .show_table_of_contents(false);
    let text = clap_markdown::help_markdown_custom::<Args>(&options);
    println!("{}", text.trim_end());
    Ok(json!({ "text": text }))
}
