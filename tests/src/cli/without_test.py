"""nf built without cairo or giflib: everything but pictures works, and nf plot says what to install."""
import os
import sys

import harness
from harness import case, rows_of, write_npy

NF, WITHOUT_CAIRO, WITHOUT_GIF = (os.path.abspath(path) for path in sys.argv[1:4])


def models():
    harness.NF = WITHOUT_CAIRO
    write_npy('train.npy', rows_of(200))
    harness.train('--curve', 'c.csv')


@case
def without_cairo_no_pictures():
    models()
    harness.nf('score m.safetensors --data train.npy')
    assert 'density' in harness.nf('plot --help').stdout
    for picture, name in (('density', 'p.png'), ('samples', 'p.png'), ('pairs', 'p.png'), ('layers', 'p.png'), ('flow', 'p.gif'),
                          ('images', 'p.png')):
        harness.fails('plot', picture, 'm.safetensors', '-o', name, says=('without cairo',), hint='libcairo2-dev')
    harness.fails('plot', 'latents', 'm.safetensors', '--data', 'train.npy', '-o', 'p.png', says='without cairo')
    harness.fails('plot', 'scores', 'm.safetensors', '--data', 'train.npy', '-o', 'p.png', says='without cairo', hint='-Dcairo=enabled')
    harness.fails('sample', 'm.safetensors', '-n', 4, '--grid', 'p.png', says='without cairo', hint='libcairo2-dev')
    harness.fails('plot', 'curve', 'c.csv', '-o', 'p.png', says='without cairo', hint='libcairo2-dev')
    harness.fails('plot', 'sheet', 'm.safetensors', '--data', 'train.npy', '-o', 'p.png', says='without cairo', hint='libcairo2-dev')
    harness.fails('plot', 'target', 'u1', '-o', 'p.png', says='without cairo', hint='libcairo2-dev')
    harness.fails('plot', 'densty', 'm.safetensors', code=2, says=('densty', 'did you mean density'))
    assert not os.path.exists('p.png')


@case
def without_giflib_no_animations():
    models()
    harness.NF = WITHOUT_GIF
    harness.nf('plot samples m.safetensors --size 120 -o p.png')
    harness.fails('plot', 'flow', 'm.safetensors', '-o', 'p.gif', says='without giflib', hint='libgif-dev')
    harness.NF = NF
    harness.nf('plot samples m.safetensors --size 120 -o q.png')
    with open('p.png', 'rb') as p, open('q.png', 'rb') as q:
        assert p.read() == q.read()


harness.main(__doc__)
