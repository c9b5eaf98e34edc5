#include "store/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct batch *batch_new(size_t capacity)
{
    struct batch *batch = calloc(1, sizeof *batch);
    unsigned char *bytes = batch != NULL ? malloc(capacity) : NULL;
    if (bytes == NULL) {
        free(batch);
        return NULL;
    }
    batch->bytes = bytes;
    batch->capacity = capacity;
    return batch;
}

void batch_free(struct batch *batch)
{
    if (batch != NULL) {
        free(batch->bytes);
        free(batch);
    }
}

static size_t rounded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

static size_t size_plain(enum record_kind kind)
{
    size_t size = kind == RECORD_VERDICT ? sizeof(struct verdict_record)
                                         : record_table_get(kind)->record_size;
    return sizeof(struct batch_entry) + rounded(size);
}

/* Events tell the story of what went wrong; a flow that went well needs none. */
static bool wants_events(const struct flow_bundle *bundle)
{
    return bundle->tcp != NULL || bundle->flow->outcome != OUTCOME_OK ||
           (bundle->tls != NULL && bundle->tls->alert >= 0);
}

static size_t size_of_bundle(const struct flow_bundle *bundle)
{
    size_t size = size_plain(RECORD_FLOW);
    size += bundle->tcp != NULL ? size_plain(RECORD_FLOW_TCP) : 0;
    size += bundle->tls != NULL ? size_plain(RECORD_TLS) : 0;
    size += bundle->tls_certificate_count * size_plain(RECORD_TLS_CERTIFICATE);
    size += bundle->reset_count * size_plain(RECORD_RESET);
    size += wants_events(bundle) ? bundle->event_count * size_plain(RECORD_FLOW_EVENT) : 0;
    return size;
}

/* The bytes of a text or blob member, terminator included. */
static size_t size_of_member(const struct column *column, const void *record)
{
    size_t len = 0;
    if (column->type == COLUMN_TEXT) {
        const char *text = column_get_text(column, record);
        return text[0] != '\0' ? strlen(text) + 1 : 0;
    }
    if (column->type == COLUMN_BLOB) {
        (void)column_get_blob(column, record, &len);
    }
    return len;
}

size_t batch_size_of(enum record_kind kind, const void *record)
{
    if (kind == RECORD_FLOW) {
        return size_of_bundle(record);
    }
    size_t extra = 0;
    const struct record_table *table = record_table_get(kind);
    for (size_t i = 0; table != NULL && i < table->column_count; i++) {
        extra += size_of_member(&table->columns[i], record);
    }
    return size_plain(kind) + rounded(extra);
}

/* Moves a member's bytes behind the copied record and points the copy at them. */
static unsigned char *copy_member(const struct column *column, unsigned char *copy,
                                  unsigned char *room)
{
    size_t len = size_of_member(column, copy);
    const void *from = NULL;
    if (len == 0) {
        return room;
    }
    memcpy(&from, copy + column->offset, sizeof from);
    memcpy(room, from, len);
    memcpy(copy + column->offset, &room, sizeof room);
    return room + len;
}

static unsigned char *add_plain(struct batch *batch, enum record_kind kind, const void *record,
                                size_t size)
{
    struct batch_entry entry = {(uint32_t)kind, (uint32_t)(size - sizeof entry)};
    size_t record_size = kind == RECORD_VERDICT ? sizeof(struct verdict_record)
                                                : record_table_get(kind)->record_size;
    unsigned char *at = batch->bytes + batch->len;
    assert(size <= batch->capacity - batch->len && size - sizeof entry <= UINT32_MAX);
    memcpy(at, &entry, sizeof entry);
    memcpy(at + sizeof entry, record, record_size);
    batch->len += size;
    batch->records++;
    return at + sizeof entry;
}

static void add_event(struct batch *batch, int64_t flow_id, int64_t number,
                      const struct flow_event *event)
{
    struct flow_event_record record = {
        .flow_id = flow_id,
        .number = number,
        .source_id = event->source_id,
        .frame = event->frame,
        .time_ns = event->time_ns,
        .side = event->side,
        .kind = event->kind,
        .sequence = event->sequence,
        .length = event->length,
        .note = (uint8_t)event->note,
        .reason = (uint8_t)event->reason,
        .confidence = event_confidence(event->kind, event->note, event->reason),
    };
    add_plain(batch, RECORD_FLOW_EVENT, &record, size_plain(RECORD_FLOW_EVENT));
}

static void add_bundle(struct batch *batch, const struct flow_bundle *bundle)
{
    add_plain(batch, RECORD_FLOW, bundle->flow, size_plain(RECORD_FLOW));
    if (bundle->tcp != NULL) {
        add_plain(batch, RECORD_FLOW_TCP, bundle->tcp, size_plain(RECORD_FLOW_TCP));
    }
    if (bundle->tls != NULL) {
        add_plain(batch, RECORD_TLS, bundle->tls, size_plain(RECORD_TLS));
    }
    for (size_t i = 0; i < bundle->tls_certificate_count; i++) {
        add_plain(batch, RECORD_TLS_CERTIFICATE, &bundle->tls_certificates[i],
                  size_plain(RECORD_TLS_CERTIFICATE));
    }
    for (size_t i = 0; i < bundle->reset_count; i++) {
        add_plain(batch, RECORD_RESET, &bundle->resets[i], size_plain(RECORD_RESET));
    }
    for (size_t i = 0; wants_events(bundle) && i < bundle->event_count; i++) {
        add_event(batch, bundle->flow->id, (int64_t)i, &bundle->events[i]);
    }
}

void batch_add(struct batch *batch, enum record_kind kind, const void *record)
{
    if (kind == RECORD_FLOW) {
        add_bundle(batch, record);
        return;
    }
    const struct record_table *table = record_table_get(kind);
    unsigned char *copy = add_plain(batch, kind, record, batch_size_of(kind, record));
    unsigned char *room = copy + size_plain(kind) - sizeof(struct batch_entry);
    for (size_t i = 0; table != NULL && i < table->column_count; i++) {
        room = copy_member(&table->columns[i], copy, room);
    }
}

const void *batch_record(const struct batch *batch, size_t at)
{
    return batch->bytes + at + sizeof(struct batch_entry);
}

const void *batch_next(const struct batch *batch, size_t *at, enum record_kind *kind)
{
    struct batch_entry entry;
    if (*at >= batch->len) {
        return NULL;
    }
    memcpy(&entry, batch->bytes + *at, sizeof entry);
    const void *record = batch_record(batch, *at);
    *at += sizeof entry + entry.len;
    *kind = (enum record_kind)entry.kind;
    return record;
}
