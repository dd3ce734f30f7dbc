"""nf train: data formats, validation, best model, learning curve, summaries, spec conveniences."""
import csv
import json
import math
import os

import harness
from harness import SPEC, case, fails, info, nf, rows_of, train, write_csv, write_npy


@case
def learns_from_npy():
    write_npy('train.npy', rows_of(1000))
    write_npy('test.npy', rows_of(300, seed=2))
    out = train('--test', 'test.npy', '--lr', '0.01', '--json', steps=300)
    summary = json.loads(out.stdout)
    untrained = json.loads(train('--test', 'test.npy', '--json', steps=1, output='u.safetensors').stdout)
    assert summary['test_log_likelihood'] > untrained['test_log_likelihood'] + 0.3, (summary, untrained)
    assert summary['steps'] == 300 and summary['test_rows'] == 300 and summary['model'] == 'm.safetensors'
    again = json.loads(nf('score', 'm.safetensors', '--data', 'test.npy', '--json').stdout)
    assert again['mean'] == summary['test_log_likelihood'], 'the model at -o is the one that was tested'
    assert info('m.safetensors')['notes']['training']['test_rows'] == 300


@case
def learns_from_csv_and_remembers_the_names():
    write_csv('t.csv', rows_of(400, cols=3), ['a', 'b', 'c, quoted'.replace(',', '')])
    train(data='t.csv')
    got = info('m.safetensors')
    assert got['event_size'] == 3 and got['notes']['columns'] == ['a', 'b', 'c quoted'], got['notes']
    head = nf('sample m.safetensors -n 2').stdout.splitlines()
    assert next(csv.reader(head)) == ['a', 'b', 'c quoted'] and len(head) == 3, head


def tensors(path):
    """Returns the tensors of a model by name, as raw bytes."""
    with open(path, 'rb') as f:
        data = f.read()
    size = int.from_bytes(data[:8], 'little')
    head = json.loads(data[8:8 + size])
    at = 8 + size
    return {name: data[at + t['data_offsets'][0]:at + t['data_offsets'][1]]
            for name, t in head.items() if name != '__metadata__'}


@case
def freezes_parameters_and_trains_groups():
    write_npy('train.npy', rows_of(300))
    train('--lr', '0', output='start.safetensors')
    train('--freeze', 'layers.0.*', '--freeze', 'layers.2.*b*', output='frozen.safetensors')
    before, after = tensors('start.safetensors'), tensors('frozen.safetensors')
    moved = {name for name in before if before[name] != after[name]}
    assert moved and not any(name.startswith('layers.0.') for name in moved), moved
    assert all(name.startswith('layers.2.') and 'b' not in name[len('layers.2.'):] for name in moved), moved
    with open('groups.json', 'w') as f:
        f.write('[{"match": "layers.0.*", "optimizer": "sgd", "momentum": 0.9, "lr": 0.001}]')
    train('--groups', 'groups.json', output='a.safetensors')
    with open('groups.json') as f:
        train('--groups', f.read(), output='b.safetensors')
    assert tensors('a.safetensors') == tensors('b.safetensors')
    assert tensors('a.safetensors') != after
    base = ['train', SPEC, '--data', 'train.npy', '--steps', '2', '-o', 'c.safetensors']
    fails(*base, '--freeze', 'layer.*', code=2, says=['groups[0].match', 'matches no trainable parameter'])
    fails(*base, '--groups', '{"match": "*"}', code=2, says='--groups: not a list in JSON')
    fails(*base, '--groups', '[{"match": "*", "lrr": 1}]', code=2, says='did you mean "lr"?')


