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
    profile_yaml_free(profile);
    free(page);
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
        cmocka_unit_test(a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
