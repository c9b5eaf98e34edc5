/* The ClientHello: what it offers, as words, and its fingerprints. */
#include "dissectors/inflate.h"
#include "dissectors/ja3.h"
#include "dissectors/names.h"
#include "dissectors/tls_hello.h"
#include "dissectors/tls_reader.h"
#include "dissectors/tls_state.h"

#include <stdio.h>
#include <string.h>

/* Appends text, with a comma before it unless it is the first; leaves out what does not fit. */
static void append_item(char *list, size_t size, const char *item, size_t len)
{
    size_t used = strlen(list);
    if (len == 0 || used + len + 2 > size)
        return;
    if (used > 0)
        list[used++] = ',';
    memcpy(list + used, item, len);
    list[used + len] = '\0';
}

static void append_version(char *list, size_t size, uint16_t version)
{
    char number[8];
    const char *name = tls_version_name(version);
    if (name == NULL) {
        snprintf(number, sizeof number, "0x%04x", version);
        name = number;
    }
    append_item(list, size, name, strlen(name));
}

static const char *versions_text(const struct tls_client_hello *hello, struct intern *strings)
{
    char list[256] = "";
    struct cursor versions = hello->supported_versions;
    while (cur_left(&versions) >= 2) {
        uint16_t version = cur_u16(&versions);
        if (!tls_is_grease(version))
            append_version(list, sizeof list, version);
    }
    if (list[0] == '\0')
        append_version(list, sizeof list, hello->legacy_version);
    return intern_text(strings, list);
}

/* "h2,http/1.1"; *has_h2 tells that h2 is one of them. */
static const char *alpn_text(struct cursor names, struct intern *strings, bool *has_h2)
{
    char list[256] = "";
    while (cur_left(&names) > 0) {
        struct cursor name = cur_cut(&names, cur_u8(&names));
        size_t len = cur_left(&name);
        bool grease = len == 2 && (name.at[0] & 15) == 10 && name.at[0] == name.at[1];
        if (!grease)
            append_item(list, sizeof list, (const char *)name.at, len);
        *has_h2 |= len == 2 && memcmp(name.at, "h2", 2) == 0;
    }
    return intern_bytes(strings, list, strlen(list));
}

static const char *ciphers_text(struct cursor ciphers, struct intern *strings)
{
    static const char hex[] = "0123456789abcdef";
    char list[1024];
    size_t len = 0;
    while (cur_left(&ciphers) >= 2 && len + 6 < sizeof list) {
        uint16_t cipher = cur_u16(&ciphers);
        if (tls_is_grease(cipher))
            continue;
        if (len > 0)
            list[len++] = ',';
        for (int shift = 12; shift >= 0; shift -= 4)
            list[len++] = hex[cipher >> shift & 15];
    }
    return intern_bytes(strings, list, len);
}

/* Names of groups; those of key shares are followed by their keys. */
static const char *groups_text(struct cursor groups, bool with_keys, struct intern *strings)
{
    char list[512] = "";
    while (cur_left(&groups) >= 2) {
        char number[8];
        uint16_t group = cur_u16(&groups);
        const char *name = tls_group_name(group);
        if (with_keys)
            cur_skip(&groups, cur_u16(&groups));
        if (tls_is_grease(group) || !cur_ok(&groups))
            continue;
        if (name == NULL) {
            snprintf(number, sizeof number, "0x%04x", group);
            name = number;
        }
        append_item(list, sizeof list, name, strlen(name));
    }
    return list[0] != '\0' ? intern_text(strings, list) : NULL;
}

/* RFC 8879 7.3 */
static const char *compressions_text(struct cursor algorithms, struct intern *strings)
{
    char list[64] = "";
    while (cur_left(&algorithms) >= 2) {
        const char *name = inflate_name(cur_u16(&algorithms));
        name = name != NULL ? name : "other";
        append_item(list, sizeof list, name, strlen(name));
    }
    return list[0] != '\0' ? intern_text(strings, list) : NULL;
}

static bool offers_grease(const struct tls_client_hello *hello)
{
    const struct cursor lists[] = {hello->ciphers, hello->groups, hello->supported_versions};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct cursor list = lists[i];
        while (cur_left(&list) >= 2) {
            if (tls_is_grease(cur_u16(&list)))
                return true;
        }
    }
    return hello->has_grease;
}

