/* Rows of app_commands from whole conversations, in pieces of any size: RFC 959, RFC 2428, and the
 * protocol chapters of MySQL's and PostgreSQL's manuals. */
#include "tests/unit/session_fixture.h"

#include <stdio.h>
#include <string.h>

struct turn {
    int side;
    const char *bytes;
    size_t len;
};
#define C(text) {0, text, sizeof text - 1}
#define S(text) {1, text, sizeof text - 1}

struct row {
    const char *command, *reply;
    enum command_result result;
    uint16_t data_port;
};

struct dialogue {
    const char *app; /* NULL: it gets no name */
    struct turn turns[16];
    struct row rows[8];
};

#define MYSQL_GREETING                                                                             \
    "\x2a\x00\x00\x00\x0a"                                                                         \
    "8.0.36\x00\x01\x00\x00\x00"                                                                   \
    "aaaaaaaa\x00\xff\xf7\xff\x02\x00\xff\xc1\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00zzz"
#define MYSQL_LOGIN "\x08\x00\x00\x01\x05\xa6\xff\x01\x00\x00\x00\x01"

#define PAD10 "0123456789"
#define LIST(text) "\x00\x00\x00\x03" text
/* KEXINIT: 8 lists of one name, two of languages, 5 bytes, 10 of padding; only the first list varies */
#define SSH_OFFER(kex)                                                                             \
    "\x00\x00\x00\x61\x0a\x14"                                                                     \
    "cookiecookiecook" LIST(kex) LIST("key") LIST("enc") LIST("enc") LIST("mac") LIST("mac")        \
        LIST("zip") LIST("zip") "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" PAD10

