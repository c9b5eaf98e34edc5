/* Opening, locking, replacing, killing: what the store promises to people. */
#include "tests/unit/store_help.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void must_refuse(const char *path, enum store_mode mode, const char *words)
{
    struct error error = {0};
    assert_null(store_open(path, mode, &error));
    assert_int_equal(error.code, ERROR_STORE);
    if (strstr(error.text, words) == NULL || strstr(error.text, path) == NULL) {
        fail_msg("no \"%s\" and path in: %s", words, error.text);
    }
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void foreign_files_are_refused_and_left_alone(void **state)
{
    struct scratch *scratch = *state;
    static const char text[] = "this is somebody's letter, longer than a database header is: 100 "
                               "bytes and more, so that SQLite reads all of it";
    char back[sizeof text] = "";
    write_file(scratch->path, text, sizeof text);
    must_refuse(scratch->path, STORE_WRITE, "not a database");
    must_refuse(scratch->path, STORE_READ, "not a database");
    FILE *file = fopen(scratch->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof back, file), sizeof text);
    assert_int_equal(fgetc(file), EOF);
    (void)fclose(file);
    assert_memory_equal(back, text, sizeof text);
}

static void foreign_databases_are_refused(void **state)
{
    struct scratch *scratch = *state;
    run_sql(scratch->path, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
    must_refuse(scratch->path, STORE_WRITE, "not made by invcap");
    must_refuse(scratch->path, STORE_READ, "not made by invcap");
    run_sql(scratch->path, "SELECT x FROM theirs");
}

static void newer_schemas_are_refused(void **state)
{
    struct scratch *scratch = *state;
    store_close(open_store(scratch->path, STORE_WRITE));
    run_sql(scratch->path, "PRAGMA user_version = 1000");
    must_refuse(scratch->path, STORE_WRITE, "newer invcap");
    must_refuse(scratch->path, STORE_READ, "newer invcap");
}

static bool count_one(void *self, const struct store_row *row)
{
    *(int *)self += row->cells[0] != NULL ? atoi(row->cells[0]) : 0;
    return true;
}

/* What an older version did not have is added, and what it had stays. */
static void older_schemas_are_brought_up_to_date(void **state)
{
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    struct scratch *scratch = *state;
    store_close(open_store(scratch->path, STORE_WRITE));
    for (size_t i = 0; i < 2; i++) {
        int found = 0;
        struct error error = {0};
        run_sql(scratch->path,
                "DROP VIEW v_causes; DROP TABLE stories; DROP TABLE tls_sessions; "
                "CREATE TABLE tls_sessions (flow_id INTEGER PRIMARY KEY, sni TEXT) STRICT; "
                "INSERT INTO tls_sessions VALUES (7, 'old.example'); PRAGMA user_version = 1");
        struct store *store = open_store(scratch->path, modes[i]);
        assert_true(store_query(store,
                                "SELECT (SELECT count(*) FROM stories) + (SELECT count(*) FROM v_causes)"
                                " + count(*) FROM tls_sessions WHERE flow_id = 7 AND "
                                "sni = 'old.example' AND established = 0 AND cipher IS NULL",
                                count_one, &found, &error));
        assert_int_equal(found, 1);
        store_close(store);
    }
}

static void places_that_cannot_be(void **state)
{
    struct scratch *scratch = *state;
    char path[160];
    must_refuse(scratch->path, STORE_READ, "there is no database");
    must_refuse(scratch->folder, STORE_READ, "not a file");
    (void)snprintf(path, sizeof path, "%s/missing/x.db", scratch->folder);
    must_refuse(path, STORE_WRITE, "folder does not exist");
    (void)snprintf(path, sizeof path, "/proc/self/x.db"); /* not even root may write here */
    must_refuse(path, STORE_WRITE, "cannot write");
    write_file(scratch->path, "", 0);
    must_refuse(scratch->path, STORE_READ, "is empty");
    store_close(open_store(scratch->path, STORE_WRITE)); /* an empty file may be filled */
}

static void changing_never_creates(void **state)
{
    struct scratch *scratch = *state;
    must_refuse(scratch->path, STORE_CHANGE, "there is no database");
    assert_int_equal(access(scratch->path, F_OK), -1);
    store_close(open_store(scratch->path, STORE_WRITE));
    store_close(open_store(scratch->path, STORE_CHANGE));
}

static int byte_at(const char *path, long offset)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    (void)fclose(file);
    return byte;
}

