#include "cli/pipeline.h"

#include "capture/source.h"
#include "cli/command.h"
#include "core/catalogue.h"
#include "core/digest.h"
#include "core/heap.h"
#include "core/hints.h"
#include "core/intern.h"
#include "core/limits.h"
#include "diagnosis/diagnosis.h"
#include "dissectors/tls_keys.h"
#include "dissectors/x509.h"
#include "sessions/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The clock is asked for progress and for live duration only every so many packets. */
#define PACKETS_PER_CLOCK 4096u
#define PROGRESS_NS 300000000LL
/* Pauses that teach the idle timers of a path. */
#define NOTABLE_IDLE_NS 5000000000LL

struct pipeline {
    const struct pipeline_options *options;
    const struct profile *profile;
    struct store *store;
    struct sink store_sink;
    struct site *site;
    uint64_t site_bytes; /* the engine leaves them room under the ceiling */
    struct intern *strings;
    struct certificate_cache *certificates;
    struct engine *engine;
    struct merger *merger;
    struct source **sources; /* owned by the merger once it exists */
    size_t source_count;
    struct tls_keys *own_keys; /* of decryption secrets blocks when no key log was named */
    size_t *secrets_taken;     /* bytes by source */
    int64_t capture_id, first_source_id;
    int64_t started_ns, progress_ns;
    char salt[33];
    bool out_of_memory, read_failed;
    struct pipeline_result *result;
};

static int64_t wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Whether more happened than a reset behind a complete answer: half of all healthy HTTPS connections end
 * so, and neither their TCP details nor their ladder would ever be looked at. */
static bool is_notable(const struct flow_bundle *bundle)
{
    const struct flow_record *flow = bundle->flow;
    if (flow->outcome != OUTCOME_OK || (bundle->tls != NULL && bundle->tls->alert > 0))
        return true;
    if (bundle->tcp == NULL)
        return false;
    for (int s = 0; s < 2; s++) {
        const struct tcp_side_facts *side = &bundle->tcp->side[s];
        if (side->zero_windows > 0 || side->zero_window_ns > 0 || side->silent_probes > 1 ||
            side->reordered_segments > 0 || side->wire_gap_bytes > 0 ||
            side->tail_retransmissions > 0 || side->data_after_rst || side->conflicting_segments > 0 ||
            side->unseen_echo)
            return true;
    }
    return flow->client_retransmissions + flow->server_retransmissions + flow->syn_retransmissions +
                   flow->synack_retransmissions > 0 ||
           flow->capture_lost_bytes > 0 || bundle->tcp->longest_idle_ns >= NOTABLE_IDLE_NS ||
           bundle->tcp->synack_conflict || bundle->tcp->challenge_ack;
}

static void keep_for_judging(struct pipeline *p, enum record_kind kind, const void *record)
{
    if (!site_add(p->site, kind, record))
        p->out_of_memory = true;
    if (kind == RECORD_CERTIFICATE || kind == RECORD_STAPLE)
        site_note_beside(p->site, certificate_cache_memory(p->certificates));
    p->site_bytes = site_memory(p->site) + intern_memory(p->strings) + certificate_cache_memory(p->certificates);
}

/* Everything the engine finds goes through the flow diagnosis into the store and the site. */
static void put_record(void *self, enum record_kind kind, const void *record)
{
    struct pipeline *p = self;
    if (kind == RECORD_FLOW) {
        struct flow_bundle bundle = *(const struct flow_bundle *)record;
        flow_diagnose(p->profile, &bundle);
        if (!is_notable(&bundle)) {
            bundle.event_count = bundle.reset_count = 0;
            bundle.tcp = NULL;
        }
        uint64_t left_out = site_flows_left_out(p->site);
        keep_for_judging(p, kind, &bundle);
        if (site_flows_left_out(p->site) != left_out && bundle.flow->outcome != OUTCOME_OK) {
            bundle.flow->outcome = OUTCOME_UNKNOWN; /* nobody will judge it */
            bundle.flow->verdict = 0;
        }
        sink_put(&p->store_sink, kind, &bundle);
        return;
    }
    sink_put(&p->store_sink, kind, record);
    keep_for_judging(p, kind, record);
}

