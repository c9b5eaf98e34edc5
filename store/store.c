/* Opening, beginning, finishing. */
#include "store/private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What lies at the path. */
enum place { PLACE_NOTHING, PLACE_EMPTY, PLACE_FILE };

static bool look_at(const struct store *store, enum place *out, struct error *error)
{
    struct stat info;
    if (store->memory || (stat(store->path, &info) != 0 && errno == ENOENT)) {
        *out = PLACE_NOTHING;
        return true;
    }
    if (stat(store->path, &info) != 0) {
        return error_set(error, ERROR_STORE,
                         "cannot open the database %s: %s; name another file with --db", store->path,
                         strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(error, ERROR_STORE,
                         "cannot open the database %s: it is not a file; name a file with --db",
                         store->path);
    }
    *out = info.st_size == 0 ? PLACE_EMPTY : PLACE_FILE;
    return true;
}

/* Refuses what is not ours or newer than we are; nothing has been written so far. */
static bool check_version(const struct store *store, struct error *error)
{
    int64_t application = 0;
    int64_t version = 0;
    if (!sql_integer(store, store->db, "PRAGMA application_id", &application, error) ||
        !sql_integer(store, store->db, "PRAGMA user_version", &version, error)) {
        return false;
    }
    if (application != STORE_APPLICATION_ID) {
        return error_set(error, ERROR_STORE,
                         "the database %s was not made by invcap; name another file with --db",
                         store->path);
    }
    if (version > STORE_SCHEMA_VERSION) {
        return error_set(error, ERROR_STORE,
                         "the database %s was made by a newer invcap (schema %lld, this program "
                         "knows %d); use that version, or read the captures into another file with "
                         "--db",
                         store->path, (long long)version, STORE_SCHEMA_VERSION);
    }
    return true;
}

/* The file exists with mode 0600 before SQLite, which would follow the umask, sees it; its log takes
 * the same mode. */
static bool create_file(const struct store *store, struct error *error)
{
    int fd = open(store->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_set(error, ERROR_STORE,
                         "cannot create the database %s: %s; name another file with --db",
                         store->path, strerror(errno));
    }
    (void)close(fd);
    return true;
}

static bool open_for_writing(struct store *store, enum place place, struct error *error)
{
    int flags = store->memory ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX
                              : SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (!store->memory && place == PLACE_NOTHING && !create_file(store, error)) {
        return false;
    }
    store->created = !store->memory && place == PLACE_NOTHING;
    if (!sql_open(store, flags, &store->db, error)) {
        return false;
    }
    return (place == PLACE_FILE ? check_version(store, error) && schema_migrate(store, error)
                                : schema_create(store, error)) &&
           sql_settle(store, store->db, error);
}

static bool is_older(const struct store *store)
{
    int64_t version = 0;
    struct error ignored;
    return sql_integer(store, store->db, "PRAGMA user_version", &version, &ignored) &&
           version < STORE_SCHEMA_VERSION;
}

/* A reader brings an older database up to date, too, where it may write. */
static bool update_older(struct store *store, struct error *error)
{
    struct error why;
    (void)sqlite3_close(store->db);
    store->db = NULL;
    bool good = lock_take(store, &why) &&
                sql_open(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, &store->db, &why) &&
                schema_migrate(store, &why);
    (void)sqlite3_close(store->db);
    store->db = NULL;
    lock_release(store);
    if (!good) {
        return error_set(error, ERROR_STORE,
                         "the database %s was made by an older invcap and must be brought up to "
                         "date first; copy it to a folder that you may write",
                         store->path);
    }
    return sql_open(store, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, &store->db, error);
}

/* A log left by a killed writer is read with the database, which needs a writable folder. */
static bool open_for_reading(struct store *store, struct error *error)
{
    if (!sql_open(store, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, &store->db, error)) {
        return false;
    }
    if (check_version(store, error)) {
        return (!is_older(store) || update_older(store, error)) &&
               sql_settle(store, store->db, error);
    }
    int rc = sqlite3_errcode(store->db) & 0xff;
    if (rc != SQLITE_CANTOPEN && rc != SQLITE_READONLY) {
        return false;
    }
    return error_set(error, ERROR_STORE,
                     "cannot read the database %s: an interrupted invcap left a log beside it that "
                     "must be worked in; copy the file and its -wal to a folder that you may write",
                     store->path);
}

static bool open_at(struct store *store, struct error *error)
{
    enum place place;
    if (!look_at(store, &place, error)) {
        return false;
    }
    if (store->mode != STORE_WRITE && place != PLACE_FILE && !store->memory) {
        return error_set(error, ERROR_STORE,
                         place == PLACE_NOTHING
                             ? "there is no database %s; make it with invcap read FILE, or name "
                               "another with --db"
                             : "the database %s is empty; fill it with invcap read FILE",
                         store->path);
    }
    if (store->mode == STORE_READ && !store->memory) {
        return open_for_reading(store, error);
    }
    if (store->memory) {
        return open_for_writing(store, place, error);
    }
    /* Look again under the lock: its last holder may just have made the file. */
    return lock_take(store, error) && look_at(store, &place, error) &&
           open_for_writing(store, place, error);
}

static char *lock_path_of(const char *path)
{
    char *text = NULL;
    return asprintf(&text, "%s.lock", path) >= 0 ? text : NULL;
}

struct store *store_open(const char *path, enum store_mode mode, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store != NULL) {
        store->lock_fd = -1;
        store->mode = mode;
        store->memory = strcmp(path, ":memory:") == 0;
        store->path = strdup(path);
        store->lock_path = lock_path_of(path);
        store->strings = intern_new();
    }
    if (store == NULL || store->path == NULL || store->lock_path == NULL ||
        store->strings == NULL) {
        (void)error_set(error, ERROR_RUNTIME, "cannot open the database %s: out of memory", path);
        store_close(store);
        return NULL;
    }
    if (!open_at(store, error)) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->writer != NULL) {
        writer_stop(store->writer);
    }
    (void)sqlite3_close(store->db);
    if (store->discard) {
        (void)unlink(store->path);
    }
    lock_release(store);
    if (store->strings != NULL) {
        intern_free(store->strings);
    }
    arena_free(&store->arena);
    free(store->lock_path);
    free(store->path);
    free(store);
}

