"""Writes two moons, the customary toy density in the plane, as float32 .npy: two_moons.py OUT.npy ROWS SEED.

Half circles of radius 1 around (0, 0) and (1, 0.5), the second turned down, plus normal noise of 0.1. Standard library only.
"""
import math
import random
import struct
import sys


def main(path, rows, seed):
    rng = random.Random(seed)
    values = []
    for _ in range(rows):
        angle, lower = math.pi * rng.random(), rng.random() < 0.5
        x, y = math.cos(angle), math.sin(angle)
        if lower:
            x, y = 1 - x, 0.5 - y
        values += [x + rng.gauss(0, 0.1), y + rng.gauss(0, 0.1)]
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 2), }}"
    header += ' ' * (-(len(header) + 11) % 64) + '\n'  # magic, version, length and header fill whole 64-byte blocks
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode())
        f.write(struct.pack(f'<{len(values)}f', *values))


if __name__ == '__main__':
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
