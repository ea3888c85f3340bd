#!/bin/sh
# Compares Fernseal with the fernet crate and Python on the same random input: tests/differential/run.sh [TOKENS,
# 100000] [SEED]
# Needs tests/setup.sh python. A million tokens take a few minutes.
set -eu
cd "$(dirname "$0")"
PYTHON=${FERNSEAL_VENV:-../../target/venv}/bin/python cargo run --release --quiet --locked -- "$@"
