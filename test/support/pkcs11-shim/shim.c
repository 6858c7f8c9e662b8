/* The 68 functions, and what every one of them goes through. */
#include "shim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

CK_FUNCTION_LIST_PTR real;

static void wait_ms(unsigned long ms)
{
  struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) continue;
}

/* As native code does that is stuck in a driver: nothing but SIGKILL ends the process. */
static void hang(void)
{
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  const int deadly[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE};
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) signal(deadly[i], SIG_IGN);
  for (;;) pause();
}

static void crash(void)
{
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  abort();
}

static void refuse(struct call *call, const char *rule, CK_RV rv)
{
  call->pass = false;
  call->rule = rule;
  call->rv = rv;
}

static void call_begin(struct call *call)
{
  rules_refresh();
  sessions_refresh();
  log_begin(call);
  struct verdict verdict = rules_judge(call->function, call->mechanism);
  if (verdict.delay) wait_ms(verdict.delay);
  call->pass = true;
  if (verdict.what == HANG || verdict.what == ABORT) {
    refuse(call, verdict.what == HANG ? "hang" : "abort", NEVER_RETURNS);
    log_write(call);
    if (verdict.what == HANG) hang();
    crash();
  }
  if (verdict.what == FAIL) refuse(call, "fail", verdict.rv);
  else if (settings.token_away && call->needs_token) refuse(call, "token-away", settings.token_away);
  else if (session_is_dead(call->session)) refuse(call, "invalidate", CKR_SESSION_HANDLE_INVALID);
  else if (call->mechanism && is_hidden(call->mechanism->mechanism)) refuse(call, "hide", CKR_MECHANISM_INVALID);
  else if (verdict.what == FAIL_AFTER) {
    call->rule = "fail-after";
    call->lost_to = verdict.rv;
  }
}

static CK_RV call_end(struct call *call)
{
  log_write(call);
  return call->lost_to ? call->lost_to : call->rv;
}

/* What a call is about: the library itself, a slot, a session, or a session and a mechanism. */
#define LIBRARY .needs_token = false
#define TOKEN .needs_token = true
#define SESSION TOKEN, .session = s
#define MECHANISM SESSION, .mechanism = m
#define NOTHING

