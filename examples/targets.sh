#!/usr/bin/env bash
# Fits flows to densities known up to a factor (Rezende & Mohamed 2015, figure 3). For every fit, prints the loss and the
# reverse KL divergence, log Z by importance sampling, and the effective sample size. Then draws examples/targets.png: the
# true density, Metropolis samples, planar flows of 4 and 16 layers, a spline flow. Takes about fifteen minutes on two
# cores with three seeds.
#
#   examples/targets.sh [SEEDS]      run ./dev demo first to build the command, or set NF=nf to use an installed one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seeds=${1:-3} nf=${NF:-build/src/cli/nf} out=build/targets u1=u1,radius=4,spread=0.8
mkdir -p "$out"
planar=(examples/specs/planar_target.json --samples 1000 --steps 8000 --lr 5e-3 --clip-norm 5 --anneal-steps 2000)
splines=(examples/specs/nsf_target.json --samples 1024 --steps 4000 --lr 2e-3 --clip-norm 50 --anneal-steps 3000)
# With rows of Markov chains on the target, the fit finds every mode without annealing.
symmetric=("${splines[@]:0:9}" --objective symmetric)

fit() {  # NAME TARGET SEED ARGUMENTS..
  local name=$1 target=$2 seed=$3
  shift 3
  echo "- $name, seed $seed"
  "$nf" fit-target "$@" --target "$target" --schedule cosine --seed "$seed" -o "$out/${name}_$seed.safetensors" |
    grep "^fit\|^log Z\|^ess"
}

for ((seed = 1; seed <= seeds; ++seed)); do
  fit planar_u1 "$u1" "$seed" "${planar[@]}"
  fit planar_u2 u2 "$seed" "${planar[@]}"
  fit planar16_u2 u2 "$seed" "${planar[@]}" --set "layers[0].repeat=16"
  fit splines_u1 "$u1" "$seed" "${splines[@]}"
  fit splines_u2 u2 "$seed" "${splines[@]}"
  fit splines_cross cross "$seed" "${splines[@]}"
  fit symmetric_u1 "$u1" "$seed" "${symmetric[@]}"
done
fit planar4_u1 "$u1" 1 "${planar[@]}" --set "layers[0].repeat=4"
fit planar16_u1 "$u1" 1 "${planar[@]}" --set "layers[0].repeat=16"
# The file names become the titles.
cp "$out/planar4_u1_1.safetensors" "$out/4 planar.safetensors"
cp "$out/planar16_u1_1.safetensors" "$out/16 planar.safetensors"
cp "$out/splines_u1_1.safetensors" "$out/splines.safetensors"
"$nf" plot target "$u1" "$out/"{"4 planar","16 planar",splines}.safetensors -o examples/targets.png
