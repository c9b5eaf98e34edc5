/* Columns of app_commands. */
#include "core/columns.h"

static const char *const protocols[] = {"",           "ftp",   "ssh",  "mysql",
                                        "postgresql", "redis", "amqp", NULL};
static const char *const results[] = {"unanswered", "done", "refused", NULL};
_Static_assert(sizeof protocols / sizeof protocols[0] == COMMAND_AMQP + 2, "a name for each");
_Static_assert(sizeof results / sizeof results[0] == COMMAND_REFUSED + 2, "a name for each");

#define RECORD command_record
static const struct column command_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(number, "", COLUMN_KEY, "Order of the answers within the connection, from 1."),
    NAMED(protocol, protocols, 0, "ftp, ssh, mysql, postgresql, redis or amqp."),
    COL(command, "", 0, "Word of the protocol: USER, RETR, LOGIN, QUERY; never an argument."),
    NAMED(result, results, 0, "done, refused or unanswered."),
    COL(reply, "", 0, "Code of the last reply: 226, 1045, 28P01; ok where success has no code."),
    COL(detail, "", 0, "Software and lists of algorithms that the ends announced."),
    COL(time_ns, "ns", 0, "When the command was whole, ns since 1970 UTC."),
    COL(reply_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "When the first reply came, ns since 1970 UTC."),
    COL(end_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "When the last reply came, ns since 1970 UTC."),
    COL(wait_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From the command to its first reply, less the smallest round trip between tap and server."),
    COL(frame, "", COLUMN_ZERO_IS_NULL, "Frame that completes the command."),
    COL(reply_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the last reply."),
    COL(data_ip, "", 0, "FTP: address announced for the data connection; NULL where none is named."),
    COL(data_port, "", COLUMN_ZERO_IS_NULL, "FTP: port announced for the data connection."),
};

const struct record_table record_commands = {
    .kind = RECORD_COMMAND, .table = "app_commands", .json_type = "command",
    .sentence = "One row per command of FTP, SSH, MySQL, PostgreSQL, Redis and AMQP: its word, the code "
                "of the reply and the times; never an argument, a statement, a name or a password.",
    .record_size = sizeof(struct command_record), TABLE_OF(command_columns)};
