/* Packets of connections, from the original captures into one annotated pcapng. */
#ifndef INVCAP_CLI_EXTRACT_H
#define INVCAP_CLI_EXTRACT_H

#include "core/texts.h"
#include "reports/case.h"

struct extract_request {
    int64_t flow_id; /* the connection whose packets are wanted; 0 none */
    const struct report_case *loaded;
    const struct case_finding *finding; /* its evidence is annotated; NULL none */
    const char *path;                   /* of the pcapng; "-" standard output */
    bool raw;                           /* else masked: cli/mask.h */
    enum language language;             /* of the comments */
};

/* Tells the number of packets written. Nothing is left behind on failure: a source that is missing,
 * or is not the file that was analysed, is one. */
bool extract_write(const struct extract_request *request, uint64_t *out_packets,
                   struct error *error);

#endif
