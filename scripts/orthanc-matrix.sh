#!/usr/bin/env bash
# Runs the tests that start a real Orthanc against the Orthanc of several Debian releases, each in a chroot.
#
#   scripts/orthanc-matrix.sh [SUITE...]      default: bookworm trixie forky
#
# Only Orthanc runs in the chroot; tests, engine and PACS run here. The chroots are made once, with debootstrap.
#
# DEBIAN_MIRROR   where packages come from; default http://deb.debian.org/debian. A frozen mirror works too.
# MATRIX_FOLDER   where the chroots lie, up to 650 MB each; default build/orthanc-matrix
# MATRIX_TESTS    what pytest is given; default: everything marked `orthanc` but the demo, the status page, the viewer and the soak run
# MATRIX_PAGE     file in which the table between the marks is replaced; default docs/compatibility.md
# VENV            the virtual environment; default .venv
set -euo pipefail
cd "$(dirname "$0")/.."

MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
FOLDER=$(realpath -m "${MATRIX_FOLDER:-build/orthanc-matrix}")
PAGE=${MATRIX_PAGE:-docs/compatibility.md}
PYTHON=${VENV:-.venv}/bin/python
PACKAGES=(orthanc orthanc-python orthanc-dicomweb orthanc-gdcm orthanc-webviewer)
read -r -a TESTS <<<"${MATRIX_TESTS:-tests/plugin tests/service tests/workers tests/security tests/contract}"
SUITES=(bookworm trixie forky)
[ $# -gt 0 ] || set -- "${SUITES[@]}"

fail() {
    printf 'orthanc-matrix: %s\n' "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "chroot and mount need root rights; run it as root"
command -v debootstrap >/dev/null || fail "debootstrap is needed; apt-get install debootstrap"
command -v unshare >/dev/null || fail "unshare is needed; apt-get install util-linux"

# A mirror that was frozen in time has outlived its own dates; its signatures are checked all the same.
in_chroot() { chroot "$1" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "${@:2}"; }
apt() { in_chroot "$1" apt-get -qq -o Acquire::Check-Valid-Until=false "${@:2}"; }

make_chroot() {
    local suite=$1 root=$FOLDER/$1 script=/usr/share/debootstrap/scripts/$1
    [ ! -e "$root/.ready" ] || return 0
    # An older debootstrap does not know the newest release, which is made as sid is.
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    printf 'orthanc-matrix: making %s\n' "$root"
    debootstrap --variant=minbase "$suite" "$root" "$MIRROR" "$script" >"$FOLDER/$suite-setup.log" 2>&1 &&
        apt "$root" update >>"$FOLDER/$suite-setup.log" 2>&1 &&
        apt "$root" install -y --no-install-recommends "${PACKAGES[@]}" >>"$FOLDER/$suite-setup.log" 2>&1 ||
        fail "$suite could not be set up, see $FOLDER/$suite-setup.log"
    touch "$root/.ready"
}

# What the tests start instead of Orthanc. Its mounts live in a namespace of its own and end with it; every step is an
# exec, so that the process which the tests kill is Orthanc itself.
write_wrapper() {
    local root=$1 wrapper=$2
    cat >"$wrapper" <<WRAPPER
#!/bin/sh
exec unshare --mount --propagation private sh -e -c '
    for shared in /proc /dev "\${TMPDIR:-/tmp}" "$PWD"; do
        mkdir -p "$root\$shared"
        mount --rbind "\$shared" "$root\$shared"
    done
    exec chroot "$root" /usr/sbin/Orthanc "\$@"' sh "\$@"
WRAPPER
    chmod +x "$wrapper"
}

version_of() { in_chroot "$1" dpkg-query -W -f '${Version}' "$2" | sed 's/[+-].*//'; }
python_of() { in_chroot "$1" dpkg-query -W -f '${Depends}' orthanc-python | grep -o 'libpython3\.[0-9]*' | sed 's/libpython//'; }

# One row of the table on standard output; the rest of what is said goes to standard error.
run_suite() {
    local suite=$1 root=$FOLDER/$1 wrapper=$FOLDER/$1-orthanc log=$FOLDER/$1-tests.log began=$SECONDS status=0
    write_wrapper "$root" "$wrapper"
    NULLSPLAT_ORTHANC=$wrapper "$PYTHON" -m pytest -q -m orthanc "${TESTS[@]}" >"$log" 2>&1 || status=$?
    local said
    said=$(grep -E '^[0-9]+ (passed|failed)|^[0-9]+ .* in [0-9.]+s' "$log" | tail -n 1 | sed -E 's/, [0-9]+ deselected//; s/ in [0-9.]+s.*//')
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$suite" "$(version_of "$root" orthanc)" \
        "$(version_of "$root" orthanc-python)" "$(python_of "$root")" "$(version_of "$root" orthanc-dicomweb)" \
        "${said:-no tests ran}" "$((SECONDS - began))"
    [ "$status" = 0 ] || printf 'orthanc-matrix: %s: tests failed, see %s\n' "$suite" "$log" >&2
    return "$status"
}

write_page() {
    local table=$1
    awk -v table="$table" '
        /<!-- matrix begins -->/ { print; while ((getline line < table) > 0) print line; skipping = 1 }
        /<!-- matrix ends -->/ { skipping = 0 }
        !skipping || /<!-- matrix ends -->/ { if (!/<!-- matrix begins -->/) print }
    ' "$PAGE" >"$table.page"
    mv "$table.page" "$PAGE"
}

write_table() {
    echo '| Debian | Orthanc | Python plugin | Python | DICOMweb | tests | seconds |'
    echo '|---|---|---|---|---|---|---|'
    local row
    for row in "${SUITES[@]/#/$FOLDER/}"; do
        [ ! -e "$row.row" ] || cat "$row.row"
    done
}

mkdir -p "$FOLDER"
failed=0
for suite in "$@"; do
    make_chroot "$suite"
    run_suite "$suite" >"$FOLDER/$suite.row" || failed=1
    cat "$FOLDER/$suite.row"
done
write_table >"$FOLDER/table.md"  # with the last results of those that were not run this time
[ ! -e "$PAGE" ] || write_page "$FOLDER/table.md"
exit "$failed"
