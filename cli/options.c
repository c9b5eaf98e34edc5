#include "cli/options.h"

#include "cli/command.h"
#include "cli/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ON(id) (1u << COMMAND_##id)
#define ON_ALL ((1u << COMMAND_COUNT) - 1u)
#define ON_TABLE                                                                                   \
    (ON(FINDINGS) | ON(FLOWS) | ON(TLS) | ON(CERTS) | ON(HTTP) | ON(DNS) | ON(PATHS) |             \
     ON(SERVICES) | ON(DEPENDENCIES) | ON(INCIDENTS) | ON(CAPTURES) | ON(BASELINE))
#define ON_RESULT (ON(READ) | ON(LIVE) | ON(JUDGE) | ON(REPORT))
#define ON_STORE (ON_RESULT | ON_TABLE | ON(EXPLAIN) | ON(EXTRACT) | ON(SQL) | ON(PROFILE))

static const struct option_row option_rows[OPTION_COUNT_ALL] = {
#define OPTION(id, long_name, short_name, kind_name, argument_name, where, fallback_text)          \
    {.name = (long_name),                                                                          \
     .letter = (short_name),                                                                       \
     .kind = OPTION_KIND_##kind_name,                                                              \
     .argument = (argument_name),                                                                  \
     .commands = (where),                                                                          \
     .fallback = (fallback_text),                                                                  \
     .help = TEXT_OPTION_##id},
#include "cli/options.def"
#undef OPTION
};

const struct option_row *option_get(enum option_id id)
{
    return &option_rows[id];
}

bool option_find(const char *name, enum option_id *out)
{
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        if (strcmp(option_rows[i].name, name) == 0) {
            *out = (enum option_id)i;
            return true;
        }
    }
    return false;
}

static bool find_letter(char letter, enum option_id *out)
{
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        if (option_rows[i].letter == letter && letter != 0) {
            *out = (enum option_id)i;
            return true;
        }
    }
    return false;
}

/* ---- values ---- */
struct unit {
    const char *suffix;
    int64_t factor;
};

static const struct unit size_units[] = {{"", 1},          {"K", 1LL << 10}, {"k", 1LL << 10},
                                         {"M", 1LL << 20}, {"m", 1LL << 20}, {"G", 1LL << 30},
                                         {"g", 1LL << 30}, {"T", 1LL << 40}, {NULL, 0}};
static const struct unit time_units[] = {{"", 1000000000LL},
                                         {"ms", 1000000LL},
                                         {"s", 1000000000LL},
                                         {"m", 60000000000LL},
                                         {"h", 3600000000000LL},
                                         {"d", 86400000000000LL},
                                         {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

static bool read_quantity(const char *text, const struct unit *units, int64_t *out)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0) {
        return false;
    }
    for (const struct unit *unit = units; unit->suffix != NULL; unit++) {
        if (strcmp(end, unit->suffix) == 0) {
            return !__builtin_mul_overflow(number, unit->factor, out);
        }
    }
    return false;
}

static bool read_choice(const char *text, const char *words, int64_t *out)
{
    size_t len = strlen(text);
    int64_t index = 0;
    for (const char *at = words; *at != '\0'; index++) {
        size_t word = strcspn(at, "|");
        if (word == len && strncmp(at, text, len) == 0) {
            *out = index;
            return true;
        }
        at += word + (at[word] == '|');
    }
    return false;
}

static bool read_language(const char *text, int64_t *out)
{
    enum language language;
    if (!text_language_find(text, &language)) {
        return false;
    }
    *out = (int64_t)language;
    return true;
}

static bool read_value(const struct option_row *row, const char *text, int64_t *out)
{
    switch (row->kind) {
    case OPTION_KIND_NUMBER:
        return read_quantity(text, plain_units, out);
    case OPTION_KIND_SIZE:
        return read_quantity(text, size_units, out);
    case OPTION_KIND_TIME:
        return read_quantity(text, time_units, out);
    case OPTION_KIND_CHOICE:
        return read_choice(text, row->argument, out);
    case OPTION_KIND_LANGUAGE:
        return read_language(text, out);
    case OPTION_KIND_FLAG:
    case OPTION_KIND_TEXT:
        break;
    }
    return true;
}

/* ---- usage errors ---- */
static bool usage(struct error *error, enum language language, enum text_id id,
                  const struct text_value *values, size_t count)
{
    char text[512];
    text_format(text, sizeof(text), text_get(id, language), values, count);
    return error_set(error, ERROR_USAGE, "%s", text);
}

static bool fail_unknown(struct error *error, enum language language, const char *typed,
                         enum text_id plain, enum text_id with_guess, const char *guess)
{
    const struct text_value values[] = {{"typed", typed}, {"guess", guess}};
    return guess != NULL ? usage(error, language, with_guess, values, 2)
                         : usage(error, language, plain, values, 1);
}

