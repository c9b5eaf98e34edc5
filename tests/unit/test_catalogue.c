/* The catalogue is complete and consistent, and its texts are there in both languages. */
#include "core/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FINDING_TEXTS 5

static const char *const finding_ids[FINDING_COUNT] = {
#define FINDING(id, code, tier, severity, category, culprit, scope, mark, identity, withdrawn,     \
                technique, values, rivals)                                                         \
    #id,
#include "core/findings.def"
#undef FINDING
};

static const char *const rival_ids[RIVAL_COUNT] = {
#define RIVAL(id, code, en, zh, exclude_en, exclude_zh) #id,
#include "core/rivals.def"
#undef RIVAL
};

/* Promotion to tier A: a finding joins this list when its must-cases, its look-alikes and the
 * foreign corpus are clean. */
static const char *const proven[] = {
    "dns-timeout", "dns-nxdomain", "dns-servfail", "dns-refused", "ntp-unsynchronised",
    "mitm-issuer-changed", "mitm-interception-product", "mitm-downgrade", "mitm-arp-spoof",
    "mitm-pin-mismatch", "mitm-dns-conflict", "mitm-https-stripped",
    "clock-skew", "service-protocol-mismatch", "dep-pool-exhausted",
    "conn-syn-timeout", "conn-stale-tuple", "conn-paws-drop", "conn-refused", "conn-rejected-by-middlebox", "conn-icmp-prohibited",
    "conn-icmp-unreachable", "conn-synack-lost", "conn-backlog-overflow", "conn-half-open",
    "conn-slow-connect", "path-loop", "path-mtu-blackhole", "path-outage", "net-arp-unresolved",
    "net-ip-conflict", "udp-no-answer", "tcp-reset-injected", "mitm-dual-synack",
    "tcp-reset-by-server", "tcp-reset-by-client",
    "tcp-idle-state-lost", "tcp-vanished", "tcp-loss", "tcp-zero-window", "server-slow-response",
    "tls-version-mismatch", "tls-no-shared-cipher", "tls-unknown-ca", "tls-certificate-refused",
    "tls-client-certificate-missing", "tls-client-certificate-refused", "tls-unrecognized-name",
    "tls-alert", "tls-clienthello-dropped", "tls-handshake-timeout",
    "tls-reset-after-clienthello", "tls-closed-after-clienthello", "tls-handshake-aborted",
    "tls-plaintext-on-tls-port", "tls-on-plaintext-port", "tls-weak-version",
    "tls-no-forward-secrecy", "tls-tlcp", "tls-ocsp-staple-bad", "cert-revoked", "cert-expired", "cert-expiring", "cert-not-yet-valid",
    "cert-self-signed", "cert-name-mismatch", "cert-chain-long", "cert-weak", "http-no-response",
    "http-truncated-response", "http-keepalive-race", "http-server-error", "http-gateway-error",
    "http-auth-failed", "http-rate-limited", "auth-token-expired", "grpc-error", "h2-goaway-error",
    "sec-token-exposed", "sec-credentials-exposed", "sec-bruteforce",
    "sec-port-scan", "sec-syn-flood", "sec-slow-requests", "capture-loss", "capture-dropped",
    "capture-snaplen", "capture-offload", "capture-duplicates", "capture-midstream",
    "capture-time", "capture-one-sided", "capture-filtered", "capture-file-cut",
    "capture-limits", "dep-refused"};

/* What a failed connection can be put down to. */
static const char *const verdicts[] = {
    "dns-timeout", "dns-nxdomain", "dns-servfail", "dns-refused",
    "conn-syn-timeout", "conn-refused", "conn-rejected-by-middlebox", "conn-icmp-prohibited",
    "conn-icmp-unreachable", "path-loop", "conn-synack-lost", "conn-backlog-overflow",
    "conn-stale-tuple", "conn-paws-drop", "udp-no-answer", "path-mtu-blackhole",
    "net-arp-unresolved", "tcp-reset-injected", "tcp-reset-by-server", "tcp-reset-by-client",
    "tcp-idle-state-lost", "tcp-vanished", "tls-version-mismatch", "tls-no-shared-cipher",
    "tls-unknown-ca", "tls-certificate-refused", "tls-client-certificate-missing",
    "tls-client-certificate-refused", "tls-unrecognized-name", "tls-alert",
    "tls-clienthello-dropped", "tls-handshake-timeout", "tls-reset-after-clienthello",
    "tls-closed-after-clienthello", "tls-handshake-aborted", "tls-plaintext-on-tls-port",
    "tls-on-plaintext-port", "http-keepalive-race", "http-no-response",
    "http-truncated-response", "ftp-data-blocked", "ssh-failed"};

