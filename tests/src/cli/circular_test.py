"""Columns that are circles: nf check passes a sound flow of angles, and nf train warns of a base that does not fit."""
import json
import math
import os
import random

import harness
from harness import ROOT, case, nf, write_csv

PI = '3.141592653589793'
BOX = '{"type": "uniform", "low": [-%s], "high": [%s]}' % (PI, PI)


def on_circle(v):
    return (v + math.pi) % (2 * math.pi) - math.pi


def angles(count, seed=1):
    """Returns two angles, one around the wrap-around and the other near it."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        a = on_circle(rng.vonmisesvariate(3, 3))
        rows.append([a, on_circle(a + rng.vonmisesvariate(0.5, 2))])
    return rows


def fit(layers, base=BOX, columns='phi', more=()):
    if not os.path.exists('a.csv'):
        write_csv('a.csv', angles(1500), ['phi', 'psi'])
    spec = '{"base": %s, "layers": [%s]}' % (base, layers)
    return nf('train', spec, '--data', 'a.csv', '--columns', columns, '--steps', 20, '-o', 'm.safetensors', '--force', *more)


def check(columns='phi', code=0):
    out = json.loads(nf('check', 'm.safetensors', '--data', 'a.csv', '--columns', columns, '--json', code=code).stdout)
    return out, {c['name']: c for c in out['checks']}


@case
def a_shift_on_the_circle_passes():
    done = fit('{"type": "circular_shift"}')
    assert done.stderr == '', done.stderr
    # The map is right; the model is uniform and the angles are not, which their likelihood alone cannot show.
    out, checks = check(code=1)
    assert {k for k, c in checks.items() if c['verdict'] == 'FAIL'} == {'latents', 'columns', 'neighbors'}, out
    assert abs(checks['mass']['numbers']['mass'] - 1) < 1e-3 and checks['fit']['verdict'] == 'ok', out
    assert all(v['nan'] == 0 and v['minus_infinity'] > 0 for v in checks['stress']['numbers']), checks['stress']
    picture = nf('plot', 'density', 'm.safetensors', '-o', 'p.png')
    assert 'mass' not in picture.stdout or abs(float(picture.stdout.split('window')[1].split()[0]) - 1) < 0.05, picture.stdout
    # Other units are outside the circle, which the first step reports.
    write_csv('turned.csv', [[v + math.pi] for v, _ in angles(500)], ['phi'])
    done = nf('train', '{"base": %s, "layers": [{"type": "circular_shift"}]}' % BOX, '--data', 'turned.csv', '-o', 't.safetensors',
              '--steps', 5, code=1)
    assert '(circular_shift)' in done.stderr and '"range": "positive"' in done.stderr, done.stderr


@case
def two_angles_by_the_example():
    write_csv('a.csv', angles(3000), ['phi', 'psi'])
    spec = os.path.join(ROOT, 'examples', 'specs', 'angles.json')
    done = json.loads(nf('train', spec, '--data', 'a.csv', '--epochs', 6, '--lr', '5e-3', '-o', 'm.safetensors', '--json').stdout)
    independent = -2 * math.log(2 * math.pi)  # log-likelihood of the uniform density
    assert done['valid_log_likelihood'] > independent + 0.5, done
    out, checks = check('phi,psi')
    assert out['verdict'] == 'ok', out
    assert abs(checks['mass']['numbers']['mass'] - 1) < 1e-3, checks['mass']


@case
def a_base_on_the_line_is_told():
    for layer, field in (('{"type": "circular_shift"}', 'layers[0] (circular_shift)'),
                         ('{"type": "spline_autoregressive", "tails": "circular", "interval": [-%s, %s], "hidden": [8]}' % (PI, PI),
                          'layers[0].tails')):
        told = fit(layer, base='"normal"').stderr
        assert told.count('nf: warning:') == 1 and field in told and 'the base normal' in told, told
        assert '"type": "uniform", "low": [-%s], "high": [%s]' % (PI, PI) in told and 'no base supports' not in told, told
        assert fit(layer).stderr == ''
    mixed = '{"type": "spline_autoregressive", "circular": [1, 0], "interval": [-%s, %s], "hidden": [8]}' % (PI, PI)
    told = fit('{"layers": [%s]}' % mixed, base='"normal"', columns='phi,psi').stderr
    assert 'layers[0].layers[0].circular' in told and 'no base supports circles and other columns at once' in told, told


@case
def standardize_moves_circles():
    spline = '{"type": "spline_autoregressive", "tails": "circular", "bound": 10, "hidden": [8]}'
    told = fit(spline, base='{"type": "uniform", "low": [-10], "high": [10]}', more=('--standardize',)).stderr
    assert 'layers[0] (standardize)' in told and 'layers[1].tails' in told and 'drop --standardize' in told, told
    # Angles in degrees need no warning about their scale.
    write_csv('degrees.csv', [[v * 57.29] for v, _ in angles(500)], ['phi'])
    done = nf('train', '{"base": {"type": "uniform", "low": [-180], "high": [180]}, "layers": '
              '[{"type": "circular_shift", "bound": 180}]}', '--data', 'degrees.csv', '-o', 'd.safetensors', '--steps', 5)
    assert done.stderr == '', done.stderr


@case
def rows_beyond_a_box_are_told():
    write_csv('a.csv', [[0.1, 0.2], [0.3, 1.5]] * 200, ['a', 'b'])
    spec = '{"base": "uniform", "layers": [{"type": "spline_autoregressive", "interval": [0, 1], "hidden": [8]}]}'
    done = nf('train', spec, '--data', 'a.csv', '-o', 'm.safetensors', '--steps', 5, code=1)
    assert 'first at the base density' in done.stderr and '--lr' not in done.stderr, done.stderr
    assert 'ends at low [0.0] and high [1.0]' in done.stderr and 'density 0' in done.stderr, done.stderr
    done = nf('train', spec, '--data', 'a.csv', '--columns', 'a', '-o', 'm.safetensors', '--steps', 2)
    write_csv('v.csv', [[2.0]], ['a'])
    done = nf('train', spec, '--data', 'a.csv', '--columns', 'a', '--valid', 'v.csv', '-o', 'm.safetensors', '--steps', 2, code=1)
    assert 'no validation had a finite' in done.stderr and 'ends at low [0.0] and high [1.0]' in done.stderr, done.stderr


harness.main(__doc__)