static bool fail_unknown_option(struct error *error, enum language language, const char *typed)
{
    const char *names[OPTION_COUNT_ALL];
    char guess[64] = "--";
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        names[i] = option_rows[i].name;
    }
    const char *near = NULL;
    if (strncmp(typed, "--", 2) == 0) {
        near = suggest_nearest(typed + 2, names, OPTION_COUNT_ALL);
    }
    if (near != NULL) {
        memcpy(guess + 2, near, strlen(near) + 1);
    }
    return fail_unknown(error, language, typed, TEXT_USAGE_UNKNOWN_OPTION,
                        TEXT_USAGE_UNKNOWN_OPTION_GUESS, near != NULL ? guess : NULL);
}

static bool fail_unknown_command(struct error *error, enum language language, const char *typed)
{
    const char *names[COMMAND_COUNT];
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        names[i] = command_get((enum command_id)i)->name;
    }
    const char *near = suggest_nearest(typed, names, COMMAND_COUNT);
    return fail_unknown(error, language, typed, TEXT_USAGE_UNKNOWN_COMMAND,
                        TEXT_USAGE_UNKNOWN_COMMAND_GUESS, near);
}

/* ---- parsing ---- */
struct parser {
    int argc;
    char *const *argv;
    int at;
    enum language language;
    struct arguments *out;
    struct error *error;
    char **inputs; /* of --input: files to read, after the words */
    size_t input_count;
};

static const char *expected_words(const struct option_row *row, enum language language)
{
    switch (row->kind) {
    case OPTION_KIND_NUMBER:
        return text_get(TEXT_EXPECT_NUMBER, language);
    case OPTION_KIND_SIZE:
        return text_get(TEXT_EXPECT_SIZE, language);
    case OPTION_KIND_TIME:
        return text_get(TEXT_EXPECT_TIME, language);
    case OPTION_KIND_FLAG:
    case OPTION_KIND_TEXT:
    case OPTION_KIND_CHOICE:
    case OPTION_KIND_LANGUAGE:
        break;
    }
    return row->argument != NULL ? row->argument : "";
}

/* value NULL: take the next word of argv. */
static bool take_option(struct parser *p, enum option_id id, const char *typed, char *value)
{
    const struct option_row *row = &option_rows[id];
    const struct text_value names[] = {{"option", typed},
                                       {"value", value != NULL ? value : ""},
                                       {"expected", expected_words(row, p->language)}};
    p->out->given[id] = true;
    if (row->kind == OPTION_KIND_FLAG) {
        return value == NULL || usage(p->error, p->language, TEXT_USAGE_NO_VALUE, names, 3);
    }
    if (value == NULL) {
        if (p->at >= p->argc) {
            return usage(p->error, p->language, TEXT_USAGE_VALUE_MISSING, names, 3);
        }
        value = p->argv[p->at++];
    }
    if (!read_value(row, value, &p->out->number[id])) {
        const struct text_value bad[] = {names[0], {"value", value}, names[2]};
        return usage(p->error, p->language, TEXT_USAGE_BAD_VALUE, bad, 3);
    }
    if (id == OPTION_INPUT) { /* may come several times: another file to read */
        p->inputs[p->input_count++] = value;
    }
    if (id == OPTION_CA) {
        p->out->authorities[p->out->authority_count++] = value;
    }
    if (id == OPTION_KEYLOG) {
        p->out->keylogs[p->out->keylog_count++] = value;
    }
    p->out->text[id] = value;
    return true;
}

static bool take_long(struct parser *p, char *typed)
{
    char name[64];
    enum option_id id;
    size_t len = strcspn(typed + 2, "=");
    if (len >= sizeof(name)) {
        return fail_unknown_option(p->error, p->language, typed);
    }
    memcpy(name, typed + 2, len);
    name[len] = '\0';
    if (!option_find(name, &id)) {
        char dashed[sizeof(name) + 2] = "--";
        memcpy(dashed + 2, name, len + 1);
        return fail_unknown_option(p->error, p->language, dashed);
    }
    char dashed[sizeof(name) + 2] = "--";
    memcpy(dashed + 2, name, len + 1);
    return take_option(p, id, dashed, typed[2 + len] == '=' ? typed + len + 3 : NULL);
}

/* "-nr file", "-ieth0" */
static bool take_letters(struct parser *p, char *typed)
{
    for (char *at = typed + 1; *at != '\0'; at++) {
        const char name[3] = {'-', *at, '\0'};
        enum option_id id;
        if (!find_letter(*at, &id)) {
            return fail_unknown_option(p->error, p->language, name);
        }
        if (option_rows[id].kind != OPTION_KIND_FLAG) {
            return take_option(p, id, name, at[1] != '\0' ? at + 1 : NULL);
        }
        if (!take_option(p, id, name, NULL)) {
            return false;
        }
    }
    return true;
}

