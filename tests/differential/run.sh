#!/bin/sh
# The same random input through ours, the fernet crate and Python: tests/differential/run.sh [TOKENS, 100000] [SEED]
# Needs tests/setup.sh python. A million tokens take a few minutes.
set -eu
cd "$(dirname "$0")"
PYTHON=${FERNSEAL_VENV:-../../target/venv}/bin/python cargo run --release --quiet --locked -- "$@"
