/* C_WrapKey and C_UnwrapKey with AES-GCM, made of what a token has that only encrypts with it. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEY 8192
#define COUNT(list) (sizeof(list) / sizeof *(list))

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic_type = CKK_GENERIC_SECRET;

/* A session of the shim's own, with a key to carry key bytes out of the token and into it. Closing it
 * destroys every helper object; the caller's session and whatever it is doing stay as they are. */
struct bench {
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE carrier;
  CK_BYTE bytes[MAX_KEY], wrapped[MAX_KEY + 64];
  CK_ULONG length, wrapped_length;
};

static CK_RV bench_open(struct bench *bench, CK_SESSION_HANDLE s)
{
  CK_SESSION_INFO info;
  CK_ULONG length = 32;
  CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL_PTR, 0};
  CK_ATTRIBUTE t[] = {
      {CKA_VALUE_LEN, &length, sizeof length}, {CKA_TOKEN, &no, 1}, {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
  bench->session = CK_INVALID_HANDLE;
  CK_RV rv = real->C_GetSessionInfo(s, &info);
  if (rv == CKR_OK)
    rv = real->C_OpenSession(info.slotID, CKF_SERIAL_SESSION, NULL_PTR, NULL_PTR, &bench->session);
  if (rv == CKR_OK) rv = real->C_GenerateKey(bench->session, &aes, t, COUNT(t), &bench->carrier);
  return rv;
}

static CK_RV bench_close(struct bench *bench, CK_RV rv)
{
  if (bench->session) real->C_CloseSession(bench->session);
  explicit_bzero(bench, sizeof *bench);
  return rv;
}

static bool may(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE use)
{
  CK_BBOOL allowed = CK_FALSE;
  CK_ATTRIBUTE ask = {use, &allowed, sizeof allowed};
  return real->C_GetAttributeValue(s, key, &ask, 1) == CKR_OK && allowed;
}

/* SoftHSM pads what it wraps to a multiple of 8 bytes; another token would not. */
static void cut_padding(struct bench *bench, CK_OBJECT_HANDLE key)
{
  CK_ULONG length = 0;
  CK_ATTRIBUTE ask = {CKA_VALUE_LEN, &length, sizeof length};
  const CK_BYTE *der = bench->bytes;
  if (real->C_GetAttributeValue(bench->session, key, &ask, 1) != CKR_OK || !length) {
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE ask_class = {CKA_CLASS, &class, sizeof class};
    CK_RV rv = real->C_GetAttributeValue(bench->session, key, &ask_class, 1);
    if (rv != CKR_OK || class != CKO_PRIVATE_KEY || bench->length < 4 || der[0] != 0x30) return;
    length = der[1] < 0x80 ? 2UL + der[1] : der[1] == 0x81 ? 3UL + der[2] : 4UL + (der[2] << 8) + der[3];
  }
  if (length < bench->length) bench->length = length;
}

static CK_RV key_to_bytes(struct bench *bench, CK_OBJECT_HANDLE key)
{
  CK_MECHANISM kwp = {KWP, NULL_PTR, 0};
  CK_OBJECT_HANDLE copy;
  CK_ATTRIBUTE t[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                      {CKA_KEY_TYPE, &generic_type, sizeof generic_type},
                      {CKA_TOKEN, &no, 1},
                      {CKA_SENSITIVE, &no, 1},
                      {CKA_EXTRACTABLE, &yes, 1}};
  CK_ATTRIBUTE value = {CKA_VALUE, bench->bytes, sizeof bench->bytes};
  bench->wrapped_length = sizeof bench->wrapped;
  CK_RV rv =
      real->C_WrapKey(bench->session, &kwp, bench->carrier, key, bench->wrapped, &bench->wrapped_length);
  if (rv == CKR_OK)
    rv = real->C_UnwrapKey(bench->session, &kwp, bench->carrier, bench->wrapped, bench->wrapped_length, t,
                           COUNT(t), &copy);
  if (rv == CKR_OK) rv = real->C_GetAttributeValue(bench->session, copy, &value, 1);
  if (rv != CKR_OK) return rv;
  bench->length = value.ulValueLen;
  cut_padding(bench, key);
  return CKR_OK;
}

CK_RV gcm_wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping,
                   CK_OBJECT_HANDLE key, CK_BYTE_PTR out, CK_ULONG_PTR out_n)
{
  if (!settings.gcm_wrap || !is_gcm(mechanism)) return real->C_WrapKey(s, mechanism, wrapping, key, out, out_n);
  if (!out_n) return CKR_ARGUMENTS_BAD;
  if (!may(s, wrapping, CKA_WRAP)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  CK_GCM_PARAMS_PTR caller = mechanism->pParameter;
  CK_GCM_PARAMS params = *caller;
  CK_BYTE iv[12];
  struct bench bench;
  CK_RV rv = bench_open(&bench, s);
  if (rv == CKR_OK) rv = key_to_bytes(&bench, key);
  if (rv == CKR_OK && settings.own_iv) {
    rv = make_iv(bench.session, &params, iv);
    params.pIv = iv;
  }
  if (rv == CKR_OK)
    rv = real->C_EncryptInit(bench.session, &(CK_MECHANISM){CKM_AES_GCM, &params, sizeof params}, wrapping);
  if (rv == CKR_OK) {
    bench.wrapped_length = sizeof bench.wrapped;
    rv = real->C_Encrypt(bench.session, bench.bytes, bench.length, bench.wrapped, &bench.wrapped_length);
  }
  if (rv != CKR_OK) return bench_close(&bench, rv);
  CK_ULONG room = *out_n;
  *out_n = bench.wrapped_length;
  if (!out) return bench_close(&bench, CKR_OK);
  if (room < bench.wrapped_length) return bench_close(&bench, CKR_BUFFER_TOO_SMALL);
  memcpy(out, bench.wrapped, bench.wrapped_length);
  if (settings.own_iv) memcpy(caller->pIv, iv, sizeof iv);
  return bench_close(&bench, CKR_OK);
}

/* A secret is made of its exact bytes; a private key's DER does not mind SoftHSM's padding. */
static CK_RV bytes_to_secret(struct bench *bench, CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n,
                             CK_OBJECT_HANDLE_PTR key)
{
  CK_ATTRIBUTE *template = calloc(n + 1, sizeof *template);
  if (!template) return CKR_HOST_MEMORY;
  CK_ULONG count = 0;
  for (CK_ULONG i = 0; i < n; i++)
    if (t[i].type != CKA_VALUE_LEN) template[count++] = t[i];
  template[count++] = (CK_ATTRIBUTE){CKA_VALUE, bench->bytes, bench->length};
  CK_RV rv = gcm_create_object(s, template, count, key);
  free(template);
  return rv;
}

static CK_RV bytes_to_private_key(struct bench *bench, CK_SESSION_HANDLE s, CK_ATTRIBUTE_PTR t, CK_ULONG n,
                                  CK_OBJECT_HANDLE_PTR key)
{
  CK_MECHANISM kwp = {KWP, NULL_PTR, 0};
  CK_OBJECT_HANDLE copy;
  CK_ATTRIBUTE secret[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                           {CKA_KEY_TYPE, &generic_type, sizeof generic_type},
                           {CKA_TOKEN, &no, 1},
                           {CKA_SENSITIVE, &no, 1},
                           {CKA_EXTRACTABLE, &yes, 1},
                           {CKA_VALUE, bench->bytes, bench->length}};
  bench->wrapped_length = sizeof bench->wrapped;
  CK_RV rv = real->C_CreateObject(bench->session, secret, COUNT(secret), &copy);
  if (rv == CKR_OK)
    rv = real->C_WrapKey(bench->session, &kwp, bench->carrier, copy, bench->wrapped, &bench->wrapped_length);
  if (rv != CKR_OK) return rv;
  return real->C_UnwrapKey(s, &kwp, bench->carrier, bench->wrapped, bench->wrapped_length, t, n, key);
}

CK_RV gcm_unwrap_key(CK_SESSION_HANDLE s, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unwrapping,
                     CK_BYTE_PTR in, CK_ULONG in_n, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR key)
{
  if (!settings.gcm_wrap || !is_gcm(mechanism))
    return real->C_UnwrapKey(s, mechanism, unwrapping, in, in_n, t, n, key);
  if (!may(s, unwrapping, CKA_UNWRAP)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  struct bench bench;
  CK_RV rv = bench_open(&bench, s);
  if (rv == CKR_OK) rv = real->C_DecryptInit(bench.session, mechanism, unwrapping);
  if (rv != CKR_OK) return bench_close(&bench, rv);
  bench.length = sizeof bench.bytes;
  if (real->C_Decrypt(bench.session, in, in_n, bench.bytes, &bench.length) != CKR_OK)
    return bench_close(&bench, CKR_WRAPPED_KEY_INVALID);
  bool is_secret = number_in(t, n, CKA_CLASS, UNSET) == CKO_SECRET_KEY;
  rv = (is_secret ? bytes_to_secret : bytes_to_private_key)(&bench, s, t, n, key);
  return bench_close(&bench, rv);
}
