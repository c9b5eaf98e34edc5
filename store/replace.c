/* Deleting what an older read left, and changing what another profile says. Rows hang on a capture
 * by its id, on its flows by their ids (contiguous, since one program writes at a time) and on its
 * findings. */
#include "store/private.h"

#include <sqlite3.h>

#define BY_FLOWS                                                                                   \
    " WHERE flow_id BETWEEN (SELECT min(id) FROM flows WHERE capture_id = ?1)"                     \
    " AND (SELECT max(id) FROM flows WHERE capture_id = ?1)"
#define BY_FINDINGS " WHERE finding_id IN (SELECT id FROM findings WHERE capture_id = ?1)"

static const char *const delete_findings[] = {
    "DELETE FROM finding_values" BY_FINDINGS,
    "DELETE FROM finding_evidence" BY_FINDINGS,
    "DELETE FROM finding_flows" BY_FINDINGS,
    "DELETE FROM findings WHERE capture_id = ?1",
    "DELETE FROM certificate_chains WHERE capture_id = ?1",
    "DELETE FROM incident_steps WHERE incident_id IN"
    " (SELECT id FROM incidents WHERE capture_id = ?1)",
    "DELETE FROM incidents WHERE capture_id = ?1",
    "DELETE FROM fault_domains WHERE capture_id = ?1",
    "DELETE FROM stories WHERE capture_id = ?1",
    "DELETE FROM services WHERE capture_id = ?1",
    "DELETE FROM service_minutes WHERE capture_id = ?1",
    "DELETE FROM endpoints WHERE capture_id = ?1",
    "DELETE FROM dependencies WHERE capture_id = ?1",
    NULL,
};

static const char *const delete_capture[] = {
    "DELETE FROM flow_tcp" BY_FLOWS,
    "DELETE FROM flow_events" BY_FLOWS,
    "DELETE FROM resets" BY_FLOWS,
    "DELETE FROM tls_sessions" BY_FLOWS,
    "DELETE FROM tls_certificates" BY_FLOWS,
    "DELETE FROM http_transactions" BY_FLOWS,
    "DELETE FROM dns_transactions" BY_FLOWS,
    "DELETE FROM ntp_samples" BY_FLOWS,
    "DELETE FROM secrets" BY_FLOWS,
    "DELETE FROM h2_connections" BY_FLOWS,
    "DELETE FROM app_commands" BY_FLOWS,
    "DELETE FROM flow_delays" BY_FLOWS,
    "DELETE FROM rtt_samples" BY_FLOWS,
    "DELETE FROM turns" BY_FLOWS,
    "DELETE FROM icmp_errors WHERE capture_id = ?1",
    "DELETE FROM arp_bindings WHERE capture_id = ?1",
    "DELETE FROM path_samples WHERE capture_id = ?1",
    "DELETE FROM flows WHERE capture_id = ?1",
    "DELETE FROM sources WHERE capture_id = ?1",
    "DELETE FROM captures WHERE id = ?1",
    "DELETE FROM ocsp_staples WHERE id NOT IN (SELECT staple_id FROM tls_sessions WHERE staple_id IS NOT NULL)",
    "DELETE FROM certificates WHERE id NOT IN (SELECT certificate_id FROM tls_certificates)",
    NULL,
};

static bool run_all(const struct store *store, const char *const *statements, int64_t id,
                    struct error *error)
{
    for (size_t i = 0; statements[i] != NULL; i++) {
        if (!sql_run_id(store, store->db, statements[i], id, "write", error)) {
            return false;
        }
    }
    return true;
}

/* A table emptied without WHERE gives its pages back at once. The new capture has nothing yet but its
 * own row and those of its sources. */
static bool delete_all(const struct store *store, struct error *error)
{
    char sql[80];
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        if (kind == RECORD_CAPTURE || kind == RECORD_SOURCE) {
            continue;
        }
        (void)snprintf(sql, sizeof sql, "DELETE FROM %s",
                       record_table_get((enum record_kind)kind)->table);
        if (!sql_exec(store, store->db, sql, "write", error)) {
            return false;
        }
    }
    return sql_run_id(store, store->db, "DELETE FROM sources WHERE capture_id <> ?1",
                      store->capture_id, "write", error) &&
           sql_run_id(store, store->db, "DELETE FROM captures WHERE id <> ?1", store->capture_id,
                      "write", error) &&
           schema_drop_indexes(store, error);
}

