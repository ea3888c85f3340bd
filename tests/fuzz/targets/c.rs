//! Fuzzes the C API with sequences of calls: NULLs, impossible lengths, overlaps, all capacities, tick functions that
//! cancel, and random sources that fail. All arguments are in one arena. After each call, every byte of the arena must
//! be what the header's rules and core require: unchanged outside the outputs, zero after a failure, and otherwise the
//! right result. Core computes the result in its own memory.
#![no_main]

mod common;

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::num::NonZeroU32;
use std::ops::Range;
use std::ptr;
use std::sync::LazyLock;

use common::Random;
use fernseal::*;
use fernseal_core::config::{self, Config};
use fernseal_core::fernet::{self, Freshness};
use fernseal_core::kdf::{self, Derivation, Pace};
use fernseal_core::token::{self, Cost, Format, Token};
use fernseal_core::{Error, Key, KeyId, MasterKey, text as any_text};
use libfuzzer_sys::fuzz_target;
use rand_core::TryRng;

/// A piece of the arena. Half of the arguments are the piece that is meant for them.
#[derive(Clone, Copy)]
enum Piece {
    Len,
    Out,
    OtherOut,
    Masters,
    Key,
    KeyText,
    MasterText,
    Plain,
    Token,
    LegacyToken,
    Fernet,
    Json,
    SecretPointer,
    PlainPointer,
    /// Bytes that the fuzzer chooses.
    Wild,
    /// The result of the last successful call.
    Last,
}

const OUT_LEN: usize = 2048;
const WILD_LEN: usize = 255;

/// The initial arena, and the positions of its pieces.
static ARENA: LazyLock<(Vec<u8>, Vec<Range<usize>>)> = LazyLock::new(|| {
    let masters = [[1; 32], [2; 32]].map(|bytes| MasterKey::from_bytes(&bytes).expect("32 bytes"));
    let mut random = Random::of(b"salt and IV");
    let mut buffer = [0; 512];
    let salted = token::seal(&masters[0], b"secret", 1, &mut random, &mut buffer).expect("fits").to_owned();
    let legacy =
        token::seal_legacy(&masters[1], b"a \"secret\"\n", 2, &mut random, &mut buffer).expect("fits").to_owned();
    let format = Token::parse(&salted).map(|token| *token.format()).expect("a token");
    let key = format.key_params().derive(&masters[0]);
    let key_text = MasterKey::generate_text(&mut Random::of(b"key")).expect("random enough");
    let bare = Key::from_text(&key_text).expect("32 bytes");
    let bare = fernet::seal(&bare, b"bare secret", 1_000, &mut random, &mut buffer).expect("fits").to_owned();
    let json = format!(
        r#"{{"proxmox":{{"host":"h","port":1,"verify_ssl":false}},"auth":{{"user":"u","token_name":"t","token_value":"{salted}"}},
        "logging":{{"level":"DEBUG","file":"\u00e9"}},"x":["{legacy}","p"]}}"#
    );
    let pieces: [&[u8]; 16] = [
        &[0xa5; 8],
        &[0xa5; OUT_LEN],
        &[0xa5; OUT_LEN],
        &masters.map(|master| *master.as_bytes()).concat(),
        key.as_bytes(),
        key_text.as_bytes(),
        b" AAEC+/8= \n",
        b"plain \0 secret",
        salted.as_bytes(),
        legacy.as_bytes(),
        bare.as_bytes(),
        json.as_bytes(),
        b"/auth/token_value",
        b"x.1",
        &[0xa5; WILD_LEN],
        &[],
    ];
    let mut arena = Vec::new();
    let pieces = pieces.map(|piece| {
        let start = arena.len();
        arena.extend(piece);
        // Aligned, with a gap between neighbours.
        arena.resize(arena.len().next_multiple_of(8) + 8, 0xa5);
        start..start + piece.len()
    });
    (arena, pieces.to_vec())
});

/// An argument as C sees it: an address and a number of bytes.
#[derive(Clone, Copy)]
struct Arg {
    at: usize,
    len: usize,
}

impl Arg {
    fn ptr<T>(self) -> *const T {
        self.at as *const T
    }

    fn mut_ptr<T>(self) -> *mut T {
        self.at as *mut T
    }

    fn parts<T>(self) -> (*const T, usize) {
        (self.ptr(), self.len)
    }

    /// Returns the number of master keys in this argument.
    fn count(self) -> usize {
        self.count_of(64)
    }

    /// Returns the number of objects of `size` bytes in this argument.
    fn count_of(self, size: usize) -> usize {
        // An impossible length is also an impossible number of objects.
        if self.len > isize::MAX as usize { self.len } else { self.len / size }
    }

    /// Returns whether two arguments overlap. An impossible argument overlaps nothing.
    fn overlaps(self, other: Self) -> bool {
        let end = |arg: Self| arg.at as u128 + arg.len as u128;
        let is_object = self.at > 0 && self.len <= isize::MAX as usize && end(self) <= usize::MAX as u128;
        is_object && self.len > 0 && other.len > 0 && (self.at as u128) < end(other) && (other.at as u128) < end(self)
    }
}

/// The place of a result.
struct Output {
    buffer: Arg,
    /// The place of the length, for functions that return one.
    len: Option<Arg>,
    /// The capacity that the header calls enough, which the length says if the buffer is too short.
    enough: usize,
    align: usize,
}

impl From<Arg> for Output {
    fn from(buffer: Arg) -> Self {
        Self { buffer, len: None, enough: 0, align: 1 }
    }
}

impl Output {
    /// Returns the three arguments of a C function.
    fn parts<T>(&self) -> (*mut T, usize, *mut usize) {
        (self.buffer.mut_ptr(), self.buffer.len, self.len.map_or(ptr::null_mut(), Arg::mut_ptr))
    }
}

/// A copy of the arena, addressed by the addresses of the original. Core reads it.
struct Shadow {
    base: usize,
    bytes: Vec<u8>,
}

