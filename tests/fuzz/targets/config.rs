//! Any JSON as a config: what is sealed and opened again is what it was, byte for byte but for the escapes of one value.
#![no_main]

use fernseal_core::config::{self, Looks};
use fernseal_core::{MasterKey, json, token};
use libfuzzer_sys::fuzz_target;

struct Fixed;

impl rand_core::TryRng for Fixed {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(7)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(7)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(7);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Fixed {}

fuzz_target!(|text: &str| {
    let Some(Ok(value)) = json::strings(text).next().filter(|_| json::root(text).is_ok()) else { return };
    let mut plain = vec![0; value.raw().len()];
    let Ok(plain) = json::unescape(value.raw(), &mut plain) else { return };
    if config::looks(plain) != Looks::Plain || text.contains("enc:") || text.contains("\\u") {
        return;
    }
    let master = MasterKey::from_bytes(&[9; 32]).expect("32 bytes");
    let mut sealed = vec![0xa5; text.len() + token::token_len(plain.len())];
    let Ok(sealed) = config::seal(text, &[&value.pointer().to_string()], &master, 1, &mut Fixed, &mut sealed) else {
        return;
    };
    let span = value.span();
    assert!(sealed.starts_with(&text[..span.start + 1]) && sealed.ends_with(&text[span.end - 1..]));
    let mut opened = vec![0xa5; 4 * sealed.len()];
    let opened = config::open(sealed, &[master], &mut opened).expect("what was sealed opens");
    let mut escaped = vec![0; json::escaped_len(plain)];
    let escaped = json::escape(plain, &mut escaped).expect("fits");
    assert_eq!(opened, format!("{}{escaped}{}", &text[..span.start + 1], &text[span.end - 1..]));
});
