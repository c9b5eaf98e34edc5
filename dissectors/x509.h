/* Certificates and OCSP responses seen on the wire, parsed once each (d2i costs far more than a hash).
 *
 * The cache keeps every distinct DER and its record: all memory of a record (der, san, texts)
 * belongs to the cache or to the string table given to it. Not thread-safe. */
#ifndef INVCAP_DISSECTORS_X509_H
#define INVCAP_DISSECTORS_X509_H

#include "core/intern.h"
#include "core/record.h"

struct certificate_cache;

/* strings must outlive the cache; ids count up from first_id (>= 1). NULL when memory is out. */
struct certificate_cache *certificate_cache_new(struct intern *strings, int64_t first_id);
void certificate_cache_free(struct certificate_cache *cache);
/* From now on what would take more than so many bytes is not kept, and counted; 0: all is, up to LIMIT_CERTIFICATES
 * and LIMIT_CERTIFICATE_BYTES. */
void certificate_cache_limit(struct certificate_cache *cache, uint64_t bytes);
uint64_t certificate_cache_memory(const struct certificate_cache *cache);
/* Lookups that found no room: a certificate that comes again counts again. */
uint64_t certificate_cache_refused(const struct certificate_cache *cache);

/* Returns the id of the certificate with these bytes. At first sight it is parsed and its record
 * put into the sink (which may be NULL) as RECORD_CERTIFICATE; bytes that are no certificate get a
 * record with parse_error. Returns 0 when len is 0, or the cache is full or memory is out: then nothing is put. time_ns is of the packet. */
int64_t certificate_cache_lookup(struct certificate_cache *cache, const uint8_t *der, size_t len,
                                 int64_t time_ns, const struct sink *sink, int64_t capture_id);

/* The same for an OCSP response: its id in ocsp_staples, put as RECORD_STAPLE; ids count up from the
 * first_id of certificate_cache_number_staples, else from 1. */
int64_t certificate_cache_staple(struct certificate_cache *cache, const uint8_t *der, size_t len,
                                 int64_t time_ns, const struct sink *sink);
void certificate_cache_number_staples(struct certificate_cache *cache, int64_t first_id);

/* The record of an id given by this cache, NULL when there is none. Borrowed from the cache. */
const struct certificate_record *certificate_cache_get(const struct certificate_cache *cache,
                                                       int64_t id);

/* Fills a record from DER; *san_out receives the SAN text, owned by the caller (free), and
 * out->san points to it. out->der borrows der. Never fails: see parse_error. */
void certificate_parse(struct intern *strings, const uint8_t *der, size_t len,
                       struct certificate_record *out, char **san_out);
/* The same for an OCSP response (RFC 6960 4.2.1). */
void staple_parse(struct intern *strings, const uint8_t *der, size_t len,
                  struct staple_record *out);

#endif
