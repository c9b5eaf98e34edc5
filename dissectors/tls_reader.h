/* Reads encrypted records with known secrets, and hands what they hold to those who read records in
 * clear. Exists only for sessions whose secrets are known; parts of the TLS dissector only.
 *
 * A direction is read from its first protected record on, without a gap: behind one the number of the
 * next record is unknown, and that direction is given up. A record that is not authentic means wrong
 * keys: both directions are given up, and nothing of it is shown to anybody. */
#ifndef INVCAP_DISSECTORS_TLS_READER_H
#define INVCAP_DISSECTORS_TLS_READER_H

#include "dissectors/tls_hello.h"
#include "dissectors/tls_state.h"

/* The first ClientHello: looks for secrets. Only with context->keys. */
void tls_reader_begin(struct tls_state *state, const uint8_t *client_random,
                      struct dissect_context *context);
/* The ServerHello that is no retry: makes the keys. */
void tls_reader_agree(struct tls_state *state, const struct tls_server_hello *hello,
                      struct dissect_context *context);
/* Whether the next protected record of role can be read: it is wanted as a whole. */
bool tls_reader_wants(const struct tls_state *state, enum side role);
/* A whole protected record of side: header (5 bytes) and fragment. False: it was not read, and counts
 * by its length alone. */
bool tls_reader_take(struct tls_state *state, enum side side, const uint8_t *header,
                     struct cursor fragment, struct dissect_context *context);
/* Bytes of side are missing. */
void tls_reader_lose(struct tls_state *state, enum side side, struct dissect_context *context);
/* side has ended. */
void tls_reader_end(struct tls_state *state, enum side side, struct dissect_context *context);
void tls_reader_free(struct tls_state *state);

/* A message of a TLS 1.3 session behind its ServerHello (tls_handshake13.c). */
void tls_handle_message_13(struct tls_state *state, enum side role, uint8_t type, struct cursor body,
                           struct dissect_context *context);
/* From it: role uses its next keys from the next record on: the first application keys (Finished), or
 * updated ones. */
void tls_reader_change(struct tls_state *state, enum side role);

#endif
