/* Pages of docs/ that are made from tables, so that they cannot say anything else:
 *   gen_docs PAGE               prints the page
 *   gen_docs PAGE --check FILE  ends with status 1 when FILE differs from it
 * A page is one function and one line of the table at the end. */
#include "core/catalogue.h"
#include "store/schema_docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_SIZE 4096
#define NAMES_MOST 32

/* ---- findings.md ----------------------------------------------------------------------------- */

struct names {
    char shown[NAMES_MOST][40];
    struct value_spec spec[NAMES_MOST];
    struct text_value values[NAMES_MOST];
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    size_t i = names->count;
    if (i == NAMES_MOST) {
        return;
    }
    snprintf(names->spec[i].name, sizeof names->spec[i].name, "%s", name);
    snprintf(names->shown[i], sizeof names->shown[i], "{%s}", name);
    names->values[i] = (struct text_value){names->spec[i].name, names->shown[i]};
    names->count++;
}

/* Every value of a finding stands for itself: "{server}". */
static void collect_names(const struct finding_info *info, struct names *out)
{
    static const char *const always[] = {"server", "client", "service", "count"};
    const char *list = info->values;
    struct value_spec spec;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        add_name(out, always[i]);
    }
    while (catalogue_next_value(&list, &spec)) {
        add_name(out, spec.name);
    }
}

static void print_sentence(FILE *out, const char *head, enum text_id id, const struct names *names,
                           enum language language)
{
    char sentence[SENTENCE_SIZE];
    if (text_get(id, language)[0] == '\0') {
        return;
    }
    text_format(sentence, sizeof sentence, text_get(id, language), names->values, names->count);
    fprintf(out, "**%s** %s\n\n", head, sentence);
}

static void print_rivals(FILE *out, const struct finding_info *info, enum language language)
{
    static const char *const heads[LANG_COUNT] = {"Other explanations", "其他可能"};
    static const char *const before[LANG_COUNT] = {" (excluded if ", "（排除条件："};
    static const char *const after[LANG_COUNT] = {")", "）"};
    const char *list = info->rivals;
    enum rival rival;
    if (*list == '\0') {
        return;
    }
    fprintf(out, "**%s**\n\n", heads[language]);
    while (catalogue_next_rival(&list, &rival)) {
        const struct rival_info *entry = rival_get(rival);
        fprintf(out, "- `%s`: %s%s%s%s\n", entry->code, entry->name[language], before[language],
                entry->excluded_by[language], after[language]);
    }
    fputc('\n', out);
}

static void print_language(FILE *out, const struct finding_info *info, enum language language)
{
    static const char *const heads[4][LANG_COUNT] = {
        {"Meaning.", "含义。"}, {"Proof.", "证据。"}, {"To do.", "处置。"},
        {"Next capture.", "下一步抓包。"}};
    char title[SENTENCE_SIZE];
    struct names names;
    collect_names(info, &names);
    text_format(title, sizeof title, text_get(info->title, language), names.values, names.count);
    fprintf(out, "*%s*\n\n", title);
    print_sentence(out, heads[0][language], info->meaning, &names, language);
    print_sentence(out, heads[1][language], info->evidence, &names, language);
    print_rivals(out, info, language);
    print_sentence(out, heads[2][language], info->advice, &names, language);
    print_sentence(out, heads[3][language], info->next, &names, language);
}

static void print_values(FILE *out, const struct finding_info *info)
{
    const char *list = info->values;
    struct value_spec spec;
    const char *comma = "- Values: ";
    while (catalogue_next_value(&list, &spec)) {
        fprintf(out, "%s`%s` (%s)", comma, spec.name, unit_name(spec.unit));
        comma = ", ";
    }
    fputs(info->values[0] != '\0' ? "\n" : "", out);
}

