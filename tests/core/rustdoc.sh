#!/bin/sh
# rustdoc for api.rs: JSON is for nightly compilers alone unless this is set, and nothing but rustdoc should see it.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
