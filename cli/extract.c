#include "cli/extract.h"

#include "capture/fetch.h"
#include "capture/source.h"
#include "capture/writer.h"
#include "cli/mask.h"
#include "core/limits.h"
#include "reports/finding_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MOST 1000000 /* of one source: a file of some GB; more is a job for tcpdump */
#define INTERFACES_MOST 64
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

struct frame_list {
    struct fetch_frame *frames;
    size_t count, capacity;
};

struct extraction {
    const struct extract_request *request;
    struct flow_record flow;
    struct capture_writer *writer;
    struct decoder *decoder;
    int64_t source_id; /* that is being copied */
    struct {
        uint16_t link_type;
        char name[64];
        uint32_t number;
    } interfaces[INTERFACES_MOST];
    size_t interface_count;
    uint8_t *copy; /* of one packet, to be masked */
    uint64_t packets;
    bool failed;
    struct error *error;
};

/* ---- which frames ---- */
static bool add_frame(struct frame_list *list, int64_t frame, int64_t offset)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 256;
        struct fetch_frame *grown = realloc(list->frames, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        list->frames = grown;
        list->capacity = capacity;
    }
    list->frames[list->count++] = (struct fetch_frame){frame, offset};
    return list->count < FRAMES_MOST;
}

static int compare_frames(const void *a, const void *b)
{
    int64_t left = ((const struct fetch_frame *)a)->frame;
    int64_t right = ((const struct fetch_frame *)b)->frame;
    return left < right ? -1 : left > right;
}

static void sort_frames(struct frame_list *list)
{
    size_t kept = 0;
    if (list->count == 0) {
        return;
    }
    qsort(list->frames, list->count, sizeof(*list->frames), compare_frames);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->frames[i].frame != list->frames[kept - 1].frame) {
            list->frames[kept++] = list->frames[i];
        }
    }
    list->count = kept;
}

static const char *write_filter(const struct flow_record *flow, char *out, size_t size)
{
    char client[ADDRESS_TEXT_SIZE], server[ADDRESS_TEXT_SIZE], plain[256];
    address_to_text(&flow->client_ip, client);
    address_to_text(&flow->server_ip, server);
    if (flow->protocol == PROTOCOL_TCP || flow->protocol == PROTOCOL_UDP) {
        snprintf(plain, sizeof(plain), "host %s and host %s and %s port %u and %s port %u", client,
                 server, flow->protocol == PROTOCOL_TCP ? "tcp" : "udp",
                 (unsigned)flow->client_port, flow->protocol == PROTOCOL_TCP ? "tcp" : "udp",
                 (unsigned)flow->server_port);
    } else {
        snprintf(plain, sizeof(plain), "host %s and host %s", client, server);
    }
    snprintf(out, size, "(%s) or (vlan and %s)", plain, plain);
    return out;
}

/* Frames of the flow in the source by libpcap's filter and the flow's time. Link types without VLAN
 * refuse that part of the filter: then without it. */
static bool find_flow_frames(struct extraction *e, const struct source_record *from,
                             struct frame_list *out)
{
    char filter[640];
    struct packet packet;
    struct error ignored;
    struct source *source = source_open_file(from->path, 1, e->error);
    if (source == NULL) {
        return false;
    }
    write_filter(&e->flow, filter, sizeof(filter));
    if (!source_set_filter(source, filter, &ignored)) {
        filter[strcspn(filter, ")") + 1] = '\0';
        if (!source_set_filter(source, filter, e->error)) {
            source_close(source);
            return false;
        }
    }
    enum source_result got;
    while ((got = source_next(source, &packet, e->error)) == SOURCE_PACKET) {
        if (packet.time_ns >= e->flow.first_ns && packet.time_ns <= e->flow.last_ns &&
            !add_frame(out, (int64_t)packet.frame, -1)) {
            break;
        }
    }
    source_close(source);
    return got != SOURCE_FAILED;
}

struct evidence_search {
    struct frame_list *list;
    int64_t source_id;
};

