"""nf train on nf_fit: short last batches, rows without a density, weights, scales of data and context, presets, guard."""
import csv
import json
import math
import os

import harness
from harness import SPEC, case, fails, info, nf, rows_of, train, write_csv, write_npy

MAF = json.dumps({'layers': [{'repeat': 2, 'layers': [{'type': 'masked_autoregressive', 'hidden': [8]}, {'type': 'batch_norm'}]}]})


@case
def a_last_batch_too_short_for_batch_norm_joins_the_one_before():
    write_npy('t.npy', rows_of(257))
    done = train('--holdout', 0, spec=MAF, data='t.npy', steps=12)
    assert done.stdout.count('the last 1 row of an epoch joins the batch before') == 1, done.stdout
    assert done.stderr == '', done.stderr
    assert '4 steps' not in done.stdout and '(3 epochs of 4)' in done.stdout, done.stdout
    assert 'joins' not in train('--holdout', 0, data='t.npy', steps=12).stdout, 'other models train on one row'


@case
def rows_without_a_density_are_named_and_a_model_is_kept():
    logit = '{"layers": [{"type": "logit"}, {"type": "elementwise_affine"}]}'
    rows = [[1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))] for a, b in rows_of(400)]
    write_npy('t.npy', rows)
    valid = rows[:200]
    valid[123] = [1.0001, 0.5]
    write_npy('v.npy', valid)
    run = ('--valid', 'v.npy', '--valid-every', 10, '--curve', 'c.csv')
    done = train(*run, spec=logit, data='t.npy', steps=60)
    lines = [line for line in done.stderr.splitlines() if 'no density' in line]
    assert len(lines) == 1, done.stderr
    for word in ('1 validation row of 200 has no density', 'row 123 (counted from 0) of v.npy', 'logit takes only numbers in [0, 1]'):
        assert word in lines[0], lines[0]
    assert '--lr' not in lines[0], 'the learning rate has nothing to do with it'
    assert '(1 row at -inf)' in done.stdout and 'without 1 row at -infinity' in done.stdout, done.stdout
    note = info('m.safetensors')['notes']['training']
    assert note['valid_nonfinite'] == 1 and note['best_step'] > 0 and note['valid_log_likelihood_of_others'] > 0, note
    out = json.loads(train('--valid', 'v.npy', '--json', spec=logit, data='t.npy', steps=60).stdout)
    assert out['valid_nonfinite'] == 1 and 'valid_log_likelihood' not in out, out
    # Resumed, the same.
    train(*run, '--resume', spec=logit, data='t.npy', steps=100)
    after = info('m.safetensors')['hash']
    train(*run, spec=logit, data='t.npy', steps=100, output='n')
    assert info('n')['hash'] == after
    # Held out of --data, the row is named as in the file.
    rows[37] = [0.5, -0.25]
    write_npy('t.npy', rows)
    for seed in range(60):
        done = train('--seed', seed, '--split-out', 'p.csv', spec=logit, data='t.npy', steps=1, code=None)
        with open('p.csv') as f:
            if f.read().split()[1 + 37] == '1':
                break
    assert 'row 37 (counted from 0) of t.npy' in done.stderr, done.stderr


@case
def if_no_row_has_a_density_there_is_no_model():
    write_npy('t.npy', rows_of(200))
    write_npy('v.npy', [[a + 100, b] for a, b in rows_of(50)])
    box = '{"base": {"type": "uniform", "low": [-9], "high": [9]}, "layers": [{"type": "elementwise_affine"}]}'
    done = nf('train', box, '--data', 't.npy', '--valid', 'v.npy', '--steps', 20, '-o', 'm', '--quiet', code=1)
    assert 'no validation had a finite log-likelihood' in done.stderr, done.stderr
    assert 'the uniform base ends at' in done.stderr and not os.path.exists('m'), done.stderr


