#include "reports/waterfall.h"

#include <string.h>

#define NAME_COLUMNS 34
#define BAR_COLUMNS 30

static const enum text_id names[] = {
    TEXT_DELAY_SYN_BACKOFF, TEXT_DELAY_CONNECT_SERVER, TEXT_DELAY_CONNECT_CLIENT,
    TEXT_DELAY_TLS_SERVER,  TEXT_DELAY_TLS_CLIENT,     TEXT_DELAY_UPLOAD,
    TEXT_DELAY_ROUND_TRIP,  TEXT_DELAY_SERVER,         TEXT_DELAY_DOWNLOAD,
    TEXT_DELAY_RETRANSMISSION, TEXT_DELAY_ZERO_WINDOW, TEXT_DELAY_ACK_STALL,
    TEXT_DELAY_CLIENT,      TEXT_DELAY_CLOSE};

_Static_assert(sizeof names / sizeof names[0] == DELAY_TERM_COUNT, "a name for every term");

struct found {
    struct flow_delay_record record;
    bool any;
};

static bool keep(void *self, const void *record)
{
    struct found *found = self;
    found->record = *(const struct flow_delay_record *)record;
    found->any = true;
    return false;
}

static void print_bar(const struct view *view, int64_t term, int64_t total)
{
    int64_t cells = (int64_t)((double)term / (double)total * BAR_COLUMNS + 0.5);
    for (int64_t i = 0; i < cells; i++)
        fputs("█", view->out);
    fputc('\n', view->out);
}

static void print_line(const struct view *view, enum text_id name, int64_t term, int64_t total)
{
    char label[128], time[VIEW_TIME_SIZE];
    text_fit(label, sizeof label, text_get(name, view->language), NAME_COLUMNS);
    fprintf(view->out, "  %s %14s %5.1f %%  ", label, view_duration(term, view->language, time),
            total > 0 ? 100.0 * (double)term / (double)total : 0.0);
    if (total > 0 && name != TEXT_DELAY_TOTAL)
        print_bar(view, term, total);
    else
        fputc('\n', view->out);
}

static void print_round_trips(const struct view *view, enum text_id id, const struct rtt_facts *rtt)
{
    char least[VIEW_TIME_SIZE], mean[VIEW_TIME_SIZE], most[VIEW_TIME_SIZE], count[VIEW_TIME_SIZE];
    char line[256];
    if (rtt->count == 0)
        return;
    const struct text_value values[] = {
        {"count", view_number((int64_t)rtt->count, count)},
        {"least", view_duration(rtt->min_ns, view->language, least)},
        {"mean", view_duration(rtt->sum_ns / (int64_t)rtt->count, view->language, mean)},
        {"most", view_duration(rtt->max_ns, view->language, most)}};
    text_format(line, sizeof line, text_get(id, view->language), values, 4);
    fprintf(view->out, "  %s\n", line);
}

bool report_waterfall(const struct view *view, struct store *store, int64_t flow_id,
                      struct error *error)
{
    struct found found = {.any = false};
    int64_t total = 0;
    char where[64];
    snprintf(where, sizeof where, "flow_id = %lld", (long long)flow_id);
    if (!store_select(store, RECORD_FLOW_DELAY, where, NULL, 1, false, keep, &found, error))
        return false;
    if (!found.any)
        return true;
    for (int i = 0; i < DELAY_TERM_COUNT; i++)
        total += found.record.term_ns[i];
    fputc('\n', view->out);
    view_wrap(view, text_get(TEXT_DELAY_HEADING, view->language), 0, 0);
    for (int i = 0; i < DELAY_TERM_COUNT; i++) {
        if (found.record.term_ns[i] > 0)
            print_line(view, names[i], found.record.term_ns[i], total);
    }
    print_line(view, TEXT_DELAY_TOTAL, total, total);
    print_round_trips(view, TEXT_DELAY_RTT_CLIENT, &found.record.rtt[SIDE_CLIENT]);
    print_round_trips(view, TEXT_DELAY_RTT_SERVER, &found.record.rtt[SIDE_SERVER]);
    return true;
}