static bool take_icmp(void *self, const void *record)
{
    const struct evidence_search *search = self;
    const struct icmp_record *icmp = record;
    return icmp->source_id != search->source_id || add_frame(search->list, icmp->frame, -1);
}

static bool find_frames(struct extraction *e, const struct source_record *source,
                        struct frame_list *out)
{
    const struct case_finding *finding = e->request->finding;
    for (size_t i = 0; finding != NULL && i < finding->evidence_count; i++) {
        if (finding->evidence[i].source_id == source->id) {
            (void)add_frame(out, finding->evidence[i].frame, finding->evidence[i].offset);
        }
    }
    if (e->flow.id != 0) {
        struct evidence_search search = {out, source->id};
        char where[64];
        snprintf(where, sizeof(where), "flow_id = %lld", (long long)e->flow.id);
        if (!find_flow_frames(e, source, out) ||
            !store_select(e->request->loaded->store, RECORD_ICMP, where, NULL, -1, false, take_icmp,
                          &search, e->error)) {
            return false;
        }
    }
    sort_frames(out);
    return true;
}

/* ---- copying ---- */
static bool choose_interface(struct extraction *e, const struct packet *packet, const char *name,
                             uint32_t *out)
{
    for (size_t i = 0; i < e->interface_count; i++) {
        if (e->interfaces[i].link_type == packet->link_type &&
            strncmp(e->interfaces[i].name, name, sizeof(e->interfaces[i].name) - 1) == 0) {
            *out = e->interfaces[i].number;
            return true;
        }
    }
    if (e->interface_count == INTERFACES_MOST) {
        return error_set(e->error, ERROR_RUNTIME, "more than %d interfaces", INTERFACES_MOST);
    }
    if (!writer_interface(e->writer, packet->link_type, 0, name[0] != '\0' ? name : NULL, out)) {
        return error_set(e->error, ERROR_RUNTIME, "%s: cannot be written", e->request->path);
    }
    size_t at = e->interface_count++;
    e->interfaces[at].link_type = packet->link_type;
    e->interfaces[at].number = *out;
    snprintf(e->interfaces[at].name, sizeof(e->interfaces[at].name), "%s", name);
    return true;
}

/* "conn-refused: rst"; NULL for packets that are no evidence. */
static const char *comment_of(const struct extraction *e, const struct packet *packet, char *out,
                              size_t size)
{
    const struct case_finding *finding = e->request->finding;
    for (size_t i = 0; finding != NULL && i < finding->evidence_count; i++) {
        const struct finding_evidence_record *evidence = &finding->evidence[i];
        if (evidence->source_id == e->source_id && evidence->frame == (int64_t)packet->frame) {
            const char *note = evidence->note != NULL ? evidence->note : "";
            snprintf(out, size, "%s: %s (%s)", case_info(finding)->code,
                     text_word(note, e->request->language),
                     case_source_path(e->request->loaded, e->source_id));
            return out;
        }
    }
    return NULL;
}

static enum mask_keep keep_of(const struct flow_record *flow, const struct layers *layers)
{
    const char *app = flow->app != NULL ? flow->app : "";
    bool of_flow =
        (layers->src_port == flow->server_port && layers->dst_port == flow->client_port) ||
        (layers->src_port == flow->client_port && layers->dst_port == flow->server_port);
    if (!of_flow) { /* evidence from elsewhere: nothing is known of its content */
        app = "";
    }
    if (layers->src_port == 53 || layers->dst_port == 53 || strcmp(app, "tls") == 0 ||
        strcmp(app, "tlcp") == 0) {
        return MASK_KEEP_ALL;
    }
    return strcmp(app, "http") == 0 ? MASK_KEEP_HTTP_HEADERS : MASK_KEEP_NOTHING;
}