static void note_extensions(const struct tls_client_hello *hello, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    tls->groups_offered = groups_text(hello->groups, false, context->strings);
    tls->key_shares = groups_text(hello->key_shares, true, context->strings);
    tls->compressions = compressions_text(hello->compressions, context->strings);
    tls->early_data = hello->has_early_data;
    tls->psk_offered = hello->has_psk || hello->has_ticket;
    tls->ech = hello->has_ech;
    tls->grease = offers_grease(hello);
    tls->staple_asked = hello->has_status_request;
    tls->sct_asked = hello->has_sct;
}

/* Time and size of the first ClientHello, whatever its bytes are worth. */
static void note_client_hello(struct tls_state *state, uint32_t size,
                              struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    const struct tls_stream *stream = &state->stream[tls_role(state, SIDE_CLIENT)];
    state->client_hello = true;
    tls_advance(tls, TLS_STEP_CLIENT_HELLO);
    tls->client_hello_ns = context->time_ns;
    tls->client_hello_frame = context->frame;
    tls->client_hello_bytes = size;
    tls->client_hello_segments = stream->segments;
}

static void note_versions(struct tls_state *state, const struct tls_client_hello *hello,
                          struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    tls->version_offered = tls_client_hello_version(hello);
    tls->versions_offered = versions_text(hello, context->strings);
    state->offered_13 = tls_version_is_13(tls->version_offered);
    if (hello->legacy_version == TLS_VERSION_TLCP)
        context->flow->app = "tlcp";
}

void tls_handle_client_hello(struct tls_state *state, struct cursor body,
                             struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    struct tls_client_hello hello;
    uint32_t size = (uint32_t)cur_left(&body) + 4;
    tls_emit(state, context, EVENT_CLIENT_HELLO, SIDE_CLIENT);
    state->client_hello_end_ns = context->time_ns;
    if (state->client_hello)
        return; /* the second one after a HelloRetryRequest tells nothing new */
    note_client_hello(state, size, context);
    if (!tls_client_hello_parse(body, &hello))
        return;
    note_versions(state, &hello, context);
    tls_reader_begin(state, hello.random, context);
    memcpy(state->randoms, hello.random, TLS_RANDOM_LEN);
    tls->sni = intern_bytes(context->strings, (const char *)hello.sni.at, cur_left(&hello.sni));
    if (tls->sni != NULL)
        context->flow->name = tls->sni;
    tls->alpn_offered = alpn_text(hello.alpn, context->strings, &state->offered_h2);
    tls->client_ciphers = ciphers_text(hello.ciphers, context->strings);
    ja3_of_client(&hello, tls->ja3);
    ja4_of_client(&hello, state->transport, tls->ja4);
    note_extensions(&hello, context);
    state->offered_early_data = hello.has_early_data;
    if (cur_left(&hello.session_id) <= sizeof state->session_id) {
        state->session_id_len = (uint8_t)cur_left(&hello.session_id);
        memcpy(state->session_id, hello.session_id.at, state->session_id_len);
    }
}

void tls_handle_sslv2_hello(struct tls_state *state, struct cursor record,
                            struct dissect_context *context)
{
    struct tls_client_hello hello;
    uint32_t size = (uint32_t)cur_left(&record);
    if (!tls_sslv2_hello_parse(record, &hello))
        return;
    state->sslv2 = true;
    tls_add_letter(context->tls, SIDE_CLIENT, 'C');
    note_client_hello(state, size, context);
    note_versions(state, &hello, context);
    state->client_hello_end_ns = context->time_ns;
    tls_emit(state, context, EVENT_CLIENT_HELLO, SIDE_CLIENT);
}

void tls_handle_sslv2_answer(struct tls_state *state, struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    state->server_hello = true;
    tls->version = TLS_VERSION_SSL2;
    tls->server_hello_ns = context->time_ns;
    tls->server_hello_frame = context->frame;
    tls_add_letter(tls, SIDE_SERVER, 'S');
    tls_advance(tls, TLS_STEP_SERVER_HELLO);
    tls_emit(state, context, EVENT_SERVER_HELLO, SIDE_SERVER);
}
