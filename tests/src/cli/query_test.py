"""nf score, sample, info, layers, options, help and version: what they print and write."""
import json
import math
import re
import statistics
import subprocess

import harness
from harness import NF, SPEC, case, environment, fails, info, nf, read_npy, rows_of, train, write_csv, write_npy


def model(*more, cols=2, **kw):
    write_npy('train.npy', rows_of(300, cols=cols))
    train(*more, **kw)


@case
def score_statistics_are_those_of_the_rows():
    model()
    nf('score m.safetensors --data train.npy -o s.npy')
    shape, values = read_npy('s.npy')
    got = json.loads(nf('score m.safetensors --data train.npy --json').stdout)
    assert shape == (300,) and got['rows'] == 300 and got['nonfinite'] == 0
    assert math.isclose(got['mean'], statistics.fmean(values), rel_tol=1e-12)
    assert math.isclose(got['two_standard_errors'], 2 * statistics.stdev(values) / math.sqrt(300), rel_tol=1e-9)
    assert (got['min'], got['max']) == (min(values), max(values))
    assert math.isclose(got['median'], statistics.median(values), rel_tol=1e-12)
    text = nf('score m.safetensors --data train.npy').stdout
    assert f"{got['mean']:.4f} +- {got['two_standard_errors']:.4f} nats" in text, text


@case
def score_is_a_density():
    """The grid integral of exp(log_prob) is 1."""
    model('--lr', '0.01', steps=200)
    step = 0.1
    ticks = [-8 + step * i for i in range(161)]
    write_npy('grid.npy', [[x, y] for x in ticks for y in [t + 4 for t in ticks]])
    nf('score m.safetensors --data grid.npy -o s.npy')
    total = sum(math.exp(v) for v in read_npy('s.npy')[1]) * step * step
    assert abs(total - 1) < 0.02, total  # allows for tails outside the grid and the midpoint error


@case
def score_rows_as_csv_and_on_stdout():
    model()
    nf('score m.safetensors --data train.npy -o s.csv')
    with open('s.csv') as f:
        lines = f.read().splitlines()
    assert lines[0] == 'log_prob' and len(lines) == 301
    nf('score m.safetensors --data train.npy -o s.npy')
    assert [float(v) for v in lines[1:]] == list(read_npy('s.npy')[1])
    assert nf('score m.safetensors --data train.npy -o -').stdout.splitlines() == lines


@case
def score_counts_rows_without_a_density():
    model()
    rows = rows_of(10)
    rows[3][0] = math.inf
    rows[7][1] = math.nan
    write_npy('x.npy', rows)
    done = nf('score m.safetensors --data x.npy --missing keep --json')
    got = json.loads(done.stdout)
    assert got['nonfinite'] == 2 and math.isfinite(got['mean']), got
    assert '2 of 10 rows' in done.stderr
    assert '; the first is row 3 (counted from 0) of x.npy)' in done.stderr and '--nonfinite' in done.stderr, done.stderr
    # Outside a bounded base the log-density is -infinity, not NaN.
    write_npy('box.npy', [[0.5], [2.0], [math.nan], [0.25]])
    write_npy('in.npy', [[0.5], [0.25]] * 20)
    nf('train', '{"base": "uniform", "layers": [{"type": "spline", "interval": [0, 1]}]}', '--data', 'in.npy', '-o', 'b.safetensors',
       '--steps', 1)
    told = nf('score b.safetensors --data box.npy --missing keep').stderr
    assert '(1 NaN, 1 -infinity; the first is row 1 (counted from 0) of box.npy)' in told, told
    # Line numbers of a CSV file count the header and blank lines.
    with open('x.csv', 'w') as f:
        f.write('a\n\n0.5\n2.0\n3.0\n')
    told = nf('score b.safetensors --data x.csv').stderr
    assert '(2 -infinity; the first is line 4 of x.csv)' in told, told
    harness.fails('score', 'm.safetensors', '--data', 'x.npy', '--missing', 'keep', '--nonfinite', 'error', says='row')


