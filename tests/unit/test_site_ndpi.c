/* What nDPI remarks and no finding covers. */
#include "test_site_help.h"

static void remarks_that_nothing_covers(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 1000, "10.0.0.2", 4450, 1)->flow.ndpi_risk = FLOW_RISK_SMB;
    scene_judge(s);
    const struct scene_finding *f = scene_find(s, FINDING_SEC_NDPI_RISK);
    assert_non_null(f);
    assert_int_equal(f->record.severity, SEVERITY_INFO);
    assert_in_range(f->record.confidence, 1, 49);
    assert_string_equal(finding_value(f, "risk")->text, "insecure SMB version");
    assert_int_equal(s->finding_count, 1);
}

static void what_the_profile_wants_is_masked(void **state)
{
    struct scene *s = *state;
    scene_healthy(s, "10.0.0.1", 2000, "10.0.0.2", 54321, 1)->flow.ndpi_risk = FLOW_RISK_UNSAFE;
    scene_judge(s);
    expect_quiet(s); /* FTP on 54321 */
    scene_healthy(s, "10.0.0.1", 2001, "10.0.0.2", 2121, 1)->flow.ndpi_risk = FLOW_RISK_UNSAFE;
    scene_judge(s);
    assert_non_null(scene_find(s, FINDING_SEC_NDPI_RISK));
}

/* PEERS: these are judged by findings of ours, or fire on every link between machines. */
static void covered_risks_have_no_remark(void **state)
{
    static const unsigned covered[] = {5,  6,  7,  8,  9,  10, 12, 15, 21, 24,
                                       26, 27, 31, 32, 34, 35, 36, 37, 38, 41};
    static const unsigned bits[] = {
#define FLOW_RISK(id, bit, words) bit,
#include "core/flow_risks.def"
#undef FLOW_RISK
    };
    (void)state;
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        for (size_t j = 0; j < sizeof covered / sizeof covered[0]; j++)
            assert_int_not_equal(bits[i], covered[j]);
        assert_string_not_equal(text_word(flow_risk_words((unsigned)i + 1), LANG_ZH),
                                flow_risk_words((unsigned)i + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE_TEST(remarks_that_nothing_covers),
                                       SCENE_TEST(what_the_profile_wants_is_masked),
                                       SCENE_TEST(covered_risks_have_no_remark)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
