"""nf fit-target, nf targets, nf plot target: fits reach known values, numbers agree, wrong use is reported."""
import csv
import json
import os
import random

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
    assert '-log Z = 0.0000' in fit(steps=1).stdout
    done = json.loads(fit('--json', '--schedule', 'cosine', '--curve', 'c.csv').stdout)
    assert abs(done['reverse_kl']) < 0.1, done
    assert abs(done['log_z']) < 5 * done['log_z_error'] + 1e-3, done
    assert done['known_log_z'] == 0 and abs(done['above_best'] - done['reverse_kl']) < 1e-12
    assert 0.8 < done['ess_fraction'] <= 1 and done['samples'] == 100000
    with open('c.csv') as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 20 and int(rows[-1]['step']) == 300 and abs(float(rows[-1]['loss']) - done['reverse_kl']) < 0.1
    assert {float(r['anneal']) for r in rows} == {1.0}
    nf('plot', 'curve', 'c.csv', '-o', 'c.png')
    # The file is a model like any other.
    nf('sample', 'm.safetensors', '-n', 10, '-o', 's.csv')
    assert 'banana' in nf('info', 'm.safetensors').stdout


@case
def splines_have_no_steep_edges():
    def layers(*fields):
        spline = ', '.join(('"type": "spline_coupling", "hidden": [8]',) + fields)
        fit(spec='{"layers": [{"repeat": 2, "layers": [{%s}, {"type": "reverse"}]}]}' % spline, steps=2)
        return json.loads(nf('info', '--spec', 'm.safetensors').stdout)['layers'][0]['layers'][0]
    usual = layers()
    assert (usual['min_derivative'], usual['min_bin_width'], usual['min_bin_height']) == (0.05, 0.02, 0.02), usual
    many = layers('"bins": 25')
    assert (many['min_derivative'], many['min_bin_width']) == (0.05, 0.01), many
    given = layers('"min_derivative": 0.001', '"min_bin_width": 0.002')
    assert (given['min_derivative'], given['min_bin_width'], given['min_bin_height']) == (0.001, 0.002, 0.02), given
    assert layers('"convention": "zuko"')['min_derivative'] == 0.001
    # Training on data leaves them as they are.
    nf('toy', 'moons', '-n', 200, '-o', 'moons.csv')
    nf('train', '{"layers": [{"type": "spline_coupling", "hidden": [8]}]}', '--data', 'moons.csv', '-o', 't.safetensors',
       '--steps', 2)
    assert json.loads(nf('info', '--spec', 't.safetensors').stdout)['layers'][0]['min_derivative'] == 0.001


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
    help = nf('fit-target', '--help').stdout
    assert '(reverse_kl)' in help and '(nll)' not in help, help
    # Schedule plateau counts points of the curve.
    rates = [line.split('lr ')[1].split()[0] for line in fit('--schedule', 'plateau', '--plateau-patience', 0, '--threshold',
                                                            100, steps=20).stdout.splitlines() if line.startswith('step ')]
    assert rates[0] == '0.01' and len(set(rates)) > 10, rates
    text = fit('--quiet', target='{"type": "funnel", "scale": 1}', spec='{"event": 5, "layers": []}', steps=1).stdout
    assert text == '', text


@case
def a_missed_log_z_is_reported():
    done = nf('fit-target', '{"event": 2, "layers": []}', '--target', 'cross,distance=30', '--steps', 1, '-o', 'm.safetensors')
    assert 'the model misses part of the target' in done.stderr, done.stderr


def target_line(code):
    nf('sample', 'm.safetensors', '-n', 2000, '-o', 's.csv')
    out = json.loads(nf('check', 'm.safetensors', '--data', 's.csv', '--json', code=code).stdout)
    return out, next((c for c in out['checks'] if c['name'] == 'target'), None)


