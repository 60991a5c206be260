// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/error.h"

/*
 * A list of the system calls a process may make from now on, kept by the kernel (seccomp(2)).
 * Whoever makes another one, or one of another architecture, is killed by SIGSYS. Children and
 * what they execute inherit the list, and whoever installs another one is bound by both.
 */
enum { FILTER_ARGUMENTS = 3 };

struct filter_rule {
    int call;           /* SCMP_SYS(name), also of a call that this architecture does not have */
    unsigned int count; /* of arguments that are looked at; each only once */
    struct scmp_arg_cmp arguments[FILTER_ARGUMENTS];
};

/* A call with any arguments, and with those that are named. A call may have several rules: one of
 * them has to hold. */
#define FILTER_CALL(name)            ((struct filter_rule){SCMP_SYS(name), 0, {{0}}})
#define FILTER_CALL_1(name, a)       ((struct filter_rule){SCMP_SYS(name), 1, {a}})
#define FILTER_CALL_2(name, a, b)    ((struct filter_rule){SCMP_SYS(name), 2, {a, b}})
#define FILTER_CALL_3(name, a, b, c) ((struct filter_rule){SCMP_SYS(name), 3, {a, b, c}})

/* Of argument `at` the bits of `mask` are `value`, whatever the others are. */
#define FILTER_MASKED(at, mask, value) \
    ((struct scmp_arg_cmp){(at), SCMP_CMP_MASKED_EQ, (uint64_t)(mask), (uint64_t)(value)})
/* It is `value`, as an int, of which the kernel looks at 32 bits only. */
#define FILTER_INT(at, value) FILTER_MASKED(at, UINT32_MAX, (uint32_t)(value))
/* It is NULL. */
#define FILTER_NULL(at) FILTER_MASKED(at, UINT64_MAX, 0)
/* It is made of the flags of `needed`, and beside them of any of `allowed`. */
#define FILTER_FLAGS(at, needed, allowed) FILTER_MASKED(at, ~(uint64_t)(allowed), needed)

/* For good. The process must have no_new_privs. 70. */
int filter_install(const struct filter_rule *rules, size_t count, struct error *error);
