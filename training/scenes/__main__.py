"""Write generated scenes to a folder: ``python -m training.scenes --count 100 --out scenes``."""

from __future__ import annotations

import argparse

from .dataset import Job, write_dataset


def size(text: str) -> tuple[int, int]:
    """Read '320x240'."""
    width, _, height = text.partition('x')
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 32:
        raise argparse.ArgumentTypeError(f'size is {text!r}; it must be WIDTHxHEIGHT, at least 32x32')
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog='python -m training.scenes', description=__doc__)
    parser.add_argument('--count', type=int, default=100, help='how many scenes (default 100)')
    parser.add_argument('--start', type=int, default=0, help='seed of the first scene (default 0)')
    parser.add_argument('--out', required=True, help='folder; scenes that it has already are kept')
    parser.add_argument(
        '--size', type=size, default=(320, 240), help='WIDTHxHEIGHT in pixels (default 320x240)'
    )
    parser.add_argument(
        '--split',
        choices=('train', 'test'),
        default='train',
        help='test: held-out shapes, textures and shades',
    )
    parser.add_argument('--processes', type=int, default=1, help='how many at once (default 1)')
    parser.add_argument('--jpeg', action='store_true', help='pictures as JPEG (default PNG)')
    parser.add_argument('--no-depth', action='store_true', help='leave depth out')
    options = parser.parse_args(arguments)
    job = Job(options.out, options.size, options.split, not options.no_depth, options.jpeg)
    rate = write_dataset(
        job,
        range(options.start, options.start + options.count),
        processes=max(1, options.processes),
        progress=True,
    )
    print(f'{rate:.2f} images/s')


if __name__ == '__main__':
    main()
