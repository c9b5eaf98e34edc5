#include "reports/baseline.h"

#include "core/arena.h"
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

struct rows {
    struct baseline_record *list;
    size_t count, capacity;
    bool failed;
};

static bool add_row(struct rows *rows, const struct baseline_record *row)
{
    if (!array_reserve((void **)&rows->list, &rows->capacity, rows->count, sizeof(*rows->list))) {
        rows->failed = true;
        return false;
    }
    rows->list[rows->count++] = *row;
    return true;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* One server as one name, or one client towards one name. */
static int compare_place(const struct baseline_record *a, const struct baseline_record *b)
{
    int order = COMPARE(a->kind, b->kind);
    if (order == 0)
        order = address_compare(&a->ip, &b->ip);
    if (order == 0)
        order = COMPARE(a->port, b->port);
    return order != 0 ? order : compare_text(a->name, b->name);
}

/* And one state of it. */
static int compare_state(const struct baseline_record *a, const struct baseline_record *b)
{
    int order = compare_place(a, b);
    if (order == 0)
        order = compare_text(a->spki_sha256, b->spki_sha256);
    if (order == 0)
        order = compare_text(a->issuer, b->issuer);
    return order != 0 ? order : compare_text(a->ja4, b->ja4);
}

static int by_state(const void *left, const void *right)
{
    const struct baseline_record *a = left, *b = right;
    int order = compare_state(a, b);
    return order != 0 ? order : COMPARE(a->last_ns, b->last_ns);
}

/* Hops from the nearest usual start. */
static int32_t hops_of(uint8_t ttl)
{
    int start = ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
    return ttl == 0 ? -1 : start - ttl;
}

static bool keep_chain(void *self, const void *record)
{
    const struct chain_record *r = record;
    struct baseline_record row = {
        .kind = BASELINE_SERVER, .ip = r->server_ip, .port = r->server_port, .name = r->name,
        .issuer = r->issuer, .spki_sha256 = r->spki_sha256, .key_type = r->key_type,
        .sent = r->sent, .version = r->version, .cipher_name = r->cipher_name, .alpn = r->alpn,
        .ja3s = r->ja3s, .synack = r->synack, .self_signed = r->self_signed,
        .staple_asked = r->staple_asked, .staple_sent = r->staple_sent, .sct_asked = r->sct_asked,
        .sct_sent = r->sct_sent, .ttl = r->ttl, .hops = hops_of(r->ttl),
        .rtt_min_ns = r->rtt_min_ns, .not_before_ns = r->not_before_ns,
        .not_after_ns = r->not_after_ns, .first_ns = r->first_ns, .last_ns = r->last_ns,
        .connections = r->connections};
    return r->issuer == NULL || add_row(self, &row);
}

/* What one state looked like in several captures: the latest, and the nearest. */
static void merge(struct rows *rows)
{
    size_t kept = 0;
    if (rows->count > 1)
        qsort(rows->list, rows->count, sizeof(*rows->list), by_state);
    for (size_t i = 0; i < rows->count; i++) {
        struct baseline_record *before = kept > 0 ? &rows->list[kept - 1] : NULL;
        struct baseline_record *now = &rows->list[i];
        if (before == NULL || compare_state(before, now) != 0) {
            rows->list[kept++] = *now;
            continue;
        }
        now->connections += before->connections;
        now->first_ns = before->first_ns < now->first_ns ? before->first_ns : now->first_ns;
        if (now->rtt_min_ns < 0 || (before->rtt_min_ns >= 0 && before->rtt_min_ns < now->rtt_min_ns))
            now->rtt_min_ns = before->rtt_min_ns;
        *before = *now;
    }
    rows->count = kept;
}

static const char *copy_cell(const char *cell)
{
    return cell != NULL ? strdup(cell) : NULL;
}

/* client_ip, sni, ja4, count, first, last */
static bool keep_client(void *self, const struct store_row *row)
{
    struct rows *rows = self;
    struct baseline_record client = {.kind = BASELINE_CLIENT, .hops = -1, .rtt_min_ns = -1};
    if (row->cells[0] == NULL || !address_from_text(row->cells[0], &client.ip))
        return true;
    client.name = copy_cell(row->cells[1]);
    client.ja4 = copy_cell(row->cells[2]);
    client.connections = (uint32_t)strtoul(row->cells[3], NULL, 10);
    client.first_ns = strtoll(row->cells[4], NULL, 10);
    client.last_ns = strtoll(row->cells[5], NULL, 10);
    return add_row(rows, &client);
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->list[i].kind == BASELINE_CLIENT) {
            free((void *)(uintptr_t)rows->list[i].name);
            free((void *)(uintptr_t)rows->list[i].ja4);
        }
    }
    free(rows->list);
}

