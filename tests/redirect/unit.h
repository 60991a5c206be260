// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

/* What cmocka.h needs in front of it, in the order it needs it. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
