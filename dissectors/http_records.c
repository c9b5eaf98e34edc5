#include "dissectors/http_records.h"

#include "core/limits.h"
#include "dissectors/http_message.h"

#include <string.h>

void http_record_start(struct http_record *out)
{
    *out = (struct http_record){.request_ns = RECORD_NONE_NS,
                                .request_end_ns = RECORD_NONE_NS,
                                .response_ns = RECORD_NONE_NS,
                                .response_end_ns = RECORD_NONE_NS,
                                .wait_ns = RECORD_NONE_NS,
                                .idle_ns = RECORD_NONE_NS,
                                .date_ns = RECORD_NONE_NS,
                                .token_expires_ns = RECORD_NONE_NS,
                                .grpc_status = -1,
                                .reset_error = -1,
                                .reset_by = SIDE_NONE,
                                .ended_by = SIDE_NONE};
}

void http_record_name(struct http_record *record, struct dissect_context *context,
                      struct http_text method, struct http_text host, struct http_text target)
{
    char path[160];
    if (context->flow->name == NULL && host.len > 0)
        context->flow->name = intern_bytes(context->strings, host.at, host.len);
    record->method = intern_bytes(context->strings, method.at, method.len);
    record->host = intern_bytes(context->strings, host.at, host.len);
    record->path =
        intern_bytes(context->strings, path, http_path_template(target, path, sizeof path));
}

/* FNV-1a over hash, kind and place. Without hashes every one is new. */
static uint64_t mark_of(const struct secret_fact *fact)
{
    uint64_t mark = 14695981039346656037ull;
    for (const char *c = fact->hash; *c != '\0'; c++)
        mark = (mark ^ (uint8_t)*c) * 1099511628211ull;
    return (mark ^ ((unsigned)fact->kind << 4 | fact->place)) * 1099511628211ull;
}

static bool is_told(const struct http_secret_log *log, uint64_t mark)
{
    uint32_t kept = log->count < HTTP_SECRETS_REMEMBERED ? log->count : HTTP_SECRETS_REMEMBERED;
    for (uint32_t i = 0; i < kept; i++) {
        if (log->last[i] == mark)
            return true;
    }
    return false;
}

void http_secrets_put(struct http_secret_log *log, const struct secrets *secrets, enum side side,
                      int64_t request_number, struct dissect_context *context)
{
    for (size_t i = 0; i < secrets->count && log->count < LIMIT_SECRETS_PER_FLOW; i++) {
        const struct secret_fact *fact = &secrets->at[i];
        uint64_t mark = mark_of(fact);
        if (is_told(log, mark))
            continue;
        log->last[log->count++ % HTTP_SECRETS_REMEMBERED] = mark;
        struct secret_record record = {.flow_id = context->flow_id,
                                       .number = ++context->flow->secret_rows,
                                       .request_number = request_number,
                                       .kind = fact->kind,
                                       .place = fact->place,
                                       .side = (uint8_t)side,
                                       .length = fact->length,
                                       .algorithm = fact->algorithm,
                                       .issuer = fact->issuer,
                                       .issued_ns = fact->issued_ns,
                                       .expires_ns = fact->expires_ns,
                                       .time_ns = context->first_time_ns,
                                       .frame = context->first_frame};
        memcpy(record.hash, fact->hash, sizeof record.hash);
        sink_put(context->sink, RECORD_SECRET, &record);
    }
}
