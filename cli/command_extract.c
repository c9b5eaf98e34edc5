#include "cli/extract.h"
#include "cli/result.h"

struct owner {
    enum record_kind kind;
    int64_t capture_id;
};

static bool take_capture(void *self, const void *record)
{
    struct owner *owner = self;
    owner->capture_id = owner->kind == RECORD_FLOW
                            ? ((const struct flow_record *)record)->capture_id
                            : ((const struct finding_record *)record)->capture_id;
    return false;
}

static int report_done(const struct context *context, uint64_t packets)
{
    const struct arguments *arguments = context->arguments;
    char count[VIEW_TIME_SIZE];
    struct view note = view_of(stderr, context->view.language);
    const struct text_value values[] = {{"count", view_number((int64_t)packets, count)},
                                        {"path", arguments->text[OPTION_WRITE]}};
    view_say(&note, TEXT_NOTE_EXTRACTED, values, 2);
    fputs("\n", stderr);
    view_say(&note, arguments->given[OPTION_RAW] ? TEXT_NOTE_EXTRACT_RAW : TEXT_NOTE_EXTRACT_MASKED,
             NULL, 0);
    fputs("\n", stderr);
    return EXIT_DONE;
}

static int extract(const struct context *context, struct store *store)
{
    const struct arguments *arguments = context->arguments;
    bool by_flow = arguments->given[OPTION_FLOW];
    int64_t id = arguments->number[by_flow ? OPTION_FLOW : OPTION_FINDING];
    struct owner owner = {by_flow ? RECORD_FLOW : RECORD_FINDING, 0};
    struct error error = {ERROR_NONE, ""};
    char where[64];
    snprintf(where, sizeof(where), "id = %lld", (long long)id);
    if (!store_select(store, owner.kind, where, NULL, 1, false, take_capture, &owner, &error)) {
        return command_fail(context, &error);
    }
    if (owner.capture_id == 0) {
        char number[32];
        snprintf(number, sizeof(number), "%lld", (long long)id);
        const struct text_value values[] = {{"db", store_path(store)}, {"id", number}};
        return command_fail_usage(context, by_flow ? TEXT_USAGE_NO_FLOW : TEXT_USAGE_NO_FINDING,
                                  values, 2);
    }
    struct report_case *loaded = case_load(store, owner.capture_id, &error);
    if (loaded == NULL) {
        return command_fail(context, &error);
    }
    const struct case_finding *finding = by_flow ? NULL : case_find(loaded, id);
    const struct extract_request request = {
        .flow_id = by_flow           ? id
                   : finding != NULL ? finding->record.flow_id
                                     : 0,
        .loaded = loaded,
        .finding = finding,
        .path = arguments->text[OPTION_WRITE],
        .raw = arguments->given[OPTION_RAW],
        .language = context->view.language,
    };
    uint64_t packets = 0;
    bool good = extract_write(&request, &packets, &error);
    case_free(loaded);
    return good ? report_done(context, packets) : command_fail(context, &error);
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    int status = EXIT_DONE;
    if (arguments->given[OPTION_FLOW] == arguments->given[OPTION_FINDING] ||
        !arguments->given[OPTION_WRITE]) {
        return command_fail_usage(context, TEXT_USAGE_FLOW_OR_FINDING, NULL, 0);
    }
    struct store *store = result_open(context, arguments->text[OPTION_DB], &status);
    if (store == NULL) {
        return status;
    }
    status = extract(context, store);
    store_close(store);
    return status;
}

const struct command command_extract = {
    .name = "extract",
    .words = "--flow ID|--finding ID -w FILE",
    .help = TEXT_COMMAND_EXTRACT,
    .detail = TEXT_COMMAND_EXTRACT_DETAIL,
    .least_words = 0,
    .most_words = 0,
    .run = run,
};