/* What a capture (0: all) shows; servers' texts belong to the store, clients' are ours. */
static bool collect(struct store *store, int64_t capture_id, struct rows *rows, struct error *error)
{
    char where[64] = "", sql[512];
    if (capture_id > 0)
        snprintf(where, sizeof(where), "capture_id = %lld", (long long)capture_id);
    if (!store_select(store, RECORD_CHAIN, capture_id > 0 ? where : NULL, NULL, 0, true, keep_chain,
                      rows, error))
        return false;
    merge(rows);
    snprintf(sql, sizeof(sql),
             "SELECT f.client_ip, t.sni, t.ja4, count(*), min(f.first_ns), max(f.last_ns) "
             "FROM tls_sessions t JOIN flows f ON f.id = t.flow_id "
             "WHERE t.ja4 IS NOT NULL%s%s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
             capture_id > 0 ? " AND f." : "", where);
    return store_query(store, sql, keep_client, rows, error) &&
           (!rows->failed || error_set(error, ERROR_RUNTIME, "out of memory"));
}

bool baseline_save(struct store *store, int64_t capture_id, size_t *out_rows, struct error *error)
{
    struct rows rows = {0};
    struct sink sink = store_sink(store);
    bool good = collect(store, capture_id, &rows, error) && store_clear_baselines(store, error);
    for (size_t i = 0; good && i < rows.count; i++) {
        rows.list[i].id = (int64_t)i + 1;
        sink_put(&sink, RECORD_BASELINE, &rows.list[i]);
    }
    *out_rows = rows.count;
    good = good && store_finish(store, error);
    free_rows(&rows);
    return good;
}

/* ---- what is otherwise ----------------------------------------------------------------------- */

#define DIFFERENCES_SIZE 1024
/* Packets of one machine by one way differ by no more hops; a round trip below a quarter of the usual
 * one tells another machine, where it can be measured. */
#define HOPS_STEP 2
#define NEARER_PART 4
#define NEARER_LEAST_NS 2000000

struct differences {
    const struct view *view;
    char text[DIFFERENCES_SIZE]; /* for people */
    struct json *json;           /* or an array of objects; NULL: not wanted */
    size_t count;
};

static void add_difference(struct differences *d, enum text_id what, const char *old,
                           const char *now)
{
    size_t len = strlen(d->text);
    const char *none = text_get(TEXT_WORD_NONE, d->view->language);
    d->count++;
    snprintf(d->text + len, sizeof(d->text) - len, "%s%s: %s -> %s", len > 0 ? "; " : "",
             text_get(what, d->view->language), old != NULL && old[0] != '\0' ? old : none,
             now != NULL && now[0] != '\0' ? now : none);
    if (d->json == NULL)
        return;
    json_open_object(d->json, NULL);
    json_string(d->json, "what", text_get(what, LANG_EN));
    json_string(d->json, "old", old != NULL ? old : "");
    json_string(d->json, "new", now != NULL ? now : "");
    json_close_object(d->json);
}

static void add_numbers(struct differences *d, enum text_id what, const char *form, double old,
                        double now)
{
    char before[48], after[48];
    snprintf(before, sizeof(before), form, old);
    snprintf(after, sizeof(after), form, now);
    add_difference(d, what, before, after);
}

/* Another answer to a SYN of the same shape. */
static bool answers_otherwise(const struct baseline_record *old, const struct baseline_record *now)
{
    const char *before = old->synack != NULL ? strchr(old->synack, '/') : NULL;
    const char *after = now->synack != NULL ? strchr(now->synack, '/') : NULL;
    return before != NULL && after != NULL && strcmp(before, after) == 0 &&
           strcmp(old->synack, now->synack) != 0;
}

static void compare_servers(const struct baseline_record *old, const struct baseline_record *now,
                            struct differences *d)
{
    if (compare_text(old->issuer, now->issuer) != 0)
        add_difference(d, TEXT_BASELINE_ISSUER, old->issuer, now->issuer);
    if (compare_text(old->spki_sha256, now->spki_sha256) != 0)
        add_difference(d, TEXT_BASELINE_KEY, old->spki_sha256, now->spki_sha256);
    if (old->sent != now->sent)
        add_numbers(d, TEXT_BASELINE_SENT, "%.0f", old->sent, now->sent);
    if (now->version < old->version)
        add_numbers(d, TEXT_BASELINE_VERSION, "%.0f", old->version, now->version);
    if (old->version == now->version && compare_text(old->ja3s, now->ja3s) != 0)
        add_difference(d, TEXT_BASELINE_HELLO, old->ja3s, now->ja3s);
    if ((old->staple_sent && now->staple_asked && !now->staple_sent) ||
        (old->sct_sent && now->sct_asked && !now->sct_sent))
        add_numbers(d, TEXT_BASELINE_STAPLES, "%.0f", old->staple_sent + old->sct_sent,
                    now->staple_sent + now->sct_sent);
    if (answers_otherwise(old, now))
        add_difference(d, TEXT_BASELINE_SYNACK, old->synack, now->synack);
    if (old->hops >= 0 && now->hops >= 0 && abs(old->hops - now->hops) > HOPS_STEP)
        add_numbers(d, TEXT_BASELINE_HOPS, "%.0f", old->hops, now->hops);
    if (old->rtt_min_ns >= NEARER_LEAST_NS && now->rtt_min_ns >= 0 &&
        now->rtt_min_ns < old->rtt_min_ns / NEARER_PART)
        add_numbers(d, TEXT_BASELINE_RTT, "%.2f ms", (double)old->rtt_min_ns / 1e6,
                    (double)now->rtt_min_ns / 1e6);
}

