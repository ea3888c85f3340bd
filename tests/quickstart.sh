#!/bin/sh
# Tests the main use on real input: builds the command, encrypts the guide's example config with a new key, and decrypts
# the secret. Python's cryptography decrypts it too, if tests/setup.sh has installed it. Removes all its files at the
# end.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="$PWD/target"
# cargo prints its progress to stderr.
echo "Building the command (a minute on a new machine):" >&2
cargo build --release --locked -p fernseal
PATH=$PWD/target/release:$PATH
python=${FERNSEAL_VENV:-$PWD/target/venv}/bin/python
original=$PWD/tests/interop/original.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"

cat >config.json <<'JSON'
{
  "auth": {
    "user": "root@pam",
    "token_name": "my-token",
    "token_value": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
  }
}
JSON
unset PROXMOX_MCP_MASTER_KEY_FILE PROXMOX_MCP_MASTER_KEY_PREVIOUS PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE

# Runs a command line and prints it, as in a transcript.
run() {
    echo "\$ $*"
    eval "$*"
    echo
}
run fernseal --generate-key -o key
run 'export PROXMOX_MCP_MASTER_KEY="$(cat key)"'
run fernseal config.json
run cat config.encrypted.json
run fernseal config.encrypted.json --status
run fernseal get config.encrypted.json auth.token_value

[ "$(fernseal get config.encrypted.json auth.token_value)" = aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee ]
if [ -x "$python" ]; then
    token=$(sed -n 's/.*"token_value": "\(.*\)".*/\1/p' config.encrypted.json)
    printf '{"op": "open", "master_key": "%s", "token": "%s"}\n' "$PROXMOX_MCP_MASTER_KEY" "$token" |
        "$python" "$original" | grep -q '"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"'
    echo "Python's cryptography decrypts it too."
else
    echo "(tests/setup.sh python installs Python's cryptography, which then decrypts it too.)"
fi
