import itertools

import numpy as np
import pytest

from vla_attention.language import Instruction, Token, parse_instruction
from vla_attention.view import sentence
from vla_attention.view.sentence import COLOURS, LONGEST_LINE, draw_sentence
from vla_attention.view.text import draw_text, line_height, text_size


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
    assert width < 2200 and height < 2800       # the matrix of words of 40 letters is the widest


def test_what_is_cut_off_is_marked_and_the_rest_is_drawn_as_before():
    def shapes(count):
        return draw_sentence(long_words(count)).shape

    assert shapes(60) != shapes(61) == shapes(62), 'a row for all that have none'


def test_an_unknown_head_is_refused(instruction):
    with pytest.raises(ValueError, match=r"head must be one of .*'modifier'.* got 'colour'"):
        draw_sentence(instruction, 'colour')


KOREAN = ('빨간 컵을 천천히 집어서 파란 접시 위에 놓은 다음 '
          '노트북 왼쪽에 있는 숟가락을 조심해서 들어 서랍 안에 넣고 ')


@pytest.fixture
def line_of(monkeypatch):
    """Draw a sentence, and return its words and its weights: (text, (x, y), size), and the picture."""
    def draw(instruction, head):
        written = []

        def record(canvas, text, position, size, colour):
            written.append((text, position, size))
            draw_text(canvas, text, position, size, colour)

        monkeypatch.setattr(sentence, 'draw_text', record)
        picture = draw_sentence(instruction, head)
        begin = 1 + [text for text, _, _ in written].index(f'attention: {head}')    # the end of the legend
        line = written[begin:begin + 2 * len(instruction.tokens)]
        return line[::2], line[1::2], picture
    return draw


def test_a_long_sentence_has_lines_and_its_words_and_weights_can_be_read(line_of):
    instruction = parse_instruction(KOREAN * 5)
    tokens = instruction.tokens
    assert len(tokens) >= 110
    words, weights, picture = line_of(instruction, 'modifier')
    assert picture.shape[1] <= LONGEST_LINE <= 1800
    assert [text for text, _, _ in words] == [token.text for token in tokens], 'all of them'
    assert min(size for _, _, size in words) >= 14 and min(size for _, _, size in weights) >= 9
    places = [place for _, place, _ in words]
    tops = sorted({y for _, y in places})
    assert len(tops) > 1 and min(np.diff(tops)) > 60
    for (before, earlier), (token, place) in itertools.pairwise(zip(tokens, places, strict=True)):
        assert place[0] > earlier[0] or place[1] > earlier[1]
        assert token.start != before.end or place[1] == earlier[1], 'a written word is in one line'


def linked(words, *links):
    """Return an instruction of words of which the first of each pair attends to the second."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
    tokens = tuple(Token(word, start, start + len(word)) for word, start in zip(words, starts, strict=False))
    head = np.eye(len(words), dtype=np.float32)
    for query, key in links:
        head[query, key] = 1
    return Instruction(' '.join(words), 'en', tokens, heads={'modifier': head})


@pytest.mark.parametrize('words', [['a', 'W' * 40], ['W' * 40, 'a'], ['a', 'b', 'c', 'W' * 30, 'd'],
                                   ['a', 'b'] * 60])
def test_arcs_stay_below_the_legend(words):
    last = len(words) - 1
    plain = draw_sentence(linked(words), 'modifier')
    for links in ([(0, last)], [(last, 0)], [(0, 1), (0, last), (last, 1)]):
        picture = draw_sentence(linked(words, *links), 'modifier')
        legend = 24 + line_height(13)
        assert (picture[:legend] == plain[:legend]).all()
        assert (picture.min(2) < 60).sum() > (plain.min(2) < 60).sum() + 20, 'the arc itself'


@pytest.mark.parametrize('link', [(2, 100), (100, 2)])
def test_an_arc_to_another_line_leaves_at_the_edge_and_enters_there_again(line_of, link):
    words, _, picture = line_of(linked([f'word{index}' for index in range(110)], link), 'modifier')
    (_, (_, upper), _), (_, (_, lower), _) = words[2], words[100]
    end = max(place[0] + text_size(text, size)[0] + 5 for text, place, size in words)
    dark = picture.min(2) < 120
    left, right = np.flatnonzero(dark[:, 13:16].any(1)), np.flatnonzero(dark[:lower, end + 3:end + 9].any(1))
    assert lower - 100 < left.min() <= left.max() < lower, 'enters above its line, or leaves there'
    assert upper - 100 < right.min() <= right.max() < upper
    key = words[link[1]]
    x, y = round(key[1][0] - 5 + (text_size(key[0], key[2])[0] + 10) / 2), key[1][1]
    assert dark[y - 14:y - 9, x - 6:x + 7].sum(1).max() >= 8, 'the head of the arrow is at the key'
