// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

struct keeper;

/*
 * Reads the configuration afresh, at SIGHUP: whole, or not at all. A bad one is refused with every
 * line that is wrong in the log, and the old one goes on. A good one is in force when this returns,
 * and a window that is open stays open. What is settled at the start (the control socket, the
 * responder's port and account, the webroot) keeps its value until the keeper starts again, which
 * the log says.
 */
void reload_run(struct keeper *keeper);

/* The same of redirect.sources_file alone: what is in wicket.yaml by now waits for reload_run. */
void reload_sources(struct keeper *keeper);
