/* A finding in words: who, why, frames, filter. The store holds codes and values; every sentence is
 * made here. */
#ifndef INVCAP_REPORTS_FINDING_TEXT_H
#define INVCAP_REPORTS_FINDING_TEXT_H

#include "reports/case.h"
#include "reports/quantity.h"

#define FINDING_TEXT_SIZE 2048
#define FINDING_VALUES_MOST 24

/* The named values of a finding's sentences, in one language. Do not copy: it points into itself.
 */
struct finding_words {
    struct text_value values[FINDING_VALUES_MOST + 6];
    size_t count;
    char texts[FINDING_VALUES_MOST][QUANTITY_SIZE];
    char client[320], server[400], number[48], service[128];
};

void finding_words_make(const struct case_finding *finding, enum language language,
                        struct finding_words *out);
/* The same for a code alone: values become "...", client and server common nouns. */
void finding_words_make_general(const struct finding_info *info, enum language language,
                                struct finding_words *out);
/* A sentence of the catalogue with these values. Returns out. */
char *finding_sentence(const struct finding_words *words, enum text_id id, enum language language,
                       char out[FINDING_TEXT_SIZE]);
/* What it says first, and how many alike it stands for. Returns out. */
char *finding_title(const struct case_finding *finding, const struct finding_words *words,
                    enum language language, char out[FINDING_TEXT_SIZE]);
/* The culprit in words, with "possible" below confidence 50, and why when it is unknown. */
char *finding_who(const struct case_finding *finding, const struct finding_words *words,
                  enum language language, char out[FINDING_TEXT_SIZE]);
/* "17, 21, 25 (a.pcap); 3 (b.pcap)"; "" without evidence. */
/* The sentence of the first screen's line "who", with {who} {path} {client} {server} {count} {time}:
 * "who" names one end or both already, the line adds the other end only. path as finding_path(). */
enum text_id finding_who_pattern(const struct finding_record *record, const char *path);
/* The same for the first screen: no file name when there is one file, else without its folder. */
char *finding_frames_short(const struct report_case *loaded, const struct case_finding *finding,
                           char out[FINDING_TEXT_SIZE]);
char *finding_frames(const struct report_case *loaded, const struct case_finding *finding,
                     char out[FINDING_TEXT_SIZE]);
/* The display filter that shows it in Wireshark; "" when it has no address. */
char *finding_filter(const struct case_finding *finding, char out[FINDING_TEXT_SIZE]);
/* "10.0.0.1:40000 -> 10.0.0.2:8443 (inv.example.cn)"; ports left out where they mean nothing; "…" behind it where it
 * stands for others alike. */
char *finding_path(const struct case_finding *finding, char out[FINDING_TEXT_SIZE]);
/* Rivals in words with what would exclude them: calls back for each. */
void finding_each_rival(const struct case_finding *finding,
                        void (*each)(void *self, const struct rival_info *rival), void *self);
/* What a service of the profile is called; the name itself when it has no title. */
const char *service_title(const char *name, enum language language);

#define CONFIDENCE_POSSIBLE 50

#endif