static void print_finding(FILE *out, const struct finding_info *info)
{
    fprintf(out, "## %s\n\n- %s, %s; culprit: %s; scope: %s; tier %s%s\n", info->code,
            severity_name(info->severity), category_name(info->category),
            culprit_name(info->culprit), scope_name(info->scope), tier_name(info->tier),
            info->primary ? "; can be the verdict of a failed connection" : "");
    if (info->withdrawn_by[0] != '\0') {
        fprintf(out, "- Withdrawn by: %s\n", info->withdrawn_by);
    }
    if (info->technique[0] != '\0') {
        fprintf(out, "- ATT&CK: %s\n", info->technique);
    }
    print_values(out, info);
    fputc('\n', out);
    print_language(out, info, LANG_EN);
    print_language(out, info, LANG_ZH);
}

static void print_findings(FILE *out)
{
    fputs("# Findings\n\n"
          "Made by `gen_docs findings` from core/findings.def, core/rivals.def and core/texts/; a "
          "test keeps it equal. Severity and culprit are defaults: the packets of a case may change "
          "them. A finding of tier B is an observation and never exceeds `low`. Names in braces are "
          "values of the finding.\n\n"
          "由 core/findings.def、core/rivals.def 与 core/texts/ 生成。级别与责任方为缺省值，可随具体报文"
          "改变；B 级结论仅为观察，级别不超过 low。花括号内为该结论携带的数值。\n\n"
          "| code | severity | culprit | tier | verdict | |\n| --- | --- | --- | --- | --- | --- |\n",
          out);
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        const struct finding_info *info = catalogue_get((enum finding_code)i);
        char title[LANG_COUNT][SENTENCE_SIZE];
        struct names names;
        collect_names(info, &names);
        for (unsigned language = 0; language < LANG_COUNT; language++) {
            text_format(title[language], SENTENCE_SIZE,
                        text_get(info->title, (enum language)language), names.values, names.count);
        }
        fprintf(out, "| [%s](#%s) | %s | %s | %s | %s | %s<br>%s |\n", info->code, info->code,
                severity_name(info->severity), culprit_name(info->culprit), tier_name(info->tier),
                info->primary ? "yes" : "", title[LANG_EN], title[LANG_ZH]);
    }
    fputc('\n', out);
    for (unsigned i = 0; i < FINDING_COUNT; i++) {
        print_finding(out, catalogue_get((enum finding_code)i));
    }
}

/* ---- schema.md ------------------------------------------------------------------------------- */

static void print_schema(FILE *out)
{
    (void)schema_docs_write(out);
}

/* ---- The pages ------------------------------------------------------------------------------- */

static const struct page {
    const char *name;
    void (*print)(FILE *out);
} pages[] = {
    {"findings", print_findings},
    {"schema", print_schema},
};

static const struct page *find_page(const char *name)
{
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(pages[i].name, name) == 0) {
            return &pages[i];
        }
    }
    return NULL;
}

/* Compares byte by byte; names the first line that differs. */
static bool is_equal(FILE *file, const char *text, size_t len)
{
    unsigned line = 1;
    for (size_t i = 0; i <= len; i++) {
        int byte = getc(file);
        if (byte != (i < len ? (unsigned char)text[i] : EOF)) {
            fprintf(stderr, "gen_docs: differs from line %u on; remake the page\n", line);
            return false;
        }
        line += byte == '\n';
    }
    return true;
}

static int check_page(const struct page *page, const char *path)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    FILE *file = fopen(path, "rb");
    bool equal = false;
    if (memory != NULL && file != NULL) {
        page->print(memory);
        fflush(memory);
        equal = is_equal(file, text, len);
    } else {
        perror(path);
    }
    if (memory != NULL) {
        fclose(memory);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(text);
    return equal ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct page *page = argc >= 2 ? find_page(argv[1]) : NULL;
    if (page == NULL || (argc != 2 && !(argc == 4 && strcmp(argv[2], "--check") == 0))) {
        fputs("usage: gen_docs PAGE [--check FILE]\npages:", stderr);
        for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
            fprintf(stderr, " %s", pages[i].name);
        }
        fputc('\n', stderr);
        return 2;
    }
    if (argc == 4) {
        return check_page(page, argv[3]);
    }
    page->print(stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
