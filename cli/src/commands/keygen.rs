//! `keygen`: makes a new master key, and writes it to a file of mode 0600 or shows it once on the terminal.
//!
//! If neither is possible, it refuses before it makes a key, so that no key ends up in a log or is lost. Only `--print`
//! writes the key to stdout. All other output names the key by its id.

use std::path::PathBuf;
use std::rc::Rc;

use fernseal_core::{KeyText, MasterKey};
use getrandom::SysRng;
use serde_json::json;

use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{Bug, KeyFailure, Result};
use crate::keys;
use crate::keys::derive::{self, Master};
use crate::output;
use crate::output::terminal::{self, Prompts};
use crate::quote::{exports, shown};
use crate::store::{self, Unsyncable};

/// How to use a key that is in no file.
const EXPORT: &str = "To use it:\n  export PROXMOX_MCP_MASTER_KEY=\"your-generated-key\"";

/// The options of `keygen`.
pub(crate) struct Options {
    pub(crate) destination: KeyDestination,
}

/// Where the new key goes.
pub(crate) enum KeyDestination {
    /// To the screen, once.
    Terminal(Prompts),
    /// To stdout, where it may end up in a log.
    Stdout,
    File {
        path: PathBuf,
        /// Whether to report in JSON.
        json: bool,
    },
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    if let KeyDestination::Terminal(prompts) = options.destination
        && let Some(why) = prompts.cannot_show_key()
    {
        return Err(KeyFailure::NowhereToShow { why }.into());
    }
    let (master, text) = new_key()?;
    let files = match &options.destination {
        KeyDestination::File { path, .. } => vec![&**path],
        KeyDestination::Terminal(_) | KeyDestination::Stdout => Vec::new(),
    };
    let mut entry =
        Entry { verb: Verb::Keygen, outcome: Outcome::Started, files: &files, pointers: &[], keys: &[&master] };
    context.audit.record(&entry)?;

    let how_to_use = match &options.destination {
        KeyDestination::File { path, .. } => {
            super::tell_caveats(store::create_key(path, &text, Unsyncable::Tell)?, context);
            context.report.note(format_args!("New master key written to {} (mode 600)", shown(path)));
            if keys::is_default_key_file(path) {
                "Every command reads it from there.".to_owned()
            } else {
                format!("To use it:\n{}", exports(path))
            }
        }
        KeyDestination::Stdout => {
            output::result_bytes(&[text.as_bytes(), b"\n"])?;
            EXPORT.to_owned()
        }
        KeyDestination::Terminal(_) => {
            terminal::show_key_once(&text)?;
            EXPORT.to_owned()
        }
    };
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);

    let id = derive::id(&master);
    if let KeyDestination::File { path, json: true } = &options.destination {
        output::after_the_work(output::json("keygen", json!({ "file": shown(path), "id": id })))?;
    }
    context.report.note(format_args!("Its id is {id}. {how_to_use}"));
    context
        .report
        .note("Do not store it with the configs: whoever has both can read the secrets. Without it they are lost.");
    Ok(())
}

/// Makes a new master key, and returns it with its text.
pub(crate) fn new_key() -> Result<(Rc<Master>, KeyText)> {
    let text = MasterKey::generate_text(&mut SysRng).map_err(|_| KeyFailure::RandomFailed)?;
    let master = MasterKey::from_text(&text).map_err(Bug::NewKeyInvalid)?;
    Ok((Rc::new(master.into()), text))
}
