//! Finds likely secrets in leaves that another program has read, for `corpus.py`: built by rustc alone, in seconds.
//!
//! stdin: for each file its name and a line end, then each leaf as `POINTER NUL VALUE NUL`, then a NUL. stdout: for each
//! finding the file's name, the leaf's pointer and the reason, with tabs between them; never the value.

use std::io::{self, Read, Write};

#[path = "../../cli/src/config/likely/mod.rs"]
mod likely;

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let mut out = io::BufWriter::new(io::stdout());
    let mut rest = input.as_str();
    while let Some((name, mut leaves_text)) = rest.split_once('\n') {
        let mut leaves = Vec::new();
        loop {
            let Some((pointer, after)) = leaves_text.split_once('\0') else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            leaves_text = after;
            // The root has an empty pointer, and no config is a single value: here it ends the file.
            if pointer.is_empty() {
                break;
            }
            let Some((value, after)) = leaves_text.split_once('\0') else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            leaves_text = after;
            leaves.push((pointer, value));
        }
        rest = leaves_text;
        let around = likely::Surroundings::of(leaves.iter(), leaves.iter());
        for (index, (pointer, _)) in leaves.iter().enumerate() {
            if let Some(reason) = around.reason(&leaves, index) {
                writeln!(out, "{name}\t{}\t{reason}", pointer.replace(['\t', '\n'], " "))?;
            }
        }
    }
    out.flush()
}
