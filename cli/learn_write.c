/* Profiles as YAML with comments: what was learnt, and the built-in one to start from. */
#include "cli/learn.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL
#define MS_PER_DAY 86400000
#define COMMENT_COLUMNS 100
/* FACTS: quantiles of fewer samples are not shown. */
#define P95_LEAST 60
#define P99_LEAST 300
/* A key is worth pinning when its chain verifies, or it stayed the same. */
#define STABLE_CONNECTIONS 2

/* ---- pieces -------------------------------------------------------------------------------------
 */
static void indent(const struct view *view, int columns)
{
    fprintf(view->out, "%*s", columns, "");
}

/* A scalar in double quotes: YAML then takes every character as it is. */
static void write_quoted(const struct view *view, const char *text)
{
    fputc('"', view->out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', view->out);
        }
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, view->out);
    }
    fputc('"', view->out);
}

/* "# ..." in lines of at most COMMENT_COLUMNS. */
static void write_comment(const struct view *view, int columns, enum text_id id,
                          const struct text_value *values, size_t count)
{
    char text[1024];
    text_format(text, sizeof(text), text_get(id, view->language), values, count);
    for (const char *at = text; *at != '\0';) {
        size_t len = text_break(at, COMMENT_COLUMNS - 2 - (size_t)columns);
        if (len == 0) {
            break;
        }
        indent(view, columns);
        fprintf(view->out, "# %.*s\n", (int)len, at);
        at += len;
        at += strspn(at, " ");
    }
}

static void write_key(const struct view *view, int columns, const char *key, const char *text)
{
    indent(view, columns);
    fprintf(view->out, "%s: ", key);
    write_quoted(view, text);
    fputc('\n', view->out);
}

static void write_number(const struct view *view, int columns, const char *key, int64_t number)
{
    indent(view, columns);
    fprintf(view->out, "%s: %lld\n", key, (long long)number);
}

static void write_list(const struct view *view, int columns, const char *key,
                       const struct learn_list *list)
{
    if (list->count == 0) {
        return;
    }
    indent(view, columns);
    fprintf(view->out, "%s:\n", key);
    for (size_t i = 0; i < list->count; i++) {
        indent(view, columns + 2);
        fputs("- ", view->out);
        write_quoted(view, list->texts[i]);
        fputc('\n', view->out);
    }
    if (list->beyond > 0) {
        char count[VIEW_TIME_SIZE];
        const struct text_value value = {"count", view_number((int64_t)list->beyond, count)};
        write_comment(view, columns + 2, TEXT_LEARN_BEYOND, &value, 1);
    }
}

/* ---- what was learnt ----------------------------------------------------------------------------
 */
static void write_evidence(const struct view *view, const struct learn_service *s)
{
    char connections[VIEW_TIME_SIZE], worked[VIEW_TIME_SIZE], clients[VIEW_TIME_SIZE];
    const struct text_value values[] = {{"connections", view_number(s->connections, connections)},
                                        {"worked", view_number(s->worked, worked)},
                                        {"clients", view_number(s->clients, clients)}};
    write_comment(view, 2, TEXT_LEARN_EVIDENCE, values, 3);
}

static void write_client_certificate(const struct view *view, const struct learn_service *s)
{
    char sent[VIEW_TIME_SIZE], all[VIEW_TIME_SIZE];
    if (s->client_certificates == 0) {
        return;
    }
    const struct text_value values[] = {{"sent", view_number(s->client_certificates, sent)},
                                        {"handshakes", view_number(s->handshakes, all)}};
    write_comment(view, 4, TEXT_LEARN_CLIENT_CERTIFICATE, values, 2);
    indent(view, 4);
    fputs(s->client_certificates == s->handshakes ? "client_certificate: true\n"
                                                  : "client_certificate: false\n",
          view->out);
}

/* One key that everybody was shown may be pinned; of several only those whose chain verifies. */
static bool is_worth_pinning(const struct learn_service *s, const struct learn_pin *pin)
{
    return pin->verified || (s->pin_count == 1 && pin->connections >= STABLE_CONNECTIONS);
}