/* Defines the shim's form of a function; `target` is what it calls, `note` what it adds to the log. */
#define CALL(name, about, target, parameters, arguments, note) \
  static CK_RV shim_##name parameters                          \
  {                                                            \
    struct call call = {.function = #name, about};             \
    call_begin(&call);                                         \
    if (call.pass) call.rv = target arguments;                 \
    note;                                                      \
    return call_end(&call);                                    \
  }

#define ON_SESSION(name, target) CALL(name, SESSION, target, (CK_SESSION_HANDLE s), (s), NOTHING)
#define START(name, target)                                                                            \
  CALL(name, MECHANISM, target, (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE key), (s, m, key), \
       log_objects(&call, 1, key))
#define INPUT(name) \
  CALL(name, SESSION, real->name, (CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n), (s, in, n), NOTHING)
#define OUTPUT(name, target) \
  CALL(name, SESSION, target, (CK_SESSION_HANDLE s, CK_BYTE_PTR out, CK_ULONG_PTR n), (s, out, n), NOTHING)
#define TRANSFORM(name, target)                                                                          \
  CALL(name, SESSION, target,                                                                            \
       (CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG in_n, CK_BYTE_PTR out, CK_ULONG_PTR out_n),        \
       (s, in, in_n, out, out_n), NOTHING)
#define CHECK(name)                                                                                      \
  CALL(name, SESSION, real->name,                                                                        \
       (CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG in_n, CK_BYTE_PTR given, CK_ULONG given_n),        \
       (s, in, in_n, given, given_n), NOTHING)

CALL(C_Initialize, LIBRARY, real->C_Initialize, (CK_VOID_PTR p), (p), NOTHING)
CALL(C_Finalize, LIBRARY, finalize, (CK_VOID_PTR p), (p), NOTHING)
CALL(C_GetInfo, LIBRARY, real->C_GetInfo, (CK_INFO_PTR info), (info), NOTHING)
CALL(C_WaitForSlotEvent, LIBRARY, real->C_WaitForSlotEvent, (CK_FLAGS f, CK_SLOT_ID_PTR slot, CK_VOID_PTR p),
     (f, slot, p), NOTHING)
CALL(C_GetSlotList, LIBRARY, get_slot_list, (CK_BBOOL token, CK_SLOT_ID_PTR slots, CK_ULONG_PTR n),
     (token, slots, n), NOTHING)
CALL(C_GetSlotInfo, LIBRARY, get_slot_info, (CK_SLOT_ID slot, CK_SLOT_INFO_PTR info), (slot, info), NOTHING)

CALL(C_GetTokenInfo, TOKEN, get_token_info, (CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info), (slot, info), NOTHING)
CALL(C_GetMechanismList, TOKEN, get_mechanism_list,
     (CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n), (slot, list, n), NOTHING)
CALL(C_GetMechanismInfo, TOKEN, get_mechanism_info,
     (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info), (slot, type, info), NOTHING)
CALL(C_InitToken, TOKEN, real->C_InitToken,
     (CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG n, CK_UTF8CHAR_PTR label), (slot, pin, n, label), NOTHING)
CALL(C_OpenSession, TOKEN, open_session,
     (CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR p, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR s),
     (slot, flags, p, notify, s), if (call.pass && call.rv == CKR_OK) call.session = *s)
CALL(C_CloseAllSessions, TOKEN, close_all_sessions, (CK_SLOT_ID slot), (slot), NOTHING)

ON_SESSION(C_CloseSession, close_session)
ON_SESSION(C_Logout, real->C_Logout)
ON_SESSION(C_FindObjectsFinal, real->C_FindObjectsFinal)
ON_SESSION(C_GetFunctionStatus, real->C_GetFunctionStatus)
ON_SESSION(C_CancelFunction, real->C_CancelFunction)
CALL(C_GetSessionInfo, SESSION, real->C_GetSessionInfo, (CK_SESSION_HANDLE s, CK_SESSION_INFO_PTR info),
     (s, info), NOTHING)
CALL(C_Login, SESSION, real->C_Login,
     (CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG n), (s, user, pin, n), NOTHING)
CALL(C_SetPIN, SESSION, real->C_SetPIN,
     (CK_SESSION_HANDLE s, CK_UTF8CHAR_PTR old, CK_ULONG n, CK_UTF8CHAR_PTR pin, CK_ULONG pin_n),
     (s, old, n, pin, pin_n), NOTHING)
CALL(C_SetOperationState, SESSION, real->C_SetOperationState,
     (CK_SESSION_HANDLE s, CK_BYTE_PTR state, CK_ULONG n, CK_OBJECT_HANDLE e, CK_OBJECT_HANDLE a),
     (s, state, n, e, a), NOTHING)
OUTPUT(C_GetOperationState, real->C_GetOperationState)
INPUT(C_InitPIN)
INPUT(C_SeedRandom)
INPUT(C_GenerateRandom)

CALL(C_CreateObject, SESSION, gcm_create_object,
     (CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR object), (s, t, n, object),
     log_templates(&call, 1, t, n); log_created(&call, 1, object))
CALL(C_CopyObject, SESSION, real->C_CopyObject,
     (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE of, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR object),
     (s, of, t, n, object),
     log_objects(&call, 1, of); log_templates(&call, 1, t, n); log_created(&call, 1, object))
CALL(C_DestroyObject, SESSION, real->C_DestroyObject, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object),
     (s, object), log_objects(&call, 1, object))
CALL(C_GetObjectSize, SESSION, real->C_GetObjectSize,
     (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ULONG_PTR size), (s, object, size),
     log_objects(&call, 1, object))
CALL(C_GetAttributeValue, SESSION, gcm_get_attribute_value,
     (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, object, t, n),
     log_objects(&call, 1, object); log_asked(&call, t, n))
CALL(C_SetAttributeValue, SESSION, real->C_SetAttributeValue,
     (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, object, t, n),
     log_objects(&call, 1, object); log_templates(&call, 1, t, n))
CALL(C_FindObjectsInit, SESSION, real->C_FindObjectsInit,
     (CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, t, n), log_templates(&call, 1, t, n))
CALL(C_FindObjects, SESSION, real->C_FindObjects,
     (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max, CK_ULONG_PTR n), (s, objects, max, n),
     NOTHING)

CALL(C_DigestInit, MECHANISM, real->C_DigestInit, (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m), (s, m), NOTHING)
CALL(C_DigestKey, SESSION, real->C_DigestKey, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key), (s, key),
     log_objects(&call, 1, key))
