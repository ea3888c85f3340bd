//! `key id`: prints the ids of the keys in files, so that the user can tell key files apart. It shows nothing else of a
//! key.

use std::path::PathBuf;

use serde_json::json;

use crate::context::Context;
use crate::error::{self, Result};
use crate::keys;
use crate::keys::derive;
use crate::output;
use crate::quote::shown;

/// The options of `key id`.
pub(crate) struct Options {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) json: bool,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let (mut masters, mut failures) = (Vec::new(), Vec::new());
    for file in &options.files {
        match keys::from_file(file, &context.report) {
            Ok(master) => masters.push((file, master)),
            Err(failure) => failures.push(failure),
        }
    }
    let ids = derive::ids(&masters.iter().map(|(_, master)| &**master).collect::<Vec<_>>());
    let told = masters.iter().zip(ids).map(|((file, _), id)| (shown(file), id.to_string()));
    if options.json {
        let keys: Vec<_> = told.map(|(file, id)| json!({ "file": file, "id": id })).collect();
        output::json("key id", json!({ "keys": keys }))?;
    } else {
        for (file, id) in told {
            output::result(format_args!("{id}  {file}"))?;
        }
    }
    error::check_none(failures)
}
