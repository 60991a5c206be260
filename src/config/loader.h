// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "config/reader.h"
#include "config/schema.h"

/* What is known of every key once the file is read. */
struct loader {
    struct reader reader;
    struct config *config;
    struct {
        size_t key_line;          // 0: not in the file
        size_t section_line;      // of the section, at its first key; 0: not in the file
        struct position position; // of the value; line 0: not in the file
        bool bad;                 // the value was refused
    } keys[SCHEMA_KEY_COUNT];
};

/* Reads the file into `config`, which holds the defaults. What is wrong is reported. False when
 * the file could not be read to its end. */
bool loader_run(struct loader *loader);
