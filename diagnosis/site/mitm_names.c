/* Issuers: who they are, and which products give themselves away. */
#include "diagnosis/site/mitm.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* RFC 4514 2.4: a backslash escapes one character (or two hex digits, which stay as they are). */
static const char *copy_value(const char *at, char out[MITM_NAME_SIZE])
{
    size_t len = 0;
    for (; *at != '\0' && *at != ',' && *at != '+'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        if (len < MITM_NAME_SIZE - 1)
            out[len++] = *at;
    }
    out[len] = '\0';
    return at;
}

void mitm_name_part(const char *name, const char *attribute, char out[MITM_NAME_SIZE])
{
    size_t len = strlen(attribute);
    char value[MITM_NAME_SIZE];
    out[0] = '\0';
    for (const char *at = name; at != NULL && *at != '\0';) {
        const char *equals = strchr(at, '=');
        if (equals == NULL)
            return;
        bool wanted = (size_t)(equals - at) == len && strncasecmp(at, attribute, len) == 0;
        at = copy_value(equals + 1, value);
        if (wanted) {
            memcpy(out, value, sizeof value);
            return;
        }
        at += *at != '\0';
    }
}

void mitm_organisation(const char *issuer, char out[MITM_NAME_SIZE])
{
    mitm_name_part(issuer, "O", out);
    if (out[0] == '\0')
        mitm_name_part(issuer, "CN", out);
    if (out[0] == '\0' && issuer != NULL) {
        size_t len = strlen(issuer);
        len = len < MITM_NAME_SIZE - 1 ? len : MITM_NAME_SIZE - 1;
        memcpy(out, issuer, len);
        out[len] = '\0';
    }
}

/* Letters and digits alone, in small letters; the words of legal forms left out. */
static void normalise(const char *name, char out[MITM_NAME_SIZE])
{
    static const char *const forms[] = {"inc",  "incorporated", "ltd", "limited", "llc",  "co",
                                        "corp", "corporation",  "sa",  "gmbh",    "ag",   "bv",
                                        "nv",   "plc",          "srl", "spa",     "company"};
    size_t len = 0;
    for (const char *at = name; *at != '\0';) {
        size_t start = len;
        for (; *at != '\0' && *at != ' ' && *at != ','; at++) {
            unsigned char c = (unsigned char)*at;
            if (isalnum(c) || c >= 0x80)
                out[len++] = (char)tolower(c);
        }
        for (size_t i = 0; start > 0 && i < sizeof forms / sizeof forms[0]; i++) {
            if (len - start == strlen(forms[i]) && memcmp(out + start, forms[i], len - start) == 0)
                len = start;
        }
        at += *at != '\0';
    }
    out[len] = '\0';
}

bool mitm_is_same_organisation(const char *issuer, const char *other)
{
    char a[MITM_NAME_SIZE], b[MITM_NAME_SIZE], left[MITM_NAME_SIZE], right[MITM_NAME_SIZE];
    mitm_organisation(issuer, a);
    mitm_organisation(other, b);
    normalise(a, left);
    normalise(b, right);
    return strcmp(left, right) == 0;
}

const char *mitm_site_of(const char *name)
{
    static const char *const wide[] = {"com", "net", "org", "gov", "edu", "ac", "co", "or", "ne", "go"};
    const char *last = strrchr(name, '.'), *second = NULL, *third = NULL;
    for (const char *at = name; last != NULL && at < last; at++) {
        if (*at == '.') {
            third = second;
            second = at;
        }
    }
    if (second == NULL)
        return name;
    size_t len = (size_t)(last - second) - 1;
    bool is_wide = false;
    for (size_t i = 0; strlen(last + 1) == 2 && i < sizeof wide / sizeof wide[0]; i++)
        is_wide |= len == strlen(wide[i]) && strncasecmp(second + 1, wide[i], len) == 0;
    return !is_wide ? second + 1 : third != NULL ? third + 1 : name;
}

/* FACTS 4.1: from lists of interception software that browsers and researchers keep. A pattern that
 * ends in * is a beginning. */