@case
def holds_out_a_tenth_and_says_so():
    write_npy('train.npy', rows_of(500))
    out = train().stdout
    assert 'data   450 rows x 2 columns\nvalid  50 rows, held out: 10 % of the data, by seed 0\n' in out, out
    assert 'replaces' not in out, out
    assert '\nstate  m.safetensors.checkpoint and .best: resume with more --steps, or delete' in out, out
    assert '\nnext\n  nf check m.safetensors --data train.npy\n  nf score' in out, out
    with open('semicolons.csv', 'w') as f:
        f.write('a;b\n' + ''.join(f'{i % 7},5;{i % 11},25\n' for i in range(300)) + '1,5;\n')
    out = nf('train', SPEC, '--data', 'semicolons.csv', '--decimal', ',', '--missing', 'drop', '--steps', '2', '-o', 'c.safetensors').stdout
    follow = [line.split()[1:] for line in out.split('\nnext\n')[1].splitlines()[:2]]
    assert follow[1] == ['score', 'c.safetensors', '--data', 'semicolons.csv', '--decimal', ',', '--missing', 'drop'], out
    nf(*follow[1])
    out = train('--holdout', '0.2', '--seed', '7').stdout
    assert '400 rows' in out and 'valid  100 rows, held out: 20 % of the data, by seed 7\n' in out, out
    assert 'out    replaces m.safetensors\n' in out, out
    out = train('--holdout', '0').stdout
    assert 'no validation rows' in out and '500 rows' in out, out
    assert info('m.safetensors')['notes']['training']['best_step'] == 40


@case
def keeps_the_best_validation():
    write_npy('train.npy', rows_of(120))
    write_npy('valid.npy', rows_of(200, seed=3))
    # With little data and a large step size, the last model is not the best.
    out = train('--valid', 'valid.npy', '--lr', '0.03', '--curve', 'c.csv', '--valid-every', '10', '--json', steps=400)
    summary = json.loads(out.stdout)
    with open('c.csv') as f:
        curve = list(csv.DictReader(f))
    assert [int(r['step']) for r in curve] == list(range(10, 401, 10))
    best = max(curve, key=lambda r: float(r['valid_log_likelihood']))
    assert int(best['step']) == summary['best_step'] < 400, (best, summary)
    assert float(best['valid_log_likelihood']) == summary['valid_log_likelihood']
    score = json.loads(nf('score', 'm.safetensors', '--data', 'valid.npy', '--json').stdout)
    assert abs(score['mean'] - summary['valid_log_likelihood']) < 1e-12
    assert info('m.safetensors.checkpoint')['hash'] != info('m.safetensors')['hash']


@case
def standardize_takes_raw_columns():
    raw = [[2000 + 300 * a, 1e-4 * b] for a, b in rows_of(600)]
    write_csv('raw.csv', raw, ['year', 'share'])
    write_csv('test.csv', [[2000 + 300 * a, 1e-4 * b] for a, b in rows_of(200, seed=2)], ['year', 'share'])
    assert 'drop --no-standardize' in train('--no-standardize', data='raw.csv').stderr, 'the warning names the fix'
    out = train('--standardize', '--test', 'test.csv', '--lr', '0.01', '--json', data='raw.csv', steps=300)
    assert 'a fresh model expects' not in out.stderr, out.stderr
    # The density is that of the raw columns, so the scales only shift it by their logarithms.
    write_npy('plain.npy', rows_of(600), 'd')
    write_npy('plain_test.npy', rows_of(200, seed=2), 'd')
    plain = train('--test', 'plain_test.npy', '--lr', '0.01', '--json', data='plain.npy', steps=300, output='p')
    got, want = (json.loads(o.stdout)['test_log_likelihood'] for o in (out, plain))
    assert abs(got - (want - math.log(300 * 1e-4))) < 0.25, (got, want)
    layers = json.loads(nf('info --spec m.safetensors').stdout)['layers']
    assert layers[0] == {'type': 'standardize'} and len(layers) == 2, layers
    samples = [[float(v) for v in line.split(',')] for line in nf('sample m.safetensors -n 500').stdout.splitlines()[1:]]
    mean = sum(row[0] for row in samples) / 500
    assert abs(mean - 2000) < 100 and all(abs(row[1]) < 0.1 for row in samples), mean