void store_limit_texts(struct store *store, uint64_t bytes)
{
    store->text_limit = bytes;
    intern_limit(store->strings, bytes);
}

uint64_t store_texts_refused(const struct store *store)
{
    return store->texts_refused;
}

void store_forget_texts(struct store *store)
{
    struct intern *fresh = intern_new();
    if (fresh == NULL) {
        return; /* what is kept stays */
    }
    intern_free(store->strings);
    arena_free(&store->arena);
    store->strings = fresh;
    store->text_limit = store->texts_refused = 0;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

static int64_t next_id(const struct store *store, const char *sql)
{
    int64_t id = 1;
    struct error ignored;
    if (store->writer != NULL) {
        (void)writer_flush(store->writer, &ignored);
    }
    (void)sql_integer(store, store->db, sql, &id, &ignored); /* a store that fails says so at flush */
    return id;
}

int64_t store_next_flow_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM flows");
}

int64_t store_next_path_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM path_samples");
}

int64_t store_next_source_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM sources");
}

int64_t store_next_certificate_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM certificates");
}

int64_t store_next_staple_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM ocsp_staples");
}

int64_t store_next_finding_id(const struct store *store)
{
    return next_id(store, "SELECT coalesce(max(id), 0) + 1 FROM findings");
}

static bool ensure_writer(struct store *store, struct error *error)
{
    assert(store->mode != STORE_READ);
    if (store->writer == NULL && store->failure.code == ERROR_NONE) {
        store->writer = writer_start(store, &store->failure);
    }
    if (store->writer == NULL && error != NULL) {
        *error = store->failure;
    }
    return store->writer != NULL;
}

static void put_into_store(void *self, enum record_kind kind, const void *record)
{
    struct store *store = self;
    struct capture_record capture;
    const struct capture_record *given = record;
    if (kind == RECORD_CAPTURE && store->capture_id != 0 && given->id == store->capture_id) {
        capture = *given;
        store->ends_interrupted = capture.interrupted;
        capture.interrupted = true; /* until store_finish */
        record = &capture;
    }
    if (ensure_writer(store, NULL)) {
        writer_put(store->writer, kind, record);
    }
}

struct sink store_sink(struct store *store)
{
    return (struct sink){store, put_into_store};
}

bool store_flush(struct store *store, struct error *error)
{
    return ensure_writer(store, error) && writer_flush(store->writer, error);
}

bool store_begin(struct store *store, bool append, int64_t *capture_id, struct error *error)
{
    int64_t id = 0;
    if (!sql_integer(store, store->db, "SELECT coalesce(max(id), 0) + 1 FROM captures", &id,
                     error) ||
        !ensure_writer(store, error)) {
        return false;
    }
    store->capture_id = id;
    store->append = append;
    struct capture_record capture = {.id = id, .routed_delay_ns = -1};
    put_into_store(store, RECORD_CAPTURE, &capture);
    if (!store_flush(store, error)) {
        return false;
    }
    *capture_id = id;
    return true;
}

/* Into one file that can be mailed; a program that still reads it keeps its log, and closes it. */
static void leave_log(struct store *store)
{
    (void)sqlite3_busy_timeout(store->db, 0);
    (void)sqlite3_exec(store->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    (void)sqlite3_exec(store->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
}

bool store_finish(struct store *store, struct error *error)
{
    if (!store_flush(store, error)) {
        return false;
    }
    writer_stop(store->writer);
    store->writer = NULL;
    if (!schema_create_indexes(store, error)) {
        return false;
    }
    if (store->capture_id != 0 &&
        !sql_run_id(store, store->db,
                    store->ends_interrupted ? "UPDATE captures SET interrupted = 1 WHERE id = ?"
                                            : "UPDATE captures SET interrupted = 0 WHERE id = ?",
                    store->capture_id, "write", error)) {
        return false;
    }
    if (!store->memory) {
        leave_log(store);
    }
    return true;
}

bool store_abandon(struct store *store, struct error *error)
{
    if (store->capture_id == 0 || !store_flush(store, error) ||
        !store_delete_capture(store, store->capture_id, error)) {
        return false;
    }
    writer_stop(store->writer);
    store->writer = NULL;
    if (!store->memory) {
        leave_log(store);
    }
    store->discard = store->created;
    return true;
}

int64_t store_last_capture(struct store *store, struct error *error)
{
    int64_t id = 0;
    (void)sql_integer(store, store->db, "SELECT coalesce(max(id), 0) FROM captures", &id, error);
    return id;
}
