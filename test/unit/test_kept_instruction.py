"""The last instruction on disk: whole or not at all, there after a crash, gone after an orderly end."""

import json
import os
import stat

import pytest

from vla_attention.ros.kept_instruction import ATTEMPTS, BYTES, KeptError, KeptInstruction

NAME = 'robot.instruction_node.instruction.json'


@pytest.fixture
def kept(tmp_path):
    return lambda: KeptInstruction(str(tmp_path / 'state'), '/robot/instruction_node')


def test_what_was_kept_is_taken_up_by_the_next_process(kept, tmp_path):
    assert kept().take_up() == ''
    before = kept()
    before.keep('컵을 집어줘')
    before.keep('빨간 컵을\n집어줘')
    assert kept().take_up() == '빨간 컵을\n집어줘'
    file = tmp_path / 'state' / NAME
    assert list(file.parent.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_is_forgotten_is_not_taken_up(kept):
    before = kept()
    before.keep('컵을 집어줘')
    before.forget()
    before.forget()
    assert kept().take_up() == ''
    before.keep('컵을 집어줘')
    assert kept().take_up() == '컵을 집어줘'


def test_each_node_has_its_own(kept, tmp_path):
    kept().keep('컵을 집어줘')
    assert KeptInstruction(str(tmp_path / 'state'), '/instruction_node').take_up() == ''


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nothing = KeptInstruction('', '/instruction_node')
    nothing.keep('컵을 집어줘')
    assert nothing.take_up() == ''
    assert not list(tmp_path.iterdir())


def test_an_instruction_that_crashes_are_put_down_to_is_left_alone(kept):
    kept().keep('컵을 집어줘')
    for _ in range(ATTEMPTS):
        assert kept().take_up() == '컵을 집어줘'
    with pytest.raises(KeptError, match=r'crashed 5 times.*컵을 집어줘'):
        kept().take_up()
    assert kept().take_up() == ''


def test_one_that_is_proven_is_not(kept):
    kept().keep('컵을 집어줘')
    for _ in range(3 * ATTEMPTS):
        process = kept()
        assert process.take_up() == '컵을 집어줘'
        process.proven()


@pytest.mark.parametrize('content', [
    b'', b'\xff\xfe', b'{"text": "cup"', b'[]', b'"cup"', b'{"text": 3, "attempts": 0}', b'{"text": "cup"}',
    b'[' * 16000, json.dumps({'text': 'x' * BYTES, 'attempts': 0}).encode()])
def test_content_of_others_is_named_and_removed(kept, tmp_path, content):
    (tmp_path / 'state').mkdir()
    (tmp_path / 'state' / NAME).write_bytes(content)
    with pytest.raises(KeptError, match=NAME):
        kept().take_up()
    assert kept().take_up() == ''


def test_neither_a_pipe_nor_a_link_is_read(kept, tmp_path):
    file = tmp_path / 'state' / NAME
    file.parent.mkdir()
    os.mkfifo(file)
    with pytest.raises(KeptError, match='no file of an instruction'):
        kept().take_up()
    (tmp_path / 'other').write_text('{"text": "cup", "attempts": 0}')
    file.symlink_to(tmp_path / 'other')
    with pytest.raises(KeptError, match=NAME):
        kept().take_up()
    assert (tmp_path / 'other').exists()


def test_what_cannot_be_written_leaves_nothing_out_of_date(kept, tmp_path, monkeypatch):
    process = kept()
    process.keep('컵을 집어줘')

    def full(*arguments, **named):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(json, 'dump', full)
    with pytest.raises(OSError, match='No space'):
        process.keep('숟가락을 집어줘')
    monkeypatch.undo()
    assert not list((tmp_path / 'state').iterdir())
    process.keep('숟가락을 집어줘')
    assert kept().take_up() == '숟가락을 집어줘'
