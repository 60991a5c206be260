// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/reader.h"

#include <stdio.h>
#include <string.h>

#include "config/utf8.h"

static struct position position_of(yaml_mark_t mark)
{
    return (struct position){.line = mark.line + 1, .column = mark.column + 1};
}

struct position reader_position(const struct reader *reader)
{
    return position_of(reader->event.start_mark);
}

bool reader_init(struct reader *reader, struct report *report, const void *bytes, size_t length)
{
    *reader = (struct reader){.report = report, .bytes = bytes, .length = length};
    if (!yaml_parser_initialize(&reader->parser))
        return false;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, bytes, length);
    return true;
}

void reader_deinit(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

/* The byte at a mark, which counts characters. */
static unsigned char byte_at(const struct reader *reader, size_t index)
{
    size_t at = 0;
    for (; index > 0 && at < reader->length; index--) {
        size_t length = utf8_length(reader->bytes + at, reader->length - at);
        at += length > 0 ? length : 1;
    }
    return at < reader->length ? reader->bytes[at] : '\0';
}

static void report_syntax(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    struct position position = position_of(parser->problem_mark);
    if (parser->error == YAML_MEMORY_ERROR) {
        report_add(reader->report, NULL, NULL, "not enough memory");
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        position = position_of(parser->mark);
        report_add(reader->report, &position, NULL, "not YAML: %s", parser->problem);
        return;
    }
    unsigned char byte = byte_at(reader, parser->problem_mark.index);
    if (byte == '\t') {
        report_add(reader->report, &position, NULL, "a tab: indent with spaces");
        return;
    }
    char context[128] = "";
    if (parser->context && parser->context_mark.line + 1 != position.line)
        snprintf(context, sizeof(context), ", %s that begins on line %zu", parser->context,
                 parser->context_mark.line + 1);
    report_add(reader->report, &position, NULL, "not YAML: %s%s%s", parser->problem, context,
               byte == ':' && !strstr(parser->problem, "mapping values")
                   ? " (an IPv6 address in [ ] needs quotes)"
                   : "");
}

static void report_event(struct reader *reader, const char *what)
{
    struct position position = reader_position(reader);
    report_add(reader->report, &position, NULL, "%s", what);
    reader->reported = true;
}

static void check_properties(struct reader *reader, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor)
        report_event(reader, "an anchor (&): not used here, write values out");
    if (tag)
        report_event(reader, "a tag (!): not used here, write the value alone");
}

/* Returns false when reading on makes no sense. */
static bool check_event(struct reader *reader)
{
    const yaml_event_t *event = &reader->event;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        report_event(reader, "an alias (*): not used here, write the value out");
        return true;
    case YAML_SCALAR_EVENT:
        check_properties(reader, event->data.scalar.anchor, event->data.scalar.tag);
        if (event->data.scalar.length > READER_SCALAR_MAX)
            report_event(reader, "longer than 4096 bytes");
        return true;
    case YAML_SEQUENCE_START_EVENT:
        check_properties(reader, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        reader->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        check_properties(reader, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        reader->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return true;
    case YAML_DOCUMENT_START_EVENT:
        if (event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
            report_event(reader, "a %TAG directive: not used here");
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    if (reader->depth > READER_DEPTH_MAX) {
        report_event(reader, "nested deeper than 8 levels; what follows was not read");
        return false;
    }
    return true;
}

bool reader_next(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    reader->reported = false;
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        report_syntax(reader);
        return false;
    }
    return check_event(reader);
}

bool reader_skip(struct reader *reader)
{
    yaml_event_type_t type = reader->event.type;
    if (type != YAML_SEQUENCE_START_EVENT && type != YAML_MAPPING_START_EVENT)
        return true;
    size_t outside = reader->depth - 1;
    while (reader->depth > outside) {
        if (!reader_next(reader))
            return false;
    }
    return true;
}

struct value reader_value(const struct reader *reader)
{
    return (struct value){
        .text = (const char *)reader->event.data.scalar.value,
        .length = reader->event.data.scalar.length,
        .plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
    };
}