@case
def a_target_that_was_missed_fails_the_check():
    """The model is sound, but fit-target found that it misses part of the target."""
    # A wide error bar hides the error in log Z from a lost tail, but the reverse KL shows it.
    told = fit(target='funnel', spec='{"event": 2, "layers": [{"type": "elementwise_affine"}]}', steps=200)
    assert 'the reverse KL is' in told.stderr and 'the model misses part of the target' in told.stderr, told.stderr
    out, line = target_line(1)
    assert out['verdict'] == line['verdict'] == 'FAIL' and 'the reverse KL is' in line['message'], out
    assert [c['name'] for c in out['checks'] if c['verdict'] == 'FAIL'] == ['target'], out
    fit('--schedule', 'cosine', target='banana')
    out, line = target_line(0)
    assert line['verdict'] == 'ok' and 'found the known log Z of banana' in line['message'], out
    fit(target='cross,distance=30', spec='{"event": 2, "layers": []}', steps=1)
    _, line = target_line(1)
    assert 'log Z is' in line['message'] and 'samples are effective' in line['message'], line
    fit(target='u3,cut=0', steps=5)
    assert target_line(0)[1]['verdict'] == '-'
    # Models of other commands have no such notes.
    nf('train', SHIFT, '--data', 's.csv', '-o', 'm.safetensors', '--steps', 2, '--force')
    assert target_line(0)[1] is None


@case
def no_normalizing_constant_no_log_z():
    """u2 without a cut has no finite integral: reported before and after the fit, and there is no number for log Z."""
    done = fit('--set', 'dtype=float64', target='u2,cut=0', steps=20)
    assert 'u2 has no finite integral (cut = 0)' in done.stderr and done.stderr.count('nf:') == 1, done.stderr
    assert 'log Z  none' in done.stdout and 'importance' not in done.stdout and 'effective' not in done.stdout, done.stdout
    out = json.loads(fit('--json', target='u2,cut=0', steps=20).stdout)
    assert out['normalizable'] is False and out['log_z'] is out['log_z_error'] is out['ess'] is None, out
    assert json.loads(fit('--json', target='u2', steps=5).stdout)['normalizable'] is True
    nf('plot', 'target', 'u2,cut=0', 'm.safetensors', '--size', 120, '--points', 200, '-o', 'p.png')


@case
def shows_annealing_in_its_lines():
    text = fit('--anneal-steps', 100, steps=200).stdout
    lines = [line for line in text.splitlines() if line.startswith('step ')]
    assert len(lines) == 20 and 'anneal 0.10' in lines[0] and 'anneal 0.50' in lines[4] and 'anneal 1.00' in lines[-1], text
    assert '1 step of 1 sample\n' in fit('--samples', 1, steps=1).stdout
    assert 'anneal' not in text.splitlines()[2] and 'anneal ' not in fit(steps=5).stdout


@case
def says_what_comes_next_in_the_name_of_the_model():
    text = nf('fit-target', SHIFT, '--target', 'banana', '-o', 'my banana.st', '--steps', 2).stdout
    assert 'replaces' not in text, text
    again = nf('fit-target', SHIFT, '--target', 'banana', '-o', 'my banana.st', '--steps', 2).stdout
    assert '\nout     replaces my banana.st\n' in again, again
    for line in ("nf plot target banana 'my banana.st' -o 'my banana.png'", "nf check 'my banana.st' --data 'my banana.csv'"):
        assert line in text, text
    assert 'nf plot' not in nf('fit-target', '{"event": 3, "layers": [{"type": "elementwise_affine"}]}', '--target', 'funnel',
                               '-o', 'm.safetensors', '--steps', 2).stdout, 'there is no picture of three columns'


