//! Replaces secrets in a stream of bytes.
//!
//! The end of a chunk may split a secret anywhere. So a possible beginning of a secret is held back until the next
//! chunk or the end of the stream; everything before it is forwarded at once. Overlapping occurrences get one
//! replacement.
//!
//! Most output contains no secret, so skipping a byte must be fast. Three bytes are hashed and looked
//! up in a bit set of 8 KiB, and only a hit is compared with the patterns. That processes 1 GB/s with ten secrets. An
//! Aho-Corasick automaton that finds all overlaps was several times slower, as it reads a large table for each byte.

use zeroize::Zeroizing;

/// The replacement for a secret.
pub(super) const REPLACEMENT: &[u8] = b"[redacted]";

/// The number of leading bytes that are hashed. No pattern is shorter.
const BEGIN: usize = 3;

/// The width of the hash in bits.
const HASH_BITS: u32 = 16;

/// The patterns to search for.
pub(super) struct Patterns {
    /// Sorted, so that patterns with the same beginning are adjacent.
    sorted: Vec<Zeroizing<Vec<u8>>>,
    /// Each distinct beginning in order, with the index of its first pattern.
    beginnings: Vec<([u8; BEGIN], usize)>,
    /// The hashes of the beginnings, as a bit set.
    hashes: Vec<u64>,
    longest: usize,
}

impl Patterns {
    /// Prepares a search for `texts`, except those that are too short.
    pub(super) fn new(texts: Vec<Zeroizing<Vec<u8>>>) -> Self {
        let mut sorted = texts;
        sorted.retain(|text| text.len() >= BEGIN);
        sorted.sort_by(|one, other| one.as_slice().cmp(other));
        sorted.dedup_by(|one, other| one.as_slice() == other.as_slice());
        let beginning = |text: &Zeroizing<Vec<u8>>| [text[0], text[1], text[2]];
        let mut beginnings: Vec<_> = sorted.iter().enumerate().map(|(at, text)| (beginning(text), at)).collect();
        beginnings.dedup_by_key(|(beginning, _)| *beginning);
        let mut hashes = vec![0; (1 << HASH_BITS) / 64];
        for (beginning, _) in &beginnings {
            let hash = hash(*beginning);
            hashes[hash / 64] |= 1 << (hash % 64);
        }
        let longest = sorted.iter().map(|text| text.len()).max().unwrap_or(0);
        Self { sorted, beginnings, hashes, longest }
    }

    /// Reports whether a pattern may have this beginning.
    fn may_begin(&self, beginning: [u8; BEGIN]) -> bool {
        let hash = hash(beginning);
        self.hashes[hash / 64] >> (hash % 64) & 1 == 1
    }

    /// Returns the length of the longest pattern at the start of `rest`.
    fn len_at(&self, rest: &[u8]) -> Option<usize> {
        let beginning = [rest[0], rest[1], rest[2]];
        let at = self.beginnings.binary_search_by_key(&beginning, |(beginning, _)| *beginning).ok()?;
        let end = self.beginnings.get(at + 1).map_or(self.sorted.len(), |next| next.1);
        let same = &self.sorted[self.beginnings[at].1..end];
        same.iter().filter(|pattern| rest.starts_with(pattern)).map(|pattern| pattern.len()).max()
    }

    /// Returns the length of the longest suffix of `bytes` that is a proper prefix of a pattern.
    fn partial_match_len(&self, bytes: &[u8]) -> usize {
        let reach = bytes.len().min(self.longest.saturating_sub(1));
        let tail = &bytes[bytes.len() - reach..];
        let begins = |rest: &[u8]| {
            if rest.len() >= BEGIN && !self.may_begin([rest[0], rest[1], rest[2]]) {
                return false;
            }
            let next = self.sorted.partition_point(|pattern| pattern.as_slice() <= rest);
            self.sorted.get(next).is_some_and(|pattern| pattern.starts_with(rest))
        };
        (0..reach).find(|at| begins(&tail[*at..])).map_or(0, |at| reach - at)
    }

    /// Finds all occurrences in order, and merges those that overlap.
    fn occurrences(&self, bytes: &[u8], found: &mut Vec<(usize, usize)>) {
        for (start, window) in bytes.windows(BEGIN).enumerate() {
            if !self.may_begin([window[0], window[1], window[2]]) {
                continue;
            }
            let Some(end) = self.len_at(&bytes[start..]).map(|len| start + len) else { continue };
            match found.last_mut().filter(|last| start < last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => found.push((start, end)),
            }
        }
    }
}

