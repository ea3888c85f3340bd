//! The parts of help and manual pages that are not options: exit codes, environment variables and files.
//! Change it when a command reads another variable or file, or ends with another code.

/// Each exit code and its meaning.
pub(crate) const EXIT_STATUS: [(&str, &str); 13] = [
    ("0", "done"),
    ("1", "any other failure; merge: conflicts are left"),
    ("2", "wrong usage"),
    ("3", "check found a secret in plain text"),
    ("4", "a token could not be decrypted"),
    ("5", "no usable master key"),
    ("6", "a config or a token is malformed"),
    ("7", "a file could not be read or written, or no config was found"),
    ("8", "some of several files failed"),
    ("9", "interrupted; run the command again to finish"),
    ("126", "run: the program cannot be executed"),
    ("127", "run: the program was not found"),
    ("129", "merge: the secrets were not merged"),
];

/// Each environment variable that the command reads.
pub(crate) const ENVIRONMENT: [(&str, &str); 15] = [
    ("PROXMOX_MCP_MASTER_KEY", "The master key."),
    ("PROXMOX_MCP_MASTER_KEY_FILE", "The path of a file that holds the master key."),
    (
        "PROXMOX_MCP_MASTER_KEY_COMMAND",
        "A command that prints the master key. It is run with sh -c, with stdin and the terminal, and without the \
         variables here that contain or name keys.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "The directory of systemd's credentials; the file proxmox_mcp_master_key in it holds the master key.",
    ),
    (
        "PROXMOX_MCP_MASTER_KEY_PREVIOUS",
        "Previous master keys, separated by commas or line breaks. They decrypt and never encrypt.",
    ),
    ("PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE", "The path of a file that holds previous master keys."),
    ("PROXMOX_MCP_MASTER_KEY_PREVIOUS_COMMAND", "A command that prints previous master keys."),
    ("PROXMOX_MCP_CONFIG", "The config of a command that only reads, if the command line names none."),
    ("PROXMOX_MCP_AUDIT_LOG", "The audit log, unless --audit-log names one."),
    (
        "PROXMOX_MCP_LOCK_WAIT",
        "How many seconds to wait for another run, unless --lock-wait is given. The default is 10.",
    ),
    ("HOME", "The directory of .proxmox_mcp_key, and for new key files."),
    (
        "XDG_RUNTIME_DIR",
        "The directory for the files of edit and run, if it is yours and in memory; otherwise /run/user/UID or /dev/shm.",
    ),
    ("VISUAL, EDITOR", "The editor that edit starts; vi if neither is set."),
    ("NO_COLOR", "If set, help and messages have no color."),
    ("CLICOLOR_FORCE", "If set, and not 0, help and messages have color also where stderr is not a terminal."),
];

/// Each file that the command reads or makes without being told its path.
pub(crate) const FILES: [(&str, &str); 8] = [
    (
        "~/.proxmox_mcp_key",
        "The master key, if no option or variable names one. The file must be yours and have mode 0600.",
    ),
    ("~/.proxmox_mcp_key.ID", "The new key of a rotation, mode 0600. ID is the id of the key."),
    ("CONFIG.backup.YYYYMMDD_HHMMSS", "The backup that a rotation makes of CONFIG before it replaces it."),
    (
        "CONFIG.edited.YYYYMMDD_HHMMSS",
        "The encrypted text of an edit, if another program saved CONFIG in the meantime.",
    ),
    ("CONFIG.saved.N", "What another program saved to CONFIG just when a run that replaced it was killed."),
    (
        ".fernseal.lock",
        "Beside configs, while a command writes there: its lock, with its process ID. Only those who may write in the \
         directory can open it.",
    ),
    (
        "$XDG_RUNTIME_DIR/fernseal-memory-*",
        "A folder in memory, mode 0700, with the files of an edit or of a program that run started; also in /run/user/UID \
         or /dev/shm. It is removed when the editor or program ends, or else by the next edit or run.",
    ),
    (
        ".fernseal.toml",
        "Beside configs or above them, up to the top of the repository or the root; the nearest counts. It names their \
         secrets for check, encrypt and edit, as in secrets = [\"/database/password\", \"**/token\"], and what looks like a \
         secret and is none: ignore = [\"/examples/**\"]. For a directory that is named, include and exclude, lists of \
         globs, choose its configs. It must be yours, root's, or of the owner of the config.",
    ),
];

/// The end of `fernseal help`.
pub(crate) fn after_help() -> String {
    let codes: Vec<String> = EXIT_STATUS.iter().map(|(code, meaning)| format!("  {code:3}  {meaning}")).collect();
    format!("{KEY_SOURCES}\n\nExit codes:\n{}", codes.join("\n"))
}

const KEY_SOURCES: &str = "\
The master key comes from the first of these that exists: --key-file or --key-command; PROXMOX_MCP_MASTER_KEY, \
PROXMOX_MCP_MASTER_KEY_FILE, PROXMOX_MCP_MASTER_KEY_COMMAND or $CREDENTIALS_DIRECTORY/proxmox_mcp_master_key (if two of \
these four differ, the command fails); ~/.proxmox_mcp_key; a prompt. Keys in PROXMOX_MCP_MASTER_KEY_PREVIOUS (or _FILE, \
_COMMAND) decrypt tokens and never encrypt.";
