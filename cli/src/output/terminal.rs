//! Talks to the person at the terminal: asks questions, reads secrets without echo, and shows a new key once.
//!
//! Everything goes through /dev/tty, so stdin and stdout stay free for data. A prompt does not know what the command
//! has done so far. Each caller passes `otherwise`, the second line of the message if the person cancels, the terminal
//! hangs up or a signal arrives. A key is shown on the terminal's alternate screen, which leaves nothing in the
//! scrollback.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

use crate::error::{Cause, Consequence, Cut, Failure, NoPrompt, Result, TerminalFailure};
use crate::interrupt::{self, SignalGuard};

const ENTER_ALTERNATE_SCREEN: &str = "\x1b[?1049h\x1b[2J\x1b[H";
/// Clear the alternate screen before leaving it, as some terminals keep its content.
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[2J\x1b[H\x1b[?1049l";
/// Erases one echoed character.
const RUB_OUT: &str = "\x08 \x08";

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// Reports whether the terminal supports escape codes. Most do, except those of editors and scripts (`TERM=dumb`).
pub(crate) fn has_escape_codes() -> bool {
    crate::env::variable("TERM").is_some_and(|term| term != "dumb")
}

/// Whether and how the program may ask the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompts {
    no_input: bool,
}

/// The answer to a question, or why none was asked.
pub(crate) type Asked<T> = std::result::Result<T, NoPrompt>;

/// The answer to a yes-or-no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    /// An empty line.
    Default,
    /// Any other text.
    Other,
}

impl Prompts {
    /// Creates the prompts. With `no_input`, the user is never asked.
    pub(crate) fn new(no_input: bool) -> Self {
        Self { no_input }
    }

    /// Returns why the user cannot be asked, or `None` if the user can.
    pub(crate) fn absence(self) -> Option<NoPrompt> {
        if self.no_input {
            return Some(NoPrompt::Forbidden);
        }
        let is_there = io::stdin().is_terminal() && io::stderr().is_terminal();
        if is_there { None } else { Some(NoPrompt::NoTerminal) }
    }

    /// Asks for a secret, without echo.
    pub(crate) fn ask_secret(self, question: &str, otherwise: &Consequence) -> Result<Asked<Zeroizing<String>>> {
        if let Some(absence) = self.absence() {
            return Ok(Err(absence));
        }
        Tty::open()?.ask(question, false, otherwise).map(Ok)
    }

    /// Asks for a new secret twice, without echo. Returns both answers.
    pub(crate) fn ask_secret_twice(
        self,
        question: &str,
        otherwise: &Consequence,
    ) -> Result<Asked<[Zeroizing<String>; 2]>> {
        if let Some(absence) = self.absence() {
            return Ok(Err(absence));
        }
        // Keep the terminal open in between, as it would echo what the user types ahead.
        let mut tty = Tty::open()?;
        let first = tty.ask(question, false, otherwise)?;
        Ok(Ok([first, tty.ask("The same again: ", false, otherwise)?]))
    }

    /// Asks a question with echo. Returns the answer, and its text in lower case.
    pub(crate) fn ask(self, question: &str, otherwise: &Consequence) -> Result<Asked<(Answer, String)>> {
        if let Some(absence) = self.absence() {
            return Ok(Err(absence));
        }
        let line = Tty::open()?.ask(question, true, otherwise)?;
        Ok(Ok((Answer::of(&line), line.trim().to_lowercase())))
    }

    /// Returns why a key cannot be shown on the screen, or `None` if it can.
    pub(crate) fn cannot_show_key(self) -> Option<NoPrompt> {
        if !io::stdout().is_terminal() {
            return Some(NoPrompt::StdoutIsNoTerminal);
        }
        self.absence().or((!has_escape_codes()).then_some(NoPrompt::Scrollback))
    }
}

impl Answer {
    fn of(line: &str) -> Self {
        match line.trim().to_lowercase().as_str() {
            "" => Self::Default,
            "y" | "yes" => Self::Yes,
            _ => Self::Other,
        }
    }
}

/// Shows a new key once. Returns after the user has confirmed that it is stored.
pub(crate) fn show_key_once(key: &str) -> Result<()> {
    let mut tty = Tty::open()?;
    let question = "A new master key has been made. It is shown once. Press Enter to see it: ";
    tty.ask(question, false, &Consequence::KeyNotShown)?;
    tty.show(format!(
        "The new master key:\n\n    {key}\n\nStore it now, in a password manager or a file of mode 600. \
         It cannot be shown again.\n"
    ))?;
    while Answer::of(&tty.ask("Is it stored? Type yes: ", true, &Consequence::KeyNotStored)?) != Answer::Yes {}
    Ok(())
}

/// The terminal in prompt mode: keys arrive one by one, without echo and without signals.
struct Tty {
    file: File,
    before: Termios,
    /// The text on the alternate screen, if that is active.
    screen: Option<Zeroizing<String>>,
    /// Set by SIGCONT, when the process continues after a stop.
    continued: Arc<AtomicBool>,
    _listening: SignalGuard,
}

/// Why a prompt got no answer.
enum Unanswered {
    Cut(Cut),
    Failed(Failure),
}

impl Tty {
    fn open() -> Result<Self> {
        static CONTINUED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let listening = interrupt::listen_until_dropped();
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(failed)?;
        let before = termios::tcgetattr(&file).map_err(failed)?;
        let continued = CONTINUED.get_or_init(|| {
            let flag = Arc::new(AtomicBool::new(false));
            // Registration fails only for signals that cannot be caught; this one can.
            let _ = signal_hook::flag::register(signal_hook::consts::SIGCONT, Arc::clone(&flag));
            flag
        });
        let tty = Self { file, before, screen: None, continued: Arc::clone(continued), _listening: listening };
        tty.take_keys()?;
        Ok(tty)
    }

    /// Sets the terminal to prompt mode.
    fn take_keys(&self) -> Result<()> {
        let mut mode = self.before.clone();
        mode.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
        // A read returns after 100 ms without a key, so that a signal is noticed between two keys.
        mode.special_codes[SpecialCodeIndex::VMIN] = 0;
        mode.special_codes[SpecialCodeIndex::VTIME] = 1;
        termios::tcsetattr(&self.file, OptionalActions::Flush, &mode).map_err(failed)
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(failed)
    }

    /// Shows `text` on the alternate screen, which stays active until this is dropped.
    fn show(&mut self, text: String) -> Result<()> {
        self.screen = Some(Zeroizing::new(text));
        self.redraw()
    }

    fn redraw(&mut self) -> Result<()> {
        let Some(screen) = &self.screen else { return Ok(()) };
        let text = Zeroizing::new([ENTER_ALTERNATE_SCREEN, screen].concat());
        self.write(&text)
    }

    /// Shows `question` and reads a line.
    fn ask(&mut self, question: &str, echo: bool, otherwise: &Consequence) -> Result<Zeroizing<String>> {
        let line = self.write(question).map_err(Unanswered::Failed).and_then(|()| self.read_line(question, echo));
        // End the line after a cancellation too, so that the message starts on its own line. A write error counts only
        // after an answer: otherwise the terminal may be gone.
        let ended = self.write("\n");
        match line {
            Ok(line) => ended.map(|()| line),
            Err(Unanswered::Failed(failure)) => Err(failure),
            Err(Unanswered::Cut(cut)) => Err(TerminalFailure::Cut { cut, otherwise: otherwise.clone() }.into()),
        }
    }

    /// Reads a line. It follows the control characters that the terminal is configured with, like the kernel's own line
    /// editing.
    fn read_line(&mut self, question: &str, echo: bool) -> std::result::Result<Zeroizing<String>, Unanswered> {
        let codes = self.before.special_codes.clone();
        // A control character of 0 is disabled.
        let is = |key: u8, code: SpecialCodeIndex| key != 0 && codes[code] == key;
        // Enough capacity that the buffer never reallocates, which would leave a copy of a secret in memory.
        let mut line = Zeroizing::new(Vec::with_capacity(1 << 16));
        let mut is_quoted = false;
        loop {
            let Some(key) = self.key()? else {
                // The process was stopped and continues. The shell may have changed the terminal mode, and the question
                // is no longer visible.
                self.take_keys()
                    .and_then(|()| self.redraw())
                    .and_then(|()| self.write(question))
                    .map_err(Unanswered::Failed)?;
                line.clear();
                is_quoted = false;
                continue;
            };
            let erased = match key {
                _ if std::mem::take(&mut is_quoted) => {
                    self.push(&mut line, key, echo)?;
                    0
                }
                b'\r' | b'\n' => break,
                _ if is(key, SpecialCodeIndex::VINTR) || is(key, SpecialCodeIndex::VQUIT) => {
                    return Err(Unanswered::Cut(Cut::Typed));
                }
                _ if is(key, SpecialCodeIndex::VEOF) && line.is_empty() => return Err(Unanswered::Cut(Cut::Typed)),
                // The kernel would hand the text over at this point; here the line is complete only at Enter.
                _ if is(key, SpecialCodeIndex::VEOF) => 0,
                _ if is(key, SpecialCodeIndex::VSUSP) => {
                    self.suspend().map_err(Unanswered::Failed)?;
                    0
                }
                _ if is(key, SpecialCodeIndex::VLNEXT) => {
                    is_quoted = true;
                    0
                }
                _ if is(key, SpecialCodeIndex::VKILL) => erase_all(&mut line),
                _ if is(key, SpecialCodeIndex::VWERASE) => erase_word(&mut line),
                _ if is(key, SpecialCodeIndex::VERASE) || matches!(key, BACKSPACE | DELETE) => {
                    usize::from(erase_char(&mut line).is_some_and(is_echoed))
                }
                _ => {
                    self.push(&mut line, key, echo)?;
                    0
                }
            };
            if echo {
                self.write(&RUB_OUT.repeat(erased)).map_err(Unanswered::Failed)?;
            }
        }
        String::from_utf8(std::mem::take(&mut *line)).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Unanswered::Failed(TerminalFailure::NotUtf8.into())
        })
    }

    fn push(&mut self, line: &mut Vec<u8>, key: u8, echo: bool) -> std::result::Result<(), Unanswered> {
        if line.len() == line.capacity() {
            return Err(Unanswered::Failed(TerminalFailure::LineTooLong.into()));
        }
        line.push(key);
        if echo && is_echoed(key) {
            self.file.write_all(&[key]).map_err(|error| Unanswered::Failed(failed(error)))?;
        }
        Ok(())
    }

    /// Reads the next key. Returns `None` if the process was stopped and continues.
    fn key(&mut self) -> std::result::Result<Option<u8>, Unanswered> {
        let mut byte = Zeroizing::new([0_u8; 1]);
        loop {
            if interrupt::requested() {
                return Err(Unanswered::Cut(if self.is_hung_up() { Cut::HungUp } else { Cut::Signal }));
            }
            if self.continued.swap(false, Ordering::Relaxed) {
                return Ok(None);
            }
            match self.file.read(byte.as_mut()) {
                Ok(0) if self.is_hung_up() => return Err(Unanswered::Cut(Cut::HungUp)),
                Ok(0) => {}
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if self.is_hung_up() => return Err(Unanswered::Cut(Cut::HungUp)),
                Err(error) => return Err(Unanswered::Failed(failed(error))),
            }
        }
    }

    /// Stops the process and the rest of its pipeline, like Ctrl-Z in other programs.
    fn suspend(&mut self) -> Result<()> {
        self.give_back();
        let stopped = kill_current_process_group(Signal::TSTP);
        // The kernel does not stop an orphaned process group, and then sends no SIGCONT either.
        self.continued.store(true, Ordering::Relaxed);
        stopped.map_err(failed)
    }

    /// Reports whether the terminal has hung up.
    fn is_hung_up(&self) -> bool {
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok()
            && fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Restores the terminal's previous mode. Errors are ignored: if the terminal is gone, there is nothing to restore.
    fn give_back(&mut self) {
        if self.screen.is_some() {
            let _ = self.write(LEAVE_ALTERNATE_SCREEN);
        }
        let _ = termios::tcsetattr(&self.file, OptionalActions::Flush, &self.before);
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Reports whether a key is visible when echoed.
fn is_echoed(key: u8) -> bool {
    (b' '..DELETE).contains(&key)
}

/// Removes the last character, and returns its first byte.
fn erase_char(line: &mut Vec<u8>) -> Option<u8> {
    loop {
        match line.pop()? {
            0x80..0xc0 => {}
            first => return Some(first),
        }
    }
}

/// Removes all characters, and returns how many of them were echoed.
fn erase_all(line: &mut Vec<u8>) -> usize {
    let echoed = line.iter().filter(|byte| is_echoed(**byte)).count();
    line.clear();
    echoed
}

/// Removes the last word and anything after it, like the kernel's line editing. Returns how many characters were
/// echoed.
fn erase_word(line: &mut Vec<u8>) -> usize {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
    let mut echoed = 0;
    let mut seen = false;
    while let Some(last) = line.last().copied().filter(|last| is_word(*last) || !seen) {
        seen |= is_word(last);
        echoed += usize::from(erase_char(line).is_some_and(is_echoed));
    }
    echoed
}

fn failed(error: impl Into<Cause>) -> Failure {
    TerminalFailure::Unusable { error: error.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_erased_as_the_kernel_erases_it() {
        for (line, left) in [
            ("one two", "one "),
            ("one two  ", "one "),
            ("a-b", "a-"),
            ("a--", ""),
            ("", ""),
            ("x äö", "x "),
            ("_a1", ""),
        ] {
            let mut bytes = line.as_bytes().to_vec();
            erase_word(&mut bytes);
            assert_eq!(bytes, left.as_bytes(), "{line}");
        }
    }

    #[test]
    fn a_character_goes_whole() {
        for (line, left) in [("aä", "a"), ("a\u{1f511}", "a"), ("a", ""), ("", "")] {
            let mut bytes = line.as_bytes().to_vec();
            erase_char(&mut bytes);
            assert_eq!(bytes, left.as_bytes(), "{line}");
        }
    }
}