static const struct dialogue dialogues[] = {
    {"ftp",
     {S("220-hello\r\n 220 not the end\r\n220 ready\r\n"), C("USER me\r\n"), S("331 word?\r\n"),
      C("PASS Planted1\r\n"), S("230 in\r\n"), C("EPSV\r\n"),
      S("229 Entering Extended Passive Mode (|||40005|)\r\n"), C("RETR a\r\n"),
      S("150 here\r\n226 done\r\n"), C("retr b\r\n"), S("550 none\r\n"), C("QUIT\r\n"),
      S("221 bye\r\n")},
     {{"USER", "331", COMMAND_DONE, 0},
      {"PASS", "230", COMMAND_DONE, 0},
      {"EPSV", "229", COMMAND_DONE, 40005},
      {"RETR", "226", COMMAND_DONE, 0},
      {"RETR", "550", COMMAND_REFUSED, 0},
      {"QUIT", "221", COMMAND_DONE, 0}}},
    {"ftp",
     {S("220 x\r\n"), C("USER anonymous\r\n"), S("331 any\r\n"), C("PASS a@b\r\nPORT 192,0,2,1,156,69\r\n"),
      S("230 in\r\n200 well\r\n"), C("PASV\r\n"), S("227 Entering Passive Mode (10,1,2,3,4,5).\r\n")},
     {{"USER", "331", COMMAND_DONE, 0},
      {"PASS", "230", COMMAND_DONE, 0},
      {"PORT", "200", COMMAND_DONE, 40005},
      {"PASV", "227", COMMAND_DONE, 1029}}},
    /* Mail, and words that mail has too, are not FTP. */
    {NULL, {S("220 mx ESMTP\r\n"), C("EHLO a\r\n"), S("250 mx\r\n"), C("QUIT\r\n"), S("221 bye\r\n")}, {{0}}},
    {NULL, {S("220 mx\r\n"), C("NOOP\r\n"), S("250 ok\r\n"), C("AUTH PLAIN AA==\r\n"), S("235 in\r\n")}, {{0}}},
    {"mysql",
     {S(MYSQL_GREETING), C(MYSQL_LOGIN), S("\x02\x00\x00\x02\xfe\x00"), C("\x01\x00\x00\x03x"),
      S("\x03\x00\x00\x04\x00\x00\x00"), C("\x09\x00\x00\x00\x03select 1"),
      S("\x01\x00\x00\x01\x01\x04\x00\x00\x02" "abcd\x02\x00\x00\x03\x01" "1"), C("\x02\x00\x00\x00\x03x"),
      S("\x09\x00\x00\x01\xff\x7a\x04#42S02"), C("\x01\x00\x00\x00\x01")},
     {{"LOGIN", "ok", COMMAND_DONE, 0},
      {"QUERY", "ok", COMMAND_DONE, 0},
      {"QUERY", "1146", COMMAND_REFUSED, 0}}},
    {"mysql",
     {S(MYSQL_GREETING), C(MYSQL_LOGIN), S("\x09\x00\x00\x02\xff\x15\x04#28000")},
     {{"LOGIN", "1045", COMMAND_REFUSED, 0}}},
    {"mysql", {S("\x17\x00\x00\x00\xff\x10\x04Too many connections")}, {{"CONNECT", "1040", COMMAND_REFUSED, 0}}},
    {"postgresql",
     {C("\x00\x00\x00\x08\x04\xd2\x16\x2f"), S("N"),
      C("\x00\x00\x00\x11\x00\x03\x00\x00user\x00me\x00\x00"), S("R\x00\x00\x00\x08\x00\x00\x00\x03"),
      C("p\x00\x00\x00\x05x"), S("R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x08" "a\x00" "b\x00Z\x00\x00\x00\x05I"),
      C("Q\x00\x00\x00\x0eselect 1;\x00"), S("C\x00\x00\x00\x06x\x00Z\x00\x00\x00\x05I"),
      C("P\x00\x00\x00\x05xS\x00\x00\x00\x04"), S("E\x00\x00\x00\x12SERROR\x00" "C42P01\x00\x00Z\x00\x00\x00\x05I")},
     {{"LOGIN", "ok", COMMAND_DONE, 0},
      {"QUERY", "ok", COMMAND_DONE, 0},
      {"EXECUTE", "42P01", COMMAND_REFUSED, 0}}},
    {"postgresql",
     {C("\x00\x00\x00\x11\x00\x03\x00\x00user\x00me\x00\x00"), S("E\x00\x00\x00\x12SFATAL\x00" "C53300\x00\x00")},
     {{"LOGIN", "53300", COMMAND_REFUSED, 0}}},
    {"redis",
     {C("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\r\nl\r\n"), S("+OK\r\n"),
      C("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n"), S("+PONG\r\n$5\r\nva\r\nl\r\n"),
      C("*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n"), S("*2\r\n*1\r\n$1\r\na\r\n$-1\r\n"),
      C("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n"), S("-WRONGPASS invalid\r\n")},
     {{"SET", "ok", COMMAND_DONE, 0},
      {"PING", "ok", COMMAND_DONE, 0},
      {"GET", "ok", COMMAND_DONE, 0},
      {"KEYS", "ok", COMMAND_DONE, 0},
      {"AUTH", "WRONGPAS", COMMAND_REFUSED, 0}}},
    {"redis", {S("-ERR max number of clients reached\r\n")}, {{"CONNECT", "MAXCONN", COMMAND_REFUSED, 0}}},
    /* POP3 refuses in the same form. */
    {NULL, {S("-ERR max connections\r\n")}, {{0}}},
    {"amqp",
     {C("AMQP\x00\x00\x09\x01"), S("\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x0a\x00\x09\xce"),
      C("\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x0b\x00\x00\xce"),
      S("\x01\x00\x00\x00\x00\x00\x0b\x00\x0a\x00\x32\x01\x93\x00\x00\x00\x00\x00\xce")},
     {{"LOGIN", "403", COMMAND_REFUSED, 0}}},
    {"ssh",
     {S("SSH-2.0-s\r\n"), C("SSH-2.0-c\r\n"), S(SSH_OFFER("aaa")), C(SSH_OFFER("aab"))},
     {{"VERSION", "ok", COMMAND_DONE, 0}, {"KEXINIT", "20", COMMAND_REFUSED, 0}}},
    {"ssh",
     {C("SSH-2.0-c\r\n"), S("SSH-2.0-s\r\n"), C(SSH_OFFER("aab")), S(SSH_OFFER("aab")),
      C("\x00\x00\x00\x0c\x0a\x1e" PAD10), S("\x00\x00\x00\x0c\x0a\x1f" PAD10 "\x00\x00\x00\x0c\x0a\x15" PAD10)},
     {{"VERSION", "ok", COMMAND_DONE, 0},
      {"KEXINIT", "20", COMMAND_DONE, 0},
      {"KEY_EXCHANGE", "21", COMMAND_DONE, 0}}},
};

static void say(struct conversation *c, int64_t at[2], const struct turn *turn, size_t step)
{
    for (size_t i = 0; i < turn->len; i += step) {
        size_t n = turn->len - i < step ? turn->len - i : step;
        send_at(c, 1, (struct segment){turn->side, TCP_ACK | TCP_PSH, at[turn->side],
                                       at[1 - turn->side], turn->bytes + i, n, 0, 0});
        at[turn->side] += (int64_t)n;
    }
}