static void the_file_is_private_and_ours(void **state)
{
    struct scratch *scratch = *state;
    struct stat info;
    mode_t before = umask(0);
    struct store *store = open_store(scratch->path, STORE_WRITE);
    struct one_cell cell;
    struct error error = {0};
    begin_read(store, false);
    char wal[128];
    (void)snprintf(wal, sizeof wal, "%s-wal", scratch->path);
    assert_int_equal(stat(wal, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    must(store_finish(store, &error), &error);
    assert_int_equal(stat(scratch->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &info), -1); /* one file that can be mailed */
    assert_int_equal(byte_at(scratch->path, 18), 1); /* 1 rollback journal, 2 WAL: "File Format" 1.3 */
    assert_int_equal(ask_number(store, "PRAGMA application_id"), 0x494E5643);
    assert_int_equal(ask_number(store, "PRAGMA user_version"), 3);
    assert_string_equal(ask(store, "PRAGMA integrity_check", &cell), "ok");
    assert_string_equal(store_path(store), scratch->path);
    store_close(store);
    (void)umask(before);
}

static void a_second_writer_is_told_who_writes(void **state)
{
    struct scratch *scratch = *state;
    char pid[32];
    struct store *store = open_store(scratch->path, STORE_WRITE);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    must_refuse(scratch->path, STORE_WRITE, pid);
    store_close(open_store(scratch->path, STORE_READ)); /* readers may */
    must_refuse(scratch->path, STORE_WRITE, pid);
    store_close(store);
    store_close(open_store(scratch->path, STORE_WRITE));
}

static void a_foreign_lock_is_one_clear_error(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    sqlite3 *db = NULL;
    struct store *store = open_store(scratch->path, STORE_WRITE);
    int64_t capture = begin_read(store, false);
    assert_int_equal(sqlite3_open(scratch->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct flow_record flow = plain_flow(1, capture);
    put_flow(store, &flow);
    assert_false(store_flush(store, &error));
    assert_int_equal(error.code, ERROR_STORE);
    assert_non_null(strstr(error.text, "another program holds it"));
    assert_non_null(strstr(error.text, scratch->path));
    put_flow(store, &flow); /* nothing may hang or crash after it */
    assert_false(store_finish(store, &error));
    (void)sqlite3_close(db);
    store_close(store);
}

static void a_failing_insert_stops_the_writer(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    sqlite3 *db = NULL;
    struct store *store = open_store(scratch->path, STORE_WRITE);
    int64_t capture = begin_read(store, false);
    /* The error comes from the writer's thread, long after the put that caused it. */
    assert_int_equal(sqlite3_open(scratch->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TRIGGER stop BEFORE INSERT ON flows BEGIN SELECT "
                                      "RAISE(ABORT, 'no more'); END", NULL, NULL, NULL),
                     SQLITE_OK);
    (void)sqlite3_close(db);
    for (int64_t id = 1; id <= 50000; id++) { /* more than the queue holds: put must not wait */
        struct flow_record flow = plain_flow(id, capture);
        put_flow(store, &flow);
    }
    assert_false(store_flush(store, &error));
    assert_int_equal(error.code, ERROR_STORE);
    assert_non_null(strstr(error.text, "no more"));
    store_close(store);
}

struct source_row {
    const char *path, *head;
    int64_t size;
};

/* A whole read of one source with two flows; returns its capture id. */
static int64_t read_sources(struct store *store, bool append, const struct source_row *rows,
                            size_t count)
{
    struct error error = {0};
    int64_t capture = begin_read(store, append);
    for (size_t i = 0; i < count; i++) {
        struct source_record source = {.capture_id = capture,
                                       .path = rows[i].path,
                                       .size = rows[i].size,
                                       .sha256_head = rows[i].head,
                                       .sha256_tail = rows[i].head};
        must(store_replace_source(store, &source, &error), &error);
        source.id = store_next_source_id(store);
        put_one(store, RECORD_SOURCE, &source);
    }
    int64_t first = store_next_flow_id(store);
    for (int64_t id = first; id < first + 2; id++) {
        struct flow_record flow = plain_flow(id, capture);
        struct flow_tcp_record tcp = {.flow_id = id};
        struct tls_certificate_record shown = {.flow_id = id,
                                               .certificate_id = store_next_certificate_id(store)};
        struct certificate_record certificate = {.id = shown.certificate_id, .sha256 = "ab"};
        struct finding_flow_record covered = {store_next_finding_id(store), id, false};
        struct finding_record finding = {.id = covered.finding_id, .capture_id = capture, .code = 1};
        flow.source_id = store_next_source_id(store) - 1;
        put_flow(store, &flow);
        put_one(store, RECORD_FLOW_TCP, &tcp);
        put_one(store, RECORD_CERTIFICATE, &certificate);
        put_one(store, RECORD_TLS_CERTIFICATE, &shown);
        put_one(store, RECORD_FINDING, &finding);
        put_one(store, RECORD_FINDING_FLOW, &covered);
    }
    must(store_finish(store, &error), &error);
    return capture;
}

static int64_t read_in(const char *path, bool append, const struct source_row *rows, size_t count)
{
    struct store *store = open_store(path, STORE_WRITE);
    int64_t capture = read_sources(store, append, rows, count);
    store_close(store);
    return capture;
}

static void check_counts(const char *path, int64_t captures, int64_t sources, int64_t flows)
{
    struct error error = {0};
    struct store *store = open_store(path, STORE_READ);
    struct one_cell cell = {0};
    assert_int_equal(ask_number(store, "SELECT count(*) FROM captures"), captures);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM sources"), sources);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows"), flows);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flow_tcp"), flows);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM tls_certificates"), flows);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM certificates"), flows);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM findings"), flows);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM finding_flows"), flows);
    must(store_query(store, "PRAGMA foreign_key_check", take_cell, &cell, &error), &error);
    assert_int_equal(cell.rows, 0);
    store_close(store);
}