/* A code or the like: lower-case words joined by single hyphens, made from its id. */
static void check_code(const char *id, const char *code)
{
    char expected[64];
    size_t len = strlen(id);
    assert_true(len < sizeof expected);
    for (size_t i = 0; i <= len; i++) {
        char c = id[i];
        expected[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    assert_string_equal(code, expected);
    assert_null(strstr(code, "--"));
    assert_int_not_equal(code[0], '-');
}

static void codes_are_kebab_case_and_unique(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        enum finding_code found = FINDING_COUNT;
        check_code(finding_ids[i], catalogue_get((enum finding_code)i)->code);
        assert_true(catalogue_find(catalogue_get((enum finding_code)i)->code, &found));
        assert_int_equal(found, i);
    }
    for (unsigned i = 0; i < RIVAL_COUNT; i++) {
        enum rival found = RIVAL_COUNT;
        check_code(rival_ids[i], rival_get((enum rival)i)->code);
        assert_true(rival_find(rival_get((enum rival)i)->code, &found));
        assert_int_equal(found, i);
    }
}

static bool in_list(const char *const *list, size_t count, const char *code)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static void tiers_and_verdicts_are_the_agreed_ones(void **state)
{
    size_t proven_count = sizeof proven / sizeof proven[0];
    size_t verdict_count = sizeof verdicts / sizeof verdicts[0];
    size_t tier_a = 0, primary = 0;
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const struct finding_info *info = catalogue_get((enum finding_code)i);
        if ((info->tier == TIER_A) != in_list(proven, proven_count, info->code)) {
            fail_msg("tier of %s", info->code);
        }
        if (info->primary != in_list(verdicts, verdict_count, info->code)) {
            fail_msg("mark of %s", info->code);
        }
        tier_a += info->tier == TIER_A;
        primary += info->primary;
    }
    assert_int_equal(tier_a, proven_count);
    assert_int_equal(primary, verdict_count);
    assert_int_equal(catalogue_clamp_severity(FINDING_CONN_REFUSED, SEVERITY_HIGH), SEVERITY_HIGH);
    assert_int_equal(catalogue_clamp_severity(FINDING_PATH_LATENCY_STEP, SEVERITY_HIGH), SEVERITY_LOW);
    assert_int_equal(catalogue_clamp_severity(FINDING_PATH_LATENCY_STEP, SEVERITY_INFO), SEVERITY_INFO);
}

/* Every word of a withdrawn-by list is a capture finding; the answers agree with the list. */
static void check_withdrawal(enum finding_code code)
{
    const struct finding_info *info = catalogue_get(code);
    char list[256];
    unsigned words = 0, answers = 0;
    assert_true(strlen(info->withdrawn_by) < sizeof list);
    strcpy(list, info->withdrawn_by);
    for (char *save = NULL, *word = strtok_r(list, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        enum finding_code capture = FINDING_COUNT;
        words++;
        if (!catalogue_find(word, &capture) || strncmp(word, "capture-", 8) != 0) {
            fail_msg("%s is withdrawn by %s", info->code, word);
        }
        assert_true(catalogue_is_withdrawn_by(code, capture));
    }
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        answers += catalogue_is_withdrawn_by(code, (enum finding_code)i);
    }
    assert_int_equal(answers, words);
}

static bool is_technique(const char *text)
{
    size_t digits = text[0] == 'T' ? strspn(text + 1, "0123456789") : 0;
    const char *rest = digits == 4 ? text + 5 : text;
    return digits == 4 && (rest[0] == '\0' || (rest[0] == '.' && strlen(rest) == 4 &&
                                               strspn(rest + 1, "0123456789") == 3));
}

static void lists_name_what_exists(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const struct finding_info *info = catalogue_get((enum finding_code)i);
        bool is_capture = strncmp(info->code, "capture-", 8) == 0;
        const char *list = info->rivals;
        enum rival rival;
        unsigned rivals = 0;
        check_withdrawal((enum finding_code)i);
        while (catalogue_next_rival(&list, &rival)) {
            rivals++;
        }
        assert_int_equal(*list, '\0');
        if (info->primary && rivals == 0) {
            fail_msg("%s names no rival", info->code);
        }
        if (info->technique[0] != '\0' && !is_technique(info->technique)) {
            fail_msg("technique of %s", info->code);
        }
        assert_true(!is_capture || (info->category == CATEGORY_CAPTURE &&
                                    info->scope == SCOPE_CAPTURE &&
                                    info->identity == IDENTITY_BY_CAPTURE));
    }
}

