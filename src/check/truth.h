// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/*
 * Whether something holds for a connection of which not everything is known: where it comes from,
 * above all. LIKELY and UNLIKELY are about anybody out of whom nothing singles: an address that is
 * in no list, a first packet within a limit. OPEN is what this program does not understand.
 */
enum truth { TRUTH_NO, TRUTH_UNLIKELY, TRUTH_OPEN, TRUTH_LIKELY, TRUTH_YES };

static inline enum truth truth_not(enum truth one)
{
    return (enum truth)(TRUTH_YES - one);
}

static inline enum truth truth_and(enum truth one, enum truth other)
{
    return one < other ? one : other;
}

static inline enum truth truth_or(enum truth one, enum truth other)
{
    return one > other ? one : other;
}
