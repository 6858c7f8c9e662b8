/* What the token says of itself. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

CK_RV get_slot_list(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count)
{
  if (!settings.token_away || !token_present || !count) return real->C_GetSlotList(token_present, slots, count);
  *count = 0;
  return CKR_OK;
}

CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info)
{
  CK_RV rv = real->C_GetSlotInfo(slot, info);
  if (rv == CKR_OK && settings.token_away) info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
  return rv;
}

static void override(CK_ULONG *value, unsigned long with)
{
  if (with != UNSET) *value = with;
}

CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
  CK_RV rv = real->C_GetTokenInfo(slot, info);
  if (rv != CKR_OK) return rv;
  info->flags = (info->flags & ~settings.clear_flags) | settings.set_flags;
  override(&info->ulFreePrivateMemory, settings.free_private_memory);
  override(&info->ulTotalPrivateMemory, settings.total_private_memory);
  override(&info->ulFreePublicMemory, settings.free_public_memory);
  override(&info->ulTotalPublicMemory, settings.total_public_memory);
  override(&info->ulSessionCount, settings.session_count);
  override(&info->ulMaxSessionCount, settings.max_session_count);
  return CKR_OK;
}

static CK_ULONG drop_hidden(CK_MECHANISM_TYPE_PTR list, CK_ULONG count)
{
  CK_ULONG kept = 0;
  for (CK_ULONG i = 0; i < count; i++)
    if (!is_hidden(list[i])) list[kept++] = list[i];
  return kept;
}

CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count)
{
  if (!settings.hidden_count || !count) return real->C_GetMechanismList(slot, list, count);
  CK_ULONG total = 0;
  CK_RV rv = real->C_GetMechanismList(slot, NULL_PTR, &total);
  if (rv != CKR_OK) return rv;
  CK_MECHANISM_TYPE_PTR all = calloc(total + 1, sizeof *all);
  if (!all) return CKR_HOST_MEMORY;
  rv = real->C_GetMechanismList(slot, all, &total);
  CK_ULONG kept = rv == CKR_OK ? drop_hidden(all, total) : 0;
  if (rv == CKR_OK && list && *count < kept) rv = CKR_BUFFER_TOO_SMALL;
  else if (rv == CKR_OK && list) memcpy(list, all, kept * sizeof *list);
  *count = kept;
  free(all);
  return rv;
}

CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info)
{
  if (is_hidden(type)) return CKR_MECHANISM_INVALID;
  CK_RV rv = real->C_GetMechanismInfo(slot, type, info);
  if (rv == CKR_OK && type == CKM_AES_GCM && settings.gcm_wrap) info->flags |= CKF_WRAP | CKF_UNWRAP;
  return rv;
}
