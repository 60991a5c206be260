// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "wicket/config.h"

static const char documented_runtime_dir[] = "/run/wicket/";

/* A key's line is "#key" or "#  key"; prose is "# Prose". */
static bool is_key_line(const char *line)
{
    return line[0] == '#' && line[1] != '\n' && (line[1] != ' ' || line[2] == ' ');
}

/* The example, with the '#' taken from its keys if asked for. */
static void read_example(char *out, size_t capacity, bool uncomment)
{
    FILE *stream = fopen(EXAMPLE_PATH, "re");
    assert_non_null(stream);
    char line[512];
    size_t used = 0;
    while (fgets(line, sizeof(line), stream)) {
        const char *text = line;
        if (uncomment && is_key_line(line))
            text++;
        char *runtime_dir = strstr(line, documented_runtime_dir);
        int length = 0;
        if (runtime_dir) {
            *runtime_dir = '\0';
            length = snprintf(out + used, capacity - used, "%s%s/%s", text, WICKET_RUNTIME_DIR,
                              runtime_dir + strlen(documented_runtime_dir));
        } else {
            length = snprintf(out + used, capacity - used, "%s", text);
        }
        assert_in_range(length, 1, capacity - used - 1);
        used += (size_t)length;
    }
    fclose(stream);
}

static void expect_defaults(bool uncomment)
{
    static struct config_errors errors;
    static char text[CONFIG_PATH_MAX * 1024];
    struct config config;
    struct config defaults;
    config_init(&defaults);
    read_example(text, sizeof(text), uncomment);
    if (config_parse(&config, "wicket.yaml", text, strlen(text), &errors) != 0)
        fail_msg("%s", errors.lines[0]);

    /* What may differ: that there is a file, and that it has the keys whose absence matters. */
    assert_true(config.responder.user_given == uncomment);
    assert_true(config.control.group_given == uncomment);
    assert_true(config.other_requests_given == uncomment);
    memcpy(defaults.path, config.path, sizeof(defaults.path));
    defaults.file_exists = true;
    config.responder.user_given = false;
    config.control.group_given = false;
    config.other_requests_given = false;
    assert_memory_equal(&config, &defaults, sizeof(config));
    config_deinit(&config);
}

static void test_as_it_is(void **state)
{
    (void)state;
    expect_defaults(false);
}

static void test_uncommented(void **state)
{
    (void)state;
    expect_defaults(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_is),
        cmocka_unit_test(test_uncommented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
