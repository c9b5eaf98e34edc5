/* Columns of ntp_samples. */
#include "core/columns.h"

#define RECORD ntp_record
static const struct column ntp_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The conversation."),
    COL(number, "", COLUMN_KEY, "Order of the exchange within the conversation, from 1."),
    NAMED(asker, column_sides, 0, "Side that asked, or heard a broadcast."),
    COL(client_ip, "", 0, "Who asked, or the address of a broadcast."),
    COL(server_ip, "", 0, "Time server."),
    COL(version, "", 0, "NTP version."),
    COL(mode, "", 0, "Mode of the server's packet (4 server, 5 broadcast, 2 symmetric passive); of the "
                     "request when none came."),
    COL(request_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "The request, ns since 1970 UTC."),
    COL(reply_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "The reply, ns since 1970 UTC."),
    COL(request_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the request."),
    COL(reply_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the reply."),
    COL(leap, "", COLUMN_NEGATIVE_IS_NULL, "Leap indicator of the server; 3: not synchronised."),
    COL(stratum, "", COLUMN_NEGATIVE_IS_NULL, "Stratum of the server; 0 is a kiss code."),
    COL(reference, "", 0, "The server's reference: address, clock or kiss code."),
    COL(offset_ns, "ns", 0,
        "The server's clock ahead of the capture's; without meaning when error_ns is NULL."),
    COL(error_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "The offset may be off by so much: half the round trip between tap and server."),
    COL(client_offset_ns, "ns", 0,
        "The client's transmit time ahead of the capture's clock, when client_offset_known."),
    COL(client_offset_known, "bool", 0, "1: within a day; many clients send a random number."),
    COL(delay_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From the tap to the server and back, without the server's time."),
    COL(root_delay_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Round trip to the reference clock, as told."),
    COL(root_dispersion_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Dispersion to it, as told."),
};

const struct record_table record_ntp = {
    .kind = RECORD_NTP, .table = "ntp_samples", .json_type = "ntp",
    .sentence = "One row per exchange with a time server.",
    .record_size = sizeof(struct ntp_record), TABLE_OF(ntp_columns)};
