//! `run`: starts a program with secrets, opened: in variables, or in files that exist in memory alone.
//! The program takes this process's place (exec), so signals, exit codes and the terminal are its own.
//! The master key stays behind, unless the caller wants it otherwise.

use std::borrow::Cow;
use std::env;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use fernseal_core::json;
use rustix::fs::MemfdFlags;
use rustix::process::Resource;
use zeroize::Zeroizing;

use super::{config_or_default, open, open_all, read, unsealed};
use crate::args::Run;
use crate::audit::Entry;
use crate::config::placeholder;
use crate::config::text::{ConfigText, Edit, in_order, unescaped};
use crate::context::Context;
use crate::env::KEY_VARIABLES;
use crate::error::{Exit, Failure, Result};
use crate::keys::Keyring;

pub(crate) fn run(args: &Run, context: &Context) -> Result<()> {
    let path = config_or_default(args.config.as_deref())?;
    let (_, document) = read(&path, context)?;
    let keys = context.keys()?;
    let [program, arguments @ ..] = &*args.program else {
        return Err(Failure::new(Exit::Usage, "no program named", "name it behind --"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if !args.keep_key {
        KEY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    }

    let mut pointers = Vec::new();
    // They stay open, for the program.
    let mut files: Vec<OwnedFd> = Vec::new();
    for (list, in_file) in [(&args.variables, false), (&args.files, true)] {
        for wish in list {
            let (name, pointer) = wish.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                let next = "write the variable, =, and the value's pointer, as in TOKEN=/auth/token_value";
                Failure::new(Exit::Usage, format!("{wish} is not NAME=POINTER"), next)
            })?;
            let secret = value(&document, pointer, args.expand, &keys, context)?;
            if in_file {
                command.env(name, path_of(in_memory(name, &[secret.as_bytes()], &mut files)?));
            } else if secret.contains('\0') {
                let next = "hand it over in a file, with --file";
                return Err(Failure::new(Exit::Malformed, format!("the value at {pointer} holds a NUL"), next));
            } else {
                command.env(name, &*secret);
            }
            pointers.push(pointer);
        }
    }
    if args.config_env.is_some() || args.config_fd.is_some() {
        let edits = edits_of_all(&document, args.expand, &keys, context)?;
        let pieces = document.edited(&edits);
        // A file each: whoever reads one does not move the place at which another reads on.
        if let Some(name) = &args.config_env {
            command.env(name, path_of(in_memory("config", &pieces, &mut files)?));
        }
        if let Some(name) = &args.config_fd {
            command.env(name, in_memory("config", &pieces, &mut files)?.to_string());
        }
        pointers.extend(document.pointers());
    }
    let entry =
        Entry { command: "run", outcome: "started", files: &[&path], pointers: &pointers, keys: &[keys.current()] };
    context.audit.record(&entry)?;

    // Where the system will not have it, the program has a smaller limit.
    let _ = rustix::process::setrlimit(Resource::Core, context.core_limit);
    let error = command.exec();
    let next = "name a program that is there and can be executed";
    Err(Failure::new(Exit::File, format!("{} cannot be started: {error}", program.to_string_lossy()), next))
}

/// The value at `pointer`, opened if it is sealed.
fn value(
    document: &ConfigText,
    pointer: &str,
    expand: bool,
    keys: &Keyring,
    context: &Context,
) -> Result<Zeroizing<String>> {
    let value = document.find(pointer)?;
    if let Some(token) = document.token_at(&value) {
        return Ok(open(document, &[token], keys, context)?.pop().unwrap_or_default());
    }
    let text = unsealed(document, &value, pointer)?;
    Ok(if expand { Zeroizing::new(expanded(&text)?.into_owned()) } else { text })
}

/// The edits that open the whole config, and fill in its placeholders if that is wanted.
fn edits_of_all(document: &ConfigText, expand: bool, keys: &Keyring, context: &Context) -> Result<Vec<Edit>> {
    let mut edits = document.opened_to(&open_all(document, keys, context)?);
    if expand {
        for value in json::strings(&document.text) {
            let value = value.map_err(|error| document.failure("", error))?;
            let Ok(text) = unescaped(value.raw()) else { continue };
            if document.token_at(&value).is_none() && text.contains("${") {
                edits.push(Edit::of(&value, &expanded(&text)?));
            }
        }
        in_order(&mut edits);
    }
    Ok(edits)
}

/// `text` with its placeholders filled in from the environment.
fn expanded(text: &str) -> Result<Cow<'_, str>> {
    placeholder::expand(text, |name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
}

/// The path of an open file, for the program that inherits it.
fn path_of(file: RawFd) -> String {
    format!("/proc/self/fd/{file}")
}

/// A file in memory with these pieces, at its start.
fn in_memory(name: &str, pieces: &[&[u8]], files: &mut Vec<OwnedFd>) -> Result<RawFd> {
    let make = || -> io::Result<OwnedFd> {
        // Not closed on exec: that is what it is for.
        let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::empty())?);
        pieces.iter().try_for_each(|piece| file.write_all(piece))?;
        file.rewind()?;
        Ok(file.into())
    };
    let file = make().map_err(|error| {
        Failure::new(Exit::File, format!("no file in memory: {error}"), "free some memory, or use --env")
    })?;
    let number = file.as_raw_fd();
    files.push(file);
    Ok(number)
}
