/* usage: chain_verdict < LINES: what trust/ says of chains in files.
 * A line is ID|STORE or -|SECONDS|NAME or -|DER[,DER...]|OTHER DER[,...] or -
 * and is answered by ID STATUS ERROR MATCHES. */
#include "core/intern.h"
#include "dissectors/x509.h"
#include "trust/chain.h"
#include "trust/name_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATES_MOST 16
#define DER_MOST 65536

static const char *const statuses[] = {"not-judged", "consistent", "broken",
                                       "verified",   "incomplete", "untrusted"};

struct pile {
    struct certificate_record records[CERTIFICATES_MOST];
    const struct certificate_record *list[CERTIFICATES_MOST];
    char *sans[CERTIFICATES_MOST];
    uint8_t *ders[CERTIFICATES_MOST];
    size_t count;
};

static void add(struct intern *strings, const char *path, struct pile *pile)
{
    size_t at = pile->count;
    FILE *file = fopen(path, "rb");
    if (file == NULL || at == CERTIFICATES_MOST) {
        perror(path);
        exit(2);
    }
    pile->ders[at] = malloc(DER_MOST);
    size_t len = pile->ders[at] != NULL ? fread(pile->ders[at], 1, DER_MOST, file) : 0;
    (void)fclose(file);
    certificate_parse(strings, pile->ders[at], len, &pile->records[at], &pile->sans[at]);
    pile->records[at].id = (int64_t)at + 1;
    pile->list[at] = &pile->records[at];
    pile->count++;
}

static void add_list(struct intern *strings, char *list, struct pile *pile)
{
    char *rest = NULL;
    for (char *path = strtok_r(list, ",", &rest); path != NULL; path = strtok_r(NULL, ",", &rest)) {
        if (strcmp(path, "-") != 0)
            add(strings, path, pile);
    }
}

static void answer(struct intern *strings, char *const field[6])
{
    struct pile *sent = calloc(1, sizeof *sent), *others = calloc(1, sizeof *others);
    struct trust_store *store = trust_store_new();
    struct error error = {0};
    if (sent == NULL || others == NULL || store == NULL)
        exit(2);
    if (strcmp(field[1], "-") != 0 && !trust_store_add(store, field[1], &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    add_list(strings, field[4], sent);
    add_list(strings, field[5], others);
    struct chain_verifier *verifier = chain_verifier_new(store);
    struct chain_verdict verdict;
    for (size_t i = 0; i < others->count; i++)
        chain_verifier_learn(verifier, others->list[i]);
    chain_verify(verifier, sent->list, sent->count, strtoll(field[2], NULL, 10) * 1000000000LL,
                 &verdict);
    printf("%s %s %d %d %s %u\n", field[0], statuses[verdict.status], verdict.error,
           name_matches_certificate(field[3], sent->list[0]),
           verdict.lacks_intermediate ? "lacks" : verdict.in_order ? "ordered" : "unordered",
           verdict.path_len);
    chain_verifier_free(verifier);
    trust_store_free(store);
    for (size_t i = 0; i < CERTIFICATES_MOST; i++) {
        free(sent->ders[i]);
        free(sent->sans[i]);
        free(others->ders[i]);
        free(others->sans[i]);
    }
    free(sent);
    free(others);
}

int main(void)
{
    static char line[8192];
    struct intern *strings = intern_new();
    while (strings != NULL && fgets(line, sizeof line, stdin) != NULL) {
        char *field[6] = {NULL};
        size_t count = 0;
        line[strcspn(line, "\n")] = '\0';
        for (char *at = line; at != NULL && count < 6; count++) {
            char *end = strchr(at, '|');
            field[count] = at;
            if (end != NULL)
                *end++ = '\0';
            at = end;
        }
        if (count == 6)
            answer(strings, field);
    }
    intern_free(strings);
    return 0;
}
