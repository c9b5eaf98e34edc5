#include "cli/profile_place.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

void profile_path_key(struct profile_path *path, const char *key)
{
    if (path->count < PROFILE_PATH_MOST) {
        struct profile_step *step = &path->steps[path->count++];
        step->index = 0;
        snprintf(step->key, sizeof(step->key), "%s", key);
    }
}

void profile_path_index(struct profile_path *path, size_t index)
{
    if (path->count < PROFILE_PATH_MOST) {
        path->steps[path->count++] = (struct profile_step){"", index};
    }
}

static struct profile_place place_of(yaml_mark_t mark)
{
    return (struct profile_place){mark.line + 1, mark.column + 1};
}

static bool load(yaml_parser_t *parser, yaml_document_t *document, const char *text, size_t len)
{
    if (yaml_parser_initialize(parser) == 0) {
        return false;
    }
    yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
    if (yaml_parser_load(parser, document) == 0) {
        yaml_parser_delete(parser);
        return false;
    }
    return true;
}

static bool is_scalar(const yaml_node_t *node, const char *text)
{
    return node != NULL && node->type == YAML_SCALAR_NODE &&
           node->data.scalar.length == strlen(text) &&
           memcmp(node->data.scalar.value, text, node->data.scalar.length) == 0;
}

/* The pair whose key is `key`; NULL when the node is no mapping or has none. */
static yaml_node_pair_t *find_pair(yaml_document_t *document, yaml_node_t *node, const char *key,
                                   size_t occurrence)
{
    if (node == NULL || node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        if (is_scalar(yaml_document_get_node(document, pair->key), key) && occurrence-- == 0) {
            return pair;
        }
    }
    return NULL;
}

static yaml_node_t *step_into(yaml_document_t *document, yaml_node_t *node,
                              const struct profile_step *step)
{
    if (step->key[0] != '\0') {
        yaml_node_pair_t *pair = find_pair(document, node, step->key, 0);
        return pair != NULL ? yaml_document_get_node(document, pair->value) : NULL;
    }
    if (node->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }
    yaml_node_item_t *item = node->data.sequence.items.start + step->index;
    return item < node->data.sequence.items.top ? yaml_document_get_node(document, *item) : NULL;
}

static yaml_node_t *walk(yaml_document_t *document, const struct profile_path *path)
{
    yaml_node_t *node = yaml_document_get_root_node(document);
    for (size_t i = 0; node != NULL && i < path->count; i++) {
        yaml_node_t *next = step_into(document, node, &path->steps[i]);
        if (next == NULL) {
            return node;
        }
        node = next;
    }
    return node;
}

struct profile_place profile_place_value(const char *text, size_t len,
                                         const struct profile_path *path)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct profile_place place = {1, 1};
    if (!load(&parser, &document, text, len)) {
        return place;
    }
    const yaml_node_t *node = walk(&document, path);
    if (node != NULL) {
        place = place_of(node->start_mark);
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return place;
}

struct profile_place profile_place_key(const char *text, size_t len,
                                       const struct profile_path *path, const char *key,
                                       size_t occurrence)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct profile_place place = {1, 1};
    if (!load(&parser, &document, text, len)) {
        return place;
    }
    yaml_node_t *node = walk(&document, path);
    yaml_node_pair_t *pair = find_pair(&document, node, key, occurrence);
    if (pair != NULL) {
        place = place_of(yaml_document_get_node(&document, pair->key)->start_mark);
    } else if (node != NULL) {
        place = place_of(node->start_mark);
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return place;
}

bool profile_place_has_key(const char *text, size_t len, const struct profile_path *path,
                           const char *key)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!load(&parser, &document, text, len)) {
        return false;
    }
    bool found = find_pair(&document, walk(&document, path), key, 0) != NULL;
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return found;
}

bool profile_place_check(const char *text, size_t len, struct profile_place *place, char *problem,
                         size_t size)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0) {
        return true;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    bool good = yaml_parser_load(&parser, &document) != 0;
    if (good) {
        yaml_document_delete(&document);
    } else {
        *place = place_of(parser.problem_mark);
        snprintf(problem, size, "%s", parser.problem != NULL ? parser.problem : "no YAML");
    }
    yaml_parser_delete(&parser);
    return good;
}