@case
def standardize_goes_to_the_data_end():
    def layers(spec):
        write_npy('train.npy', [[7 + v for v in row] for row in rows_of(100)])
        nf('train', json.dumps(spec), '--data', 'train.npy', '--standardize', '--steps', 1, '-o', 'm.safetensors')
        return json.loads(nf('info --spec m.safetensors').stdout)['layers']
    coupling = {'type': 'affine_coupling', 'hidden': [4]}
    got = layers({'layers': [coupling], 'invert': True, 'repeat': 2})
    assert got[0] == {'type': 'standardize'} and got[1]['invert'] is True and got[1]['repeat'] == 2, got
    assert len(layers({'layers': [{'type': 'standardize'}, coupling]})) == 2


@case
def layers_start_from_all_training_rows():
    spec = json.dumps({'layers': [{'type': 'actnorm'}, {'type': 'affine_coupling', 'hidden': [4]}, {'type': 'batch_norm'}]})
    write_npy('train.npy', [[7 + 5 * v for v in row] for row in rows_of(400)])
    run = ['train', spec, '--data', 'train.npy', '--batch', 50, '--lr', '0.01', '--valid-every', 10, '-o']
    nf(*run, 'whole', '--steps', 40)
    nf(*run, 'part', '--steps', 20)
    nf(*run, 'part', '--steps', 40, '--resume')
    assert info('whole.checkpoint')['hash'] == info('part.checkpoint')['hash'], 'a resumed run starts no layer again'
    write_npy('one.npy', rows_of(1))
    fails('train', spec, '--data', 'one.npy', '--holdout', 0, '--quiet', '-o', 'm', says=('actnorm', 'needs at least 2 rows'))


@case
def stops_early():
    write_npy('train.npy', rows_of(120))
    write_npy('valid.npy', rows_of(200, seed=3))
    out = json.loads(train('--valid', 'valid.npy', '--lr', '0.03', '--valid-every', '5', '--patience', '4', '--json',
                           steps=2000).stdout)
    assert out['stopped_early'] and out['steps'] < 2000 and out['steps'] - out['best_step'] == 20, out


@case
def epochs_count_passes():
    write_npy('train.npy', rows_of(640))
    out = nf('train', SPEC, '--data', 'train.npy', '--epochs', 3, '--batch', 64, '--holdout', 0, '-o', 'm.safetensors', '--json')
    assert json.loads(out.stdout)['steps'] == 30, out.stdout


@case
def same_command_same_bits():
    write_npy('train.npy', rows_of(300))
    files = []
    for name, more in (('a', ()), ('b', ('--threads', '1')), ('c', ('--seed', '5'))):
        train(*more, output=name)
        with open(name, 'rb') as f:
            files.append(f.read())
    assert files[0] == files[1], 'the number of threads changed the file'
    assert files[0] != files[2], 'the seed changed nothing'


@case
def replacement_order_is_an_option():
    write_npy('train.npy', rows_of(300))
    train(output='a')
    train('--order', 'replacement', output='b')
    assert info('a')['hash'] != info('b')['hash']


@case
def options_have_three_spellings():
    write_npy('train.npy', rows_of(300))
    train('--clip-norm', '0.5', '--lr', '0.002', output='a')
    train('--option', 'clip_norm=0.5', '--option', 'lr=2e-3', output='b')
    train('--option', 'trainer.clip_norm=0.5', '--option', 'trainer.lr=2e-3', '--option', 'session.threads=1', output='c')
    train(output='d')
    assert info('a')['hash'] == info('b')['hash'] == info('c')['hash'] != info('d')['hash']
    # A name stands for all options of that name.
    train('--seed', '5', output='e')
    train('--option', 'seed=5', output='f')
    train('--option', 'trainer.seed=5', '--option', 'batches.seed=5', output='g')
    train('--option', 'trainer.seed=5', output='h')
    assert info('e')['hash'] == info('f')['hash'] == info('g')['hash'] != info('h')['hash']


@case
def schedules_end_with_the_run():
    write_npy('train.npy', rows_of(300))
    train('--schedule', 'cosine', '--lr', '0.01', '--curve', 'c.csv', '--valid-every', '10')
    with open('c.csv') as f:
        rates = [float(r['lr']) for r in csv.DictReader(f)]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 1e-4 < rates[0], rates