@case
def weights_of_rows():
    rows = rows_of(300)
    weights = [float(i % 3) for i in range(300)]
    write_csv('t.csv', [r + [w] for r, w in zip(rows, weights)], ['x', 'y', 'n'])
    write_npy('t.npy', rows)
    write_npy('w.npy', [[w] for w in weights])
    write_npy('both.npy', [r + [w] for r, w in zip(rows, weights)])
    more = ('--holdout', 0)
    a = train('--weights', 'n', *more, data='t.csv', output='a')
    assert 'data   200 rows x 2 columns' in a.stdout, a.stdout
    assert info('a')['notes']['columns'] == ['x', 'y'], info('a')['notes']
    train('--weights', 'w.npy', *more, data='t.npy', output='b')
    train('--weights', '2', *more, data='both.npy', output='c')
    train('--weights', 'n', '--columns', 'x,y', *more, data='t.csv', output='d')
    train(*more, data='t.npy', output='e')
    assert info('a')['hash'] == info('b')['hash'] == info('c')['hash'] == info('d')['hash'] != info('e')['hash']
    # Weight 2 is the row twice, in the loss of a whole batch.
    twice = [r for r, w in zip(rows, weights) for _ in range(int(w))]
    write_npy('twice.npy', twice)
    one = ('--holdout', 0, '--batch', 1000, '--order', 'sequential', '--set', 'dtype=float64', '--steps', 20, '--quiet')
    nf('train', SPEC, '--data', 't.npy', '--weights', 'w.npy', *one, '-o', 'f')
    nf('train', SPEC, '--data', 'twice.npy', *one, '-o', 'g')
    f, g = (json.loads(nf('score', m, '--data', 't.npy', '--json').stdout)['mean'] for m in 'fg')
    assert abs(f - g) < 1e-9, (f, g)
    # Validation rows of their own have weights where they have the column.
    write_csv('v.csv', [r + [w] for r, w in zip(rows_of(100, seed=3), weights)], ['x', 'y', 'n'])
    write_csv('plain.csv', rows_of(100, seed=3), ['x', 'y'])
    best = [json.loads(train('--weights', 'n', '--valid', v, '--json', data='t.csv').stdout)['valid_log_likelihood']
            for v in ('v.csv', 'plain.csv')]
    assert best[0] != best[1], best
    # Resuming with other weights is another run.
    train('--weights', 'w.npy', *more, data='t.npy', output='b')
    write_npy('w.npy', [[1 + w] for w in weights])
    fails('train', SPEC, '--data', 't.npy', '--weights', 'w.npy', '-o', 'b', '--resume', says='--weights')


@case
def bad_weights():
    write_csv('t.csv', rows_of(50), ['x', 'y'])
    run = ['train', SPEC, '--data', 't.csv', '-o', 'm', '--weights']
    fails(*run, 'z', code=2, says=('--weights z', 't.csv has no such column'), hint='by name or index')
    write_npy('w.npy', [[1.0]] * 49)
    fails(*run, 'w.npy', says=('w.npy has 49 rows', 'has 50'))
    write_npy('w.npy', [[1.0, 2.0]] * 50)
    fails(*run, 'w.npy', says=('w.npy has 2 columns', 'one weight per row'))
    write_npy('w.npy', [[1.0]] * 20 + [[-1.0]] + [[1.0]] * 29)
    fails(*run, 'w.npy', says='the weight in row 20 (counted from 0) of w.npy is -1')
    write_npy('w.npy', [[0.0]] * 50)
    fails(*run, 'w.npy', says='all weights are 0')
    fails(*run, 'x', '--columns', 'x,y', says='column x')


