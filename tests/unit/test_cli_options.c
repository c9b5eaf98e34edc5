/* The tables of options and commands, and what the parser makes of a command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/help.h"
#include "cli/suggest.h"

static bool parse(struct arguments *out, struct error *error, int argc, const char **argv)
{
    char *copies[16] = {0};
    for (int i = 0; i < argc; i++) {
        copies[i] = strdup(argv[i]);
    }
    bool good = arguments_parse(argc, copies, LANG_EN, out, error);
    for (int i = 0; i < argc; i++) {
        free(copies[i]);
    }
    return good;
}

#define REFUSES(error, ...)                                                                        \
    do {                                                                                           \
        struct arguments refused;                                                                  \
        const char *words[] = {"invcap", __VA_ARGS__};                                             \
        assert_false(parse(&refused, error, (int)(sizeof(words) / sizeof(words[0])), words));      \
        assert_int_equal((error)->code, ERROR_USAGE);                                              \
    } while (0)

static void every_option_has_help_in_both_languages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = option_get((enum option_id)i);
        const char *english = text_get(row->help, LANG_EN);
        const char *chinese = text_get(row->help, LANG_ZH);
        assert_true(strlen(english) > 5);
        assert_true(strlen(chinese) > 5);
        assert_string_not_equal(english, chinese);
        assert_non_null(strstr(chinese, "。"));
    }
}

static void names_and_letters_are_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *a = option_get((enum option_id)i);
        assert_int_not_equal(a->commands, 0);
        for (unsigned j = 0; j < i; j++) {
            const struct option_row *b = option_get((enum option_id)j);
            assert_string_not_equal(a->name, b->name);
            assert_true(a->letter == 0 || a->letter != b->letter);
        }
    }
}

static void a_flag_has_no_argument_and_all_others_have_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = option_get((enum option_id)i);
        assert_int_equal(row->kind == OPTION_KIND_FLAG, row->argument == NULL);
    }
}

static void every_command_has_a_name_help_and_itself(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = command_get((enum command_id)i);
        enum command_id found;
        assert_true(command_find(command->name, &found));
        assert_int_equal(found, i);
        assert_non_null(command->run);
        assert_true(command->least_words <= command->most_words);
        assert_true(strlen(text_get(command->help, LANG_EN)) > 5);
        assert_true(strlen(text_get(command->help, LANG_ZH)) > 5);
    }
}

static void tcpdump_letters_mean_what_they_mean_there(void **state)
{
    (void)state;
    static const struct {
        char letter;
        enum option_id id;
    } letters[] = {{'i', OPTION_INTERFACE}, {'r', OPTION_INPUT}, {'w', OPTION_WRITE},
                   {'n', OPTION_NUMERIC},   {'c', OPTION_COUNT}, {'f', OPTION_FILTER}};
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        assert_int_equal(option_get(letters[i].id)->letter, letters[i].letter);
    }
}

static void values_are_read_after_their_kind(void **state)
{
    (void)state;
    char *argv[] = {"invcap", "a.pcap", "--memory=512M", "-nc", "7", "--ndpi", "all", "-"};
    struct arguments arguments;
    struct error error;
    assert_true(arguments_parse(8, argv, LANG_EN, &arguments, &error));
    assert_string_equal(arguments.command->name, "read");
    assert_int_equal(arguments.word_count, 2);
    assert_string_equal(arguments.words[0], "a.pcap");
    assert_string_equal(arguments.words[1], "-");
    assert_int_equal(arguments.number[OPTION_MEMORY], 512LL << 20);
    assert_int_equal(arguments.number[OPTION_COUNT], 7);
    assert_true(arguments.given[OPTION_NUMERIC]);
    assert_int_equal(arguments.number[OPTION_NDPI], 2);
    assert_string_equal(arguments.text[OPTION_DB], "invcap.db");
    assert_false(arguments.given[OPTION_DB]);
    arguments_free(&arguments);
}

static void languages_may_carry_a_country(void **state)
{
    static char *const forms[] = {"en",    "en_US.UTF-8", "zh",         "zh-CN",
                                  "zh_CN", "zh_CN.UTF-8", "zh-Hans-CN", "ZH-CN"};
    struct arguments arguments;
    struct error error;
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *argv[] = {"invcap", "read", "a.pcap", "--lang", forms[i], "--text", forms[i]};
        enum language expected = i < 2 ? LANG_EN : LANG_ZH;
        assert_true(arguments_parse(7, argv, LANG_EN, &arguments, &error));
        assert_int_equal(arguments.number[OPTION_LANG], expected);
        assert_int_equal(arguments.number[OPTION_TEXT], expected);
        assert_int_equal(arguments_language(7, argv), expected);
        arguments_free(&arguments);
    }
    REFUSES(&error, "read", "x.pcap", "--lang", "zhcn");
    assert_non_null(strstr(error.text, "en|zh"));
    REFUSES(&error, "read", "x.pcap", "--text", "fr");
    REFUSES(&error, "read", "x.pcap", "--lang", "");
}

static void files_may_come_by_letter_and_live_by_interface(void **state)
{
    (void)state;
    char *read_argv[] = {"invcap", "-r", "flows", "-rb.pcap"};
    char *live_argv[] = {"invcap", "-i", "eth0", "--duration", "5m"};
    struct arguments arguments;
    struct error error;
    assert_true(arguments_parse(4, read_argv, LANG_EN, &arguments, &error));
    assert_string_equal(arguments.command->name, "read");
    assert_int_equal(arguments.word_count, 2);
    assert_string_equal(arguments.words[0], "flows");
    assert_string_equal(arguments.words[1], "b.pcap");
    arguments_free(&arguments);
    assert_true(arguments_parse(5, live_argv, LANG_EN, &arguments, &error));
    assert_string_equal(arguments.command->name, "live");
    assert_int_equal(arguments.number[OPTION_DURATION], 300LL * 1000000000LL);
    arguments_free(&arguments);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    char *argv[] = {"invcap", "read", "--", "--json"};
    struct arguments arguments;
    struct error error;
    assert_true(arguments_parse(4, argv, LANG_EN, &arguments, &error));
    assert_false(arguments.given[OPTION_JSON]);
    assert_int_equal(arguments.word_count, 1);
    assert_string_equal(arguments.words[0], "--json");
    arguments_free(&arguments);
}

static void usage_errors_say_what_was_meant(void **state)
{
    (void)state;
    struct error error;
    REFUSES(&error, "read", "x.pcap", "--fromat", "json");
    assert_non_null(strstr(error.text, "--format"));
    REFUSES(&error, "fndings");
    assert_non_null(strstr(error.text, "did you mean findings"));
    REFUSES(&error, "flows", "--ndpi", "off");
    assert_non_null(strstr(error.text, "read, live"));
    REFUSES(&error, "flows", "--limit", "ten");
    assert_non_null(strstr(error.text, "whole number"));
    REFUSES(&error, "read", "x.pcap", "--memory", "9999999999G");
    REFUSES(&error, "read", "x.pcap", "--fail-on", "worst");
    assert_non_null(strstr(error.text, "info|low|medium|high|critical"));
    REFUSES(&error, "read", "x.pcap", "--json=yes");
    REFUSES(&error, "read", "x.pcap", "--db");
    REFUSES(&error, "read");
    REFUSES(&error, "sql", "select 1", "a.db", "b.db");
    REFUSES(&error, "read", "x.pcap", "-z");
    REFUSES(&error, "read", "x.pcap", "--limit", "-1");
}

/* cli_run prints on the streams of the process: quiet ones for the time of the call. */
static int run_quiet(int argc, char **argv)
{
    FILE *out = stdout, *err = stderr;
    stdout = fopen("/dev/null", "w");
    stderr = fopen("/dev/null", "w");
    int status = cli_run(argc, argv);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = err;
    return status;
}