@case
def spec_from_file_stdin_and_auto():
    write_npy('train.npy', rows_of(300))
    with open('s.json', 'w') as f:
        f.write(SPEC)
    train(spec='s.json', output='a')
    nf('train', '-', '--data', 'train.npy', '--steps', 40, '--batch', 64, '-o', 'b', stdin=SPEC)
    train(spec=SPEC.replace('{"layers"', '{"event": "auto", "context": "auto", "layers"', 1), output='c')
    assert info('a')['hash'] == info('b')['hash'] == info('c')['hash']


@case
def patience_and_plateau_patience_are_two_things():
    write_npy('train.npy', rows_of(300))
    help = nf('train --help').stdout
    assert '--patience' in help and '--plateau-patience' in help and 'stop early' in help, help
    more = ('--schedule', 'plateau', '--valid-every', '1', '--lr', '1e-9', '--threshold', '1', '--curve', 'c.csv', '--json')
    out = json.loads(train(*more, '--plateau-patience', '3').stdout)
    with open('c.csv') as f:
        rates = [float(r['lr']) for r in csv.DictReader(f)]
    # The first validation has nothing to improve on; after four more without improvement the rate is halved.
    assert rates[:6] == [1e-9] * 5 + [5e-10] and not out['stopped_early'], rates[:8]
    fails = harness.fails('train', SPEC, '--data', 'train.npy', '-o', 'x', '--plateau-patience', '3', code=2, says='patience')
    assert 'plateau' in fails.stderr or 'constant' in fails.stderr, fails.stderr


@case
def averaged_weights_are_evaluated_and_saved():
    write_npy('train.npy', rows_of(300))
    write_npy('valid.npy', rows_of(200, seed=3))
    out = train('--valid', 'valid.npy', '--ema-decay', '0.9', '--lr', '0.01', '--json', output='a')
    train('--valid', 'valid.npy', '--lr', '0.01', output='b')
    score = json.loads(nf('score a --data valid.npy --json').stdout)
    assert abs(score['mean'] - json.loads(out.stdout)['valid_log_likelihood']) < 1e-12
    assert info('a')['hash'] != info('b')['hash'], 'the average is not the last step'
    assert info('a.checkpoint')['hash'] == info('b.checkpoint')['hash'], 'training itself does not see the average'


@case
def splits_by_seed():
    write_npy('train.npy', rows_of(500))
    out = train('--split', '0.7,0.2,0.1', '--split-seed', '3', '--split-out', 'parts.csv', output='a').stdout
    assert '350 rows' in out and 'valid  100 rows, held out: 20 % of the data, by seed 3' in out, out
    assert 'test   50 rows, held out by seed 3' in out and '(2 standard errors, 50 rows)' in out, out
    with open('parts.csv') as f:
        parts = [int(v) for v in f.read().split()[1:]]
    assert [parts.count(i) for i in range(3)] == [350, 100, 50], parts
    # The same run with the parts that the file lists.
    rows = rows_of(500)
    for part, name in enumerate(('t', 'v', 'e')):
        write_npy(name + '.npy', [r for r, p in zip(rows, parts) if p == part])
    again = json.loads(train('--valid', 'v.npy', '--test', 'e.npy', '--json', data='t.npy', output='b').stdout)
    assert info('a')['hash'] == info('b')['hash'] and info('a')['notes']['training']['test_rows'] == 50
    assert info('a')['notes']['training']['test_log_likelihood'] == again['test_log_likelihood']
    train('--split', '0.7,0.3', '--split-seed', '4', '--split-out', 'other.npy', output='c')
    assert harness.read_npy('other.npy')[0] == (500,) and info('c')['hash'] != info('a')['hash']
    train('--split', '0.9,0.1', output='d')
    train(output='e')
    assert info('d')['hash'] == info('e')['hash'], 'the default is 0.9,0.1 by --seed'


