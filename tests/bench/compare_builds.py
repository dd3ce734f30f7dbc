"""Compares the benchmarks of two builds in one run, on a machine that may be noisy.

  compare_builds.py OLD_BUILD NEW_BUILD [--rounds N] [--filter REGEX] [--only BENCH,...] [--min-time SECONDS] [--cpu N]

OLD_BUILD and NEW_BUILD are build folders configured with -Dbench=true (`ninja -C FOLDER benches`). Each case runs in both
builds, one right after the other, in N rounds; which build comes first alternates. A round gives one ratio, the time of
the new build divided by that of the old. The result of a case is the median of its ratios, so a disturbance that hits
fewer than half of the rounds does not count, and slow changes of the machine cancel within a pair. A case above
--max-case is measured again, up to --retries times, and judged by all of its rounds.

Times are wall-clock for cases that ask for it (".../real_time": they run on several threads), else CPU time. Cases of
other libraries (--control) are the same code in both builds: they are left out of the mean, and show the noise.

Prints a line per case: median, [least, largest] ratio, best times. Then cases that only one build has, which are left
out, the geometric mean and the worst. Exit code 1 when the mean is above --max-mean or a case above --max-case.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys

UNITS = {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9}


def benches_of(build):
    folder = os.path.join(build, 'tests', 'bench')
    if not os.path.isdir(folder):
        sys.exit(f'{build} has no benchmarks: meson setup {build} -Dbench=true, ninja -C {build} benches')
    return {n for n in os.listdir(folder) if n.endswith('_bench') and os.access(os.path.join(folder, n), os.X_OK)}


def call(command, cpu):
    pin = ['taskset', '-c', str(cpu)] if cpu is not None else []
    done = subprocess.run(pin + command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'{" ".join(command)} failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
    return done.stdout


def names_of(path, pattern, cpu):
    listed = call([path, '--benchmark_list_tests', f'--benchmark_filter={pattern}'], cpu).splitlines()
    return [n for n in listed if n and not n.startswith('Failed to match')]


def time_of(path, name, seconds, cpu):
    """Nanoseconds of one iteration; NaN when the case reports an error."""
    # Not re.escape: \< has a meaning of its own in some regular expressions.
    exact = '^' + re.sub(r'[][.*+?(){}|^$\\]', r'\\\g<0>', name) + '$'
    out = call([path, f'--benchmark_filter={exact}', f'--benchmark_min_time={seconds}', '--benchmark_format=json'], cpu)
    for run in json.loads(out[out.index('{'):])['benchmarks']:
        if run['name'] == name and not run.get('error_occurred'):
            return run['real_time' if name.endswith('/real_time') else 'cpu_time'] * UNITS[run['time_unit']]
    return math.nan


def measure(paths, name, rounds, seconds, cpu):
    """(ratio of every round, [least old time, least new time])"""
    ratios, least = [], [math.inf, math.inf]
    for k in range(rounds):
        pair = [math.nan, math.nan]
        for side in ((0, 1), (1, 0))[k % 2]:
            pair[side] = time_of(paths[side], name, seconds, cpu)
            least[side] = min(least[side], pair[side])
        if all(t > 0 for t in pair):
            ratios.append(pair[1] / pair[0])
    return ratios, least


def geometric_mean(ratios):
    return math.exp(statistics.fmean(math.log(r) for r in ratios))


def summarize(medians, controls, max_mean, max_case):
    """Prints the summary; returns whether both limits hold."""
    if controls:
        print(f'{len(controls)} control cases: geometric mean {geometric_mean(controls.values()):.4f}, '
              f'from {min(controls.values()):.4f} to {max(controls.values()):.4f}')
    if not medians:
        print('the builds have no case in common')
        return False
    mean = geometric_mean(medians.values())
    worst, best = max(medians, key=medians.get), min(medians, key=medians.get)
    above = sorted((n for n in medians if medians[n] > max_case), key=medians.get, reverse=True)
    for name in above:
        print(f'above {max_case}: {medians[name]:.4f}  {name}')
    print(f'{len(medians)} cases, new / old: geometric mean {mean:.4f}, worst {medians[worst]:.4f} ({worst}), '
          f'best {medians[best]:.4f} ({best})')
    return mean <= max_mean and not above


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('old')
    parser.add_argument('new')
    parser.add_argument('--rounds', type=int, default=7, help='pairs of runs per case, 5 or more on a noisy machine')
    parser.add_argument('--filter', default='.', help='cases to run, a regular expression of Google Benchmark')
    parser.add_argument('--only', default='', help='benchmark programs to run, as in gemm,realnvp')
    parser.add_argument('--min-time', type=float, default=0.2, help='seconds of one run of a case')
    parser.add_argument('--cpu', type=int, default=None, help='run on this core alone')
    parser.add_argument('--control', default='openblas|, false>', help='cases that do not use the library')
    parser.add_argument('--max-mean', type=float, default=1.02)
    parser.add_argument('--max-case', type=float, default=1.06)
    parser.add_argument('--retries', type=int, default=2, help='a case above --max-case gets as many rounds again')
    parser.add_argument('--json', default='', help='also write the ratios of all rounds to this file')
    a = parser.parse_args(arguments)
    if a.rounds < 1:
        parser.error('--rounds must be at least 1')
    have = benches_of(a.old), benches_of(a.new)
    wanted = {w + '_bench' for w in a.only.split(',') if w}
    chosen = sorted((have[0] | have[1]) & wanted if wanted else have[0] | have[1])
    medians, controls, all_ratios, notes = {}, {}, {}, []
    for bench in chosen:
        paths = [os.path.join(build, 'tests', 'bench', bench) for build in (a.old, a.new)]
        lists = [names_of(p, a.filter, a.cpu) if bench in h else [] for p, h in zip(paths, have)]
        label = bench.removesuffix('_bench')
        for side, mine, other in (('old', *lists), ('new', *reversed(lists))):
            notes += [f'only in the {side} build, left out: {label} {n}' for n in mine if n not in other]
        for name in (n for n in lists[0] if n in lists[1]):
            ratios, least = measure(paths, name, a.rounds, a.min_time, a.cpu)
            for _ in range(a.retries):
                if not ratios or statistics.median(ratios) <= a.max_case:
                    break
                more, again = measure(paths, name, a.rounds, a.min_time, a.cpu)
                ratios, least = ratios + more, [min(t) for t in zip(least, again)]
            if not ratios:
                notes.append(f'no time, left out: {label} {name}')
                continue
            ratio = statistics.median(ratios)
            control = re.search(a.control, name) is not None
            (controls if control else medians)[f'{label} {name}'] = ratio
            all_ratios[f'{label} {name}'] = ratios
            print(f'{ratio:.4f} [{min(ratios):.3f}, {max(ratios):.3f}] {least[0] / 1e3:12.2f} -> {least[1] / 1e3:12.2f} us  '
                  f'{label} {name}{" (control)" if control else ""}', flush=True)
    for note in notes:
        print(note)
    good = summarize(medians, controls, a.max_mean, a.max_case)
    if a.json:
        with open(a.json, 'w', encoding='utf-8') as f:
            json.dump(all_ratios, f, indent=1)
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