static void values_are_declared_once_with_a_unit(void **state)
{
    struct value_spec spec, other;
    enum value_unit unit = UNIT_KINDS;
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const char *list = catalogue_get((enum finding_code)i)->values;
        while (catalogue_next_value(&list, &spec)) {
            const char *rest = list;
            size_t len = strlen(spec.name);
            while (catalogue_next_value(&rest, &other)) {
                assert_string_not_equal(spec.name, other.name);
            }
            assert_int_equal(spec.unit == UNIT_MS, len > 3 && !strcmp(spec.name + len - 3, "_ms"));
            assert_true(catalogue_find_value((enum finding_code)i, spec.name, &unit));
            assert_int_equal(unit, spec.unit);
        }
        assert_int_equal(*list, '\0');
    }
    assert_true(catalogue_find_value(FINDING_CONN_SYN_TIMEOUT, "attempts", &unit));
    assert_int_equal(unit, UNIT_COUNT);
    assert_false(catalogue_find_value(FINDING_CONN_SYN_TIMEOUT, "attempt", &unit));
    assert_false(catalogue_find_value(FINDING_CONN_SYN_TIMEOUT, "attempts:count", &unit));
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static enum text_id finding_text(const struct finding_info *info, unsigned part)
{
    const enum text_id parts[FINDING_TEXTS] = {info->title, info->meaning, info->evidence,
                                               info->advice, info->next};
    return parts[part];
}

static bool is_known_value(enum finding_code code, const char *name)
{
    static const char *const always[] = {"server", "client", "service", "count"};
    enum value_unit unit;
    return in_list(always, 4, name) || catalogue_find_value(code, name, &unit);
}

/* Reads the next {name}, {?name} or {+name} of a text; false at its end. */
static bool next_placeholder(const char **text, char out[64])
{
    for (;;) {
        const char *open = strchr(*text, '{');
        if (open == NULL) {
            return false;
        }
        const char *close = strchr(open, '}');
        assert_non_null(close);
        *text = close + 1;
        open += open[1] == '?' || open[1] == '+' ? 2 : 1;
        size_t len = (size_t)(close - open);
        assert_true(len > 0 && len < 64);
        if (*open == '/') {
            assert_int_equal(len, 1);
            continue;
        }
        assert_int_equal(strspn(open, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
        memcpy(out, open, len);
        out[len] = '\0';
        return true;
    }
}

static bool mentions(const char *text, const char *name)
{
    char found[64];
    while (next_placeholder(&text, found)) {
        if (strcmp(found, name) == 0) {
            return true;
        }
    }
    return false;
}

static void placeholders_are_declared_and_equal(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const struct finding_info *info = catalogue_get((enum finding_code)i);
        for (unsigned part = 0; part < FINDING_TEXTS; part++) {
            for (unsigned language = 0; language < LANG_COUNT; language++) {
                enum text_id id = finding_text(info, part);
                const char *text = text_get(id, (enum language)language);
                const char *twin = text_get(id, (enum language)!language);
                char name[64];
                while (next_placeholder(&text, name)) {
                    if (!is_known_value((enum finding_code)i, name) || !mentions(twin, name)) {
                        fail_msg("{%s} in text %u of %s", name, part, info->code);
                    }
                }
            }
        }
    }
}

/* "{?name}" or "{+name}" and "{/}" come in pairs and do not nest. */
static void conditions_are_closed(void **state)
{
    (void)state;
    for (unsigned id = 0; id < TEXT_COUNT; id++) {
        for (unsigned language = 0; language < LANG_COUNT; language++) {
            const char *text = text_get((enum text_id)id, (enum language)language);
            bool open = false;
            for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
                bool opens = at[1] == '?' || at[1] == '+';
                if ((opens && open) || (at[1] == '/' && !open)) {
                    fail_msg("condition in \"%s\"", text);
                }
                open = opens ? true : at[1] == '/' ? false : open;
            }
            assert_false(open);
        }
    }
}

static bool has_chinese(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0xE3 && (unsigned char)*text <= 0xEF) {
            return true;
        }
    }
    return false;
}