/* What the site diagnosis says goes to the store; the worst severity is kept for --fail-on. */
static void put_judgement(void *self, enum record_kind kind, const void *record)
{
    struct pipeline *p = self;
    if (kind == RECORD_FINDING) {
        const struct finding_record *finding = record;
        if (finding->state != FINDING_WITHDRAWN && finding->severity > p->result->worst_severity)
            p->result->worst_severity = finding->severity;
    }
    sink_put(&p->store_sink, kind, record);
}

static bool open_live(struct pipeline *p, struct error *error)
{
    p->sources = calloc(1, sizeof(struct source *));
    if (p->sources == NULL)
        return error_set(error, ERROR_RUNTIME, "out of memory while opening the interface");
    p->sources[0] = source_open_live(p->options->interface, p->options->filter,
                                     (uint32_t)p->first_source_id, error);
    p->source_count = p->sources[0] != NULL ? 1 : 0;
    return p->source_count == 1;
}

/* Opens one file; when several were named, one that cannot be read is said and left out. */
static bool open_one(struct pipeline *p, const char *path, bool alone, struct error *error)
{
    struct error trouble = {0};
    uint32_t id = (uint32_t)(p->first_source_id + (int64_t)p->source_count);
    struct source *source = source_open_file(path, id, &trouble);
    if (source != NULL && p->options->filter != NULL &&
        !source_set_filter(source, p->options->filter, &trouble)) {
        source_close(source);
        *error = trouble;
        return false;
    }
    if (source != NULL) {
        p->sources[p->source_count++] = source;
        return true;
    }
    if (alone) {
        *error = trouble;
        return false;
    }
    command_print_error(p->options->language, &trouble);
    p->result->input_error = trouble;
    return true;
}

static bool open_files(struct pipeline *p, struct error *error)
{
    char **paths = NULL;
    size_t count = 0;
    if (!source_paths_expand(p->options->paths, p->options->path_count, &paths, &count, error))
        return false;
    p->sources = calloc(count + 1, sizeof(struct source *));
    bool ok = p->sources != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = open_one(p, paths[i], count == 1, error);
    source_paths_free(paths, count);
    if (ok && p->source_count == 0) {
        if (p->result->input_error.code != ERROR_NONE)
            *error = p->result->input_error;
        else
            (void)error_set(error, ERROR_INPUT, "no capture file in what was named");
        return false;
    }
    return ok;
}

/* Registers the sources, replacing what earlier captures hold of them. */
static bool register_sources(struct pipeline *p, struct error *error)
{
    for (size_t i = 0; i < p->source_count; i++) {
        struct source_record record = {0};
        source_describe(p->sources[i], p->strings, &record);
        record.id = p->first_source_id + (int64_t)i;
        record.capture_id = p->capture_id;
        if (!store_replace_source(p->store, &record, error))
            return false;
    }
    return true;
}

static const char *capture_name(struct pipeline *p)
{
    char text[1024] = "";
    size_t len = 0;
    if (p->options->interface != NULL)
        return intern_text(p->strings, p->options->interface);
    for (size_t i = 0; i < p->options->path_count && len < sizeof text - 1; i++) {
        int n = snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? ", " : "",
                         p->options->paths[i]);
        len += n > 0 ? (size_t)n : 0;
    }
    return intern_text(p->strings, text);
}

APART
static void fill_capture(struct pipeline *p, struct capture_record *capture)
{
    capture->id = p->capture_id;
    capture->name = capture_name(p);
    capture->version = INVCAP_VERSION;
    capture->profile = p->profile->name;
    capture->salt = p->salt;
    capture->live = p->options->interface != NULL;
    capture->filter = p->options->filter;
}

/* What a reader finds after a kill -9: which capture it was. */
static void announce_capture(struct pipeline *p)
{
    struct capture_record capture = {.routed_delay_ns = -1};
    fill_capture(p, &capture);
    sink_put(&p->store_sink, RECORD_CAPTURE, &capture);
}

/* Without a salt (no entropy) nothing is hashed. */
static void make_salt(struct pipeline *p)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes)
        (void)hex_from_bytes(bytes, sizeof bytes, p->salt);
}

