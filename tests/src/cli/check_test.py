"""nf check: sound models pass with meaningful numbers, broken ones fail; every size, dtype and kind of data."""
import json
import math
import random

import harness
from harness import SPEC, case, fails, nf, rows_of, train, write_csv, write_npy

NAMES = ['data', 'data -> z -> data', 'z -> data -> z', 'log-det', 'float32', 'mass', 'stress', 'samples', 'fit', 'latents', 'columns',
         'neighbors', 'copies', 'sample log-prob', 'one row', 'speed']


SOUND = ('data -> z -> data', 'z -> data -> z', 'log-det', 'float32', 'mass', 'stress', 'samples', 'sample log-prob', 'one row')


def report(*args, code=0):
    out = json.loads(nf('check', *args, '--json', code=code).stdout)
    return out, {c['name']: c for c in out['checks']}


def sound(*args):
    """For models that were hardly trained: the numbers are right whatever the fit."""
    out, checks = report(*args, code=None)
    for name in SOUND:
        assert name not in checks or checks[name]['verdict'] in ('ok', '-'), checks[name]
    return out, checks


@case
def a_sound_model_passes():
    write_npy('train.npy', rows_of(1000))
    train('--lr', '0.01', steps=300)
    out, checks = report('m.safetensors', '--data', 'train.npy')
    assert out['verdict'] == 'ok' and list(checks) == NAMES, out
    assert all(c['verdict'] in ('ok', '-') for c in checks.values()), out
    score = json.loads(nf('score m.safetensors --data train.npy --json').stdout)
    assert checks['data']['numbers']['mean'] == score['mean']
    assert 0 < checks['data -> z -> data']['numbers']['error']['max'] < 1e-5
    assert 0 < checks['log-det']['numbers']['error']['max'] < 1e-6, checks['log-det']
    assert abs(checks['mass']['numbers']['mass'] - 1) < 1e-3
    assert checks['samples']['numbers']['finite'] == 10_000
    assert checks['speed']['numbers']['log_prob_rows_per_second'] > 0
    text = nf('check m.safetensors --data train.npy').stdout
    for word in ('ok    data ', 'ok: 15 checks passed, 1 without a verdict', '1,000 rows', '2 columns'):
        assert word in text, text
    starts = [line for line in text.splitlines() if line.startswith(('  ok', '  -'))]
    assert len(starts) == len(NAMES) and all(line[27] != ' ' and line[26] == ' ' for line in starts), text


@case
def inverses_by_iteration_show_their_residual():
    write_npy('train.npy', rows_of(300))
    layer = '{"type": "planar", "invert": true%s}'
    spec = '{"layers": [{"repeat": 3, "layers": [' + layer + ']}]}'
    train('--lr', '0.01', spec=spec % '', steps=20)
    out, checks = sound('m.safetensors', '--data', 'train.npy')
    for name in ('data -> z -> data', 'z -> data -> z'):
        assert 0 < checks[name]['numbers']['residual'] < 1e-5 and 'residual' in checks[name]['message'], checks[name]
    # Trained in the other direction, so that training does not hit the inverse that the check should find.
    train(spec=(spec % ', "max_iterations": 1').replace('"invert": true', '"invert": false'), steps=2)
    out, checks = report('m.safetensors', '--data', 'train.npy', code=1)
    assert checks['data']['verdict'] == 'ok' and checks['samples']['verdict'] == 'FAIL', checks
    assert 'not inverted' in checks['samples']['message'] and 'planar' in checks['samples']['message'], checks['samples']
    missed = sum('not inverted' in c['message'] for c in checks.values())
    text = nf('check', 'm.safetensors', '--data', 'train.npy', code=1).stdout
    assert f'{missed} checks of {len(checks)} hit a row that could not be inverted' in ' '.join(text.split()) and missed > 2, text
    assert ' '.join(text.split()).count('is not inverted: residual') == 1 and 'after 1 iteration;' in ' '.join(text.split()), text


