/* Commands and their replies in order: what all dissectors of dialogues share. A command waits until
 * its last reply; then its record goes to the sink. */
#ifndef INVCAP_DISSECTORS_COMMANDS_H
#define INVCAP_DISSECTORS_COMMANDS_H

#include "dissectors/dissector.h"

/* Pipelined further than this, replies are no longer told apart. */
#define COMMANDS_WAITING 32

struct commands {
    uint8_t protocol; /* enum command_protocol; set by the owner */
    uint32_t rows;    /* put so far */
    struct command_record waiting[COMMANDS_WAITING];
    size_t first, count;
    bool lost; /* replies and commands cannot be matched any more */
};

/* Whether the bytes begin with one of `count` texts. */
enum dissector_match commands_begin(const char *const *starts, size_t count, const uint8_t *bytes,
                                    size_t len);
/* The client asked at the packet of the context. word is static. Returns the row, NULL when no more
 * are kept. */
struct command_record *commands_ask(struct commands *c, const char *word,
                                    const struct dissect_context *context);
/* The oldest command without its last reply; NULL none. */
struct command_record *commands_oldest(struct commands *c);
/* A reply to the oldest command came with the packet of the context: its first one sets the wait. */
void commands_note_reply(struct commands *c, const struct dissect_context *context);
/* The last reply to the oldest: puts its record. reply of len bytes, at most 8, letters and digits. */
void commands_finish(struct commands *c, enum command_result result, const char *reply, size_t len,
                     const struct dissect_context *context);
/* What still waits at the end is put as unanswered. */
void commands_close(struct commands *c, const struct dissect_context *context);

#endif
