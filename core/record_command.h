/* app_commands: what clients asked of FTP, SSH, databases, caches and brokers, and what they were told.
 * Words of the protocol and codes alone: no argument, name, password or statement. */
#ifndef INVCAP_CORE_RECORD_COMMAND_H
#define INVCAP_CORE_RECORD_COMMAND_H

#include "core/address.h"

#include <stdbool.h>
#include <stdint.h>

/* Order is public (names in columns_command.c). */
enum command_protocol {
    COMMAND_NONE, COMMAND_FTP, COMMAND_SSH, COMMAND_MYSQL, COMMAND_POSTGRESQL, COMMAND_REDIS,
    COMMAND_AMQP
};

enum command_result { COMMAND_UNANSWERED, COMMAND_DONE, COMMAND_REFUSED };

struct command_record {
    int64_t flow_id;
    int64_t number;            /* 1.. within the flow */
    uint8_t protocol;          /* enum command_protocol */
    uint8_t result;            /* enum command_result */
    const char *command;       /* "RETR", "LOGIN", "QUERY" */
    const char *reply;         /* "226", "1045", "28P01"; NULL none */
    const char *detail;        /* lists of algorithms, software; NULL */
    int64_t time_ns;           /* the command was whole */
    int64_t reply_ns, end_ns;  /* first and last reply, -1 */
    int64_t wait_ns;           /* from command to first reply, less the network's round trip; -1 */
    int64_t frame, reply_frame;
    struct address data_ip;    /* FTP: where the data connection is to go; family 0: not said */
    uint16_t data_port;        /* 0: none announced */
};

#endif
