"""The demo that scripts/demo.sh starts: asks the running nodes for things and shows what they answer."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import cv2
from demo_listener import Listener, NothingCameError, nanoseconds
from node_processes import STACK, Processes, end_on_sigterm

from vla_attention.ros.messages import read_rgb

ROOT = Path(__file__).resolve().parents[1]
PHOTOGRAPH = ('컵을 집어줘', 'pick up the spoon')
PARTS = ('action', 'target', 'destination', 'source', 'manner')


def show_regions(listener: Listener, parse: dict) -> int:
    """Wait for regions of the instruction, print them, and return the stamp of their image."""
    asked = listener.now()
    phrases = {step[part] for step in parse['steps'] for part in ('target', 'destination') if step[part]}
    empty: set[int] = set()

    def answered() -> bool:
        if not listener.newer(['focus/regions'], asked)():
            return False
        message = listener.latest['focus/regions']
        if not message.detections:
            # three empty answers: the phrase was looked for and is not in view
            empty.add(nanoseconds(message.header))
        found = {each.results[0].hypothesis.class_id for each in message.detections}
        return len(empty) > 2 or bool(found & phrases)

    listener.wait('focus/regions', answered)
    message = listener.latest['focus/regions']
    if not message.detections:
        print('  nothing of it is in view')
    for each in message.detections:
        guess, box = each.results[0].hypothesis, each.bbox
        print(f'  {each.id:<14} {guess.class_id:<22} score {guess.score:.2f}   '
              f'centre ({box.center.position.x:.0f}, {box.center.position.y:.0f})   '
              f'size {box.size_x:.0f} x {box.size_y:.0f} pixels')
    return nanoseconds(message.header)


def show_steps(parse: dict) -> None:
    """Print what the instruction was understood as."""
    for number, step in enumerate(parse['steps'], 1):
        said = ', '.join(f'{part} {step[part]!r}' for part in PARTS if step[part])
        print(f'  step {number}{" (forbidden)" if step["avoid"] else ""}: {said}')


def save_overlay(listener: Listener, stamp: int, path: Path) -> None:
    """Write the overlay of the image of that stamp, or a later one, as PNG."""
    listener.wait('overlay', listener.newer(['overlay'], stamp - 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(read_rgb(listener.latest['overlay']), cv2.COLOR_RGB2BGR))
    print(f'  picture: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}')


def show_space(listener: Listener, stamp: int) -> None:
    """Print boxes in space of that image or a later one."""
    listener.wait('focus/regions_3d', listener.newer(['focus/regions_3d'], stamp - 1))
    message = listener.latest['focus/regions_3d']
    for each in message.detections:
        centre, size = each.bbox.center.position, each.bbox.size
        print(f'  {each.id:<14} {each.results[0].hypothesis.class_id:<22} '
              f'centre ({centre.x:+.3f}, {centre.y:+.3f}, {centre.z:+.3f}) m   '
              f'size {size.x:.3f} x {size.y:.3f} x {size.z:.3f} m   in {message.header.frame_id}')
    cloud = listener.latest.get('focus/target/points')
    if cloud is not None:
        print(f'  focus/target/points: {cloud.width * cloud.height} points')


def show_rates(listener: Listener) -> None:
    """Print how often each topic comes, and how old the answers are."""
    listener.forget()
    listener.wait('30 images', lambda: listener.counts['image'] >= 30)
    for topic, rate in listener.rates().items():
        print(f'  {listener.node.resolve_topic_name(topic):<28} {rate:5.1f} Hz')
    for name, status in sorted(listener.diagnostics.items()):
        latency = ', '.join(f'{key} {value}' for key, value in status.items() if 'latency' in key)
        print(f'  {name:<28} {status["summary"] or "ok"}{": " + latency if latency else ""}')


def ask(listener: Listener, text: str, picture: Path) -> int:
    """Give an instruction, print and save the answer, and return the stamp of its image."""
    print(f'\n> {text}')
    parse = listener.ask(text)
    show_steps(parse)
    stamp = show_regions(listener, parse)
    save_overlay(listener, stamp, picture)
    return stamp


def play(listener: Listener, processes: Processes, out: Path) -> None:
    """Show the photograph and then the moving scene."""
    print(f'starting {", ".join((*STACK, "scene_camera"))}; their logs: {processes.log("NODE")}')
    for name in STACK:
        processes.start_node(name)
    processes.start_node('scene_camera', source='coffee', rate=10.0)

    print('\na real photograph (skimage.data.coffee), 10 Hz')
    for number, text in enumerate(PHOTOGRAPH, 1):
        ask(listener, text, out / f'photograph_{number}.png')
    print('\ntopics and rates')
    show_rates(listener)

    print('\na moving scene with depth')
    processes.stop('scene_camera')
    listener.forget()
    begun = listener.now()
    processes.start_node('scene_camera', source='scene', rate=10.0)
    # the camera gives the instruction that belongs to its scene
    listener.wait('the scene', listener.newer(['depth'], begun))
    listener.wait('the instruction of the scene', lambda: listener.latest.get('instruction/parsed'))
    stamp = ask(listener, listener.parse()['text'], out / 'scene.png')
    show_space(listener, stamp)
    print('\ntopics and rates')
    show_rates(listener)


def keep(listener: Listener, processes: Processes) -> None:
    """Go on until Ctrl-C; a node that ends is started again."""
    if shutil.which('rviz2') and (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        processes.start('rviz2', ['rviz2', '-d', str(ROOT / 'config' / 'attention.rviz')])
    print('\nrunning until Ctrl-C: ' + ', '.join(f'{name} {pid}' for name, pid in processes.pids().items()))
    print("in another terminal: bash scripts/demo.sh --ask 'put the cup on the plate'", flush=True)
    while True:
        listener.spin_once()
        for name, status in processes.ended():
            print(f'{name} has ended with status {status}; starting it again', flush=True)
            processes.restart(name)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog='scripts/demo.sh', description='Shows the stack at work.')
    parser.add_argument('--keep', action='store_true', help='leave the nodes running until Ctrl-C')
    parser.add_argument('--ask', metavar='TEXT',
                        help='give a running demo, or any running stack, an instruction')
    parser.add_argument('--out', type=Path, default=ROOT / 'out' / 'demo',
                        help='folder of pictures and logs (default: out/demo)')
    return parser.parse_args()


def main() -> int:
    """Run the demo."""
    options = arguments()
    end_on_sigterm()
    listener = Listener()
    processes = Processes(options.out / 'logs')
    try:
        if options.ask is not None:
            ask(listener, options.ask, options.out / 'asked.png')
            return 0
        play(listener, processes, options.out)
        if options.keep:
            keep(listener, processes)
    except KeyboardInterrupt:
        return 0 if options.keep else 130
    except NothingCameError as error:
        print(f'\n{error}\n{processes.last_words()}', file=sys.stderr)
        return 1
    finally:
        statuses = processes.stop()
        listener.close()
        for name, status in statuses.items():
            if status:
                print(f'{name} ended with status {status}', file=sys.stderr)
    command = Path(sys.prefix, 'bin', 'vla-attention')
    ground = command.relative_to(ROOT) if command.is_relative_to(ROOT) else 'python3 -m vla_attention.cli'
    print('\nnext: bash scripts/demo.sh --keep   and in another terminal   bash scripts/demo.sh --ask TEXT\n'
          f"or a photograph of your own:   {ground} ground PHOTO.jpg '빨간 컵을 집어줘' --out out/mine")
    return 0


if __name__ == '__main__':
    sys.exit(main())
