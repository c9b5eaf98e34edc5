#include "dissectors/x509_extensions.h"

#include "dissectors/sct.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string.h>

/* Places to ask; honest certificates name one or two, in some 60 bytes each. */
#define REVOCATION_TEXT_MAX 512

struct list {
    char text[REVOCATION_TEXT_MAX];
    size_t len;
};

/* One item, whole or not at all; a comma or control byte would look like another. */
static void add(struct list *list, const char *kind, const GENERAL_NAME *name)
{
    if (name == NULL || name->type != GEN_URI)
        return;
    const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
    const uint8_t *bytes = ASN1_STRING_get0_data(uri);
    int len = ASN1_STRING_length(uri);
    size_t kind_len = strlen(kind);
    if (len <= 0 || list->len + kind_len + (size_t)len + 1 > sizeof list->text)
        return;
    for (int i = 0; i < len; i++) {
        if (bytes[i] <= 0x20 || bytes[i] >= 0x7f || bytes[i] == ',')
            return;
    }
    if (list->len > 0)
        list->text[list->len++] = ',';
    memcpy(list->text + list->len, kind, kind_len);
    memcpy(list->text + list->len + kind_len, bytes, (size_t)len);
    list->len += kind_len + (size_t)len;
}

static void add_responders(struct list *list, const X509 *certificate)
{
    AUTHORITY_INFO_ACCESS *access = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); i++) {
        const ACCESS_DESCRIPTION *item = sk_ACCESS_DESCRIPTION_value(access, i);
        if (OBJ_obj2nid(item->method) == NID_ad_OCSP)
            add(list, "ocsp:", item->location);
    }
    AUTHORITY_INFO_ACCESS_free(access);
}

static void add_points(struct list *list, const X509 *certificate)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *place = sk_DIST_POINT_value(points, i)->distpoint;
        if (place == NULL || place->type != 0)
            continue;
        for (int j = 0; j < sk_GENERAL_NAME_num(place->name.fullname); j++)
            add(list, "crl:", sk_GENERAL_NAME_value(place->name.fullname, j));
    }
    CRL_DIST_POINTS_free(points);
}

const char *x509_revocation_text(const X509 *certificate, struct intern *strings)
{
    struct list list = {.len = 0};
    add_responders(&list, certificate);
    add_points(&list, certificate);
    return list.len > 0 ? intern_bytes(strings, list.text, list.len) : NULL;
}

const char *x509_sct_logs(X509_EXTENSION *extension, struct intern *strings, uint32_t *count)
{
    const ASN1_OCTET_STRING *outer =
        extension != NULL ? X509_EXTENSION_get_data(extension) : NULL;
    const unsigned char *at = outer != NULL ? ASN1_STRING_get0_data(outer) : NULL;
    ASN1_OCTET_STRING *inner =
        at != NULL ? d2i_ASN1_OCTET_STRING(NULL, &at, ASN1_STRING_length(outer)) : NULL;
    const char *logs = NULL;
    *count = 0;
    if (inner != NULL)
        logs = sct_list_read(
            cur_of(ASN1_STRING_get0_data(inner), (size_t)ASN1_STRING_length(inner)), strings, count);
    ASN1_OCTET_STRING_free(inner);
    return logs;
}
