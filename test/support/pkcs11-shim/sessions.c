/* The sessions of this process: counted, limited and, when the control file says so, lost. */
#include "shim.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions;
static bool started, retired;
static unsigned long invalidated, born;

/* Loses all sessions where a number in the control file has grown. The real module closes them, so that
 * login and session objects go with them, as they do on a token. */
void sessions_refresh(void)
{
  pthread_mutex_lock(&lock);
  if (!started) {
    started = true;
    invalidated = settings.invalidate;
    born = settings.retire_processes;
  }
  retired = retired || settings.retire_processes > born;
  if (retired || settings.invalidate > invalidated) {
    if (settings.invalidate > invalidated) invalidated = settings.invalidate;
    for (struct session *session = sessions; session; session = session->next) {
      if (!session->dead) real->C_CloseSession(session->handle);
      session->dead = true;
    }
  }
  pthread_mutex_unlock(&lock);
}

struct session *session_find(CK_SESSION_HANDLE handle)
{
  pthread_mutex_lock(&lock);
  struct session *session = sessions;
  while (session && session->handle != handle) session = session->next;
  pthread_mutex_unlock(&lock);
  return session;
}

bool session_is_dead(CK_SESSION_HANDLE handle)
{
  struct session *session = session_find(handle);
  return session && session->dead;
}

static bool may_open(void)
{
  unsigned long open = 0;
  pthread_mutex_lock(&lock);
  for (struct session *session = sessions; session; session = session->next) open += !session->dead;
  pthread_mutex_unlock(&lock);
  return open < settings.max_sessions;
}

CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                   CK_SESSION_HANDLE_PTR handle)
{
  if (!may_open()) return CKR_SESSION_COUNT;
  CK_RV rv = real->C_OpenSession(slot, flags, application, notify, handle);
  if (rv != CKR_OK) return rv;
  struct session *session = calloc(1, sizeof *session);
  if (!session) abort();
  session->handle = *handle;
  session->slot = slot;
  session->dead = retired;
  if (session->dead) real->C_CloseSession(*handle);
  pthread_mutex_lock(&lock);
  session->next = sessions;
  sessions = session;
  pthread_mutex_unlock(&lock);
  return CKR_OK;
}

enum { ONE_SESSION, ONE_SLOT, ALL };

static void forget(int which, unsigned long id)
{
  pthread_mutex_lock(&lock);
  for (struct session **link = &sessions; *link;) {
    struct session *session = *link;
    if (which == ALL || (which == ONE_SLOT ? session->slot : session->handle) == id) {
      *link = session->next;
      free(session);
    } else {
      link = &session->next;
    }
  }
  pthread_mutex_unlock(&lock);
}

CK_RV close_session(CK_SESSION_HANDLE handle)
{
  CK_RV rv = real->C_CloseSession(handle);
  if (rv == CKR_OK) forget(ONE_SESSION, handle);
  return rv;
}

CK_RV close_all_sessions(CK_SLOT_ID slot)
{
  CK_RV rv = real->C_CloseAllSessions(slot);
  if (rv == CKR_OK) forget(ONE_SLOT, slot);
  return rv;
}

CK_RV finalize(CK_VOID_PTR reserved)
{
  CK_RV rv = real->C_Finalize(reserved);
  if (rv == CKR_OK) forget(ALL, 0);
  return rv;
}
