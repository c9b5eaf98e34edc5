#include "cli/help.h"

#include <string.h>

#define LABEL_SIZE 96
#define LABEL_COLUMNS 28

static const char *argument_name(const struct option_row *row)
{
    return row->argument != NULL ? row->argument : "";
}

/* "-i, --interface NAME" */
static void write_label(const struct option_row *row, char out[LABEL_SIZE])
{
    char letter[8] = "    ";
    const struct text_value values[] = {
        {"letter", letter}, {"name", row->name}, {"argument", argument_name(row)}};
    if (row->letter != 0) {
        letter[0] = '-';
        letter[1] = row->letter;
        letter[2] = ',';
    }
    text_format(out, LABEL_SIZE,
                row->argument != NULL ? "{letter}--{name} {argument}" : "{letter}--{name}", values,
                3);
}

static void write_help(const struct option_row *row, enum language language, char *out, size_t size)
{
    const struct text_value values[] = {{"help", text_get(row->help, language)},
                                        {"default", row->fallback}};
    text_format(out, size,
                row->fallback != NULL ? text_get(TEXT_HELP_WITH_DEFAULT, language) : "{help}",
                values, row->fallback != NULL ? 2 : 1);
}

static void print_option(const struct view *view, const struct option_row *row)
{
    char label[LABEL_SIZE], help[512];
    write_label(row, label);
    write_help(row, view->language, help, sizeof(help));
    size_t width = text_width(label) + 2;
    fprintf(view->out, "  %s%s%s", view_tone(view, TONE_STRONG), label, view_plain(view));
    if (width + 2 > LABEL_COLUMNS) {
        fputc('\n', view->out);
        width = 0;
    }
    view_wrap(view, help, LABEL_COLUMNS, width);
}

static void print_heading(const struct view *view, enum text_id id)
{
    fprintf(view->out, "\n%s%s%s\n", view_tone(view, TONE_STRONG), text_get(id, view->language),
            view_plain(view));
}

void help_print_short(const struct view *view)
{
    view_wrap(view, text_get(TEXT_HELP_WHAT, view->language), 0, 0);
    print_heading(view, TEXT_HELP_EXAMPLES);
    fprintf(view->out, "%s", text_get(TEXT_HELP_EXAMPLE_LINES, view->language));
    print_heading(view, TEXT_HELP_COMMANDS);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = command_get((enum command_id)i);
        fprintf(view->out, "  %s%-14s%s", view_tone(view, TONE_STRONG), command->name,
                view_plain(view));
        view_wrap(view, text_get(command->help, view->language), 16, 16);
    }
    fputc('\n', view->out);
    view_wrap(view, text_get(TEXT_HELP_MORE, view->language), 0, 0);
}

void help_print_command(const struct view *view, const struct command *command)
{
    unsigned bit = 1u << command_id_of(command);
    fprintf(view->out, "%s: invcap %s %s%s\n", text_get(TEXT_HELP_USAGE, view->language),
            command->name, text_get(TEXT_HELP_OPTIONS_WORD, view->language), command->words);
    view_wrap(view, text_get(command->help, view->language), 0, 0);
    const char *detail = text_get(command->detail, view->language);
    if (detail[0] != '\0') {
        fputc('\n', view->out);
        view_wrap(view, detail, 0, 0);
    }
    print_heading(view, TEXT_HELP_OPTIONS);
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = option_get((enum option_id)i);
        if ((row->commands & bit) != 0) {
            print_option(view, row);
        }
    }
    fputc('\n', view->out);
    view_wrap(view, text_get(TEXT_HELP_EXIT, view->language), 0, 0);
}

void help_print_options(const struct view *view)
{
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        print_option(view, option_get((enum option_id)i));
    }
}

/* A cell of a Markdown table: | would end it. */
static void print_cell(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '|') {
            fputc('\\', out);
        }
        fputc(*at, out);
    }
}

static void print_markdown_option(FILE *out, const struct option_row *row, bool with_default)
{
    fprintf(out, "| `--%s", row->name);
    if (row->argument != NULL) {
        fputc(' ', out);
        print_cell(out, row->argument);
    }
    fputs("`", out);
    if (row->letter != 0) {
        fprintf(out, ", `-%c`", row->letter);
    }
    fprintf(out, " | %s | ", with_default && row->fallback != NULL ? row->fallback : "");
    print_cell(out, text_get(row->help, LANG_EN));
    fputs(" | ", out);
    print_cell(out, text_get(row->help, LANG_ZH));
    fputs(" |\n", out);
}

static void print_markdown_command(FILE *out, const struct command *command)
{
    unsigned bit = 1u << command_id_of(command);
    fprintf(out, "\n## invcap %s%s%s\n\n%s\n\n%s\n", command->name,
            command->words[0] != '\0' ? " " : "", command->words, text_get(command->help, LANG_EN),
            text_get(command->help, LANG_ZH));
    for (unsigned language = 0; language < LANG_COUNT; language++) {
        const char *detail = text_get(command->detail, (enum language)language);
        if (detail[0] != '\0') {
            fprintf(out, "\n%s\n", detail);
        }
    }
    fputs("\n| option | default | | |\n| --- | --- | --- | --- |\n", out);
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = option_get((enum option_id)i);
        if ((row->commands & bit) != 0) {
            print_markdown_option(out, row, true);
        }
    }
}

void help_print_markdown(FILE *out)
{
    fprintf(out,
            "# Commands and options\n\nMade by `invcap list options --markdown`; a test keeps "
            "it equal.\n\n%s\n\n%s\n",
            text_get(TEXT_HELP_EXIT, LANG_EN), text_get(TEXT_HELP_EXIT, LANG_ZH));
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        print_markdown_command(out, command_get((enum command_id)i));
    }
}

static void print_completion_words(FILE *out, unsigned command)
{
    const char *space = "";
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = option_get((enum option_id)i);
        if ((row->commands & 1u << command) != 0) {
            fprintf(out, "%s--%s", space, row->name);
            space = " ";
        }
    }
}

void help_print_completion(FILE *out)
{
    fputs("# bash completion: eval \"$(invcap list completion)\"\n"
          "_invcap() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options\n"
          "    case $command in\n",
          out);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "    %s) options=\"", command_get((enum command_id)i)->name);
        print_completion_words(out, i);
        fputs("\" ;;\n", out);
    }
    fputs("    *) options=\"", out);
    print_completion_words(out, COMMAND_READ);
    fputs("\" ;;\n    esac\n"
          "    if [[ $word == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "        if ((COMP_CWORD == 1)); then\n"
          "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \"",
          out);
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", command_get((enum command_id)i)->name);
    }
    fputs("\" -- \"$word\")\n        fi\n    fi\n}\ncomplete -o filenames -F _invcap invcap\n",
          out);
}
