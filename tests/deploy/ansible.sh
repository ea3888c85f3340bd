#!/bin/sh
# shellcheck disable=SC2016,SC2086 # ${TOKEN} is meant; lists of words
# Tests the Ansible role in cli/deploy/ansible on three hosts on this machine, each with a root directory of its own:
# installing, check mode, repeating; a rotation that is killed on one host, resumed with --limit, and finished.
# Takes two minutes.
#   tests/setup.sh tools deploy && tests/deploy/ansible.sh
set -eu
cd "$(dirname "$0")/../.."
recipes=$PWD/cli/deploy/ansible
venv=${FERNSEAL_VENV:-$PWD/target/venv}
[ -x "$venv/bin/ansible-playbook" ] || { echo "SKIPPED: no ansible-playbook: run tests/setup.sh deploy"; exit 0; }
command -v strace >/dev/null || { echo "SKIPPED: no strace: run tests/setup.sh tools"; exit 0; }
PATH=$venv/bin:$PATH
fernseal=$(cli/deploy/static.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
fail() { echo "FAIL $*" >&2; tail -n 40 "$work/log" >&2; exit 1; }
pass() { echo "PASS $*"; }
export HOME="$work" ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1 LC_ALL=C.UTF-8
hosts="alpha beta gamma"

"$fernseal" keygen -q -o "$work/old.key"
"$fernseal" keygen -q -o "$work/new.key"
"$fernseal" keygen -q -o "$work/third.key"
cp "$work/old.key" "$work/old"
cp "$work/new.key" "$work/new"
# The keys are in a vault, as on a real controller.
"$fernseal" keygen -q -o "$work/vault"
export ANSIBLE_VAULT_PASSWORD_FILE="$work/vault"
ansible-vault encrypt "$work/new.key" >"$work/log" 2>&1 || fail "ansible-vault"
{
    echo "[fernseal]"
    for host in $hosts; do echo "$host ansible_connection=local root=$work/$host"; done
    cat <<INVENTORY
[fernseal:vars]
ansible_python_interpreter=$venv/bin/python
fernseal_directory={{ root }}/etc
fernseal_command_source=$fernseal
fernseal_command={{ root }}/fernseal
fernseal_configs=["{{ root }}/a/config.json", "{{ root }}/b/config.json"]
fernseal_key_file=$work/old.key
fernseal_new_key_file=$work/new.key
INVENTORY
} >"$work/inventory"
for host in $hosts; do
    mkdir -p "$work/$host/a" "$work/$host/b"
    printf '{"auth": {"token_value": "first secret of %s"}}\n' "$host" >"$work/$host/a/config.json"
    printf '{"auth": {"token_value": "${TOKEN}"}, "password": "second secret of %s"}\n' "$host" >"$work/$host/b/config.json"
    echo 'secrets = ["/password"]' >"$work/$host/b/.fernseal.toml"
done

# Runs a playbook with its most verbose output, which must not contain a key or a secret.
play() { # PLAYBOOK ARGUMENT…
    playbook=$1
    shift
    set -- ${trace:-} ansible-playbook -vvv --diff -i "$work/inventory" "$recipes/$playbook.yml" "$@"
    code=0
    "$@" >"$work/log" 2>&1 || code=$?
    if grep -q -F -f "$work/old" -f "$work/new" -e "secret of" "$work/log"; then fail "$playbook prints a key or a secret"; fi
    return $code
}
changes() { sed -n "s/^$1 .* changed=\([0-9]*\) .*/\1/p" "$work/log"; } # HOST, of the last play
unchanged() { for host in $hosts; do [ "$(changes $host)" = 0 ] || fail "$* ($host: $(changes $host) changes)"; done; }
# Prints the state of all hosts: names, modes, times and contents of their files.
state() { for host in $hosts; do find "$work/$host" -type f -printf '%P %m %T@ ' -exec sha256sum {} \;; done; }
opens() { # HOST KEY: all configs open with this key alone
    PROXMOX_MCP_MASTER_KEY_FILE=$work/$2 "$fernseal" verify -q "$work/$1/a/config.json" "$work/$1/b/config.json" >/dev/null 2>&1
}
seals() { cmp -s "$work/$1/etc/master.key" "$work/$2"; }                        # HOST KEY
opens_beside() { grep -q -F -f "$work/$2" "$work/$1/etc/master.key.previous"; } # HOST KEY

for playbook in site rotate check; do
    ansible-playbook --syntax-check -i "$work/inventory" "$recipes/$playbook.yml" >"$work/log" 2>&1 || fail "$playbook.yml"
done

# Installation.
state >"$work/before"
play site --check || fail "check mode on a new host"
state | cmp -s - "$work/before" || fail "check mode changed something"
for host in $hosts; do [ "$(changes $host)" -ge 3 ] || fail "check mode says nothing of what it would do on $host"; done
play site || fail "the first run"
for host in $hosts; do
    opens $host old || fail "$host is not encrypted under the key"
    [ "$(stat -c %a "$work/$host/etc/master.key")" = 600 ] || fail "the key's mode on $host"
    # The command's own help says "the secret of one token".
    if grep -q "secret of" -r "$work/$host" --exclude=fernseal; then fail "a secret is left on $host"; fi
done
state >"$work/before"
play site || fail "the second run"
unchanged "the second run changes something"
state | cmp -s - "$work/before" || fail "the second run changed something"
pass "the first run encrypts, the second changes nothing, check mode neither"

play check -e fernseal_max_age=365d -e fernseal_likely=fail || fail "check.yml of sound hosts"
id=$("$fernseal" key id "$work/old" | cut -d ' ' -f 1)
[ "$(grep -c "key in use: $id" "$work/log")" -ge 3 ] || fail "check.yml does not tell the key of each host"
unchanged "check.yml changes something"
if play check -e fernseal_max_age=0h; then fail "check.yml lets an old key pass"; fi
pass "check.yml tells the key in use, and fails for an old one"

printf '{"auth": {"token_value": "first secret of alpha, again"}}\n' >"$work/alpha/a/config.json"
chmod 644 "$work/beta/etc/master.key"
state >"$work/before"
play site --check || fail "check mode on a host that has changed"
[ "$(changes alpha) $(changes beta) $(changes gamma)" = "1 1 0" ] || fail "check mode does not tell what has changed"
state | cmp -s - "$work/before" || fail "check mode changed something"
play site || fail "mending"
[ "$(changes alpha) $(changes beta) $(changes gamma)" = "1 1 0" ] || fail "mending does not tell what has changed"
pass "a plain secret and a wide key file are seen in check mode, and mended"

if play site -e fernseal_key_file="$work/third.key"; then fail "another key is put in the place of the one in use"; fi
if play rotate -e fernseal_key_file="$work/third.key"; then fail "a rotation from a key that is not the one in use"; fi
grep -q "holds another key than fernseal_key_file" "$work/log" || fail "why a rotation does not begin"
pass "a key is not overwritten"

# A rotation: on the host beta, the command is killed after it has replaced the first of two configs.
state >"$work/before"
play rotate --check || fail "check mode of a rotation"
state | cmp -s - "$work/before" || fail "check mode of a rotation changed something"
for host in $hosts; do [ "$(changes $host)" -ge 3 ] || fail "check mode says nothing of what a rotation does on $host"; done
mv "$work/beta/fernseal" "$work/beta/whole"
cat >"$work/beta/fernseal" <<DIES
#!/bin/sh
[ "\$1" = rotate ] || exec "$work/beta/whole" "\$@"
calls=rename,renameat,renameat2
# With one thread, strace counts all calls.
exec strace -qq -o /dev/null -e trace=\$calls -e inject=\$calls:signal=KILL:when=2 "$work/beta/whole" "\$@" --jobs 1
DIES
chmod 755 "$work/beta/fernseal"
if play rotate; then fail "a rotation that died in the middle of a host"; fi
grep -q "The old key stays, and opens: beta failed" "$work/log" || fail "what is said of the host that failed"
mv "$work/beta/whole" "$work/beta/fernseal"
for host in $hosts; do
    if [ $host = beta ]; then sealing=old; else sealing=new; fi
    seals $host $sealing || fail "$host does not seal with the $sealing key"
    for key in old new; do
        seals $host $key || opens_beside $host $key || fail "the $key key is lost on $host"
    done
    [ "$(stat -c %a "$work/$host/etc/master.key") $(stat -c %a "$work/$host/etc/master.key.previous")" = "600 600" ] ||
        fail "modes of the keys on $host"
done
if opens beta old || opens beta new; then fail "beta was not stopped in the middle"; fi
PROXMOX_MCP_MASTER_KEY_FILE=$work/old PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE=$work/new \
    "$fernseal" verify -q "$work/beta/a/config.json" "$work/beta/b/config.json" >/dev/null || fail "beta does not open with both keys"
pass "a host that fails in the middle keeps the old key on every host"

play site --limit beta || fail "a host in the middle of a rotation is not sound"
if play rotate --limit beta; then fail "the old key goes without alpha and gamma"; fi
grep -q "The old key stays, and opens: alpha, gamma failed or had no part" "$work/log" || fail "what is said of --limit"
opens beta new || fail "the rotation was not finished with --limit"
opens_beside beta old || fail "the old key is lost with --limit"
pass "it is finished by running it again; while other hosts have no part, the old key stays"

trace="strace -f --seccomp-bpf -qq -v -s 4096 -e trace=execve -o $work/trace"
play rotate || fail "finishing the rotation"
unset trace
if grep -q -F -f "$work/old" -f "$work/new" "$work/trace"; then fail "a key was in an argument or a variable"; fi
grep '"verify", "--json"' "$work/trace" | grep -q PROXMOX_MCP_MASTER_KEY_FILE= || fail "arguments and variables were not traced"
for host in $hosts; do
    { seals $host new && opens $host new; } || fail "$host does not open with the new key"
    if grep -q -r -F -f "$work/old" "$work/$host"; then fail "the old key is left on $host"; fi
    if find "$work/$host" -name '*.backup.*' | grep -q .; then fail "backups under the old key are left on $host"; fi
done
pass "the old key and its backups go once every host has opened everything; no key in an argument or a variable"

state >"$work/before"
play rotate || fail "a rotation that is done"
unchanged "a rotation that is done changes something"
cp "$work/new.key" "$work/old.key"
play site || fail "the first play with the new key"
unchanged "the first play with the new key changes something"
state | cmp -s - "$work/before" || fail "a run after the rotation changed something"
pass "afterwards neither play changes anything"
