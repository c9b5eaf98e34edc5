/* Several sources in time order: a binary heap of their next packets by (time, source id), so that
 * a folder of a thousand rotated files costs ten comparisons a packet. A source is asked for its
 * next packet only after the caller has let go of the last one. */
#include "capture/source.h"

#include <stdlib.h>

/* A quiet live source is asked again after so many packets of the others. */
#define MERGER_ASK_AGAIN 64
/* How long to wait for each of several sources when none has a packet. */
#define MERGER_POLL_MS 20

struct head {
    struct source *source;
    struct packet packet;
};

struct merger {
    struct source **sources;
    size_t count;
    struct head *heap; /* heap_count heads that hold a packet, the earliest first */
    size_t heap_count;
    struct source **waiting; /* sources that must be asked before the next packet goes out */
    size_t waiting_count;
    unsigned since_asked;
    bool given; /* the caller holds the packet of heap[0] */
};

static bool head_is_before(const struct head *a, const struct head *b)
{
    if (a->packet.time_ns != b->packet.time_ns)
        return a->packet.time_ns < b->packet.time_ns;
    return a->packet.source_id < b->packet.source_id;
}

static void heap_sink(struct merger *merger)
{
    struct head moved = merger->heap[0];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= merger->heap_count)
            break;
        if (child + 1 < merger->heap_count &&
            head_is_before(&merger->heap[child + 1], &merger->heap[child]))
            child++;
        if (!head_is_before(&merger->heap[child], &moved))
            break;
        merger->heap[at] = merger->heap[child];
        at = child;
    }
    merger->heap[at] = moved;
}

static void heap_add(struct merger *merger, const struct head *added)
{
    size_t at = merger->heap_count++;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!head_is_before(added, &merger->heap[parent]))
            break;
        merger->heap[at] = merger->heap[parent];
        at = parent;
    }
    merger->heap[at] = *added;
}

static void heap_drop_first(struct merger *merger)
{
    merger->heap[0] = merger->heap[--merger->heap_count];
    if (merger->heap_count > 0)
        heap_sink(merger);
}

struct merger *merger_new(struct source **sources, size_t count)
{
    struct merger *merger = calloc(1, sizeof *merger);
    if (merger != NULL) {
        merger->sources = calloc(count + 1, sizeof(struct source *));
        merger->waiting = calloc(count + 1, sizeof(struct source *));
        merger->heap = calloc(count + 1, sizeof *merger->heap);
    }
    if (merger == NULL || merger->sources == NULL || merger->waiting == NULL ||
        merger->heap == NULL) {
        for (size_t i = 0; i < count; i++)
            source_close(sources[i]);
        merger_close(merger);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        merger->sources[i] = merger->waiting[i] = sources[i];
    merger->count = merger->waiting_count = count;
    return merger;
}

/* Gets the next packet of the source whose packet the caller has let go of. */
static enum source_result merger_advance(struct merger *merger, struct error *error)
{
    struct head *first = &merger->heap[0];
    struct source *source = first->source;
    if (source_is_live(source))
        source_set_poll(source, 0); /* others have packets: no waiting */
    enum source_result result = source_next(source, &first->packet, error);
    if (result == SOURCE_PACKET) {
        heap_sink(merger);
        return result;
    }
    heap_drop_first(merger);
    if (result == SOURCE_IDLE)
        merger->waiting[merger->waiting_count++] = source;
    return result;
}

/* Asks the sources that wait. SOURCE_PACKET: the first of the heap may go out; SOURCE_IDLE: a
 * source that holds the others back has nothing yet. */
static enum source_result merger_ask(struct merger *merger, struct error *error)
{
    bool held_back = false;
    bool due = merger->heap_count == 0 || ++merger->since_asked >= MERGER_ASK_AGAIN;
    size_t i = 0;
    while (i < merger->waiting_count) {
        struct head head = {.source = merger->waiting[i]};
        bool live = source_is_live(head.source);
        if (live && !due) {
            i++;
            continue;
        }
        source_set_poll(head.source, live && merger->heap_count > 0 ? 0 : MERGER_POLL_MS);
        enum source_result result = source_next(head.source, &head.packet, error);
        if (result == SOURCE_IDLE) {
            held_back = held_back || !live;
            i++;
            continue;
        }
        merger->waiting[i] = merger->waiting[--merger->waiting_count];
        if (result == SOURCE_FAILED)
            return result;
        if (result == SOURCE_PACKET)
            heap_add(merger, &head);
    }
    if (due)
        merger->since_asked = 0;
    return held_back ? SOURCE_IDLE : SOURCE_PACKET;
}

enum source_result merger_next(struct merger *merger, struct packet *out, struct error *error)
{
    if (merger->count == 1)
        return source_next(merger->sources[0], out, error);
    if (merger->given) {
        merger->given = false;
        if (merger_advance(merger, error) == SOURCE_FAILED)
            return SOURCE_FAILED;
    }
    if (merger->waiting_count > 0) {
        enum source_result asked = merger_ask(merger, error);
        if (asked != SOURCE_PACKET)
            return asked;
    }
    if (merger->heap_count == 0)
        return merger->waiting_count > 0 ? SOURCE_IDLE : SOURCE_END;
    merger->given = true;
    *out = merger->heap[0].packet;
    return SOURCE_PACKET;
}

size_t merger_more(struct merger *merger, struct packet *out, size_t room)
{
    return merger->count == 1 ? source_more(merger->sources[0], out, room) : 0;
}

size_t merger_count(const struct merger *merger)
{
    return merger->count;
}

struct source *merger_source(struct merger *merger, size_t index)
{
    return merger->sources[index];
}

void merger_close(struct merger *merger)
{
    if (merger == NULL)
        return;
    for (size_t i = 0; i < merger->count; i++)
        source_close(merger->sources[i]);
    free(merger->sources);
    free(merger->waiting);
    free(merger->heap);
    free(merger);
}