@case
def sample_any_split_is_the_same_stream():
    model()
    nf('sample m.safetensors -n 50 --seed 3 -o all.npy --log-prob lp.npy')
    nf('sample m.safetensors -n 20 --seed 3 --first 30 -o tail.npy')
    nf('sample m.safetensors -n 50 --seed 4 -o other.npy')
    (shape, everything), (_, tail), (_, other) = read_npy('all.npy'), read_npy('tail.npy'), read_npy('other.npy')
    assert shape == (50, 2) and everything[60:] == tail and everything != other
    nf('score m.safetensors --data all.npy -o again.npy')
    for a, b in zip(read_npy('lp.npy')[1], read_npy('again.npy')[1]):
        assert abs(a - b) < 1e-3, (a, b)  # float32 round trip


@case
def sample_streams_csv():
    model()
    nf('sample m.safetensors -n 20 -o a.npy')
    nf('sample m.safetensors -n 20 -o a.csv')
    with open('a.csv') as f:
        from_file = f.read()
    assert nf('sample m.safetensors -n 20').stdout == from_file
    values = [float(v) for line in from_file.splitlines() for v in line.split(',')]
    assert len(values) == 40 and all(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(values, read_npy('a.npy')[1]))
    assert nf('sample m.safetensors -n 0').stdout == ''


@case
def sample_more_than_one_chunk():
    model(cols=6)
    nf('sample m.safetensors -n 200000 -o a.npy')  # a chunk is 2^20 numbers
    nf('sample m.safetensors -n 10 --first 199990 -o b.npy')
    shape, values = read_npy('a.npy')
    assert shape == (200000, 6) and values[-60:] == read_npy('b.npy')[1]


@case
def sample_stops_when_the_reader_closes():
    model()
    reader = subprocess.run(f'{NF} sample m.safetensors -n 100000000 | head -n 2', shell=True, capture_output=True, text=True,
                            env=environment(), timeout=60)
    assert len(reader.stdout.splitlines()) == 2


@case
def context_for_samples():
    rows = rows_of(300, cols=3)
    write_csv('t.csv', rows, ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='t.csv')
    write_csv('one.csv', [[0.5]])
    write_csv('three.csv', [[0.5], [1.5], [0.5]])
    assert len(nf('sample m.safetensors --context three.csv').stdout.splitlines()) == 4
    one = nf('sample m.safetensors -n 3 --context one.csv').stdout.splitlines()
    three = nf('sample m.safetensors -n 3 --context three.csv').stdout.splitlines()
    assert one[1] == three[1] and one[2] != three[2] and one[3] == three[3]
    harness.fails('sample', 'm.safetensors', '-n', 4, '--context', 'three.csv', says=('three.csv', '3 rows', '-n is 4'))
    harness.fails('sample', 'm.safetensors', '-n', 4, says=('context has 1 column', 'none'), hint='--context')


@case
def columns_are_found_by_name():
    rows = rows_of(300, cols=3)
    write_csv('t.csv', rows, ['a', 'b', 'c'])
    train('--columns', 'a,b', '--context-columns', 'c', data='t.csv')
    want = nf('score m.safetensors --data t.csv --columns a,b --context-columns c --json').stdout
    assert nf('score m.safetensors --data t.csv --json').stdout == want
    with open('other.csv', 'w') as f:  # another order, and a text column that contains the separator
        f.write('"id, text";c;b;a\n')
        f.writelines(f'"x;{i}";{c!r};{b!r};{a!r}\n' for i, (a, b, c) in enumerate(rows))
    assert nf('score m.safetensors --data other.csv --json').stdout == want
    assert nf('score m.safetensors --data t.csv --columns b,a --json').stdout == want, 'matched by name'
    write_csv('c.csv', [[9.0, r[2]] for r in rows], ['z', 'c'])
    write_csv('plain.csv', [[r[2]] for r in rows])
    assert nf('score m.safetensors --data t.csv --context c.csv --json').stdout == want
    assert nf('sample m.safetensors --context c.csv').stdout == nf('sample m.safetensors --context-data plain.csv').stdout
    harness.fails('sample', 'm.safetensors', '--context', 'c.csv', '--context-columns', 'z', says=('--context-columns picks z', 'trained on c'))
    write_csv('bad.csv', rows, ['a', 'bb', 'c'])
    harness.fails('score', 'm.safetensors', '--data', 'bad.csv', says=('bad.csv', "no column 'b'"), hint="did you mean 'bb'")
    harness.fails('sample', 'm.safetensors', '--context', 'bad.csv', '--context-columns', 'd', says='d')
    write_csv('turned.csv', [r[::-1] for r in rows], ['c', 'b', 'a'])
    one = train('--columns', 'a,b', '--context-columns', 'c', '--valid', 'turned.csv', '--json', data='t.csv').stdout
    two = train('--columns', 'a,b', '--context-columns', 'c', '--valid', 't.csv', '--json', data='t.csv').stdout
    assert json.loads(one)['valid_log_likelihood'] == json.loads(two)['valid_log_likelihood']


