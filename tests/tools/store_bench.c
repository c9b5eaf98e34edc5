/* What the store costs per flow: store_bench FILE [FLOWS]. Writes made-up flows, half of them with a
 * TLS session, into a new database and prints CPU per row. */
#include "store/store.h"

#include "core/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct flow_record flow_of(int64_t id, int64_t capture_id)
{
    uint8_t client[4] = {10, (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    uint8_t server[4] = {192, 0, 2, (uint8_t)(id % 7)};
    struct flow_record flow = {
        .id = id, .capture_id = capture_id, .source_id = 1, .first_frame = id * 10,
        .first_ns = 1700000000000000000 + id * 1000000, .last_ns = 1700000000500000000 + id * 1000000,
        .protocol = 6, .client_port = (uint16_t)(32768 + id % 28000), .server_port = 443, .vlan = -1,
        .service = "management", .app = "tls", .ndpi_protocol = "TLS", .name = "inv.example.cn",
        .client_packets = 9, .server_packets = 11, .client_bytes = 1312, .server_bytes = 5120,
        .client_payload_bytes = 800, .server_payload_bytes = 4400, .outcome = OUTCOME_OK,
        .stage = STAGE_CLOSE, .end = END_CLOSED, .closed_by = SIDE_CLIENT,
        .connect_rtt_server_ns = 1200000, .connect_rtt_client_ns = 90000,
        .rtt_min_client_ns = 80000, .rtt_min_server_ns = 1100000, .client_ttl = 64,
        .server_ttl = 61, .request_count = 1, .response_max_ns = 30000000,
        .facts = FLOW_FACT_ESTABLISHED | FLOW_FACT_TLS_FINISHED,
    };
    flow.client_ip = address_v4(client);
    flow.server_ip = address_v4(server);
    (void)snprintf(flow.community_id, sizeof flow.community_id, "1:LQU9qZlK+B5F3KD%013lld",
                   (long long)id);
    (void)snprintf(flow.state, sizeof flow.state, "SF");
    (void)snprintf(flow.history, sizeof flow.history, "ShADadFf");
    return flow;
}

static struct tls_record tls_of(int64_t id)
{
    struct tls_record tls = {
        .flow_id = id, .client_hello_ns = 1, .server_hello_ns = 2, .finished_ns = 3,
        .client_hello_frame = 4, .server_hello_frame = 6, .version_offered = 0x304, .version = 0x303,
        .cipher = 0xc02f, .group = 29, .cipher_name = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        .versions_offered = "TLS 1.3,TLS 1.2", .sni = "inv.example.cn", .alpn_offered = "h2,http/1.1",
        .alpn = "h2", .step = TLS_STEP_FINISHED, .established = true, .alert = -1,
        .alert_by = SIDE_NONE, .alert_ns = -1, .hello_delay_ns = 2000000, .certificate_count = 2,
        .client_ciphers = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8",
    };
    memset(tls.ja3, 'a', 32);
    memset(tls.ja3s, 'b', 32);
    return tls;
}

static void put_flow(const struct sink *sink, int64_t id, int64_t capture_id)
{
    struct flow_record flow = flow_of(id, capture_id);
    struct tls_record tls = tls_of(id);
    struct flow_bundle bundle = {.flow = &flow, .tls = id % 2 != 0 ? &tls : NULL};
    sink_put(sink, RECORD_FLOW, &bundle);
}

int main(int argc, char **argv)
{
    struct error error = {0};
    int64_t flows = argc > 2 ? strtoll(argv[2], NULL, 10) : 200000;
    int64_t capture_id = 0;
    struct store *store = argc > 1 ? store_open(argv[1], STORE_WRITE, &error) : NULL;
    if (store == NULL || !store_begin(store, true, &capture_id, &error)) {
        fprintf(stderr, "store_bench FILE [FLOWS]: %s\n", error.text);
        return 2;
    }
    int64_t first = store_next_flow_id(store);
    struct sink sink = store_sink(store);
    double wall = seconds(CLOCK_MONOTONIC);
    double own = seconds(CLOCK_THREAD_CPUTIME_ID);
    double all = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0; i < flows; i++) {
        put_flow(&sink, first + i, capture_id);
    }
    bool done = store_flush(store, &error);
    own = seconds(CLOCK_THREAD_CPUTIME_ID) - own;
    all = seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    double finish = seconds(CLOCK_PROCESS_CPUTIME_ID);
    done = done && store_finish(store, &error);
    finish = seconds(CLOCK_PROCESS_CPUTIME_ID) - finish;
    double rows = (double)(flows + flows / 2);
    printf("%.0f rows (%lld flows): writer %.2f us/row, put %.2f us/flow, wall %.2f s, finish %.2f "
           "us/flow\n",
           rows, (long long)flows, (all - own) / rows * 1e6, own / (double)flows * 1e6, wall,
           finish / (double)flows * 1e6);
    store_close(store);
    if (!done) {
        fprintf(stderr, "%s\n", error.text);
    }
    return done ? 0 : 4;
}