static void write_pins(const struct view *view, const struct learn_service *s)
{
    size_t worth = 0;
    for (size_t i = 0; i < s->pin_count; i++) {
        worth += is_worth_pinning(s, &s->pins[i]);
    }
    if (worth == 0 || worth < s->pin_count || s->more_pins) {
        return; /* a pin that one of the servers does not have would accuse it */
    }
    write_comment(view, 4, TEXT_LEARN_PINS, NULL, 0);
    indent(view, 4);
    fputs("pins:\n", view->out);
    for (size_t i = 0; i < s->pin_count; i++) {
        char count[VIEW_TIME_SIZE];
        const struct text_value value = {"count", view_number(s->pins[i].connections, count)};
        write_comment(view, 6,
                      s->pins[i].verified ? TEXT_LEARN_PIN_VERIFIED : TEXT_LEARN_PIN_STABLE, &value,
                      1);
        indent(view, 6);
        fprintf(view->out, "- %s\n", s->pins[i].spki);
    }
}

/* Two digits are all that such a limit means. */
static int64_t round_up_ms(int64_t ns)
{
    int64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS, step = 1;
    while (ms / step >= 100) {
        step *= 10;
    }
    ms = (ms + step - 1) / step * step;
    return ms < 1 ? 1 : ms > MS_PER_DAY ? MS_PER_DAY : ms;
}

static void write_times(const struct view *view, const struct learn_service *s)
{
    const struct learn_times *t = &s->times;
    char count[VIEW_TIME_SIZE], p50[VIEW_TIME_SIZE], p95[VIEW_TIME_SIZE], p99[VIEW_TIME_SIZE];
    if (t->count < P95_LEAST) {
        return;
    }
    bool many = t->count >= P99_LEAST;
    const struct text_value values[] = {
        {"count", view_number(t->count, count)},
        {"p50", view_duration(t->p50_ns, view->language, p50)},
        {"p95", view_duration(t->p95_ns, view->language, p95)},
        {"p99", many ? view_duration(t->p99_ns, view->language, p99) : NULL}};
    write_comment(view, 4, TEXT_LEARN_TIMES, values, many ? 4 : 3);
    int64_t slow = round_up_ms(5 * (many ? t->p99_ns : t->p95_ns));
    write_number(view, 4, "slow_response_ms", slow < 500 ? 500 : slow);
    if (many && s->dependency == DEPENDENCY_NONE) {
        int64_t target = round_up_ms(t->p99_ns + t->p99_ns / 2);
        indent(view, 4);
        fputs("objectives:\n", view->out);
        write_number(view, 6, "latency_p99_ms", target < 10 ? 10 : target);
    }
}

static void write_heartbeats(const struct view *view, const struct learn_service *s)
{
    if (s->heartbeat_count == 0) {
        return;
    }
    indent(view, 4);
    fputs("heartbeats:\n", view->out);
    for (size_t i = 0; i < s->heartbeat_count; i++) {
        const struct learn_heartbeat *h = &s->heartbeats[i];
        char count[VIEW_TIME_SIZE];
        const struct text_value value = {"count", view_number(h->calls, count)};
        write_comment(view, 6, TEXT_LEARN_HEARTBEAT, &value, 1);
        indent(view, 6);
        fputs("- path: ", view->out);
        write_quoted(view, h->path);
        fprintf(view->out, "\n        every_s: %lld\n", (long long)h->period_s);
    }
}

static void write_ports(const struct view *view, const struct learn_service *s)
{
    indent(view, 4);
    fprintf(view->out, "ports: [%u]\n", (unsigned)s->port);
    if (s->protocol == 17) {
        indent(view, 4);
        fputs("transport: udp\n", view->out);
    }
    indent(view, 4);
    fprintf(view->out, "expected: %s\n", profile_protocol_name(s->expected));
}

