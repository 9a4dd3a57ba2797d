#!/bin/sh
# Makes the secrets that compose.yaml and kubernetes/ take as files, each once: what is there stays.
#
#   docker/make-secrets.sh [FOLDER]      default: the folder `secrets` beside this script
#
# The containers' user must be able to read the files, and it is nobody on this machine; so they are readable, but in
# a folder that only you may enter.
set -eu
folder=${1:-$(dirname "$0")/secrets}
[ -d "$folder" ] || mkdir -m 0700 -p "$folder"
chmod 0700 "$folder"
umask 022

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

make() {
    if [ -s "$folder/$1" ]; then
        printf 'kept  %s\n' "$folder/$1"
    else
        printf '%s' "$2" >"$folder/$1.part"
        mv "$folder/$1.part" "$folder/$1"
        printf 'made  %s\n' "$folder/$1"
    fi
}

make admin_password "$(random)"
make engine_password "$(random)"
make shared_secret "$(random)"
make database_password "$(random)"
make database_url "postgresql://nullsplat:$(cat "$folder/database_password")@postgres:5432/nullsplat"
