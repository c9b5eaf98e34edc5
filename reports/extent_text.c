#include "reports/extent_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_SIZE 256

static const char *say(const struct view *view, enum text_id id)
{
    return text_get(id, view->language);
}

static bool covers(const struct domain_record *domain, const struct finding_record *finding)
{
    if (domain->verdict != finding->code || finding->first_ns > domain->last_ns)
        return false;
    bool one = domain->server_bits == (domain->server_ip.family == 4 ? 32 : 128);
    return (!one || address_equal(&domain->server_ip, &finding->server_ip)) &&
           (domain->server_port == 0 || domain->server_port == finding->server_port);
}

static const struct domain_record *find_domain(const struct report_case *loaded,
                                               const struct case_finding *finding)
{
    for (size_t i = 0; finding->record.is_primary && i < loaded->domain_count; i++) {
        if (covers(&loaded->domains[i], &finding->record))
            return &loaded->domains[i];
    }
    return NULL;
}

static void write_network(const struct address *address, uint8_t bits, char out[PART_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    address_to_text(address, text);
    if (bits == (address->family == 4 ? 32 : 128))
        snprintf(out, PART_SIZE, "%s", text);
    else
        snprintf(out, PART_SIZE, "%s/%u", text, (unsigned)bits);
}

/* "to 198.51.100.20:8443", "to port 8443", "to 10.9.0.0/16", "for inv.example.cn", "". */
static void write_target(const struct view *view, const struct domain_record *domain,
                         char out[PART_SIZE])
{
    char server[PART_SIZE] = "", port[16] = "", endpoint[ENDPOINT_TEXT_SIZE];
    if (domain->server_bits != 0)
        write_network(&domain->server_ip, domain->server_bits, server);
    if (domain->server_port != 0)
        snprintf(port, sizeof port, "%u", (unsigned)domain->server_port);
    if (domain->server_bits != 0 && domain->server_port != 0)
        snprintf(server, sizeof server, "%s",
                 endpoint_to_text(&domain->server_ip, domain->server_port, endpoint));
    const struct text_value values[] = {{"server", server}, {"port", port}, {"name", domain->name}};
    enum text_id id = domain->name != NULL && domain->name[0] != '\0' ? TEXT_EXTENT_TO_NAME
                      : server[0] != '\0'                             ? TEXT_EXTENT_TO_SERVER
                      : port[0] != '\0'                               ? TEXT_EXTENT_TO_PORT
                                                                      : TEXT_EXTENT_ANYWHERE;
    text_format(out, PART_SIZE, say(view, id), values, 3);
}

static void write_origin(const struct view *view, const struct domain_record *domain,
                         char out[PART_SIZE])
{
    char client[PART_SIZE], count[VIEW_TIME_SIZE];
    if (domain->client_bits != 0)
        write_network(&domain->client_ip, domain->client_bits, client);
    const struct text_value values[] = {{"client", client},
                                        {"count", view_number(domain->clients, count)}};
    text_format(out, PART_SIZE,
                say(view, domain->client_bits != 0 ? TEXT_EXTENT_FROM : TEXT_EXTENT_FROM_ANY),
                values, 2);
}

char *extent_text(const struct view *view, const struct report_case *loaded,
                  const struct case_finding *finding, char out[FINDING_TEXT_SIZE])
{
    const struct domain_record *domain = find_domain(loaded, finding);
    char failed[VIEW_TIME_SIZE], attempts[VIEW_TIME_SIZE], reached[VIEW_TIME_SIZE];
    char others[VIEW_TIME_SIZE], before[VIEW_TIME_SIZE] = "", after[VIEW_TIME_SIZE] = "";
    char origin[PART_SIZE], target[PART_SIZE], endpoint[ENDPOINT_TEXT_SIZE] = "";
    out[0] = '\0';
    if (domain == NULL)
        return out;
    write_origin(view, domain, origin);
    write_target(view, domain, target);
    if (domain->reached > 0)
        endpoint_to_text(&domain->reached_ip, domain->reached_port, endpoint);
    if (domain->last_ok_ns >= 0)
        view_clock(domain->last_ok_ns, before);
    if (domain->next_ok_ns >= 0)
        view_clock(domain->next_ok_ns, after);
    const struct text_value values[] = {{"failed", view_number(domain->failed, failed)},
                                        {"attempts", view_number(domain->attempts, attempts)},
                                        {"origin", origin},
                                        {"target", target},
                                        {"endpoint", endpoint[0] != '\0' ? endpoint : NULL},
                                        {"reached", view_number(domain->reached, reached)},
                                        {"others", view_number(domain->others_ok, others)},
                                        {"before", before[0] != '\0' ? before : NULL},
                                        {"after", after[0] != '\0' ? after : NULL},
                                        {"alone", domain->alone ? "1" : NULL}};
    text_format(out, FINDING_TEXT_SIZE, say(view, TEXT_EXTENT_SENTENCE), values, 10);
    return out;
}

/* ---- stories --------------------------------------------------------------------------------- */

static const struct story_record *find_story(const struct report_case *loaded,
                                             const struct flow_record *flow)
{
    for (size_t i = 0; flow->id != 0 && i < loaded->story_count; i++) {
        const struct story_record *story = &loaded->stories[i];
        if (flow->id >= story->first_flow && flow->id <= story->last_flow &&
            flow->server_port == story->server_port &&
            address_equal(&flow->client_ip, &story->client_ip))
            return story;
    }
    return NULL;
}

/* How an attempt with that verdict ended, in words. */
#define STEP_PRIMARY(id) TEXT_##id##_STEP
#define STEP_SIDE(id) TEXT_COUNT
static const enum text_id step_texts[FINDING_COUNT] = {
#define FINDING(id, code, tier, severity, category, culprit, scope, mark, identity, withdrawn,     \
                technique, values, rivals)                                                         \
    [FINDING_##id] = STEP_##mark(id),
#include "core/findings.def"
#undef FINDING
};

static const char *step_word(const struct view *view, const char *word)
{
    enum finding_code code;
    if (catalogue_find(word, &code) && step_texts[code] != TEXT_COUNT)
        return say(view, step_texts[code]);
    for (unsigned outcome = OUTCOME_OK; outcome <= OUTCOME_UNKNOWN; outcome++) {
        static const enum text_id words[] = {TEXT_OUTCOME_OK, TEXT_OUTCOME_OK, TEXT_OUTCOME_FAILED,
                                             TEXT_OUTCOME_UNKNOWN};
        if (strcmp(word, outcome_name(outcome)) == 0)
            return say(view, words[outcome]);
    }
    return word;
}

/* "conn-syn-timeout 7012" of the list -> one attempt in words, behind what is there. */
static void append_step(const struct view *view, const char *step, size_t number,
                        char out[FINDING_TEXT_SIZE])
{
    char word[64], took[VIEW_TIME_SIZE], place[VIEW_TIME_SIZE];
    size_t word_len = strcspn(step, " "), len = strlen(out);
    int64_t ms = strtoll(step + word_len, NULL, 10);
    snprintf(word, sizeof word, "%.*s", (int)word_len, step);
    const struct text_value values[] = {
        {"number", view_number((int64_t)number, place)},
        {"what", step_word(view, word)},
        {"took", view_duration(ms * 1000000, view->language, took)}};
    if (number > 1) {
        snprintf(out + len, FINDING_TEXT_SIZE - len, "%s", say(view, TEXT_REPORT_SEMICOLON));
        len = strlen(out);
    }
    enum text_id form = ms > 0 ? TEXT_EXTENT_STEP : TEXT_EXTENT_STEP_SHORT;
    text_format(out + len, FINDING_TEXT_SIZE - len, say(view, form), values, 3);
}

char *extent_story(const struct view *view, const struct report_case *loaded,
                   const struct case_finding *finding, char out[FINDING_TEXT_SIZE])
{
    const struct story_record *story = find_story(loaded, &finding->flow);
    size_t number = 0;
    out[0] = '\0';
    if (story == NULL || story->steps == NULL)
        return out;
    for (const char *step = story->steps; step != NULL && step[0] != '\0';) {
        append_step(view, step, ++number, out);
        step = strstr(step, ", ");
        step = step != NULL ? step + 2 : NULL;
    }
    if (story->attempts > (int64_t)number) {
        char more[VIEW_TIME_SIZE];
        size_t len = strlen(out);
        const struct text_value value = {"count",
                                         view_number(story->attempts - (int64_t)number, more)};
        text_format(out + len, FINDING_TEXT_SIZE - len, say(view, TEXT_EXTENT_MORE), &value, 1);
    }
    return out;
}