static void both_languages_are_there(void **state)
{
    (void)state;
    for (unsigned id = 0; id < TEXT_COUNT; id++) {
        const char *en = text_get((enum text_id)id, LANG_EN);
        const char *zh = text_get((enum text_id)id, LANG_ZH);
        if ((en[0] == '\0') != (zh[0] == '\0')) {
            fail_msg("one language is missing: \"%s\" \"%s\"", en, zh);
        }
    }
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const struct finding_info *info = catalogue_get((enum finding_code)i);
        for (unsigned part = 0; part < FINDING_TEXTS; part++) {
            const char *en = text_get(finding_text(info, part), LANG_EN);
            const char *zh = text_get(finding_text(info, part), LANG_ZH);
            bool may_be_empty = finding_text(info, part) == info->next && !info->primary;
            if (en[0] == '\0' ? !may_be_empty : has_chinese(en) || !has_chinese(zh)) {
                fail_msg("text %u of %s: \"%s\" \"%s\"", part, info->code, en, zh);
            }
        }
    }
    for (unsigned i = 0; i < RIVAL_COUNT; i++) {
        const struct rival_info *rival = rival_get((enum rival)i);
        assert_true(rival->name[LANG_EN][0] != '\0' && has_chinese(rival->name[LANG_ZH]));
        assert_true(rival->excluded_by[LANG_EN][0] != '\0');
        assert_true(has_chinese(rival->excluded_by[LANG_ZH]));
    }
}

/* Chinese text uses full-width commas, colons and brackets, but not inside `commands`. */
static void check_punctuation(const char *text)
{
    bool code = false;
    for (const char *at = text; *at != '\0'; at++) {
        code = *at == '`' ? !code : code;
        bool after_chinese = at > text && (unsigned char)at[-1] >= 0x80;
        if (!code && after_chinese && strchr(",;:()?!", *at) != NULL) {
            fail_msg("half-width punctuation in \"%s\"", text);
        }
    }
    assert_false(code);
}

static void chinese_punctuation_is_full_width(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        for (unsigned part = 0; part < FINDING_TEXTS; part++) {
            const struct finding_info *info = catalogue_get((enum finding_code)i);
            check_punctuation(text_get(finding_text(info, part), LANG_ZH));
        }
    }
    for (unsigned i = 0; i < RIVAL_COUNT; i++) {
        check_punctuation(rival_get((enum rival)i)->name[LANG_ZH]);
        check_punctuation(rival_get((enum rival)i)->excluded_by[LANG_ZH]);
    }
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void stable_words_go_both_ways(void **state)
{
    enum severity severity = SEVERITY_COUNT;
    enum category category = CATEGORY_COUNT;
    enum culprit culprit = CULPRIT_COUNT;
    enum scope scope = SCOPE_COUNT;
    (void)state;
    assert_string_equal(severity_name(SEVERITY_CRITICAL), "critical");
    assert_string_equal(category_name(CATEGORY_NOTE), "note");
    assert_string_equal(culprit_name(CULPRIT_MIDDLEBOX), "middlebox");
    assert_string_equal(scope_name(SCOPE_PATH), "path");
    assert_string_equal(tier_name(TIER_B), "B");
    assert_string_equal(unit_name(UNIT_MTU), "mtu");
    assert_true(severity_find("info", &severity) && severity == SEVERITY_INFO);
    assert_true(category_find("capture", &category) && category == CATEGORY_CAPTURE);
    assert_true(culprit_find("unknown", &culprit) && culprit == CULPRIT_UNKNOWN);
    assert_true(scope_find("service", &scope) && scope == SCOPE_SERVICE);
    assert_false(severity_find("hig", &severity));
    assert_false(culprit_find("", &culprit));
    assert_int_equal(severity, SEVERITY_INFO);
    assert_string_equal(text_get(severity_text(SEVERITY_LOW), LANG_ZH), "低");
    assert_string_equal(text_get(category_text(CATEGORY_SECURITY), LANG_ZH), "安全");
    assert_string_equal(text_get(culprit_text(CULPRIT_ATTACKER), LANG_EN), "attacker");
    assert_string_equal(text_get(scope_text(SCOPE_CONNECTION), LANG_ZH), "连接");
    assert_string_equal(text_word("server", LANG_ZH), "服务端");
    assert_string_equal(text_word("not a word of ours", LANG_ZH), "not a word of ours");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_kebab_case_and_unique),
        cmocka_unit_test(tiers_and_verdicts_are_the_agreed_ones),
        cmocka_unit_test(lists_name_what_exists),
        cmocka_unit_test(values_are_declared_once_with_a_unit),
        cmocka_unit_test(placeholders_are_declared_and_equal),
        cmocka_unit_test(conditions_are_closed),
        cmocka_unit_test(both_languages_are_there),
        cmocka_unit_test(chinese_punctuation_is_full_width),
        cmocka_unit_test(stable_words_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
