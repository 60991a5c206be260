#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz_run.sh FUZZER CORPUS…: a short, repeatable run. libFuzzer writes what it discovers to the
# first directory it is given, hence a scratch one in front of the corpus. A crash would end with 77,
# which meson takes for a skipped test.
set -eu
fuzzer=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$fuzzer" -error_exitcode=1 -runs=20000 -seed=1 -print_final_stats=1 -artifact_prefix="$PWD/" "$scratch" "$@"
