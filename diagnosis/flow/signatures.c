#include "diagnosis/flow/signatures.h"

static const char *const names[] = {
    "",
    "SYN -> nothing",
    "SYN -> RST",
    "SYN -> RST+ACK",
    "SYN -> RST; RST+ACK",
    "SYN; ACK -> nothing",
    "SYN; ACK -> RST",
    "SYN; ACK -> RST; RST",
    "SYN; ACK -> RST+ACK",
    "SYN; ACK -> RST+ACK; RST+ACK",
    "PSH+ACK -> nothing",
    "PSH+ACK -> RST",
    "PSH+ACK -> RST+ACK",
    "PSH+ACK -> RST; RST+ACK",
    "PSH+ACK -> RST+ACK; RST+ACK",
    "PSH+ACK -> RST = RST",
    "PSH+ACK -> RST != RST",
    "PSH+ACK -> RST; RST0",
    "PSH+ACK; Data -> RST",
    "PSH+ACK; Data -> RST+ACK",
};

const char *signature_name(unsigned number)
{
    return number < sizeof names / sizeof *names ? names[number] : "";
}

static unsigned match_silence(const struct signature_view *v)
{
    if (!v->silent || v->data_segments > 1)
        return 0;
    if (v->data_segments == 1)
        return 10;
    return v->ack ? 5 : v->syn ? 1 : 0;
}

static unsigned match_opening(const struct signature_view *v)
{
    bool both = v->rst > 0 && v->rst_ack > 0;
    if (!v->syn)
        return 0;
    if (!v->ack)
        return both ? 4 : v->rst > 0 ? 2 : 3;
    if (both)
        return 0;
    if (v->rst > 0)
        return v->rst == 1 ? 6 : 7;
    return v->rst_ack == 1 ? 8 : 9;
}

static unsigned match_first_data(const struct signature_view *v)
{
    if (v->rst > 0 && v->rst_ack > 0)
        return 13;
    if (v->rst_ack > 0)
        return v->rst_ack == 1 ? 12 : 14;
    if (v->rst == 1)
        return 11;
    if (!v->acks_differ)
        return 15;
    return v->ack_zero ? 17 : 16;
}

unsigned signature_match(const struct signature_view *v)
{
    if (v->fin)
        return 0;
    if (v->rst + v->rst_ack == 0)
        return match_silence(v);
    if (v->data_segments == 0)
        return match_opening(v);
    if (v->data_segments == 1)
        return match_first_data(v);
    if (v->rst > 0 && v->rst_ack > 0)
        return 0;
    return v->rst > 0 ? 18 : 19;
}

static void view_reset(const struct reset_record *r, const struct reset_record *first,
                       struct signature_view *view)
{
    if (r->with_ack) {
        view->rst_ack++;
        return;
    }
    view->rst++;
    view->ack_zero |= r->acknowledgment == 0;
    view->acks_differ |= first != NULL && first->acknowledgment != r->acknowledgment;
}

/* The handshake was through when that side was reset, or (ns -1) at all. */
static bool was_open(const struct flow_facts *f, int64_t reset_ns)
{
    return facts_is_established(f) &&
           (reset_ns < 0 || f->tcp->established_ns < 0 || f->tcp->established_ns <= reset_ns);
}

/* RFC 9293 3.10.7.1: a side that has reset, or was reset in the other's name, answers without ACK what the other
 * still sends. */
static bool is_echo(const struct flow_facts *f, const struct reset_record *r)
{
    for (size_t i = 0; !r->with_ack && i < f->reset_row_count; i++) {
        const struct reset_record *first = &f->reset_rows[i];
        if (first->time_ns < r->time_ns && r->peer_ns >= 0 && r->time_ns - r->peer_ns > first->time_ns)
            return true;
    }
    return false;
}

unsigned signature_of(const struct flow_facts *f, enum side side, bool silent)
{
    const struct tcp_side_facts *client = &f->tcp->side[SIDE_CLIENT];
    const struct tcp_side_facts *own = &f->tcp->side[side];
    struct signature_view view = {.syn = f->tcp->syn_count > 0,
                                  .ack = was_open(f, own->rst_ns),
                                  .data_segments = client->segments,
                                  .fin =
                                      client->fin_ns >= 0 || f->tcp->side[SIDE_SERVER].fin_ns >= 0,
                                  .silent = silent && (side == SIDE_CLIENT || own->segments == 0)};
    const struct reset_record *bare = NULL, *first = NULL;
    bool has_rows = false;
    for (size_t i = 0; i < f->reset_row_count; i++) {
        const struct reset_record *r = &f->reset_rows[i];
        has_rows |= r->side == side;
        if (r->side != side || is_echo(f, r))
            continue;
        if (first == NULL) {
            first = r;
            view.data_segments = side == SIDE_CLIENT ? r->segments_before : r->peer_segments_before;
            view.fin = r->own_fin || r->peer_fin;
        }
        view_reset(r, bare, &view);
        if (bare == NULL && !r->with_ack)
            bare = r;
    }
    if (!has_rows && own->rst_count > 0)
        *(own->rst_with_ack ? &view.rst_ack : &view.rst) = own->rst_count; /* rows are kept of what is worth comparing */
    return signature_match(&view);
}
