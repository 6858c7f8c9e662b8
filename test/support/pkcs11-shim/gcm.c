/*
 * What AES-GCM key wrapping needs of keys, and the IV that a token makes itself.
 *
 * Encrypting with a key needs CKA_ENCRYPT. An AES key that is made with CKA_WRAP or CKA_UNWRAP alone gets
 * CKA_ENCRYPT and CKA_DECRYPT too, and a mark that says which of them the caller did not ask for: those
 * are reported as false and refused. The mark is a vendor's number among CKA_ALLOWED_MECHANISMS, because
 * that stays with a token object and every process sees it.
 */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define MARK 0x80736800UL
#define ENCRYPT_HIDDEN 1UL
#define DECRYPT_HIDDEN 2UL

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

struct widened {
  CK_ATTRIBUTE *template;
  CK_ULONG count;
  CK_MECHANISM_TYPE allowed[8];
};

static CK_ATTRIBUTE_PTR attribute(CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_ATTRIBUTE_TYPE type)
{
  for (CK_ULONG i = 0; t && i < n; i++)
    if (t[i].type == type) return &t[i];
  return NULL;
}

CK_ULONG number_in(CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise)
{
  CK_ATTRIBUTE_PTR found = attribute(t, n, type);
  return found && found->pValue && found->ulValueLen == sizeof(CK_ULONG) ? *(CK_ULONG *)found->pValue : otherwise;
}

/* SoftHSM's default for all four uses of a key is true. */
static bool asks_for(CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_ATTRIBUTE_TYPE use)
{
  CK_ATTRIBUTE_PTR found = attribute(t, n, use);
  return !found || !found->pValue || *(CK_BBOOL *)found->pValue;
}

static CK_RV widen(struct widened *to, CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
  to->template = calloc(n + 1, sizeof *to->template);
  if (!to->template) return CKR_HOST_MEMORY;
  if (t) memcpy(to->template, t, n * sizeof *t);
  to->count = n;
  CK_ULONG hidden = 0;
  if (asks_for(t, n, CKA_WRAP) && !asks_for(t, n, CKA_ENCRYPT)) hidden |= ENCRYPT_HIDDEN;
  if (asks_for(t, n, CKA_UNWRAP) && !asks_for(t, n, CKA_DECRYPT)) hidden |= DECRYPT_HIDDEN;
  if (!hidden) return CKR_OK;
  if (hidden & ENCRYPT_HIDDEN) attribute(to->template, n, CKA_ENCRYPT)->pValue = &yes;
  if (hidden & DECRYPT_HIDDEN) attribute(to->template, n, CKA_DECRYPT)->pValue = &yes;
  const CK_MECHANISM_TYPE allowed[] = {CKM_AES_GCM, CKM_AES_KEY_WRAP, KWP, CKM_AES_CBC,
                                       CKM_AES_CBC_PAD, MARK | hidden};
  memcpy(to->allowed, allowed, sizeof allowed);
  to->template[to->count++] = (CK_ATTRIBUTE){CKA_ALLOWED_MECHANISMS, to->allowed, sizeof allowed};
  return CKR_OK;
}

/* Which uses of the key the caller must not see. */
static CK_ULONG hidden_uses(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
  CK_MECHANISM_TYPE allowed[32];
  CK_ATTRIBUTE ask = {CKA_ALLOWED_MECHANISMS, allowed, sizeof allowed};
  if (!settings.gcm_wrap || real->C_GetAttributeValue(s, key, &ask, 1) != CKR_OK) return 0;
  for (CK_ULONG i = 0; i < ask.ulValueLen / sizeof *allowed; i++)
    if ((allowed[i] & ~3UL) == MARK) return allowed[i] & 3UL;
  return 0;
}

CK_RV gcm_generate_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR t, CK_ULONG n,
                       CK_OBJECT_HANDLE_PTR key)
{
  if (!settings.gcm_wrap || !mechanism || mechanism->mechanism != CKM_AES_KEY_GEN)
    return real->C_GenerateKey(s, mechanism, t, n, key);
  struct widened wide;
  CK_RV rv = widen(&wide, t, n);
  if (rv == CKR_OK) rv = real->C_GenerateKey(s, mechanism, wide.template, wide.count, key);
  free(wide.template);
  return rv;
}

