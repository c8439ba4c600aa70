# shellcheck shell=bash
# How the tests build the program: with all that a package has. The system's OpenSSL is linked where there is one, since building
# another takes minutes.
# shellcheck disable=SC2034
BUILD=(--locked --features kafka-tls)
export CARGO_INCREMENTAL=0
if pkg-config --exists openssl 2>/dev/null; then export OPENSSL_NO_VENDOR=1; fi
