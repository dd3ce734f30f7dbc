#!/usr/bin/env bash
# Trains a flow on each of the thirteen toy sets, prints the integral of its density over the plane, and draws all of them
# on one sheet, examples/toys.png: data above, density below. Takes about five minutes on two cores.
#
#   examples/toys.sh [SPEC] [STEPS]      run ./dev demo first to build the command, or set NF=nf to use an installed one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
spec=${1:-examples/specs/nsf_2d.json} steps=${2:-3000} nf=${NF:-build/src/cli/nf} out=build/toys
mkdir -p "$out"
models=() data=()
for name in swissroll circles rings moons 4gaussians 8gaussians pinwheel 2spirals checkerboard line cos parabola letters; do
  # Noise gives the curves a density in the plane.
  case $name in line | cos) noise=0.1 ;; *) noise=0 ;; esac
  "$nf" toy "$name" -n 50000 --seed 1 --noise "$noise" -o "$out/$name.npy"
  echo "- $name"
  "$nf" train "$spec" --data "$out/$name.npy" --batch 512 --lr 2e-3 --schedule cosine --clip-norm 5 --steps "$steps" \
    --quiet -o "$out/$name.safetensors"
  "$nf" check "$out/$name.safetensors" --data "$out/$name.npy" | grep -i "integral\|mass" || true
  models+=("$out/$name.safetensors") data+=("$out/$name.npy")
done
"$nf" plot sheet "${models[@]}" --data "${data[@]}" -o examples/toys.png