impl Shadow {
    fn range(&self, arg: Arg) -> Option<Range<usize>> {
        let start = arg.at.checked_sub(self.base)?;
        let end = start.checked_add(arg.len)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// Checks the header's rule for one argument.
    fn is_sound(&self, arg: Arg) -> bool {
        arg.len == 0 || self.range(arg).is_some()
    }

    fn bytes(&self, arg: Arg) -> &[u8] {
        self.range(arg).map_or(&[], |range| &self.bytes[range])
    }

    fn text(&self, arg: Arg, otherwise: fernseal_status) -> Result<&str, fernseal_status> {
        str::from_utf8(self.bytes(arg)).map_err(|_| otherwise)
    }

    fn token(&self, arg: Arg) -> Result<&str, fernseal_status> {
        if self.bytes(arg).is_ascii() { self.text(arg, FERNSEAL_MALFORMED) } else { Err(FERNSEAL_MALFORMED) }
    }

    fn masters(&self, arg: Arg) -> Vec<MasterKey> {
        self.bytes(arg).chunks_exact(64).map(|block| MasterKey::from_bytes(block).expect("64 bytes")).collect()
    }

    fn key(&self, arg: Arg) -> Key {
        Key::from_bytes(self.bytes(arg).first_chunk().expect("32 bytes"))
    }

    fn keys(&self, arg: Arg) -> Vec<Key> {
        self.bytes(arg).as_chunks().0.iter().map(Key::from_bytes).collect()
    }

    fn put(&mut self, arg: Arg, bytes: &[u8]) {
        if let Some(range) = self.range(arg) {
            self.bytes[range].copy_from_slice(bytes);
        }
    }
}

/// Maps the errors of core to the statuses that the header documents.
fn of(error: Error) -> fernseal_status {
    match error {
        Error::NotUtf8 | Error::Lookalike => FERNSEAL_MALFORMED,
        Error::KeyEmpty | Error::KeyPadding | Error::KeyCharacter | Error::KeyShort => FERNSEAL_INVALID_KEY,
        Error::InvalidPointer => FERNSEAL_INVALID_ARGUMENT,
        Error::UnexpectedKind => FERNSEAL_WRONG_KIND,
        error if (error as i32) <= FERNSEAL_WRONG_KIND => error as i32,
        _ => FERNSEAL_INVALID_JSON,
    }
}

/// Fills a text as C gets it, with room for a NUL.
fn text<'o>(
    out: &'o mut [u8],
    fill: impl FnOnce(&'o mut [u8]) -> Result<&'o str, Error>,
) -> Result<usize, fernseal_status> {
    let (_, out) = out.split_last_mut().ok_or(FERNSEAL_BUFFER_TOO_SMALL)?;
    let text = fill(out).map_err(of)?;
    // C could read only what stands before a NUL.
    if text.contains('\0') { Err(FERNSEAL_MALFORMED) } else { Ok(text.len()) }
}

unsafe extern "C" fn random(ctx: *mut c_void, out: *mut u8, len: usize) -> c_int {
    // SAFETY: `call` passes the pointer and uses it for this call only; the buffer belongs to the library.
    let (random, out) = unsafe { (&mut *ctx.cast::<Random<'_>>(), std::slice::from_raw_parts_mut(out, len)) };
    random.try_fill_bytes(out).map_or(-1, |()| 0)
}

/// A tick function that counts down and cancels at 0.
unsafe extern "C" fn tick(ctx: *mut c_void) -> c_int {
    // SAFETY: `Ticks` passes the pointer, and lives longer than the call.
    let countdown = unsafe { &*ctx.cast::<Countdown>() };
    c_int::from(countdown.next_slice().is_none())
}

/// The tick of a call, or none.
struct Ticks {
    countdown: Box<Countdown>,
    tick: Option<fernseal_tick>,
}

impl Ticks {
    fn ptr(&self) -> *const fernseal_tick {
        self.tick.as_ref().map_or(ptr::null(), ptr::from_ref)
    }
}

/// The model of a tick: it cancels at the last of `left` slices.
#[derive(Clone)]
struct Countdown {
    left: Cell<u32>,
    distance: u32,
}

impl Pace for Countdown {
    fn next_slice(&self) -> Option<NonZeroU32> {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 { None } else { NonZeroU32::new(self.distance).or(NonZeroU32::new(1_000)) }
    }
}

/// The SHA-256 of `sha2` as a chip's. It is core's own in a portable build.
unsafe extern "C" fn compress(_: *mut c_void, state: *mut u32, block: *const u8) {
    // SAFETY: the library passes a state and a block.
    let (state, block) = unsafe { (&mut *state.cast::<[u32; 8]>(), &*block.cast::<[u8; 64]>()) };
    sha2::block_api::compress256(state, &[*block]);
}

/// One sequence of calls.
struct Sequence<'a> {
    arena: Vec<u8>,
    copy: Shadow,
    pieces: Vec<Range<usize>>,
    script: &'a [u8],
    out: Piece,
    /// The random bytes of the library; core has a copy.
    random: Random<'static>,
}

impl<'a> Sequence<'a> {
    fn new(wild: &[u8], script: &'a [u8]) -> Self {
        let (mut bytes, mut pieces) = ARENA.clone();
        let place = &mut pieces[Piece::Wild as usize];
        place.end = place.start + wild.len();
        bytes[place.clone()].copy_from_slice(wild);
        let mut arena = bytes.clone();
        let copy = Shadow { base: arena.as_mut_ptr() as usize, bytes };
        Self { arena, copy, pieces, script, out: Piece::Out, random: Random::of(b"another salt, another IV") }
    }

    /// Returns the next byte of the script, or 0 after its end.
    fn byte(&mut self) -> usize {
        self.script.split_off_first().copied().unwrap_or(0).into()
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.byte() + 256 * self.byte()) % end
    }

    fn piece(&self, piece: usize) -> Arg {
        let range = &self.pieces[piece];
        Arg { at: self.copy.base + range.start, len: range.len() }
    }

    /// Returns an argument, which is often `piece`.
    fn arg(&mut self, piece: Piece) -> Arg {
        let meant = self.piece(piece as usize);
        match self.byte() {
            0..128 => meant,
            128..152 => Arg { len: self.below(meant.len + 1), ..meant },
            152..176 => self.piece(Piece::Last as usize),
            176..192 => {
                let any = self.byte() % self.pieces.len();
                self.piece(any)
            }
            192..208 => self.piece(Piece::Wild as usize),
            208..216 => Arg { at: 0, len: 0 },
            216..224 => Arg { at: 0, len: meant.len },
            224..228 => Arg { at: 1, len: 0 },
            228..232 => Arg { len: usize::MAX - self.byte(), ..meant },
            232..236 => Arg { len: isize::MAX as usize + 1 + self.byte(), ..meant },
            _ => {
                let start = self.below(self.arena.len());
                Arg { at: self.copy.base + start, len: self.below(self.arena.len() - start + 1) }
            }
        }
    }

    /// Returns an argument that is one object of `size` bytes, or NULL.
    fn object(&mut self, piece: Piece, size: usize) -> Arg {
        let Arg { at, .. } = self.arg(piece);
        let last = self.copy.base + self.arena.len() - size;
        Arg { at: if at < self.copy.base { 0 } else { at.min(last) }, len: size }
    }

    /// Returns a token in one of the two forms.
    fn token(&mut self) -> Arg {
        let piece = if self.script.len().is_multiple_of(2) { Piece::Token } else { Piece::LegacyToken };
        self.arg(piece)
    }

    /// Returns a time around that of the Fernet token.
    fn time(&mut self) -> u64 {
        990 + self.byte() as u64
    }

    /// Returns one master key (`true`), or several.
    fn masters(&mut self) -> (bool, Arg) {
        if self.byte() >= 128 {
            return (true, self.object(Piece::Masters, 64));
        }
        let masters = self.arg(Piece::Masters);
        (false, Arg { len: masters.count().saturating_mul(64), ..masters })
    }

    /// Returns an output and the place of its length; `wanted` bytes are enough.
    fn output(&mut self, wanted: usize) -> Output {
        self.output_within(wanted, wanted)
    }

    /// Returns an output and the place of its length. Often `wanted` bytes are enough, and `enough` bytes always.
    fn output_within(&mut self, wanted: usize, enough: usize) -> Output {
        let mut buffer = self.buffer();
        if self.byte() >= 128 {
            let about = wanted.saturating_add(self.byte() % 3).saturating_sub(1);
            // An impossible length stays impossible, because the library trusts all other lengths.
            buffer.len = if buffer.len > isize::MAX as usize { buffer.len } else { buffer.len.min(about) };
        }
        Output { len: Some(self.object(Piece::Len, 8)), enough, ..buffer.into() }
    }

    fn buffer(&mut self) -> Arg {
        // The two outputs alternate, so that a result may be an argument of the next call.
        self.out = if let Piece::Out = self.out { Piece::OtherOut } else { Piece::Out };
        self.arg(self.out)
    }

    /// Returns a random source that works, fails or is NULL, its context, and the same source for core.
    fn random(&mut self) -> (fernseal_random_fn, *mut c_void, Random<'static>) {
        let (source, left): (fernseal_random_fn, _) = match self.byte() {
            0..160 => (Some(random), usize::MAX),
            160..240 => (Some(random), self.byte() % 3),
            _ => (None, 0),
        };
        self.random.left = left;
        (source, (&raw mut self.random).cast(), self.random.clone())
    }

    /// Returns a tick that cancels early or never, or none, and its model.
    fn ticks(&mut self) -> (Ticks, Countdown) {
        let distance = [0, 1, 7, 1_000, u32::MAX][self.byte() % 5];
        let left = match self.byte() {
            at @ 0..64 => at as u32,
            _ => u32::MAX,
        };
        let countdown = Countdown { left: Cell::new(left), distance };
        let mut ticks = Ticks { countdown: Box::new(countdown.clone()), tick: None };
        if self.byte() < 128 {
            let ctx = (&raw mut *ticks.countdown).cast();
            ticks.tick = Some(fernseal_tick { call: Some(tick), ctx, distance });
            (ticks, countdown)
        } else {
            (ticks, Countdown { left: Cell::new(u32::MAX), distance: u32::MAX })
        }
    }

    /// Compares the arena after a call with the expected one. `model` computes the output from the copy of the arena,
    /// in its own buffer.
    fn hold(
        &mut self,
        status: fernseal_status,
        Output { buffer, len, enough, align }: Output,
        inputs: &[Arg],
        mut model: impl FnMut(&Shadow, &mut [u8]) -> Result<usize, fernseal_status>,
    ) {
        let apart = |arg: Arg| !inputs.iter().any(|input| input.overlaps(arg));
        let len_is_sound = len.is_none_or(|len| {
            self.copy.is_sound(len) && len.at.is_multiple_of(8) && apart(len) && !buffer.overlaps(len)
        });
        let out_is_sound = self.copy.is_sound(buffer) && buffer.at.is_multiple_of(align) && apart(buffer);
        let mut out = vec![0; if len_is_sound && out_is_sound { buffer.len } else { 0 }];
        let used = if len_is_sound && out_is_sound && inputs.iter().all(|input| self.copy.is_sound(*input)) {
            let result = model(&self.copy, &mut out);
            assert_eq!(status, result.err().unwrap_or(FERNSEAL_OK));
            result.ok()
        } else {
            assert_ne!(status, FERNSEAL_OK);
            None
        };
        out[used.unwrap_or(0)..].fill(0);
        if len_is_sound && out_is_sound {
            self.copy.put(buffer, &out);
        }
        if let Some(len) = len.filter(|_| len_is_sound) {
            let mut said = used.unwrap_or(0);
            if status == FERNSEAL_BUFFER_TOO_SMALL {
                said = enough;
                assert_ne!(model(&self.copy, &mut vec![0; enough]), Err(status), "{enough} bytes are not enough");
            }
            self.copy.put(len, &said.to_ne_bytes());
        }
        if let Some(range) = self.copy.range(Arg { len: used.unwrap_or(0), ..buffer }).filter(|_| used.is_some()) {
            self.pieces[Piece::Last as usize] = range;
        }
    }

    /// Makes one call. The calls are sound because every argument that the library accepts is in the arena, consists of
    /// bytes, and is not accessed otherwise during the call. The library must reject all other arguments, which is what
    /// this tests.
    fn call(&mut self) {
        match self.byte() % 33 {
            0 => {
                let (text, out) = (self.arg(Piece::MasterText), self.object(Piece::Out, 64));
                let status = unsafe { fernseal_master_key_parse(out.mut_ptr(), text.ptr(), text.len) };
                self.hold(status, out.into(), &[text], |copy, out| {
                    let master = MasterKey::from_text(copy.text(text, FERNSEAL_INVALID_KEY)?).map_err(of)?;
                    out.copy_from_slice(master.as_bytes());
                    Ok(64)
                });
            }
            1 => {
                let out = self.output(45);
                let (to, cap, len) = out.parts();
                let (source, ctx, mut rng) = self.random();
                let status = unsafe { fernseal_master_key_generate(to, cap, len, source, ctx) };
                self.hold(status, out, &[], |_, out| {
                    text(out, |out| {
                        let text = MasterKey::generate_text(&mut rng)?;
                        let out = out.get_mut(..text.len()).ok_or(Error::BufferTooSmall)?;
                        out.copy_from_slice(text.as_bytes());
                        Ok(str::from_utf8(out).expect("base64"))
                    })
                });
            }
            2 => {
                let text = self.arg(Piece::Token);
                let is_sealed = unsafe { fernseal_token_is_sealed(text.ptr(), text.len) };
                assert_eq!(is_sealed == 1, self.copy.bytes(text).starts_with(b"enc:"));
            }
            3 => {
                let (master, plain, now) = (self.object(Piece::Masters, 64), self.arg(Piece::Plain), self.time());
                let out = self.output(fernseal_token_seal_cap(plain.len));
                let ((to, cap, len), (from, plain_len)) = (out.parts(), plain.parts());
                let ((source, ctx, mut rng), (ticks, pace)) = (self.random(), self.ticks());
                let tick = ticks.ptr();
                let status =
                    unsafe { fernseal_token_seal(to, cap, len, master.ptr(), from, plain_len, now, source, ctx, tick) };
                self.hold(status, out, &[master, plain], |copy, out| {
                    let (master, plain) = (&copy.masters(master)[0], copy.bytes(plain));
                    text(out, |out| token::seal_in_slices(master, plain, now, &mut rng, &pace.clone(), out))
                });
            }
            4 => {
                let ((one, masters), token) = (self.masters(), self.token());
                let out = self.output(fernseal_token_open_cap(token.len));
                let ((to, cap, len), (from, token_len)) = (out.parts(), token.parts());
                let ((keys, count), (ticks, pace)) = ((masters.ptr(), masters.count()), self.ticks());
                let status = match one {
                    true => unsafe { fernseal_token_open(to, cap, len, keys, from, token_len, ticks.ptr()) },
                    false => unsafe {
                        fernseal_token_open_any(to, cap, len, keys, count, from, token_len, ticks.ptr())
                    },
                };
                self.hold(status, out, &[masters, token], |copy, out| {
                    let (masters, token) = (copy.masters(masters), copy.token(token)?);
                    token::open_any_in_slices(&masters, token, &pace.clone(), out).map(<[u8]>::len).map_err(of)
                });
            }
            5 => {
                let (out, master) = (self.object(Piece::Out, 32), self.object(Piece::Masters, 64));
                let token = self.token();
                let (ticks, pace) = self.ticks();
                let status =
                    unsafe { fernseal_derive(out.mut_ptr(), master.ptr(), token.ptr(), token.len, ticks.ptr()) };
                self.hold(status, out.into(), &[master, token], |copy, out| {
                    let token = Token::parse(copy.token(token)?).map_err(of)?;
                    derived(&copy.masters(master)[0], token.key_params().salt, &pace, out)
                });
            }
            6 => {
                let (key, token) = (self.object(Piece::Key, 32), self.token());
                let out = self.output(fernseal_token_open_cap(token.len));
                let ((to, cap, len), (from, token_len)) = (out.parts(), token.parts());
                let status = unsafe { fernseal_token_open_with(to, cap, len, key.ptr(), from, token_len) };
                self.hold(status, out, &[key, token], |copy, out| {
                    let key = Key::from_bytes(copy.bytes(key).first_chunk().expect("32 bytes"));
                    token::open_with(&key, copy.token(token)?, out).map(<[u8]>::len).map_err(of)
                });
            }
            7 => {
                let (password, salt) = (self.arg(Piece::Plain), self.arg(Piece::Wild));
                let (iterations, out) = (self.byte() as u32 % 4, Output::from(self.buffer()));
                let ((to, cap, _), (from, len), (salt_at, salt_len)) = (out.parts(), password.parts(), salt.parts());
                let (ticks, pace) = self.ticks();
                let status = unsafe { fernseal_pbkdf2(to, cap, from, len, salt_at, salt_len, iterations, ticks.ptr()) };
                self.hold(status, out, &[password, salt], |copy, out| {
                    let iterations = iterations.try_into().map_err(|_| FERNSEAL_INVALID_ARGUMENT)?;
                    let (password, salt) = (copy.bytes(password), copy.bytes(salt));
                    kdf::pbkdf2_in_slices(password, salt, iterations, &pace.clone(), out).map_err(of)?;
                    Ok(out.len())
                });
            }
            8 => {
                let (key, plain, now) = (self.arg(Piece::KeyText), self.arg(Piece::Plain), self.time());
                let out = self.output(fernseal_fernet_seal_cap(plain.len));
                let ((to, cap, len), (key_at, key_len), (from, plain_len)) = (out.parts(), key.parts(), plain.parts());
                let (source, ctx, mut rng) = self.random();
                let status =
                    unsafe { fernseal_fernet_seal(to, cap, len, key_at, key_len, from, plain_len, now, source, ctx) };
                self.hold(status, out, &[key, plain], |copy, out| {
                    let key = Key::from_text(copy.text(key, FERNSEAL_INVALID_KEY)?).map_err(of)?;
                    text(out, |out| fernet::seal(&key, copy.bytes(plain), now, &mut rng, out))
                });
            }
            9 => {
                let (key, token) = (self.arg(Piece::KeyText), self.arg(Piece::Fernet));
                let (now, ttl) = (self.time(), self.byte() as u64 % 32);
                let out = self.output(fernseal_fernet_open_cap(token.len));
                let ((to, cap, len), (key_at, key_len), (from, token_len)) = (out.parts(), key.parts(), token.parts());
                let status = unsafe { fernseal_fernet_open(to, cap, len, key_at, key_len, from, token_len, now, ttl) };
                let freshness = if ttl == 0 { Freshness::Any } else { Freshness::Within { now, ttl } };
                self.hold(status, out, &[key, token], |copy, out| {
                    let (key, token) = (copy.text(key, FERNSEAL_INVALID_KEY)?, copy.token(token)?);
                    let key = Key::from_text(key).map_err(of)?;
                    fernet::open(&key, token, freshness, out).map(<[u8]>::len).map_err(of)
                });
            }
            10 => {
                let ((one, masters), json) = (self.masters(), self.arg(Piece::Json));
                let enough = json.len.saturating_mul(4).saturating_add(1);
                let out = self.output_within(json.len.saturating_add(1), enough);
                let ((to, cap, len), (from, json_len)) = (out.parts(), json.parts());
                let ((keys, count), (ticks, pace)) = ((masters.ptr(), masters.count()), self.ticks());
                let tick = ticks.ptr();
                let status = match one {
                    true => unsafe { fernseal_config_open(to, cap, len, keys, from, json_len, tick) },
                    false => unsafe { fernseal_config_open_any(to, cap, len, keys, count, from, json_len, tick) },
                };
                self.hold(status, out, &[masters, json], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    text(out, |out| config::open_in_slices(json, &copy.masters(masters), &pace.clone(), out))
                });
            }
            11 => {
                let ((one, masters), json) = (self.masters(), self.arg(Piece::Json));
                let (pointer, out) =
                    (self.arg(Piece::SecretPointer), self.output_within(json.len, json.len.saturating_add(1)));
                let ((to, cap, len), (from, json_len)) = (out.parts(), json.parts());
                let ((keys, count), (at, at_len)) = ((masters.ptr(), masters.count()), pointer.parts());
                let (ticks, pace) = self.ticks();
                let tick = ticks.ptr();
                let status = match one {
                    true => unsafe { fernseal_config_get(to, cap, len, keys, from, json_len, at, at_len, tick) },
                    false => unsafe {
                        fernseal_config_get_any(to, cap, len, keys, count, from, json_len, at, at_len, tick)
                    },
                };
                self.hold(status, out, &[masters, json, pointer], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    let pointer = copy.text(pointer, FERNSEAL_INVALID_ARGUMENT)?;
                    text(out, |out| config::get_in_slices(json, pointer, &copy.masters(masters), &pace.clone(), out))
                });
            }
            12 => {
                let (master, json) = (self.object(Piece::Masters, 64), self.arg(Piece::Json));
                let (pointer, now) = (self.arg(Piece::PlainPointer), self.time());
                let enough = json.len.saturating_add(fernseal_token_seal_cap(json.len));
                let out = self.output_within(json.len.saturating_add(token::token_len(1)), enough);
                let ((to, cap, len), (from, json_len), (at, at_len)) = (out.parts(), json.parts(), pointer.parts());
                let ((source, ctx, mut rng), key) = (self.random(), master.ptr());
                let (ticks, pace) = self.ticks();
                let tick = ticks.ptr();
                let status = unsafe {
                    fernseal_config_seal(to, cap, len, key, from, json_len, at, at_len, now, source, ctx, tick)
                };
                self.hold(status, out, &[master, json, pointer], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    let pointer = copy.text(pointer, FERNSEAL_INVALID_ARGUMENT)?;
                    let (master, pace) = (&copy.masters(master)[0], pace.clone());
                    text(out, |out| config::seal_in_slices(json, &[pointer], master, now, &mut rng, &pace, out))
                });
            }
            13 => {
                let ((_, old), new) = (self.masters(), self.object(Piece::Masters, 64));
                let (json, now) = (self.arg(Piece::Json), self.time());
                let enough = json.len.saturating_mul(4).saturating_add(1);
                let out = self.output_within(json.len.saturating_add(26), enough);
                let ((to, cap, len), (from, json_len)) = (out.parts(), json.parts());
                let ((source, ctx, mut rng), (keys, count), key) = (self.random(), (old.ptr(), old.count()), new.ptr());
                let (ticks, pace) = self.ticks();
                let tick = ticks.ptr();
                let status = unsafe {
                    fernseal_config_rotate(to, cap, len, keys, count, key, from, json_len, now, source, ctx, tick)
                };
                self.hold(status, out, &[old, new, json], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    let (old, new) = (copy.masters(old), copy.masters(new));
                    let pace = pace.clone();
                    text(out, |out| config::rotate_in_slices(json, &old, &new[0], now, &mut rng, &pace, out))
                });
            }
            14 => {
                let ((_, masters), json) = (self.masters(), self.arg(Piece::Json));
                let out = self.object(Piece::Out, size_of::<fernseal_config>());
                let ((keys, count), (ticks, pace)) = ((masters.ptr(), masters.count()), self.ticks());
                let status = unsafe {
                    fernseal_config_read(out.mut_ptr(), out.len, keys, count, json.ptr(), json.len, ticks.ptr())
                };
                self.hold(status, Output { align: 2, ..out.into() }, &[masters, json], |copy, out| {
                    read(copy.text(json, FERNSEAL_INVALID_JSON)?, &copy.masters(masters), &pace, out)
                });
            }
            15 => {
                let out = self.buffer();
                unsafe { fernseal_wipe(out.mut_ptr(), out.len) };
                if self.copy.range(out).is_some() {
                    self.copy.put(out, &vec![0; out.len]);
                }
            }
            16 => {
                let out = self.buffer();
                let status = unsafe { fernseal_random_os(ptr::null_mut(), out.mut_ptr(), out.len) };
                assert_eq!(status == 0, self.copy.is_sound(out));
                if let Some(range) = self.copy.range(out) {
                    let bytes = self.arena[range].to_vec();
                    assert!(bytes.len() < 16 || bytes.iter().any(|byte| *byte != 0));
                    self.copy.put(out, &bytes);
                }
            }
            17 => {
                let master = self.object(Piece::Masters, 64);
                let (out, (ticks, pace)) = (self.output(9), self.ticks());
                let (to, cap, len) = out.parts();
                let status = unsafe { fernseal_master_key_id(to, cap, len, master.ptr(), ticks.ptr()) };
                self.hold(status, out, &[master], |copy, out| {
                    let mut key = [0; 32];
                    let Some(out) = out.get_mut(..9) else { return Err(FERNSEAL_BUFFER_TOO_SMALL) };
                    derived(&copy.masters(master)[0], KeyId::LABEL, &pace, &mut key)?;
                    out[..8].copy_from_slice(KeyId::from_derived(&Key::from_bytes(&key)).to_string().as_bytes());
                    Ok(8)
                });
            }
            18 => {
                let (key, salt) = (self.object(Piece::Key, 32), self.object(Piece::Plain, 16));
                let (plain, now) = (self.arg(Piece::Plain), self.time());
                let out = self.output(fernseal_token_seal_cap(plain.len));
                let ((to, cap, len), (from, plain_len)) = (out.parts(), plain.parts());
                let ((source, ctx, mut rng), (key_at, salt_at)) = (self.random(), (key.ptr(), salt.ptr()));
                let status = unsafe {
                    fernseal_token_seal_with(to, cap, len, key_at, salt_at, from, plain_len, now, source, ctx)
                };
                self.hold(status, out, &[key, salt, plain], |copy, out| {
                    let format = Format::Salted(*copy.bytes(salt).first_chunk().expect("16 bytes"));
                    text(out, |out| token::seal_with(&copy.key(key), &format, copy.bytes(plain), now, &mut rng, out))
                });
            }
            19 => {
                let (key, json, pointer) =
                    (self.object(Piece::Key, 32), self.arg(Piece::Json), self.arg(Piece::SecretPointer));
                let out = self.output_within(json.len, json.len.saturating_add(1));
                let ((to, cap, len), (from, json_len), (at, at_len)) = (out.parts(), json.parts(), pointer.parts());
                let status = unsafe { fernseal_config_get_with(to, cap, len, key.ptr(), from, json_len, at, at_len) };
                self.hold(status, out, &[key, json, pointer], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    let pointer = copy.text(pointer, FERNSEAL_INVALID_ARGUMENT)?;
                    text(out, |out| config::get_with(json, pointer, &copy.key(key), out))
                });
            }
            20 => {
                let (json, pointer) = (self.arg(Piece::Json), self.arg(Piece::SecretPointer));
                let out = self.output_within(json.len, json.len.saturating_add(1));
                let ((to, cap, len), (from, json_len), (at, at_len)) = (out.parts(), json.parts(), pointer.parts());
                let status = unsafe { fernseal_config_find(to, cap, len, from, json_len, at, at_len) };
                self.hold(status, out, &[json, pointer], |copy, out| {
                    let json = copy.text(json, FERNSEAL_INVALID_JSON)?;
                    let pointer = copy.text(pointer, FERNSEAL_INVALID_ARGUMENT)?;
                    text(out, |out| config::find(json, pointer, out))
                });
            }
            21 => {
                let (keys, token) = (self.arg(Piece::Key), self.arg(Piece::Fernet));
                let (now, ttl) = (self.time(), self.byte() as u64 % 32);
                let out = self.output(fernseal_fernet_open_cap(token.len));
                let ((to, cap, len), (from, token_len)) = (out.parts(), token.parts());
                let count = keys.count_of(32);
                let keys = Arg { len: count.saturating_mul(32), ..keys };
                let status =
                    unsafe { fernseal_fernet_open_any(to, cap, len, keys.ptr(), count, from, token_len, now, ttl) };
                let freshness = if ttl == 0 { Freshness::Any } else { Freshness::Within { now, ttl } };
                self.hold(status, out, &[keys, token], |copy, out| {
                    let (keys, token) = (copy.keys(keys), copy.token(token)?);
                    fernet::open_any(&keys, token, freshness, out).map(<[u8]>::len).map_err(of)
                });
            }
            22 => {
                let (keys, token) = (self.arg(Piece::Key), self.arg(Piece::Fernet));
                let out = self.output(token.len.saturating_add(1));
                let ((to, cap, len), (from, token_len)) = (out.parts(), token.parts());
                let (count, (source, ctx, mut rng)) = (keys.count_of(32), self.random());
                let keys = Arg { len: count.saturating_mul(32), ..keys };
                let status =
                    unsafe { fernseal_fernet_rotate(to, cap, len, keys.ptr(), count, from, token_len, source, ctx) };
                self.hold(status, out, &[keys, token], |copy, out| {
                    let (keys, token) = (copy.keys(keys), copy.token(token)?);
                    text(out, |out| fernet::rotate(&keys, token, &mut rng, out))
                });
            }
            23 => {
                let (key, out) = (self.arg(Piece::KeyText), self.object(Piece::Out, 32));
                let status = unsafe { fernseal_key_parse(out.mut_ptr(), key.ptr(), key.len) };
                self.hold(status, out.into(), &[key], |copy, out| {
                    let key = Key::from_text(copy.text(key, FERNSEAL_INVALID_KEY)?).map_err(of)?;
                    out.copy_from_slice(key.as_bytes());
                    Ok(32)
                });
            }
            24 => {
                let (token, out) = (self.token(), self.object(Piece::Out, 16));
                let status = unsafe { fernseal_token_salt(out.mut_ptr(), token.ptr(), token.len) };
                self.hold(status, out.into(), &[token], |copy, out| {
                    out.copy_from_slice(Token::parse(copy.token(token)?).map_err(of)?.key_params().salt);
                    Ok(16)
                });
            }
            25 => {
                let (token, out) = (self.token(), self.object(Piece::Out, 8));
                let status = unsafe { fernseal_token_timestamp(out.mut_ptr(), token.ptr(), token.len) };
                self.hold(status, Output { align: 8, ..out.into() }, &[token], |copy, out| {
                    let timestamp = Token::parse(copy.token(token)?).map_err(of)?.timestamp();
                    out.copy_from_slice(&timestamp.to_ne_bytes());
                    Ok(8)
                });
            }
            26 => {
                let (json, offset) = (self.arg(Piece::Json), self.object(Piece::Len, 8));
                let status = unsafe { fernseal_config_check(offset.mut_ptr(), json.ptr(), json.len) };
                // The offset is an output after a failure too.
                let mut at = 0;
                let mut model = |copy: &Shadow| {
                    let json = copy.bytes(json);
                    let checked = match str::from_utf8(json) {
                        Ok(json) => config::check(json),
                        Err(error) => Err((Error::InvalidJson, error.valid_up_to())),
                    };
                    checked.map_err(|(error, place)| {
                        at = place;
                        of(error)
                    })
                };
                if self.copy.is_sound(offset) && offset.at.is_multiple_of(8) && !json.overlaps(offset) {
                    if self.copy.is_sound(json) {
                        assert_eq!(status, model(&self.copy).err().unwrap_or(FERNSEAL_OK));
                    } else {
                        assert_eq!(status, FERNSEAL_INVALID_ARGUMENT);
                    }
                    self.copy.put(offset, &at.to_ne_bytes());
                } else {
                    assert_eq!(status, FERNSEAL_INVALID_ARGUMENT);
                }
            }
            27 => {
                let (text, offset) = (self.arg(Piece::Json), self.below(2048));
                let (start, len) = (self.object(Piece::Len, 8), self.object(Piece::Out, 8));
                let status =
                    unsafe { fernseal_text_next(start.mut_ptr(), len.mut_ptr(), text.ptr(), text.len, offset) };
                let is_output =
                    |copy: &Shadow, arg: Arg| copy.is_sound(arg) && arg.at.is_multiple_of(8) && !text.overlaps(arg);
                let mut wanted = Err(FERNSEAL_INVALID_ARGUMENT);
                if is_output(&self.copy, start) && !len.overlaps(start) {
                    self.copy.put(start, &[0; 8]);
                    if is_output(&self.copy, len) {
                        self.copy.put(len, &[0; 8]);
                        if self.copy.is_sound(text) {
                            let found = self.copy.text(text, FERNSEAL_MALFORMED).map(|text| {
                                let found = any_text::tokens_from(text, offset).next()?;
                                Some((found.span(), found.token().map(|_| ()).map_err(of)))
                            });
                            wanted = match found {
                                Err(status) => Err(status),
                                Ok(None) => Err(FERNSEAL_NOT_FOUND),
                                Ok(Some((span, result))) => {
                                    self.copy.put(start, &span.start.to_ne_bytes());
                                    self.copy.put(len, &span.len().to_ne_bytes());
                                    result
                                }
                            };
                        }
                    }
                }
                assert_eq!(status, wanted.err().unwrap_or(FERNSEAL_OK));
            }
            28 => {
                let (masters, salts) = (self.arg(Piece::Masters), self.arg(Piece::Wild));
                let (master_count, count) = (masters.count(), salts.count_of(16));
                let masters = Arg { len: master_count.saturating_mul(64), ..masters };
                let salts = Arg { len: count.saturating_mul(16), ..salts };
                let (out, (ticks, pace)) = (self.object(Piece::Out, count.min(60) * 32), self.ticks());
                let count_of_out = if count > 60 { return } else { count };
                let status = unsafe {
                    let (masters, salts) = (masters.ptr(), salts.ptr());
                    fernseal_derive_many(out.mut_ptr(), count_of_out, masters, master_count, salts, ticks.ptr())
                };
                self.hold(status, out.into(), &[masters, salts], |copy, out| {
                    let (masters, salts) = (copy.masters(masters), copy.bytes(salts).as_chunks::<16>().0);
                    if !salts.is_empty() && masters.len() != 1 && masters.len() != salts.len() {
                        return Err(FERNSEAL_INVALID_ARGUMENT);
                    }
                    let job = |(at, salt)| {
                        let master = &masters[if masters.len() == 1 { 0 } else { at }];
                        kdf::Job { master, salt: <[u8; 16]>::as_slice(salt), iterations: Cost::Standard.iterations() }
                    };
                    let jobs: Vec<_> = salts.iter().enumerate().map(job).collect();
                    let mut keys: Vec<Key> = jobs.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
                    kdf::derive_many_in_slices(&jobs, &mut keys, &pace.clone()).map_err(of)?;
                    out.copy_from_slice(&keys.iter().flat_map(|key| *key.as_bytes()).collect::<Vec<_>>());
                    Ok(out.len())
                });
            }
            29 => {
                let (master, salt) = (self.object(Piece::Masters, 64), self.arg(Piece::Wild));
                let out = self.object(Piece::Out, size_of::<fernseal_derivation>());
                let status = unsafe { fernseal_derivation_begin(out.mut_ptr(), master.ptr(), salt.ptr(), salt.len) };
                self.hold(status, Output { align: 4, ..out.into() }, &[master, salt], |copy, out| {
                    let derivation = Derivation::new(&copy.masters(master)[0], copy.bytes(salt), Cost::Standard.iterations());
                    put_derivation(&derivation, out);
                    Ok(out.len())
                });
            }
            30 => {
                let derivation = self.object(Piece::Last, size_of::<fernseal_derivation>());
                let (left, iterations) = (self.object(Piece::Len, 4), self.byte() as u32);
                let by_chip = self.byte() < 128;
                let status = unsafe {
                    let (left, derivation) = (left.mut_ptr(), derivation.mut_ptr());
                    match by_chip {
                        true => fernseal_derivation_advance_with(
                            left,
                            derivation,
                            iterations,
                            Some(compress),
                            ptr::null_mut(),
                        ),
                        false => fernseal_derivation_advance(left, derivation, iterations),
                    }
                };
                let mut wanted = FERNSEAL_INVALID_ARGUMENT;
                let is_object = |copy: &Shadow, arg: Arg| copy.is_sound(arg) && arg.at.is_multiple_of(4);
                if is_object(&self.copy, left) && !derivation.overlaps(left) {
                    self.copy.put(left, &[0; 4]);
                    if is_object(&self.copy, derivation) {
                        let mut bytes = self.copy.bytes(derivation).to_vec();
                        let mut model = take_derivation(&bytes);
                        let progress = model.advance(iterations);
                        put_derivation(&model, &mut bytes);
                        self.copy.put(derivation, &bytes);
                        self.copy.put(left, &progress.total.saturating_sub(progress.done).to_ne_bytes());
                        wanted = FERNSEAL_OK;
                    }
                }
                assert_eq!(status, wanted);
            }
            31 => {
                let derivation = self.object(Piece::Last, size_of::<fernseal_derivation>());
                let out = self.object(Piece::Out, 32);
                let status = unsafe { fernseal_derivation_finish(out.mut_ptr(), derivation.mut_ptr()) };
                let mut wiped = false;
                self.hold(status, out.into(), &[derivation], |copy, out| {
                    if !derivation.at.is_multiple_of(4) {
                        return Err(FERNSEAL_INVALID_ARGUMENT);
                    }
                    let model = take_derivation(copy.bytes(derivation));
                    let progress = model.progress();
                    if progress.total == 0 || !progress.is_done() {
                        return Err(FERNSEAL_INVALID_ARGUMENT);
                    }
                    out.copy_from_slice(model.finish().as_bytes());
                    wiped = true;
                    Ok(32)
                });
                if wiped {
                    self.copy.put(derivation, &[0; size_of::<fernseal_derivation>()]);
                }
            }
            _ => {
                // A few bytes, or nearly the whole arena.
                let len = self.below(4096).wrapping_sub(2048);
                assert_eq!(fernseal_token_seal_cap(len), token::token_len(len).saturating_add(1));
                assert_eq!(fernseal_token_open_cap(len), token::open_len(len));
                assert_eq!(fernseal_fernet_seal_cap(len), fernet::token_len(len).saturating_add(1));
                assert_eq!(fernseal_fernet_open_cap(len), fernet::open_len(len));
                let words = |status| fernseal_status_str(status);
                for words in [words(len as i32), words(len as i32 % 16), fernseal_version_string()] {
                    assert!(!unsafe { CStr::from_ptr(words) }.is_empty());
                }
            }
        }
        let differs = self.copy.bytes.iter().zip(&self.arena).position(|(wanted, found)| wanted != found);
        assert_eq!(differs, None, "the first byte that is not as it must be");
    }
}