static void a_source_read_again_replaces_its_capture(void **state)
{
    struct scratch *scratch = *state;
    const struct source_row a = {"a.pcap", "aa", 100};
    const struct source_row b = {"b.pcap", "bb", 200};
    const struct source_row both[] = {a, b};
    assert_int_equal(read_in(scratch->path, false, &a, 1), 1);
    assert_int_equal(read_in(scratch->path, false, &a, 1), 2); /* the only capture */
    check_counts(scratch->path, 1, 1, 2);
    assert_int_equal(read_in(scratch->path, false, &b, 1), 3);
    check_counts(scratch->path, 2, 2, 4);
    read_in(scratch->path, false, &a, 1); /* one of two */
    check_counts(scratch->path, 2, 2, 4);
    read_in(scratch->path, false, both, 2); /* replaces both, one after the other */
    check_counts(scratch->path, 1, 2, 2);
    read_in(scratch->path, false, &b, 1); /* the other source goes, too */
    check_counts(scratch->path, 1, 1, 2);
    read_in(scratch->path, true, &b, 1); /* --append keeps */
    check_counts(scratch->path, 2, 2, 4);
}

static void an_abandoned_read_leaves_nothing(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    const struct source_row a = {"a.pcap", "aa", 100};
    struct store *store = open_store(scratch->path, STORE_WRITE);
    begin_read(store, false);
    must(store_abandon(store, &error), &error);
    store_close(store);
    assert_int_equal(access(scratch->path, F_OK), -1); /* made for nothing */
    assert_int_equal(read_in(scratch->path, false, &a, 1), 1);
    store = open_store(scratch->path, STORE_WRITE);
    assert_int_equal(begin_read(store, false), 2);
    must(store_abandon(store, &error), &error);
    assert_int_equal(store_last_capture(store, &error), 1);
    store_close(store);
    check_counts(scratch->path, 1, 1, 2);
}

static void another_profile_changes_services(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    const struct source_row a = {"a.pcap", "aa", 100};
    const struct store_service services[] = {{1, "portal"}, {2, NULL}};
    read_in(scratch->path, false, &a, 1);
    struct store *store = open_store(scratch->path, STORE_CHANGE);
    must(store_set_services(store, 1, "site", services, 2, &error), &error);
    must(store_finish(store, &error), &error);
    store_close(store);
    store = open_store(scratch->path, STORE_READ);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows WHERE id = 1 AND service = 'portal'"),
                     1);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows WHERE id = 2 AND service IS NULL"),
                     1);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM captures WHERE profile = 'site'"), 1);
    store_close(store);
}

static void sources_are_known_by_content_too(void **state)
{
    struct scratch *scratch = *state;
    const struct source_row here = {"here.pcap", "aa", 100};
    const struct source_row moved = {"there.pcap", "aa", 100};
    const struct source_row longer = {"elsewhere.pcap", "aa", 101};
    const struct source_row stream = {"-", NULL, -1};
    read_in(scratch->path, false, &here, 1);
    read_in(scratch->path, false, &moved, 1);
    check_counts(scratch->path, 1, 1, 2);
    read_in(scratch->path, false, &longer, 1);
    check_counts(scratch->path, 2, 2, 4);
    read_in(scratch->path, false, &stream, 1);
    read_in(scratch->path, false, &stream, 1); /* two streams are not the same one */
    check_counts(scratch->path, 4, 4, 8);
}

static void ids_start_anew_when_all_is_replaced(void **state)
{
    struct scratch *scratch = *state;
    const struct source_row a = {"a.pcap", "aa", 100};
    read_in(scratch->path, false, &a, 1);
    read_in(scratch->path, false, &a, 1);
    struct store *store = open_store(scratch->path, STORE_WRITE);
    assert_int_equal(ask_number(store, "SELECT min(id) FROM flows"), 1);
    assert_int_equal(store_next_flow_id(store), 3);
    assert_int_equal(store_next_source_id(store), 2);
    assert_int_equal(store_next_finding_id(store), 3);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND "
                                       "name = 'flows_by_time'"),
                     1);
    store_close(store);
}