@case
def symmetric_takes_rows_of_the_target():
    """Bumps far apart: reverse KL keeps those it finds, and the rows show the others."""
    far = 'cross,distance=5'
    alone = json.loads(fit('--json', '--samples', 200, target=far, steps=150).stdout)
    text = fit('--objective', 'symmetric', '--samples', 200, target=far, steps=150).stdout
    assert 'data    20,000 rows drawn from the target by random walks' in text, text
    both = json.loads(fit('--json', '--objective', 'symmetric', '--samples', 200, target=far, steps=150).stdout)
    assert abs(both['log_z'] - both['known_log_z']) < abs(alone['log_z'] - alone['known_log_z']), (alone, both)
    # With fewer rows in a file than samples, the fit is the same for any number of threads.
    rows = harness.rows_of(50)
    harness.write_csv('rows.csv', [[0.0, *row] for row in rows], ['id', 'a', 'b'])
    more = ('--objective', 'symmetric', '--data', 'rows.csv', '--columns', 'a,b')
    text = fit(*more, '--threads', 1, steps=20).stdout
    assert 'data    50 rows of rows.csv' in text, text
    with open('m.safetensors', 'rb') as f:
        one = f.read()
    fit(*more, '--threads', 2, steps=20)
    with open('m.safetensors', 'rb') as f:
        assert f.read() == one
    def refused(*args, **how):
        fails('fit-target', SPEC, '--target', 'u1', '-o', 'no.safetensors', *args, **how)
        assert not os.path.exists('no.safetensors')
    refused('--data', 'rows.csv', code=2, says=('--data', 'symmetric or fisher'), hint='nf train')
    refused('--columns', 'a,b', '--objective', 'symmetric', code=2, says='--columns')
    refused('--data', 'rows.csv', '--objective', 'symmetric', says=('3 columns', 'event has 2'))
    refused('--data', 'none.csv', '--objective', 'symmetric', says='none.csv')


@case
def fisher_compares_scores_at_rows_of_the_target():
    before = json.loads(fit('--json', target='banana', steps=1).stdout)
    done = fit('--objective', 'fisher', '--batch', 200, target='banana', steps=300)
    assert 'data    20,000 rows drawn from the target by random walks' in done.stdout, done.stdout
    found = json.loads(fit('--json', '--objective', 'fisher', '--batch', 200, target='banana', steps=300).stdout)
    assert found['ess_fraction'] > 2 * before['ess_fraction'] and found['ess_fraction'] > 0.5, (before, found)
    # Rows of a file; and a run in two parts has the same bits.
    harness.write_npy('rows.npy', harness.rows_of(300))
    more = ('--objective', 'fisher', '--data', 'rows.npy', '--batch', 100)
    fit(*more, target='banana', steps=40)
    whole = harness.info('m.safetensors')['hash']
    fit(*more, target='banana', steps=20)
    fit(*more, '--resume', target='banana', steps=40)
    assert harness.info('m.safetensors')['hash'] == whole
    fails('fit-target', SPEC, '--target', 'banana', '--objective', 'fisher', '--anneal-steps', 5, '-o', 'no.safetensors', code=2,
          says='anneal_steps: 5 has no effect with "objective": "fisher"')


@case
def rows_of_the_target_check_what_the_samples_reach():
    rng = random.Random(5)
    with open('rows.csv', 'w') as f:
        f.write('a,b\n')
        for _ in range(2000):
            x = rng.gauss(0, 2)
            f.write(f'{x},{0.25 * x * x + rng.gauss(0, 1)}\n')
    # N(0, 1) in both columns is far too narrow. Its weights have a heavy tail, and the rows see what they miss.
    bad = fit('--check', 'rows.csv', spec=SHIFT, steps=1)
    assert 'forward KL' in bad.stdout and '2,000 rows of the target' in bad.stdout, bad.stdout
    assert 'Pareto k is' in bad.stderr, bad.stderr
    narrow = json.loads(fit('--json', '--check', 'rows.csv', spec=SHIFT, steps=1).stdout)
    assert narrow['pareto_k'] > narrow['pareto_k_limit'] == 0.7, narrow
    assert narrow['rows']['samples'] == 2000 and narrow['rows']['deviation'] > 2, narrow
    assert narrow['rows']['forward_kl'] > 1, narrow
    # A good fit is left alone.
    fine = fit('--schedule', 'cosine', '--check', 'rows.csv')
    assert 'warning' not in fine.stderr, fine.stderr
    # Smoothing changes the numbers, but not those that judge the weights.
    raw = json.loads(fit('--json', spec=SHIFT, steps=1).stdout)
    smooth = json.loads(fit('--json', '--smooth-weights', spec=SHIFT, steps=1).stdout)
    assert smooth['smoothed'] and not raw['smoothed'] and 'rows' not in raw
    assert smooth['pareto_k'] == raw['pareto_k'] and smooth['log_z'] != raw['log_z'], (raw, smooth)

    def refused(text, *says):
        with open('bad.csv', 'w') as f:
            f.write(text)
        fails('fit-target', SHIFT, '--target', 'banana', '-o', 'm.safetensors', '--steps', 1, '--check', 'bad.csv', code=1, says=says)
    refused('1,2,3\n4,5,6\n', '3 columns')