/// Derives the 32 bytes of a key as core does.
fn derived(master: &MasterKey, salt: &[u8], pace: &Countdown, out: &mut [u8]) -> Result<usize, fernseal_status> {
    let mut key = Key::from_bytes(&[0; 32]);
    kdf::derive_in_slices(master, salt, Cost::Standard.iterations(), &pace.clone(), &mut key).map_err(of)?;
    out.copy_from_slice(key.as_bytes());
    Ok(32)
}

/// Returns the derivation of core that the words of a `fernseal_derivation` are.
fn take_derivation(bytes: &[u8]) -> Derivation {
    // SAFETY: a derivation is 34 words, of which any are valid.
    unsafe { ptr::read_unaligned(bytes[..size_of::<Derivation>()].as_ptr().cast()) }
}

/// Writes the words of a derivation over the first bytes.
fn put_derivation(derivation: &Derivation, bytes: &mut [u8]) {
    // SAFETY: a derivation is 34 words, of which all bytes are initialised.
    let words = unsafe { std::slice::from_raw_parts(ptr::from_ref(derivation).cast::<u8>(), size_of::<Derivation>()) };
    bytes[..words.len()].copy_from_slice(words);
}

/// Models `fernseal_config_read`, field by field in the order of the header.
fn read(json: &str, masters: &[MasterKey], pace: &Countdown, out: &mut [u8]) -> Result<usize, fernseal_status> {
    let Config { proxmox, auth, logging, .. } = Config::read(json).map_err(of)?;
    let fields = [
        (256, Some(proxmox.host)),
        (64, Some(proxmox.service)),
        (256, Some(auth.user)),
        (256, Some(auth.token_name)),
        (512, Some(auth.token_value)),
        (16, Some(logging.level)),
        (256, Some(logging.format)),
        (256, logging.file),
    ];
    let mut at = 0;
    for (size, field) in fields {
        if let Some(field) = field
            && field.open_in_slices(masters, pace, &mut out[at..at + size - 1]).map_err(of)?.contains('\0')
        {
            return Err(FERNSEAL_MALFORMED);
        }
        at += size;
    }
    out[at..at + 2].copy_from_slice(&proxmox.port.to_ne_bytes());
    out[at + 2] = proxmox.verify_ssl.into();
    Ok(out.len())
}

fuzz_target!(|data: &[u8]| {
    let Some((len, rest)) = data.split_first() else { return };
    let (wild, script) = rest.split_at(rest.len().min(usize::from(*len).min(WILD_LEN)));
    let mut sequence = Sequence::new(wild, script);
    for _ in 0..16 {
        if sequence.script.is_empty() {
            break;
        }
        sequence.call();
    }
});
