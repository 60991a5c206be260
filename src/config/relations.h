// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "config/loader.h"

/* What has to hold between keys, each good by itself. What is wrong is reported. */
void relations_check(struct loader *loader);
