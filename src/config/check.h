// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "config/value.h"

/* The rules of the texts that the configuration names things by. */
int check_name(const struct value *value, struct error *error);
int check_path(const struct value *value, struct error *error);
int check_interface(const struct value *value, struct error *error);
int check_chain_name(const struct value *value, struct error *error); /* or of a table */
