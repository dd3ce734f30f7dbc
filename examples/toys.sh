#!/usr/bin/env bash
# Trains a flow on each of the thirteen toy sets, prints the integral of its density over the plane, and draws them all
# on one sheet, examples/toys.png: data above, density below. About five minutes on two cores.
#
#   examples/toys.sh [SPEC] [STEPS]      after ./dev demo, which builds the command; NF=nf takes an installed one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
spec=${1:-examples/specs/nsf_2d.json} steps=${2:-3000} nf=${NF:-build/src/cli/nf} out=build/toys
mkdir -p "$out"
models=() data=()
for name in swissroll circles rings moons 4gaussians 8gaussians pinwheel 2spirals checkerboard line cos parabola letters; do
  # A curve without width has no density for a flow to learn.
  case $name in line | cos) noise=0.1 ;; *) noise=0 ;; esac
  "$nf" toy "$name" -n 50000 --seed 1 --noise "$noise" -o "$out/$name.npy"
  echo "- $name"
  "$nf" train "$spec" --data "$out/$name.npy" --batch 512 --lr 2e-3 --schedule cosine --clip-norm 5 --steps "$steps" \
    --quiet -o "$out/$name.safetensors"
  "$nf" check "$out/$name.safetensors" --data "$out/$name.npy" | grep -i "integral\|mass" || true
  models+=("$out/$name.safetensors") data+=("$out/$name.npy")
done
"$nf" plot sheet "${models[@]}" --data "${data[@]}" -o examples/toys.png
