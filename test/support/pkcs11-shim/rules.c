/* The control file: read again whenever it changes, so that a test steers processes that are running. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RULES 64
#define ANY_FUNCTION "*"

struct rule {
  char function[32];
  unsigned long mechanism;
  unsigned long delay;
  unsigned long fail, fail_after;
  unsigned long hang, abort;
  unsigned long times, skip;
  unsigned long per_process;
  unsigned long seen; /* in this process */
};

struct control {
  struct settings settings;
  struct rule rules[MAX_RULES];
  size_t rule_count;
};

/* `bare` is the value of a word that stands alone; a word that needs a number has none. */
struct word {
  const char *name;
  size_t offset;
  unsigned long bare;
};

#define NEEDS_NUMBER 0
#define RULE(name, member, bare) {name, offsetof(struct rule, member), bare}
#define SETTING(name, member, bare) {name, offsetof(struct settings, member), bare}

static const struct word rule_words[] = {
    RULE("mechanism", mechanism, NEEDS_NUMBER),
    RULE("delay", delay, NEEDS_NUMBER),
    RULE("fail", fail, NEEDS_NUMBER),
    RULE("fail-after", fail_after, NEEDS_NUMBER),
    RULE("hang", hang, 1),
    RULE("abort", abort, 1),
    RULE("times", times, NEEDS_NUMBER),
    RULE("skip", skip, NEEDS_NUMBER),
    RULE("per-process", per_process, 1),
    {NULL, 0, 0},
};

static const struct word setting_words[] = {
    SETTING("generation", generation, NEEDS_NUMBER),
    SETTING("invalidate", invalidate, NEEDS_NUMBER),
    SETTING("retire-processes", retire_processes, NEEDS_NUMBER),
    SETTING("token-away", token_away, CKR_TOKEN_NOT_PRESENT),
    SETTING("set-flags", set_flags, NEEDS_NUMBER),
    SETTING("clear-flags", clear_flags, NEEDS_NUMBER),
    SETTING("free-private-memory", free_private_memory, NEEDS_NUMBER),
    SETTING("total-private-memory", total_private_memory, NEEDS_NUMBER),
    SETTING("free-public-memory", free_public_memory, NEEDS_NUMBER),
    SETTING("total-public-memory", total_public_memory, NEEDS_NUMBER),
    SETTING("session-count", session_count, NEEDS_NUMBER),
    SETTING("max-session-count", max_session_count, NEEDS_NUMBER),
    SETTING("max-sessions", max_sessions, NEEDS_NUMBER),
    SETTING("gcm-wrap", gcm_wrap, 1),
    SETTING("own-iv", own_iv, 1),
    {NULL, 0, 0},
};

#define CK_PKCS11_FUNCTION_INFO(name) #name,
static const char *const functions[] = {
#include <pkcs11f.h>
    ANY_FUNCTION,
};
#undef CK_PKCS11_FUNCTION_INFO

_Thread_local struct settings settings;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control control;
static struct stat loaded;

/* A rule that is silently ignored would make a test prove nothing. */
static void refuse(const char *what)
{
  fprintf(stderr, "pkcs11-shim: bad rule: %s\n", what);
  abort();
}

static unsigned long number(const char *text, const char *word)
{
  char *end = NULL;
  errno = 0;
  unsigned long value = strtoul(text, &end, 0);
  if (errno || end == text || *end) refuse(word);
  return value;
}

static void hide(struct settings *into, char *list, const char *word)
{
  char *rest = NULL;
  for (char *item = strtok_r(list, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
    if (into->hidden_count == MAX_HIDDEN) refuse(word);
    into->hidden[into->hidden_count++] = number(item, word);
  }
}

static void take_word(const struct word *words, void *into, char *word)
{
  char *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : strlen(word);
  for (; words->name; words++) {
    if (strlen(words->name) != length || strncmp(words->name, word, length) != 0) continue;
    if (!equals && words->bare == NEEDS_NUMBER) refuse(word);
    unsigned long value = equals ? number(equals + 1, word) : words->bare;
    memcpy((char *)into + words->offset, &value, sizeof value);
    return;
  }
  refuse(word);
}

static struct rule *new_rule(struct control *into, const char *function)
{
  if (into->rule_count == MAX_RULES) refuse(function);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    if (strcmp(functions[i], function) != 0) continue;
    struct rule *rule = &into->rules[into->rule_count++];
    *rule = (struct rule){.mechanism = UNSET};
    snprintf(rule->function, sizeof rule->function, "%s", function);
    return rule;
  }
  refuse(function);
  return NULL;
}

