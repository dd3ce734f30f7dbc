"""Variational autoencoders from the command line: train, resume, score with several draws, encode, decode, pictures, info."""
import json
import math
import random

import harness
from harness import case, fails, info, nf, read_npy, train, write_csv, write_npy
from picture import read_png

SPEC = json.dumps({'kind': 'vae', 'latent': 2, 'encoder': {'type': 'mlp', 'hidden': [16]},
                   'decoder': {'type': 'mlp', 'hidden': [16]}, 'posterior': {'layers': [{'type': 'planar'}]}})


def bits(n, seed=1):
    """Rows of 16 bits: one of two patterns with some bits flipped."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        pattern = rng.randrange(2)
        rows.append([float((k % 2 == pattern) != (rng.random() < 0.1)) for k in range(16)])
    return rows


def data():
    write_npy('x.npy', bits(300), event=[4, 4, 1])


def fit(*more, output='m.safetensors'):
    steps = () if '--steps' in more else ('--steps', 60)
    return nf('train', SPEC, '--data', 'x.npy', *steps, '--batch', 50, '--lr', 0.02, '-o', output, '--force', *more)


def mean_score(*more):
    nf('score', 'm.safetensors', '--data', 'x.npy', '-o', 's.npy', *more)
    scores = read_npy('s.npy')[1]
    return sum(scores) / len(scores)


@case
def it_learns_and_more_draws_bound_it_tighter():
    data()
    fit('--steps', 1)
    before = mean_score()
    fit()
    one, many = mean_score(), mean_score('--score-samples', 50)
    assert one > before + 1, (before, one)
    assert many > one + 0.05, (one, many)


@case
def resuming_has_the_same_bits():
    data()
    options = ('--beta-warmup-steps', 40, '--free-bits', 0, '--kl', 'monte_carlo', '--valid-every', 20)
    fit(*options)
    fit(*options, '--steps', 20, output='part.safetensors')
    nf('train', SPEC, '--data', 'x.npy', '--steps', 60, '-o', 'part.safetensors', '--resume')
    assert info('part.safetensors')['hash'] == info('m.safetensors')['hash']


@case
def options_of_the_bound_are_for_autoencoders():
    data()
    fit('--objective', 'iwae', '--draws', 3)
    flow = '{"layers": [{"type": "affine"}]}'
    fails('train', flow, '--data', 'x.npy', '--beta', 2, '-o', 'f.safetensors', code=2, says=['beta', 'nll'])
    fails('train', SPEC, '--data', 'x.npy', '--standardize', '-o', 'f.safetensors', code=2, says='"vae"')
    fails('train', SPEC, '--data', 'x.npy', '--dequantize', 'auto', '-o', 'f.safetensors', code=2, says='"vae"',
          hint='likelihood')
    write_npy('bad.npy', [[float(k) for k in range(16)]] * 40, event=[4, 4, 1])
    fails('train', SPEC, '--data', 'bad.npy', '--quiet', '-o', 'f.safetensors', says='numbers in [0, 1]')


@case
def rows_become_latents_and_latents_rows():
    data()
    fit()
    nf('encode m.safetensors --data x.npy -o z.npy --log-var v.csv')
    shape, z = read_npy('z.npy')
    assert shape == (300, 2), shape
    assert open('v.csv').readline().strip() == 'z0,z1'
    nf('decode m.safetensors --data z.npy -o back.npy')
    shape, back = read_npy('back.npy')
    assert shape == (300, 4, 4, 1) and all(0 < p < 1 for p in back), shape
    wrong = sum((p > 0.5) != (x > 0.5) for p, x in zip(back, sum(bits(300), [])))
    assert wrong < 0.2 * len(back), wrong
    nf('encode m.safetensors --data x.npy --draw -o drawn.npy')
    assert read_npy('drawn.npy')[1] != z
    fails('decode', 'm.safetensors', '--data', 'x.npy', says=['16 columns', 'have 2'])
    nf('decode m.safetensors --data z.npy --grid g.png')
    assert read_png('g.png')[0] > 100


@case
def a_flow_is_encoded_by_its_map():
    data()
    nf('train', '{"layers": [{"type": "elementwise_affine"}]}', '--data', 'x.npy', '--steps', 3, '-o', 'f.safetensors')
    nf('encode f.safetensors --data x.npy -o z.npy')
    nf('decode f.safetensors --data z.npy -o back.npy')
    assert max(abs(a - b) for a, b in zip(read_npy('back.npy')[1], sum(bits(300), []))) < 1e-5
    fails('encode', 'f.safetensors', '--data', 'x.npy', '--draw', code=2, says='is a flow')


@case
def what_is_for_flows_says_so():
    data()
    said = fit().stdout
    assert 'nf check' not in said and '--show reconstruct' in said, said
    fails('check', 'm.safetensors', '--data', 'x.npy', says='autoencoder', hint='--score-samples')
    fails('plot', 'samples', 'm.safetensors', '-o', 'p.png', says='16 columns', hint='column 15')


@case
def pictures_and_info():
    data()
    fit()
    nf('plot images m.safetensors --columns 4 --rows 2 -o p.png')
    nf('plot images m.safetensors --show reconstruct --data x.npy -o r.png')
    nf('plot images m.safetensors --show interpolate --data x.npy -o i.png')
    said = nf('info m.safetensors').stdout
    for words in ('latent      2 columns', 'encoder     mlp: ', 'posterior   normal, then [planar]', 'likelihood  bernoulli',
                  'posterior.layers.0 planar'):
        assert words in said, said
    assert info('m.safetensors')['model']['posterior_layers'] == 1


harness.main(__doc__)
