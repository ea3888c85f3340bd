//! Two examples in Rust for firmware: `secret` reads the secret of a config in flash into a buffer on the stack, and
//! `secret_in_slices` does so in an async task, as on embassy, that lets others run. Neither needs a heap. board.c starts them
//! and provides the emulator's output; a product uses a crate for its own board.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code)] // for the C around it; fernseal_core needs none

use core::future::poll_fn;
use core::pin::pin;
use core::slice;
use core::task::{Context, Poll, Waker};
use fernseal_core::token::Token;
use fernseal_core::{Error, MasterKey, config};

const CONFIG: &str = include_str!("config.json");

/// A product reads this from where the device keeps its keys.
const MASTER_KEY: &str = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";

fn secret(buffer: &mut [u8]) -> Result<&str, Error> {
    let master = MasterKey::from_text(MASTER_KEY)?;
    config::get(CONFIG, config::TOKEN_VALUE, slice::from_ref(&master), buffer)
}

async fn secret_in_slices(buffer: &mut [u8]) -> Result<&str, Error> {
    let master = MasterKey::from_text(MASTER_KEY)?;
    let token = Token::parse(config::find(CONFIG, config::TOKEN_VALUE, buffer)?)?;
    let mut derivation = token.key_params().start(&master);
    // 250 iterations take 65 ms on a Cortex-M0 at 48 MHz. A product stores the key and derives it once.
    while !derivation.advance(250).is_done() {
        yield_now().await;
    }
    config::get_with(CONFIG, config::TOKEN_VALUE, &derivation.finish(), buffer)
}

/// Lets the other tasks run; with embassy, `embassy_futures::yield_now`.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|task| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs a task as an executor does, and counts how often others could run.
fn run<T>(task: impl Future<Output = T>) -> (T, u32) {
    let (mut task, mut turns) = (pin!(task), 0);
    loop {
        if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (result, turns);
        }
        turns += 1;
    }
}

unsafe extern "C" {
    fn board_write(text: *const core::ffi::c_char);
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let wanted = Ok("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
    let at_once = secret(&mut [0; 256]) == wanted;
    let mut buffer = [0; 256];
    let in_slices = run(secret_in_slices(&mut buffer)) == (wanted, 399);
    let opened = at_once && in_slices;
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
