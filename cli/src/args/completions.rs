//! The arguments of `completions`.

use clap::{Args, ValueEnum};

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// bash, zsh, fish, powershell or elvish
    pub(crate) shell: Shell,
}

/// The shells that can complete the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}