@case
def set_overrides_the_spec():
    write_npy('train.npy', rows_of(300))
    train('--set', 'layers.0.repeat=3', '--set', 'layers.0.layers.0.hidden=[8, 8]', '--set', 'dtype=float64', steps=2)
    got = info('m.safetensors')
    assert got['layer_count'] == 6 and got['dtype'] == 'float64'
    assert got['spec']['layers'][0]['layers'][0]['net']['hidden'] == [8, 8]
    train('--set', 'layers[0].repeat=3', '--set', 'hidden=[8, 8]', '--set', 'dtype=float64', steps=2, output='n')
    assert info('n')['hash'] == got['hash'], 'brackets and bare names mean the same fields'
    train('--set', 'repeat=3', '--set', 'base=diagonal_normal', steps=2, output='o')
    train('--set', 'base.type=diagonal_normal', '--set', 'repeat=3', steps=2, output='p')
    assert info('o')['layer_count'] == 6 and info('o')['spec']['base']['type'] == 'diagonal_normal'
    assert info('o')['hash'] == info('p')['hash']
    two = '{"layers": [{"type": "affine_coupling", "hidden": [4]}, {"type": "additive_coupling"}]}'
    train('--set', 'hidden=[6]', '--set', 'layers[1].hidden=[7]', spec=two, steps=2, output='q')
    assert [layer['net']['hidden'] for layer in info('q')['spec']['layers']] == [[6], [7]]


@case
def context_in_a_file_or_in_columns():
    rows = rows_of(300, cols=3)
    write_csv('all.csv', rows, ['a', 'b', 'c'])
    write_npy('x.npy', [r[:2] for r in rows])
    write_npy('c.npy', [r[2:] for r in rows])
    train('--columns', 'a,b', '--context-columns', 'c', data='all.csv', output='a')
    train('--context-data', 'c.npy', data='x.npy', output='b')
    assert info('a')['context_size'] == 1 and info('a')['hash'] == info('b')['hash']
    one = nf('score a --data all.csv --columns a,b --context-columns c --json').stdout
    two = nf('score b --data x.npy --context c.npy --json').stdout
    assert one == two


@case
def contexts_can_be_embedded():
    write_csv('all.csv', rows_of(300, cols=3), ['a', 'b', 'c'])
    context = ('--columns', 'a,b', '--context-columns', 'c')
    more = (*context, '--set', 'base.type=student_t', '--set', 'embedding.out=3')
    train(*more, '--set', 'embedding.hidden=[5]', data='all.csv', output='a')
    told = nf('info a').stdout
    assert '1 column, embedded as 3: hidden [5]' in told and 'student_t' in told, told
    fails('train', SPEC, '--data', 'all.csv', *more, '--set', 'embedding.outs=3', '-o', 'b', code=2, says="has no field 'outs'",
          hint="did you mean 'out'")


@case
def all_columns_but_the_context_are_data():
    rows = rows_of(300, cols=3)
    write_csv('all.csv', rows, ['a', 'b', 'c'])
    write_npy('all.npy', rows)
    train('--columns', 'a,c', '--context-columns', 'b', data='all.csv', output='a')
    train('--context-columns', 'b', data='all.csv', output='b')
    train('--context-columns', '1', data='all.npy', output='c')
    assert info('a')['hash'] == info('b')['hash'] == info('c')['hash']
    assert info('b')['notes']['columns'] == ['a', 'c'] and info('b')['notes']['context_columns'] == ['b']
    scores = {nf(f'score c --data all.{kind} --context-columns 1 --json').stdout for kind in ('csv', 'npy')}
    assert len(scores) == 1, scores
    again = ['train', SPEC, '--steps', 1, '-o', 'd']
    fails(*again, '--data', 'all.csv', '--context-columns', 'a,b,c', says='leaves no data column')
    fails(*again, '--data', 'all.csv', '--columns', 'a,b', '--context-columns', '1', says=('column b', 'both data and context'))
    fails(*again, '--data', 'all.npy', '--columns', '0,1', '--context-columns', '1', says=('column 1', 'both data and context'))


