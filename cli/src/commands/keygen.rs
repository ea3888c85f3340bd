//! `keygen`: makes a new master key, and writes it to a file of mode 0600 or shows it once on the terminal.
//!
//! If neither is possible, it refuses before it makes a key, so that no key ends up in a log or is lost. Only `--print`
//! writes the key to stdout. All other output names the key by its id.

use std::rc::Rc;

use fernseal_core::{KeyText, MasterKey};
use getrandom::SysRng;
use serde_json::json;

use crate::args::Keygen;
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{Bug, KeyFailure, Result};
use crate::keys;
use crate::keys::derive::{self, Master};
use crate::output;
use crate::output::terminal;
use crate::quote::{exports, shown};
use crate::store::{self, Unsyncable};

pub(crate) fn run(args: &Keygen, context: &Context) -> Result<()> {
    if args.output.is_none()
        && !args.print
        && let Some(why) = context.keys.prompts.cannot_show_key()
    {
        return Err(KeyFailure::NowhereToShow { why }.into());
    }
    let (master, text) = new_key()?;
    let files: Vec<&std::path::Path> = args.output.iter().map(|path| &**path).collect();
    let mut entry =
        Entry { verb: Verb::Keygen, outcome: Outcome::Started, files: &files, pointers: &[], keys: &[&master] };
    context.audit.record(&entry)?;

    let how_to_use = match &args.output {
        Some(path) => {
            super::tell_caveats(store::create_key(path, &text, Unsyncable::Tell)?, context);
            context.report.note(format_args!("New master key written to {} (mode 600)", shown(path)));
            if keys::is_default_key_file(path) {
                "Every command reads it from there.".to_owned()
            } else {
                format!("To use it:\n{}", exports(path))
            }
        }
        None => {
            if args.print {
                output::result_bytes(&[text.as_bytes(), b"\n"])?;
            } else {
                terminal::show_key_once(&text)?;
            }
            "To use it:\n  export PROXMOX_MCP_MASTER_KEY=\"your-generated-key\"".to_owned()
        }
    };
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);

    let id = derive::id(&master);
    if args.json {
        output::after_the_work(output::json("keygen", json!({ "file": args.output.as_deref().map(shown), "id": id })))?;
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