@case
def badly_scaled_data_is_standardized():
    raw = [[2000 + 300 * a, 1e-4 * b] for a, b in rows_of(600)]
    write_csv('raw.csv', raw, ['year', 'share'])
    done = train('--lr', '0.01', data='raw.csv', steps=200)
    assert 'year has mean 2' in done.stderr and 'the data is standardized first (--no-standardize' in done.stderr, done.stderr
    assert info('m.safetensors')['spec']['layers'][0] == {'type': 'standardize'}
    train('--lr', '0.01', '--standardize', data='raw.csv', steps=200, output='s')
    assert info('m.safetensors')['hash'] == info('s')['hash']
    done = train('--no-standardize', data='raw.csv', steps=2, output='n')
    assert 'drop --no-standardize' in done.stderr and len(info('n')['spec']['layers']) == 1, done.stderr
    assert train('--quiet', data='raw.csv', steps=1).stderr == ''
    # A run that was started without keeps to that.
    train('--no-standardize', '--resume', data='raw.csv', steps=4, output='n')
    nf('train', SPEC, '--data', 'raw.csv', '--steps', 6, '-o', 'n', '--resume')
    assert len(info('n')['spec']['layers']) == 1
    nf('train', SPEC, '--data', 'raw.csv', '--steps', 300, '-o', 'm.safetensors', '--resume')
    # Data at the scale that the model expects stays as it is, and so does data whose scale has a meaning.
    write_npy('t.npy', rows_of(300))
    assert train(data='t.npy', steps=1).stderr == '' and len(info('m.safetensors')['spec']['layers']) == 1
    write_npy('unit.npy', [[0.5 + 0.01 * math.tanh(v) for v in r] for r in rows_of(300)])
    done = train(data='unit.npy', steps=1, spec='{"layers": [{"type": "logit"}, {"type": "elementwise_affine"}]}')
    assert 'add --standardize' in done.stderr, done.stderr
    fails('train', SPEC, '--data', 't.npy', '-o', 'x', '--standardize', '--no-standardize', code=2, says='standardize')


@case
def the_context_is_prepared_as_the_data_is():
    # What is to be learned depends on a context far from 0, as of a year.
    rows = [[0.5 * c + 0.1 * a] for c, a in rows_of(1500)]
    context = [[50_000 + 2_000 * c] for c, _ in rows_of(1500)]
    write_csv('t.csv', [x + c for x, c in zip(rows, context)], ['x', 'c'])
    maf = '{"layers": [{"type": "masked_autoregressive", "hidden": [16]}]}'
    more = ('--context-columns', 'c', '--lr', '0.01', '--json', '--seed', 1)
    done = train(*more, spec=maf, data='t.csv', steps=300)
    assert 'context column c has mean 5' in done.stderr and 'standardized in the model' in done.stderr, done.stderr
    good = json.loads(done.stdout)['valid_log_likelihood']
    assert info('m.safetensors')['spec']['prepare_context'] == {'standardize': True}
    assert '1 column, standardized' in nf('info m.safetensors').stdout
    bad = train(*more, '--no-standardize', spec=maf, data='t.csv', steps=300, output='n')
    assert 'context column c' in bad.stderr and 'warning' in bad.stderr, bad.stderr
    assert 'prepare_context' not in info('n')['spec']
    assert good > json.loads(bad.stdout)['valid_log_likelihood'] + 0.3, (good, bad.stdout)
    # It is saved with the model: a context as it is in the file.
    score = json.loads(nf('score m.safetensors --data t.csv --json').stdout)['mean']
    assert abs(score - good) < 0.2, (score, good)
    # --standardize prepares both; a run that continues decides as it did.
    train('--context-columns', 'c', '--standardize', spec=maf, data='t.csv', steps=20, output='s')
    assert 'prepare_context' in info('s')['spec'] and info('s')['spec']['layers'][0] == {'type': 'standardize'}
    train('--context-columns', 'c', '--resume', spec=maf, data='t.csv', steps=30, output='s')
    train('--context-columns', 'c', '--standardize', spec=maf, data='t.csv', steps=30, output='r')
    assert info('s')['hash'] == info('r')['hash']


