"""Runs that an earlier nf started continue: the options in their checkpoints had no scopes before 0.2."""
import os
import shutil

import harness
from harness import ROOT, case, fails, info, nf, rows_of, write_npy

SMALL = '{"layers": [{"type": "affine_coupling", "net": {"type": "mlp", "hidden": [4]}}]}'
# Checkpoints after 20 steps, by nf 0.1.0 on AVX3, where 10 more steps gave these hashes:
#   nf train SMALL --data train.npy --steps 20 --batch 32 --seed 7 --lr 0.003 --schedule cosine --option max_steps=30
#     --valid-every 10
#   nf fit-target SMALL --target banana --data train.npy --objective symmetric --steps 20 --seed 7 --lr 0.01 --samples 32
#     --option max_steps=30
TRAINED, FITTED = 'e797c2b981860cda', 'a5ed4e5d33ea2cd7'
SAME_BITS = 'AVX3' in nf('version').stdout


def start(name):
    write_npy('train.npy', rows_of(200))
    shutil.copy(os.path.join(ROOT, 'tests/src/cli/files', name + '_0.1.checkpoint'), 'a.checkpoint')


@case
def training_continues():
    start('train')
    resume = ('train', SMALL, '--data', 'train.npy', '--valid-every', 10, '-o', 'a', '--resume')
    fails(*resume, '--lr', '0.5', says='lr is 0.5 and was 0.003', hint='drop --lr')
    fails(*resume, '--seed', '8', says='seed is 8 and was 7', hint='drop --seed')
    nf(*resume, '--steps', 30)
    run = info('a.checkpoint')['notes']['run']
    assert run['step'] == 30
    assert run['options'] == {'batches.batch': '32', 'batches.seed': '7', 'trainer.lr': '0.003', 'trainer.max_steps': '30',
                              'trainer.schedule': 'cosine', 'trainer.seed': '7'}, run['options']
    assert info('a.checkpoint')['hash'] == TRAINED or not SAME_BITS
    nf(*resume, '--steps', 40)  # what this version wrote continues, too


@case
def fits_continue():
    start('fit_target')
    resume = ('fit-target', SMALL, '--target', 'banana', '--data', 'train.npy', '-o', 'a', '--weigh', 100, '--resume')
    fails(*resume, '--samples', '64', says='samples is 64 and was 32', hint='drop --samples')
    nf(*resume, '--steps', 30)
    options = info('a.checkpoint')['notes']['run']['options']
    assert options['trainer.objective'] == 'symmetric' and options['batches.seed'] == '7', options
    assert info('a')['hash'] == FITTED or not SAME_BITS


harness.main(__doc__)