/// Hashes a beginning to its index in the bit set.
fn hash([first, second, third]: [u8; BEGIN]) -> usize {
    let mixed = (u32::from(first) | u32::from(second) << 8 | u32::from(third) << 16).wrapping_mul(0x9e37_79b1);
    (mixed >> (32 - HASH_BITS)) as usize
}

/// A stream in which secrets are replaced.
pub(super) struct Redactor<'p> {
    patterns: &'p Patterns,
    /// The bytes held back, followed by the current chunk.
    buffer: Zeroizing<Vec<u8>>,
    /// The number of bytes at the start of the buffer that belong to an occurrence that was already replaced.
    replaced: usize,
}

impl<'p> Redactor<'p> {
    pub(super) fn new(patterns: &'p Patterns) -> Self {
        Self { patterns, buffer: Zeroizing::default(), replaced: 0 }
    }

    /// Reads the next chunk, and appends to `out` everything that is safe to print.
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.buffer.extend_from_slice(chunk);
        let held = self.patterns.partial_match_len(&self.buffer);
        self.go_on(self.buffer.len() - held, out);
    }

    /// Ends the stream, and appends to `out` what was held back.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.go_on(self.buffer.len(), out);
    }

    /// Appends the buffer up to `end`, with secrets replaced. No incomplete occurrence may begin before `end`.
    fn go_on(&mut self, end: usize, out: &mut Vec<u8>) {
        let mut replaced: Vec<(usize, usize)> = Vec::new();
        if self.replaced > 0 {
            replaced.push((0, self.replaced));
        }
        self.patterns.occurrences(&self.buffer, &mut replaced);
        let mut done = 0;
        let mut rest = 0;
        for (at, &(start, stop)) in replaced.iter().enumerate() {
            if start >= end {
                break;
            }
            let is_new = at > 0 || self.replaced == 0;
            out.extend_from_slice(&self.buffer[done..start]);
            if is_new {
                out.extend_from_slice(REPLACEMENT);
            }
            done = stop.min(end);
            rest = stop.saturating_sub(end);
        }
        out.extend_from_slice(&self.buffer[done..end]);
        if end > 0 {
            self.replaced = rest;
        }
        self.buffer.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::forms::forms;
    use super::*;

    fn patterns(texts: &[&[u8]]) -> Patterns {
        Patterns::new(texts.iter().map(|text| Zeroizing::new(text.to_vec())).collect())
    }

    /// Redacts the concatenation of `chunks`.
    fn redacted<'c>(patterns: &Patterns, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
        let (mut redactor, mut out) = (Redactor::new(patterns), Vec::new());
        chunks.into_iter().for_each(|chunk| redactor.push(chunk, &mut out));
        redactor.finish(&mut out);
        out
    }

    /// Computes the expected result the slow way: marks each byte of an occurrence, and replaces each run of
    /// overlapping occurrences.
    fn expected(patterns: &Patterns, text: &[u8]) -> Vec<u8> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for start in 0..text.len() {
            let starting = patterns.sorted.iter().filter(|pattern| text[start..].starts_with(pattern));
            let Some(end) = starting.map(|pattern| start + pattern.len()).max() else { continue };
            match found.last_mut().filter(|last| start < last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => found.push((start, end)),
            }
        }
        let (mut out, mut done) = (Vec::new(), 0);
        for (start, end) in found {
            out.extend_from_slice(&text[done..start]);
            out.extend_from_slice(REPLACEMENT);
            done = end;
        }
        out.extend_from_slice(&text[done..]);
        out
    }

    /// SplitMix64: the same random numbers in each run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % limit as u64) as usize
        }

        fn text(&mut self, alphabet: &[u8], most: usize) -> Vec<u8> {
            (0..self.below(most + 1)).map(|_| alphabet[self.below(alphabet.len())]).collect()
        }
    }

    #[test]
    fn a_secret_is_replaced_wherever_a_chunk_ends() {
        let patterns = patterns(&[b"secret", b"other"]);
        let (text, expected) =
            (b"a secret, an other, secre and secret".as_slice(), b"a [redacted], an [redacted], secre and [redacted]");
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let chunks = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(redacted(&patterns, chunks), expected, "{first} {second}");
            }
        }
        assert_eq!(redacted(&patterns, text.chunks(1)), expected);
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let patterns = patterns(&[b"secret", b"abcabd"]);
        let (mut redactor, mut out) = (Redactor::new(&patterns), Vec::new());
        for (chunk, gone) in
            [("$ ", "$ "), ("s", ""), ("o", "so"), ("xabcab", "x"), ("c", "abc"), ("abd", "[redacted]"), ("secr", "")]
        {
            redactor.push(chunk.as_bytes(), &mut out);
            assert_eq!(std::str::from_utf8(&out).unwrap(), gone, "{chunk}");
            out.clear();
        }
        redactor.finish(&mut out);
        assert_eq!(out, b"secr");
    }

    #[test]
    fn occurrences_that_overlap_are_one() {
        let patterns = patterns(&[b"abcd", b"cdef", b"bcd", b"xyxy"]);
        for (text, expected) in [
            ("abcdef", "[redacted]"),
            ("1abcdabcd2", "1[redacted][redacted]2"),
            ("1xyxyxyxy2xy", "1[redacted]2xy"),
            ("abcde", "[redacted]e"),
        ] {
            for len in 1..=text.len() {
                assert_eq!(redacted(&patterns, text.as_bytes().chunks(len)), expected.as_bytes(), "{text} {len}");
            }
        }
    }

    #[test]
    fn random_outputs_cut_anywhere_leak_nothing_and_keep_the_rest() {
        let mut random = Random(1);
        let alphabets: [&[u8]; 4] = [b"ab", b"abc\n", b"0123456789abcdef", b"The secret: \"\\/%+=\n"];
        for round in 0..500 {
            let alphabet = alphabets[round % alphabets.len()];
            let mut pieces = Vec::new();
            for _ in 0..=random.below(3) {
                let mut secret = random.text(alphabet, 12);
                secret.extend_from_slice(&alphabet[..2].repeat(2));
                pieces.extend(forms(std::str::from_utf8(&secret).unwrap()));
            }
            let patterns = Patterns::new(pieces);
            for _ in 0..200 {
                let mut text = Vec::new();
                for _ in 0..random.below(8) {
                    let pattern = &patterns.sorted[random.below(patterns.sorted.len())];
                    match random.below(4) {
                        0 => text.extend_from_slice(pattern),
                        1 => text.extend_from_slice(&pattern[..random.below(pattern.len())]),
                        2 => text.extend_from_slice(&pattern[random.below(pattern.len())..]),
                        _ => text.extend_from_slice(&random.text(alphabet, 20)),
                    }
                }
                let mut chunks = Vec::new();
                let mut rest = text.as_slice();
                while !rest.is_empty() {
                    let (chunk, more) = rest.split_at(random.below(rest.len().min(24) + 1));
                    chunks.push(chunk);
                    rest = more;
                }
                let out = redacted(&patterns, chunks.iter().copied());
                assert_eq!(out, expected(&patterns, &text), "round {round}: {chunks:?}");
                for part in String::from_utf8_lossy(&out).split("[redacted]") {
                    let leaks = |pattern: &Zeroizing<Vec<u8>>| {
                        part.as_bytes().windows(pattern.len()).any(|at| *at == ***pattern)
                    };
                    assert!(!patterns.sorted.iter().any(leaks), "round {round}: {chunks:?}");
                }
            }
        }
    }

    /// Prints the speed: `cargo test --release -p fernseal redact::tests::speed -- --ignored --nocapture`.
    #[test]
    #[ignore = "measures"]
    fn speed() {
        use std::time::Instant;

        // Measures the time of this thread only, as others may use the processor too.
        let used = || -> f64 {
            let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            stat.split(' ').next().unwrap().parse().unwrap()
        };
        let mut random = Random(2);
        let log: Vec<u8> = (0..20_000)
            .flat_map(|line| {
                format!("2026-11-24T04:09:29Z INFO request {line} took {} ms, user=root@pam\n", random.below(900))
                    .into_bytes()
            })
            .collect();
        let noise: Vec<u8> = (0..log.len()).map(|_| random.below(256) as u8).collect();
        let base64 = random.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", log.len() * 2);
        for count in [1, 10, 100] {
            let started = Instant::now();
            let secrets = (0..count).flat_map(|at| forms(&format!("{at}-a1b2c3d4-e5f6-7890-abcd-ef1234567890")));
            let patterns = Patterns::new(secrets.collect());
            let built = started.elapsed();
            for (name, text) in [("log", &log), ("noise", &noise), ("base64", &base64)] {
                let mut redactor = Redactor::new(&patterns);
                let mut out = Vec::new();
                let before = used();
                for _ in 0..40 {
                    for chunk in text.chunks(64 * 1024) {
                        redactor.push(chunk, &mut out);
                        out.clear();
                    }
                }
                let speed = text.len() as f64 * 40.0 / (used() - before) * 1e3;
                println!(
                    "{count} secrets, {} patterns built in {built:?}: {name} {speed:.0} MB/s",
                    patterns.sorted.len()
                );
            }
        }
    }
}
