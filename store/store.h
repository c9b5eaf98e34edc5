/* The SQLite store (DESIGN.md "Store"): schema from the column tables of core/record.h, a writer
 * thread with batches, readers. One struct store is one open database; all functions are called from
 * one thread at a time. A record put again replaces the row with the same key. */
#ifndef INVCAP_STORE_STORE_H
#define INVCAP_STORE_STORE_H

#include "core/error.h"
#include "core/hints.h"
#include "core/record.h"

struct store;

enum store_mode {
    STORE_WRITE,  /* create or open for writing; migrates; one writer at a time, else a clear error */
    STORE_CHANGE, /* the same, but never creates: a missing or empty database is an error */
    STORE_READ    /* read-only; refuses other applications' files and newer schemas */
};

/* path ":memory:" keeps nothing. NULL on failure. */
struct store *store_open(const char *path, enum store_mode mode, struct error *error);
/* Begins a `read`: gives the new capture id and marks the capture as interrupted until store_finish.
 * Unless append, store_replace_source replaces what earlier captures hold of the same sources. */
APART
bool store_begin(struct store *store, bool append, int64_t *capture_id, struct error *error);
/* Ids from which this capture's rows may count, so that several captures share the tables. Ask after
 * store_replace_source: what it deletes frees its numbers. 1 in an empty store. */
int64_t store_next_flow_id(const struct store *store);
int64_t store_next_path_id(const struct store *store);
int64_t store_next_source_id(const struct store *store);
int64_t store_next_certificate_id(const struct store *store);
int64_t store_next_staple_id(const struct store *store);
int64_t store_next_finding_id(const struct store *store);
/* Removes every older capture that holds this source: the same path (not "-"), or the same size and
 * digests of head and tail. The whole capture goes, with its other sources, because its verdicts were
 * made over all of them. Does nothing when the read appends. Call it for every source before the
 * first packet. */
bool store_replace_source(struct store *store, const struct source_record *source,
                          struct error *error);
/* What another profile says of a flow: its service; NULL none. */
struct store_service {
    int64_t flow_id;
    const char *service;
};
/* Writes the services of flows, and the name of the profile that said so into their capture. What was
 * put before is committed first. */
bool store_set_services(struct store *store, int64_t capture_id, const char *profile,
                        const struct store_service *services, size_t count, struct error *error);
/* Removes what an earlier `baseline save` left. */
bool store_clear_baselines(struct store *store, struct error *error);
/* Removes the findings of a capture with their values, evidence and flows, before it is judged again. */
bool store_clear_findings(struct store *store, int64_t capture_id, struct error *error);
/* Takes copies of records; the writer thread inserts them in batches (a transaction at least every
 * 5 s of wall time). Strings inside a flow bundle are not copied: they live until the next
 * store_flush. Of a bundle, events are kept when the flow did not end well, has a flow_tcp record or a
 * TLS alert. After an error what is put is ignored; store_flush and store_finish tell the error. */
struct sink store_sink(struct store *store);
/* Waits until all that was put is inserted and committed. */
bool store_flush(struct store *store, struct error *error);
/* Flush, secondary indexes, checkpoint, journal_mode=DELETE: the file can be mailed. The capture is
 * no longer marked as interrupted, unless its own record says so. */
bool store_finish(struct store *store, struct error *error);
/* Takes back what store_begin and the sources of this capture left, after an input that could not be
 * read: the last capture is the one before, and a database made for it goes away at store_close. */
APART
bool store_abandon(struct store *store, struct error *error);
void store_close(struct store *store);
const char *store_path(const struct store *store);

/* Calls row for each record of the kind in order (RECORD_FLOW: a struct flow_record). where
 * ("flow_id = 3", may be NULL) and order_by (NULL = key) are SQL of ours, never of the user; limit 0
 * or less is none. The record and its strings live until row returns unless keep_strings: then
 * strings live until store_close. row returns false to stop early. */
bool store_select(struct store *store, enum record_kind kind, const char *where,
                  const char *order_by, int64_t limit, bool keep_strings,
                  bool (*row)(void *self, const void *record), void *self, struct error *error);

/* The same one after another, for merging several kinds: NULL on failure. */
struct store_cursor;
struct store_cursor *store_cursor_open(struct store *store, enum record_kind kind, const char *where,
                                       const char *order_by, int64_t limit, bool keep_strings,
                                       struct error *error);
/* *out lives until the next call; NULL at the end. False on failure. */
bool store_cursor_next(struct store_cursor *cursor, const void **out, struct error *error);
void store_cursor_close(struct store_cursor *cursor);
/* From now on texts that would take more than so many bytes are not kept (keep_strings): they are absent, and
 * counted. */
void store_limit_texts(struct store *store, uint64_t bytes);
uint64_t store_texts_refused(const struct store *store);
/* Frees all that was kept so far, for callers that have no more use for it, and ends the limit. */
void store_forget_texts(struct store *store);

/* Free read-only SQL (reports, `invcap sql`, --where). Each row as text cells, NULL cells as NULL;
 * column types as SQLite's (1 integer, 2 real, 3 text, 4 blob, 5 null) in types. */
struct store_row {
    int count;
    const char *const *names;
    const char *const *cells;
    const int *types;
};
bool store_query(struct store *store, const char *sql, bool (*row)(void *self, const struct store_row *row),
                 void *self, struct error *error);
/* The capture that reports show unless told: the last one; 0 when the store is empty. */
int64_t store_last_capture(struct store *store, struct error *error);

#endif