static bool names_a_file(const char *word)
{
    struct stat status;
    return strcmp(word, "-") == 0 || strpbrk(word, "./") != NULL || stat(word, &status) == 0;
}

/* Without a command word: -r means read, -i means live, a file means read. */
static bool choose_command(struct parser *p)
{
    struct arguments *out = p->out;
    enum command_id id;
    if (out->word_count > 0 && command_find(out->words[0], &id)) {
        out->command = command_get(id);
        out->word_count--;
        memmove(out->words, out->words + 1, out->word_count * sizeof(out->words[0]));
    } else if (out->given[OPTION_INTERFACE]) {
        out->command = command_get(COMMAND_LIVE);
    } else if (out->word_count > 0 || out->given[OPTION_INPUT]) {
        out->command = command_get(COMMAND_READ);
        if (out->word_count > 0 && !out->given[OPTION_INPUT] && !names_a_file(out->words[0])) {
            return fail_unknown_command(p->error, p->language, out->words[0]);
        }
    }
    memcpy(out->words + out->word_count, p->inputs, p->input_count * sizeof(out->words[0]));
    out->word_count += p->input_count;
    return true;
}

static void list_commands_of(const struct option_row *row, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        const char *name = command_get((enum command_id)i)->name;
        size_t need = strlen(name) + 2;
        if ((row->commands & 1u << i) != 0 && len + need < size) {
            len += text_format(out + len, size - len, len > 0 ? ", {name}" : "{name}",
                               &(struct text_value){"name", name}, 1);
        }
    }
}

static bool check_options(struct parser *p)
{
    struct arguments *out = p->out;
    enum command_id command = command_id_of(out->command);
    for (unsigned i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option_row *row = &option_rows[i];
        if (out->given[i] && (row->commands & 1u << command) == 0) {
            char list[256];
            list_commands_of(row, list, sizeof(list));
            const struct text_value values[] = {
                {"option", row->name}, {"command", out->command->name}, {"list", list}};
            return usage(p->error, p->language, TEXT_USAGE_WRONG_COMMAND, values, 3);
        }
        if (!out->given[i] && row->fallback != NULL) {
            out->text[i] = row->fallback;
            (void)read_value(row, row->fallback, &out->number[i]);
        }
    }
    return true;
}

static bool check_words(struct parser *p)
{
    const struct arguments *out = p->out;
    const struct text_value values[] = {{"command", out->command->name},
                                        {"words", out->command->words}};
    if (out->given[OPTION_HELP] || out->given[OPTION_VERSION]) {
        return true;
    }
    if (out->word_count < out->command->least_words) {
        return usage(p->error, p->language, TEXT_USAGE_TOO_FEW_WORDS, values, 2);
    }
    if (out->word_count > out->command->most_words) {
        return usage(p->error, p->language, TEXT_USAGE_TOO_MANY_WORDS, values, 2);
    }
    return true;
}

static bool parse_all(struct parser *p)
{
    bool options_ended = false;
    while (p->at < p->argc) {
        char *word = p->argv[p->at++];
        bool good = true;
        if (options_ended || word[0] != '-' || word[1] == '\0') {
            p->out->words[p->out->word_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            options_ended = true;
        } else {
            good = word[1] == '-' ? take_long(p, word) : take_letters(p, word);
        }
        if (!good) {
            return false;
        }
    }
    if (!choose_command(p)) {
        return false;
    }
    return p->out->command == NULL || (check_options(p) && check_words(p));
}

bool arguments_parse(int argc, char *const *argv, enum language language, struct arguments *out,
                     struct error *error)
{
    struct arguments parsed;
    memset(&parsed, 0, sizeof(parsed));
    size_t most = (size_t)argc + 1;
    parsed.words = calloc(4 * most, sizeof(char *)); /* words, what --input, --ca, --keylog named */
    if (parsed.words == NULL) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    parsed.authorities = parsed.words + 2 * most;
    parsed.keylogs = parsed.words + 3 * most;
    struct parser p = {argc, argv, 1, language, &parsed, error, parsed.words + most, 0};
    if (!parse_all(&p)) {
        arguments_free(&parsed);
        return false;
    }
    *out = parsed;
    return true;
}

void arguments_free(struct arguments *arguments)
{
    free(arguments->words);
    arguments->words = NULL;
    arguments->authorities = NULL;
    arguments->authority_count = 0;
    arguments->keylogs = NULL;
    arguments->keylog_count = 0;
    arguments->word_count = 0;
}

enum language arguments_language(int argc, char *const *argv)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    enum language language = LANG_EN;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--lang=", 7) == 0 && text_language_find(argv[i] + 7, &language)) {
            return language;
        }
        if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc &&
            text_language_find(argv[i + 1], &language)) {
            return language;
        }
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && value[0] != '\0') {
            (void)text_language_find(value, &language);
            return language;
        }
    }
    return language;
}