static void findings_are_deleted_for_a_new_judgement(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    const struct source_row a = {"a.pcap", "aa", 100};
    const struct source_row b = {"b.pcap", "bb", 200};
    read_in(scratch->path, false, &a, 1);
    read_in(scratch->path, false, &b, 1);
    struct store *store = open_store(scratch->path, STORE_WRITE);
    must(store_clear_findings(store, 1, &error), &error);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM findings"), 2);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM finding_flows"), 2);
    assert_int_equal(ask_number(store, "SELECT min(capture_id) FROM findings"), 2);
    assert_int_equal(store_last_capture(store, &error), 2);
    store_close(store);
}

/* Reports on the pipe when its flow is committed, then waits to be killed. */
static void child_writes(const char *path, int pipe_end)
{
    struct error error = {0};
    int64_t capture = 0;
    struct store *store = store_open(path, STORE_WRITE, &error);
    if (store == NULL || !store_begin(store, false, &capture, &error)) {
        _exit(1);
    }
    for (int64_t id = 1; id <= 100; id++) {
        struct flow_record flow = plain_flow(id, capture);
        put_flow(store, &flow);
    }
    if (!store_flush(store, &error) || write(pipe_end, "x", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        (void)pause();
    }
}

static void killed_child(const char *path)
{
    int ends[2];
    char byte;
    int status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        child_writes(path, ends[1]);
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void a_killed_writer_loses_nothing_that_was_committed(void **state)
{
    struct scratch *scratch = *state;
    killed_child(scratch->path);
    struct store *store = open_store(scratch->path, STORE_READ);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows"), 100);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures"), 1);
    store_close(store);
    struct error error = {0};
    store = open_store(scratch->path, STORE_WRITE); /* its lock died with it */
    assert_int_equal(begin_read(store, true), 2);
    must(store_finish(store, &error), &error);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows"), 100);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures WHERE id = 1"), 1);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures WHERE id = 2"), 0);
    store_close(store);
}

static void an_interrupted_read_stays_marked(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    struct store *store = open_store(scratch->path, STORE_WRITE);
    struct capture_record capture = {.id = begin_read(store, false), .name = "a.pcap"};
    put_one(store, RECORD_CAPTURE, &capture);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures"), 1);
    must(store_finish(store, &error), &error);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures"), 0);
    capture.interrupted = true;
    put_one(store, RECORD_CAPTURE, &capture);
    must(store_finish(store, &error), &error);
    assert_int_equal(ask_number(store, "SELECT interrupted FROM captures"), 1);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM captures"), 1);
    store_close(store);
}

static void many_batches_arrive_whole(void **state)
{
    struct scratch *scratch = *state;
    struct error error = {0};
    struct store *store = open_store(scratch->path, STORE_WRITE);
    int64_t capture = begin_read(store, false);
    for (int64_t id = 1; id <= 60000; id++) {
        struct flow_record flow = plain_flow(id, capture);
        struct verdict_record verdict = {id, OUTCOME_FAILED, STAGE_SYN, FINDING_CONN_REFUSED + 1};
        put_flow(store, &flow);
        put_one(store, RECORD_VERDICT, &verdict);
    }
    must(store_flush(store, &error), &error);
    assert_int_equal(ask_number(store, "SELECT count(*) FROM flows WHERE outcome = 'failed' AND "
                                       "stage = 'SYN' AND verdict = 'conn-refused'"),
                     60000);
    must(store_finish(store, &error), &error);
    store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(foreign_files_are_refused_and_left_alone),
        TEST(foreign_databases_are_refused),
        TEST(newer_schemas_are_refused),
        TEST(older_schemas_are_brought_up_to_date),
        TEST(places_that_cannot_be),
        TEST(changing_never_creates),
        TEST(an_abandoned_read_leaves_nothing),
        TEST(another_profile_changes_services),
        TEST(the_file_is_private_and_ours),
        TEST(a_second_writer_is_told_who_writes),
        TEST(a_foreign_lock_is_one_clear_error),
        TEST(a_failing_insert_stops_the_writer),
        TEST(a_source_read_again_replaces_its_capture),
        TEST(sources_are_known_by_content_too),
        TEST(ids_start_anew_when_all_is_replaced),
        TEST(findings_are_deleted_for_a_new_judgement),
        TEST(a_killed_writer_loses_nothing_that_was_committed),
        TEST(an_interrupted_read_stays_marked),
        TEST(many_batches_arrive_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
