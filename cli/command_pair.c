#include "cli/command.h"
#include "cli/pair_report.h"
#include "cli/signals.h"

#include "capture/source.h"
#include "core/intern.h"

#include <stdlib.h>
#include <string.h>

struct pairing {
    const struct context *context;
    struct pair_point points[PAIR_POINTS];
    struct pair_side sides[PAIR_POINTS];
    struct source_record *records; /* of all files, the inside ones first */
    size_t record_count;
    struct intern *strings;
    struct error cut; /* the first file that was not whole */
};

/* ---- reading ---- */
static bool remember_sources(struct pairing *p, struct merger *merger, const struct pair_point *at)
{
    size_t count = merger_count(merger);
    struct source_record *records =
        realloc(p->records, (p->record_count + count + 1) * sizeof(*records));
    if (records == NULL) {
        return false;
    }
    p->records = records;
    for (size_t i = 0; i < count; i++) {
        struct source_record *record = &records[p->record_count++];
        memset(record, 0, sizeof(*record));
        source_describe(merger_source(merger, i), p->strings, record);
        if (record->cut && p->cut.code == ERROR_NONE) {
            (void)error_set(&p->cut, ERROR_INPUT,
                            "%s breaks off at byte %lld; what comes before is compared",
                            at->paths[i], (long long)record->cut_offset);
        }
    }
    return true;
}

static bool read_packets(struct pairing *p, struct merger *merger, struct pair_side *side,
                         struct error *error)
{
    struct decoder *decoder = decoder_new(false);
    struct packet packet;
    struct layers layers;
    enum source_result result = decoder != NULL ? SOURCE_IDLE : SOURCE_END;
    while (result != SOURCE_END && *signals_stop() == 0) {
        result = merger_next(merger, &packet, error);
        if (result == SOURCE_PACKET) {
            decode_packet(decoder, &packet, &layers);
            pair_side_take(side, &packet, &layers);
        } else if (result == SOURCE_FAILED && p->cut.code == ERROR_NONE) {
            p->cut = *error;
        }
    }
    decoder_free(decoder);
    return decoder != NULL && !side->failed ? true
                                            : error_set(error, ERROR_RUNTIME, "out of memory");
}

static bool read_point(struct pairing *p, int point, struct error *error)
{
    struct pair_point *at = &p->points[point];
    char *word = p->context->arguments->words[point];
    at->name = word;
    at->first_source = p->record_count;
    if (!source_paths_expand(&word, 1, &at->paths, &at->path_count, error)) {
        return false;
    }
    struct source **sources = calloc(at->path_count + 1, sizeof(struct source *));
    size_t count = 0;
    bool good = sources != NULL || error_set(error, ERROR_RUNTIME, "out of memory");
    while (good && count < at->path_count) {
        uint32_t id = (uint32_t)(at->first_source + count + 1);
        sources[count] = source_open_file(at->paths[count], id, error);
        good = sources[count] != NULL;
        count += good;
    }
    if (!good) {
        while (count > 0) {
            source_close(sources[--count]);
        }
        free(sources);
        return false;
    }
    struct merger *merger = merger_new(sources, count);
    free(sources);
    if (merger == NULL) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    good = read_packets(p, merger, &p->sides[point], error);
    good = good && (remember_sources(p, merger, at) ||
                    error_set(error, ERROR_RUNTIME, "out of memory"));
    merger_close(merger);
    return good;
}

/* ---- whether they belong together ---- */
static bool is_same_file(const struct source_record *a, const struct source_record *b)
{
    return a->sha256_head != NULL && b->sha256_head != NULL && a->size == b->size &&
           strcmp(a->sha256_head, b->sha256_head) == 0 && a->sha256_tail != NULL &&
           b->sha256_tail != NULL && strcmp(a->sha256_tail, b->sha256_tail) == 0;
}

static bool has_file_twice(const struct pairing *p)
{
    size_t inside = p->points[PAIR_OUTSIDE].first_source;
    for (size_t i = 0; i < inside; i++) {
        for (size_t k = inside; k < p->record_count; k++) {
            if (is_same_file(&p->records[i], &p->records[k])) {
                return true;
            }
        }
    }
    return false;
}

static bool overlap(const struct pair_side *a, const struct pair_side *b)
{
    return a->first_ns <= b->last_ns && b->first_ns <= a->last_ns;
}

/* ---- the command ---- */
static int report(const struct pairing *p, const struct pair_result *result)
{
    const struct context *context = p->context;
    struct error error = {ERROR_NONE, ""};
    struct pair_report r = {
        .points = p->points, .sources = p->records, .sides = p->sides, .result = result};
    struct pair_verdict *verdicts = pair_verdicts(p->sides, result, &r.verdict_count);
    bool good = verdicts != NULL;
    r.verdicts = verdicts;
    if (good && context->arguments->given[OPTION_JSON]) {
        good = pair_print_json(&r, context->view.out);
    } else if (good) {
        pair_print_text(&r, &context->view);
    }
    free(verdicts);
    if (!good) {
        (void)error_set(&error, ERROR_RUNTIME, "out of memory");
        return command_fail(context, &error);
    }
    return p->cut.code != ERROR_NONE ? command_fail(context, &p->cut) : EXIT_DONE;
}

static int compare(struct pairing *p)
{
    const struct context *context = p->context;
    struct error error = {ERROR_NONE, ""};
    struct pair_result result;
    if (!read_point(p, PAIR_INSIDE, &error) || !read_point(p, PAIR_OUTSIDE, &error)) {
        return command_fail(context, &error);
    }
    if (*signals_stop() != 0) {
        return EXIT_SIGNAL + *signals_stop();
    }
    if (has_file_twice(p)) {
        return command_fail_usage(context, TEXT_USAGE_PAIR_SAME, NULL, 0);
    }
    if (!pair_join(p->sides, &result)) {
        (void)error_set(&error, ERROR_RUNTIME, "out of memory");
        return command_fail(context, &error);
    }
    bool apart = result.match_count == 0 && !overlap(&p->sides[0], &p->sides[1]);
    int status = apart ? command_fail_usage(context, TEXT_USAGE_PAIR_APART, NULL, 0)
                 : pair_is_one_capture(p->sides)
                     ? command_fail_usage(context, TEXT_USAGE_PAIR_SAME, NULL, 0)
                     : report(p, &result);
    pair_result_free(&result);
    return status;
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    if (strcmp(arguments->words[0], "-") == 0 && strcmp(arguments->words[1], "-") == 0) {
        return command_fail_usage(context, TEXT_USAGE_STDIN_TWICE, NULL, 0);
    }
    struct pairing p = {.context = context, .strings = intern_new()};
    int status = EXIT_RUNTIME;
    if (p.strings != NULL) {
        status = compare(&p);
    }
    for (int point = 0; point < PAIR_POINTS; point++) {
        pair_side_free(&p.sides[point]);
        source_paths_free(p.points[point].paths, p.points[point].path_count);
    }
    free(p.records);
    intern_free(p.strings);
    return status;
}

const struct command command_pair = {
    .name = "pair",
    .words = "INSIDE OUTSIDE",
    .help = TEXT_COMMAND_PAIR,
    .detail = TEXT_COMMAND_PAIR_DETAIL,
    .least_words = 2,
    .most_words = 2,
    .run = run,
};
