/* Retries joined: what one client tried at one server port, attempt after attempt, until one worked
 * or none followed. A retry that goes to another address of the same name belongs to the story. */
#include "diagnosis/site/extent.h"

#include <stdio.h>
#include <string.h>

/* People and programs try again within a minute; what comes later is another matter. */
#define STORY_GAP_NS (60000 * FACTS_MS)
#define STORIES_OPEN 32
#define STEPS_SHOWN 12
#define STEPS_SIZE 512

struct open_story {
    struct story_record record;
    char steps[STEPS_SIZE];
};

struct telling {
    struct judge *judge;
    const struct sink *out;
    struct open_story open[STORIES_OPEN];
    size_t count;
    int64_t number;
};

static void add_step(struct open_story *story, const struct site_flow *flow)
{
    size_t len = strlen(story->steps);
    int64_t ms = (flow->f.last_ns - flow->f.first_ns) / FACTS_MS;
    const char *word = flow->outcome == OUTCOME_FAILED && flow->verdict != 0
                           ? catalogue_get((enum finding_code)(flow->verdict - 1))->code
                           : outcome_name(flow->outcome);
    if (story->record.attempts > STEPS_SHOWN)
        return;
    (void)snprintf(story->steps + len, sizeof story->steps - len, "%s%s %lld", len > 0 ? ", " : "",
                   word, (long long)ms);
}

static void add_attempt(struct open_story *story, const struct site_flow *flow)
{
    struct story_record *record = &story->record;
    record->attempts++;
    record->failed += flow->outcome == OUTCOME_FAILED;
    record->last_flow = flow->f.id;
    record->outcome = flow->outcome;
    if (flow->f.last_ns > record->last_ns)
        record->last_ns = flow->f.last_ns;
    if (record->name == NULL)
        record->name = flow->f.name;
    add_step(story, flow);
}

/* One attempt alone is told by its finding. */
static void close_story(struct telling *telling, size_t at)
{
    struct open_story *story = &telling->open[at];
    if (story->record.attempts > 1) {
        story->record.number = ++telling->number;
        story->record.steps = arena_format(&telling->judge->site->arena, "%s", story->steps);
        telling->judge->failed |= story->record.steps == NULL;
        sink_put(telling->out, RECORD_STORY, &story->record);
    }
    memmove(story, story + 1, (telling->count - at - 1) * sizeof *story);
    telling->count--;
}

static bool continues(const struct open_story *story, const struct site_flow *flow)
{
    const struct story_record *record = &story->record;
    if (record->server_port != flow->f.port[SIDE_SERVER])
        return false;
    return address_equal(&record->server_ip, &flow->server->address) ||
           (record->name != NULL && flow->f.name != NULL &&
            strcmp(record->name, flow->f.name) == 0);
}

static void begin_story(struct telling *telling, const struct site_flow *flow)
{
    if (telling->count == STORIES_OPEN)
        close_story(telling, 0);
    struct open_story *story = &telling->open[telling->count++];
    *story = (struct open_story){.record = {.capture_id = telling->judge->site->capture.id,
                                            .client_ip = flow->client->address,
                                            .server_ip = flow->server->address,
                                            .server_port = flow->f.port[SIDE_SERVER],
                                            .name = flow->f.name,
                                            .service = flow->f.service,
                                            .first_flow = flow->f.id,
                                            .first_ns = flow->f.first_ns,
                                            .last_ns = flow->f.last_ns,
                                            .verdict = flow->verdict}};
    add_attempt(story, flow);
}

static void tell(struct telling *telling, const struct site_flow *flow)
{
    for (size_t i = telling->count; i > 0; i--) {
        if (flow->f.first_ns - telling->open[i - 1].record.last_ns > STORY_GAP_NS)
            close_story(telling, i - 1);
    }
    for (size_t i = 0; i < telling->count; i++) {
        if (!continues(&telling->open[i], flow))
            continue;
        add_attempt(&telling->open[i], flow);
        if (flow->outcome == OUTCOME_OK)
            close_story(telling, i);
        return;
    }
    if (flow->outcome == OUTCOME_FAILED)
        begin_story(telling, flow);
}

bool extent_put_stories(struct judge *judge, const struct sink *out)
{
    const struct site *site = judge->site;
    struct telling telling = {.judge = judge, .out = out};
    for (size_t i = 0; i < site->flow_count; i++) {
        const struct site_flow *flow = site->by_client[i];
        if (i > 0 && site->by_client[i - 1]->client != flow->client) {
            while (telling.count > 0)
                close_story(&telling, 0);
        }
        if (flow->outcome != OUTCOME_NONE && flow->outcome != OUTCOME_UNSOLICITED)
            tell(&telling, flow);
    }
    while (telling.count > 0)
        close_story(&telling, 0);
    return !judge->failed;
}
