/* The 19 tampering signatures of Sundara Raman et al. (SIGCOMM 2023): how far the client's packets
 * had come, and which resets of one direction ended it. A signature alone is no proof: a quarter of
 * all connections fits one. */
#ifndef INVCAP_DIAGNOSIS_FLOW_SIGNATURES_H
#define INVCAP_DIAGNOSIS_FLOW_SIGNATURES_H

#include "diagnosis/flow/facts.h"

/* What the resets that carry one side's address look like, and what the client had sent before. */
struct signature_view {
    bool syn, ack;              /* of the client: its SYN; the handshake's last acknowledgment */
    uint32_t data_segments;     /* of the client */
    uint32_t rst, rst_ack;      /* without and with ACK */
    bool acks_differ, ack_zero; /* among those without ACK */
    bool fin;                   /* somebody had closed in order */
    bool silent;                /* proven that nothing more came */
};

/* 1 to 19 in the paper's order, 0 none. */
unsigned signature_match(const struct signature_view *view);
/* As the paper writes it, e.g. "PSH+ACK -> RST = RST"; "" for 0. */
const char *signature_name(unsigned number);
/* The same of a flow, for the resets in the name of side. */
unsigned signature_of(const struct flow_facts *f, enum side side, bool silent);

#endif
