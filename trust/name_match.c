#include "trust/name_match.h"

#include "core/address.h"

#include <idn2.h>

#include <stdlib.h>
#include <string.h>

/* RFC 1035 2.3.4: 253 characters; more room for what is presented wrongly. */
#define NAME_MAX_BYTES 512

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* Lower case, A-labels, no trailing dot; false when it is empty or too long. A name that IDNA
 * refuses keeps its bytes. */
static bool normalise(const char *name, size_t len, char out[NAME_MAX_BYTES])
{
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len >= NAME_MAX_BYTES)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    if (!is_ascii(out)) {
        char *ascii = NULL;
        /* The wildcard is no IDNA character: only what follows it is converted. */
        size_t start = strncmp(out, "*.", 2) == 0 ? 2 : 0;
        int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
        if (idn2_to_ascii_8z(out + start, &ascii, flags) == IDN2_OK) {
            size_t ascii_len = strlen(ascii);
            bool fits = start + ascii_len < NAME_MAX_BYTES;
            if (fits)
                memcpy(out + start, ascii, ascii_len + 1);
            idn2_free(ascii);
            if (!fits)
                return false;
        }
    }
    for (char *c = out; *c != '\0'; c++)
        *c = lower(*c);
    return true;
}

/* Both normalised. A wildcard stands for one label that is not empty, above at least two labels. */
static bool matches(const char *name, const char *pattern)
{
    if (strcmp(name, pattern) == 0)
        return strchr(pattern, '*') == NULL;
    if (strncmp(pattern, "*.", 2) != 0 || strchr(pattern + 2, '*') != NULL ||
        strchr(pattern + 2, '.') == NULL)
        return false;
    const char *rest = strchr(name, '.');
    return rest != NULL && rest != name && strcmp(rest + 1, pattern + 2) == 0;
}

bool name_matches_pattern(const char *name, const char *pattern)
{
    char wanted[NAME_MAX_BYTES];
    char offered[NAME_MAX_BYTES];
    return normalise(name, strlen(name), wanted) && normalise(pattern, strlen(pattern), offered) &&
           matches(wanted, offered);
}

/* An address, IPv6 also as "[...]". */
static bool read_address(const char *name, struct address *out)
{
    char inner[ADDRESS_TEXT_SIZE];
    size_t len = strlen(name);
    if (len < 2 || name[0] != '[' || name[len - 1] != ']')
        return address_from_text(name, out);
    if (len - 2 >= sizeof inner)
        return false;
    memcpy(inner, name + 1, len - 2);
    inner[len - 2] = '\0';
    return address_from_text(inner, out);
}

struct wanted {
    char name[NAME_MAX_BYTES];
    struct address address;
    bool is_address;
};

/* One "KIND:value" of the SAN text. *is_identity tells that it forbids the way back to the common
 * name: DNS entries do (RFC 6125 6.4.4); for an address any entry does. */
static bool item_matches(const struct wanted *wanted, const char *item, size_t len,
                         bool *is_identity)
{
    bool dns = len > 4 && memcmp(item, "DNS:", 4) == 0;
    bool ip = len > 3 && memcmp(item, "IP:", 3) == 0;
    char value[NAME_MAX_BYTES];
    *is_identity |= dns || (ip && wanted->is_address);
    if (dns && !wanted->is_address)
        return normalise(item + 4, len - 4, value) && matches(wanted->name, value);
    if (ip && wanted->is_address && len - 3 < sizeof value) {
        struct address address;
        memcpy(value, item + 3, len - 3);
        value[len - 3] = '\0';
        return address_from_text(value, &address) && address_equal(&address, &wanted->address);
    }
    return false;
}

bool name_matches_certificate(const char *name, const struct certificate_record *certificate)
{
    struct wanted wanted;
    bool has_identity = false;
    if (name == NULL || !normalise(name, strlen(name), wanted.name))
        return false;
    wanted.is_address = read_address(wanted.name, &wanted.address);
    for (const char *item = certificate->san; item != NULL && *item != '\0';) {
        const char *end = strchr(item, ',');
        size_t len = end != NULL ? (size_t)(end - item) : strlen(item);
        if (item_matches(&wanted, item, len, &has_identity))
            return true;
        item = end != NULL ? end + 1 : NULL;
    }
    const char *common_name = certificate->subject_cn;
    char value[NAME_MAX_BYTES];
    if (has_identity || common_name == NULL || !normalise(common_name, strlen(common_name), value))
        return false;
    return wanted.is_address ? strcmp(wanted.name, value) == 0 : matches(wanted.name, value);
}

bool name_to_unicode(const char *name, char *out, size_t size)
{
    char *text = NULL;
    if (strstr(name, "xn--") == NULL || idn2_to_unicode_8z8z(name, &text, 0) != IDN2_OK)
        return false;
    size_t len = strlen(text);
    bool fits = len < size && strcmp(text, name) != 0;
    if (fits)
        memcpy(out, text, len + 1);
    idn2_free(text);
    return fits;
}
