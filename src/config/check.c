// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/check.h"

#include <net/if.h>
#include <string.h>
#include <sysexits.h>

#include "wicket/quote.h"

#define SHOWN(value) QUOTE((value)->text, (value)->length)

static bool is_graphic(const struct value *value)
{
    for (size_t i = 0; i < value->length; i++) {
        if (value->text[i] <= 0x20 || value->text[i] > 0x7e)
            return false;
    }
    return true;
}

static bool has_any(const struct value *value, const char *characters)
{
    for (size_t i = 0; i < value->length; i++) {
        if (value->text[i] != '\0' && strchr(characters, value->text[i]))
            return true;
    }
    return false;
}

/* Of a user or group: what passwd(5) can hold, and no number, which could be taken for an id. */
int check_name(const struct value *value, struct error *error)
{
    if (value->length == 0)
        return error_set(error, EX_CONFIG, "is empty: must be a name");
    if (value->length >= CONFIG_NAME_MAX)
        return error_set(error, EX_CONFIG, "%s is too long: a name has at most %d characters",
                         SHOWN(value), CONFIG_NAME_MAX - 1);
    if (!is_graphic(value) || has_any(value, ":/,") || strchr("-+~", value->text[0]))
        return error_set(error, EX_CONFIG, "%s is no name of a user or group", SHOWN(value));
    if (strspn(value->text, "0123456789") == value->length)
        return error_set(error, EX_CONFIG, "must be a name, not the number %s", value->text);
    return 0;
}

/* A component that is "." or "..", or empty because of "//" or a "/" at the end. */
static bool has_odd_component(const char *path)
{
    while (*path == '/') {
        path++;
        size_t length = strcspn(path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') ||
            (length == 2 && path[0] == '.' && path[1] == '.'))
            return true;
        path += length;
    }
    return false;
}

int check_path(const struct value *value, struct error *error)
{
    if (value->length == 0)
        return error_set(error, EX_CONFIG, "is empty: must be an absolute path");
    if (value->text[0] != '/')
        return error_set(error, EX_CONFIG, "%s must be an absolute path, which begins with /",
                         SHOWN(value));
    if (value->length > CONFIG_PATH_MAX)
        return error_set(error, EX_CONFIG, "%s is too long: %zu bytes, at most %d are allowed",
                         SHOWN(value), value->length, CONFIG_PATH_MAX);
    for (size_t i = 0; i < value->length; i++) {
        unsigned char byte = (unsigned char)value->text[i];
        if (byte < 0x20 || byte == 0x7f)
            return error_set(error, EX_CONFIG, "%s has a control character", SHOWN(value));
    }
    if (has_odd_component(value->text))
        return error_set(error, EX_CONFIG,
                         "%s must be written without \"//\", \".\", \"..\" and a \"/\" at the end",
                         SHOWN(value));
    return 0;
}

/* What nft prints without quotes or with, and no byte that a message would have to escape. */
int check_chain_name(const struct value *value, struct error *error)
{
    if (value->length == 0)
        return error_set(error, EX_CONFIG, "the name of a table or chain is empty");
    if (value->length >= CONFIG_CHAIN_NAME_MAX)
        return error_set(error, EX_CONFIG,
                         "%s is too long: the name of a table or chain has at most %d characters",
                         SHOWN(value), CONFIG_CHAIN_NAME_MAX - 1);
    if (!is_graphic(value) || has_any(value, "\"\\{};#,"))
        return error_set(error, EX_CONFIG, "%s is no name of a table or chain", SHOWN(value));
    return 0;
}

/* As dev_valid_name() of the kernel (net/core/dev.c), and printable. */
int check_interface(const struct value *value, struct error *error)
{
    if (value->length == 0)
        return error_set(error, EX_CONFIG, "an interface name is empty");
    if (value->length >= IFNAMSIZ)
        return error_set(error, EX_CONFIG,
                         "%s is too long: an interface name has at most %d characters",
                         SHOWN(value), IFNAMSIZ - 1);
    if (!is_graphic(value) || has_any(value, "/:") || strcmp(value->text, ".") == 0 ||
        strcmp(value->text, "..") == 0)
        return error_set(error, EX_CONFIG, "%s is no interface name", SHOWN(value));
    return 0;
}