static void check_rows(const struct seen *seen, const struct dialogue *d)
{
    size_t count = 0;
    while (count < 8 && d->rows[count].command != NULL)
        count++;
    assert_int_equal(seen->command_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct command_record *r = &seen->commands[i];
        assert_int_equal(r->number, i + 1);
        assert_string_equal(r->command, d->rows[i].command);
        assert_string_equal(r->reply, d->rows[i].reply);
        assert_int_equal(r->result, d->rows[i].result);
        assert_int_equal(r->data_port, d->rows[i].data_port);
        assert_true(r->frame > 0 && r->reply_frame >= r->frame && r->end_ns >= r->reply_ns);
    }
}

static void test_dialogues(void **state)
{
    static const size_t steps[] = {1, 2, 5, 4096};
    (void)state;
    for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            void *own;
            int64_t at[2] = {1, 1};
            assert_int_equal(set_up(&own), 0);
            struct fixture *f = own;
            handshake(&f->c, 20, 5);
            for (size_t n = 0; n < 16 && dialogues[i].turns[n].bytes != NULL; n++)
                say(&f->c, at, &dialogues[i].turns[n], steps[s]);
            engine_finish(f->c.engine);
            if (dialogues[i].app == NULL)
                assert_null(f->seen.flows[0].app);
            else
                assert_string_equal(f->seen.flows[0].app, dialogues[i].app);
            check_rows(&f->seen, &dialogues[i]);
            tear_down(&own);
        }
    }
}

/* The wait is the server's: from the command to the first reply, less the round trip. */
static void test_wait(void **state)
{
    struct fixture *f = *state;
    int64_t at[2] = {1, 1};
    static const struct turn greeting = S("220 ftp\r\n"), ask = C("SYST\r\n"), reply = S("215 UNIX\r\n");
    handshake(&f->c, 20, 5);
    say(&f->c, at, &greeting, 4096);
    say(&f->c, at, &ask, 4096);
    f->c.now_ns += 400 * 1000000LL;
    say(&f->c, at, &reply, 4096);
    engine_finish(f->c.engine);
    assert_int_equal(f->seen.command_count, 1);
    assert_in_range(f->seen.commands[0].wait_ns, 375 * 1000000LL, 401 * 1000000LL);
}

static void check_commands(const struct seen *seen, const char *const words[], size_t count)
{
    assert_int_equal(seen->command_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(seen->commands[i].command, words[i]);
}

/* FTP joined in mid-connection, and again behind bytes that the capture missed: the next whole line
 * counts, and no reply goes to another command than its own. */
static void test_ftp_behind_gaps(void **state)
{
    static const char *const words[] = {"PASV", "RETR", "STOR", "QUIT"};
    static const struct turn pasv = C("PASV\r\n"), passive = S("227 ok (192,0,2,1,4,5)\r\n"),
                             retr = C("RETR x\r\n"), opening = S("150 here\r\n"),
                             rest = S("e\r\n226 done\r\n"), stor = C("STOR y\r\n"),
                             done = S("226 done\r\n"), quit = C("QUIT\r\n"), bye = S("221 bye\r\n");
    struct fixture *f = *state;
    int64_t at[2] = {5000, 90000};
    say(&f->c, at, &pasv, 4096);
    say(&f->c, at, &passive, 4096);
    say(&f->c, at, &retr, 4096);
    say(&f->c, at, &opening, 4096);
    at[1] += 20;
    send_at(&f->c, 1, ACK(0, at[0], at[1]));
    send_at(&f->c, 100, ACK(0, at[0], at[1]));
    say(&f->c, at, &rest, 4096);
    say(&f->c, at, &stor, 4096);
    say(&f->c, at, &done, 4096);
    say(&f->c, at, &quit, 4096);
    say(&f->c, at, &bye, 4096);
    engine_finish(f->c.engine);
    check_commands(&f->seen, words, 4);
    assert_string_equal(f->seen.flows[0].app, "ftp");
    assert_int_equal(f->seen.commands[0].data_port, 1029);
    assert_null(f->seen.commands[1].reply);
    assert_string_equal(f->seen.commands[2].reply, "226");
    assert_string_equal(f->seen.commands[3].reply, "221");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test_setup_teardown(test_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ftp_behind_gaps, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
