#include "diagnosis/site/commands.h"

#include <string.h>

struct command_range commands_next(const struct site *site, size_t *next)
{
    size_t first = *next;
    while (*next < site->command_count &&
           site->commands[*next]->flow_id == site->commands[first]->flow_id)
        (*next)++;
    return (struct command_range){site->commands + first, *next - first};
}

struct command_range commands_of(const struct site *site, int64_t flow_id)
{
    size_t low = 0, high = site->command_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (site->commands[middle]->flow_id < flow_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == site->command_count || site->commands[low]->flow_id != flow_id)
        return (struct command_range){NULL, 0};
    return commands_next(site, &low);
}

bool command_is(const struct command_record *command, const char *word)
{
    return command->command != NULL && strcmp(command->command, word) == 0;
}

bool command_replied(const struct command_record *command, const char *code)
{
    return command->reply != NULL && strcmp(command->reply, code) == 0;
}

struct claim command_claim(enum finding_code code, const struct site_flow *flow,
                           const struct command_record *command)
{
    struct claim claim = claim_start(code, flow);
    int64_t end = command->end_ns >= 0 ? command->end_ns : command->time_ns;
    claim.confidence = 90;
    claim.first_ns = command->time_ns;
    claim.last_ns = end;
    claim_add_reference(&claim, flow->f.source_id, command->frame, command->time_ns,
                        EVENT_REQUEST);
    if (command->reply_frame > 0)
        claim_add_reference(&claim, flow->f.source_id, command->reply_frame, end, EVENT_RESPONSE);
    return claim;
}
