// SPDX-License-Identifier: GPL-2.0-or-later
#include "wicket/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/network.h"
#include "wicket/quote.h"

/* The longest network there is, and room to see that a text is longer. */
#define TEXT_MAX 64

struct list {
    struct config_network *networks;
    size_t count, capacity;
};

static int list_add(struct list *list, const struct config_network *network, struct error *error)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        struct config_network *networks =
            reallocarray(list->networks, capacity, sizeof(struct config_network));

        if (!networks)
            return error_set_errno(error, EX_OSERR, "the sources");
        list->networks = networks;
        list->capacity = capacity;
    }
    list->networks[list->count++] = *network;
    return 0;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* One line, without its end. */
static int take_line(struct list *list, const char *line, size_t length, struct error *error)
{
    const char *comment = memchr(line, '#', length);
    struct config_network network;
    char text[TEXT_MAX];

    if (comment)
        length = (size_t)(comment - line);
    while (length > 0 && is_space(line[length - 1]))
        length--;
    while (length > 0 && is_space(*line)) {
        line++;
        length--;
    }
    if (length == 0)
        return 0;
    if (length >= sizeof(text) || memchr(line, '\0', length))
        return error_set(error, EX_CONFIG, "%s is no IPv4 or IPv6 address or network",
                         QUOTE(line, length));
    memcpy(text, line, length);
    text[length] = '\0';
    return network_parse(&network, text, error) < 0 ? -1 : list_add(list, &network, error);
}

/* The reason in `error` gets its place. */
static int refuse(const char *name, size_t line, struct error *error)
{
    struct error reason = *error;

    return error_set(error, reason.exit_code, "%s:%zu: %s", name, line, reason.text);
}

int sources_parse(struct config_network **out, size_t *count, const char *name, const void *bytes,
                  size_t length, struct error *error)
{
    const char *at = bytes, *end = at + length;
    struct list list = {0};

    for (size_t line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline : end;
        int outcome =
            line > SOURCES_LINES_MAX
                ? error_set(error, EX_CONFIG, "more than %d lines, which is all it may have",
                            SOURCES_LINES_MAX)
                : take_line(&list, at, (size_t)(next - at), error);

        if (outcome < 0) {
            free(list.networks);
            return refuse(name, line, error);
        }
        at = newline ? newline + 1 : end;
    }
    *out = list.networks;
    *count = list.count;
    return 0;
}

/* Reads on until the end, or to where it is too much. */
static ssize_t read_all(int fd, char *bytes, size_t capacity)
{
    size_t length = 0;

    while (length < capacity) {
        ssize_t got = read(fd, bytes + length, capacity - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static int fail(const char *path, struct error *error)
{
    bool forbidden = errno == EACCES || errno == EPERM;

    return error_set(error, forbidden ? EX_NOPERM : EX_CONFIG,
                     "redirect.sources_file: %s: %s: put a file there that the keeper can read, or "
                     "leave the key out",
                     path, strerror(errno));
}

static int read_file(const char *path, char *bytes, size_t capacity, size_t *length,
                     struct error *error)
{
    /* O_NONBLOCK: a FIFO without a writer is not waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    int outcome = -1;

    if (fd < 0)
        return fail(path, error);
    if (fstat(fd, &status) != 0)
        fail(path, error);
    else if (!S_ISREG(status.st_mode))
        error_set(error, EX_CONFIG, "redirect.sources_file: %s: not a regular file", path);
    else {
        ssize_t got = read_all(fd, bytes, capacity);

        outcome = got < 0 ? fail(path, error) : 0;
        *length = got < 0 ? 0 : (size_t)got;
    }
    close(fd);
    return outcome;
}

static int append(struct config *config, const struct config_network *networks, size_t count,
                  struct error *error)
{
    size_t listed = config->redirect.source_count;

    if (count > 0) {
        struct config_network *all =
            reallocarray(config->redirect.sources, listed + count, sizeof(struct config_network));

        if (!all)
            return error_set_errno(error, EX_OSERR, "the sources");
        memcpy(all + listed, networks, count * sizeof(*networks));
        config->redirect.sources = all;
        config->redirect.source_count = listed + count;
    }
    config->redirect.source_listed = listed;
    return 0;
}

int sources_read(struct config *config, struct error *error)
{
    const char *path = config->redirect.sources_file;
    struct config_network *networks = NULL;
    size_t length = 0, count = 0;
    int outcome = -1;

    if (path[0] == '\0')
        return 0;
    char *bytes = malloc(SOURCES_BYTES_MAX + 1);
    if (!bytes)
        return error_set_errno(error, EX_OSERR, "%s", path);
    if (read_file(path, bytes, SOURCES_BYTES_MAX + 1, &length, error) == 0) {
        if (length > SOURCES_BYTES_MAX)
            error_set(error, EX_CONFIG,
                      "redirect.sources_file: %s: more than %d bytes, which is all it may have",
                      path, SOURCES_BYTES_MAX);
        else if (sources_parse(&networks, &count, path, bytes, length, error) == 0)
            outcome = append(config, networks, count, error);
    }
    free(networks);
    free(bytes);
    return outcome;
}