CK_RV gcm_create_object(CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR object)
{
  if (!settings.gcm_wrap || number_in(t, n, CKA_CLASS, UNSET) != CKO_SECRET_KEY ||
      number_in(t, n, CKA_KEY_TYPE, UNSET) != CKK_AES)
    return real->C_CreateObject(s, t, n, object);
  struct widened wide;
  CK_RV rv = widen(&wide, t, n);
  if (rv == CKR_OK) rv = real->C_CreateObject(s, wide.template, wide.count, object);
  free(wide.template);
  return rv;
}

CK_RV gcm_get_attribute_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR t, CK_ULONG n)
{
  CK_RV rv = real->C_GetAttributeValue(s, object, t, n);
  CK_ULONG hidden = settings.gcm_wrap && t ? hidden_uses(s, object) : 0;
  for (CK_ULONG i = 0; hidden && i < n; i++) {
    bool hide = (t[i].type == CKA_ENCRYPT && hidden & ENCRYPT_HIDDEN) ||
                (t[i].type == CKA_DECRYPT && hidden & DECRYPT_HIDDEN);
    if (hide && t[i].pValue && t[i].ulValueLen == sizeof no) memcpy(t[i].pValue, &no, sizeof no);
    if (t[i].type == CKA_ALLOWED_MECHANISMS) t[i].ulValueLen = 0;
  }
  return rv;
}

bool is_gcm(CK_MECHANISM_PTR mechanism)
{
  return mechanism && mechanism->mechanism == CKM_AES_GCM && mechanism->pParameter &&
         mechanism->ulParameterLen == sizeof(CK_GCM_PARAMS);
}

/* A token that makes the IV itself wants room for it. */
CK_RV make_iv(CK_SESSION_HANDLE s, CK_GCM_PARAMS_PTR params, CK_BYTE_PTR iv)
{
  if (!params->pIv || params->ulIvLen != 12) return CKR_MECHANISM_PARAM_INVALID;
  return real->C_GenerateRandom(s, iv, 12);
}

CK_RV gcm_encrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
  if (hidden_uses(s, key) & ENCRYPT_HIDDEN) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  struct session *session = session_find(s);
  if (!session || !settings.own_iv || !is_gcm(mechanism)) return real->C_EncryptInit(s, mechanism, key);
  CK_GCM_PARAMS params = *(CK_GCM_PARAMS_PTR)mechanism->pParameter;
  CK_BYTE iv[sizeof session->iv];
  CK_RV rv = make_iv(s, &params, iv);
  if (rv != CKR_OK) return rv;
  CK_BYTE_PTR caller_iv = params.pIv;
  params.pIv = iv;
  rv = real->C_EncryptInit(s, &(CK_MECHANISM){CKM_AES_GCM, &params, sizeof params}, key);
  if (rv != CKR_OK) return rv;
  memcpy(session->iv, iv, sizeof iv);
  session->caller_iv = caller_iv;
  return CKR_OK;
}

CK_RV gcm_decrypt_init(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
  if (hidden_uses(s, key) & DECRYPT_HIDDEN) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  return real->C_DecryptInit(s, mechanism, key);
}

/* The caller has its IV once the ciphertext is there, not before: it has to keep the buffer until then. */
static CK_RV hand_over_iv(CK_SESSION_HANDLE s, CK_RV rv, bool asked_for_length)
{
  struct session *session = session_find(s);
  if (!session || !session->caller_iv || asked_for_length || rv == CKR_BUFFER_TOO_SMALL) return rv;
  if (rv == CKR_OK) memcpy(session->caller_iv, session->iv, sizeof session->iv);
  session->caller_iv = NULL;
  return rv;
}

CK_RV gcm_encrypt(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR out_n)
{
  return hand_over_iv(s, real->C_Encrypt(s, in, n, out, out_n), !out);
}

CK_RV gcm_encrypt_final(CK_SESSION_HANDLE s, CK_BYTE_PTR out, CK_ULONG_PTR out_n)
{
  return hand_over_iv(s, real->C_EncryptFinal(s, out, out_n), !out);
}
