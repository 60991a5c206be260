// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/* The address sanitizer and its search for leaks do what a program of this suite never does: at
 * the end they trace the process they are part of, and read /proc. Releases are built without. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#endif
#ifndef SANITIZER
#define SANITIZER 0
#endif
