/* The writer thread: a bounded queue of batches, one transaction each. */
#include "store/insert.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

/* Batches in the queue before a put waits: the reader may run ahead by 16 MiB. */
#define WRITER_QUEUE 4
/* A batch that does not fill is written after this: what a kill -9 can cost. */
#define WRITER_PATIENCE_S 2

struct writer {
    struct store *store;
    struct sqlite3 *db;
    bool own_db;
    struct inserter inserter;
    pthread_t thread;
    pthread_mutex_t lock;      /* guards what follows */
    pthread_cond_t work, done; /* something to write; something was written */
    struct batch *filling;     /* NULL: the next put takes a spare one */
    struct batch *first, *last;
    struct batch *spare;
    int queued;
    bool busy, ending, failed;
    struct error error;
};

static void queue_filling(struct writer *writer)
{
    struct batch *batch = writer->filling;
    if (batch == NULL || batch->records == 0) {
        return;
    }
    batch->next = NULL;
    if (writer->last != NULL) {
        writer->last->next = batch;
    } else {
        writer->first = batch;
    }
    writer->last = batch;
    writer->filling = NULL;
    writer->queued++;
    (void)pthread_cond_signal(&writer->work);
}

static struct batch *take_queued(struct writer *writer)
{
    struct batch *batch = writer->first;
    if (batch != NULL) {
        writer->first = batch->next;
        writer->last = writer->first != NULL ? writer->last : NULL;
        writer->queued--;
    }
    return batch;
}

static void give_back(struct writer *writer, struct batch *batch)
{
    batch->len = 0;
    batch->records = 0;
    if (batch->capacity > BATCH_BYTES) {
        batch_free(batch);
        return;
    }
    batch->next = writer->spare;
    writer->spare = batch;
}

/* Waits for a batch; one that is being filled is taken when it has been waited for long enough. */
static struct batch *wait_for_batch(struct writer *writer)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WRITER_PATIENCE_S;
    bool timed_out = false;
    while (writer->first == NULL && !writer->ending && !timed_out) {
        timed_out = pthread_cond_timedwait(&writer->work, &writer->lock, &until) != 0;
    }
    if (writer->first == NULL) {
        queue_filling(writer);
    }
    return take_queued(writer);
}

static void write_batch(struct writer *writer, struct batch *batch)
{
    struct error error = {0};
    bool skip = writer->failed;
    writer->busy = true;
    (void)pthread_mutex_unlock(&writer->lock);
    bool written = skip || inserter_write(&writer->inserter, batch, &error);
    (void)pthread_mutex_lock(&writer->lock);
    writer->busy = false;
    if (!written) {
        writer->failed = true;
        writer->error = error;
    }
    give_back(writer, batch);
    (void)pthread_cond_broadcast(&writer->done);
}

static void *writer_run(void *self)
{
    struct writer *writer = self;
    (void)pthread_mutex_lock(&writer->lock);
    for (;;) {
        struct batch *batch = wait_for_batch(writer);
        if (batch != NULL) {
            write_batch(writer, batch);
        } else if (writer->ending) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return NULL;
}

static bool open_connection(struct writer *writer, struct error *error)
{
    struct store *store = writer->store;
    writer->own_db = !store->memory;
    if (store->memory) {
        writer->db = store->db;
        return true;
    }
    /* A checkpoint copies what the log holds; the larger the log, the fewer pages twice. Rows are
     * appended: a page that is full is never looked at again, and a small cache stays near. */
    return sql_open(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, &writer->db, error) &&
           sql_settle(store, writer->db, error) &&
           sql_exec(store, writer->db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=4096;"
                                       "PRAGMA cache_size=-8192",
                    "write", error);
}

static void close_connection(struct writer *writer)
{
    inserter_close(&writer->inserter);
    if (writer->own_db) {
        (void)sqlite3_close(writer->db);
    }
}

/* Signals belong to the main thread. */
static bool start_thread(struct writer *writer)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&writer->thread, NULL, writer_run, writer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static void init_locks(struct writer *writer)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&writer->lock, NULL);
    (void)pthread_cond_init(&writer->work, &attributes);
    (void)pthread_cond_init(&writer->done, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void free_batches(struct batch *batch)
{
    while (batch != NULL) {
        struct batch *next = batch->next;
        batch_free(batch);
        batch = next;
    }
}

static void writer_free(struct writer *writer)
{
    close_connection(writer);
    (void)pthread_mutex_destroy(&writer->lock);
    (void)pthread_cond_destroy(&writer->work);
    (void)pthread_cond_destroy(&writer->done);
    batch_free(writer->filling);
    free_batches(writer->first);
    free_batches(writer->spare);
    free(writer);
}

struct writer *writer_start(struct store *store, struct error *error)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        (void)sql_fail(store, NULL, SQLITE_NOMEM, "write", error);
        return NULL;
    }
    writer->store = store;
    init_locks(writer);
    if (!open_connection(writer, error) ||
        !inserter_open(&writer->inserter, store, writer->db, error)) {
        writer_free(writer);
        return NULL;
    }
    if (!start_thread(writer)) {
        (void)error_set(error, ERROR_RUNTIME,
                        "cannot write the database %s: no thread can be started; raise the limit of "
                        "processes (ulimit -u)",
                        store->path);
        writer_free(writer);
        return NULL;
    }
    return writer;
}

bool writer_flush(struct writer *writer, struct error *error)
{
    (void)pthread_mutex_lock(&writer->lock);
    queue_filling(writer);
    while (writer->queued > 0 || writer->busy) {
        (void)pthread_cond_wait(&writer->done, &writer->lock);
    }
    bool written = !writer->failed;
    if (!written && error != NULL) {
        *error = writer->error;
    }
    (void)pthread_mutex_unlock(&writer->lock);
    return written;
}

void writer_stop(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->lock);
    writer->ending = true;
    (void)pthread_cond_signal(&writer->work);
    (void)pthread_mutex_unlock(&writer->lock);
    (void)pthread_join(writer->thread, NULL);
    writer_free(writer);
}

static void fail_for_memory(struct writer *writer)
{
    writer->failed = true;
    (void)sql_fail(writer->store, NULL, SQLITE_NOMEM, "write", &writer->error);
}

/* Makes room for size bytes in writer->filling; waits while the queue is full. */
static bool make_room(struct writer *writer, size_t size)
{
    struct batch *filling = writer->filling;
    if (filling != NULL && (filling->capacity - filling->len < size ||
                            filling->records >= BATCH_RECORDS)) {
        queue_filling(writer);
    }
    while (writer->queued >= WRITER_QUEUE && !writer->failed) {
        (void)pthread_cond_wait(&writer->done, &writer->lock);
    }
    if (writer->failed) {
        return false;
    }
    if (writer->filling == NULL && size <= BATCH_BYTES && writer->spare != NULL) {
        writer->filling = writer->spare;
        writer->spare = writer->spare->next;
    } else if (writer->filling == NULL) {
        writer->filling = batch_new(size > BATCH_BYTES ? size : BATCH_BYTES);
    }
    if (writer->filling == NULL) {
        fail_for_memory(writer);
    }
    return writer->filling != NULL;
}

void writer_put(struct writer *writer, enum record_kind kind, const void *record)
{
    size_t size = batch_size_of(kind, record);
    (void)pthread_mutex_lock(&writer->lock);
    if (!writer->failed && make_room(writer, size)) {
        batch_add(writer->filling, kind, record);
    }
    (void)pthread_mutex_unlock(&writer->lock);
}
