#include "reports/finding_text.h"

#include "core/profile.h"
#include "reports/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOL_UDP 17
#define FRAMES_SHOWN 8

static void append(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + len, size - len, format, arguments);
    va_end(arguments);
    out[text_cut(out, strlen(out))] = '\0';
}

static bool is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

const char *service_title(const char *name, enum language language)
{
    const struct profile *profile = profile_builtin();
    for (size_t i = 0; is_text(name) && i < profile->service_count; i++) {
        const struct profile_service *service = &profile->services[i];
        const char *title = language == LANG_ZH ? service->title_zh : service->title_en;
        if (strcmp(service->name, name) == 0 && title != NULL) {
            return title;
        }
    }
    return name != NULL ? name : "";
}

static void write_endpoint(const struct address *address, uint16_t port, char *out, size_t size)
{
    char text[ENDPOINT_TEXT_SIZE];
    out[0] = '\0';
    if (!address_is_set(address)) {
        return;
    }
    append(out, size, "%s",
           port != 0 ? endpoint_to_text(address, port, text) : address_to_text(address, text));
}

/* Whether the name of the finding is that of its server: who was asked for a name does not bear it. */
static bool is_server_name(const struct case_finding *finding)
{
    for (size_t i = 0; i < finding->value_count; i++) {
        const struct finding_value_record *value = &finding->values[i];
        if (value->text != NULL && strcmp(value->name, "question") == 0)
            return strcmp(value->text, finding->record.name) != 0;
    }
    return true;
}

static void write_server(const struct case_finding *finding, char *out, size_t size)
{
    const struct finding_record *record = &finding->record;
    char endpoint[ENDPOINT_TEXT_SIZE];
    write_endpoint(&record->server_ip, record->server_port, endpoint, sizeof(endpoint));
    out[0] = '\0';
    char plain[ENDPOINT_TEXT_SIZE];
    write_endpoint(&record->server_ip, 0, plain, sizeof(plain));
    bool named =
        is_text(record->name) && strcmp(record->name, plain) != 0 && is_server_name(finding);
    if (!named && endpoint[0] != '\0') { /* a name that is the address says nothing more */
        append(out, size, "%s", endpoint);
    } else if (named && endpoint[0] != '\0') {
        append(out, size, "%s (%s)", record->name, endpoint);
    } else {
        append(out, size, "%s", is_text(record->name) ? record->name : endpoint);
    }
}

static void add_value(struct finding_words *words, const char *name, const char *value)
{
    words->values[words->count++] = (struct text_value){name, value};
}

static void add_ends(struct finding_words *words, enum language language)
{
    if (words->client[0] == '\0') {
        append(words->client, sizeof(words->client), "%s",
               text_get(TEXT_REPORT_THE_CLIENT, language));
    }
    if (words->server[0] == '\0') {
        append(words->server, sizeof(words->server), "%s",
               text_get(TEXT_REPORT_THE_SERVER, language));
    }
    add_value(words, "client", words->client);
    add_value(words, "server", words->server);
    add_value(words, "count", words->number);
    add_value(words, "service", words->service);
}

static void write_value(const struct case_finding *finding,
                        const struct finding_value_record *value, enum language language,
                        char out[QUANTITY_SIZE])
{
    enum value_unit unit = UNIT_COUNT;
    if (value->text != NULL) {
        (void)text_words(out, QUANTITY_SIZE, value->text, language);
        return;
    }
    unsigned code = finding->record.code;
    if (code > 0) {
        (void)catalogue_find_value((enum finding_code)(code - 1u), value->name, &unit);
    }
    (void)quantity_text(unit, value->number, language, out);
}

void finding_words_make(const struct case_finding *finding, enum language language,
                        struct finding_words *out)
{
    const struct finding_record *record = &finding->record;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < finding->value_count && i < FINDING_VALUES_MOST; i++) {
        write_value(finding, &finding->values[i], language, out->texts[i]);
        add_value(out, finding->values[i].name, out->texts[i]);
    }
    write_endpoint(&record->client_ip, 0, out->client, sizeof(out->client));
    write_server(finding, out->server, sizeof(out->server));
    view_number(record->count, out->number);
    append(out->service, sizeof(out->service), "%s", service_title(record->service, language));
    add_ends(out, language);
}

void finding_words_make_general(const struct finding_info *info, enum language language,
                                struct finding_words *out)
{
    const char *list = info->values;
    struct value_spec spec;
    memset(out, 0, sizeof(*out));
    /* The names must outlive the list that gives them: the texts keep them, the value is "...". */
    while (out->count < FINDING_VALUES_MOST && catalogue_next_value(&list, &spec)) {
        memcpy(out->texts[out->count], spec.name, sizeof(spec.name));
        add_value(out, out->texts[out->count], "…");
    }
    append(out->number, sizeof(out->number), "…");
    append(out->service, sizeof(out->service), "…");
    add_ends(out, language);
}

