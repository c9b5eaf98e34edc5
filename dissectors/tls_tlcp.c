/* What TLCP (GB/T 38636) has of its own within the handshake. */
#include "dissectors/names.h"
#include "dissectors/tls_state.h"
#include "dissectors/x509.h"
#include "dissectors/x509_signature.h"

static const struct certificate_record *find_shown(const struct tls_state *state, int64_t position,
                                                   const struct dissect_context *context)
{
    for (size_t i = 0; i < state->certificate_count; i++) {
        const struct tls_certificate_record *row = &state->certificates[i];
        if (row->side == SIDE_SERVER && row->position == position)
            return certificate_cache_get(context->certificates, row->certificate_id);
    }
    return NULL;
}

/* TLCP: the first certificate's key signs, for the second one. */
void tls_check_signature(const struct tls_state *state, struct cursor body,
                         const struct dissect_context *context)
{
    struct tls_record *tls = context->tls;
    if (tls->version != TLS_VERSION_TLCP || !state->client_hello || context->certificates == NULL ||
        tls->key_signature != TLS_SIGNATURE_NONE)
        return;
    const struct tlcp_exchange exchange = {state->randoms, find_shown(state, 0, context),
                                           find_shown(state, 1, context), body, tls->cipher};
    if (exchange.sign != NULL && exchange.enc != NULL)
        tls->key_signature = (uint8_t)tlcp_check_signature(&exchange);
}
