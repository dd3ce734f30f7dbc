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
    nf('train', SPEC, '--data', 'x.npy', '--steps', 60, '-o', 'part.safetensors', '--resume', '--valid-every', 20)
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
    assert 'nf check' in said and '--show reconstruct' in said, said
    fails('plot', 'samples', 'm.safetensors', '-o', 'p.png', says='16 columns', hint='column 15')


@case
def check_compares_bound_latents_and_samples():
    data()
    fit('--steps', 300)
    report = json.loads(nf('check', 'm.safetensors', '--data', 'x.npy', '--rows', 300, '--json', code=None).stdout)
    checks = {c['name']: c for c in report['checks']}
    assert 'log-det' not in checks and checks['one row']['verdict'] == 'ok', list(checks)
    posterior = checks['posterior']['numbers']
    assert posterior['rows'] == 100 and posterior['draws'] == 200, posterior
    assert 0 < posterior['gap'] < 5 and posterior['log_prob'] < 0, posterior
    # The estimate is that of many draws, the bound that of one.
    many, one = mean_score('--score-samples', 200), mean_score()
    assert abs(posterior['log_prob'] - many) < 0.5 and abs(posterior['bound'] - one) < 0.5, (posterior, many, one)
    latents = checks['active latents']
    assert latents['numbers']['active'] >= 1 and latents['verdict'] == 'ok', latents
    assert len(latents['numbers']['kl_of_latent']) == 2
    assert 'prior' in checks['latents']['message']


@case
def a_collapsed_posterior_is_named():
    data()
    told = fit('--beta', 1000, '--steps', 200, '--valid-every', 200)
    assert 'no latent is active' in told.stderr and '--beta-warmup-steps' in told.stderr, told.stderr
    assert 'latent' in told.stdout and '0 of 2 latents active' in told.stdout, told.stdout
    report = json.loads(nf('check m.safetensors --data x.npy --json', code=1).stdout)
    assert {c['name']: c['verdict'] for c in report['checks']}['active latents'] == 'FAIL'


@case
def bits_are_no_cause_for_a_warning_but_densities_of_bits_are():
    write_csv('bits.csv', bits(300))
    told = nf('train', SPEC, '--data', 'bits.csv', '--steps', 5, '-o', 'f.safetensors')
    assert 'repeat' not in told.stderr, told.stderr
    gaussian = json.dumps({**json.loads(SPEC), 'likelihood': 'gaussian'})
    told = nf('train', gaussian, '--data', 'bits.csv', '--steps', 5, '-o', 'f.safetensors')
    assert 'repeat' in told.stderr and 'bernoulli' in told.stderr and '--dequantize' not in told.stderr, told.stderr


@case
def latents_by_class():
    data()
    fit()
    write_csv('labels.csv', [[k % 2] for k in range(300)], ['label'])
    said = nf('plot latents m.safetensors --data x.npy --labels labels.csv -o z.png').stdout
    assert '300 of 300 rows' in said, said
    width, height, _ = read_png('z.png')[:3]
    assert width > 2 * 300 and height > 300, (width, height)  # z0 and z1
    nf('plot latents m.safetensors --data x.npy --points 50 -o z.png')
    nf('train', '{"layers": [{"type": "elementwise_affine"}]}', '--data', 'x.npy', '--steps', 3, '-o', 'f.safetensors')
    nf('plot latents f.safetensors --data x.npy -o f.png')
    fails('plot', 'latents', 'm.safetensors', '--data', 'labels.csv', '-o', 'z.png', says='1 column')


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