static bool delete_one(const struct store *store, int64_t id, struct error *error)
{
    int64_t others = 0;
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM captures WHERE id <> %lld AND id <> %lld",
                   (long long)id, (long long)store->capture_id);
    if (!sql_integer(store, store->db, sql, &others, error)) {
        return false;
    }
    return others > 0 ? run_all(store, delete_findings, id, error) &&
                            run_all(store, delete_capture, id, error)
                      : delete_all(store, error);
}

/* An older capture that holds the source, 0 when none does. */
static bool find_older(const struct store *store, const struct source_record *source, int64_t *out,
                       struct error *error)
{
    static const char sql[] =
        "SELECT capture_id FROM sources WHERE capture_id <> ?1 AND (path = ?2 AND path <> '-'"
        " OR size = ?3 AND sha256_head = ?4 AND sha256_tail = ?5) LIMIT 1";
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &row, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(row, 1, store->capture_id);
        (void)sqlite3_bind_text(row, 2, source->path, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(row, 3, source->size);
        (void)sqlite3_bind_text(row, 4, source->sha256_head, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(row, 5, source->sha256_tail, -1, SQLITE_STATIC);
        rc = sqlite3_step(row);
    }
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    bool done = rc == SQLITE_ROW || rc == SQLITE_DONE ||
                sql_fail(store, store->db, rc, "read", error);
    (void)sqlite3_finalize(row);
    return done;
}

/* All that was put must be seen, and the other connection must hold no lock. */
static bool begin(const struct store *store, struct error *error)
{
    return (store->writer == NULL || writer_flush(store->writer, error)) &&
           sql_exec(store, store->db, "BEGIN IMMEDIATE", "write", error);
}

static bool end(const struct store *store, bool keep, struct error *error)
{
    if (keep && sql_exec(store, store->db, "COMMIT", "write", error)) {
        return true;
    }
    (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

bool store_replace_source(struct store *store, const struct source_record *source,
                          struct error *error)
{
    int64_t older = 0;
    if (store->append) {
        return true;
    }
    if (!begin(store, error)) {
        return false;
    }
    bool done = find_older(store, source, &older, error);
    while (done && older != 0) {
        done = delete_one(store, older, error) && find_older(store, source, &older, error);
    }
    return end(store, done, error);
}

bool store_delete_capture(const struct store *store, int64_t id, struct error *error)
{
    if (!begin(store, error)) {
        return false;
    }
    return end(store,
               run_all(store, delete_findings, id, error) &&
                   run_all(store, delete_capture, id, error),
               error);
}

static bool set_service(const struct store *store, sqlite3_stmt *row,
                        const struct store_service *service, struct error *error)
{
    (void)sqlite3_bind_text(row, 1, service->service, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(row, 2, service->flow_id);
    int rc = sqlite3_step(row);
    (void)sqlite3_reset(row);
    return rc == SQLITE_DONE || sql_fail(store, store->db, rc, "write", error);
}

static bool set_profile(const struct store *store, int64_t capture_id, const char *profile,
                        struct error *error)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(store->db, "UPDATE captures SET profile = ? WHERE id = ?", -1, &row,
                                NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_text(row, 1, profile, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(row, 2, capture_id);
        rc = sqlite3_step(row);
    }
    (void)sqlite3_finalize(row);
    return rc == SQLITE_DONE || sql_fail(store, store->db, rc, "write", error);
}

bool store_set_services(struct store *store, int64_t capture_id, const char *profile,
                        const struct store_service *services, size_t count, struct error *error)
{
    sqlite3_stmt *row = NULL;
    if (!store_flush(store, error) || !begin(store, error)) {
        return false;
    }
    int rc = sqlite3_prepare_v2(store->db, "UPDATE flows SET service = ? WHERE id = ?", -1, &row,
                                NULL);
    bool done = rc == SQLITE_OK || sql_fail(store, store->db, rc, "write", error);
    done = done && set_profile(store, capture_id, profile, error);
    for (size_t i = 0; done && i < count; i++) {
        done = set_service(store, row, &services[i], error);
    }
    (void)sqlite3_finalize(row);
    return end(store, done, error);
}

bool store_clear_baselines(struct store *store, struct error *error)
{
    static const char *const all[] = {"DELETE FROM baselines WHERE id >= ?1", NULL};
    if (!store_flush(store, error) || !begin(store, error)) {
        return false;
    }
    return end(store, run_all(store, all, 0, error), error);
}

bool store_clear_findings(struct store *store, int64_t capture_id, struct error *error)
{
    /* A flush starts the writer, which turns the log on: it cannot once a judgement reads. */
    if (!store_flush(store, error) || !begin(store, error)) {
        return false;
    }
    return end(store, run_all(store, delete_findings, capture_id, error), error);
}
