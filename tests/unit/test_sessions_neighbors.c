/* Who was told what by ARP and NDP: answers to one host, second answers to one question, words of proxies. */
#include "core/address.h"
#include "sessions/neighbors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000LL
#define ROWS_MOST 8

static struct arp_record rows[ROWS_MOST];
static size_t row_count;

static void keep(void *self, enum record_kind kind, const void *record)
{
    (void)self;
    assert_int_equal(kind, RECORD_ARP);
    assert_true(row_count < ROWS_MOST);
    rows[row_count++] = *(const struct arp_record *)record;
}

static struct address address(const char *text)
{
    struct address out;
    assert_true(address_from_text(text, &out));
    return out;
}

/* One message of the machine 02:..:`mac`; to: whom, NULL all. */
static void say(struct neighbors *table, int64_t at_ms, uint8_t mac, const char *ip, const char *to, bool is_request)
{
    static uint64_t frame;
    struct packet packet = {.time_ns = at_ms * MS, .frame = ++frame, .source_id = 1};
    struct layers l = {.vlan = -1, .has_mac = true};
    l.neighbor = (struct neighbor_message){.present = true, .is_request = is_request, .sender_mac_known = true,
                                           .sender_ip = address(ip), .target_ip = address(to != NULL ? to : ip)};
    l.neighbor.gratuitous = to == NULL;
    l.neighbor.sender_mac[0] = l.src_mac[0] = 2;
    l.neighbor.sender_mac[5] = l.src_mac[5] = mac;
    memset(l.dst_mac, is_request || to == NULL ? 0xff : 2, 6);
    neighbors_message(table, &packet, &l);
}

static void ask(struct neighbors *table, int64_t at_ms, uint8_t mac, const char *own, const char *ip)
{
    say(table, at_ms, mac, own, ip, true);
}

static void answer(struct neighbors *table, int64_t at_ms, uint8_t mac, const char *ip, const char *to)
{
    say(table, at_ms, mac, ip, to, false);
}

static void finish(struct neighbors *table)
{
    struct sink sink = {.put = keep};
    row_count = 0;
    neighbors_finish(table, 1, &sink);
    neighbors_free(table);
}

/* The claim of that machine for that address, or what the first asker of it was told. */
static const struct arp_record *row_of(const char *ip, uint8_t mac, bool is_request)
{
    struct address wanted = address(ip);
    for (size_t i = 0; i < row_count; i++) {
        const char *tail = rows[i].mac + strlen(rows[i].mac) - 1;
        if (rows[i].is_request == is_request && address_equal(&rows[i].ip, &wanted) && *tail == '0' + mac)
            return &rows[i];
    }
    fail_msg("no row of %s by %u", ip, mac);
    return NULL;
}

#define ASKER "10.0.0.1"
#define OTHER "10.0.0.4"
#define SHARED "10.0.0.9"

static void two_answers_to_one_question(void **state)
{
    (void)state;
    struct neighbors *table = neighbors_new();
    for (int64_t at = 0; at < 20000; at += 5000) {
        ask(table, at, 1, ASKER, SHARED);
        answer(table, at + 1, 2, SHARED, ASKER);
        answer(table, at + 2, 3, SHARED, ASKER);
    }
    finish(table);
    assert_int_equal(row_of(SHARED, 3, false)->disputed, 4);
    assert_int_equal(row_of(SHARED, 2, false)->disputed, 0);
    assert_int_equal(row_of(SHARED, 1, true)->told, 8);
}

/* Each asker is told of one machine, as balance-alb does. */
static void one_answer_to_each_asker(void **state)
{
    (void)state;
    struct neighbors *table = neighbors_new();
    for (int64_t at = 0; at < 20000; at += 5000) {
        ask(table, at, 1, ASKER, SHARED);
        answer(table, at + 1, 2, SHARED, ASKER);
        ask(table, at + 2, 4, OTHER, SHARED);
        answer(table, at + 3, 3, SHARED, OTHER);
    }
    finish(table);
    assert_int_equal(row_of(SHARED, 2, false)->disputed + row_of(SHARED, 3, false)->disputed, 0);
    assert_int_equal(row_of(SHARED, 1, true)->told, 4);
    assert_int_equal(row_of(SHARED, 4, true)->told, 4);
}

static void announcements_contradicted(void **state)
{
    (void)state;
    struct neighbors *table = neighbors_new();
    answer(table, 0, 2, SHARED, ASKER);
    for (int64_t at = 5000; at < 20000; at += 5000) {
        say(table, at, 3, SHARED, NULL, true); /* to all */
        say(table, at + 1, 2, SHARED, NULL, false);
        say(table, at + 2, 2, SHARED, NULL, true);
    }
    finish(table);
    assert_int_equal(row_of(SHARED, 2, false)->disputed, 3);
}

/* There and back: each announces behind the other's last answer, and is left alone. */
static void a_failover_is_no_dispute(void **state)
{
    (void)state;
    struct neighbors *table = neighbors_new();
    for (int64_t at = 0; at < 40000; at += 10000) {
        uint8_t mac = at % 20000 == 0 ? 2 : 3;
        say(table, at, mac, SHARED, NULL, true);
        say(table, at + 100, mac, SHARED, NULL, false);
        ask(table, at + 9500, 1, ASKER, SHARED);
        answer(table, at + 9501, mac, SHARED, ASKER);
    }
    finish(table);
    assert_int_equal(row_of(SHARED, 2, false)->disputed + row_of(SHARED, 3, false)->disputed, 0);
}

/* An advertisement without Override answers in place of others (RFC 4861 7.2.7, 7.2.8): it claims nothing, and
 * settles the question. */
static void in_place_of_others(void **state)
{
    (void)state;
    struct neighbors *table = neighbors_new();
    for (int twice = 0; twice < 2; twice++) {
        struct packet packet = {.time_ns = twice * MS, .frame = 2, .source_id = 1};
        struct layers l = {.vlan = -1, .has_mac = true};
        l.neighbor = (struct neighbor_message){.present = true, .ndp = true, .is_request = twice == 0,
                                               .sender_mac_known = true, .in_place_of = twice == 1,
                                               .sender_ip = address(twice == 0 ? "2001:db8::1" : "2001:db8::9"),
                                               .target_ip = address(twice == 0 ? "2001:db8::9" : "2001:db8::1")};
        l.neighbor.sender_mac[5] = (uint8_t)(1 + twice);
        l.dst = l.neighbor.target_ip;
        neighbors_message(table, &packet, &l);
    }
    finish(table);
    assert_int_equal(row_of("2001:db8::9", 2, false)->claims, 0);
    assert_int_equal(row_of("2001:db8::9", 1, true)->replies, 1);
    assert_int_equal(row_of("2001:db8::9", 1, true)->told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_answers_to_one_question), cmocka_unit_test(one_answer_to_each_asker),
        cmocka_unit_test(announcements_contradicted),  cmocka_unit_test(a_failover_is_no_dispute),
        cmocka_unit_test(in_place_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
