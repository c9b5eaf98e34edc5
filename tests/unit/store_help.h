/* What the tests of the store share: a scratch folder, records full of values, one-cell questions. */
#ifndef INVCAP_TESTS_STORE_HELP_H
#define INVCAP_TESTS_STORE_HELP_H

#include "core/catalogue.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HELP_RECORD_BYTES 4096

/* A record of any kind. */
union any_record {
    unsigned char bytes[HELP_RECORD_BYTES];
    int64_t aligned;
};

struct scratch {
    char folder[64];
    char path[96];
};

static inline int make_scratch(void **state)
{
    struct scratch *scratch = calloc(1, sizeof *scratch);
    assert_non_null(scratch);
    (void)snprintf(scratch->folder, sizeof scratch->folder, "/tmp/invcap-store-XXXXXX");
    assert_non_null(mkdtemp(scratch->folder));
    (void)snprintf(scratch->path, sizeof scratch->path, "%s/test.db", scratch->folder);
    *state = scratch;
    return 0;
}

static inline int remove_scratch(void **state)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock", "-journal"};
    struct scratch *scratch = *state;
    char path[128];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", scratch->path, endings[i]);
        (void)unlink(path);
    }
    int left = rmdir(scratch->folder); /* fails when a test left something else behind */
    free(scratch);
    return left;
}

static inline struct store *open_store(const char *path, enum store_mode mode)
{
    struct error error = {0};
    struct store *store = store_open(path, mode, &error);
    if (store == NULL) {
        fail_msg("%s", error.text);
    }
    return store;
}

static inline void must(bool done, const struct error *error)
{
    if (!done) {
        fail_msg("%s", error->text);
    }
}

struct one_cell {
    char text[512];
    int rows;
};

static inline bool take_cell(void *self, const struct store_row *row)
{
    struct one_cell *cell = self;
    if (cell->rows++ == 0) {
        (void)snprintf(cell->text, sizeof cell->text, "%s",
                       row->cells[0] != NULL ? row->cells[0] : "NULL");
    }
    return true;
}

/* The first cell of the answer as text; "" without a row. */
static inline const char *ask(struct store *store, const char *sql, struct one_cell *cell)
{
    struct error error = {0};
    memset(cell, 0, sizeof *cell);
    must(store_query(store, sql, take_cell, cell, &error), &error);
    return cell->text;
}

static inline long long ask_number(struct store *store, const char *sql)
{
    struct one_cell cell;
    return strtoll(ask(store, sql, &cell), NULL, 10);
}

static inline int64_t begin_read(struct store *store, bool append)
{
    struct error error = {0};
    int64_t id = 0;
    must(store_begin(store, append, &id, &error), &error);
    return id;
}

static inline struct flow_record plain_flow(int64_t id, int64_t capture_id)
{
    struct flow_record flow = {.id = id,
                               .capture_id = capture_id,
                               .source_id = 1,
                               .first_ns = 1700000000000000000 + id,
                               .last_ns = 1700000001000000000 + id,
                               .protocol = 6,
                               .client_ip = {{10, 0, 0, 1}, 4},
                               .server_ip = {{10, 0, 0, 2}, 4},
                               .client_port = (uint16_t)(40000 + id),
                               .server_port = 443,
                               .vlan = -1,
                               .outcome = OUTCOME_OK,
                               .closed_by = SIDE_NONE,
                               .connect_rtt_server_ns = -1,
                               .connect_rtt_client_ns = -1,
                               .rtt_min_client_ns = -1,
                               .rtt_min_server_ns = -1,
                               .response_max_ns = -1};
    return flow;
}

static inline void put_flow(struct store *store, const struct flow_record *flow)
{
    struct sink sink = store_sink(store);
    struct flow_record copy = *flow;
    struct flow_bundle bundle = {.flow = &copy};
    sink_put(&sink, RECORD_FLOW, &bundle);
}

static inline void put_one(struct store *store, enum record_kind kind, const void *record)
{
    struct sink sink = store_sink(store);
    sink_put(&sink, kind, record);
}

#endif
