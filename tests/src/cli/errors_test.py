"""Wrong uses of nf: the exit code, one clear message on standard error, no partly written files."""
import os

import harness
from harness import SPEC, case, fails, nf, rows_of, train, write_csv, write_npy


def data():
    write_npy('train.npy', rows_of(300))


def bad_train(*more, spec=SPEC, data='train.npy', code=1, **expect):
    before = set(os.listdir('.'))
    fails('train', spec, '--data', data, '--steps', 5, '-o', 'm.safetensors', *more, code=code, **expect)
    assert set(os.listdir('.')) == before, 'left behind: ' + str(set(os.listdir('.')) - before)


@case
def missing_files():
    data()
    bad_train(data='none.npy', says='none.npy')
    bad_train('--valid', 'none.npy', says='none.npy')
    bad_train(spec='none.json', says="cannot open spec 'none.json': No such file or directory")
    os.mkdir('folder')
    bad_train(spec='folder', says="cannot read spec 'folder': Is a directory")
    fails('score', 'none.safetensors', '--data', 'train.npy', says='none.safetensors')
    fails('sample', 'none.safetensors', '-n', 1, says='none.safetensors')
    fails('info', 'none.safetensors', says='none.safetensors')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'no/such/m.safetensors', says='no/such')
    train()
    for words in (('score', 'm.safetensors', '--data', 'train.npy', '-o', 'no/such/x.csv'),
                  ('sample', 'm.safetensors', '-n', 9, '-o', 'no/such/x.npy'),
                  ('plot', 'samples', 'm.safetensors', '-o', 'no/such/x.png')):
        fails(*words, says=('no/such/x', 'the folder no/such does not exist'), hint='mkdir -p no/such')


@case
def misspelled_options_are_named():
    data()
    for words in (('score', 'm.safetensors', '--dat', 'train.npy'), ('train', SPEC, '--dat', 'train.npy', '-o', 'm.safetensors')):
        fails(*words, code=2, says=('no option --dat', 'did you mean --data?'))
    fails('score', '--frob', 'm.safetensors', code=2, says='no option --frob')
    fails('score', 'm.safetensors', code=2, says='--data is required')
    bad_train('--ema-decay', '2', says='[0, 0.99999999]', code=2)
    bad_train('--steps', '6', says='--steps was given twice', code=2)
    bad_train('--steps', '6', '--steps', '7', says='--steps was given 3 times', code=2)
    fails('score', 'm.safetensors', '--data', code=2, says='--data needs a value')


