// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stands in for libFuzzer where there is none: feeds every file of the directories named on the
 * command line to the fuzz target once. To have found no file is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path, size_t size)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        error(1, errno, "%s", path);
    /* Exactly as long as the file, so that the sanitizer sees a read behind its end. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (!data)
        error(1, errno, "%s", path);
    if (fread(data, 1, size, stream) != size)
        error(1, errno, "%s", path);
    fclose(stream);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static size_t replay_directory(const char *directory)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    if (count < 0)
        error(1, errno, "%s", directory);

    size_t replayed = 0;
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        struct stat status;
        if (asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0)
            error(1, errno, "%s", directory);
        if (stat(path, &status) != 0)
            error(1, errno, "%s", path);
        if (S_ISREG(status.st_mode)) {
            replay_file(path, (size_t)status.st_size);
            replayed++;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    size_t replayed = 0;
    for (int i = 1; i < argc; i++)
        replayed += replay_directory(argv[i]);
    if (replayed == 0)
        error(1, 0, "no input to replay");
    printf("%zu inputs replayed\n", replayed);
    return 0;
}
