#include "reports/chain_text.h"

#include <stdio.h>
#include <string.h>

#define DAY_NS (86400LL * 1000000000LL)

const char *chain_host_text(const struct chain_record *chain, char out[CELL_TEXT_SIZE])
{
    const char *name = chain->name != NULL ? chain->name : "";
    if (chain->name_unicode != NULL && chain->name_unicode[0] != '\0') {
        snprintf(out, CELL_TEXT_SIZE, "%s (%s)", name, chain->name_unicode);
    } else {
        snprintf(out, CELL_TEXT_SIZE, "%s", name);
    }
    return out;
}

/* "CN=a,O=b" (RFC 4514) gives "a". */
const char *chain_issuer_text(const struct chain_record *chain, char out[CELL_TEXT_SIZE])
{
    const char *name = chain->issuer != NULL ? chain->issuer : "";
    const char *later = strstr(name, ",CN=");
    const char *start = strncmp(name, "CN=", 3) == 0 ? name + 3 : later != NULL ? later + 4 : NULL;
    size_t len = 0;
    if (start == NULL) {
        snprintf(out, CELL_TEXT_SIZE, "%s", name);
        return out;
    }
    for (; start[len] != '\0' && start[len] != ',' && start[len] != '+'; len++) {
        len += start[len] == '\\' && start[len + 1] != '\0';
    }
    snprintf(out, CELL_TEXT_SIZE, "%.*s", (int)len, start);
    return out;
}

const char *chain_sent_text(const struct chain_record *chain, enum language language,
                            char out[CELL_TEXT_SIZE])
{
    int len = snprintf(out, CELL_TEXT_SIZE, "%u", chain->sent);
    if (chain->learnt > 0)
        len += snprintf(out + len, CELL_TEXT_SIZE - (size_t)len, " %s %u",
                        text_get(TEXT_CHAIN_LEARNT, language), chain->learnt);
    if (!chain->in_order)
        snprintf(out + len, CELL_TEXT_SIZE - (size_t)len, ", %s",
                 text_get(TEXT_CHAIN_UNORDERED, language));
    return out;
}

bool chain_is_dated(const struct chain_record *chain)
{
    return chain->not_after_ns > chain->not_before_ns;
}

const char *chain_days_text(const struct chain_record *chain, int64_t then_ns,
                            char out[CELL_TEXT_SIZE])
{
    int64_t left = chain->not_after_ns - then_ns, days = left / DAY_NS - (left % DAY_NS < 0);
    out[0] = '\0';
    if (chain_is_dated(chain) && chain->not_after_ns < INT64_MAX) {
        snprintf(out, CELL_TEXT_SIZE, "%lld", (long long)days);
    }
    return out;
}
