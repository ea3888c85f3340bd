//! Generates random input from one seed: bytes, texts, and altered texts.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use fastrand::Rng;

/// A random source that returns the given bytes.
pub struct Script(pub Vec<u8>);

impl rand_core::TryRng for Script {
    type Error = std::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(std::fmt::Error)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Script {}

pub fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Returns a length, mostly short and sometimes long, so that every length around a block occurs often.
pub fn length(rng: &mut Rng) -> usize {
    if rng.u8(..) < 4 { rng.usize(..4096) } else { rng.usize(..80) }
}

/// Characters that are special for one of the readers, or for none.
const SIGNS: [char; 20] =
    ['A', 'Q', 'z', '9', '-', '_', '+', '/', '=', ':', ' ', '\n', '\t', '\0', '.', '"', '~', '\u{7f}', 'é', '\u{feff}'];

/// Returns `text` after a random change, as an accident or an attacker would make it.
pub fn mutated(rng: &mut Rng, text: &str) -> String {
    let mut signs: Vec<char> = text.chars().collect();
    let at = rng.usize(..=signs.len());
    let sign = |rng: &mut Rng| SIGNS[rng.usize(..SIGNS.len())];
    match rng.u8(..12) {
        0 => signs.truncate(at),
        1 => drop(signs.drain(..at)),
        2 => signs.insert(at, sign(rng)),
        3 => signs.push(sign(rng)),
        4 => signs.insert(0, sign(rng)),
        5 if at < signs.len() => drop(signs.remove(at)),
        6 if at < signs.len() => signs[at] = sign(rng),
        7 if at < signs.len() => signs[at] = char::from((signs[at] as u8) ^ (1 << rng.u8(..7))),
        8 => {
            while signs.last() == Some(&'=') {
                signs.pop();
            }
        }
        // The spare bits of the last character before the padding.
        9 => {
            if let Some(last) = signs.iter_mut().rev().find(|sign| **sign != '=') {
                *last = char::from((*last as u8).wrapping_add(1 + rng.u8(..3)) & 0x7f);
            }
        }
        10 => return text.replace('-', "+").replace('_', "/"),
        _ if signs.len() > 1 => {
            let other = rng.usize(..signs.len());
            let at = at.min(signs.len() - 1);
            signs.swap(at, other);
        }
        _ => {}
    }
    signs.into_iter().collect()
}

pub fn base64(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Returns the canonical spelling of a text for the fernet crate, which accepts base64 with or without padding.
pub fn canonical(text: &str) -> Option<String> {
    Some(base64(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?))
}