char *finding_sentence(const struct finding_words *words, enum text_id id, enum language language,
                       char out[FINDING_TEXT_SIZE])
{
    text_format(out, FINDING_TEXT_SIZE, text_get(id, language), words->values, words->count);
    return out;
}

char *finding_title(const struct case_finding *finding, const struct finding_words *words,
                    enum language language, char out[FINDING_TEXT_SIZE])
{
    char title[FINDING_TEXT_SIZE], count[VIEW_TIME_SIZE];
    finding_sentence(words, case_info(finding)->title, language, out);
    if (finding->record.joined > 0) {
        const struct text_value values[] = {{"title", title},
                                            {"count", view_number(finding->record.joined, count)}};
        memcpy(title, out, sizeof(title));
        text_format(out, FINDING_TEXT_SIZE, text_get(TEXT_REPORT_ALIKE, language), values, 2);
    }
    return out;
}

static enum text_id who_text(enum culprit culprit)
{
    static const enum text_id texts[CULPRIT_COUNT] = {
        [CULPRIT_CLIENT] = TEXT_REPORT_WHO_CLIENT,
        [CULPRIT_SERVER] = TEXT_REPORT_WHO_SERVER,
        [CULPRIT_MIDDLEBOX] = TEXT_REPORT_WHO_MIDDLEBOX,
        [CULPRIT_NETWORK] = TEXT_REPORT_WHO_NETWORK,
        [CULPRIT_DEPENDENCY] = TEXT_REPORT_WHO_DEPENDENCY,
        [CULPRIT_ATTACKER] = TEXT_REPORT_WHO_ATTACKER,
        [CULPRIT_CAPTURE] = TEXT_REPORT_WHO_CAPTURE,
        [CULPRIT_NONE] = TEXT_REPORT_WHO_NONE,
        [CULPRIT_UNKNOWN] = TEXT_REPORT_WHO_UNKNOWN,
    };
    return texts[culprit < CULPRIT_COUNT ? culprit : CULPRIT_UNKNOWN];
}

char *finding_who(const struct case_finding *finding, const struct finding_words *words,
                  enum language language, char out[FINDING_TEXT_SIZE])
{
    const struct finding_record *record = &finding->record;
    char plain[FINDING_TEXT_SIZE], confidence[QUANTITY_SIZE];
    finding_sentence(words, who_text((enum culprit)record->culprit), language, plain);
    if (record->culprit == CULPRIT_UNKNOWN && is_text(record->reason)) {
        append(plain, sizeof(plain), "%s%s", text_get(TEXT_REPORT_COLON, language),
               text_word(record->reason, language));
    }
    quantity_text(UNIT_PERCENT, (double)record->confidence, language, confidence);
    const struct text_value values[] = {{"who", plain}, {"confidence", confidence}};
    bool accuses = record->culprit != CULPRIT_NONE && record->culprit != CULPRIT_UNKNOWN;
    enum text_id id = record->confidence < CONFIDENCE_POSSIBLE && accuses ? TEXT_REPORT_WHO_POSSIBLE
                                                                          : TEXT_REPORT_WHO_SURE;
    text_format(out, FINDING_TEXT_SIZE, text_get(id, language), values, 2);
    return out;
}

enum text_id finding_who_pattern(const struct finding_record *record, const char *path)
{
    bool both = address_is_set(&record->client_ip) && address_is_set(&record->server_ip);
    bool many = record->count > 1;
    switch ((enum culprit)record->culprit) {
    case CULPRIT_MIDDLEBOX:
    case CULPRIT_NETWORK:
        return many ? TEXT_REPORT_WHO_SHORT_MANY : TEXT_REPORT_WHO_SHORT;
    case CULPRIT_SERVER:
        if (both) {
            return many ? TEXT_REPORT_WHO_TO_SERVER_MANY : TEXT_REPORT_WHO_TO_SERVER;
        }
        return many ? TEXT_REPORT_WHO_SHORT_MANY : TEXT_REPORT_WHO_SHORT;
    case CULPRIT_CLIENT:
        if (both) {
            return many ? TEXT_REPORT_WHO_FROM_CLIENT_MANY : TEXT_REPORT_WHO_FROM_CLIENT;
        }
        return many ? TEXT_REPORT_WHO_SHORT_MANY : TEXT_REPORT_WHO_SHORT;
    default:
        break;
    }
    if (path[0] == '\0') {
        return many ? TEXT_REPORT_WHO_SHORT_MANY : TEXT_REPORT_WHO_SHORT;
    }
    return many ? TEXT_REPORT_WHO_LINE_MANY : TEXT_REPORT_WHO_LINE;
}

