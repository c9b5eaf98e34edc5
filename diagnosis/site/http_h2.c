/* What HTTP/2 and gRPC say of themselves: connections and streams given up with an error, calls that
 * ended with a status. */
#include "diagnosis/site/http_facts.h"

/* RFC 9113 7. */
static const char *error_name(struct judge *judge, int64_t code)
{
    static const char *const names[] = {
        "NO_ERROR",           "PROTOCOL_ERROR",   "INTERNAL_ERROR",      "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",   "STREAM_CLOSED",    "FRAME_SIZE_ERROR",    "REFUSED_STREAM",
        "CANCEL",             "COMPRESSION_ERROR", "CONNECT_ERROR",      "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"};
    if (code >= 0 && (size_t)code < sizeof names / sizeof *names)
        return names[code];
    return arena_format(&judge->site->arena, "0x%llx", (unsigned long long)code);
}

static void claim_error(struct judge *judge, const struct site_flow *flow, enum side sender,
                        int64_t code, int64_t ns, int64_t frame)
{
    struct claim claim = claim_start(FINDING_H2_GOAWAY_ERROR, flow);
    claim.culprit = sender == SIDE_CLIENT ? CULPRIT_CLIENT : CULPRIT_SERVER;
    claim.confidence = 90;
    claim.first_ns = claim.last_ns = ns;
    claim_add_text(&claim, "error", error_name(judge, code));
    claim_add_text(&claim, "sender", side_name(sender));
    claim_add_reference(&claim, flow->f.source_id, frame, ns, EVENT_DATA);
    judge_claim(judge, &claim);
}

/* gRPC libraries close a channel that is done with INTERNAL_ERROR. */
#define INTERNAL_ERROR 2

static bool is_harmful_goaway(const struct site_flow *flow, const struct h2_record *h2,
                              const struct h2_side_facts *side)
{
    bool farewell =
        side->goaway_error == INTERNAL_ERROR && h2->streams > 0 &&
        (side->goaway_open == 0 || flow->f.capture_lost_bytes > 0); /* where an end of a stream may be missing */
    return side->goaway_error > 0 && !farewell;
}

static void judge_connection(struct judge *judge, const struct h2_record *h2)
{
    const struct site_flow *flow = site_find_flow(judge->site, h2->flow_id);
    for (int s = 0; flow != NULL && s < 2; s++) {
        const struct h2_side_facts *side = &h2->side[s];
        if (is_harmful_goaway(flow, h2, side))
            claim_error(judge, flow, (enum side)s, side->goaway_error, side->goaway_ns,
                        side->goaway_frame);
        else if (side->reset_errors > 0)
            claim_error(judge, flow, (enum side)s, side->reset_error, side->reset_ns,
                        side->reset_frame);
    }
}

/* ---- gRPC ------------------------------------------------------------------------------------- */

/* What a status says of the side that has to act: the words of
 * https://grpc.io/docs/guides/status-codes/ */
static const struct status {
    const char *name;
    uint8_t culprit;
    bool ordinary; /* an answer like any other: cancelled by the caller, looked up and not there */
} statuses[] = {
    {"OK", CULPRIT_NONE, true},
    {"CANCELLED", CULPRIT_CLIENT, true},
    {"UNKNOWN", CULPRIT_SERVER, false},
    {"INVALID_ARGUMENT", CULPRIT_CLIENT, false},
    {"DEADLINE_EXCEEDED", CULPRIT_SERVER, false},
    {"NOT_FOUND", CULPRIT_CLIENT, true},
    {"ALREADY_EXISTS", CULPRIT_CLIENT, true},
    {"PERMISSION_DENIED", CULPRIT_CLIENT, false},
    {"RESOURCE_EXHAUSTED", CULPRIT_SERVER, false},
    {"FAILED_PRECONDITION", CULPRIT_CLIENT, false},
    {"ABORTED", CULPRIT_SERVER, false},
    {"OUT_OF_RANGE", CULPRIT_CLIENT, false},
    {"UNIMPLEMENTED", CULPRIT_CLIENT, false},
    {"INTERNAL", CULPRIT_SERVER, false},
    {"UNAVAILABLE", CULPRIT_SERVER, false},
    {"DATA_LOSS", CULPRIT_SERVER, false},
    {"UNAUTHENTICATED", CULPRIT_CLIENT, false},
};

#define GRPC_UNAUTHENTICATED 16

static void judge_call(struct judge *judge, const struct site_flow *flow,
                       const struct http_record *r)
{
    if (r->kind != HTTP_GRPC || r->grpc_status <= 0)
        return;
    size_t count = sizeof statuses / sizeof *statuses;
    const struct status *status =
        (size_t)r->grpc_status < count ? &statuses[r->grpc_status] : &statuses[2];
    struct claim claim = http_claim(FINDING_GRPC_ERROR, flow, r);
    claim.culprit = status->culprit;
    if (status->ordinary)
        claim.severity = SEVERITY_INFO;
    claim.confidence = 95;
    claim_add_text(&claim, "status", status->name);
    claim_add_text(&claim, "endpoint", r->path);
    judge_claim(judge, &claim);
    if (r->grpc_status == GRPC_UNAUTHENTICATED && http_token_had_expired(judge, r))
        http_claim_expired(judge, flow, r);
}

static void detect(struct judge *judge)
{
    const struct site *site = judge->site;
    for (size_t i = 0; i < site->h2_count; i++)
        judge_connection(judge, site->h2[i]);
    for (size_t i = 0; i < site->flow_count; i++) {
        for (uint32_t j = 0; j < site->flows[i]->request_count; j++)
            judge_call(judge, site->flows[i], site->flows[i]->requests[j]);
    }
}

const struct detector detector_http_h2 = {"http_h2", detect};
