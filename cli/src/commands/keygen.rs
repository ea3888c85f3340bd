//! `keygen`: a new master key, to a file of mode 0600, or shown once on the terminal.
//! Without either it refuses before a key is made, so that no key lands in a log or is lost; `--print` is the explicit
//! way to stdout.
//! Everywhere else the key is named by its id.

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
use crate::quote::shown;
use crate::store::{self, Unsyncable};

pub(crate) fn run(args: &Keygen, context: &Context) -> Result<()> {
    if args.output.is_none()
        && !args.print
        && let Some(why) = context.prompts.cannot_show_key()
    {
        return Err(KeyFailure::NowhereToShow { why }.into());
    }
    let (master, text) = new_key()?;
    let files: Vec<&std::path::Path> = args.output.iter().map(|path| &**path).collect();
    let mut entry =
        Entry { verb: Verb::Keygen, outcome: Outcome::Started, files: &files, pointers: &[], keys: &[&master] };
    context.audit.record(&entry)?;

    let exports = match &args.output {
        Some(path) => {
            super::tell_caveats(store::create_key(path, &text, Unsyncable::Tell)?, context);
            context.report.note(format_args!("New master key written to {} (mode 600)", shown(path)));
            keys::exports(path)
        }
        None => {
            if args.print {
                output::result_bytes(&[text.as_bytes(), b"\n"])?;
            } else {
                terminal::show_key_once(&text)?;
            }
            "  export PROXMOX_MCP_MASTER_KEY=\"your-generated-key\"".to_owned()
        }
    };
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);

    let id = derive::id(&master, context.threads);
    if args.json {
        output::after_the_work(output::json("keygen", json!({ "file": args.output.as_deref().map(shown), "id": id })))?;
    }
    context.report.note(format_args!("Its id is {id}. To use it:\n{exports}"));
    context
        .report
        .note("Keep it apart from the configs: whoever has both has the secrets, and without it they are lost.");
    Ok(())
}

/// A new master key and its text.
pub(crate) fn new_key() -> Result<(Rc<Master>, KeyText)> {
    let text = MasterKey::generate_text(&mut SysRng).map_err(|_| KeyFailure::RandomFailed)?;
    let master = MasterKey::from_text(&text).map_err(Bug::NewKeyInvalid)?;
    Ok((Rc::new(master.into()), text))
}