static void write_service(const struct view *view, const struct learn_service *s)
{
    write_evidence(view, s);
    indent(view, 2);
    fputs("- name: ", view->out);
    write_quoted(view, s->name);
    fputc('\n', view->out);
    if (s->dependency != DEPENDENCY_NONE) {
        indent(view, 4);
        fprintf(view->out, "kind: %s\n", profile_dependency_name(s->dependency));
    } else if (s->class_name != NULL) {
        write_key(view, 4, "class", s->class_name);
    }
    write_ports(view, s);
    write_list(view, 4, "servers", &s->servers);
    write_list(view, 4, "names", &s->names);
    if (s->dependency == DEPENDENCY_NONE) {
        write_client_certificate(view, s);
        write_pins(view, s);
    }
    write_times(view, s);
    if (s->dependency == DEPENDENCY_NONE) {
        write_heartbeats(view, s);
    }
}

/* ---- what there was no evidence for -------------------------------------------------------------
 */
static void write_builtin(const struct view *view, const struct profile_service *s)
{
    const char *title = view->language == LANG_ZH ? s->title_zh : s->title_en;
    fprintf(view->out, "  - name: %s # %s\n", s->name, title != NULL ? title : "");
    if (s->dependency != DEPENDENCY_NONE) {
        fprintf(view->out, "    kind: %s\n", profile_dependency_name(s->dependency));
    } else {
        fprintf(view->out, "    class: %s\n", s->class_name);
    }
    write_key(view, 4, "title", s->title_en);
    write_key(view, 4, "title_zh", s->title_zh);
    fputs("    ports: [", view->out);
    for (size_t i = 0; i < s->port_count; i++) {
        const struct port_range *range = &s->ports[i];
        fprintf(view->out, "%s%u", i > 0 ? ", " : "", (unsigned)range->first);
        if (range->last != range->first) {
            fprintf(view->out, "-%u", (unsigned)range->last);
        }
    }
    fprintf(view->out, "]\n    transport: %s\n    expected: %s\n",
            s->both  ? "both"
            : s->udp ? "udp"
                     : "tcp",
            profile_protocol_name(s->expected));
}

static void write_builtins(const struct view *view, bool dependencies)
{
    const struct profile *profile = profile_builtin();
    for (size_t i = 0; i < profile->service_count; i++) {
        if ((profile->services[i].dependency != DEPENDENCY_NONE) == dependencies) {
            write_builtin(view, &profile->services[i]);
        }
    }
}

static void write_defaults(const struct view *view)
{
    const struct profile *p = profile_builtin();
    const struct profile_objectives *o = &p->objectives;
    fputs("thresholds:\n", view->out);
    write_number(view, 2, "slow_response_ms", p->slow_response_ns / NS_PER_MS);
    write_number(view, 2, "medium_response_ms", p->response_medium_ns / NS_PER_MS);
    write_number(view, 2, "latency_high_ms", p->latency_high_ns / NS_PER_MS);
    fprintf(view->out, "  loss_percent: %.6g\n", p->loss_share * 100);
    write_number(view, 2, "zero_window_ms", p->zero_window_ns / NS_PER_MS);
    write_number(view, 2, "absence_ms", p->absence_ns / NS_PER_MS);
    fprintf(view->out,
            "objectives:\n  tcp_success_percent: %.6g\n  tls_success_percent: %.6g\n"
            "  error_percent: %.6g\n",
            o->tcp_success * 100, o->tls_success * 100, o->error_share * 100);
    write_number(view, 2, "latency_p99_ms", o->latency_p99_ns / NS_PER_MS);
    write_number(view, 2, "latency_deviation_ms", o->latency_deviation_ns / NS_PER_MS);
    write_number(view, 2, "failover_s", o->failover_ns / NS_PER_S);
    fputs("ceilings:\n", view->out);
    write_number(view, 2, "bits_per_second", (int64_t)o->bits_per_second);
    write_number(view, 2, "requests_per_second", (int64_t)o->requests_per_second);
    write_number(view, 2, "seconds", o->ceiling_ns / NS_PER_S);
}