static const char *short_path(const struct report_case *loaded, int64_t source_id)
{
    const char *path = case_source_path(loaded, source_id);
    const char *slash = strrchr(path, '/');
    return loaded->source_count == 1 ? "" : slash != NULL ? slash + 1 : path;
}

static char *write_frames(const struct report_case *loaded, const struct case_finding *finding,
                          const char *(*path_of)(const struct report_case *loaded,
                                                 int64_t source_id),
                          char out[FINDING_TEXT_SIZE])
{
    size_t count = finding->evidence_count < FRAMES_SHOWN ? finding->evidence_count : FRAMES_SHOWN;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct finding_evidence_record *evidence = &finding->evidence[i];
        bool last = i + 1 == count || finding->evidence[i + 1].source_id != evidence->source_id;
        append(out, FINDING_TEXT_SIZE, "%lld", (long long)evidence->frame);
        if (last) {
            const char *path = path_of(loaded, evidence->source_id);
            append(out, FINDING_TEXT_SIZE, path[0] != '\0' ? " (%s)%s" : "%s%s", path,
                   i + 1 == count ? "" : "; ");
        } else {
            append(out, FINDING_TEXT_SIZE, ", ");
        }
    }
    return out;
}

char *finding_frames(const struct report_case *loaded, const struct case_finding *finding,
                     char out[FINDING_TEXT_SIZE])
{
    return write_frames(loaded, finding, case_source_path, out);
}

char *finding_frames_short(const struct report_case *loaded, const struct case_finding *finding,
                           char out[FINDING_TEXT_SIZE])
{
    return write_frames(loaded, finding, short_path, out);
}

static void add_address_filter(const struct address *address, char *out)
{
    char text[ADDRESS_TEXT_SIZE];
    if (address_is_set(address)) {
        append(out, FINDING_TEXT_SIZE, "%s%s == %s", out[0] != '\0' ? " && " : "",
               address->family == 6 ? "ipv6.addr" : "ip.addr", address_to_text(address, text));
    }
}

char *finding_filter(const struct case_finding *finding, char out[FINDING_TEXT_SIZE])
{
    const struct finding_record *record = &finding->record;
    const char *port = finding->flow.protocol == PROTOCOL_UDP ? "udp.port" : "tcp.port";
    out[0] = '\0';
    add_address_filter(&record->server_ip, out);
    if (record->server_port != 0) {
        append(out, FINDING_TEXT_SIZE, "%s%s == %u", out[0] != '\0' ? " && " : "", port,
               (unsigned)record->server_port);
    }
    bool one_flow = record->count == 1 && record->client_port != 0 && record->server_port != 0;
    if (!one_flow &&
        (record->count == 1 || record->culprit == CULPRIT_CLIENT || record->scope == SCOPE_PATH)) {
        add_address_filter(&record->client_ip, out);
    }
    if (one_flow) { /* both ports and one address tell it; the line stays short */
        append(out, FINDING_TEXT_SIZE, " && %s == %u", port, (unsigned)record->client_port);
    }
    return out;
}

char *finding_path(const struct case_finding *finding, char out[FINDING_TEXT_SIZE])
{
    const struct finding_record *record = &finding->record;
    char client[ENDPOINT_TEXT_SIZE], server[512];
    uint16_t port = record->count == 1 ? record->client_port : 0;
    write_endpoint(&record->client_ip, port, client, sizeof(client));
    write_server(finding, server, sizeof(server));
    out[0] = '\0';
    append(out, FINDING_TEXT_SIZE, "%s%s%s%s", client,
           client[0] != '\0' && server[0] != '\0' ? " → " : "", server, record->joined > 0 ? " …" : "");
    return out;
}

void finding_each_rival(const struct case_finding *finding,
                        void (*each)(void *self, const struct rival_info *rival), void *self)
{
    const char *at = finding->record.rivals;
    while (is_text(at)) {
        char code[64];
        enum rival rival;
        size_t len = strcspn(at, ", ");
        if (len > 0 && len < sizeof(code)) {
            memcpy(code, at, len);
            code[len] = '\0';
            if (rival_find(code, &rival)) {
                each(self, rival_get(rival));
            }
        }
        at += len;
        at += strspn(at, ", ");
    }
}
