#!/usr/bin/env bash
# Sets up what NullSplat needs, and only what is not there yet.
#
#   scripts/setup.sh system demo   Debian packages of the demonstration: Orthanc with its plugins
#   scripts/setup.sh system        and what the tests need besides
#   scripts/setup.sh python demo   the virtual environment with torch and the engine
#   scripts/setup.sh python        and the development tools
#   scripts/setup.sh kept [docs]   print where the environment is kept for other clones, or would be
#   scripts/setup.sh docs          an environment of its own for the documentation, in build/docs-venv
#
# No service is left running that was not running before.
#
# PYTHON  the interpreter to build the environment from (default: python3)
# VENV    where the environment lies (default: .venv)
# KEPT    where environments are kept for other clones of the same requirements; empty: nowhere
#         (default: ${XDG_CACHE_HOME:-~/.cache}/nullsplat/environments)
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
KEPT=${KEPT-${XDG_CACHE_HOME:-$HOME/.cache}/nullsplat/environments}
TORCH="torch==2.13.0"
CPU_INDEX="https://download.pytorch.org/whl/cpu"
DEMO_PACKAGES=(orthanc orthanc-python orthanc-dicomweb orthanc-webviewer orthanc-gdcm)
TEST_PACKAGES=(dicom3tools chromium chromium-driver postgresql nginx-light openssl buildah mmdebstrap prometheus apache2 libapache2-mod-auth-openidc)
declare -A SERVICES=([orthanc]=orthanc [postgresql]=postgresql [nginx-light]=nginx [prometheus]=prometheus [apache2]=apache2) # of packages that bring one
POLICY=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
DOCS_VENV=build/docs-venv
KEPT_DOCS=${KEPT:+$KEPT-docs}

step() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# --- Debian packages ---------------------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root rights are needed for '$*' and there is no sudo; ask an administrator to run it"
    fi
}

install_debian_packages() {
    local missing=() package
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    step "installing Debian packages: ${missing[*]}"
    as_root apt-get update -qq
    forbid_starting_services
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        >/dev/null
    allow_starting_services
    for package in "${missing[@]}"; do
        if [ -n "${SERVICES[$package]:-}" ]; then
            leave_switched_off "${SERVICES[$package]}"
        fi
    done
}

# Debian asks this program before a package's installation starts a service; 101 means that it may not.
forbid_starting_services() {
    if [ -e "$POLICY" ]; then
        return # the machine has a policy of its own
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    trap allow_starting_services EXIT
    as_root chmod 755 "$POLICY"
}

allow_starting_services() {
    if [ "$(trap -p EXIT)" != "" ]; then
        trap - EXIT
        as_root rm -f "$POLICY"
    fi
}

# Nor at the next boot: the demonstration and the tests start their own.
leave_switched_off() {
    as_root systemctl --quiet disable "$1" 2>/dev/null ||
        as_root update-rc.d "$1" disable >/dev/null ||
        fail "the service $1 was installed and could not be switched off; 'systemctl disable $1' does it"
    step "the service $1 was installed and is switched off; 'systemctl enable --now $1' switches it on"
}

# The tests start a PostgreSQL of their own; Debian is kept from making and starting one for the whole system as well.
prevent_postgresql_cluster() {
    local folder=/etc/postgresql-common/createcluster.d
    if is_installed postgresql || [ -e "$folder/nullsplat.conf" ]; then
        return
    fi
    as_root mkdir -p "$folder"
    echo 'create_main_cluster = false' | as_root tee "$folder/nullsplat.conf" >/dev/null
}

setup_system() {
    if command -v dpkg-query >/dev/null; then
        if [ "$1" = demo ]; then
            install_debian_packages "${DEMO_PACKAGES[@]}"
        else
            prevent_postgresql_cluster
            install_debian_packages "${DEMO_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
        fi
    elif ! command -v Orthanc >/dev/null; then
        fail "Orthanc was not found and this is not Debian or Ubuntu; install Orthanc with its Python," \
            "DICOMweb and web viewer plugins yourself (README.md, 'Other distributions')"
    fi
}

# --- Python ------------------------------------------------------------------------------------------------

# Only errors are shown: a folder of wheels that lacks some package would otherwise print a page of warnings.
pip_quietly() { "$VENV/bin/python" -m pip --disable-pip-version-check -qq "$@"; }

has_nvidia_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }

check_interpreter() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or later is needed, $PYTHON is $("$PYTHON" --version 2>&1); set PYTHON=/path/to/python3.11"
}

create_environment() {
    if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
        command -v dpkg-query >/dev/null || fail "$PYTHON lacks the venv module; install it"
        install_debian_packages python3-venv
    fi
    step "creating $VENV with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear "$VENV"
}

# PyPI's torch for Linux is the CUDA build, which brings gigabytes of libraries that a machine without an
# NVIDIA GPU cannot use. pytorch.org has a CPU build whose version ends in +cpu, and pip prefers it because a
# local version sorts higher. The dependencies are looked at before any is downloaded.
install_cpu_torch() {
    step "installing $TORCH for the CPU (no NVIDIA GPU here)"
    pip_quietly --retries 1 --timeout 15 install --no-deps --extra-index-url "$CPU_INDEX" "$TORCH"
    "$VENV/bin/python" - <<'PYTHON' || fail "only torch's CUDA build could be had, and this machine has no" \
        "NVIDIA GPU; make $CPU_INDEX reachable, or point PIP_FIND_LINKS at a folder with the CPU wheel"
import importlib.metadata as metadata, sys
needed = metadata.requires("torch") or []
sys.exit(any(line.startswith(("nvidia-", "cuda-")) for line in needed))
PYTHON
}

