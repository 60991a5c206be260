// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.h"

#include <string.h>
#include <sysexits.h>

#include "wicket/quote.h"

struct parser {
    struct arguments *out;
    char **argv;
    int argc;
    int at;   /* the argument being looked at */
    int kept; /* operands are moved to argv[1..kept] */
    bool options_ended;
};

static const char *command_words(const struct arguments *arguments, const char *before,
                                 const char *after, char *text, size_t capacity)
{
    text[0] = '\0';
    if (arguments->command != NULL) {
        strncat(text, before, capacity - 1);
        strncat(text, arguments->command->name, capacity - strlen(text) - 1);
        strncat(text, after, capacity - strlen(text) - 1);
    }
    return text;
}

/* "run: " in front of a message, " run" inside "see wicket run --help". */
#define PREFIX(arguments) command_words((arguments), "", ": ", (char[64]){0}, 64)
#define INFIX(arguments)  command_words((arguments), " ", "", (char[64]){0}, 64)

/* Whether argv[at] is the option `name`, and if it takes a value, where that is. */
static bool takes_value(struct parser *parser, const char *letter, const char *name,
                        const char **value, struct error *error, int *result)
{
    const char *text = parser->argv[parser->at];
    const size_t length = strlen(name);
    if (strncmp(text, name, length) == 0 && text[length] == '=') {
        *value = text + length + 1;
    } else if (strcmp(text, name) == 0 || (letter != NULL && strcmp(text, letter) == 0)) {
        if (parser->at + 1 >= parser->argc) {
            *result = error_set(error, EX_USAGE, "%s%s needs a value; see wicket%s --help",
                                PREFIX(parser->out), text, INFIX(parser->out));
            return true;
        }
        *value = parser->argv[++parser->at];
    } else {
        return false;
    }
    if ((*value)[0] == '\0') {
        *result = error_set(error, EX_USAGE, "%sthe value of %s is empty; see wicket%s --help",
                            PREFIX(parser->out), name, INFIX(parser->out));
    }
    return true;
}

static bool allows(const struct parser *parser, enum command_option option)
{
    return parser->out->command != NULL && (parser->out->command->options & option) != 0;
}

/* Takes argv[at] as an option. 1: it was one; 0: it is none that is known here; -1: error. */
static int take_option(struct parser *parser, struct error *error)
{
    struct arguments *out = parser->out;
    const char *text = parser->argv[parser->at];
    int result = 1;
    if (takes_value(parser, "-c", "--config", &out->config, error, &result)) {
        return result;
    }
    if (allows(parser, COMMAND_OPTION_FOR) &&
        takes_value(parser, NULL, "--for", &out->duration, error, &result)) {
        return result;
    }
    if (allows(parser, COMMAND_OPTION_FORMAT) &&
        takes_value(parser, NULL, "--format", &out->format, error, &result)) {
        return result;
    }
    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        out->help = true;
    } else if (out->command == NULL && strcmp(text, "--version") == 0) {
        out->version = true;
    } else if (allows(parser, COMMAND_OPTION_OPEN) && strcmp(text, "--open") == 0) {
        out->open = true;
    } else if (allows(parser, COMMAND_OPTION_JSON) && strcmp(text, "--json") == 0) {
        out->json = true;
    } else if (allows(parser, COMMAND_OPTION_WATCH) && strcmp(text, "--watch") == 0) {
        out->watch = true;
    } else if (allows(parser, COMMAND_OPTION_EXPLAIN) && strcmp(text, "--explain") == 0) {
        out->explain = true;
    } else {
        result = 0;
    }
    return result;
}

static int take_argument(struct parser *parser, struct error *error)
{
    struct arguments *out = parser->out;
    char *text = parser->argv[parser->at];
    if (!parser->options_ended && strcmp(text, "--") == 0 && out->command != NULL) {
        parser->options_ended = true;
        return 0;
    }
    if (!parser->options_ended && text[0] == '-') {
        const int taken = take_option(parser, error);
        if (taken != 0) {
            return taken < 0 ? -1 : 0;
        }
        if (text[1] != '\0' && (out->command == NULL || !out->command->takes_base64)) {
            return error_set(error, EX_USAGE, "%sunknown option %s; see wicket%s --help",
                             PREFIX(out), QUOTE(text, strlen(text)), INFIX(out));
        }
    }
    if (out->command == NULL) {
        out->command = command_find(text);
        if (out->command == NULL) {
            return error_set(error, EX_USAGE, "unknown command %s; see wicket --help",
                             QUOTE(text, strlen(text)));
        }
        return 0;
    }
    parser->argv[++parser->kept] = text;
    if (out->command->runs_program) {
        parser->options_ended = true;
    }
    return 0;
}

static int check_operands(const struct arguments *out, struct error *error)
{
    const struct command *command = out->command;
    if (command == NULL) {
        return error_set(error, EX_USAGE, "no command given; see wicket --help");
    }
    if (out->operand_count < command->operands_min) {
        return error_set(error, EX_USAGE, "%s: %s; see wicket %s --help", command->name,
                         command->missing, command->name);
    }
    if (out->operand_count > command->operands_max) {
        const char *extra = out->operands[command->operands_max];
        return error_set(error, EX_USAGE, "%s: %s is one argument too many; see wicket %s --help",
                         command->name, QUOTE(extra, strlen(extra)), command->name);
    }
    return 0;
}

int arguments_parse(struct arguments *out, int argc, char **argv, struct error *error)
{
    *out = (struct arguments){0};
    struct parser parser = {.out = out, .argv = argv, .argc = argc, .at = 1};
    for (; parser.at < argc; parser.at++) {
        if (take_argument(&parser, error) < 0) {
            return -1;
        }
    }
    if (argc > 0) {
        argv[parser.kept + 1] = NULL;
        out->operands = argv + 1;
        out->operand_count = (size_t)parser.kept;
    }
    if (out->help || out->version) {
        return 0;
    }
    return check_operands(out, error);
}
