/* The built-in profile, and site profiles: what is understood, and how mistakes are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/profile_yaml.h"

static char path[] = "/tmp/invcap-profile-XXXXXX";

static const struct profile *load(const char *text, struct error *error)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    return profile_yaml_load(path, error);
}

/* The complaint must begin with file:line:column and hold the words. */
static void refuses(const char *text, const char *place, const char *words)
{
    struct error error = {ERROR_NONE, ""};
    char begin[128];
    assert_null(load(text, &error));
    snprintf(begin, sizeof(begin), "%s:%s: ", path, place);
    if (strncmp(error.text, begin, strlen(begin)) != 0 || strstr(error.text, words) == NULL) {
        fail_msg("got: %s\nwanted: %s ... %s", error.text, begin, words);
    }
    assert_int_equal(error.code, ERROR_USAGE);
}

static const char *service_at(const struct profile *profile, uint8_t protocol, uint16_t port)
{
    const struct profile_service *service = profile_service_of(profile, protocol, NULL, port);
    return service != NULL ? service->name : "";
}

static void builtin_services(void **state)
{
    (void)state;
    const struct profile *profile = profile_builtin();
    static const struct {
        uint8_t protocol;
        uint16_t port;
        const char *name;
    } rows[] = {
        {6, 443, "management"},
        {6, 8443, "management"},
        {6, 80, "order"},
        {6, 8080, "order"},
        {6, 8099, "order"},
        {6, 8091, "configuration"},
        {6, 8100, "payment"},
        {6, 8199, "payment"},
        {6, 8200, "reconciliation"},
        {6, 8299, "reconciliation"},
        {6, 8300, ""},
        {6, 6443, "monitoring"},
        {6, 54321, "file-transfer"},
        {17, 54321, "file-transfer"},
        {6, 19999, "audit"},
        {17, 19999, ""},
        {17, 53, "dns"},
        {6, 53, "dns"},
        {17, 123, "ntp"},
        {6, 123, ""},
        {17, 443, ""},
        {1, 443, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(service_at(profile, rows[i].protocol, rows[i].port), rows[i].name);
    }
    for (size_t i = 0; i < profile->service_count; i++) {
        assert_non_null(profile->services[i].title_en);
        assert_non_null(profile->services[i].title_zh);
    }
    profile_yaml_free(profile); /* the built-in one stays */
    assert_string_equal(profile_builtin()->name, "e-invoice");
}

static const char good[] = "name: head office\n"
                           "thresholds:\n"
                           "  slow_response_ms: 2500\n"
                           "  loss_percent: 2.5\n"
                           "trusted_certificates:\n"
                           "  - AB00000000000000000000000000000000000000000000000000000000000001\n"
                           "services:\n"
                           "  - name: portal\n"
                           "    class: management\n"
                           "    title: the portal\n"
                           "    title_zh: 门户\n"
                           "    ports: [443, 9000-9010]\n"
                           "    expected: tls\n"
                           "    servers: [10.0.0.2, \"2001:db8::2\"]\n"
                           "    names: [inv.example.cn]\n"
                           "    client_certificate: true\n"
                           "    slow_response_ms: 800\n"
                           "  - name: any-web\n"
                           "    ports: [\"443\"]\n"
                           "  - name: files\n"
                           "    ports: [54321]\n"
                           "    transport: both\n";

static void a_good_profile_is_understood(void **state)
{
    (void)state;
    struct error error = {ERROR_NONE, ""};
    struct address portal, other;
    const struct profile *profile = load(good, &error);
    assert_string_equal(error.text, "");
    assert_non_null(profile);
    assert_string_equal(profile->name, "head office");
    assert_false(profile->builtin);
    assert_int_equal(profile->service_count, 3);
    assert_int_equal(profile->slow_response_ns, 2500LL * 1000000);
    assert_int_equal(profile->latency_high_ns, profile_builtin()->latency_high_ns);
    assert_true(profile->loss_share > 0.0249 && profile->loss_share < 0.0251);
    assert_string_equal(profile->trusted_issuers[0],
                        "ab00000000000000000000000000000000000000000000000000000000000001");
    const struct profile_service *service = &profile->services[0];
    assert_string_equal(service->title_zh, "门户");
    assert_int_equal(service->port_count, 2);
    assert_int_equal(service->ports[1].first, 9000);
    assert_int_equal(service->ports[1].last, 9010);
    assert_int_equal(service->expected, PROFILE_TLS);
    assert_int_equal(service->server_count, 2);
    assert_true(service->client_certificate);
    assert_int_equal(service->slow_response_ns, 800LL * 1000000);
    /* An address names its service before a port alone does. */
    assert_true(address_from_text("10.0.0.2", &portal));
    assert_true(address_from_text("10.0.0.3", &other));
    assert_string_equal(profile_service_of(profile, 6, &portal, 443)->name, "portal");
    assert_string_equal(profile_service_of(profile, 6, &other, 443)->name, "any-web");
    assert_null(profile_service_of(profile, 6, &other, 9000));
    assert_string_equal(service_at(profile, 17, 54321), "files");
    profile_yaml_free(profile);
}

static void mistakes_of_form_are_told_with_their_place(void **state)
{
    (void)state;
    refuses("", "1:1", "empty");
    refuses("name: x\nservices: [\n  - : : }", "3:3", "not YAML");
    refuses("name: x\n", "1:1", "\"services\" is missing");
    refuses("name: x\nservices:\n  - ports: [1]\n", "3:5", "\"name\" is missing");
    refuses("name: x\nservices:\n  - name: a\n    ports: [1]\n    colour: red\n", "5:5",
            "unknown key \"colour\"");
    refuses("name: x\nservices:\n  - name: a\n    ports: [1]\n  - name: b\n    port: 2\n", "6:5",
            "unknown key \"port\"");
    refuses("name: x\nname: y\nservices:\n  - name: a\n    ports: [1]\n", "2:1", "second time");
    refuses("name: x\nservices:\n  - name: a\n    ports: 443\n", "4:12", "list of ports");
    refuses("name: x\nservices:\n  - name: a\n    ports: []\n", "4:12", "list of ports");
    refuses("name: x\nservices:\n  - name: a\n    ports: [1]\n    expected: https\n", "5:15",
            "\"https\"; expected any, tls");
    refuses("name: x\nservices:\n  - name: a\n    ports: [1]\n    client_certificate: 7x\n", "5:25",
            "true or false");
    refuses("name: x\nthresholds:\n  absence_ms: soon\nservices:\n  - name: a\n    ports: [1]\n",
            "3:15", "milliseconds");
    refuses("name: &a x\nservices:\n  - name: *a\n    ports: [1]\n", "1:7", "alias");
}

static void mistakes_of_meaning_are_told_with_their_place(void **state)
{
    (void)state;
#define SERVICE(rest) "name: x\nservices:\n  - name: a\n    ports: [80, 443]\n" rest
    refuses("name: x\nservices:\n  - name: a\n    ports: [80, 8199-8100]\n", "4:17",
            "first port is the smaller");
    refuses("name: x\nservices:\n  - name: a\n    ports:\n      - 8000-8100\n      - 8050\n", "6:9",
            "do not overlap");
    refuses("name: x\nservices:\n  - name: a\n    ports: [0]\n", "4:13", "1 to 65535");
    refuses("name: x\nservices:\n  - name: a\n    ports: [65536]\n", "4:13", "1 to 65535");
    refuses("name: x\nservices:\n  - name: a\n    ports: [80-]\n", "4:13", "1 to 65535");
    refuses("name: x\nservices:\n  - name: a\n    ports: [http]\n", "4:13", "1 to 65535");
    refuses(SERVICE("    servers: [10.0.0.1, 10.0.0.256]\n"), "5:25", "IPv4 or IPv6");
    refuses(SERVICE("    names: [\"bad name\"]\n"), "5:13", "host name");
    refuses(SERVICE("    pins: [abcd]\n"), "5:12", "64 hexadecimal");
    refuses(SERVICE("  - name: a\n    ports: [81]\n"), "5:11", "no other service");
    refuses(SERVICE("    slow_response_ms: 99999999999\n"), "5:23", "86400000");
    refuses("name: x\ntrusted_certificates: [zz]\nservices:\n  - name: a\n    ports: [1]\n", "2:24",
            "64 hexadecimal");
    refuses("name: x\nthresholds:\n  loss_percent: 101\nservices:\n  - name: a\n    ports: [1]\n",
            "3:17", "0 to 100");
}

/* The example of docs/architecture.md is a profile. */
static void the_documented_profile_is_one(void **state)
{
    (void)state;
    struct error error = {ERROR_NONE, ""};
    char *page = calloc(1, 1 << 16);
    FILE *in = fopen(SOURCE_DIR "/docs/architecture.md", "rb");
    assert_non_null(page);
    assert_non_null(in);
    page[fread(page, 1, (1 << 16) - 1, in)] = '\0';
    fclose(in);
    char *begin = strstr(page, "```yaml\n");
    assert_non_null(begin);
    begin += strlen("```yaml\n");
    char *end = strstr(begin, "```");
    assert_non_null(end);
    *end = '\0';
    const struct profile *profile = load(begin, &error);
    assert_string_equal(error.text, "");
    assert_non_null(profile);
    assert_int_equal(profile->services[0].pin_count, 1);
    assert_int_equal(profile->services[0].backend_count, 2);
    assert_int_equal(profile->environment_count, 2);
    assert_int_equal(profile->quiet_count, 1);
    assert_string_equal(profile->services[2].name, "invoices-db");
    profile_yaml_free(profile);
    free(page);
}

static const char grown[] =
    "name: site\n"
    "objectives:\n"
    "  tcp_success_percent: 90\n"
    "  failover_s: 10\n"
    "ceilings:\n"
    "  bits_per_second: 2000000\n"
    "  seconds: 60\n"
    "services:\n"
    "  - name: portal\n"
    "    ports: [443]\n"
    "    servers: [10.0.0.2, 10.0.0.3]\n"
    "    objectives:\n"
    "      latency_p99_ms: 250\n"
    "    ceilings:\n"
    "      requests_per_second: 20\n"
    "    heartbeats:\n"
    "      - path: /healthz\n"
    "        every_s: 60\n"
    "      - port: 443\n"
    "        every_s: 30\n"
    "    backends:\n"
    "      - server: 10.0.0.2\n"
    "        weight: 3\n"
    "      - {server: 10.0.0.3, weight: 1}\n"
    "dependencies:\n"
    "  - name: resolver\n"
    "    kind: dns\n"
    "  - name: clock\n"
    "    kind: ntp\n"
    "    servers: [10.0.0.123]\n"
    "  - name: db\n"
    "    kind: database\n"
    "    expected: postgresql\n"
    "    ports: [5432]\n"
    "    slow_response_ms: 40\n"
    "environments:\n"
    "  - name: production\n"
    "    networks: [10.0.0.0/8, \"2001:db8::/32\"]\n"
    "    names: [\"*.example.cn\"]\n"
    "  - name: test\n"
    "    networks: [10.9.77.5/16]\n"
    "    issuers: [Test CA]\n"
    "    certificates: [AB00000000000000000000000000000000000000000000000000000000000001]\n"
    "quiet_hours:\n"
    "  - days: [sat, sun]\n"
    "    from: 22:00\n"
    "    to: 06:00\n"
    "    utc_offset: +08:00\n"
    "hosts:\n"
    "  - address: 10.0.0.9\n"
    "    name: nine\n"
    "  - address: 10.0.0.2\n"
    "    name: portal-a\n";

static void services_have_objectives_heartbeats_and_backends(void **state)
{
    (void)state;
    struct error error = {ERROR_NONE, ""};
    const struct profile *profile = load(grown, &error);
    assert_string_equal(error.text, "");
    const struct profile_service *portal = &profile->services[0];
    struct profile_objectives own = profile_objectives_of(profile, portal);
    assert_true(own.tcp_success == 0.9);    /* the profile's */
    assert_true(own.tls_success == 0.9995); /* the built-in one's */
    assert_int_equal(own.latency_p99_ns, 250000000);
    assert_int_equal(own.latency_deviation_ns, 50000000);
    assert_int_equal(own.failover_ns, 10000000000);
    assert_int_equal(own.bits_per_second, 2000000);
    assert_int_equal(own.ceiling_ns, 60000000000);
    assert_int_equal(own.requests_per_second, 20);
    struct profile_objectives all = profile_objectives_of(profile, NULL);
    assert_int_equal(all.latency_p99_ns, 500000000);
    assert_int_equal(all.requests_per_second, 1500);
    assert_int_equal(portal->heartbeat_count, 2);
    assert_string_equal(portal->heartbeats[0].path, "/healthz");
    assert_int_equal(portal->heartbeats[0].port, 0);
    assert_int_equal(portal->heartbeats[0].period_ns, 60000000000);
    assert_null(portal->heartbeats[1].path);
    assert_int_equal(portal->heartbeats[1].port, 443);
    assert_int_equal(portal->backend_count, 2);
    assert_int_equal(portal->backends[0].weight, 3);
    assert_true(address_equal(&portal->backends[1].server, &portal->servers[1]));
    profile_yaml_free(profile);
}

static void dependencies_are_services_with_a_kind(void **state)
{
    (void)state;
    struct error error = {ERROR_NONE, ""};
    struct address clock, other;
    const struct profile *profile = load(grown, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(profile->service_count, 4);
    assert_string_equal(service_at(profile, 17, 53), "resolver");
    assert_string_equal(service_at(profile, 6, 53), "resolver");
    assert_string_equal(service_at(profile, 6, 5432), "db");
    assert_string_equal(service_at(profile, 17, 5432), "");
    assert_true(address_from_text("10.0.0.123", &clock) && address_from_text("10.0.0.4", &other));
    assert_int_equal(profile_service_of(profile, 17, &clock, 123)->dependency, DEPENDENCY_NTP);
    assert_int_equal(profile_service_of(profile, 17, &clock, 123)->expected, PROFILE_NTP);
    assert_null(profile_service_of(profile, 17, &other, 123));
    assert_null(profile_service_of(profile, 6, &clock, 123));
    assert_int_equal(profile->services[0].dependency, DEPENDENCY_NONE);
    assert_int_equal(profile->services[3].expected, PROFILE_POSTGRESQL);
    assert_string_equal(profile->services[3].class_name, "dependency");
    assert_int_equal(profile_slow_ns(profile, &profile->services[3]), 40000000);
    assert_int_equal(profile_slow_ns(profile, &profile->services[1]), PROFILE_DNS_SLOW_NS);
    assert_int_equal(profile_slow_ns(profile, &profile->services[0]), 3000000000);
    assert_int_equal(profile_slow_ns(profile, NULL), 3000000000);
    profile_yaml_free(profile);
    assert_int_equal(profile_service_of(profile_builtin(), 17, &other, 123)->dependency,
                     DEPENDENCY_NTP);
}

static void environments_and_hosts_are_found_by_address(void **state)
{
    (void)state;
    static const struct {
        const char *address, *environment, *host;
    } rows[] = {{"10.0.0.2", "production", "portal-a"},
                {"10.0.0.9", "production", "nine"},
                {"10.9.1.1", "test", NULL},
                {"2001:db8:1::5", "production", NULL},
                {"2001:db9::5", NULL, NULL},
                {"11.0.0.2", NULL, NULL}};
    struct error error = {ERROR_NONE, ""};
    const struct profile *profile = load(grown, &error);
    assert_string_equal(error.text, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address;
        assert_true(address_from_text(rows[i].address, &address));
        const struct profile_environment *found = profile_environment_of(profile, &address);
        const char *host = profile_host_name(profile, &address);
        assert_string_equal(found != NULL ? found->name : "",
                            rows[i].environment != NULL ? rows[i].environment : "");
        assert_string_equal(host != NULL ? host : "", rows[i].host != NULL ? rows[i].host : "");
    }
    assert_string_equal(profile->environments[1].issuers[0], "Test CA");
    assert_string_equal(profile->environments[1].certificates[0],
                        "ab00000000000000000000000000000000000000000000000000000000000001");
    profile_yaml_free(profile);
}

/* 2026-01-03 is a Saturday; its 22:00 at +08:00 is 14:00 UTC. */
static void quiet_hours_follow_their_own_clock(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        bool quiet;
    } rows[] = {
        {1767448799, false}, /* Sat 13:59:59 UTC */
        {1767448800, true},  /* Sat 14:00:00 UTC: 22:00 there */
        {1767463200, true},  /* Sat 18:00 UTC: Sunday 02:00 there */
        {1767477599, true},  /* Sat 21:59:59 UTC: Sunday 05:59:59 there */
        {1767477600, false}, /* Sat 22:00 UTC: Sunday 06:00 there */
        {1767535200, true},  /* Sun 14:00 UTC: Sunday 22:00 there */
        {1767560400, true},  /* Sun 21:00 UTC: Monday 05:00 there, of Sunday's window */
        {1767621600, false}, /* Mon 14:00 UTC: Monday 22:00 there */
        {1767362400, false}, /* Fri 14:00 UTC: Friday 22:00 there */
        {-1, false},         /* 1969-12-31 23:59:59 UTC: Thursday 07:59:59 there */
    };
    struct error error = {ERROR_NONE, ""};
    const struct profile *profile = load(grown, &error);
    assert_string_equal(error.text, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (profile_is_quiet(profile, rows[i].seconds * 1000000000) != rows[i].quiet) {
            fail_msg("row %zu", i);
        }
    }
    assert_false(profile_is_quiet(profile_builtin(), 0));
    profile_yaml_free(profile);
    profile = load("name: x\nquiet_hours:\n  - {from: 08:00, to: 24:00, utc_offset: \"-01:30\"}\n"
                   "services:\n  - name: a\n    ports: [1]\n",
                   &error);
    assert_string_equal(error.text, "");
    assert_false(profile_is_quiet(profile, (9 * 60 + 29) * 60000000000LL)); /* 07:59 there */
    assert_true(profile_is_quiet(profile, (9 * 60 + 30) * 60000000000LL));
    assert_true(profile_is_quiet(profile, (25 * 60 + 29) * 60000000000LL)); /* 23:59 there */
    assert_false(profile_is_quiet(profile, (25 * 60 + 30) * 60000000000LL));
    profile_yaml_free(profile);
}

static void mistakes_in_the_new_parts_are_told_with_their_place(void **state)
{
    (void)state;
#define MORE(rest) SERVICE("") rest
#define HEARTBEAT(rest) SERVICE("    heartbeats:\n" rest)
#define BACKEND(rest) SERVICE("    servers: [10.0.0.1, 10.0.0.2]\n    backends:\n" rest)
    refuses(SERVICE("    objectives:\n      tcp_success_percent: 101\n"), "6:28", "0 to 100");
    refuses(SERVICE("    objectives:\n      speed: 1\n"), "6:7", "unknown key \"speed\"");
    refuses(SERVICE("    objectives: {failover_s: 90000}\n"), "5:30", "86400");
    refuses(SERVICE("    objectives: {failover_s: 9}\n    speed: 1\n"), "6:5",
            "expected one of: name");
    refuses(MORE("objectives:\n  failover_s: soon\n"), "6:15", "whole number of seconds");
    refuses(MORE("ceilings:\n  seconds: 99999\n"), "6:12", "86400");
    refuses(MORE("thresholds:\n  loss_percent: 1\nspeed: 2\n"), "7:1",
            "expected one of: name, thr");
    refuses(HEARTBEAT("      - every_s: 60\n"), "6:18", "a path, a port or both");
    refuses(HEARTBEAT("      - path: healthz\n        every_s: 60\n"), "6:15", "begins with /");
    refuses(HEARTBEAT("      - port: 65536\n        every_s: 60\n"), "6:15", "1 to 65535");
    refuses(HEARTBEAT("      - port: 443\n        every_s: 0\n"), "7:18", "1 to 86400");
    refuses(HEARTBEAT("      - port: 443\n"), "6:9", "every heartbeat needs it");
    refuses(BACKEND("      - {server: 10.0.0.3, weight: 1}\n"), "7:18", "one of the servers");
    refuses(BACKEND("      - {server: ten, weight: 1}\n"), "7:18", "an IP address");
    refuses(BACKEND("      - {server: 10.0.0.1, weight: 0}\n"), "7:36", "1 to 1000000");
    refuses(
        BACKEND("      - {server: 10.0.0.1, weight: 1}\n      - {server: 10.0.0.1, weight: 1}\n"),
        "8:18", "no other backend");
    refuses(MORE("dependencies:\n  - name: b\n    kind: dns\n    pins: [1]\n"), "8:5",
            "expected one of: name, kind");
    refuses(MORE("dependencies:\n  - name: b\n"), "6:5", "every dependency needs it");
    refuses(MORE("dependencies:\n  - name: b\n    kind: store\n"), "7:11", "dns, ntp, database");
    refuses(MORE("dependencies:\n  - name: b\n    kind: database\n"), "7:11", "ports beside it");
    refuses(MORE("dependencies:\n  - name: a\n    kind: dns\n"), "6:11", "no other service");
    refuses(MORE("environments:\n  - name: p\n"), "6:11", "networks, names");
    refuses(MORE("environments:\n  - name: p\n    networks: [10.0.0.0/33]\n"), "7:16",
            "10.1.0.0/16");
    refuses(
        MORE("environments:\n  - name: p\n    networks: [10.0.0.0/8 ]\n    certificates: [1]\n"),
        "8:20", "64 hexadecimal");
    refuses(MORE("environments:\n  - {name: p, issuers: [x]}\n  - {name: p, issuers: [y]}\n"),
            "7:12", "no other environment");
    refuses(MORE("quiet_hours:\n  - {from: 8:00, to: 24:00, utc_offset: +00:00}\n"), "6:12",
            "00:00 to 23:59");
    refuses(MORE("quiet_hours:\n  - {from: 08:00, to: 24:01, utc_offset: +00:00}\n"), "6:23",
            "00:00 to 24:00");
    refuses(MORE("quiet_hours:\n  - {from: 08:60, to: 24:00, utc_offset: +00:00}\n"), "6:12",
            "00:00 to 23:59");
    refuses(MORE("quiet_hours:\n  - {from: 08:00, to: 24:00, utc_offset: 08:00}\n"), "6:42",
            "+08:00");
    refuses(MORE("quiet_hours:\n  - {from: 08:00, to: 09:00, utc_offset: +00:00, days: [mon, "
                 "sonntag]}\n"),
            "6:62", "mon, tue");
    refuses(MORE("quiet_hours:\n  - {from: 08:00, to: 09:00}\n"), "6:5", "every window needs it");
    refuses(MORE("hosts:\n  - {address: ten, name: b}\n"), "6:15", "an IP address");
    refuses(MORE("hosts:\n  - {address: 10.0.0.1, name: b}\n  - {address: 10.0.0.1, name: c}\n"),
            "7:15", "no other host");
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    struct error error = {ERROR_NONE, ""};
    assert_null(profile_yaml_load("/nowhere/profile.yaml", &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.text, "/nowhere/profile.yaml"));
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builtin_services),
        cmocka_unit_test(a_good_profile_is_understood),
        cmocka_unit_test(mistakes_of_form_are_told_with_their_place),
        cmocka_unit_test(mistakes_of_meaning_are_told_with_their_place),
        cmocka_unit_test(the_documented_profile_is_one),
        cmocka_unit_test(services_have_objectives_heartbeats_and_backends),
        cmocka_unit_test(dependencies_are_services_with_a_kind),
        cmocka_unit_test(environments_and_hosts_are_found_by_address),
        cmocka_unit_test(quiet_hours_follow_their_own_clock),
        cmocka_unit_test(mistakes_in_the_new_parts_are_told_with_their_place),
        cmocka_unit_test(a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