@case
def shipped_specs_are_valid():
    folder = os.path.join(harness.ROOT, 'examples', 'specs')
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            spec = json.load(f)
        cols = math.prod(spec['event'])
        rows = rows_of(100, cols=cols)
        if 'low' in spec.get('base', {}):  # a box, for angles
            rows = [[math.remainder(v, 2 * math.pi) for v in r] for r in rows]
        if len(spec['event']) == 3:  # of levels
            rows = [[float(int(40 * abs(v)) % 256) for v in r] for r in rows[:4]]
        if spec.get('likelihood') == 'bernoulli':
            rows = [[float(v > 20) for v in r] for r in rows]
        write_npy('t.npy', rows, event=spec['event'])
        write_npy('c.npy', [[float(r % 10)] for r in range(len(rows))])
        context = ('--context-data', 'c.npy') if spec.get('context') else ()
        train('--holdout', 0, *context, spec=os.path.join(folder, name), data='t.npy', steps=1, output=name + '.safetensors')
        assert info(name + '.safetensors')['event_size'] == cols


@case
def counts_that_are_dequantized_are_standardized():
    rows = [[float(i % 7), 1000 + 300 * y] for i, (x, y) in enumerate(rows_of(300))]
    write_csv('n.csv', rows, ['children', 'pressure'])
    spec = {'event': 2, 'layers': [{'type': 'dequantize', 'columns': [0]}, *json.loads(SPEC)['layers']]}
    err = train(data='n.csv', spec=json.dumps(spec), steps=1).stderr
    assert 'the data is standardized first' in err and 'warning' not in err, err
    assert [l.get('type') for l in info('m.safetensors')['spec']['layers']][:2] == ['dequantize', 'standardize']
    # Levels that are mapped to (0, 1) have no scale of their own.
    spec['layers'][0] = {'type': 'dequantize', 'levels': 7, 'columns': [0]}
    assert 'standardized first' not in train(data='n.csv', spec=json.dumps(spec), steps=1).stderr


@case
def an_index_with_gaps_is_an_index():
    rows = [[float(i), *row] for i, row in enumerate(rows_of(300)) if i not in (5, 77, 78)]
    write_csv('n.csv', rows, ['id', 'x', 'y'])
    assert 'column 0 (id) of n.csv looks like an index' in train(data='n.csv', steps=1).stderr
    sparse = [[float(i * i), *row] for i, row in enumerate(rows_of(300))]
    write_csv('s.csv', sparse, ['id', 'x', 'y'])
    assert 'looks like an index' not in train(data='s.csv', steps=1).stderr


@case
def warns_of_badly_scaled_columns():
    rows = [[x, 100 + x, 50 * y, 7.0, 0.01 * y] for x, y in rows_of(300)]
    write_csv('t.csv', rows, ['fine', 'far', 'wide', 'constant', 'narrow'])
    lines = [line for line in train('--no-standardize', data='t.csv', steps=1).stderr.splitlines() if 'a fresh model expects' in line]
    assert len(lines) == 1 and 'fine' not in lines[0], lines
    for word in ('far has mean 100, std 0.938;', 'wide has mean', 'narrow has mean', 'expects about 0 and 1: drop --no-standardize'):
        assert word in lines[0], (word, lines)
    for more in ((), ('--standardize',)):
        err = train(*more, data='t.csv', steps=1).stderr
        assert 'constant column: constant (7);' in err, err
        assert 'a fresh model expects' not in err and ('standardized first' in err) == (not more), err
    write_npy('train.npy', rows_of(300))
    assert train(steps=1).stderr == ''


@case
def warns_when_there_is_nothing_to_train():
    write_npy('train.npy', rows_of(300))
    assert 'no layers' in train(spec='{"layers": []}', steps=1).stderr
    assert 'no layer of the spec has trainable' in train(spec='{"layers": [{"type": "reverse"}]}', steps=1).stderr


@case
def quiet_is_quiet():
    write_npy('train.npy', rows_of(300))
    done = train('--quiet')
    assert done.stdout == done.stderr == '', done


harness.main(__doc__)
