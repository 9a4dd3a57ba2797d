#!/usr/bin/env bash
# Trains the `base` slab prior on one GPU and leaves it in pieces of at most 15 MiB.
#
#   scripts/train_slab_prior_on_gpu.sh CT_FOLDER WORK_FOLDER OUT_FOLDER [MINUTES]
#
# CT_FOLDER    .nii.gz files; all but VALIDATION are learned from
# WORK_FOLDER  pairs and checkpoints; the same call goes on from there
# OUT_FOLDER   prior.tar.part-*, joined by `cat prior.tar.part-* | tar x`
# MINUTES      wall time after which training is stopped at its last checkpoint (default 9: one call of ten minutes)
#
# PYTHON       interpreter of an environment with nullsplat installed (default: python3)
# STEPS, BATCH, SIZE, VALIDATION   see the defaults below; a rehearsal on a CPU: STEPS=2 BATCH=2 SIZE=small PAIRS=2 VALIDATION_PAIRS=2
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 3 ] || { sed -n '2,14p' "$0" >&2; exit 2; }
cts=$1 work=$2 out=$3 minutes=${4:-9}
PYTHON=${PYTHON:-python3}
STEPS=${STEPS:-20000} BATCH=${BATCH:-128} SIZE=${SIZE:-base} PAIRS=${PAIRS:-96} VALIDATION_PAIRS=${VALIDATION_PAIRS:-12}
VALIDATION=${VALIDATION:-qinlung_LSC-0049_half.nii.gz}

options=()
for ct in "$cts"/*.nii.gz; do
    if [ "$(basename "$ct")" = "$VALIDATION" ]; then
        options+=(--validation-ct "$ct")
    else
        options+=(--ct "$ct")
    fi
done

status=0
timeout --signal=INT "${minutes}m" "$PYTHON" -m nullsplat.cli train-slab-prior "${options[@]}" --out "$work" \
    --steps "$STEPS" --batch "$BATCH" --size "$SIZE" --pairs "$PAIRS" --validation-pairs "$VALIDATION_PAIRS" \
    --mixed-precision bf16 || status=$?
[ "$status" = 0 ] || [ "$status" = 124 ] || exit "$status"

mkdir -p "$out"
rm -f "$out"/prior.tar.part-*
tar -C "$work" -c prior | split --bytes=15M - "$out/prior.tar.part-"
ls -l "$out"