@case
def too_few_iterations_are_reported_before_the_fit():
    spec = '{"invert": true, "layers": [{"repeat": 2, "layers": [{"type": "planar", "max_iterations": 1}]}]}'
    done = fit(spec=spec, steps=2)
    for word in ('layers[0].layers[0] (planar)', 'max_iterations 1', '--set max_iterations=100'):
        assert word in done.stderr.splitlines()[0], done.stderr
    assert 'max_iterations' not in fit('--set', 'max_iterations=100', spec=spec, steps=2).stderr
    assert 'max_iterations' not in fit('--set', 'max_iterations=100', '--quiet', spec=spec, steps=2).stderr
    harness.write_npy('train.npy', harness.rows_of(50))
    assert 'max_iterations 1' in harness.train(spec=spec.replace('"invert": true, ', ''), steps=1).stderr
    # If the fit needs the inverse, the hint says what to do; the top-level "invert" can be set.
    fails('fit-target', spec, '--set', 'invert=false', '--target', 'u2', '--quiet', '-o', 'no.safetensors', says='not inverted',
          hint='--set max_iterations=100')


@case
def lists_the_targets():
    text = nf('targets').stdout
    for word in ('u1', 'u4', 'cross', 'two_moons', 'funnel', 'banana', 'rings', 'log Z = 1.9613', 'radius'):
        assert word in text, word
    listed = {t['name']: t for t in json.loads(nf('targets', '--json').stdout)}
    assert {'u2', 'cross'} <= set(listed) and all(t['formula'] and t['normalizable'] for t in listed.values())


@case
def shows_one_target():
    text = nf('targets', 'u1,radius=4,spread=0.8').stdout
    for word in ('u1 ', 'log p(x)', '((|x| - radius)/width)^2', 'log Z     2.3133', 'columns   2', 'Rezende', 'here 4.0', 'width'):
        assert word in text, (word, text)
    assert 'banana' not in text
    assert 'any number from 1: as many as the model has, --set event=5' in nf('targets', 'funnel').stdout
    assert '--set event=5' in nf('fit-target', '--help').stdout
    fails('targets', 'funnel,columns=5', code=2, says="'columns' is not a field", hint='--set event=5')
    fails('fit-target', SHIFT, '--target', 'funnel,columns=5', '-o', 'm.safetensors', code=2, says="'columns' is not a field",
          hint='"event": 5 in the spec')
    assert 'log Z     none' in nf('targets', 'u3,cut=0').stdout
    one = json.loads(nf('targets', 'u1,radius=4', '--json').stdout)
    assert one['target'] == {'type': 'u1', 'radius': 4, 'width': 0.4, 'centre': 2, 'spread': 0.6}, one
    assert json.loads(nf('targets', 'u3,cut=0', '--json').stdout)['log_z'] is None
    fails('targets', 'bananas', code=2, says=('bananas', 'did you mean "banana"'))
    fails('targets', 'u1,radius=4,radius=3', code=2, says="'radius' is given twice")


@case
def draws_truth_chains_and_models():
    fit(steps=50)
    nf('plot', 'target', 'banana', 'm.safetensors', '--size', 150, '--points', 500, '-o', 'p.png')
    with open('p.png', 'rb') as f:
        assert f.read(8) == b'\x89PNG\r\n\x1a\n'
    nf('plot', 'target', 'u2', '--size', 120, '--points', 300, '--log', '-o', 'q.png')
    # This target has density 0 at many standard normal rows, so chains need other starting points.
    nf('plot', 'target', 'u2,wall=0,cut=0.01', '--size', 120, '--points', 300, '-o', 'q.png')


