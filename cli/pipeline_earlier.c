#include "cli/pipeline.h"

#include "core/limits.h"
#include "diagnosis/diagnosis.h"

#include <stdio.h>

static bool keep_earlier(void *self, const void *record)
{
    return site_add(self, RECORD_CHAIN, record);
}

/* A saved server is a chain of no capture of this store. */
static bool keep_baseline(void *self, const void *record)
{
    const struct baseline_record *r = record;
    const struct chain_record chain = {
        .number = r->id, .server_ip = r->ip, .server_port = r->port, .name = r->name,
        .sent = r->sent, .issuer = r->issuer, .spki_sha256 = r->spki_sha256,
        .key_type = r->key_type, .self_signed = r->self_signed,
        .not_before_ns = r->not_before_ns, .not_after_ns = r->not_after_ns, .ja3s = r->ja3s,
        .alpn = r->alpn, .cipher_name = r->cipher_name, .synack = r->synack,
        .staple_asked = r->staple_asked, .staple_sent = r->staple_sent,
        .sct_asked = r->sct_asked, .sct_sent = r->sct_sent, .version = r->version,
        .ttl = r->ttl, .rtt_min_ns = r->rtt_min_ns, .first_ns = r->first_ns,
        .last_ns = r->last_ns, .connections = r->connections};
    return site_add(self, RECORD_CHAIN, &chain);
}

bool pipeline_load_earlier(struct store *store, int64_t capture_id, uint64_t memory_bytes,
                           struct site *site, struct error *error)
{
    char where[96];
    uint64_t room = pipeline_memory(memory_bytes) / 16 / sizeof(struct chain_record);
    int64_t most = room < LIMIT_BASELINES ? (int64_t)room + 1 : LIMIT_BASELINES;
    if (!store_flush(store, error) ||
        !store_select(store, RECORD_BASELINE, "kind = 'server' AND name IS NOT NULL", "id",
                      most, true, keep_baseline, site, error))
        return false;
    if (capture_id < 2)
        return true;
    (void)snprintf(where, sizeof where, "capture_id < %lld AND name IS NOT NULL",
                   (long long)capture_id);
    return store_select(store, RECORD_CHAIN, where, "capture_id DESC, number", most, true,
                        keep_earlier, site, error);
}
