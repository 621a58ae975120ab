import json
import unicodedata

import numpy as np
import pytest

from vla_attention.language import Instruction, InstructionParser, parse_instruction
from vla_attention.language.instruction import HEADS, ROLES, Step
from vla_attention.language.parser import MAX_CHARACTERS

GUIDE = '빨간 컵을 천천히 집어서 조심스럽게 파란 접시 위에 놓아줘'


@pytest.fixture(scope='module')
def parser():
    return InstructionParser()


def link(instruction, head, word):
    """Return the token that a word attends to most."""
    texts = [token.text for token in instruction.tokens]
    return texts[int(instruction.heads[head][texts.index(word)].argmax())]


def test_the_guides_example(parser):
    parsed = parser.parse(GUIDE)
    assert parsed.language == 'ko'
    assert parsed.reason == ''
    assert parsed.roles == {'target': ['빨간 컵'], 'action': ['집어서', '놓아줘'],
                            'manner': ['천천히', '조심스럽게'], 'destination': ['파란 접시 위'], 'source': []}
    assert parsed.steps == (Step('집어서', '빨간 컵', manner='천천히'),
                            Step('놓아줘', '빨간 컵', '파란 접시 위', manner='조심스럽게'))


def test_the_same_in_english(parser):
    parsed = parser.parse('Pick up the red cup slowly and carefully place it on the blue plate.')
    assert parsed.language == 'en'
    assert parsed.steps == (Step('Pick up', 'red cup', manner='slowly'),
                            Step('place', 'red cup', 'on the blue plate', manner='carefully'))


def test_heads_link_what_belongs_together(parser):
    parsed = parser.parse(GUIDE)
    count = len(parsed.tokens)
    assert set(HEADS) <= set(parsed.heads)
    for head in parsed.heads.values():
        assert head.shape == (count, count)
        assert head.dtype == np.float32
        np.testing.assert_allclose(head.sum(1), 1, atol=1e-4)
    assert link(parsed, 'modifier', '빨간') == '컵'
    assert link(parsed, 'modifier', '파란') == '접시'
    assert link(parsed, 'argument', '컵') == '집어서'
    assert link(parsed, 'argument', '접시') == '놓아줘'
    assert link(parsed, 'action_order', '집어서') == '놓아줘'
    assert link(parsed, 'cause', '천천히') == '집어서'
    assert link(parsed, 'modifier', '을') == '을'    # no link: itself


def test_time_words_link_to_their_verbs(parser):
    parsed = parser.parse('먼저 사과를 바구니에 담고 그다음 오렌지를 접시 위에 놓아')
    assert link(parsed, 'time', '먼저') == '담고'
    assert link(parsed, 'time', '그다음') == '놓아'


def test_weights_rank_things_and_verbs_over_manner_over_particles(parser):
    parsed = parser.parse(GUIDE)
    weight = {token.text: token.weight for token in parsed.tokens}
    assert all(0 <= value <= 1 for value in weight.values())
    manner = weight['천천히']
    assert min(weight['컵'], weight['집어서'], weight['놓아줘'], weight['접시']) > manner
    assert manner > 2 * max(weight['을'], weight['에'])
    assert 0.5 < manner < 0.85


def test_tokens_cover_the_text(parser):
    for text in (GUIDE, '  Please,  take the "blue" pen!  ', 'USB 케이블을 3번 상자에 넣어'):
        parsed = parser.parse(text)
        assert parsed.tokens
        assert all(parsed.text[token.start:token.end] == token.text for token in parsed.tokens)
        assert ''.join(token.text for token in parsed.tokens) == ''.join(parsed.text.split())
        assert all(token.role in (*ROLES, '') for token in parsed.tokens)


@pytest.mark.parametrize(('text', 'roles'), [
    ('take the third jar from the left', {'target': ['third jar from the left']}),
    ('Hold the pan by the handle', {'target': ['pan'], 'manner': ['by the handle']}),
    ('turn the glass upside down', {'target': ['glass'], 'manner': ['upside down']}),
    ('put the hammer back into the crate', {'target': ['hammer'], 'destination': ['back into the crate']}),
    ('Before you shut the box, lay the key inside it.',
     {'target': ['box', 'key'], 'destination': ['inside it']}),
    ('Wipe the table with a damp cloth', {'target': ['table'], 'manner': ['with a damp cloth']}),
    ('The white towel goes in the basket',
     {'target': ['white towel'], 'action': ['goes'], 'destination': ['in the basket']}),
    ('The plate is dirty, wash it please', {'target': ['plate'], 'action': ['wash']}),
    ('Put everything on the desk into the box',
     {'target': ['everything on the desk'], 'destination': ['into the box']}),
    ('Push the cart slowly down the aisle',
     {'target': ['cart'], 'manner': ['slowly'], 'destination': ['down the aisle']}),
    ('Tell me where the scissors are', {'target': ['scissors']}),
    ('컵이 더러우니까 씻어줘', {'target': ['컵'], 'action': ['씻어줘']}),
    ('사과를 나한테 줘', {'target': ['사과'], 'destination': ['나']}),
    ('문 뒤에 상자를 놔', {'target': ['상자'], 'destination': ['문 뒤']}),
    ('ＴＶ 리모컨을 집어줘', {'target': ['ＴＶ 리모컨']}),
    ('접시에 남은 음식을 쓰레기통에 버려', {'target': ['접시에 남은 음식'], 'destination': ['쓰레기통']}),
    ('쿠키 두 개만 꺼내줘', {'target': ['쿠키 두 개']}),
    ('내 열쇠 어디 있는지 찾아봐', {'target': ['내 열쇠']}),
    ('앞에서 두 번째 접시를 집어', {'target': ['앞에서 두 번째 접시']}),
    ('빨간 걸레로 책상을 닦아', {'target': ['책상'], 'manner': ['빨간 걸레로']}),
    ('상자를 오른쪽으로 밀어', {'target': ['상자'], 'destination': ['오른쪽']}),
    ('혹시 괜찮으시면 컵을 내 앞에 놓아 주세요', {'target': ['컵'], 'destination': ['내 앞']})])