@case
def validation_columns_follow_the_names():
    rows = rows_of(300)
    write_csv('t.csv', rows, ['a', 'b'])
    write_csv('turned.csv', [r[::-1] for r in rows], ['b', 'a'])
    one = json.loads(train('--valid', 't.csv', '--json', data='t.csv').stdout)
    two = json.loads(train('--valid', 'turned.csv', '--json', data='t.csv').stdout)
    assert one['valid_log_likelihood'] == two['valid_log_likelihood']


@case
def double_precision_throughout():
    write_npy('train.npy', rows_of(300), 'd')
    train('--set', 'dtype=float64')
    nf('sample m.safetensors -n 5 -o a.npy')
    with open('a.npy', 'rb') as f:
        assert b'<f8' in f.read(128)


@case
def info_views():
    model()
    got = info('m.safetensors')
    assert got['event_size'] == 2 and got['context_size'] == 0 and got['layer_count'] == 4 and len(got['hash']) == 16
    count = sum(math.prod(t['shape']) for t in got['tensors'] if t['trainable'])
    assert got['param_count'] == count
    text = nf('info m.safetensors').stdout
    for word in (got['hash'], 'affine_coupling', 'layers.3', 'hidden [16]', 'best_step'):
        assert word in text, (word, text)
    assert re.search(r'valid_log_likelihood -?\d+\.?\d{0,6}(,|$)', text, re.M), text
    per_layer = [int(line.split()[2].replace(',', '')) for line in text.splitlines() if line.startswith('  layers.')]
    assert sum(per_layer) == count
    assert json.loads(nf('info m.safetensors --spec').stdout) == got['spec']
    assert len(nf('info m.safetensors --tensors').stdout.splitlines()) == len(got['tensors'])


@case
def canonical_spec_trains_the_same_model():
    model()
    with open('again.json', 'w') as f:
        f.write(nf('info m.safetensors --spec').stdout)
    train(spec='again.json', output='b')
    assert info('b')['hash'] == info('m.safetensors')['hash']


@case
def info_of_inverted_chains():
    spec = '{"layers": [{"invert": true, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]}'
    model(spec=spec)
    lines = [line.split() for line in nf('info m.safetensors').stdout.splitlines() if line.startswith('  layers.')]
    assert lines[0][1] == 'reverse' and lines[0][2:4] == ['(inverted)', '0'], lines
    assert lines[1][1] == 'affine_coupling' and lines[1][3] != '0', lines


@case
def layers_and_options_document_everything():
    described = json.loads(nf('layers --json').stdout)
    text = nf('layers').stdout
    for kind in described['layers'] + described['bases'] + [described['embedding']]:
        assert kind['name'] in text and kind['doc']
        for field in kind['fields']:
            assert field['name'] in text, field
    assert nf('parts').stdout == text, 'the old word still works'
    for registry in ('layers', 'nets', 'bases', 'targets', 'objectives'):
        for kind in described[registry]:
            assert kind['name'] in text and kind['doc'], kind
            assert all(field['name'] in text for field in kind['fields']), kind
            assert kind['name'] in nf('parts', registry).stdout
    one = nf('parts affine_coupling').stdout
    assert 'affine_coupling' in one and 'additive_coupling' not in one
    assert '\n  net ' in one and '\n    hidden ' in one, 'nested fields are indented'
    assert [kind['name'] for kind in json.loads(nf('parts residual --json').stdout)['nets']] == ['residual']
    harness.fails('parts', 'affine_cuopling', code=2, says='affine_cuopling', hint='affine_coupling')
    options = nf('options').stdout
    for option in json.loads(nf('options --json').stdout):
        assert option['name'] in options
    for name in ('schedule', 'trainer.schedule'):
        assert 'cosine' in nf('options', name).stdout
        assert json.loads(nf('options', name, '--json').stdout)['name'] == 'trainer.schedule'
    both = nf('options seed').stdout
    assert 'trainer.seed' in both and 'batches.seed' in both, both