static bool start(struct pipeline *p, struct error *error)
{
    const struct pipeline_options *o = p->options;
    uint64_t room = pipeline_memory(o->memory_bytes);
    p->strings = intern_new();
    p->site = site_new(p->profile);
    if (p->strings == NULL || p->site == NULL)
        return error_set(error, ERROR_RUNTIME, "out of memory while starting");
    site_limit(p->site, room);
    intern_limit(p->strings, room / 8);
    p->first_source_id = store_next_source_id(p->store);
    if (!(o->interface != NULL ? open_live(p, error) : open_files(p, error)))
        return false;
    if (!register_sources(p, error)) /* frees the numbers of what it replaces */
        return false;
    make_salt(p);
    announce_capture(p);
    p->certificates = certificate_cache_new(p->strings, store_next_certificate_id(p->store));
    struct engine_options options = {
        .profile = p->profile,
        .sink = {p, put_record},
        .strings = p->strings,
        .certificates = p->certificates,
        .salt = p->salt,
        .keys = o->keys,
        .capture_id = p->capture_id,
        .first_flow_id = store_next_flow_id(p->store),
        .first_path_id = store_next_path_id(p->store),
        .memory_bytes = room,
        .beside = &p->site_bytes,
        .ndpi = (enum engine_ndpi)o->ndpi,
        .verify_checksums = true,
    };
    if (p->certificates != NULL)
        certificate_cache_limit(p->certificates, room / 8);
    p->merger = merger_new(p->sources, p->source_count);
    p->secrets_taken = calloc(p->source_count, sizeof *p->secrets_taken);
    if (p->certificates != NULL)
        certificate_cache_number_staples(p->certificates, store_next_staple_id(p->store));
    if (p->merger == NULL || p->certificates == NULL || p->secrets_taken == NULL)
        return error_set(error, ERROR_RUNTIME, "out of memory while starting");
    p->engine = engine_new(&options, error);
    return p->engine != NULL;
}

APART
static void show_progress(struct pipeline *p, uint64_t packets)
{
    int64_t now = wall_ns();
    if (!p->options->progress || now - p->progress_ns < PROGRESS_NS)
        return;
    p->progress_ns = now;
    (void)fprintf(stderr, "\rinvcap: %llu packets, %.1f s", (unsigned long long)packets,
                  (double)(now - p->started_ns) / 1e9);
}

static bool is_stopped(const struct pipeline *p)
{
    return p->options->stop != NULL && *p->options->stop != 0;
}

static bool is_over_time(const struct pipeline *p)
{
    return p->options->duration_ns > 0 && wall_ns() - p->started_ns >= p->options->duration_ns;
}

/* How many packets may come at a time. */
static size_t run_room(const struct pipeline *p, uint64_t packets)
{
    uint64_t limit = p->options->packet_limit;
    return limit == 0 || limit - packets > ENGINE_RUN ? ENGINE_RUN : (size_t)(limit - packets);
}

static bool has_enough(const struct pipeline *p, uint64_t packets)
{
    return p->options->packet_limit > 0 && packets >= p->options->packet_limit;
}

/* A source that failed has ended; the others go on. Alone, with nothing read, it is told by run(). */
RARE
static void give_up_source(struct pipeline *p, const struct error *trouble)
{
    p->result->input_error = *trouble;
    p->read_failed = true;
    if (p->source_count > 1)
        command_print_error(p->options->language, trouble);
}

/* Decryption secrets that the packet's file brought since the packet before. */
static void take_secrets(struct pipeline *p, const struct packet *packet)
{
    size_t at = (size_t)((int64_t)packet->source_id - p->first_source_id), len = 0;
    const char *text = at < p->source_count ? source_secrets(merger_source(p->merger, at), &len) : NULL;
    if (text == NULL || len <= p->secrets_taken[at])
        return;
    if (p->options->keys == NULL && p->own_keys == NULL) {
        p->own_keys = tls_keys_new();
        engine_set_keys(p->engine, p->own_keys);
    }
    struct tls_keys *keys = p->options->keys != NULL ? p->options->keys : p->own_keys;
    size_t from = p->secrets_taken[at];
    p->secrets_taken[at] = len;
    if (keys != NULL)
        (void)tls_keys_add(keys, text + from, len - from);
}

/* Passes on the first packet and those that stand in memory with it; returns how many. */
static size_t show_packets(struct pipeline *p, struct packet *packets, size_t room)
{
    size_t count = 1 + merger_more(p->merger, packets + 1, room - 1);
    take_secrets(p, packets);
    engine_packets(p->engine, packets, count);
    return count;
}

