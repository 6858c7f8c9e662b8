#!/bin/sh
# What the container runs: makes the SoftHSM2 token in the data directory if there is none yet, then runs a
# p11kms command (without arguments: serve) on it. Where P11KMS_PKCS11_MODULE, in the environment or in the file of
# P11KMS_CONFIG, names a token of your own, only the command runs.
set -eu
umask 077

app=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
: "${P11KMS_DATA_DIR:=/data}"
export P11KMS_DATA_DIR

token=$(node "$app/softhsm/init-token.mjs")
if [ -n "$token" ]; then
  . "$token"
fi

[ $# -gt 0 ] || set -- serve
exec node "$app/dist/main.js" "$@"
