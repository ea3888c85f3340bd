//! `decrypt`: the whole config with its secrets in plain text, to stdout or a file of mode 0600.
//! Every string with the `enc:` prefix is opened; if one does not open, nothing is written.
//! Everything else in the config stays byte for byte.

use super::{config_or_default, open, read};
use crate::Context;
use crate::args::Decrypt;
use crate::audit::Entry;
use crate::document::Edit;
use crate::failure::Result;
use crate::report::{self, shown};
use crate::store;

pub(crate) fn run(args: &Decrypt, context: &Context) -> Result<()> {
    let path = config_or_default(args.config.as_deref())?;
    let (source, document) = read(&path, context)?;
    let tokens: Vec<_> = document.tokens.iter().collect();
    let mut edits = Vec::new();
    if tokens.is_empty() {
        context.report.note(format_args!("{} has no encrypted values", document.name));
    } else {
        let keys = context.keys()?;
        let secrets = open(&document, &tokens, &keys, context)?;
        edits.extend(tokens.iter().zip(&secrets).map(|(token, secret)| -> Edit { token.replaced_by(secret) }));
        context.audit.record(&Entry {
            command: "decrypt",
            outcome: "done",
            files: &[&path],
            pointers: &tokens.iter().map(|token| &*token.pointer).collect::<Vec<_>>(),
            keys: &[keys.current()],
        })?;
    }
    let pieces = document.edited(&edits);
    let Some(out) = &args.output else { return report::result_bytes(&pieces) };
    super::refuse_same_file(&source, out)?;
    store::create(out, 0o600, &pieces, args.force)?;
    context.report.note(format_args!("{} values decrypted into {} (mode 600)", edits.len(), shown(out)));
    context.report.warn(format_args!("{} holds secrets in plain text: delete it when done", shown(out)));
    Ok(())
}
