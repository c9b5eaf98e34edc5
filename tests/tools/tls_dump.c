/* tls_dump: what the TLS dissector says about byte streams given as text on stdin.
 *
 * A line is "# name" (a new flow begins), "C hex" or "S hex" (bytes of the client or server, in
 * order of arrival), "CG len" or "SG len" (bytes missing for good), "CF" or "SF" (FIN). One line of
 * tab-separated values comes out for each flow; -c prints the certificates as well, -1 feeds byte
 * by byte. */
#include "dissectors/tls.h"
#include "dissectors/x509.h"

#include "dissectors/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pending {
    uint8_t *bytes;
    size_t len;
    uint64_t skip;
    bool done;
};

struct flow {
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct dissect_context context;
    struct pending side[2];
    enum dissector_match match;
    bool open;
};

static void print_certificate(void *self, enum record_kind kind, const void *record)
{
    const struct certificate_record *c = record;
    (void)self;
    if (kind != RECORD_CERTIFICATE)
        return;
    printf("CERT\t%lld\t%s\t%s\t%s\t%s\t%s\t%lld\t%lld\t%s\t%lld\t%s\t%s\t%d\t%d\t%s\t%s\n",
           (long long)c->id, c->sha256, c->parse_error ? c->parse_error : "",
           c->subject ? c->subject : "", c->issuer ? c->issuer : "", c->serial ? c->serial : "",
           (long long)(c->not_before_ns / 1000000000), (long long)(c->not_after_ns / 1000000000),
           c->key_type ? c->key_type : "", (long long)c->key_bits, c->curve ? c->curve : "",
           c->signature ? c->signature : "", c->self_signed, c->is_ca,
           c->key_usage ? c->key_usage : "", c->san ? c->san : "");
}

static void feed(struct flow *f, enum side side, const uint8_t *bytes, size_t len)
{
    struct pending *p = &f->side[side];
    size_t skipped = len < p->skip ? len : (size_t)p->skip;
    p->skip -= skipped;
    bytes += skipped;
    len -= skipped;
    if (p->done || len == 0)
        return;
    p->bytes = realloc(p->bytes, p->len + len);
    if (p->bytes == NULL)
        abort();
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
    struct cursor c = cur_of(p->bytes, p->len);
    enum feed_result result = dissector_tls.feed(f->state, side, &c, &f->context);
    p->done = result != FEED_MORE;
    p->skip = f->context.skip;
    size_t left = cur_left(&c);
    memmove(p->bytes, c.at, left);
    p->len = left;
}

static void lose(struct flow *f, enum side side, uint64_t len)
{
    struct pending *p = &f->side[side];
    uint64_t harmless = len < p->skip ? len : p->skip;
    p->skip -= harmless;
    if (harmless == len || p->done)
        return;
    p->len = 0;
    f->context.skip = 0;
    p->done = !dissector_tls.gap(f->state, side, len - harmless, &f->context);
    p->skip = f->context.skip;
}

static void finish(struct flow *f, const char *name)
{
    size_t count;
    const struct tls_record *t = &f->tls;
    if (!f->open)
        return;
    dissector_tls.end(f->state, SIDE_NONE, DISSECTOR_END_CAPTURE, &f->context);
    dissector_tls.close(f->state, &f->context);
    const struct tls_certificate_record *rows = tls_state_certificates(f->state, &count);
    printf("%s\t%s\t%s\t%04x\t%04x\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d,%d,%d\t%s\t%d\t%d\t%d\t"
           "%llu\t%llu\t%s\t%u\t%llx\t%d%d\t%d%d%d\t%d\t",
           name, t->sni ? t->sni : "", t->versions_offered ? t->versions_offered : "",
           t->version_offered, t->version, t->cipher_name ? t->cipher_name : "", t->ja3, t->ja3s,
           t->alpn_offered ? t->alpn_offered : "", t->alpn ? t->alpn : "", t->step, t->established,
           t->resumed, t->hello_retry, t->alert, t->alert_by, t->alert_inferred, t->history,
           t->client_certificate_requested, t->client_certificate_sent, t->client_certificate_empty,
           (unsigned long long)t->client_app_records, (unsigned long long)t->server_app_records,
           t->ja4, t->group, (unsigned long long)f->flow.facts, t->plaintext_client,
           t->plaintext_server, t->close_notify_client, t->close_notify_server, f->flow.app != NULL,
           t->cipher);
    for (size_t i = 0; i < count; i++)
        printf("%s%c%lld", i ? "," : "", rows[i].side ? 'S' : 'C',
               (long long)rows[i].certificate_id);
    printf("\n");
    free(f->side[0].bytes);
    free(f->side[1].bytes);
    free(f->state);
}

static void start(struct flow *f, struct intern *strings, struct certificate_cache *certificates,
                  const struct sink *sink)
{
    memset(f, 0, sizeof *f);
    f->state = calloc(1, dissector_tls.state_size);
    f->context.flow = &f->flow;
    f->context.tls = &f->tls;
    f->context.strings = strings;
    f->context.certificates = certificates;
    f->context.sink = sink;
    dissector_tls.open(f->state, &f->context);
    f->open = true;
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t count = 0;
    unsigned byte;
    for (; hex[0] != '\0' && hex[1] != '\0' && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[count++] = (uint8_t)byte;
    return count;
}

static void take_line(struct flow *f, char *line, bool bytewise)
{
    enum side side = line[0] == 'C' ? SIDE_CLIENT : SIDE_SERVER;
    f->context.frame++;
    f->context.first_frame = f->context.frame;
    f->context.time_ns += 1000;
    f->context.first_time_ns = f->context.time_ns;
    if (line[1] == 'F') {
        dissector_tls.end(f->state, side, DISSECTOR_END_FIN, &f->context);
    } else if (line[1] == 'G') {
        lose(f, side, strtoull(line + 3, NULL, 10));
    } else if (line[1] == ' ') {
        uint8_t *bytes = malloc(strlen(line));
        if (bytes == NULL)
            abort();
        size_t len = from_hex(line + 2, bytes);
        for (size_t i = 0; bytewise && i < len; i++)
            feed(f, side, bytes + i, 1);
        if (!bytewise)
            feed(f, side, bytes, len);
        free(bytes);
    }
}

int main(int argc, char **argv)
{
    bool certificates = false;
    bool bytewise = false;
    for (int i = 1; i < argc; i++) {
        certificates |= strcmp(argv[i], "-c") == 0;
        bytewise |= strcmp(argv[i], "-1") == 0;
    }
    struct intern *strings = intern_new();
    struct certificate_cache *cache = certificate_cache_new(strings, 1);
    struct sink sink = {NULL, print_certificate};
    struct flow flow = {0};
    char *line = NULL;
    char *name = NULL;
    size_t capacity = 0;
    ssize_t len;
    while ((len = getline(&line, &capacity, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (line[0] == '#') {
            finish(&flow, name);
            free(name);
            name = strdup(line + 2);
            start(&flow, strings, cache, certificates ? &sink : NULL);
        } else if (flow.open && (line[0] == 'C' || line[0] == 'S')) {
            take_line(&flow, line, bytewise);
        }
    }
    finish(&flow, name);
    free(name);
    free(line);
    certificate_cache_free(cache);
    intern_free(strings);
    return 0;
}
