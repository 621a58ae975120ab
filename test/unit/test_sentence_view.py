import numpy as np
import pytest

from vla_attention.language import Instruction, Token, parse_instruction
from vla_attention.view.sentence import COLOURS, LONGEST_LINE, draw_sentence


@pytest.fixture
def instruction():
    tokens = (Token('빨간', 0, 2, 'target', 0.7), Token('컵', 3, 4, 'target', 1.0),
              Token('을', 4, 5, '', 0.1), Token('집어', 6, 8, 'action', 1.0))
    modifier = np.eye(4, dtype=np.float32)
    modifier[0] = 0.1, 0.9, 0, 0
    heads = {'modifier': modifier, 'time': np.eye(4, dtype=np.float32)}
    return Instruction('빨간 컵을 집어', 'ko', tokens, heads=heads)


def test_roles_have_their_colours_and_weights_their_strength(instruction):
    picture = draw_sentence(instruction, 'modifier')
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    found = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert COLOURS['target'] in found
    assert COLOURS['action'] in found
    weak = draw_sentence(Instruction(instruction.text, 'ko', tuple(
        Token(token.text, token.start, token.end, token.role, 0.0) for token in instruction.tokens)))
    strong = draw_sentence(Instruction(instruction.text, 'ko', instruction.tokens))
    assert weak.shape == strong.shape
    assert weak.mean() > strong.mean()      # more weight, more colour


def test_a_head_with_links_draws_arcs(instruction):
    with_links, without = (draw_sentence(instruction, head) for head in ('modifier', 'time'))
    assert (with_links.min(2) < 60).sum() > (without.min(2) < 60).sum()
    assert draw_sentence(instruction).shape[0] > 100     # the mean of all heads


def test_an_empty_parse_shows_its_reason():
    long, short = (draw_sentence(Instruction('멈춰', reason=reason))
                   for reason in ('nothing is named here at all', ''))
    assert long.shape[1] > short.shape[1]


def test_a_parse_without_heads_and_a_long_one_are_drawn(instruction):
    without = draw_sentence(Instruction.from_dict(instruction.to_dict()))
    assert without.shape[0] < draw_sentence(instruction).shape[0]
    words = tuple(Token('cup', 4 * index, 4 * index + 3, 'target', 0.5) for index in range(200))
    assert draw_sentence(Instruction('cup ' * 200, 'en', words)).shape[1] <= LONGEST_LINE


def long_words(count):
    tokens = tuple(Token('주걱' * 40, 81 * index, 81 * index + 80, 'target', 0.5) for index in range(count))
    return Instruction('', 'ko', tokens, heads={'time': np.eye(count, dtype=np.float32)})


@pytest.mark.parametrize('instruction', [
    parse_instruction(('pick up the red mug and put it on the tray, then ' * 50)[:2000]), long_words(300)])
def test_the_picture_of_a_long_text_has_an_end(instruction):
    height, width, _ = draw_sentence(instruction).shape
    assert len(instruction.tokens) >= 300
    assert width <= LONGEST_LINE and height < 2500


def test_what_is_cut_off_is_marked_and_the_rest_is_drawn_as_before():
    def shapes(count):
        return draw_sentence(long_words(count)).shape

    assert shapes(60) != shapes(61) == shapes(62), 'a row for all that have none'


def test_an_unknown_head_is_refused(instruction):
    with pytest.raises(ValueError, match=r"head must be one of .*'modifier'.* got 'colour'"):
        draw_sentence(instruction, 'colour')
