//! Searches a file of any size and format for signs of a token, without parsing it.
//!
//! It serves files that are not JSON or exceed the size limit. It prefers false positives: in doubt a file could
//! contain a token.

use std::io::{self, Read};

use fernseal_core::text;

use super::ConfigPath;
use crate::error::Result;

/// The beginning of a JSON escape of an ASCII character. Such an escape may spell part of any word, so it counts as a
/// match.
const ESCAPE: &[u8] = br"\u00";
const PIECE: usize = 1 << 16;

impl ConfigPath {
    /// Reports whether the file could contain one of `words` in a JSON string: in upper or lower case, in UTF-8 or
    /// UTF-16, possibly with escapes.
    pub(crate) fn could_hold(&self, words: &[&str]) -> Result<bool> {
        let (_, _, file, _) = self.open()?;
        could_hold(file, words).map_err(|error| self.unreadable(error))
    }

    /// Reports whether the file contains a token. A file of more than `limit` bytes is not read and counts as one
    /// without.
    pub(crate) fn holds_token(&self, limit: usize) -> Result<bool> {
        let (_, _, file, stat) = self.open()?;
        if !usize::try_from(stat.st_size).is_ok_and(|size| size <= limit) {
            return Ok(false);
        }
        let mut bytes = Vec::new();
        file.take(limit as u64).read_to_end(&mut bytes).map_err(|error| self.unreadable(error))?;
        Ok(text::tokens(&String::from_utf8_lossy(&bytes)).any(|found| found.token().is_ok()))
    }

    /// Reports whether the config was found in a directory, rather than named itself.
    pub(crate) fn was_found(&self) -> bool {
        self.root.is_some()
    }
}

/// Reports whether `text` could contain one of `words`, by the rules of [`ConfigPath::could_hold`].
pub(crate) fn could_hold(mut text: impl Read, words: &[&str]) -> io::Result<bool> {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_ascii_lowercase().into_bytes()).collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).chain([ESCAPE]).collect();
    let overlap = words.iter().map(|word| word.len()).max().unwrap_or(0).saturating_sub(1);
    let mut piece = vec![0; PIECE];
    let mut seen: Vec<u8> = Vec::with_capacity(PIECE + overlap);
    loop {
        let read = match text.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        // Drop NUL bytes: in UTF-16, every second byte of an ASCII character is one.
        seen.extend(piece[..read].iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase));
        let holds = |word: &&[u8]| word.is_empty() || seen.windows(word.len()).any(|part| part == *word);
        if words.iter().any(holds) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        seen.drain(..seen.len().saturating_sub(overlap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_spell_a_word_is_found_wherever_a_piece_ends() {
        let holds = |text: &[u8]| could_hold(text, &["enc:", "token_value"]).unwrap();
        for text in [&b""[..], b"{} // a comment", b"\0\xff\x1f\x8b", b"Content-Encoding: x", br#"{"a": "\ud83d"}"#] {
            assert!(!holds(text), "{}", text.escape_ascii());
        }
        let utf_16: Vec<u8> = "x enc:".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [&b"enc:"[..], b"[\"ENC:abc\",]", br#"{"a": "\u0065nc:x",}"#, b"{\"Token_Value\": 1,}", &utf_16] {
            assert!(holds(text), "{}", text.escape_ascii());
            for before in PIECE - 20..PIECE + 4 {
                let far = [&b" ".repeat(before), text, &b" ".repeat(before)].concat();
                assert!(holds(&far), "{} behind {before} bytes", text.escape_ascii());
            }
        }
    }
}