static void parse(struct control *into, char *text)
{
  char *next_line = NULL;
  for (char *line = strtok_r(text, "\n", &next_line); line; line = strtok_r(NULL, "\n", &next_line)) {
    struct rule *rule = NULL;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
      if (*word == '#') break;
      if (rule) take_word(rule_words, rule, word);
      else if (*word == '*' || strncmp(word, "C_", 2) == 0) rule = new_rule(into, word);
      else if (strncmp(word, "hide=", 5) == 0) hide(&into->settings, word + 5, word);
      else take_word(setting_words, &into->settings, word);
    }
    if (rule && !rule->delay && !rule->fail && !rule->fail_after && !rule->hang && !rule->abort)
      refuse("a rule must say what it does");
  }
}

static void load(const char *path, struct stat *stamp)
{
  struct control next = {.settings = {.free_private_memory = UNSET,
                                      .total_private_memory = UNSET,
                                      .free_public_memory = UNSET,
                                      .total_public_memory = UNSET,
                                      .session_count = UNSET,
                                      .max_session_count = UNSET,
                                      .max_sessions = UNSET}};
  char text[16384] = "";
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    ssize_t length = read(fd, text, sizeof text);
    if (length < 0 || length == (ssize_t)sizeof text) refuse(path);
    text[length] = '\0';
    fstat(fd, stamp);
    close(fd);
  }
  parse(&next, text);
  if (next.settings.generation == control.settings.generation)
    for (size_t i = 0; i < next.rule_count; i++) next.rules[i].seen = control.rules[i].seen;
  control = next;
}

/* Makes `settings` current. Costs one stat where the file has not changed. */
void rules_refresh(void)
{
  static bool first = true;
  const char *path = getenv("PKCS11_SHIM_CONTROL");
  pthread_mutex_lock(&lock);
  struct stat now = {0};
  if (path && stat(path, &now) != 0) now = (struct stat){0};
  if (first || now.st_ino != loaded.st_ino || now.st_size != loaded.st_size ||
      now.st_mtim.tv_sec != loaded.st_mtim.tv_sec || now.st_mtim.tv_nsec != loaded.st_mtim.tv_nsec) {
    load(path, &now);
    loaded = now;
    first = false;
  }
  settings = control.settings;
  pthread_mutex_unlock(&lock);
}

bool is_hidden(CK_MECHANISM_TYPE mechanism)
{
  for (size_t i = 0; i < settings.hidden_count; i++)
    if (settings.hidden[i] == mechanism) return true;
  return false;
}

/* The number of calls that met the rule before this one, in all processes: a file of counters, one a rule. */
static unsigned long count_everywhere(size_t rule)
{
  char path[4096];
  unsigned long seen = 0;
  snprintf(path, sizeof path, "%s.%lu.counts", getenv("PKCS11_SHIM_CONTROL"), control.settings.generation);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  off_t at = (off_t)(rule * sizeof seen);
  if (fd < 0 || flock(fd, LOCK_EX) != 0 || pread(fd, &seen, sizeof seen, at) < 0) refuse(path);
  unsigned long next = seen + 1;
  if (pwrite(fd, &next, sizeof next, at) != (ssize_t)sizeof next) refuse(path);
  close(fd);
  return seen;
}

static bool applies(struct rule *rule, const char *function, CK_MECHANISM_PTR mechanism)
{
  if (strcmp(rule->function, ANY_FUNCTION) != 0 && strcmp(rule->function, function) != 0) return false;
  if (rule->mechanism != UNSET && (!mechanism || mechanism->mechanism != rule->mechanism)) return false;
  if (!rule->times && !rule->skip) return true;
  unsigned long seen = rule->per_process ? rule->seen++ : count_everywhere((size_t)(rule - control.rules));
  return seen >= rule->skip && (!rule->times || seen - rule->skip < rule->times);
}

/* Delays add up; the first rule that does more than delay has the last word, and later ones do not count. */
struct verdict rules_judge(const char *function, CK_MECHANISM_PTR mechanism)
{
  struct verdict verdict = {0, PASS, CKR_OK};
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < control.rule_count && verdict.what == PASS; i++) {
    struct rule *rule = &control.rules[i];
    if (!applies(rule, function, mechanism)) continue;
    verdict.delay += rule->delay;
    verdict.rv = rule->fail ? rule->fail : rule->fail_after;
    if (rule->hang) verdict.what = HANG;
    else if (rule->abort) verdict.what = ABORT;
    else if (rule->fail) verdict.what = FAIL;
    else if (rule->fail_after) verdict.what = FAIL_AFTER;
  }
  pthread_mutex_unlock(&lock);
  return verdict;
}

#ifdef CHECK_RULES
/* A program that pkcs11-shim.ts runs before it hands rules out: it aborts at a bad one, with a message. */
int main(int count, char **arguments)
{
  struct stat stamp;
  for (int i = 1; i < count; i++) load(arguments[i], &stamp);
  return 0;
}
#endif
