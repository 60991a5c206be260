// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/*
 * The error convention, obeyed everywhere:
 *
 *  - A function that can fail for a reason a person must be told takes a
 *    `struct error *` as its last parameter and returns 0, or -1 with the error filled in.
 *    Functions that hand out an object do so through a first parameter `T **out`, written on
 *    success only.
 *  - `exit_code` is one of sysexits.h (64 usage, 65 data, 69 unavailable, 70 software, 73 cannot
 *    create, 74 I/O, 75 try again, 77 permission, 78 configuration).
 *  - `text` is one line without a newline, printable, that names the object and the reason and,
 *    where there is something to do about it, says what.
 *  - A function that can fail in one way only returns bool, or -1 with errno.
 *  - Library code never exits and never logs what it returns; only main() exits.
 *  - destroy functions take NULL; deinit functions may be called twice.
 */

struct error {
    int exit_code;
    char text[768];
};

/* Both return -1, so that `return error_set(...)` reads well. `error` may be NULL. */
int error_set(struct error *error, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* As error_set, with ": " and strerror(errno) appended; errno is read before anything else. */
int error_set_errno(struct error *error, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "prefix: " in front of the text that is there; the exit code stays. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