@case
def presets_need_no_spec():
    rows = [[5 + 3 * a, 100 * b, a * b] for a, b in rows_of(400)]
    write_csv('t.csv', rows, ['a', 'b', 'c'])
    for name, layer in (('realnvp', 'affine_coupling'), ('maf', 'masked_autoregressive'), ('nsf', 'spline_coupling'),
                        ('auto', 'masked_autoregressive')):
        done = nf('train', name, '--data', 't.csv', '--steps', 30, '-o', name + '.m')
        assert done.stderr == '', done.stderr
        got = info(name + '.m')
        assert got['event_size'] == 3 and layer in json.dumps(got['spec']), got['spec']
        assert got['spec']['layers'][0] == {'type': 'standardize'}, 'always'
        assert got['spec']['base']['type'] == ('flow_mixture' if name == 'auto' else 'normal')
    # What the preset chose is remembered, and what the user chooses goes first.
    assert info('nsf.m.checkpoint')['notes']['run']['options']['trainer.schedule'] == 'cosine'
    nf('train', 'nsf', '--data', 't.csv', '--steps', 50, '-o', 'nsf.m', '--resume')
    nf('train', 'nsf', '--data', 't.csv', '--steps', 5, '--lr', '0.5', '--set', 'bins=5', '-o', 'own')
    assert info('own.checkpoint')['notes']['run']['options']['trainer.lr'] == '0.5' and '"bins": 5' in json.dumps(info('own')['spec'])
    # auto chooses the length of the run; it can be resumed.
    out = json.loads(nf('train', 'auto', '--data', 't.csv', '-o', 'auto.m', '--json').stdout)
    assert out['steps'] == 500, out
    assert json.loads(nf('train', 'auto', '--data', 't.csv', '-o', 'auto.m', '--json', '--resume').stdout)['steps'] == out['steps']
    one = [[r[0]] for r in rows]
    write_npy('one.npy', one)
    for name in ('realnvp', 'maf', 'nsf', 'auto'):
        nf('train', name, '--data', 'one.npy', '--steps', 3, '-o', 'one')
    # A file of that name goes first.
    with open('maf', 'w') as f:
        f.write('{"layers": [{"type": "reverse"}]}')
    assert 'nothing' in nf('train', 'maf', '--data', 't.csv', '--steps', 1, '-o', 'file').stderr
    os.remove('maf')
    shown = nf('parts presets').stdout
    for name in ('auto', 'realnvp', 'maf', 'nsf'):
        assert name in shown and name in nf('train --help').stdout
    assert '"spline_coupling"' in nf('parts nsf').stdout
    listed = json.loads(nf('parts presets --json').stdout)['presets']
    for preset in listed:
        for size in preset['specs']:
            json.dumps(size['spec'])


@case
def names_of_papers_lead_to_ours():
    write_npy('t.npy', rows_of(50))
    for name, ours in (('NSF', 'spline_coupling'), ('rq-nsf-ar', 'spline_autoregressive'), ('IAF', 'masked_autoregressive'),
                       ('RealNVP', 'affine_coupling'), ('standard_scaler', 'standardize'), ('Permute', 'permutation')):
        fails('train', json.dumps({'layers': [{'type': name}]}), '--data', 't.npy', '-o', 'm', says=(name, f'did you mean "{ours}"'))
        fails('parts', name, code=2, says=name, hint=f'did you mean "{ours}"')
    for name, ours in (('gaussian', 'normal'), ('GMM', 'gaussian_mixture'), ('t', 'student_t')):
        fails('train', json.dumps({'layers': [], 'base': name}), '--data', 't.npy', '-o', 'm', says=f'did you mean "{ours}"')


@case
def a_diverging_run_is_told_and_goes_back():
    write_npy('t.npy', rows_of(400))
    wild = ('--lr', '0.5', '--optimizer', 'sgd', '--momentum', '0.95', '--guard-steps', '40', '--valid-every', '20', '--seed', '2')
    spec = SPEC.replace('"hidden"', '"scale": "exp", "hidden"')
    told = nf('train', spec, '--data', 't.npy', '--steps', 400, '-o', 'a', *wild, '--guard', 'report', code=None)
    back = nf('train', spec, '--data', 't.npy', '--steps', 400, '-o', 'b', *wild, '--guard', 'back')
    assert 'diverges' in told.stderr and '--guard back' in told.stderr or 'was not applied' in told.stderr, told.stderr
    assert 'went back to the best state with a lower rate (1st time)' in back.stderr, back.stderr
    curve = info('b.checkpoint')['notes']['run']['curve']
    assert curve[-1][3] < 0.5, 'a lower rate'
    assert curve[-1][1] > -10, curve[-1]
    again = nf('train', spec, '--data', 't.npy', '--steps', 200, '-o', 'c', *wild, '--guard', 'back', '--option', 'max_steps=400')
    nf('train', spec, '--data', 't.npy', '--steps', 400, '-o', 'c', '--resume', '--valid-every', 20)
    assert info('c.checkpoint')['hash'] == info('b.checkpoint')['hash'], again.stderr


harness.main(__doc__)
