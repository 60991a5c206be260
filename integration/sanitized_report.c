// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into wicket and wicket-keeper where they are built with sanitizers (-Db_sanitize), never
 * elsewhere. In the lab a program may have no standard error any more when it finds that something
 * is wrong, and its fences let it open no file; so the lab makes one beforehand, which is mapped
 * here at the start, and who is ended by a sanitizer writes down what it has found.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* integration/lab/sanitizer.py makes it. */
#define PATH "/mnt/sanitizer"

struct reports {
    uint32_t length; /* of what was written, and of what there was no room for */
    char text[65532];
};

static struct reports *reports;

static void note(const char *text)
{
    uint32_t length = (uint32_t)strlen(text);

    if (!reports)
        return;
    uint32_t at = __atomic_fetch_add(&reports->length, length, __ATOMIC_SEQ_CST);
    if (at < sizeof(reports->text) && length <= sizeof(reports->text) - at)
        memcpy(reports->text + at, text, length);
}

static void note_death(void)
{
    char line[64];

    snprintf(line, sizeof(line), "a sanitizer ended %s, pid %d\n", program_invocation_short_name,
             (int)getpid());
    note(line);
}

/* gcc's sanitizers are libraries that know nothing of each other. */
static void call_at_death(void *library)
{
    void (*set)(void (*)(void));
    void *found = dlsym(library, "__sanitizer_set_death_callback");

    memcpy(&set, &found, sizeof(set));
    if (set)
        set(note_death);
}

static void call_with_report(void)
{
    void (*set)(void (*)(const char *));
    void *found = dlsym(RTLD_DEFAULT, "__asan_set_error_report_callback");

    memcpy(&set, &found, sizeof(set));
    if (set)
        set(note);
}

__attribute__((constructor)) static void begin(void)
{
    int fd = open(PATH, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    void *place = mmap(NULL, sizeof(*reports), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (place == MAP_FAILED)
        return;
    reports = place;
    call_at_death(RTLD_DEFAULT);
    void *undefined = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (undefined)
        call_at_death(undefined);
    call_with_report();
}
