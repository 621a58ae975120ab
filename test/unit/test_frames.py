"""Frames from folders and videos, with clear errors."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from vla_attention.frames import FrameError, open_frames


def write(path, level):
    cv2.imwrite(str(path), np.full((24, 32, 3), (level, 0, 0), np.uint8))     # OpenCV writes blue first


def test_a_folder_gives_its_images_in_order(tmp_path):
    for number in (2, 0, 1):
        write(tmp_path / f'{number:04d}.png', 50 * number)
    (tmp_path / 'notes.txt').write_text('no image')
    frames = open_frames(tmp_path, 4.0)
    assert len(frames) == 3
    seen = list(frames)
    assert [time for time, _ in seen] == [0.0, 0.25, 0.5]
    assert [int(image[0, 0, 2]) for _, image in seen] == [0, 50, 100]      # RGB
    assert open_frames(tmp_path).fps == 10.0


def test_numbers_in_names_count_as_numbers(tmp_path):
    names = ['a.png', 'frame0.png', 'frame1.png', 'frame2.png', 'frame009.png', 'frame10.png',
             'frame10_2.png', 'frame10_10.png', 'frame011.png', 'frame11.png']
    for name in reversed(names):
        write(tmp_path / name, 1)
    assert [path.name for path in open_frames(tmp_path).paths] == names


def video(path, frames):
    """Write a video of growing brightness, in which no frame needs another."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 8.0, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 40 * number % 256, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(('share', 'says'), [
    (0.5, r'clip\.avi breaks off after (\d+) of 40 frames'), (1, None)])
def test_a_video_that_breaks_off_is_said_once(tmp_path, caplog, share, says):
    path = video(tmp_path / 'clip.avi', 40)
    data = path.read_bytes()
    path.write_bytes(data[:round(share * len(data))])
    frames = open_frames(path)
    for _ in range(2):      # the second time to draw what was seen
        seen = len(list(frames))
    told = [record.getMessage() for record in caplog.records]
    if says is None:
        assert not told and seen == 40
    else:
        assert len(told) == 1 and int(re.search(says, told[0])[1]) == seen
        assert 5 < seen < 30


def test_a_video_gives_its_frames(tmp_path):
    frames = open_frames(path := video(tmp_path / 'clip.avi', 5))
    seen = list(frames)
    assert len(seen) == len(frames) == 5 and seen[1][0] == pytest.approx(0.125)
    assert seen[3][1].shape == (48, 64, 3) and abs(int(seen[3][1].mean()) - 120) < 6
    assert next(iter(open_frames(path, 2.0)))[0] == 0.0 and list(open_frames(path, 2.0))[1][0] == 0.5


@pytest.mark.parametrize('name, text', [('missing', 'does not exist'), ('empty', 'holds no image'),
                                        ('clip.mp4', 'no video')])
def test_what_cannot_be_read_is_named(tmp_path, name, text):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'clip.mp4').write_text('this is no video')
    with pytest.raises(FrameError, match=text):
        open_frames(tmp_path / name)


def test_a_broken_image_is_named(tmp_path):
    write(tmp_path / '0.png', 1)
    (tmp_path / '1.png').write_bytes(b'no image')
    frames = iter(open_frames(tmp_path))
    next(frames)
    with pytest.raises(FrameError, match=r'1\.png'):
        next(frames)


@pytest.mark.parametrize('fps', [0.0, -1.0, float('nan'), float('inf')])
def test_a_senseless_rate_is_refused(tmp_path, fps):
    write(tmp_path / '0.png', 1)
    with pytest.raises(FrameError, match='fps'):
        open_frames(tmp_path, fps)
