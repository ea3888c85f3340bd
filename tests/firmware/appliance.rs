//! An example in Rust for firmware: it reads the secret of a config in flash into a buffer on the stack. board.c starts
//! it and provides the emulator's output; a product uses a crate for its own board.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code)] // for the C around it; fernseal_core needs none

use core::slice;
use fernseal_core::{Error, MasterKey, config};

const CONFIG: &str = include_str!("config.json");

/// A product reads this from where the device keeps its keys.
const MASTER_KEY: &str = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";

fn secret(buffer: &mut [u8]) -> Result<&str, Error> {
    let master = MasterKey::from_text(MASTER_KEY)?;
    config::get(CONFIG, config::TOKEN_VALUE, slice::from_ref(&master), buffer)
}

unsafe extern "C" {
    fn board_write(text: *const core::ffi::c_char);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let opened = secret(&mut [0; 256]) == Ok("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    let line = if opened { c"PASS opens its config in Rust\n" } else { c"FAIL opens its config in Rust\n" };
    // SAFETY: the text ends in a NUL, as board.h requires.
    unsafe { board_write(line.as_ptr()) };
    i32::from(!opened)
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn board_fault() -> !;
    }
    board_fault()
}
