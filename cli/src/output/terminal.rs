//! The person at the terminal: questions, secrets typed without echo, and a key that is shown once.
//! All of it goes through /dev/tty, so that stdin and stdout stay free for data.
//! A key is shown on the terminal's alternate screen, which leaves nothing in the scrollback.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

use crate::error::{Exit, Failure, Result};
use crate::interrupt;

const ENTER_ALTERNATE_SCREEN: &str = "\x1b[?1049h\x1b[2J\x1b[H";
/// Cleared before it is left: not every terminal throws the alternate screen away.
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[2J\x1b[H\x1b[?1049l";

const CONTROL_C: u8 = 0x03;
const CONTROL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// Whether somebody can be asked: stdin and stderr are a terminal.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a secret, without echo. None if nobody can be asked.
pub(crate) fn ask_secret(question: &str) -> Result<Option<Zeroizing<String>>> {
    if !is_interactive() {
        return Ok(None);
    }
    let mut tty = Tty::open()?;
    tty.write(question)?;
    let answer = tty.line()?;
    tty.write("\n")?;
    Ok(Some(answer))
}

/// Asks a question that only `yes` affirms. No, if nobody can be asked.
pub(crate) fn ask_yes(question: &str) -> Result<bool> {
    if !is_interactive() {
        return Ok(false);
    }
    let mut tty = Tty::open()?;
    tty.write(question)?;
    let answer = tty.line_echoed()?;
    tty.write("\n")?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

/// Shows a new key once. Returns when the person has said that it is stored.
pub(crate) fn show_key_once(key: &str) -> Result<()> {
    let mut tty = Tty::open()?;
    tty.write("A new master key has been made. It is shown once. Press Enter to see it: ")?;
    tty.line()?;
    tty.write("\n")?;
    tty.write(ENTER_ALTERNATE_SCREEN)?;
    // Whatever happens now, the screen is left before anything else is said.
    let confirmed = confirm_stored(&mut tty, key);
    tty.write(LEAVE_ALTERNATE_SCREEN)?;
    confirmed
}

fn confirm_stored(tty: &mut Tty, key: &str) -> Result<()> {
    tty.write("The new master key:\n\n    ")?;
    tty.write(key)?;
    tty.write("\n\nStore it now, in a password manager or a file of mode 600. It cannot be shown again.\n")?;
    loop {
        tty.write("Is it stored? Type yes: ")?;
        let answer = tty.line_echoed()?;
        tty.write("\n")?;
        if answer.trim().eq_ignore_ascii_case("yes") {
            return Ok(());
        }
    }
}

/// The terminal, in a mode in which keys come one by one, without echo and without signals.
struct Tty {
    file: File,
    before: Termios,
}

impl Tty {
    fn open() -> Result<Self> {
        interrupt::listen();
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|error| failed(&error))?;
        let before = termios::tcgetattr(&file).map_err(|error| failed(&error.into()))?;
        let mut mode = before.clone();
        mode.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        // A tenth of a second, then back: a signal is noticed between two keys.
        mode.special_codes[SpecialCodeIndex::VMIN] = 0;
        mode.special_codes[SpecialCodeIndex::VTIME] = 1;
        termios::tcsetattr(&file, OptionalActions::Flush, &mode).map_err(|error| failed(&error.into()))?;
        Ok(Self { file, before })
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(|error| failed(&error))
    }

    /// A line without echo.
    fn line(&mut self) -> Result<Zeroizing<String>> {
        self.read_line(false)
    }

    /// A line with echo.
    fn line_echoed(&mut self) -> Result<Zeroizing<String>> {
        self.read_line(true)
    }

    fn read_line(&mut self, echo: bool) -> Result<Zeroizing<String>> {
        // Room enough that a secret never moves, which would leave a copy behind.
        let mut line = Zeroizing::new(Vec::with_capacity(1 << 16));
        loop {
            match self.key()? {
                b'\r' | b'\n' => break,
                CONTROL_C => return Err(cancelled()),
                CONTROL_D if line.is_empty() => return Err(cancelled()),
                BACKSPACE | DELETE => {
                    // A character of UTF-8 goes whole.
                    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                    if echo {
                        self.write("\x08 \x08")?;
                    }
                }
                byte if line.len() < line.capacity() => {
                    line.push(byte);
                    if echo && (b' '..DELETE).contains(&byte) {
                        self.file.write_all(&[byte]).map_err(|error| failed(&error))?;
                    }
                }
                _ => return Err(Failure::new(Exit::Other, "the line is too long", "use a pipe or a file for it")),
            }
        }
        String::from_utf8(std::mem::take(&mut *line)).map(Zeroizing::new).map_err(|_| {
            Failure::new(Exit::Other, "what was typed is not UTF-8 text", "set the terminal to UTF-8, or use a pipe")
        })
    }

    fn key(&mut self) -> Result<u8> {
        let mut byte = Zeroizing::new([0_u8; 1]);
        loop {
            if interrupt::requested() {
                return Err(cancelled());
            }
            match self.file.read(byte.as_mut()) {
                Ok(0) if self.hung_up() => return Err(cancelled()),
                Ok(0) => {}
                Ok(_) => return Ok(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Nothing came within the time: is the terminal gone?
    fn hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = termios::tcsetattr(&self.file, OptionalActions::Flush, &self.before);
    }
}

fn cancelled() -> Failure {
    Failure::new(Exit::Other, "cancelled at the prompt", "nothing was changed; run it again when ready")
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::File, format!("the terminal cannot be used: {error}"), "use a pipe or a file instead")
}