@case
def every_size_and_dtype():
    for cols, dtype in ((1, 'float32'), (2, 'float64'), (3, 'float32')):
        write_npy('train.npy', rows_of(300, cols=2 if cols == 1 else cols) if cols > 1 else [[r[0]] for r in rows_of(300)])
        spec = '{"layers": [{"type": "elementwise_affine"}, {"type": "affine_coupling", "hidden": [8]}]}' if cols > 1 else \
            '{"layers": [{"type": "elementwise_affine"}]}'
        train('--set', f'dtype={dtype}', spec=spec, steps=20)
        out, checks = sound('m.safetensors', '--data', 'train.npy')
        assert ('float32' in checks) == (dtype == 'float32')
        assert checks['mass']['numbers']['integrated'] == (cols < 3)
        if dtype == 'float64':
            assert checks['data -> z -> data']['numbers']['error']['max'] < 1e-13
    write_npy('one.npy', rows_of(1, cols=3))
    out, checks = sound('m.safetensors', '--data', 'one.npy')
    assert checks['log-det']['numbers']['rows'] == 1, out


@case
def contexts_and_columns():
    rows = rows_of(400, cols=3)
    write_csv('all.csv', rows, ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='all.csv', steps=30)
    out, checks = sound('m.safetensors', '--data', 'all.csv', '--rows', 100)
    assert out['rows_examined'] == 100 and 'first context' in checks['mass']['message'], out
    write_npy('x.npy', [r[:2] for r in rows])
    write_npy('c.npy', [rows[0][2:]])
    out, _ = sound('m.safetensors', '--data', 'x.npy', '--context', 'c.npy')
    fails('check', 'm.safetensors', '--data', 'x.npy', says='needs a context')
    fails('check', 'm.safetensors', '--data', 'none.npy', says='none.npy')
    fails('check', 'm.safetensors', '--data', 'x.npy', '--rows', '0', code=2, says='not an integer of at least 1')


