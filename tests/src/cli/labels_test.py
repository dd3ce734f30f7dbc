"""Labels of rows, from files and folders: contexts of a class, --classes, errors; images as bytes; --flip."""
import gzip
import json
import os
import struct

import harness
from harness import case, fails, info, nf, read_npy, write_csv, write_npy
from picture import write_png

LAYERS = [{'type': 'dequantize', 'levels': 256}, {'type': 'logit'},
          {'type': 'affine_coupling', 'mask': 'checkerboard', 'net': {'type': 'conv', 'hidden': [4, 4]}}]
COUNT = 90


def label(k):
    return (k * k + k // 5) % 4 * 3  # 0, 3, 6 or 9


def pixels(k):
    return [(37 * k + 11 * i * i + 60 * label(k)) % 256 for i in range(16)]


def write_idx(path, shape, values):
    with (gzip.open if path.endswith('.gz') else open)(path, 'wb') as f:
        f.write(bytes((0, 0, 8, len(shape))) + struct.pack(f'>{len(shape)}I', *shape) + bytes(values))


def digits(name='x', rows=range(COUNT)):
    write_idx(name + '.gz', (len(rows), 4, 4), [v for k in rows for v in pixels(k)])
    write_idx(name + '-labels.gz', (len(rows),), [label(k) for k in rows])


def spec(**more):
    return json.dumps({'layers': LAYERS, **more})


def train(given, *more, output='m.safetensors', data='x.gz', steps=4):
    return nf('train', given, '--data', data, '--steps', steps, '--batch', 16, '-o', output, *more)


def one_hot(k, of=(0, 3, 6, 9)):
    return [float(label(k) == c) for c in of]


def score(path, *more):
    nf('score', path, *more, '-o', 'scores.npy')
    return read_npy('scores.npy')[1]


@case
def labels_are_the_context():
    assert sorted({label(k) for k in range(COUNT)}) == [0, 3, 6, 9]
    digits()
    said = train(spec(context=4), '--labels', 'x-labels.gz').stdout
    assert '4 classes, one-hot in the context: 0 (' in said, said
    commands = [line.split() for line in said.splitlines() if line.startswith('  nf ')]
    assert [words[1] for words in commands] == ['check', 'score', 'sample'] and '--class' in commands[2], said
    for words in commands[1:]:
        nf(*words[1:])
    write_npy('c.npy', [one_hot(k) for k in range(COUNT)])
    train(spec(context=4), '--context-data', 'c.npy', '--no-standardize', output='c.safetensors')
    assert info('m.safetensors')['hash'] == info('c.safetensors')['hash']
    assert info('m.safetensors')['notes']['classes'] == ['0', '3', '6', '9']
    assert score('m.safetensors', '--data', 'x.gz', '--labels', 'x-labels.gz') == \
        score('c.safetensors', '--data', 'x.gz', '--context', 'c.npy')
    # Rows that lack classes have the context of the training.
    digits('few', [k for k in range(COUNT) if label(k) in (3, 9)])
    few = score('m.safetensors', '--data', 'few.gz', '--labels', 'few-labels.gz')
    assert few == score('m.safetensors', '--data', 'x.gz', '--labels', 'x-labels.gz', '--classes', '9,3')
    # The index of the class, in a context of one number; labels in a .npy and a .csv.
    write_npy('labels.npy', [[label(k)] for k in range(COUNT)])
    write_csv('labels.csv', [[label(k)] for k in range(COUNT)], ['digit'])
    hashes = set()
    for file in ('x-labels.gz', 'labels.npy', 'labels.csv'):
        said = train(spec(context=1), '--labels', file, output='i.safetensors').stdout
        assert '4 classes, as a number in the context' in said, said
        hashes.add(info('i.safetensors')['hash'])
    write_npy('c.npy', [[label(k) / 3] for k in range(COUNT)])
    train(spec(context=1), '--context-data', 'c.npy', output='c.safetensors')
    assert hashes == {info('c.safetensors')['hash']}
    train(spec(context='auto'), '--labels', 'x-labels.gz', output='a.safetensors')
    assert info('a.safetensors')['hash'] == info('m.safetensors')['hash']
    # A base of classes takes them as it reads them.
    for more, size in (({}, 1), ({'labels': 'one_hot'}, 4)):
        train(spec(base={'type': 'class_normal', 'classes': 4, **more}), '--labels', 'x-labels.gz', output='b.safetensors')
        assert info('b.safetensors')['model']['context'] == [size]
    nf('sample m.safetensors --class 6 -n 3 -o s.npy')
    nf('sample', 'm.safetensors', '--context', '0,0,1,0', '-n', 3, '-o', 't.npy')
    assert read_npy('s.npy') == read_npy('t.npy')
    nf('check m.safetensors --data x.gz --labels x-labels.gz', code=None)
    fails('sample', 'm.safetensors', '--class', '7', '-n', 3, says='no such class', hint='it has: 0, 3, 6, 9')
    fails('sample', 'm.safetensors', '-n', 3, says='context', hint='--class NAME')


@case
def classes_select_rows():
    digits()
    kept = [k for k in range(COUNT) if label(k) in (3, 9)]
    digits('few', kept)
    said = train(spec(), '--labels', 'x-labels.gz', '--classes', '9,3').stdout
    assert f'2 classes: 3 (' in said, said
    train(spec(), data='few.gz', output='f.safetensors')
    assert info('m.safetensors')['hash'] == info('f.safetensors')['hash']
    assert 'classes' not in info('m.safetensors')['notes']
    train(spec(context=2), '--labels', 'x-labels.gz', '--classes', '3,9', output='c.safetensors')
    train(spec(context=2), '--labels', 'few-labels.gz', data='few.gz', output='f.safetensors')
    assert info('c.safetensors')['hash'] == info('f.safetensors')['hash']
    nf('score m.safetensors --data x.gz --labels x-labels.gz --classes 3,9 -o s.csv')
    with open('s.csv') as f:
        lines = f.read().splitlines()
    assert lines[0] == 'row,log_prob' and [int(line.split(',')[0]) for line in lines[1:]] == kept
    # Validation rows have labels of their own; a class that they lack is no mistake.
    digits('v', [k for k in range(200, 260) if label(k) != 9])
    said = train(spec(context=2), '--labels', 'x-labels.gz', '--classes', '3,9', '--valid', 'v.gz', '--valid-labels', 'v-labels.gz')
    assert f'valid  {sum(label(k) == 3 for k in range(200, 260))} rows' in said.stdout, said.stdout
    fails('train', spec(context=2), '--data', 'x.gz', '--labels', 'x-labels.gz', '--classes', '3,9', '--valid', 'v.gz', '-o', 'e',
          code=2, says=('--classes', 'v.gz has no labels'))
    fails('train', spec(context=4), '--data', 'x.gz', '--labels', 'x-labels.gz', '--valid', 'v.gz', '-o', 'e', code=2,
          says='v.gz has no labels', hint='--valid-labels')


@case
def labels_in_a_column():
    rows = [[k % 5 + 0.1 * k, 0.3 * (k % 7) - label(k), label(k), k % 3] for k in range(COUNT)]
    write_csv('x.csv', rows, ['a', 'b', 'digit', 'w'])
    write_csv('plain.csv', [r[:2] for r in rows], ['a', 'b'])
    write_csv('labels.csv', [[r[2]] for r in rows], ['digit'])
    given = json.dumps({'context': 4, 'layers': [{'type': 'affine_coupling', 'hidden': [4]}]})
    train(given, '--labels', 'digit', '--columns', 'a,b', data='x.csv')
    train(given, '--labels', 'labels.csv', data='plain.csv', output='p.safetensors')
    assert info('m.safetensors')['hash'] == info('p.safetensors')['hash']
    write_csv('y.csv', [r[:3] for r in rows], ['a', 'b', 'digit'])
    train(given, '--labels', 'digit', data='y.csv', output='q.safetensors')
    assert info('q.safetensors')['hash'] == info('p.safetensors')['hash']
    train(given, '--labels', 'digit', '--weights', 'w', data='x.csv', output='w.safetensors')
    assert info('w.safetensors')['notes']['columns'] == ['a', 'b']
    assert score('q.safetensors', '--data', 'x.csv', '--labels', 'digit') == \
        score('q.safetensors', '--data', 'plain.csv', '--labels', 'labels.csv')
    # Conditions on rows select labels with them.
    some = train(given, '--labels', 'digit', '--where', 'a > 3', '--columns', 'a,b', data='x.csv', output='s.safetensors')
    train(given, '--labels', 'labels.csv', '--where', 'a > 3', data='plain.csv', output='t.safetensors')
    assert info('s.safetensors')['hash'] == info('t.safetensors')['hash'], some.stdout


@case
def a_folder_per_class():
    where = {0: 'ape', 3: 'bee', 6: 'cat', 9: 'dog'}
    for name in where.values():
        os.makedirs('zoo/' + name)
    order = sorted(range(COUNT), key=lambda k: (label(k), k))
    for k in range(COUNT):
        write_png(f'zoo/{where[label(k)]}/{k:03}.png', pixels(k))
    digits('x', order)
    said = train(spec(context=4), data='zoo').stdout
    assert '4 classes, one-hot in the context: ape (' in said, said
    train(spec(context=4), '--labels', 'x-labels.gz', output='i.safetensors')
    assert info('m.safetensors')['hash'] == info('i.safetensors')['hash']
    assert info('m.safetensors')['notes']['classes'] == list(where.values())
    nf('score m.safetensors --data zoo -o s.csv')
    with open('s.csv') as f:
        assert f.read().splitlines()[1].startswith('"ape/'), 'the name of a picture has its folder'
    train(spec(), '--classes', 'dog,bee', data='zoo', output='two.safetensors')
    digits('few', [k for k in order if label(k) in (3, 9)])
    train(spec(), data='few.gz', output='f.safetensors')
    assert info('two.safetensors')['hash'] == info('f.safetensors')['hash']
    nf('plot images m.safetensors --columns 2 --zoom 1 -o each.png')  # a row for each class
    fails('train', spec(), '--data', 'zoo', '--classes', 'cat,cow', '-o', 'e', code=2, says=("zoo has no class 'cow'", '--classes cat,cow'),
          hint='it has: ape, bee, cat, dog')
    os.makedirs('other/cow')
    write_png('other/cow/1.png', pixels(1))
    fails('score', 'm.safetensors', '--data', 'other', says=("other has a class 'cow'", 'row 0'), hint='ape, bee, cat, dog')
    os.mkdir('zoo/elk')
    fails('score', 'm.safetensors', '--data', 'zoo', says='zoo/elk has none', hint='one folder per class')


@case
def bad_labels():
    digits()
    def bad(given, *more, code=1, says=(), hint=None):
        fails('train', given, '--data', 'x.gz', '--steps', 2, '-o', 'e', *more, code=code, says=says, hint=hint)
    write_idx('short.gz', (COUNT - 1,), [label(k) for k in range(COUNT - 1)])
    bad(spec(context=4), '--labels', 'short.gz', says=('--labels: short.gz has 89 labels', 'x.gz has 90 rows'))
    for value, shown in ((-1, '-1'), (2.5, '2.5')):
        write_csv('l.csv', [[value if k == 40 else 1] for k in range(COUNT)], ['digit'])
        bad(spec(context=4), '--labels', 'l.csv', says=('--labels: the label in line 42 of l.csv is ' + shown), hint='whole numbers')
    write_csv('l.csv', [[1, 2] for k in range(COUNT)], ['a', 'b'])
    bad(spec(context=4), '--labels', 'l.csv', says=('--labels: l.csv has 2 columns', 'one label per row'))
    with open('l.csv', 'w') as f:
        f.write('digit\n' + 'seven\n' * COUNT)
    bad(spec(context=4), '--labels', 'l.csv', says='l.csv')
    bad(spec(context=4), '--labels', 'none.gz', code=2, says=('--labels none.gz', 'no such file'))
    bad(spec(context=5), '--labels', 'x-labels.gz', says=('the context has 5 numbers', 'x-labels.gz has 4 classes'), hint='one-hot')
    bad(spec(), '--labels', 'x-labels.gz', says='--labels would be used for nothing', hint='--set context=4')
    bad(spec(), '--classes', '0,3', code=2, says='--classes needs the class of each row', hint='--labels')
    bad(spec(), '--labels', 'x-labels.gz', '--classes', '0,1', code=2, says="x-labels.gz has no class '1'", hint='it has: 0, 3, 6, 9')
    bad(spec(), '--valid-labels', 'x-labels.gz', code=2, says='--valid-labels without --valid')
    write_npy('c.npy', [one_hot(k) for k in range(COUNT)])
    bad(spec(context=4), '--labels', 'x-labels.gz', '--context-data', 'c.npy', code=2, says='both give the context')
    base = {'type': 'class_normal', 'classes': 10}
    bad(spec(base=base), '--labels', 'x-labels.gz', says=('"classes": 10', '4 classes'), hint='base.classes=4')
    base['classes'] = 4
    bad(spec(base=base, context=4), '--labels', 'x-labels.gz', says=('"labels": "index"', 'one-hot'), hint='"context": 1')
    train(spec())
    fails('score', 'm.safetensors', '--data', 'x.gz', '--labels', 'x-labels.gz', says='not trained with labels')


@case
def resumed_runs_keep_classes_and_flips():
    digits()
    given, labels = spec(context=3), ('--labels', 'x-labels.gz')
    train(given, *labels, '--classes', '0,3,9', '--flip', output='whole', steps=12)
    train(given, *labels, '--classes', '0,3,9', output='plain', steps=12)
    assert info('whole')['hash'] != info('plain')['hash'], 'nothing was mirrored'
    train(given, *labels, '--classes', '0,3,9', '--flip', '--threads', 1, output='part', steps=7)
    run = info('part.checkpoint')['notes']['run']
    assert run['options']['batches.flip'] == 'true' and run['fixed']['--classes'] == '0,3,9', run
    nf('train', given, '--data', 'x.gz', *labels, '--steps', 12, '-o', 'part', '--resume', '--threads', 3)
    assert info('part')['hash'] == info('whole')['hash']
    fails('train', given, '--data', 'x.gz', *labels, '--classes', '0,3,6', '--steps', 20, '-o', 'part', '--resume', says='--classes has changed')
    fails('train', given, '--data', 'x.gz', *labels, '--steps', 20, '-o', 'plain', '--resume', '--flip', says='flip')
    fails('train', given, '--data', 'x.gz', '--steps', 20, '-o', 'part', '--resume', code=2, says='--classes needs')


@case
def flips_need_images():
    digits()
    write_npy('flat.npy', [[float(v) for v in pixels(k)] for k in range(COUNT)])
    flat = '{"layers": [{"type": "actnorm"}]}'
    fails('train', flat, '--data', 'flat.npy', '--flip', '-o', 'e', code=2, says="--flip mirrors images, but the model's event is 16 numbers",
          hint='give images')
    fails('train', flat, '--data', 'x.gz', '--set', 'event=[16]', '--flip', '-o', 'e', code=2, says='--flip', hint='[height, width, channels]')
    assert '--flip' in nf('train --help').stdout


@case
def bytes_are_as_good_as_floats():
    digits()
    write_npy('f.npy', [[float(v) for v in pixels(k)] for k in range(COUNT)], event=[4, 4, 1])
    write_npy('d.npy', [[float(v) for v in pixels(k)] for k in range(COUNT)], event=[4, 4, 1], dtype='d')
    for dtype in ('float32', 'float64'):
        train(spec(dtype=dtype), '--split', '0.7,0.2,0.1')
        for other in ('f.npy', 'd.npy'):
            train(spec(dtype=dtype), '--split', '0.7,0.2,0.1', data=other, output='f.safetensors')
            assert info('m.safetensors')['hash'] == info('f.safetensors')['hash'], (dtype, other)
        assert info('m.safetensors.checkpoint')['notes']['run']['fixed'] == info('f.safetensors.checkpoint')['notes']['run']['fixed']
        assert score('m.safetensors', '--data', 'x.gz') == score('m.safetensors', '--data', 'f.npy')
    # In place in the file, where the test rows are read batch by batch, and as they are.
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({COUNT}, 4, 4, 1), }}"
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    with open('b.npy', 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + bytes(v for k in range(COUNT) for v in pixels(k)))
    tests = []
    for data, output in (('b.npy', 'b.safetensors'), ('f.npy', 'f.safetensors')):
        said = train(spec(), '--split', '0.6,0.2,0.2', '--map', 'on', '--block', 8, '--flip', '--json', data=data, output=output)
        tests.append(json.loads(said.stdout)['test_log_likelihood'])
    assert info('b.safetensors')['hash'] == info('f.safetensors')['hash'] and tests[0] == tests[1]
    digits('few')
    fails('train', spec(), '--data', 'b.npy', '--map', 'on', '--labels', 'few-labels.gz', '--classes', '0,3', '-o', 'e',
          says='--classes', hint='--map off')


if __name__ == '__main__':
    harness.main(__doc__)