static const struct product {
    const char *attribute, *pattern, *product, *keyword;
} products[] = {
    {"CN", "mitmproxy", "mitmproxy", "mitmproxy"},
    {"O", "mitmproxy", "mitmproxy", "mitmproxy"},
    {"CN", "PortSwigger CA", "Burp Suite", "portswigger"},
    {"CN", "DO_NOT_TRUST_FiddlerRoot*", "Fiddler", "fiddler"},
    {"CN", "Charles Proxy*", "Charles Proxy", "charlesproxy"},
    {"O", "XK72 Ltd*", "Charles Proxy", "charlesproxy"},
    {"CN", "OWASP Zed Attack Proxy*", "OWASP ZAP", "zaproxy"},
    {"CN", "ZAP Root CA*", "OWASP ZAP", "zaproxy"},
    {"CN", "Proxyman CA*", "Proxyman", "proxyman"},
    {"CN", "HTTP Toolkit CA*", "HTTP Toolkit", "httptoolkit"},
    {"CN", "avast! Web/Mail Shield*", "Avast", "avast"},
    {"CN", "AVG Web/Mail Shield*", "AVG", "avg"},
    {"CN", "Bitdefender Personal CA*", "Bitdefender", "bitdefender"},
    {"CN", "Cisco Umbrella*", "Cisco Umbrella", "umbrella"},
    {"CN", "ContentKeeper Appliance CA*", "ContentKeeper", "contentkeeper"},
    {"O", "Cyberoam Certificate Authority", "Cyberoam", "cyberoam"},
    {"CN", "Forcepoint Cloud CA*", "Forcepoint", "forcepoint"},
    {"O", "Forcepoint LLC", "Forcepoint", "forcepoint"},
    {"CN", "FortiGate CA*", "FortiGate", "forti"},
    {"O", "Fortinet", "FortiGate", "forti"},
    {"O", "Fortinet Ltd.", "FortiGate", "forti"},
    {"CN", "Kaspersky Anti-Virus Personal Root*", "Kaspersky", "kaspersky"},
    {"CN", "McAfee Web Gateway*", "McAfee Web Gateway", "mcafee"},
    {"CN", "www.netspark.com", "NetSpark", "netspark"},
    {"CN", "Smoothwall-default-root*", "Smoothwall", "smoothwall"},
    {"O", "HTTPS Management Certificate for SonicWALL*", "SonicWall", "sonicwall"},
    {"CN", "Sophos SSL CA_*", "Sophos", "sophos"},
    {"CN", "Sophos_CA_*", "Sophos", "sophos"},
    {"CN", "sophosutm Proxy CA*", "Sophos", "sophos"},
    {"CN", "Sophos Web Appliance*", "Sophos", "sophos"},
    {"O", "Blue Coat*", "Blue Coat", "bluecoat"},
    {"CN", "IWSS.TREND", "Trend Micro", "trend"},
    {"O", "Zscaler Inc.", "Zscaler", "zscaler"},
    {"CN", "*.goskope.com", "Netskope", "goskope"},
    {"CN", "Fireware HTTPS Proxy*", "WatchGuard", "watchguard"},
    {"CN", "ESET SSL Filter CA*", "ESET", "eset"},
    {"O", "SANGFOR*", "Sangfor", "sangfor"},
};

static bool fits(const char *value, const char *pattern)
{
    size_t len = strlen(pattern);
    if (len > 1 && pattern[len - 1] == '*')
        return strncasecmp(value, pattern, len - 1) == 0;
    return strcasecmp(value, pattern) == 0;
}

const char *mitm_product(const char *name, const char **keyword)
{
    char value[MITM_NAME_SIZE];
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        mitm_name_part(name, products[i].attribute, value);
        if (value[0] != '\0' && fits(value, products[i].pattern)) {
            *keyword = products[i].keyword;
            return products[i].product;
        }
    }
    return NULL;
}

bool mitm_is_allowed(const struct profile *profile, const char *issuer, const char *sha256)
{
    char organisation[MITM_NAME_SIZE], common[MITM_NAME_SIZE];
    mitm_name_part(issuer, "O", organisation);
    mitm_name_part(issuer, "CN", common);
    for (size_t i = 0; profile != NULL && i < profile->proxy_count; i++) {
        const char *allowed = profile->proxies[i];
        if (strcasecmp(allowed, organisation) == 0 || strcasecmp(allowed, common) == 0 ||
            (sha256 != NULL && strcasecmp(allowed, sha256) == 0))
            return true;
    }
    return false;
}
