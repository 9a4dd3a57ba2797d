#!/usr/bin/env bash
# Makes a certificate authority and certificates for a node on this machine: for first steps and the tests.
#
#   scripts/tls_example.sh FOLDER [NAME...]
#
# NAME  a host name or IP address that the certificates are for (default: 127.0.0.1 and localhost)
#
# FOLDER gets ca.crt, and WHO.crt and WHO.key for each of orthanc, engine and pacs.
# In a hospital the hospital's own authority makes these; the rest of docs/security.md stays the same.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
folder=$1
shift
[ $# -ge 1 ] || set -- 127.0.0.1 localhost

names=""
for name in "$@"; do
    case "$name" in
        *[!0-9.]*) names+="${names:+,}DNS:$name" ;;
        *) names+="${names:+,}IP:$name" ;;
    esac
done

umask 077
mkdir -p "$folder"
cd "$folder"
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc)

openssl req -x509 "${new_key[@]}" -keyout ca.key -out ca.crt -days 365 -subj "/CN=NullSplat example authority" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
for who in orthanc engine pacs; do
    openssl req "${new_key[@]}" -keyout "$who.key" -out "$who.csr" -subj "/CN=$who" 2>/dev/null
    openssl x509 -req -in "$who.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$who.crt" \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names") 2>/dev/null
    rm "$who.csr"
done
rm ca.srl
