//! Fuzzes key texts: compares the reader with a simple decoder of ten lines, and the key block with RFC 2104.
#![no_main]

use fernseal_core::{Key, MasterKey};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_ascii().replace('+', "-").replace('/', "_");
    let digits = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(&text);
    let values: Option<Vec<usize>> = digits.chars().map(|digit| DIGITS.find(digit)).collect();
    let bits: Vec<u8> = values?.iter().flat_map(|value| (0..6).rev().map(move |at| (value >> at & 1) as u8)).collect();
    let bytes = bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit));
    Some(bytes.collect()).filter(|bytes: &Vec<u8>| text.len().is_multiple_of(4) && !bytes.is_empty())
}

fuzz_target!(|text: &str| {
    let decoded = decode(text);
    let block = decoded.as_ref().map(|bytes| {
        let key = if bytes.len() > 64 { Sha256::digest(bytes).to_vec() } else { bytes.clone() };
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        block
    });
    assert_eq!(MasterKey::from_text(text).ok().map(|key| *key.as_bytes()), block);
    assert_eq!(Key::from_text(text).ok().map(|key| key.as_bytes().to_vec()), decoded.filter(|bytes| bytes.len() == 32));
});
