// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "build.h"

/* Where a keeper started on demand writes its log: for messages that send a person there. */
#define CLI_LOG_PLACES "the system log, or " WICKET_RUNTIME_DIR "/keeper.log"
