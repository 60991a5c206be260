// SPDX-License-Identifier: GPL-2.0-or-later
#include "check/sockets.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The words of an address are in the order of this machine, their digits as a number. */
static bool parse_address(uint8_t out[16], const char *digits, bool ipv6)
{
    size_t words = ipv6 ? 4 : 1;

    memset(out, 0, 16);
    for (size_t i = 0; i < words; i++) {
        char word[9] = "";
        char *end;

        strncat(word, digits + i * 8, 8);
        uint32_t value = (uint32_t)strtoul(word, &end, 16);
        if (end != word + 8)
            return false;
        memcpy(out + i * 4, &value, sizeof(value));
    }
    return true;
}

static bool unmap(uint8_t address[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (memcmp(address, mapped, sizeof(mapped)) != 0)
        return false;
    memmove(address, address + 12, 4);
    memset(address + 4, 0, 12);
    return true;
}

bool socket_parse(struct socket_entry *out, const char *line, bool ipv6)
{
    char local[40], remote[40];
    unsigned int local_port, remote_port, state;
    unsigned long inode;

    if (sscanf(line, " %*u: %39[0-9A-F]:%4x %39[0-9A-F]:%4x %2x %*s %*s %*s %*u %*u %lu", local,
               &local_port, remote, &remote_port, &state, &inode) != 6)
        return false;
    if (strlen(local) != (ipv6 ? 32 : 8) || strlen(remote) != strlen(local))
        return false;
    *out = (struct socket_entry){.ipv6 = ipv6,
                                 .local_port = (uint16_t)local_port,
                                 .remote_port = (uint16_t)remote_port,
                                 .state = state,
                                 .inode = inode};
    if (!parse_address(out->local, local, ipv6) || !parse_address(out->remote, remote, ipv6))
        return false;
    if (ipv6 && unmap(out->remote)) {
        unmap(out->local);
        out->ipv6 = false;
    }
    return true;
}

static bool has_socket(int process, const char *wanted)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool found = false;

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!found && (entry = readdir(directory))) {
        char target[64];
        ssize_t length = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

        if (length <= 0)
            continue;
        target[length] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    closedir(directory);
    return found;
}

static void read_name(int process, char *name, size_t capacity)
{
    int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, name, capacity - 1);

    name[length < 0 ? 0 : length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

bool socket_owner(unsigned long inode, char *name, size_t capacity)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    char wanted[64];
    bool found = false;

    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while (processes && !found && (entry = readdir(processes))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        int process = openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        found = has_socket(process, wanted);
        if (found)
            read_name(process, name, capacity);
        close(process);
    }
    if (processes)
        closedir(processes);
    return found;
}
