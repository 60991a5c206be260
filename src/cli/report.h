// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wicket/control.h"
#include "wicket/evidence.h"

#define REPORT_TEXT 1024

/* The line with which `wicket run` ends. Returns `out`. */
char *report_format(char *out, size_t capacity, const struct control_report *report);

/* Why there is no certificate, as far as this host can tell, into EVIDENCE_TEXT bytes; `port` is
 * the responder's. False: there is nothing to say, since no token was registered and no window
 * opened, or the report has said it already. */
bool report_explain(char *out, const struct control_report *report, uint16_t port);
