/*
 * A PKCS#11 module for tests: it stands in front of a real one, passes every call on, and misbehaves
 * where a control file tells it to. pkcs11-shim.ts describes the rules.
 */
#ifndef PKCS11_SHIM_H
#define PKCS11_SHIM_H

#include <pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

/* A number that no rule sets: the token's own value stays. */
#define UNSET (~1UL)
#define NEVER_RETURNS UNSET
#define MAX_HIDDEN 32
/* RFC 5649, by SoftHSM's number. */
#define KWP 0x210AUL

/* The lines of the control file that are not about one function. */
struct settings {
  unsigned long generation;
  unsigned long invalidate;
  unsigned long retire_processes;
  unsigned long token_away;
  unsigned long set_flags, clear_flags;
  unsigned long free_private_memory, total_private_memory, free_public_memory, total_public_memory;
  unsigned long session_count, max_session_count;
  unsigned long max_sessions;
  unsigned long gcm_wrap;
  unsigned long own_iv;
  CK_MECHANISM_TYPE hidden[MAX_HIDDEN];
  size_t hidden_count;
};

/* What the rules say of one call. */
struct verdict {
  unsigned long delay;
  enum { PASS, FAIL, FAIL_AFTER, HANG, ABORT } what;
  CK_RV rv;
};

struct line {
  char text[4096];
  size_t length;
};

/* One call on its way through the shim. */
struct call {
  const char *function;
  bool needs_token;
  CK_SESSION_HANDLE session;
  CK_MECHANISM_PTR mechanism;
  bool pass;        /* whether the real module is asked */
  CK_RV rv;
  CK_RV lost_to;    /* what the caller is told in place of `rv`, where that is to be lost */
  const char *rule; /* why the caller gets something other than the token's answer */
  struct line line;
};

struct session {
  CK_SESSION_HANDLE handle;
  CK_SLOT_ID slot;
  bool dead;
  CK_BYTE iv[12];
  CK_BYTE_PTR caller_iv; /* where C_Encrypt writes `iv`; null unless the token makes its own */
  struct session *next;
};

/* The real module, and the settings as they were when this thread's call began. */
extern CK_FUNCTION_LIST_PTR real;
extern _Thread_local struct settings settings;

/* rules.c: the control file */
void rules_refresh(void);
struct verdict rules_judge(const char *function, CK_MECHANISM_PTR mechanism);
bool is_hidden(CK_MECHANISM_TYPE mechanism);

/* log.c: the call log. Types, flags and handles; never a value, never a PIN. */
void log_begin(struct call *call);
void log_objects(struct call *call, size_t count, ...);
void log_created(struct call *call, size_t count, ...);
void log_templates(struct call *call, size_t count, ...);
void log_asked(struct call *call, CK_ATTRIBUTE_PTR t, CK_ULONG n);
void log_write(struct call *call);

/* sessions.c: the sessions of this process */
void sessions_refresh(void);
bool session_is_dead(CK_SESSION_HANDLE handle);
struct session *session_find(CK_SESSION_HANDLE handle);
CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                   CK_SESSION_HANDLE_PTR handle);
CK_RV close_session(CK_SESSION_HANDLE handle);
CK_RV close_all_sessions(CK_SLOT_ID slot);
CK_RV finalize(CK_VOID_PTR reserved);

/* token.c: what the token says of itself */
CK_RV get_slot_list(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count);
CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info);
CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info);
CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count);
CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info);

/* gcm.c, gcm-wrap.c: AES-GCM as AWS CloudHSM has it: it wraps keys, and the token may make the IV */
bool is_gcm(CK_MECHANISM_PTR mechanism);
CK_RV make_iv(CK_SESSION_HANDLE s, CK_GCM_PARAMS_PTR params, CK_BYTE_PTR iv);
CK_ULONG number_in(CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise);
CK_RV gcm_generate_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR t, CK_ULONG n,
                       CK_OBJECT_HANDLE_PTR key);
CK_RV gcm_create_object(CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR object);
CK_RV gcm_get_attribute_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR t, CK_ULONG n);
CK_RV gcm_encrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV gcm_decrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
CK_RV gcm_encrypt(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR out_n);
CK_RV gcm_encrypt_final(CK_SESSION_HANDLE s, CK_BYTE_PTR out, CK_ULONG_PTR out_n);
CK_RV gcm_wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                   CK_OBJECT_HANDLE key, CK_BYTE_PTR out, CK_ULONG_PTR out_n);
CK_RV gcm_unwrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                     CK_BYTE_PTR in, CK_ULONG in_n, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR key);

#endif
