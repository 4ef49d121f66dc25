//! What the program can do, for shells, for `man` and for the documentation: all of it from the definition of the options.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use unmelt_diffusion::files::write_whole;

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
    let mut pages = Vec::new();
    write_pages(&Args::command().disable_help_subcommand(true), "unmelt", folder, &mut pages)?;
    println!("Wrote {} pages to {}.", pages.len(), folder.display());
    Ok(json!({ "folder": folder, "pages": pages }))
}

/// The page of a command called `name`, and those of the commands below it.
fn write_pages(
    command: &clap::Command,
    name: &str,
    folder: &Path,
    pages: &mut Vec<String>,
) -> Result<(), Failure> {
    let page = format!("{name}.1");
    let mut text = Vec::new();
    let shown = command.clone().name(name.to_string()).display_name(name.to_string());
    clap_mangen::Man::new(shown)
        .render(&mut text)
        .map_err(|e| Failure::failed(format!("could not make the page {page}: {e}")))?;
    write_whole(&folder.join(&page), &text)?;
    pages.push(page);
    let below = command.get_subcommands().filter(|c| !c.is_hide_set());
    below.into_iter().try_for_each(|c| write_pages(c, &format!("{name}-{}", c.get_name()), folder, pages))
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
