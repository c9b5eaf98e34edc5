#include "cli/help.h"
#include "cli/profile_print.h"
#include "core/catalogue.h"
#include "core/record.h"
#include "reports/finding_text.h"
#include "reports/table.h"

#include <string.h>

static int list_findings(const struct view *view)
{
    const struct table_head heads[] = {{text_get(TEXT_HEAD_CODE, view->language), false, true},
                                       {text_get(TEXT_HEAD_SEVERITY, view->language), false, true},
                                       {text_get(TEXT_HEAD_CULPRIT, view->language), false, true},
                                       {text_get(TEXT_HEAD_MEANING, view->language), false, false}};
    struct table *table = table_new(heads, 4);
    struct finding_words words;
    char meaning[FINDING_TEXT_SIZE];
    for (unsigned i = 0; table != NULL && i < FINDING_COUNT; i++) {
        enum finding_code code = (enum finding_code)i;
        const struct finding_info *info = catalogue_get(code);
        table_add(table, info->code);
        table_add(table, text_get(severity_text(catalogue_clamp_severity(code, info->severity)),
                                  view->language));
        table_add(table, text_get(culprit_text(info->culprit), view->language));
        finding_words_make_general(info, view->language, &words);
        table_add(table, finding_sentence(&words, info->meaning, view->language, meaning));
    }
    if (table != NULL) {
        table_print(table, view);
    }
    table_free(table);
    return EXIT_DONE;
}

static int list_columns(const struct view *view)
{
    const struct table_head heads[] = {{text_get(TEXT_HEAD_TABLE, view->language), false, true},
                                       {text_get(TEXT_HEAD_COLUMN, view->language), false, true},
                                       {text_get(TEXT_HEAD_UNIT, view->language), false, true},
                                       {text_get(TEXT_HEAD_MEANING, view->language), false, false}};
    struct table *table = table_new(heads, 4);
    for (unsigned kind = 0; table != NULL && kind < RECORD_TABLE_COUNT; kind++) {
        const struct record_table *records = record_table_get((enum record_kind)kind);
        for (size_t i = 0; i < records->column_count; i++) {
            table_add(table, records->table);
            table_add(table, records->columns[i].name);
            table_add(table, records->columns[i].unit);
            table_add(table, records->columns[i].sentence);
        }
    }
    if (table != NULL) {
        table_print(table, view);
    }
    table_free(table);
    return EXIT_DONE;
}

static int list_services(const struct view *view)
{
    profile_print(view, profile_builtin());
    return EXIT_DONE;
}

static int list_commands(const struct view *view)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = command_get((enum command_id)i);
        fprintf(view->out, "%-10s", command->name);
        view_wrap(view, text_get(command->help, view->language), 10, 10);
    }
    return EXIT_DONE;
}

static int list_options(const struct view *view)
{
    help_print_options(view);
    return EXIT_DONE;
}

static int list_completion(const struct view *view)
{
    help_print_completion(view->out);
    return EXIT_DONE;
}

static const struct topic {
    const char *name;
    int (*list)(const struct view *view);
} topics[] = {
    {"findings", list_findings}, {"services", list_services}, {"commands", list_commands},
    {"options", list_options},   {"columns", list_columns},   {"completion", list_completion},
};

static int run(struct context *context)
{
    const char *word = context->arguments->words[0];
    if (context->arguments->given[OPTION_MARKDOWN] && strcmp(word, "options") == 0) {
        help_print_markdown(context->view.out);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        if (strcmp(topics[i].name, word) == 0) {
            return topics[i].list(&context->view);
        }
    }
    const struct text_value values[] = {
        {"topic", word}, {"list", "findings, services, commands, options, columns, completion"}};
    return command_fail_usage(context, TEXT_USAGE_NO_TOPIC, values, 2);
}

const struct command command_list = {
    .name = "list",
    .words = "findings|services|commands|options|columns|completion",
    .help = TEXT_COMMAND_LIST,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 1,
    .most_words = 1,
    .run = run,
};
