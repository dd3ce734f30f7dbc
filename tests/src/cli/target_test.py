"""nf fit-target, nf targets, nf plot target: fits reach what is known, numbers agree, wrong use is told."""
import csv
import json
import os

import harness
from harness import case, fails, nf

SHIFT = '{"layers": [{"type": "elementwise_affine"}]}'
SPEC = ('{"layers": [{"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [16]}, {"type": "reverse"}]}, '
        '{"type": "elementwise_affine"}]}')


def fit(*more, spec=SPEC, target='banana', steps=300):
    return nf('fit-target', spec, '--target', target, '-o', 'm.safetensors', '--steps', steps, '--lr', '1e-2', '--seed', 1,
              *more)


@case
def reaches_the_banana():
    done = json.loads(fit('--json', '--schedule', 'cosine', '--curve', 'c.csv').stdout)
    assert abs(done['reverse_kl']) < 0.1, done
    assert abs(done['log_z']) < 5 * done['log_z_error'] + 1e-3, done
    assert done['known_log_z'] == 0 and abs(done['above_best'] - done['reverse_kl']) < 1e-12
    assert 0.8 < done['ess_fraction'] <= 1 and done['samples'] == 100000
    with open('c.csv') as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 20 and int(rows[-1]['step']) == 300
    # The file is a model as any other.
    nf('sample', 'm.safetensors', '-n', 10, '-o', 's.csv')
    assert 'banana' in nf('info', 'm.safetensors').stdout


@case
def the_same_bits_for_any_number_of_threads():
    seen = set()
    for threads in (1, 2):
        fit('--threads', threads, '--batch', 300, steps=20)
        with open('m.safetensors', 'rb') as f:
            seen.add(f.read())
    assert len(seen) == 1


@case
def objectives_and_fields():
    text = fit('--objective', 'alpha', '--renyi-alpha', 0, '--weigh', 2000, target='u1,radius=4,spread=0.8', steps=10).stdout
    assert 'log Z = 2.3133' in text and '2,000 samples are effective' in text, text
    fit('--path-gradient', 'true', '--anneal-steps', 5, steps=10)
    text = fit('--quiet', target='{"type": "funnel", "scale": 1}', spec='{"event": 5, "layers": []}', steps=1).stdout
    assert text == '', text


@case
def a_known_log_z_that_is_missed_is_told():
    done = nf('fit-target', '{"event": 2, "layers": []}', '--target', 'cross,distance=30', '--steps', 1, '-o', 'm.safetensors')
    assert 'has not found all of the target' in done.stderr, done.stderr


@case
def lists_the_targets():
    text = nf('targets').stdout
    for word in ('u1', 'u4', 'cross', 'two_moons', 'funnel', 'banana', 'rings', 'log Z = 1.9613', 'radius'):
        assert word in text, word
    assert {'u2', 'cross'} <= {t['name'] for t in json.loads(nf('targets', '--json').stdout)}


@case
def draws_truth_chains_and_models():
    fit(steps=50)
    nf('plot', 'target', 'banana', 'm.safetensors', '--size', 150, '--points', 500, '-o', 'p.png')
    with open('p.png', 'rb') as f:
        assert f.read(8) == b'\x89PNG\r\n\x1a\n'
    nf('plot', 'target', 'u2', '--size', 120, '--points', 300, '--log', '-o', 'q.png')


@case
def wrong_use():
    def refused(*args, **how):
        fails('fit-target', *args, '-o', 'm.safetensors', **how)
        assert not os.path.exists('m.safetensors')
    refused(SHIFT, '--target', 'bananas', says=('bananas', 'banana'))
    refused(SHIFT, '--target', 'u1,radius', code=2, says='radius', hint='u1,radius=4')
    refused(SHIFT, '--target', 'u1,radios=4', says='did you mean "radius"')
    refused(SHIFT, '--target', 'u1,radius=-4', says='radius')
    refused(SHIFT, '--target', 'u1', '--steps', 5, '--anneal-steps', 10, code=2, says='never count in full')
    refused('{"event": 3, "layers": []}', '--target', 'u1', says='2 columns, not 3')
    refused('{"context": 1, "layers": []}', '--target', 'u1', says='context')
    refused(SHIFT, '--target', 'u1', '--objective', 'nll', code=2, says='nll', hint='nf train')
    refused(SHIFT, '--target', 'u1', '--objective', 'alpha', '--path-gradient', 'true', says='path_gradient')
    # A hard wall: the model has density where the target has none.
    refused(SHIFT, '--target', 'u2,cut=0.5,wall=0', '--quiet', says=('log density of sample', '-inf'), hint='--lr')
    fails('plot', 'target', 'u1', 'missing.safetensors', '-o', 'p.png', says='missing.safetensors')


harness.main(__doc__)
