//! Options from a file: what a command takes unless something else is typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use crate::failure::Failure;
use crate::settings_file;

/// The option that names the file.
const OPTION: &str = "config";

/// The same command line with the values of the file behind `--config`, if one was typed, as its defaults. A command with an
/// option of that name of its own keeps it to itself.
pub fn with_file(command: Command, words: &[OsString]) -> Result<Command, Failure> {
    // Whether all that was typed is sound is checked once the defaults stand.
    let Ok(matches) = command.clone().ignore_errors(true).try_get_matches_from(words) else {
        return Ok(command);
    };
    let mut names = Vec::new();
    let mut leaf = &matches;
    while let Some((name, below)) = leaf.subcommand() {
        names.push(name.to_string());
        leaf = below;
    }
    let Ok(Some(path)) = leaf.try_get_one::<PathBuf>(OPTION) else { return Ok(command) };
    // Only a command that was built knows the options of the whole program; one that was built cannot be changed.
    let mut built = command.clone();
    built.build();
    let taken = names.iter().try_fold(&built, |c, name| c.find_subcommand(name));
    let Some(taken) = taken.filter(|c| c.get_arguments().any(|a| a.get_id() == OPTION && a.is_global_set()))
    else {
        return Ok(command);
    };
    let mut defaults = Vec::new();
    for (key, value) in settings_file::read::<Table>(path)? {
        let about = |fault: String| Failure::usage(format!("{}: {key} {fault}", path.display()));
        let Some(arg) = taken.get_arguments().find(|arg| is_named(arg, &key)) else {
            let known: Vec<&str> =
                taken.get_arguments().filter(|a| may_be_set(a)).filter_map(Arg::get_long).collect();
            let hint = format!("its options are {}", known.join(", "));
            return Err(about(format!("is no option of unmelt {}", names.join(" "))).hint(hint));
        };
        let values = texts(arg, &value).map_err(about)?;
        let below = if arg.is_global_set() { &[][..] } else { &names[..] };
        defaults.push((arg.get_id().to_string(), below, values));
    }
    Ok(defaults.into_iter().fold(command, |command, (id, below, values)| put(command, below, &id, values)))
}

/// Whether a key of the file names an option; dashes and underscores are one.
fn is_named(arg: &Arg, key: &str) -> bool {
    may_be_set(arg) && arg.get_long().is_some_and(|long| long == key.replace('_', "-"))
}

/// Whether a file may set an option: all but the file itself, help and version.
fn may_be_set(arg: &Arg) -> bool {
    let is_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append | ArgAction::SetTrue);
    is_value && arg.get_id() != OPTION && !arg.is_hide_set()
}

/// What would be typed for a value; nothing for a switch that is off.
fn texts(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    match value {
        Value::Boolean(is_on) if is_switch => Ok(if *is_on { vec!["true".into()] } else { Vec::new() }),
        _ if is_switch => Err(format!("must be true or false, but it is {value}")),
        Value::Array(items) => {
            let takes_several =
                matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some();
            if !takes_several {
                return Err("takes one value, not a list".into());
            }
            items.iter().map(text).collect()
        }
        one => Ok(vec![text(one)?]),
    }
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Ok(value.to_string()),
        other => Err(format!("must be a text, a number or a list of those, but it is {other}")),
    }
}

/// Gives an option of the command behind `names` its default.
fn put(command: Command, names: &[String], id: &str, values: Vec<String>) -> Command {
    match names {
        [] if values.is_empty() => command,
        [] => command.mut_arg(id, |arg| arg.required(false).default_values(values)),
        [first, rest @ ..] => command.mut_subcommand(first, |below| put(below, rest, id, values)),
    }
}
