/* One line of JSON a call, appended with one write, so that processes can share the file. */
#include "shim.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
  CK_ATTRIBUTE_TYPE type;
  const char *name;
} flags[] = {
    {CKA_TOKEN, "TOKEN"},       {CKA_PRIVATE, "PRIVATE"},         {CKA_SENSITIVE, "SENSITIVE"},
    {CKA_ENCRYPT, "ENCRYPT"},   {CKA_DECRYPT, "DECRYPT"},         {CKA_WRAP, "WRAP"},
    {CKA_UNWRAP, "UNWRAP"},     {CKA_SIGN, "SIGN"},               {CKA_VERIFY, "VERIFY"},
    {CKA_DERIVE, "DERIVE"},     {CKA_EXTRACTABLE, "EXTRACTABLE"}, {CKA_MODIFIABLE, "MODIFIABLE"},
    {CKA_COPYABLE, "COPYABLE"}, {CKA_DESTROYABLE, "DESTROYABLE"},
};

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static int fd = -1;

static void open_log(void)
{
  const char *path = getenv("PKCS11_SHIM_LOG");
  if (!path) return;
  fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd >= 0) return;
  perror("pkcs11-shim: PKCS11_SHIM_LOG");
  abort();
}

static bool is_open(void)
{
  pthread_once(&opened, open_log);
  return fd >= 0;
}

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line->text + line->length, sizeof line->text - line->length, format, values);
  va_end(values);
  line->length += (size_t)length;
  if (line->length < sizeof line->text) return;
  fprintf(stderr, "pkcs11-shim: a line of the call log is too long\n");
  abort();
}

void log_begin(struct call *call)
{
  if (!is_open()) return;
  add(&call->line, "{\"pid\":%d,\"function\":\"%s\"", (int)getpid(), call->function);
  if (call->mechanism) add(&call->line, ",\"mechanism\":%lu", call->mechanism->mechanism);
}

/* The handles of objects that the call names. */
void log_objects(struct call *call, size_t count, ...)
{
  if (!is_open()) return;
  va_list handles;
  va_start(handles, count);
  add(&call->line, ",\"objects\":[");
  for (size_t i = 0; i < count; i++) add(&call->line, "%s%lu", i ? "," : "", va_arg(handles, CK_OBJECT_HANDLE));
  add(&call->line, "]");
  va_end(handles);
}

/* The handles that the real module gave back, also where the caller is told that the call failed. */
void log_created(struct call *call, size_t count, ...)
{
  if (!is_open() || !call->pass || call->rv != CKR_OK) return;
  va_list handles;
  va_start(handles, count);
  add(&call->line, ",\"created\":[");
  for (size_t i = 0; i < count; i++) {
    CK_OBJECT_HANDLE_PTR handle = va_arg(handles, CK_OBJECT_HANDLE_PTR);
    add(&call->line, "%s%lu", i ? "," : "", handle ? *handle : 0);
  }
  add(&call->line, "]");
  va_end(handles);
}

static void add_types(struct line *line, CK_ATTRIBUTE_PTR template, CK_ULONG count)
{
  add(line, "\"types\":[");
  for (CK_ULONG i = 0; i < count; i++) add(line, "%s%lu", i ? "," : "", template[i].type);
  add(line, "]");
}

static void add_template(struct line *line, CK_ATTRIBUTE_PTR template, CK_ULONG count)
{
  add(line, "{");
  add_types(line, template, count);
  add(line, ",\"flags\":{");
  const char *comma = "";
  for (CK_ULONG i = 0; i < count; i++)
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
      if (template[i].type != flags[f].type || !template[i].pValue || template[i].ulValueLen != 1) continue;
      add(line, "%s\"%s\":%s", comma, flags[f].name, *(CK_BBOOL *)template[i].pValue ? "true" : "false");
      comma = ",";
    }
  add(line, "}");
  for (CK_ULONG i = 0; i < count; i++) {
    const char *name = template[i].type == CKA_CLASS ? "class" : template[i].type == CKA_KEY_TYPE ? "keyType" : NULL;
    if (name && template[i].pValue && template[i].ulValueLen == sizeof(CK_ULONG))
      add(line, ",\"%s\":%lu", name, *(CK_ULONG *)template[i].pValue);
  }
  add(line, "}");
}

/* Pairs of CK_ATTRIBUTE_PTR and CK_ULONG, as the caller gave them. */
void log_templates(struct call *call, size_t count, ...)
{
  if (!is_open()) return;
  va_list templates;
  va_start(templates, count);
  add(&call->line, ",\"templates\":[");
  for (size_t i = 0; i < count; i++) {
    CK_ATTRIBUTE_PTR template = va_arg(templates, CK_ATTRIBUTE_PTR);
    CK_ULONG length = va_arg(templates, CK_ULONG);
    if (i) add(&call->line, ",");
    add_template(&call->line, template, template ? length : 0);
  }
  add(&call->line, "]");
  va_end(templates);
}

/* The attributes that a C_GetAttributeValue asks for. */
void log_asked(struct call *call, CK_ATTRIBUTE_PTR template, CK_ULONG count)
{
  if (!is_open()) return;
  add(&call->line, ",");
  add_types(&call->line, template, template ? count : 0);
}

void log_write(struct call *call)
{
  if (!is_open()) return;
  if (call->session) add(&call->line, ",\"session\":%lu", call->session);
  if (call->rule) add(&call->line, ",\"rule\":\"%s\"", call->rule);
  if (call->rv != NEVER_RETURNS) add(&call->line, ",\"rv\":%lu", call->lost_to ? call->lost_to : call->rv);
  add(&call->line, "}\n");
  if (write(fd, call->line.text, call->line.length) == (ssize_t)call->line.length) return;
  perror("pkcs11-shim: PKCS11_SHIM_LOG");
  abort();
}