@case
def files_of_the_wrong_kind():
    data()
    with open('text.csv', 'w') as f:
        f.write('a,b\n1,2\n3,oops\n')
    bad_train(data='text.csv', says=('oops', '3'))
    with open('junk.npy', 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00junk')
    bad_train(data='junk.npy', says='junk.npy')
    fails('info', 'train.npy', says='train.npy')
    fails('score', 'train.npy', '--data', 'train.npy', says=('train.npy is not a model', '.npy table'))
    fails('score', 'text.csv', '--data', 'train.npy', says=('text.csv is not a model', 'CSV'))
    train()
    fails('score', 'm.safetensors', '--data', 'm.safetensors', says=('m.safetensors is not a table', 'a model'))
    with open('m.safetensors', 'r+b') as f:
        f.seek(-3, os.SEEK_END)
        f.write(b'xyz')
    fails('info', 'm.safetensors', says='m.safetensors')


@case
def wrong_columns():
    data()
    write_csv('three.csv', rows_of(100, cols=3), ['id', 'x', 'y'])
    spec = '{"event": [2], ' + SPEC[1:]
    bad_train(spec=spec, data='three.csv', says=('three.csv', '3 columns', 'event has 2'), hint='id, x, y')
    bad_train('--valid', 'three.csv', says=('three.csv', '3 columns', 'event has 2'))
    bad_train('--columns', 'x', data='three.csv', spec=spec, says="--columns picks 1 column, but the model's event has 2")
    bad_train('--columns', 'x,z', data='three.csv', says='z')
    train()
    fails('score', 'm.safetensors', '--data', 'three.csv', says=('three.csv', '3 columns', 'event has 2'), hint='--columns')
    fails('score', 'm.safetensors', '--data', 'train.npy', '--context', 'train.npy', says='has no context')


@case
def wrong_context():
    data()
    write_npy('c.npy', rows_of(299, cols=1))
    bad_train('--context-data', 'c.npy', says=('c.npy', '299', '300'))
    bad_train(spec='{"context": [2], ' + SPEC[1:], says='context of 2 columns in addition to train.npy')
    bad_train('--context-columns', '0,1', says='leaves no data column')


@case
def bad_specs():
    data()
    bad_train(spec='{"layers": [{"type": "afine_coupling"}]}', says=('afine_coupling', 'affine_coupling'))
    bad_train(spec=SPEC.replace('hidden', 'hiden'), says=('hiden', 'hidden'))
    bad_train('--standardize', spec=SPEC.replace('[16]', '[0]'), says='spec.layers[0].layers[0].hidden')
    bad_train('--quiet', spec='{"layers": [{"type": "logit"}]}', says='step 1', hint='[0, 1]')
    bad_train('--quiet', spec='{"layers": [{"type": "softclip", "bound": 1, "invert": true}]}', says='step 1', hint='(-bound, bound)')
    bad_train(spec='{"event": 3, "layers": []}', says='3', hint='--set event=2')
    bad_train('--split', '80,10,10', says='each from 0 to 1', hint='0.8,0.1,0.1', code=2)
    bad_train('--patience', '3', '--holdout', '0', says='--patience', hint='--holdout', code=2)
    bad_train(spec='{"layers": [', says='JSON')
    bad_train(spec='{"layers": [], "layers": []}', says='appears twice')
    bad_train(spec='{}', says='layers')
    bad_train(spec=SPEC.replace('[16]', '[0]'), says='hidden')
    write_npy('bad.npy', [[1.0, float('nan')]] + rows_of(299))
    bad_train('--quiet', data='bad.npy', says="'bad.npy': row 0, column 1 (both counted from 0) is NaN", hint='--missing drop')
    bad_train('--quiet', '--batch', 300, '--order', 'sequential', '--holdout', 0, '--missing', 'keep', data='bad.npy',
              says='row 0 (counted from 0) of bad.npy holds NaN or infinity (1 such row); step 1 was not applied', hint='--missing drop')


@case
def bad_overrides():
    data()
    bad_train('--set', 'nonsense', says=('--set', 'path=value'), code=2)
    bad_train('--set', 'layers.7.repeat=3', says=('7', 'list of 1'), code=2)
    bad_train('--set', 'leyers.0.repeat=3', says='leyers', hint='layers', code=2)
    bad_train('--set', 'layers.0.repeet=3', says=('layers[0], a chain, has no', 'repeet'), hint='repeat', code=2)
    bad_train('--set', 'layers[0].layers[0].hiden=[8]', says=('affine_coupling', 'hiden'), hint='hidden', code=2)
    bad_train('--set', 'layers[0].layers[0].hidden[0].x=1', says='hidden', code=2)
    bad_train('--set', 'layers[0=3', says="']'", code=2)
    bad_train('--set', 'layers[0]x=3', says="']'", code=2)
    bad_train('--set', 'layers..repeat=3', says='empty', code=2)
    bad_train('--set', 'layers[0].layers[9].hidden=[8]', says=('9', 'list of 2'), hint='from 0 to 1', code=2)
    bad_train('--set', 'dtype.x=3', says='nothing below', code=2)
    bad_train('--set', 'hiden=[8]', says='hiden', hint='hidden', code=2)
    bad_train('--set', 'zzzzzz=8', says='zzzzzz', hint='nf parts', code=2)
    bad_train('--set', 'base.hidden=[8]', says='normal', code=2)
    bad_train('--set', 'hidden=[0]', says='hidden')  # a field, but not a valid value; the library reports it
    twice = '{"layers": [{"repeat": 2, "layers": [{"repeat": 3, "layers": [{"type": "reverse"}]}]}]}'
    bad_train('--set', 'repeat=4', spec=twice, says=('layers[0].repeat', 'layers[0].layers[0].repeat'), hint='whole path', code=2)


@case
def bad_splits():
    data()
    for split, says in (('0.8', 'two or three'), ('0.8,0.1,0.05,0.05', 'two or three'), ('0.8,x', 'two or three'),
                        ('0.8,0.1', 'add up to 0.9'), ('0,1', 'train on'), ('1.5,-0.5', 'two or three'), ('0.8,0.2,', 'two or three')):
        bad_train('--split', split, says=says, code=2)
    bad_train('--split', '0.9,0.1', '--holdout', '0.1', says=('--split', '--holdout'), code=2)
    bad_train('--split', '0.9,0.1', '--valid', 'train.npy', says=('--split', '--valid'), code=2)
    bad_train('--split', '0.8,0.1,0.1', '--test', 'train.npy', says=('--split', '--test'), code=2)
    bad_train('--split', '0.999,0.001', says='nothing to validate with')
    bad_train('--split', '0.8,0.199,0.001', says='nothing to test with')
    bad_train('--split-seed', '-1', says='not an integer of at least 0', code=2)
    bad_train('--split-out', 'parts.txt', says='parts.txt', code=2)


@case
def bad_options_name_the_nearest():
    data()
    bad_train('--option', 'lrr=1', says=('lrr', 'lr'), code=2)
    bad_train('--option', 'clip=1', says=('unknown option "clip"; did you mean', 'trainer.clip_norm'), code=2)
    bad_train('--option', 'learning_rate=1', says=('unknown option "learning_rate"; did you mean', 'trainer.lr'), code=2)
    bad_train('--learning-rate', '1', says='nf train has no option --learning-rate; did you mean --lr?', code=2)
    fails('options', 'batch_size', code=2, says='batch_size', hint="did you mean 'batch'?")
    bad_train('--batch', '2000000000', says='"batches.batch" = 2000000000 is outside [1, 1073741824]', code=2)
    bad_train('--lr', '2000000000', says='"trainer.lr" = 2000000000 is outside [0, 1000]', code=2)
    bad_train('--option', 'lr', says='key=value', code=2)
    bad_train('--option', 'metropolis.thin=2', says=('metropolis.thin', 'does not use'), hint='trainer, batches', code=2)
    bad_train('--option', 'thin=2', says=('thin', 'metropolis.thin'), code=2)
    bad_train('--lr', 'fast', says=('lr', 'fast'), code=2)
    bad_train('--lr', '-1', says='lr', code=2)
    bad_train('--optimizer', 'adamm', says=('adamm', 'adamw'), code=2)
    bad_train('--optimiser', 'adam', says=('--optimiser', '--optimizer'), code=2)
    bad_train('--step', '3', says='--step', code=2)
    bad_train('--momentum', '0.9', says='momentum', code=2)  # Adam has no momentum option


@case
def help_and_version_refuse_unknown_words():
    fails('help', 'trian', code=2, says=('nf has no command trian', 'did you mean train?'), hint='nf --help')
    fails('help', 'plot', 'densty', code=2, says=('nf plot has no command densty', 'density'), hint='nf plot --help')
    fails('version', 'x', code=2, says='x')


@case
def bad_usage():
    data()
    fails('trian', code=2, says=('trian', 'train'))
    fails('train', code=2, says='SPEC')
    fails('train', SPEC, '--data', 'train.npy', code=2, says='output')
    fails('score', 'm', code=2, says='--data')
    fails('layers', 'afine_coupling', code=2, says='afine_coupling', hint='affine_coupling')
    fails('options', 'shedule', code=2, says='shedule', hint='schedule')
    bad_train('--epochs', '3', says=('--steps', '--epochs'), code=2)
    bad_train('--holdout', '1.5', says='holdout', code=2)
    train()
    fails('sample', 'm.safetensors', code=2, says='-n')
    fails('sample', 'm.safetensors', '-n', '-3', code=2, says='-3 is not an integer of at least 0')
    fails('sample', 'm.safetensors', '-n', 'few', code=2, says='few is not an integer')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'x', '--steps', '-3', code=2, says='-3 is not an integer of at least 1')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'x', '--epochs', '-0.5', code=2, says='-0.5 is not a number above 0')
    fails('sample', 'm.safetensors', '-n', '3', '-o', 'x.txt', code=2, says=('x.txt', '.npy', '.csv'))
    fails('sample', 'm.safetensors', '-n', '3', '-o', 'no/such/x.csv', says='no/such/x.csv')
    fails('score', 'm.safetensors', '--data', 'train.npy', '-o', 'x.txt', code=2, says='x.txt')