@case
def help_and_version_have_two_spellings():
    assert nf('--version').stdout.startswith('nf 0.')
    assert nf('version').stdout == nf('--version').stdout
    top = nf('--help').stdout
    assert nf('help').stdout == top and '  version' in top and '  help' in top, top
    assert nf('help train').stdout == nf('train --help').stdout
    assert nf('help plot').stdout == nf('plot --help').stdout
    assert nf('help plot density').stdout == nf('plot density --help').stdout


@case
def help_fits_120_columns():
    for command in ('', 'train', 'fit-target', 'targets', 'score', 'sample', 'check', 'info', 'parts', 'layers', 'options', 'toy', 'help',
                    'plot', 'plot density', 'plot samples', 'plot pairs', 'plot scores', 'plot layers', 'plot flow', 'plot curve',
                    'plot sheet', 'plot target', 'plot images'):
        text = nf(f'{command} --help').stdout
        long = [line for line in text.splitlines() if len(line) > 120]
        assert not long, (command, long)
    lines = nf('train --help').stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith('  --resume-best'))
    assert lines[at + 1].startswith(' ' * 34 + lines[at + 1].strip()[0]), lines[at:at + 2]


@case
def inputs_are_never_overwritten():
    model()
    write_csv('x.csv', rows_of(50), ['a', 'b'])
    write_npy('x.npy', rows_of(50))
    for name in ('x.csv', 'x.npy'):
        with open(name, 'rb') as f:
            before = f.read()
        for path in (name, './' + name):
            fails('score', 'm.safetensors', '--data', name, '-o', path, code=2, says=('-o', '--data', 'overwrite'))
        with open(name, 'rb') as f:
            assert f.read() == before
    write_csv('c.csv', [[r[0]] for r in rows_of(200)], ['c'])
    write_csv('t.csv', rows_of(200, cols=2), ['a', 'b'])
    nf('train', SPEC, '--data', 't.csv', '--context-data', 'c.csv', '--steps', 2, '-o', 'k.safetensors')
    fails('sample', 'k.safetensors', '--context', 'c.csv', '-o', 'c.csv', code=2, says=('-o', '--context', 'overwrite'))
    fails('sample', 'k.safetensors', '--context', 'c.csv', '-o', 's.csv', '--log-prob', 'c.csv', code=2, says=('--log-prob', 'overwrite'))


@case
def a_quantile_is_a_share():
    model()
    write_npy('x.npy', rows_of(50))
    for share in (0, 1, 5, -0.5, 'nan'):
        fails('score', 'm.safetensors', '--data', 'x.npy', '--quantile', share, code=2, says='between 0 and 1', hint='0.01')


@case
def columns_without_names_are_taken_in_order():
    write_csv('n.csv', rows_of(200), ['speed', 'height'])
    train(data='n.csv', steps=2)
    write_csv('bare.csv', rows_of(50))
    said = nf('score m.safetensors --data bare.csv').stderr
    assert "bare.csv has no names of columns; they are taken in the model's order: speed, height" in said, said
    assert nf('score m.safetensors --data n.csv').stderr == ''


@case
def help_shows_flags_and_examples():
    top = nf('--help').stdout
    for command in ('train', 'score', 'sample', 'info', 'parts', 'options'):
        assert command in top
        text = nf(command, '--help').stdout
        assert 'Examples:' in text and f'nf {command}' in text, text
    text = nf('train --help').stdout
    for flag in ('--clip-norm', '--weight-decay', '--order', '--threads', '--option', '--resume', '--optimizer'):
        assert flag in text, flag
    assert nf(code=2).stdout == top


harness.main(__doc__)
