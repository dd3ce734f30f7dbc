"""nf check: sound models pass with meaningful numbers, broken ones fail; every size, dtype and kind of data."""
import json
import math

import harness
from harness import SPEC, case, fails, nf, rows_of, train, write_csv, write_npy

NAMES = ['data', 'data -> z -> data', 'z -> data -> z', 'log-det', 'float32', 'mass', 'stress', 'samples', 'fit', 'sample log-prob',
         'one row', 'speed']


def report(*args, code=0):
    out = json.loads(nf('check', *args, '--json', code=code).stdout)
    return out, {c['name']: c for c in out['checks']}


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
    for word in ('ok    data ', 'ok: all 12 checks passed', '1,000 rows', '2 columns'):
        assert word in text, text
    starts = [line for line in text.splitlines() if line.startswith(('  ok', '  -'))]
    assert len(starts) == len(NAMES) and all(line[27] != ' ' and line[26] == ' ' for line in starts), text


@case
def inverses_by_iteration_show_their_residual():
    write_npy('train.npy', rows_of(300))
    layer = '{"type": "planar", "invert": true%s}'
    spec = '{"layers": [{"repeat": 3, "layers": [' + layer + ']}]}'
    train('--lr', '0.01', spec=spec % '', steps=20)
    out, checks = report('m.safetensors', '--data', 'train.npy')
    assert out['verdict'] == 'ok', out
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
        out, checks = report('m.safetensors', '--data', 'train.npy')
        assert out['verdict'] == 'ok', (cols, dtype, out)
        assert ('float32' in checks) == (dtype == 'float32')
        assert checks['mass']['numbers']['integrated'] == (cols < 3)
        if dtype == 'float64':
            assert checks['data -> z -> data']['numbers']['error']['max'] < 1e-13
    write_npy('one.npy', rows_of(1, cols=3))
    out, checks = report('m.safetensors', '--data', 'one.npy')
    assert out['verdict'] == 'ok' and checks['log-det']['numbers']['rows'] == 1, out


@case
def contexts_and_columns():
    rows = rows_of(400, cols=3)
    write_csv('all.csv', rows, ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='all.csv', steps=30)
    out, checks = report('m.safetensors', '--data', 'all.csv', '--rows', 100)
    assert out['verdict'] == 'ok' and out['rows_examined'] == 100 and 'first context' in checks['mass']['message'], out
    write_npy('x.npy', [r[:2] for r in rows])
    write_npy('c.npy', [rows[0][2:]])
    out, _ = report('m.safetensors', '--data', 'x.npy', '--context', 'c.npy')
    assert out['verdict'] == 'ok', out
    fails('check', 'm.safetensors', '--data', 'x.npy', says='needs a context')
    fails('check', 'm.safetensors', '--data', 'none.npy', says='none.npy')
    fails('check', 'm.safetensors', '--data', 'x.npy', '--rows', '0', code=2, says='not an integer of at least 1')


@case
def wide_models_in_bounded_work():
    cols = 600
    write_npy('train.npy', [[v for _ in range(cols // 2) for v in r] for r in rows_of(40)])
    train(spec=SPEC, steps=3)
    out, checks = report('m.safetensors', '--data', 'train.npy')
    assert out['verdict'] == 'ok' and '16 random directions' in checks['log-det']['message'], out
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
def a_model_that_does_not_fit_is_looked_at():
    """A sound map trained on other rows: every identity holds, but its own samples are far more likely than the data."""
    write_npy('train.npy', rows_of(500))
    train('--lr', '0.01', steps=200)
    write_npy('far.npy', [[a + 4, b - 4] for a, b in rows_of(500)])
    out, checks = report('m.safetensors', '--data', 'far.npy')
    fit = checks['fit']
    assert out['verdict'] == fit['verdict'] == 'look' and "does not fit these rows" in fit['message'], out
    gap = checks['samples']['numbers']['mean'] - checks['data']['numbers']['mean']
    assert f"log-likelihood {checks['data']['numbers']['mean']:.4f} on the data," in fit['message'], fit
    assert fit['numbers']['gap'] == gap > 5 * fit['numbers']['standard_error'] > 0, fit
    assert 'more than the tolerance of 0.5' in fit['message'], fit
    _, checks = report('m.safetensors', '--data', 'train.npy')
    assert checks['fit']['verdict'] == 'ok' and '(tolerance 0.5)' in checks['fit']['message'], checks['fit']
    write_npy('one.npy', [[9.0, 9.0]])
    _, checks = report('m.safetensors', '--data', 'one.npy')
    assert checks['fit']['verdict'] == '-' and 'two rows' in checks['fit']['message'], checks['fit']
    assert 'Not judged' in nf('check --help').stdout


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