static bool copy_packet(void *self, const struct packet *packet, const char *interface)
{
    struct extraction *e = self;
    struct packet masked = *packet;
    char comment[512];
    uint32_t number;
    if (!choose_interface(e, packet, interface, &number)) {
        e->failed = true;
        return false;
    }
    if (!e->request->raw && packet->caplen > 0) {
        struct layers layers;
        memcpy(e->copy, packet->data, packet->caplen);
        masked.data = e->copy;
        decode_packet(e->decoder, &masked, &layers);
        mask_packet(e->copy, packet, &layers, keep_of(&e->flow, &layers));
    }
    e->failed =
        !writer_packet(e->writer, number, &masked, comment_of(e, packet, comment, sizeof(comment)));
    e->packets += !e->failed;
    return !e->failed;
}

static bool copy_source(struct extraction *e, const struct source_record *source)
{
    struct frame_list list = {NULL, 0, 0};
    const struct fetch_source from = {source->path, source->size, source->sha256_head,
                                      source->sha256_tail};
    e->source_id = source->id;
    bool good = find_frames(e, source, &list);
    if (good && list.count > 0) {
        good =
            capture_fetch(&from, list.frames, list.count, copy_packet, e, e->error) && !e->failed;
    }
    free(list.frames);
    return good;
}

/* Whether the flow or the finding has packets in this source. */
static bool concerns(const struct extraction *e, const struct source_record *source)
{
    const struct case_finding *finding = e->request->finding;
    for (size_t i = 0; finding != NULL && i < finding->evidence_count; i++) {
        if (finding->evidence[i].source_id == source->id) {
            return true;
        }
    }
    return e->flow.id != 0 && source->first_ns <= e->flow.last_ns &&
           source->last_ns >= e->flow.first_ns;
}

static bool take_flow(void *self, const void *record)
{
    memcpy(self, record, sizeof(struct flow_record));
    return false;
}

static bool load_flow(struct extraction *e)
{
    char where[64];
    if (e->request->flow_id == 0) {
        return true;
    }
    snprintf(where, sizeof(where), "id = %lld", (long long)e->request->flow_id);
    if (!store_select(e->request->loaded->store, RECORD_FLOW, where, NULL, 1, true, take_flow,
                      &e->flow, e->error)) {
        return false;
    }
    return e->flow.id != 0 ||
           error_set(e->error, ERROR_USAGE, "%s holds no flow %lld",
                     store_path(e->request->loaded->store), (long long)e->request->flow_id);
}

static bool copy_all(struct extraction *e)
{
    const struct report_case *loaded = e->request->loaded;
    for (size_t i = 0; i < loaded->source_count; i++) {
        if (concerns(e, &loaded->sources[i]) && !copy_source(e, &loaded->sources[i])) {
            return false;
        }
    }
    return e->packets > 0 || error_set(e->error, ERROR_INPUT, "no packet of it was found again");
}

bool extract_write(const struct extract_request *request, uint64_t *out_packets,
                   struct error *error)
{
    struct extraction *e = calloc(1, sizeof(*e));
    char comment[256];
    if (e == NULL) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    e->request = request;
    e->error = error;
    e->copy = malloc(LIMIT_PACKET_BYTES);
    e->decoder = decoder_new(false);
    bool good = e->copy != NULL && e->decoder != NULL;
    good = good ? load_flow(e) : error_set(error, ERROR_RUNTIME, "out of memory");
    snprintf(comment, sizeof(comment), "invcap %s: %s", INVCAP_VERSION,
             text_get(request->raw ? TEXT_NOTE_EXTRACT_RAW : TEXT_NOTE_EXTRACT_MASKED,
                      request->language));
    if (good) {
        e->writer = writer_open(request->path, comment, error);
        good = e->writer != NULL && copy_all(e);
    }
    if (e->writer != NULL && good) {
        good = writer_close(e->writer, error);
    } else if (e->writer != NULL) {
        writer_abort(e->writer);
    }
    if (good) {
        *out_packets = e->packets;
    }
    decoder_free(e->decoder);
    free(e->copy);
    free(e);
    return good;
}