@case
def wide_models_in_bounded_work():
    cols = 600
    write_npy('train.npy', [[v for _ in range(cols // 2) for v in r] for r in rows_of(40)])
    train(spec=SPEC, steps=3)
    out, checks = sound('m.safetensors', '--data', 'train.npy')
    assert '16 random directions' in checks['log-det']['message'], out
    assert checks['log-det']['numbers']['error']['median'] < 1e-5


@case
def rows_that_are_not_finite_are_found():
    write_npy('train.npy', rows_of(300))
    train()
    rows = rows_of(300)
    rows[7][1] = math.nan
    write_npy('x.npy', rows)
    harness.fails('check', 'm.safetensors', '--data', 'x.npy', says=('row 7, column 1', 'NaN'), hint='--missing drop')
    out, checks = report('m.safetensors', '--data', 'x.npy', '--missing', 'keep', code=1)
    assert checks['data']['verdict'] == 'look' and checks['data']['numbers']['nonfinite'] == 1, checks['data']
    assert checks['data -> z -> data']['verdict'] == 'FAIL' and out['verdict'] == 'FAIL'
    done = nf('check m.safetensors --data x.npy --missing keep', code=1)
    assert 'do not rely on this model' in done.stdout, done.stdout


@case
def a_model_that_does_not_fit_fails():
    """A sound map trained on other rows: every identity holds, but its own samples are far more likely than the data."""
    write_npy('train.npy', rows_of(500))
    train('--lr', '0.01', steps=200)
    write_npy('far.npy', [[a + 4, b - 4] for a, b in rows_of(500)])
    out, checks = report('m.safetensors', '--data', 'far.npy', code=1)
    fit = checks['fit']
    assert out['verdict'] == fit['verdict'] == 'FAIL' and 'does not fit these rows' in fit['message'], out
    gap = checks['samples']['numbers']['mean'] - checks['data']['numbers']['mean']
    assert f"log-likelihood {checks['data']['numbers']['mean']:.4f} on the data," in fit['message'], fit
    assert fit['numbers']['gap'] == gap > 5 * fit['numbers']['standard_error'] > 0, fit
    assert 'more than the tolerance of 0.5' in fit['message'], fit
    _, checks = report('m.safetensors', '--data', 'train.npy')
    assert checks['fit']['verdict'] == 'ok' and '(tolerance 0.5)' in checks['fit']['message'], checks['fit']
    write_npy('one.npy', [[9.0, 9.0]])
    _, checks = report('m.safetensors', '--data', 'one.npy')
    assert checks['fit']['verdict'] == '-' and 'two rows' in checks['fit']['message'], checks['fit']


def moons(count, seed):
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        t, upper = math.pi * rng.random(), rng.random() < 0.5
        x, y = (math.cos(t), math.sin(t)) if upper else (1 - math.cos(t), 0.5 - math.sin(t))
        rows.append([(x - 0.5) / 0.87 + rng.gauss(0, 0.1), (y - 0.25) / 0.5 + rng.gauss(0, 0.1)])
    return rows


MOONS = '{"layers": [{"type": "standardize"}, {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [32, 32]}, {"type": "reverse"}]}]}'
JUDGED = ('fit', 'latents', 'columns', 'neighbors', 'copies')


def verdicts(checks):
    return {k: checks[k]['verdict'] for k in JUDGED}


@case
def a_well_trained_model_passes_on_new_rows_of_any_number():
    write_npy('train.npy', moons(4000, 1))
    train('--lr', '0.005', '--schedule', 'cosine', spec=MOONS, steps=1500)
    nf('sample m.safetensors -n 2000 --seed 5 -o own.npy')
    for count in (30, 300, 2000):
        write_npy('test.npy', moons(count, 2))
        out, checks = report('m.safetensors', '--data', 'test.npy', '--train', 'train.npy')
        assert 'FAIL' not in verdicts(checks).values(), (count, verdicts(checks))
        assert count == 2000 or set(verdicts(checks).values()) <= {'ok', '-'}, (count, verdicts(checks), checks)
        assert checks['overfit']['verdict'] == 'ok', checks['overfit']
    # The model's own samples are the ideal data: the p-values hold.
    out, checks = report('m.safetensors', '--data', 'own.npy')
    assert set(verdicts(checks).values()) == {'ok'}, (verdicts(checks), checks)
    assert all(checks[k]['numbers']['p'] > 1e-3 for k in JUDGED), checks


@case
def an_untrained_model_fails():
    write_npy('train.npy', moons(2000, 1))
    train('--lr', '1e-9', spec=MOONS, steps=1)
    out, checks = report('m.safetensors', '--data', 'train.npy', code=1)
    assert out['verdict'] == 'FAIL' and checks['neighbors']['verdict'] == 'FAIL', verdicts(checks)
    assert checks['columns']['verdict'] != 'ok' or checks['latents']['verdict'] != 'ok', verdicts(checks)


@case
def a_model_of_a_wrong_scale_fails_both_ways():
    write_npy('train.npy', rows_of(1000))
    train('--lr', '0.01', steps=300)
    for factor, word in ((1.6, 'lower'), (0.6, 'higher')):
        write_npy('x.npy', [[factor * a, factor * b] for a, b in rows_of(1000, seed=2)])
        out, checks = report('m.safetensors', '--data', 'x.npy', code=1)
        assert word in checks['fit']['message'] and 'FAIL' in verdicts(checks).values(), verdicts(checks)
    # Four nats above the model's own samples.
    write_npy('x.npy', [[0.001 * i, 0.0] for i in range(100)])
    out, checks = report('m.safetensors', '--data', 'x.npy', code=1)
    assert checks['columns']['verdict'] == 'FAIL', checks['columns']


@case
def a_lost_mode_fails():
    def modes(count, seed, which):
        rng = random.Random(seed)
        return [[rng.gauss(4 * (k % 3) - 4, 0.5), rng.gauss(3 * (k % 2), 0.5)] for k in range(count) if k % 6 in which]
    write_npy('train.npy', modes(6000, 1, (0, 1, 2, 3, 5)))
    train('--lr', '0.005', spec=MOONS, steps=800)
    write_npy('all.npy', modes(2000, 2, range(6)))
    out, checks = report('m.safetensors', '--data', 'all.npy', code=1)
    assert checks['fit']['verdict'] == 'FAIL' and 'lower' in checks['fit']['message'], verdicts(checks)


@case
def a_memorizing_model_fails():
    """A spline flow trained for long on 60 rows puts a spike on each of them."""
    write_npy('train.npy', moons(60, 1))
    spec = ('{"layers": [{"type": "standardize"}, {"repeat": 4, "layers": [{"type": "spline_coupling", "hidden": [64, 64], '
            '"bins": 16}, {"type": "reverse"}]}]}')
    nf('train', spec, '--data', 'train.npy', '--steps', 3000, '--lr', '0.003', '--batch', 60, '--holdout', 0, '-o', 'm.safetensors')
    write_npy('test.npy', moons(1000, 2))
    out, checks = report('m.safetensors', '--data', 'test.npy', '--train', 'train.npy', code=1)
    assert checks['fit']['verdict'] == 'FAIL', verdicts(checks)
    assert checks['overfit']['verdict'] == 'FAIL' and '--patience' in checks['overfit']['message'], checks['overfit']
    # The rows that it was trained on hide that, but not the copies.
    out, checks = report('m.safetensors', '--data', 'train.npy', code=1)
    assert checks['copies']['verdict'] == 'FAIL' and 'repeats rows' in checks['copies']['message'], (checks['copies'], verdicts(checks))


@case
def conditionals_that_ignore_the_context_fail():
    rng = random.Random(3)
    rows = []
    for _ in range(3000):
        c = rng.uniform(-2, 2)
        rows.append([c + rng.gauss(0, 0.5), rng.gauss(0, 1), c])
    write_csv('good.csv', rows, ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', '--lr', '0.005', data='good.csv', steps=600)
    out, checks = report('m.safetensors', '--data', 'good.csv')
    assert checks['conditionals']['verdict'] == 'ok', checks['conditionals']
    # The same columns with contexts that belong to other rows.
    contexts = [r[2] for r in rows]
    rng.shuffle(contexts)
    write_csv('mixed.csv', [r[:2] + [c] for r, c in zip(rows, contexts)], ['a', 'b', 'c'])
    out, checks = report('m.safetensors', '--data', 'mixed.csv', code=1)
    assert checks['conditionals']['verdict'] == 'FAIL' and 'does not follow' in checks['conditionals']['message'], checks
    assert checks['columns']['verdict'] == 'ok', checks['columns']


@case
def mass_of_sharp_densities():
    """A density that no even grid resolves is integrated where it is sharp, or not judged; never a false alarm."""
    rng = random.Random(1)
    write_npy('train.npy', [[rng.choice((-1, 1)) * (1000 + rng.gauss(0, 1e-2)), rng.gauss(0, 1e-3)] for _ in range(500)])
    train('--lr', '0.01', spec=MOONS, steps=200)
    _, checks = report('m.safetensors', '--data', 'train.npy', code=None)
    mass = checks['mass']
    assert mass['verdict'] in ('ok', '-'), mass
    assert mass['verdict'] == 'ok' or 'not checked' in mass['message'], mass


@case
def a_map_too_steep_for_float32_fails():
    """Layers with large scales lose all digits of float32 far from the data: the round trips show it."""
    write_npy('train.npy', rows_of(300))
    write_npy('far.npy', [[1e6 * a, 1e6 * b] for a, b in rows_of(300)])
    spec = '{"layers": [{"repeat": 8, "layers": [{"type": "affine_coupling", "hidden": [16], "scale": "exp"}, {"type": "reverse"}]}]}'
    nf('train', spec, '--data', 'train.npy', '--steps', 300, '--lr', '0.05', '--clip-norm', '5', '-o', 'm.safetensors')
    out, checks = report('m.safetensors', '--data', 'far.npy', code=1)
    assert out['verdict'] == 'FAIL', out
    assert 'FAIL' in (checks['data -> z -> data']['verdict'], checks['data']['verdict'], checks['log-det']['verdict']), out
    assert any(v['nan'] + v['minus_infinity'] > 0 for v in checks['stress']['numbers']), checks['stress']


harness.main(__doc__)
