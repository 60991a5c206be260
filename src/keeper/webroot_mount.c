// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper/webroot_mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { TYPE_MAX = 64 };

bool webroot_mount_is_local(const char *type)
{
    static const char *const remote[] = {
        "9p",     "afs",   "autofs", "beegfs", "ceph",  "cifs",     "coda", "gfs2",  "gpfs",
        "lustre", "ncpfs", "nfs",    "nfs4",   "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
    };

    /* fuse, fuseblk, and fuse.NAME for every server that says what it is. */
    if (strncmp(type, "fuse", 4) == 0)
        return false;
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        if (strcmp(type, remote[i]) == 0)
            return false;
    return true;
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG...] - TYPE SOURCE OPTIONS"; spaces within a field
 * are written as \040. */
static bool line_type(char *out, size_t capacity, const char *line, size_t length)
{
    static const char separator[] = " - ";
    const char *type = memmem(line, length, separator, sizeof(separator) - 1);

    if (type == NULL)
        return false;
    type += sizeof(separator) - 1;
    const char *end = memchr(type, ' ', (size_t)(line + length - type));
    if (end == NULL || end == type || (size_t)(end - type) >= capacity)
        return false;
    memcpy(out, type, (size_t)(end - type));
    out[end - type] = '\0';
    return true;
}

bool webroot_mount_find(char *out, size_t capacity, const char *mountinfo, int id)
{
    char prefix[16];
    size_t prefix_length = (size_t)snprintf(prefix, sizeof(prefix), "%d ", id);

    for (const char *line = mountinfo; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, prefix, prefix_length) == 0)
            return line_type(out, capacity, line, length);
        line += length + (line[length] == '\n');
    }
    return false;
}

/* The whole file; NULL with errno. The caller frees it. */
static char *read_text(const char *path)
{
    char *text = NULL;
    size_t capacity = 0;
    FILE *stream = fopen(path, "re");

    if (stream == NULL)
        return NULL;
    /* Up to a byte there is none of. */
    if (getdelim(&text, &capacity, '\0', stream) < 0) {
        free(text);
        text = NULL;
    }
    fclose(stream);
    return text;
}

static bool mount_id(int fd, int *out)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    char *text = read_text(path);
    const char *field = text == NULL ? NULL : strstr(text, "mnt_id:");
    if (field != NULL)
        *out = (int)strtol(field + strlen("mnt_id:"), NULL, 10);
    free(text);
    return field != NULL;
}

int webroot_mount_check(int fd, struct error *error)
{
    char type[TYPE_MAX];
    int id = 0;

    char *mountinfo = read_text("/proc/self/mountinfo");
    bool found = mountinfo != NULL && mount_id(fd, &id) &&
                 webroot_mount_find(type, sizeof(type), mountinfo, id);
    free(mountinfo);
    if (!found)
        return error_set(error, EX_OSFILE, "/proc does not tell on which file system it is");
    if (!webroot_mount_is_local(type))
        return error_set(error, EX_OSFILE,
                         "it is on a file system of type %s: it must be a local one", type);
    return 0;
}
