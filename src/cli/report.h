// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stddef.h>

#include "wicket/control.h"

#define REPORT_TEXT 1024

/* The line with which `wicket run` ends. Returns `out`. */
char *report_format(char *out, size_t capacity, const struct control_report *report);