install_gpu_torch() {
    step "installing $TORCH with CUDA"
    pip_quietly install "$TORCH"
}

install_engine() {
    local extras='' what='the engine'
    if [ "$1" != demo ]; then
        extras='[dev]' what='the engine and the development tools'
    fi
    step "installing $what"
    "$VENV/bin/python" -c \
        'from importlib.metadata import version; print("torch==" + version("torch"))' >"$VENV/constraints.txt"
    pip_quietly install --constraint "$VENV/constraints.txt" --editable ".$extras"
}

# A kept environment has all but the engine, in folders named by a hash of what was asked for. A clone gets hard links, which
# cost neither time nor room; pip replaces files and never changes them, so what one clone does to its own reaches no other.
kept_environment() { printf '%s/%s' "$KEPT" "$(printf '%s' "$1 $(has_nvidia_gpu && echo gpu) $("$PYTHON" -VV)" | sha256sum | cut -c 1-16)"; }

restore_environment() {
    local kept
    kept=$(kept_environment "$1")
    if [ -z "$KEPT" ] || [ ! -d "$kept" ]; then
        return 1
    fi
    step "taking the environment from $kept"
    rm -rf "$VENV"
    mkdir -p "$(dirname "$VENV")"
    cp -al "$kept" "$VENV" 2>/dev/null || { rm -rf "$VENV" && cp -a "$kept" "$VENV"; } || return 1
    touch "$kept"
    relocate_environment
}

# Scripts name their interpreter by its path; sed -i makes new files, so the kept ones stay as they are.
relocate_environment() {
    local python script
    rm -f "$VENV"/bin/[aA]ctivate* "$VENV/pyvenv.cfg"
    "$PYTHON" -m venv --without-pip "$VENV"
    python=$(cd "$VENV/bin" && pwd)/python
    for script in "$VENV"/bin/*; do
        if [ ! -L "$script" ] && [ "$(head -c 2 "$script" | tr -d '\0')" = '#!' ]; then
            sed -i "1s|^#!.*/bin/python[0-9.]*|#!$python|" "$script"
        fi
    done
}

# Only the two used last: each takes some gigabytes.
keep_environment() {
    local kept
    kept=$(kept_environment "$1")
    if [ -z "$KEPT" ] || [ -d "$kept" ]; then
        return
    fi
    mkdir -p "$KEPT"
    rm -rf "$kept.partial"
    cp -al "$VENV" "$kept.partial" 2>/dev/null || { rm -rf "$kept.partial" && return; }
    rm -f "$kept.partial/.ready"
    mv -T "$kept.partial" "$kept" || rm -rf "$kept.partial"
    find "$KEPT" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d ' ' -f 2- |
        xargs -r -d '\n' rm -rf
}

# What of pyproject.toml decides what an environment holds: rules of linters and tests, say, do not.
asked_for() {
    "$PYTHON" - "$@" <<'PYTHON'
import json, sys, tomllib
with open("pyproject.toml", "rb") as file:
    asked = tomllib.load(file)
if "docs" in sys.argv:
    print(*asked["project"]["optional-dependencies"]["docs"], sep="\n")
else:
    tool = asked.pop("tool", {})
    print(json.dumps([asked, tool.get("hatch")], sort_keys=True))
PYTHON
}

requirements_stamp() { { asked_for "$@" && cat scripts/setup.sh; } | sha256sum | cut -d ' ' -f 1; }

works() { "$1/bin/python" -c '' 2>/dev/null; }

make_environment() {
    works "$VENV" || create_environment
    rm -f "$VENV/.ready"
    if has_nvidia_gpu; then
        install_gpu_torch
    else
        install_cpu_torch
    fi
    install_engine "$1"
}

setup_python() {
    local stamp started=$SECONDS
    check_interpreter
    stamp=$(requirements_stamp)
    case "$(cat "$VENV/.ready" 2>/dev/null)" in
        "$stamp all" | "$stamp $1") return ;; # all holds what the demonstration needs
    esac
    if works "$VENV" || ! { restore_environment "$stamp $1" && pip_quietly install --no-deps --editable .; }; then
        make_environment "$1"
        keep_environment "$stamp $1"
    fi
    printf '%s' "$stamp $1" >"$VENV/.ready"
    step "the environment is ready after $((SECONDS - started)) s"
}

# The documentation is made without the engine: its docstrings are read, not imported.
docs_stamp() { printf 'docs %s' "$(requirements_stamp docs)"; }

setup_docs() {
    local VENV=$DOCS_VENV KEPT=$KEPT_DOCS stamp
    check_interpreter
    stamp=$(docs_stamp)
    if [ "$(cat "$VENV/.ready" 2>/dev/null)" = "$stamp" ]; then
        return
    fi
    if ! restore_environment "$stamp"; then
        create_environment
        asked_for docs >"$VENV/requirements.txt"
        pip_quietly install --requirement "$VENV/requirements.txt"
        keep_environment "$stamp"
    fi
    printf '%s' "$stamp" >"$VENV/.ready"
}

what=${2:-all}
case "${1:-} $what" in
    "python all" | "python demo") setup_python "$what" ;;
    "system all" | "system demo") setup_system "$what" ;;
    "kept all") kept_environment "$(requirements_stamp) all" ;;
    "kept docs") KEPT=$KEPT_DOCS kept_environment "$(docs_stamp)" ;;
    "docs all") setup_docs ;;
    *) fail "say what to set up: scripts/setup.sh python|system [demo], kept [docs], or docs" ;;
esac