START(C_EncryptInit, gcm_encrypt_init)
START(C_DecryptInit, gcm_decrypt_init)
START(C_SignInit, real->C_SignInit)
START(C_SignRecoverInit, real->C_SignRecoverInit)
START(C_VerifyInit, real->C_VerifyInit)
START(C_VerifyRecoverInit, real->C_VerifyRecoverInit)
INPUT(C_DigestUpdate)
INPUT(C_SignUpdate)
INPUT(C_VerifyUpdate)
INPUT(C_VerifyFinal)
OUTPUT(C_EncryptFinal, gcm_encrypt_final)
OUTPUT(C_DecryptFinal, real->C_DecryptFinal)
OUTPUT(C_DigestFinal, real->C_DigestFinal)
OUTPUT(C_SignFinal, real->C_SignFinal)
TRANSFORM(C_Encrypt, gcm_encrypt)
TRANSFORM(C_EncryptUpdate, real->C_EncryptUpdate)
TRANSFORM(C_Decrypt, real->C_Decrypt)
TRANSFORM(C_DecryptUpdate, real->C_DecryptUpdate)
TRANSFORM(C_Digest, real->C_Digest)
TRANSFORM(C_Sign, real->C_Sign)
TRANSFORM(C_SignRecover, real->C_SignRecover)
TRANSFORM(C_VerifyRecover, real->C_VerifyRecover)
TRANSFORM(C_DigestEncryptUpdate, real->C_DigestEncryptUpdate)
TRANSFORM(C_DecryptDigestUpdate, real->C_DecryptDigestUpdate)
TRANSFORM(C_SignEncryptUpdate, real->C_SignEncryptUpdate)
TRANSFORM(C_DecryptVerifyUpdate, real->C_DecryptVerifyUpdate)
CHECK(C_Verify)

CALL(C_GenerateKey, MECHANISM, gcm_generate_key,
     (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR key),
     (s, m, t, n, key), log_templates(&call, 1, t, n); log_created(&call, 1, key))
CALL(C_GenerateKeyPair, MECHANISM, real->C_GenerateKeyPair,
     (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR public_t, CK_ULONG public_n,
      CK_ATTRIBUTE_PTR private_t, CK_ULONG private_n, CK_OBJECT_HANDLE_PTR public_key,
      CK_OBJECT_HANDLE_PTR private_key),
     (s, m, public_t, public_n, private_t, private_n, public_key, private_key),
     log_templates(&call, 2, public_t, public_n, private_t, private_n);
     log_created(&call, 2, public_key, private_key))
CALL(C_WrapKey, MECHANISM, gcm_wrap_key,
     (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, CK_BYTE_PTR out,
      CK_ULONG_PTR n),
     (s, m, wrapping, key, out, n), log_objects(&call, 2, wrapping, key))
CALL(C_UnwrapKey, MECHANISM, gcm_unwrap_key,
     (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE unwrapping, CK_BYTE_PTR in, CK_ULONG in_n,
      CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR key),
     (s, m, unwrapping, in, in_n, t, n, key),
     log_objects(&call, 1, unwrapping); log_templates(&call, 1, t, n); log_created(&call, 1, key))
CALL(C_DeriveKey, MECHANISM, real->C_DeriveKey,
     (CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE base, CK_ATTRIBUTE_PTR t, CK_ULONG n,
      CK_OBJECT_HANDLE_PTR key),
     (s, m, base, t, n, key),
     log_objects(&call, 1, base); log_templates(&call, 1, t, n); log_created(&call, 1, key))

#define shim_C_GetFunctionList C_GetFunctionList

/* The standard's own list of functions: one that is missing above does not compile. */
#define CK_PKCS11_FUNCTION_INFO(name) .name = shim_##name,
static CK_FUNCTION_LIST list = {
    .version = {CRYPTOKI_VERSION_MAJOR, CRYPTOKI_VERSION_MINOR},
#include <pkcs11f.h>
};
#undef CK_PKCS11_FUNCTION_INFO

static void load_real_module(void)
{
  const char *path = getenv("PKCS11_SHIM_MODULE");
  void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  CK_C_GetFunctionList get = NULL;
  if (module) *(void **)&get = dlsym(module, "C_GetFunctionList");
  if (get && get(&real) == CKR_OK) return;
  real = NULL;
  fprintf(stderr, "pkcs11-shim: PKCS11_SHIM_MODULE: %s\n", path ? dlerror() : "not set");
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR to)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_real_module);
  if (!real) return CKR_GENERAL_ERROR;
  if (!to) return CKR_ARGUMENTS_BAD;
  *to = &list;
  return CKR_OK;
}
