#!/bin/sh
# Gives the same random input to Fernseal, the fernet crate and Python: tests/differential/run.sh [TOKENS, 100000] [SEED]
# Needs tests/setup.sh python. A million tokens take a few minutes.
set -eu
cd "$(dirname "$0")"
PYTHON=${FERNSEAL_VENV:-../../target/venv}/bin/python cargo run --release --quiet --locked -- "$@"
