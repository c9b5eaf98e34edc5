/* What one flow says by itself: stage, provisional outcome, candidate verdict. */
#include "test_site_help.h"

#define CLIENT "10.0.0.1"
#define SERVER "10.0.0.2"

static struct flow_record diagnose(struct scene_flow *f)
{
    struct flow_bundle bundle = {
        .flow = &f->flow, .tcp = f->has_tcp ? &f->tcp : NULL, .tls = f->has_tls ? &f->tls : NULL};
    flow_diagnose(profile_builtin(), &bundle);
    return f->flow;
}

static void healthy_is_ok(void **state)
{
    struct scene *s = *state;
    struct flow_record r = diagnose(scene_healthy(s, CLIENT, 1000, SERVER, 443, 1));
    assert_int_equal(r.outcome, OUTCOME_OK);
    assert_int_equal(r.verdict, 0);
    assert_int_equal(r.stage, STAGE_CLOSE);
}

static void open_and_idle_is_ok(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8101, 1);
    flow_establish(f);
    flow_send(f, SIDE_CLIENT, 0.1, 100);
    flow_send(f, SIDE_SERVER, 0.2, 100);
    f->flow.facts |= FLOW_FACT_ANSWERED;
    struct flow_record r = diagnose(f);
    assert_int_equal(r.outcome, OUTCOME_OK);
    assert_int_equal(r.stage, STAGE_IDLE);
}

static void candidates(void **state)
{
    struct scene *s = *state;
    struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 8443, 1);
    f->tcp.rst_to_syn = true;
    flow_rst(f, SIDE_SERVER, 0.01, 60);
    struct flow_record r = diagnose(f);
    assert_int_equal(r.verdict, FINDING_CONN_REFUSED + 1);
    assert_int_equal(r.outcome, OUTCOME_FAILED);
    assert_int_equal(r.stage, STAGE_SYN);
    r = diagnose(scene_silent_syn(s, CLIENT, 1001, SERVER, 8443, 1, 5));
    assert_int_equal(r.verdict, FINDING_CONN_SYN_TIMEOUT + 1);
    r = diagnose(scene_silent_syn(s, CLIENT, 1002, SERVER, 8443, 1, 2));
    assert_int_equal(r.outcome, OUTCOME_UNKNOWN); /* the site decides */
    assert_int_equal(r.verdict, 0);
    f = scene_flow_add(s, CLIENT, 1003, SERVER, 443, 1);
    flow_establish(f);
    flow_tls(f, 0.02);
    flow_server_hello(f, 0.04);
    flow_alert(f, 48, SIDE_CLIENT, 0.05);
    r = diagnose(f);
    assert_int_equal(r.verdict, FINDING_TLS_UNKNOWN_CA + 1);
    assert_int_equal(r.stage, STAGE_TLS_CERT);
}

static void stages_of_tls(void **state)
{
    static const struct {
        enum tls_step step;
        enum stage stage;
    } rows[] = {{TLS_STEP_CLIENT_HELLO, STAGE_TLS_CH},
                {TLS_STEP_HELLO_RETRY, STAGE_TLS_CH},
                {TLS_STEP_SERVER_HELLO, STAGE_TLS_SH},
                {TLS_STEP_SERVER_CERTIFICATE, STAGE_TLS_CERT},
                {TLS_STEP_CLIENT_FINISHED, STAGE_TLS_CERT}};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene_flow *f = scene_flow_add(s, CLIENT, 1000, SERVER, 443, 1);
        flow_establish(f);
        flow_tls(f, 0.02);
        f->tls.step = (uint8_t)rows[i].step;
        assert_int_equal(diagnose(f).stage, rows[i].stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(healthy_is_ok),
        SCENE_TEST(open_and_idle_is_ok),
        SCENE_TEST(candidates),
        SCENE_TEST(stages_of_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