static bool run(struct pipeline *p, struct error *error)
{
    struct packet together[ENGINE_RUN];
    uint64_t packets = 0, clock_looks = 0;
    for (;;) {
        enum source_result got = merger_next(p->merger, together, error);
        if (got == SOURCE_END)
            break;
        if (got == SOURCE_FAILED) {
            give_up_source(p, error);
            continue;
        }
        if (got == SOURCE_PACKET)
            packets += show_packets(p, together, run_room(p, packets));
        if (has_enough(p, packets))
            break;
        if (got == SOURCE_IDLE || packets / PACKETS_PER_CLOCK != clock_looks) {
            clock_looks = packets / PACKETS_PER_CLOCK;
            show_progress(p, packets);
            if (is_over_time(p))
                break;
        }
        if (is_stopped(p)) {
            p->result->interrupted = true;
            break;
        }
    }
    if (p->progress_ns != 0)
        (void)fprintf(stderr, "\r\033[K");
    p->result->packets = packets;
    engine_finish(p->engine);
    if (!p->read_failed)
        return true;
    if (packets == 0) {
        *error = p->result->input_error;
        return false;
    }
    if (p->source_count == 1)
        command_print_error(p->options->language, &p->result->input_error);
    return true;
}

APART
static void put_sources(struct pipeline *p, struct capture_record *capture)
{
    for (size_t i = 0; i < merger_count(p->merger); i++) {
        struct source_record record = {0};
        source_describe(merger_source(p->merger, i), p->strings, &record);
        record.id = p->first_source_id + (int64_t)i;
        record.capture_id = p->capture_id;
        capture->cut = capture->cut || record.cut;
        put_record(p, RECORD_SOURCE, &record);
    }
}

APART
static bool conclude(struct pipeline *p, struct error *error)
{
    struct capture_record capture;
    engine_counters(p->engine, &capture);
    engine_free(p->engine); /* its tables are the larger half of the memory, and judging needs some */
    p->engine = NULL;
    heap_trim();
    site_note_limits(p->site, intern_refused(p->strings), certificate_cache_refused(p->certificates));
    fill_capture(p, &capture);
    capture.interrupted = p->result->interrupted;
    put_sources(p, &capture);
    p->result->cut = capture.cut;
    put_record(p, RECORD_CAPTURE, &capture);
    struct sink out = {p, put_judgement};
    if (p->out_of_memory)
        return error_set(error, ERROR_RUNTIME, "out of memory while diagnosing; a smaller --memory "
                                               "or fewer files at once help");
    store_limit_texts(p->store, pipeline_memory(p->options->memory_bytes) / 16);
    return pipeline_load_earlier(p->store, p->capture_id, p->options->memory_bytes, p->site, error) &&
           site_judge(p->site, store_next_finding_id(p->store), &out, error) &&
           store_finish(p->store, error);
}

APART
static void release(struct pipeline *p)
{
    engine_free(p->engine);
    if (p->merger != NULL) {
        merger_close(p->merger);
    } else {
        for (size_t i = 0; i < p->source_count; i++)
            source_close(p->sources[i]);
    }
    free(p->sources);
    free(p->secrets_taken);
    tls_keys_free(p->own_keys);
    site_free(p->site);
    certificate_cache_free(p->certificates);
    intern_free(p->strings);
}

struct store *pipeline_read(const struct pipeline_options *options, struct pipeline_result *out,
                            struct error *error)
{
    struct pipeline p = {.options = options, .result = out};
    *out = (struct pipeline_result){.worst_severity = -1};
    p.profile = options->profile != NULL ? options->profile : profile_builtin();
    p.started_ns = wall_ns();
    heap_set_room(pipeline_heap_room(options->memory_bytes));
    p.store = store_open(options->db, STORE_WRITE, error);
    if (p.store == NULL)
        return NULL;
    bool ok = store_begin(p.store, options->append, &p.capture_id, error);
    if (ok) {
        out->capture_id = p.capture_id;
        p.store_sink = store_sink(p.store);
        ok = start(&p, error) && run(&p, error);
        struct error ignored;
        if (!ok) /* no packet was read: as if it had not been tried */
            (void)store_abandon(p.store, &ignored);
        ok = ok && conclude(&p, error);
    }
    struct error ignored;
    if (!ok)
        (void)store_flush(p.store, &ignored); /* strings of ours must not outlive us in its queue */
    release(&p);
    store_forget_texts(p.store); /* of earlier captures */
    heap_trim();
    if (!ok) {
        store_close(p.store);
        return NULL;
    }
    return p.store;
}