@case
def a_picture_of_unrelated_models_says_so():
    small = ('--size', 120, '--points', 200, '-o', 'p.png')
    fit(steps=50)
    assert nf('plot', 'target', 'banana,scale=2', 'm.safetensors', *small).stderr == '', 'fitted to the same target'
    told = nf('plot', 'target', 'u1', 'm.safetensors', *small).stderr
    assert 'm.safetensors was fitted to banana; its reverse KL to u1 is ' in told, told
    harness.write_npy('train.npy', harness.rows_of(100))
    harness.train(steps=5, output='data.safetensors')
    told = nf('plot', 'target', 'u1', 'm.safetensors', 'data.safetensors', *small).stderr
    assert 'data.safetensors was apparently not fitted to a target' in told and told.count('nf: note') == 2, told
    # Wrong sizes are found before drawing.
    nf('fit-target', '{"event": 3, "layers": []}', '--target', 'banana', '--steps', 1, '-o', 'three.safetensors')
    os.remove('p.png')
    fails('plot', 'target', 'banana', 'm.safetensors', 'three.safetensors', *small, says=('three.safetensors', '3 columns'))
    assert not os.path.exists('p.png')


@case
def wrong_use():
    def refused(*args, **how):
        fails('fit-target', *args, '-o', 'm.safetensors', **how)
        assert not os.path.exists('m.safetensors')
    refused(SHIFT, '--target', 'bananas', code=2, says=('bananas', 'banana'))
    refused(SHIFT, '--target', 'u1,radius', code=2, says='radius', hint='u1,radius=4')
    refused(SHIFT, '--target', 'u1,radios=4', code=2, says='did you mean "radius"')
    refused(SHIFT, '--target', 'u1,radius=-4', code=2, says='radius')
    refused(SHIFT, '--target', 'u1,radius=4,radius=3', code=2, says="'radius' is given twice")
    refused(SHIFT, '--target', 'u1,type=u2', code=2, says="'type=u2' is not FIELD=NUMBER")
    refused(SHIFT, '--target', 'u1,type=2', code=2, says="'type' is given twice")
    refused(SHIFT, '--target', '{"type": "u1", "radius": 4, "radius": 3}', code=2, says=('radius', 'appears twice'))
    refused(SHIFT, '--target', 'u1,zzzzzz=4', code=2, says='known: radius, width, centre, spread')
    refused(SHIFT, '--target', 'u1', '--samples', 5, '--batch', 6, code=2, says='--samples excludes --batch')
    refused(SHIFT, '--target', 'u1', '--steps', 5, '--anneal-steps', 10, code=2, says='annealing would never finish')
    refused('{"event": 3, "layers": []}', '--target', 'u1', says='2 columns, not 3')
    refused('{"context": 1, "layers": []}', '--target', 'u1', says='context')
    refused(SHIFT, '--target', 'u1', '--objective', 'nll', code=2, says='nll', hint='nf train')
    refused(SHIFT, '--target', 'u1', '--objective', 'alpha', '--path-gradient', 'true', code=2, says='path_gradient')
    # At a hard wall the model has density where the target has none.
    refused(SHIFT, '--target', 'u2,cut=0.5,wall=0', '--quiet', says=('log density of sample', '-inf'), hint='--lr')
    refused('{"invert": true, "layers": [{"type": "logit"}]}', '--target', 'u1', '--quiet', says='logit', hint='base')
    refused(SHIFT, '--target', 'u1', '--weigh', 1, code=2, says='--weigh')
    fails('fit-target', SHIFT, '--target', 'u1', '-o', '', code=2, says='-o')
    os.mkdir('folder')
    for path in ('folder', 'folder/'):
        fails('fit-target', SHIFT, '--target', 'u1', '-o', path, says='is a folder')
    nf('plot', 'target', 'u1', '--size', 120, '--points', 1, '-o', 'p.png')
    fails('plot', 'target', 'u1', 'p.png', '-o', 'q.png', says='looks like a picture')
    fails('plot', 'target', 'u1', '--seed', -1, '-o', 'q.png', code=2, says='--seed')
    fails('plot', 'target', 'u1', 'missing.safetensors', '-o', 'p.png', says='missing.safetensors')


harness.main(__doc__)