def test_what_describes_a_thing_is_told_from_manner_and_place(parser, text, roles):
    parsed = parser.parse(text)
    for role in ('target', 'manner', 'destination', 'source'):
        assert parsed.roles[role] == roles.get(role, []), role


@pytest.mark.parametrize(('text', 'first', 'second'), [
    ('Before closing the drawer, put the pen in the box.', 'put', 'closing'),
    ('After opening the box, take out the screw.', 'opening', 'take out'),
    ('서랍을 닫기 전에 펜을 상자에 넣어', '넣어', '닫기'),
    ('상자를 연 다음에 나사를 꺼내', '연', '꺼내')])
def test_steps_stand_in_the_order_of_execution(parser, text, first, second):
    assert [step.action for step in parser.parse(text).steps] == [first, second]


@pytest.mark.parametrize(('text', 'avoided'), [
    ('Do not touch the knife.', ['knife']), ('칼은 만지지 마', ['칼']),
    ("Pick up the apple, but don't move the blue cup.", ['blue cup']),
    ('Avoid the vase and bring the bowl.', ['vase']),
    ('뜨거운 냄비는 만지지 말고 접시를 옮겨', ['뜨거운 냄비']), ('냄비에는 손대지 마', ['냄비']),
    ('파란 컵 말고 빨간 컵을 집어 줘', ['파란 컵'])])
def test_what_is_forbidden_is_flagged(parser, text, avoided):
    assert parser.parse(text).avoided == avoided


def test_what_is_not_forbidden_is_not_flagged(parser):
    for text in (GUIDE, 'Pour the milk into the glass without spilling', '컵을 깨지지 않게 옮겨'):
        assert parser.parse(text).avoided == []


@pytest.mark.parametrize('text', [
    '', '   \n', 'x' * (MAX_CHARACTERS + 1), 'pick up \x00 the cup', '赤いカップを取ってください',
    '把红色的杯子拿起来', 'Возьми красную чашку', '1234 5678', '🙂🙂', 'How is the weather today?',
    '오늘 날씨 어때?', 'stop', '멈춰',
    'Nimm die rote Tasse und stell sie auf den Tisch', 'ㅋㅋㅋㅋ', 'asdf qwer zxcv'])
def test_no_guess_where_nothing_is_named(parser, text):
    parsed = parser.parse(text)
    assert parsed.reason
    assert parsed.steps == ()
    assert parsed.targets == parsed.destinations == parsed.avoided == []
    assert all(spans == [] for spans in parsed.roles.values())


def test_whatever_is_written_does_not_raise(parser):
    rng = np.random.default_rng(0)
    codes = (*range(32, 127), *range(0xAC00, 0xAC40), *range(0x3040, 0x3060), 0x1F600, 0x200B)
    letters = [chr(code) for code in codes]
    for _ in range(100):
        parser.parse(''.join(rng.choice(letters, rng.integers(1, 60))))
    parser.parse('컵' * MAX_CHARACTERS)
    parser.parse('a ' * (MAX_CHARACTERS // 2))


def test_a_text_that_is_no_string_is_refused(parser):
    with pytest.raises(ValueError, match='text must be a string, got bytes'):
        parser.parse(b'pick')


def test_decomposed_korean_is_the_same(parser):
    assert parser.parse(unicodedata.normalize('NFD', GUIDE)) == parser.parse(GUIDE)


def test_json_and_back():
    parsed = parse_instruction(GUIDE)
    again = Instruction.from_dict(json.loads(json.dumps(parsed.to_dict(), ensure_ascii=False)))
    assert again == parsed


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        InstructionParser(tmp_path / 'nowhere.safetensors')


@pytest.mark.parametrize('change', [
    {'steps': [{'target': 5}]}, {'steps': [{'target': ['a']}]}, {'steps': [{'avoid': 1}]},
    {'roles': {'target': 'cup'}}, {'roles': {'target': [1]}},
    {'tokens': [{'text': 'a', 'start': 'b', 'end': 1}]}, {'steps': 3}, {'steps': [7]}])
def test_a_parse_of_wrong_types_is_refused(parser, change):
    with pytest.raises(ValueError, match='wrong form'):
        Instruction.from_dict({**parser.parse('pick up the cup').to_dict(), **change})


def test_two_places_of_one_action_are_two_things_to_look_for(parser):
    parsed = parser.parse('put the banana on the plate and in the bowl')
    assert parsed.destinations == ['on the plate', 'in the bowl']
