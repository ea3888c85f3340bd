#!/bin/sh
# Tests the recipes in cli/deploy: the static command in a root directory without other files, with its key as each
# platform provides it; the unit with systemd-analyze; the YAML files with a parser; the hook with pre-commit. Needs
# root; takes about a minute.
#   tests/setup.sh tools deploy && tests/deploy/run.sh
# Not tested: a running systemd, a Docker daemon, a cluster.
set -eu
cd "$(dirname "$0")/../.."
recipes=$PWD/cli/deploy
venv=${FERNSEAL_VENV:-$PWD/target/venv}
python=$venv/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
fail() { echo "FAIL $*" >&2; exit 1; }

binary=$(cli/deploy/static.sh)
if readelf -d "$binary" 2>/dev/null | grep -q NEEDED; then fail "the static command needs shared libraries"; fi

# As in `FROM scratch`: the root contains only the command and the mounts.
root=$work/root
mkdir -p "$root/config" "$root/run/secrets"
cp "$binary" "$root/fernseal"
chroot=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
run() { # ENVIRONMENT… -- ARGUMENT…
    environment=
    while [ "$1" != -- ]; do environment="$environment $1"; shift; done
    shift
    # shellcheck disable=SC2086 # a list of words
    env -i $environment "$chroot" "$root" /fernseal "$@"
}
[ "$(id -u)" = 0 ] || { echo "SKIPPED: the static command in an empty root needs root"; exit 0; }
key=/run/secrets/proxmox_mcp_master_key
run -- keygen -q -o "$key"
run -- keygen -q -o /run/secrets/new
printf '{"auth": {"token_value": "from the image"}}\n' >"$root/config/config.json"
run PROXMOX_MCP_MASTER_KEY_FILE="$key" -- encrypt -q /config/config.json
rm "$root/config/config.json"
# Compose and Kubernetes provide the key in a file.
[ "$(run PROXMOX_MCP_MASTER_KEY_FILE="$key" -- get /config/config.encrypted.json /auth/token_value)" = "from the image" ] ||
    fail "a key in a file"
# systemd provides the key as a credential, and the config as another.
cp "$root/config/config.encrypted.json" "$root/run/secrets/config"
[ "$(run CREDENTIALS_DIRECTORY=/run/secrets -- get /run/secrets/config /auth/token_value)" = "from the image" ] ||
    fail "a key in a credential"
# The server that each recipe starts. Here it is another command of fernseal, the only program in the root.
started=$(run CREDENTIALS_DIRECTORY=/run/secrets -- run /run/secrets/config --config-env PROXMOX_MCP_CONFIG -- /fernseal --version)
[ "${started%% *}" = fernseal ] || fail "the program was not started: $started"
# The Kubernetes Job: a rotation to a key that already exists; and once more, as after a restart.
for _ in 1 2; do
    run PROXMOX_MCP_MASTER_KEY_FILE="$key" -- rotate -q --no-backup /config --new-key-file /run/secrets/new >/dev/null
done
run PROXMOX_MCP_MASTER_KEY_FILE=/run/secrets/new -- verify -q /config/config.encrypted.json >/dev/null || fail "the Job's rotation"
echo "static command in an empty root: seals, opens, starts a program, rotates ($(stat -c %s "$binary") bytes)"

if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/bin/fernseal|$binary|; s|/usr/bin/python3|$(command -v python3)|" "$recipes/proxmox-mcp.service" >"$work/proxmox-mcp.service"
    sed "s|/usr/bin/fernseal|$binary|; s|/usr/bin/systemctl|$(command -v systemctl || command -v true)|" \
        "$recipes/proxmox-mcp-rotated.service" >"$work/proxmox-mcp-rotated.service"
    cp "$recipes/proxmox-mcp-rotated.path" "$work"
    said=$(systemd-analyze verify --man=no "$work/proxmox-mcp.service" "$work/proxmox-mcp-rotated.path" 2>&1) || fail "systemd-analyze: $said"
    [ -z "$said" ] || fail "systemd-analyze: $said"
    echo "proxmox-mcp.service: $(systemd-analyze security --offline=yes "$work/proxmox-mcp.service" 2>/dev/null | tail -n 1 | sed 's/[^ -~]*//g')"
else
    echo "SKIPPED: no systemd-analyze"
fi

"$python" -c 'import yaml' 2>/dev/null || { echo "SKIPPED: no YAML parser: run tests/setup.sh deploy"; exit 0; }
for file in compose.yaml kubernetes.yaml; do
    "$python" - "$recipes/$file" <<'PYTHON' || fail "$file"
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
text = str(documents)
assert documents and "PROXMOX_MCP_MASTER_KEY_FILE" in text and "'PROXMOX_MCP_MASTER_KEY'" not in text
PYTHON
    echo "$file: valid YAML, the key in a file"
done

for file in github-check.yml gitlab-check.yml; do
    "$python" -c 'import sys, yaml; assert "fernseal check --sarif" in str(yaml.safe_load(open(sys.argv[1])))' "$recipes/$file" ||
        fail "$file"
    echo "$file: valid YAML, runs check --sarif"
done

[ -x "$venv/bin/pre-commit" ] || { echo "SKIPPED: no pre-commit: run tests/setup.sh deploy"; exit 0; }
hooks=$PWD
cp "$binary" "$work/fernseal"
# Git must not read this machine's settings, and the project may belong to another user.
export HOME="$work" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
git init -q "$work/repository"
cd "$work/repository"
id=fernseal-check
hook() { # what the hook says of the file that is staged, with pre-commit's exit code
    git add "$1"
    PRE_COMMIT_HOME=$work/cache PATH=$work:$PATH "$venv/bin/pre-commit" try-repo "$hooks" "$id" --files "$1" \
        >"$work/log" 2>&1
}
printf '{"auth": {"token_value": "in plain text"}}\n' >"a config.json"
if hook "a config.json"; then fail "the hook lets a secret pass"; fi
grep -q "a config.json /auth/token_value: plain text" "$work/log" || { cat "$work/log" >&2; fail "what the hook says"; }
cp "$root/config/config.encrypted.json" "a config.json"
hook "a config.json" || { cat "$work/log" >&2; fail "the hook refuses an encrypted config"; }
printf 'db:\n  password: hunter2\n' >values.yaml
if hook values.yaml; then fail "the hook lets a likely secret in YAML pass"; fi
id=fernseal-check-staged
if hook values.yaml; then fail "the hook of all that is staged lets a likely secret pass"; fi
grep -q "values.yaml /db/password: likely: name" "$work/log" || { cat "$work/log" >&2; fail "what the hook of all that is staged says"; }
echo ".pre-commit-hooks.yaml: a plain secret is refused, a likely one too, an encrypted one passes"
