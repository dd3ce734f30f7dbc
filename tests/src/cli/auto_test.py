"""nf train auto: the spec and settings that follow from the size of the data, and what of them the user can change."""
import json
import os
import random
import shlex

import harness
from harness import case, fails, info, nf, read_npy, rows_of, write_csv, write_npy


def auto(*more, data='train.npy', output='m.safetensors'):
    return nf('train', 'auto', '--data', data, '-o', output, *more)


def layers_of(path):
    found = []

    def walk(layers):
        for layer in layers:
            walk(layer['layers']) if 'layers' in layer else found.append(layer['type'])

    spec = info(path)['spec']
    walk(spec['layers'])
    walk(spec['base'].get('layers', []))
    return found


@case
def a_folder_named_like_a_preset_is_no_spec():
    os.mkdir('auto')
    write_csv('t.csv', rows_of(60), ['a', 'b'])
    auto('--steps', 1, data='t.csv')
    fails('train', 'auto', '--data', 'none.csv', '-o', 'x.safetensors', says='none.csv')


@case
def ranks_outliers_among_the_rows_it_is_fitted_to():
    rng = random.Random(4)
    # A constant column, levels, repeated rows and a scale far from 1; the last 15 of 315 rows are off the diagonal.
    rows = [[1e3 * (t := rng.gauss(0, 1)), t + rng.gauss(0, 0.2), rng.randrange(3), 7] for _ in range(240)]
    rows += rows[:60]
    rows += [[1e3 * (t := rng.choice([-2, 2])), -t + rng.gauss(0, 0.2), 1, 7] for _ in range(15)]
    write_npy('train.npy', rows)
    summary = json.loads(auto('--json').stdout)
    assert summary['steps'] == 500 and summary['best_step'] == 500, summary
    assert 'noise' in layers_of('m.safetensors'), layers_of('m.safetensors')
    nf('score', 'm.safetensors', '--data', 'train.npy', '-o', 's.npy')
    scores = read_npy('s.npy')[1]
    above = sum(scores[i] > scores[j] for i in range(300) for j in range(300, 315))
    assert above > 0.97 * 300 * 15, above / (300 * 15)


@case
def says_what_a_ranking_model_is_for():
    write_csv('t.csv', [[*row, 3 * row[0]] for row in rows_of(300)], ['speed', 'n children', 'c'])
    said = auto('--columns', 'speed,n children', '--steps', 20, data='t.csv').stdout
    commands = [line.strip() for line in said.split('next\n')[1].splitlines()]
    assert [c.split()[1] for c in commands] == ['score', 'plot'], commands
    for command in commands:  # as they are printed
        nf(*shlex.split(command)[1:])
    with open('scores.csv') as f:
        assert f.readline().strip() == 'log_prob,percentile,anomaly'
    assert 'its samples are wider than the data' in nf('sample m.safetensors -n 5').stderr
    checked = nf('check', 'm.safetensors', '--data', 't.csv', code=None).stdout
    assert 'FAIL' not in checked or 'it ranks rows' in checked, checked
    auto('--columns', 'speed,n children', '--steps', 20, '--holdout', 0.2, data='t.csv', output='d.safetensors')
    assert nf('sample d.safetensors -n 5').stderr == ''


@case
def fits_for_held_out_rows_when_they_are_asked_for():
    write_npy('train.npy', rows_of(400))
    auto('--holdout', '0.2', '--steps', '20')
    assert 'spline_autoregressive' in layers_of('m.safetensors'), layers_of('m.safetensors')
    auto('--valid', 'train.npy', '--steps', '20', output='v.safetensors')
    assert layers_of('v.safetensors') == layers_of('m.safetensors')
    write_npy('many.npy', rows_of(20_001, cols=1))
    auto('--steps', '5', data='many.npy', output='n.safetensors')
    assert 'noise' not in layers_of('n.safetensors'), layers_of('n.safetensors')


@case
def has_fewer_and_simpler_members_in_wide_tables():
    def members(columns):
        write_npy('wide.npy', rows_of(30, cols=columns))
        auto('--steps', '2', data='wide.npy', output='w.safetensors')
        return info('w.safetensors')['spec']['base']['members'], 'masked_autoregressive' in layers_of('w.safetensors')

    assert members(3) == (4, True), members(3)
    assert members(400) == (2, True), members(400)
    assert members(801) == (1, False), members(801)


@case
def settings_of_the_user_go_first():
    write_csv('t.csv', rows_of(100), ['a', 'b'])
    out = auto('--steps', '7', '--set', 'std=0.5', '--set', 'base.base=normal', '--batch', '50', data='t.csv').stdout
    assert '7 steps (3.5 epochs' in out, out
    spec = info('m.safetensors')['spec']
    assert spec['base']['base'] == {'type': 'normal'} and spec['base']['layers'][0]['std'] == 0.5, spec['base']


@case
def resumes_to_the_bits_of_one_run():
    write_npy('train.npy', rows_of(200))
    auto('--steps', '60', '--lr', '0.001', '--schedule', 'constant', output='whole.safetensors')
    auto('--steps', '30', '--lr', '0.001', '--schedule', 'constant')
    auto('--steps', '60', '--resume')
    a, b = (open(name, 'rb').read() for name in ('whole.safetensors', 'm.safetensors'))
    nf('score', 'whole.safetensors', '--data', 'train.npy', '-o', 'a.npy')
    nf('score', 'm.safetensors', '--data', 'train.npy', '-o', 'b.npy')
    assert read_npy('a.npy') == read_npy('b.npy'), (len(a), len(b))


@case
def a_file_of_that_name_is_a_spec():
    write_npy('train.npy', rows_of(50))
    with open('auto', 'w') as f:
        f.write('{"layers": [{"type": "elementwise_affine"}]}')
    auto('--steps', '3')
    assert layers_of('m.safetensors') == ['elementwise_affine']


@case
def takes_one_column_and_refuses_one_row_and_missing_values():
    write_npy('one.npy', [[1.0], [2.0], [4.0]])
    auto(data='one.npy')
    write_npy('row.npy', [[1.0, 2.0, 3.0]])
    said = nf('train', 'auto', '--data', 'row.npy', '-o', 'r.safetensors', code=1).stderr  # after a warning
    assert '1 row is few for 3 columns' in said and 'needs at least 2 rows for that, got 1' in said, said
    write_npy('bad.npy', [[1.0, 2.0], [float('nan'), 0.0]])
    fails('train', 'auto', '--data', 'bad.npy', '-o', 'b.safetensors', says='row 1')


harness.main(__doc__)
