#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz_run.sh FUZZER DICTIONARY CORPUS…: a short, repeatable run. libFuzzer writes what it discovers
# to the first directory it is given, hence a scratch one in front of the corpus. A crash would end
# with 77, which meson takes for a skipped test. FUZZ_SECONDS=600 makes it a long run instead, of
# another seed each time; FUZZ_KEEP=DIRECTORY keeps what it discovers, to measure and to merge.
set -eu
fuzzer=$1
dictionary=$2
shift 2
if [ -n "${FUZZ_KEEP-}" ]; then
    scratch=$FUZZ_KEEP/$(basename "$fuzzer")
    mkdir -p "$scratch"
else
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
fi
if [ -n "${FUZZ_SECONDS-}" ]; then
    length="-max_total_time=$FUZZ_SECONDS"
else
    length='-runs=20000 -seed=1'
fi
# $length is two words.
# shellcheck disable=SC2086
"$fuzzer" -error_exitcode=1 $length -timeout=25 -print_final_stats=1 -artifact_prefix="$PWD/" \
    -dict="$dictionary" "$scratch" "$@"
