#include "core/limits.h"
#include "trust/private.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* GB/T 35276: the id that certificates are signed with. */
#define SM2_ID "1234567812345678"

void trust_set_id(struct x509_st *certificate)
{
    if (X509_get_signature_nid(certificate) != NID_SM2_with_SM3)
        return; /* other algorithms refuse to verify with an id */
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    if (id == NULL ||
        ASN1_OCTET_STRING_set(id, (const unsigned char *)SM2_ID, sizeof SM2_ID - 1) != 1) {
        ASN1_OCTET_STRING_free(id);
        return;
    }
    X509_set0_distinguishing_id(certificate, id);
}

struct x509_st *trust_parse(const uint8_t *der, size_t len)
{
    const unsigned char *at = der;
    X509 *certificate = len <= LONG_MAX ? d2i_X509(NULL, &at, (long)len) : NULL;
    if (certificate != NULL)
        trust_set_id(certificate);
    ERR_clear_error();
    return certificate;
}

struct trust_store *trust_store_new(void)
{
    return calloc(1, sizeof(struct trust_store));
}

void trust_store_free(struct trust_store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->count; i++)
        X509_free(store->items[i]);
    free(store->items);
    free(store);
}

size_t trust_store_count(const struct trust_store *store)
{
    return store != NULL ? store->count : 0;
}

/* Takes the certificate over; doubles are kept once. */
static bool keep(struct trust_store *store, X509 *certificate)
{
    for (size_t i = 0; i < store->count; i++) {
        if (X509_cmp(store->items[i], certificate) == 0) {
            X509_free(certificate);
            return true;
        }
    }
    if (store->count == store->capacity) {
        size_t capacity = store->capacity == 0 ? 64 : 2 * store->capacity;
        struct x509_st **items = realloc(store->items, capacity * sizeof *items);
        if (items == NULL || store->count >= LIMIT_TRUST_ANCHORS) {
            store->items = items != NULL ? items : store->items;
            X509_free(certificate);
            return false;
        }
        store->items = items;
        store->capacity = capacity;
    }
    trust_set_id(certificate);
    store->items[store->count++] = certificate;
    return true;
}

/* PEM certificates, plain or with OpenSSL's trust settings; else the whole file as one DER. */
static bool add_all(struct trust_store *store, FILE *file, size_t *found)
{
    X509 *certificate;
    while ((certificate = PEM_read_X509_AUX(file, NULL, NULL, NULL)) != NULL) {
        (*found)++;
        if (!keep(store, certificate))
            return false;
    }
    if (*found == 0 && fseek(file, 0, SEEK_SET) == 0 &&
        (certificate = d2i_X509_fp(file, NULL)) != NULL) {
        (*found)++;
        return keep(store, certificate);
    }
    return true;
}

static bool add_file(struct trust_store *store, const char *path, size_t *found,
                     struct error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, ERROR_INPUT, "cannot open the trust store %s: %s", path,
                         strerror(errno));
    bool ok = add_all(store, file, found);
    ERR_clear_error();
    (void)fclose(file);
    return ok || error_set(error, ERROR_RUNTIME,
                           "the trust store %s does not fit: at most %u certificates", path,
                           LIMIT_TRUST_ANCHORS);
}

static bool add_folder(struct trust_store *store, const char *path, size_t *found,
                       struct error *error)
{
    struct dirent **names = NULL;
    char file[PATH_MAX];
    struct stat status;
    int count = scandir(path, &names, NULL, alphasort);
    bool ok = count >= 0 || error_set(error, ERROR_INPUT, "cannot open the trust store %s: %s",
                                      path, strerror(errno));
    for (int i = 0; i < count; i++) {
        int len = snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (ok && len > 0 && (size_t)len < sizeof file && stat(file, &status) == 0 &&
            S_ISREG(status.st_mode))
            ok = add_file(store, file, found, error);
        free(names[i]);
    }
    free(names);
    return ok;
}

bool trust_store_add(struct trust_store *store, const char *path, struct error *error)
{
    struct stat status;
    size_t found = 0;
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    if (!(folder ? add_folder : add_file)(store, path, &found, error))
        return false;
    return found > 0 ||
           error_set(error, ERROR_INPUT, "the trust store %s holds no certificate (PEM or DER)",
                     path);
}
