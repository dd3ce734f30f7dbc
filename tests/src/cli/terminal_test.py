"""Output on a terminal, as opposed to a pipe: live progress, colors, the learning curve; NO_COLOR, locale and width."""
import os
import pty
import re
import select
import signal
import subprocess
import time

import harness
from harness import NF, SPEC, case, environment, nf, rows_of, train, write_npy

UTF8 = {'LANG': 'C.UTF-8', 'TERM': 'xterm'}


def on_terminal(*args, env=UTF8, width=100, signal_after=None):
    """Runs nf with standard output and error on a pseudo-terminal; returns (exit code, output)."""
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, width, 0, 0))
    run = subprocess.Popen([NF, *map(str, args)], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment(**env))
    os.close(theirs)
    shown, end = b'', time.monotonic() + 100
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 0.2)
        if ready:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
        if signal_after and signal_after in shown:
            run.send_signal(signal.SIGINT)
            signal_after = None
    os.close(ours)
    return run.wait(timeout=10), shown.decode()


def live_train(*more, steps=3000, **kw):
    write_npy('train.npy', rows_of(1000))
    return on_terminal('train', SPEC, '--data', 'train.npy', '--steps', steps, '-o', 'm.safetensors', *more, **kw)


@case
def live_line_on_a_terminal():
    code, shown = live_train()
    assert code == 0, shown
    for word in ('\r\033[2K', '━', 'loss ', 'valid ', 'rows/s', ' left', '/3,000'):
        assert word in shown, (word, shown)
    assert 'step 47/3000' not in shown, 'no plain lines on a terminal'


@case
def learning_curve_at_the_end():
    _, shown = live_train(env={'LANG': 'C.UTF-8', 'TERM': 'xterm', 'NO_COLOR': '1'})
    assert '●' in shown and '┤' in shown and '3,000 steps' in shown, shown
    assert '\033[3' not in shown and '\033[1m' not in shown, 'colors in spite of NO_COLOR'


@case
def plain_ascii_without_utf8():
    code, shown = live_train(env={'LANG': 'C', 'TERM': 'xterm'})
    assert code == 0 and shown.isascii() and '==' in shown, shown


@case
def dumb_terminals_get_plain_lines():
    code, shown = live_train(env={'LANG': 'C.UTF-8', 'TERM': 'dumb'})
    assert code == 0 and '\033' not in shown and re.search(r'^step \d+/3000  train', shown, re.M), shown


@case
def narrow_terminals_do_not_wrap():
    _, shown = live_train(width=40)
    for line in re.split(r'\r\033\[2K', shown)[1:-1]:
        text = re.sub(r'\033\[[0-9;]*m', '', line).split('\r')[0].split('\n')[0]
        assert len(text) < 40, (len(text), text)


@case
def ctrl_c_on_a_terminal():
    code, shown = live_train(steps=10_000_000, signal_after=b'left')
    assert code == 130 and 'interrupted at step' in shown and '--resume' in shown, shown
    assert os.path.exists('m.safetensors.checkpoint')


@case
def pipes_get_plain_lines():
    write_npy('train.npy', rows_of(1000))
    done = train('--valid-every', '10', steps=100, )
    assert '\033' not in done.stdout and '\r' not in done.stdout and done.stdout.isascii()
    steps = re.findall(r'^step (\d+)/100  train -?[\d.]+  valid -?[\d.]+', done.stdout, re.M)
    assert [int(s) for s in steps] == list(range(10, 101, 10)), done.stdout
    lines = done.stdout.splitlines()
    head = [i for i, line in enumerate(lines) if 'nats' in line and 'higher is better' in line and '* = best' in line]
    assert head == [next(i for i, line in enumerate(lines) if line.startswith('step 10/')) - 1], done.stdout
    assert 'nf score m.safetensors' in done.stdout and 'nf sample m.safetensors' in done.stdout


@case
def stars_mark_printed_improvements():
    """A validation gets a star only if its printed number is higher than that of the star before."""
    write_npy('train.npy', rows_of(1000))
    out = train('--valid-every', '1', '--lr', '1e-6', steps=30).stdout
    lines = re.findall(r'^step .*  valid (-?[\d.]+)( \*)?', out, re.M)
    assert len(lines) == 30, out
    best = None
    for value, star in lines:
        assert bool(star) == (best is None or float(value) > best), lines
        if star:
            best = float(value)
    assert len({v for v, _ in lines}) < 30, 'some validations print the same number'


@case
def colors_only_on_terminals():
    assert '\033' not in nf('layers').stdout
    code, shown = on_terminal('layers', 'affine_coupling')
    assert code == 0 and '\033[' in shown
    _, shown = on_terminal('layers', 'affine_coupling', env={'TERM': 'xterm', 'NO_COLOR': '1'})
    assert '\033' not in shown


harness.main(__doc__)