static void exit_statuses(void **state)
{
    (void)state;
    char *nothing[] = {"invcap"};
    char *help[] = {"invcap", "--help"};
    char *version[] = {"invcap", "-V"};
    char *unknown[] = {"invcap", "reda"};
    char *missing[] = {"invcap", "/nowhere/case.pcap", "--db", ":memory:"};
    char *no_db[] = {"invcap", "flows", "/nowhere/case.db"};
    char *no_zone[] = {"invcap", "flows", "--tz", "Mars/Base"};
    char *no_code[] = {"invcap", "explain", "conn-nothing"};
    assert_int_equal(run_quiet(1, nothing), EXIT_USAGE);
    assert_int_equal(run_quiet(2, help), EXIT_DONE);
    assert_int_equal(run_quiet(2, version), EXIT_DONE);
    assert_int_equal(run_quiet(2, unknown), EXIT_USAGE);
    assert_int_equal(run_quiet(4, missing), EXIT_INPUT);
    assert_int_equal(run_quiet(3, no_db), EXIT_STORE);
    assert_int_equal(run_quiet(4, no_zone), EXIT_USAGE);
    assert_int_equal(run_quiet(3, no_code), EXIT_USAGE);
}

static void language_comes_from_the_option_then_the_environment(void **state)
{
    (void)state;
    char *plain[] = {"invcap", "flows"};
    char *asked[] = {"invcap", "flows", "--lang", "en"};
    char *joined[] = {"invcap", "--lang=zh"};
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    setenv("LANG", "zh_CN.UTF-8", 1);
    assert_int_equal(arguments_language(2, plain), LANG_ZH);
    assert_int_equal(arguments_language(4, asked), LANG_EN);
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_int_equal(arguments_language(2, plain), LANG_EN);
    assert_int_equal(arguments_language(2, joined), LANG_ZH);
}

static void distances(void **state)
{
    (void)state;
    static const char *const words[] = {"flows", "findings", "read"};
    assert_int_equal(suggest_distance("flows", "flows"), 0);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("raed", "read"), 1); /* neighbours swapped */
    assert_string_equal(suggest_nearest("flow", words, 3), "flows");
    assert_string_equal(suggest_nearest("find", words, 3), "findings");
    assert_null(suggest_nearest("xyzzy", words, 3));
}

static char *read_file(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *in = fopen(path, "rb");
    assert_non_null(text);
    assert_non_null(in);
    text[fread(text, 1, (1 << 20) - 1, in)] = '\0';
    fclose(in);
    return text;
}

static void the_options_page_is_what_the_tables_say(void **state)
{
    (void)state;
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);
    assert_non_null(out);
    help_print_markdown(out);
    fclose(out);
    char *page = read_file(SOURCE_DIR "/docs/options.md");
    assert_string_equal(page, made); /* remake: invcap list options --markdown */
    free(page);
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_has_help_in_both_languages),
        cmocka_unit_test(names_and_letters_are_unique),
        cmocka_unit_test(a_flag_has_no_argument_and_all_others_have_one),
        cmocka_unit_test(every_command_has_a_name_help_and_itself),
        cmocka_unit_test(tcpdump_letters_mean_what_they_mean_there),
        cmocka_unit_test(values_are_read_after_their_kind),
        cmocka_unit_test(languages_may_carry_a_country),
        cmocka_unit_test(files_may_come_by_letter_and_live_by_interface),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(usage_errors_say_what_was_meant),
        cmocka_unit_test(exit_statuses),
        cmocka_unit_test(language_comes_from_the_option_then_the_environment),
        cmocka_unit_test(distances),
        cmocka_unit_test(the_options_page_is_what_the_tables_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