/* The row that says the same key or hello, else the latest of that place; NULL: a new place. */
static const struct baseline_record *find_usual(const struct rows *usual,
                                                const struct baseline_record *now)
{
    const struct baseline_record *latest = NULL;
    for (size_t i = 0; i < usual->count; i++) {
        const struct baseline_record *row = &usual->list[i];
        if (compare_place(row, now) != 0)
            continue;
        if (compare_text(row->spki_sha256, now->spki_sha256) == 0 &&
            compare_text(row->ja4, now->ja4) == 0)
            return row;
        if (latest == NULL || row->last_ns > latest->last_ns)
            latest = row;
    }
    return latest;
}

static void say_place(const struct baseline_record *row, char *out, size_t size)
{
    char endpoint[ENDPOINT_TEXT_SIZE];
    bool named = row->name != NULL && row->name[0] != '\0';
    if (row->port != 0)
        endpoint_to_text(&row->ip, row->port, endpoint);
    else
        (void)address_to_text(&row->ip, endpoint);
    snprintf(out, size, "%s%s%s", endpoint, named ? " " : "", named ? row->name : "");
}

static void print_row(const struct view *view, const struct baseline_record *now,
                      const struct differences *d)
{
    char place[512];
    say_place(now, place, sizeof(place));
    const struct text_value values[] = {{"place", place}, {"differences", d->text}};
    view_say(view, d->count == 0 ? TEXT_BASELINE_NEW : TEXT_BASELINE_OTHERWISE, values, 2);
    fputc('\n', view->out);
}

static bool check_row(const struct view *view, const struct rows *usual,
                      const struct baseline_record *now, struct json *json)
{
    const struct baseline_record *old = find_usual(usual, now);
    struct differences d = {.view = view, .json = json};
    char ip[ADDRESS_TEXT_SIZE];
    if (json != NULL) {
        json_open_object(json, NULL);
        json_string(json, "type", "baseline_difference");
        json_string(json, "kind", now->kind == BASELINE_CLIENT ? "client" : "server");
        json_string(json, "ip", address_to_text(&now->ip, ip));
        if (now->port != 0)
            json_int(json, "port", now->port);
        if (now->name != NULL)
            json_string(json, "name", now->name);
        json_bool(json, "new", old == NULL);
        json_open_array(json, "differences");
    }
    if (old != NULL && now->kind == BASELINE_SERVER)
        compare_servers(old, now, &d);
    else if (old != NULL && compare_text(old->ja4, now->ja4) != 0)
        add_difference(&d, TEXT_BASELINE_HELLO, old->ja4, now->ja4);
    if (json != NULL) {
        json_close_array(json);
        json_close_object(json);
    }
    if (old != NULL && d.count == 0)
        return false;
    if (json != NULL)
        fprintf(view->out, "%s\n", json_text(json));
    else
        print_row(view, now, &d);
    return true;
}

static bool keep_usual(void *self, const void *record)
{
    return add_row(self, record);
}

bool baseline_check(const struct view *view, struct store *store, int64_t capture_id, bool as_json,
                    size_t *out_rows, struct error *error)
{
    struct rows usual = {0}, now = {0};
    struct json json;
    size_t printed = 0;
    json_init(&json);
    bool good = store_select(store, RECORD_BASELINE, NULL, "id", 0, true, keep_usual, &usual,
                             error) &&
                collect(store, capture_id, &now, error);
    for (size_t i = 0; good && i < now.count; i++) {
        printed += check_row(view, &usual, &now.list[i], as_json ? &json : NULL);
        json_reset(&json);
    }
    if (good && printed == 0 && !as_json) {
        view_say(view, usual.count == 0 ? TEXT_BASELINE_NONE : TEXT_BASELINE_SAME, NULL, 0);
        fputc('\n', view->out);
    }
    json_free(&json);
    free(usual.list);
    free_rows(&now);
    *out_rows = printed;
    return good;
}