@case
def never_overwrites_an_input():
    data()
    write_npy('other.npy', rows_of(100))
    os.symlink('train.npy', 'link')
    for target in ('train.npy', './train.npy', 'link'):
        fails('train', SPEC, '--data', 'train.npy', '-o', target, code=2, says=('-o', '--data', target))
    fails('train', SPEC, '--data', 'train.npy', '-o', 'm', '--curve', 'train.npy', code=2, says='--curve')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'm', '--checkpoint', 'm', code=2, says='same file')
    fails('train', SPEC, '--data', 'train.npy', '-o', 'other.npy', says=('other.npy', 'not a model'), hint='--force')
    train('--force', output='other.npy')
    train(output='other.npy')  # a model may replace a model


@case
def too_little_data():
    write_npy('train.npy', rows_of(3))
    bad_train(says='--holdout', hint='--holdout 0')
    bad_train('--holdout', '0.9', says='train')
    train('--holdout', '0', steps=2)


@case
def diverging_run_keeps_the_best_model():
    data()
    done = nf('train', SPEC, '--data', 'train.npy', '--steps', 3000, '--valid-every', 1, '--optimizer', 'sgd', '--lr', 10,
              '--set', 'layers.0.layers.0.scale=exp', '-o', 'm.safetensors', code=1)
    line = [x for x in done.stderr.splitlines() if x.startswith('nf: ') and 'warning' not in x][0]
    assert 'was not applied' in line or 'no validation had' in line, line
    assert '--lr' in done.stderr, done.stderr


harness.main(__doc__)
