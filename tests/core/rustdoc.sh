#!/bin/sh
# rustdoc for api.rs. Its JSON needs a nightly compiler unless RUSTC_BOOTSTRAP is set, which only rustdoc should see.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