/* Parts that only the site knows, to be filled in. */
static const char examples[] = "# trust_store: [roots.pem]\n"
                               "# trusted_proxies: [Head Office TLS Inspection]\n"
                               "# environments:\n"
                               "#   - name: production\n"
                               "#     networks: [10.0.0.0/24]\n"
                               "#     names: [\"*.example.cn\"]\n"
                               "#   - name: test\n"
                               "#     networks: [10.0.9.0/24]\n"
                               "#     issuers: [Example Test CA]\n"
                               "# quiet_hours:\n"
                               "#   - days: [sat, sun]\n"
                               "#     from: 22:00\n"
                               "#     to: 06:00\n"
                               "#     utc_offset: +08:00\n"
                               "# hosts:\n"
                               "#   - address: 10.0.0.2\n"
                               "#     name: portal-a\n";

static const char service_examples[] =
    "    # servers: [10.0.0.2, 10.0.0.3]\n"
    "    # names: [inv.example.cn]\n"
    "    # pins: [64 hexadecimal digits]\n"
    "    # client_certificate: true\n"
    "    # slow_response_ms: 800\n"
    "    # heartbeats: [{path: /healthz, every_s: 60}]\n"
    "    # backends: [{server: 10.0.0.2, weight: 3}, {server: 10.0.0.3, weight: 1}]\n";

static void write_tail(const struct view *view)
{
    write_comment(view, 0, TEXT_LEARN_EXAMPLES, NULL, 0);
    fputs(examples, view->out);
}

void learn_write_starter(const struct view *view)
{
    write_comment(view, 0, TEXT_LEARN_STARTER, NULL, 0);
    fputs("name: my site\n", view->out);
    write_comment(view, 0, TEXT_LEARN_DEFAULTS, NULL, 0);
    write_defaults(view);
    write_comment(view, 0, TEXT_LEARN_SERVICES, NULL, 0);
    fputs("services:\n", view->out);
    write_builtins(view, false);
    write_comment(view, 4, TEXT_LEARN_SERVICE_EXAMPLES, NULL, 0);
    fputs(service_examples, view->out);
    write_comment(view, 0, TEXT_LEARN_DEPENDENCIES, NULL, 0);
    fputs("dependencies:\n", view->out);
    write_builtins(view, true);
    write_tail(view);
}

static size_t count_of(const struct learn_site *site, bool dependencies)
{
    size_t count = 0;
    for (size_t i = 0; i < site->count; i++) {
        count += (site->services[i].dependency != DEPENDENCY_NONE) == dependencies;
    }
    return count;
}

static void write_learnt(const struct view *view, const struct learn_site *site, bool dependencies)
{
    for (size_t i = 0; i < site->count; i++) {
        if ((site->services[i].dependency != DEPENDENCY_NONE) == dependencies) {
            write_service(view, &site->services[i]);
        }
    }
}

void learn_write(const struct view *view, const struct learn_site *site, const char *input)
{
    char first[VIEW_TIME_SIZE], last[VIEW_TIME_SIZE], count[VIEW_TIME_SIZE], shown[LEARN_TEXT_SIZE];
    (void)text_clean(shown, sizeof(shown), input);
    const struct text_value values[] = {{"input", shown},
                                        {"connections", view_number(site->connections, count)},
                                        {"first", view_time(site->first_ns, first)},
                                        {"last", view_time(site->last_ns, last)}};
    write_comment(view, 0, TEXT_LEARN_HEAD, values, 4);
    fputs("name: learnt\nservices:\n", view->out);
    if (count_of(site, false) == 0) {
        write_comment(view, 2, TEXT_LEARN_NOTHING, NULL, 0);
        write_builtins(view, false);
    }
    write_learnt(view, site, false);
    if (count_of(site, true) > 0) {
        fputs("dependencies:\n", view->out);
        write_learnt(view, site, true);
    }
    write_tail(view);
}
