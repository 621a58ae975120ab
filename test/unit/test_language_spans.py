import numpy as np
import pytest

from vla_attention.language.characters import FEATURES, certain_cuts, character_features, encode, pieces_of
from vla_attention.language.instruction import ROLES, Step
from vla_attention.language.parser import language_of
from vla_attention.language.spans import (
    Span,
    best_labels,
    boundary_scores,
    meeting_scores,
    spans_of,
    whole_pieces,
)
from vla_attention.language.steps import make_steps


def test_characters_know_syllables_case_and_accents():
    assert encode('빨간 Cup').shape == (6, FEATURES)
    assert encode('').shape == (0, FEATURES)
    assert character_features('각')[1:4] == (1, 1, 2)
    assert character_features('A')[0] == character_features('a')[0] == character_features('á')[0]
    assert character_features('A') != character_features('a') != character_features('á')
    assert character_features('’')[0] == character_features("'")[0]
    assert character_features('Ｔ') == character_features('T')     # of full width
    assert encode('힣🙂ㅋあ').min() >= 0


def test_pieces_are_cut_at_spaces_and_marks():
    starts = [False, True, True, False, False, True, False, False]
    assert pieces_of(' 컵을  집어 ', starts) == [(1, 2), (2, 3), (5, 7)]
    assert pieces_of('', []) == []
    assert pieces_of('   ', [True] * 3) == []


@pytest.mark.parametrize(('text', 'cuts'), [
    ('접시 위에 컵을 둬', [4]), ('상자 뒤에 컵을 둬', [4]), ('컵을 집은 뒤에 둬', []), ('우산 뒤에 둬', [4]),
    ('책상 위에 컵이 있어', []), ('위에 둬', []), ('put it', []), ('남은 음식을 버려', [5]), ('가위를', [2]),
    ('신을 신발', []), ('마을을 그려', [])])
def test_a_noun_is_cut_from_its_particle(text, cuts):
    assert certain_cuts(text) == cuts


def test_labels_enter_a_span_by_its_beginning():
    scores = np.full((3, 11), -5.0)
    scores[:, 2] = 0.0          # "inside target" everywhere
    scores[:, 1] = -1.0
    assert best_labels(scores).tolist() == [1, 2, 2]
    scores[:, 0] = 9.0
    assert best_labels(scores).tolist() == [0, 0, 0]


def test_spans_end_where_words_end():
    text = 'a pen now'
    cut = np.full(len(text), -8.0)
    boundary = boundary_scores(text, cut)
    assert np.flatnonzero(boundary).tolist() == [3, 4, 7, 8]     # inside "pen" and "now"
    np.testing.assert_allclose(boundary[[3, 4]], np.log(1 / (1 + np.exp(8.0))), rtol=1e-9)
    scores = np.zeros((len(text), 11))
    scores[:, 0] = 2.0
    scores[2, 1], scores[3, 2], scores[4, 2] = 5.0, 5.0, 1.0     # the last letter of "pen" is in doubt
    assert spans_of(text, best_labels(scores)) == [Span(2, 4, 'target')]
    assert spans_of(text, best_labels(scores, boundary)) == [Span(2, 5, 'target')]


def test_two_spans_do_not_meet_inside_a_word():
    scores = np.zeros((5, 11))
    scores[:, 0] = -9.0
    scores[0, 1] = scores[1, 2] = 4.0
    scores[2, 3] = scores[3, 4] = scores[4, 4] = 4.0     # looks like an action that begins inside the noun
    scores[2, 2] = scores[3, 2] = scores[4, 2] = 2.0
    one, two = [Span(0, 5, 'target')], [Span(0, 2, 'target'), Span(2, 5, 'action')]
    assert meeting_scores('가 나다').tolist() == [0.0, 0.0, 0.0, -8.0]
    assert spans_of('식기세척기', best_labels(scores)) == two
    assert spans_of('식기세척기', best_labels(scores, meeting=meeting_scores('식기세척기'))) == one
    scores[2, 3] += 9.0                                  # a space left out, seen clearly
    assert spans_of('식기세척기', best_labels(scores, meeting=meeting_scores('식기세척기'))) == two
    scores[2, 0], scores[2, 3] = 5.0, -5.0               # a particle between them
    scores[3, 3], scores[3, 2], scores[4, 2] = 9.0, -9.0, -9.0
    assert spans_of('컵컵을집어', best_labels(scores, meeting=meeting_scores('컵컵을집어'))) == [
        Span(0, 2, 'target'), Span(3, 5, 'action')]


def test_a_korean_span_ends_before_its_particle():
    text = '찜기는 둬'
    cut = np.array([0.0, -6.0, 6.0, 0.0, 0.0])
    scores = np.zeros((len(text), 11))
    scores[0, 1] = scores[2, 0] = 4.0
    scores[1, 0], scores[1, 2] = 1.0, 0.5
    boundary = boundary_scores(text, cut)
    assert spans_of(text, best_labels(scores)) == [Span(0, 1, 'target')]
    assert spans_of(text, best_labels(scores, boundary)) == [Span(0, 2, 'target')]


def test_a_boundary_that_costs_nothing_changes_nothing():
    scores = np.random.default_rng(0).normal(size=(40, 11)) * 3
    assert best_labels(scores, np.zeros(40)).tolist() == best_labels(scores).tolist()


def test_what_is_forbidden_is_forbidden_by_whole_words():
    text = 'not blue cup, red'
    scores = np.full(len(text), -3.0)
    scores[4:11] = 2.0      # "blue cu"
    pieces = [(0, 3), (4, 8), (9, 12), (12, 13), (14, 17)]
    flags = whole_pieces(pieces, scores)
    assert ''.join(letter for letter, on in zip(text, flags, strict=True) if on) == 'blue cup'
    assert not whole_pieces([], np.zeros(0)).size


def test_spans_are_trimmed_and_neighbours_stay_apart():
    #       빨 간 _ 컵 을 _ 집 어
    labels = [1, 2, 2, 2, 0, 0, 3, 4]
    assert spans_of('빨간 컵을 집어', labels) == [Span(0, 4, 'target'), Span(6, 8, 'action')]
    assert spans_of('ab', [5, 5]) == [Span(0, 1, 'manner'), Span(1, 2, 'manner')]
    assert spans_of('a b', [1, 2, 0]) == [Span(0, 1, 'target')]


@pytest.mark.parametrize(('text', 'language'), [
    ('빨간 컵', 'ko'), ('USB 케이블을 집어', 'ko'), ('red cup', 'en'),
    ('赤いカップを取って', ''), ('把杯子拿起来', ''),
    ('Возьми чашку', ''), ('12 34', ''), ('🙂', ''), ('ㅋㅋㅋ', 'ko')])
def test_language_goes_by_script(text, language):
    assert language_of(text) == language


def _steps(text, marks, links, order=(), avoid='', time=()):
    """Make steps of words: ``marks`` {word: role}, ``links`` {word: verb}, ``order`` and ``time`` pairs."""
    words = text.split()
    starts = [sum(len(word) + 1 for word in words[:index]) for index in range(len(words))]
    pieces = [(start, start + len(word)) for start, word in zip(starts, words, strict=False)]
    spans = [Span(*pieces[words.index(word)], role) for word, role in marks.items()]
    heads = {name: np.eye(len(words), dtype=np.float32)
             for name in ('argument', 'cause', 'action_order', 'time')}
    for pairs, names in ((links.items(), ('argument', 'cause')), (order, ('action_order',)),
                         (time, ('time',))):
        for query, key in pairs:
            for name in names:
                heads[name][words.index(query)] = np.eye(len(words), dtype=np.float32)[words.index(key)]
    flags = np.zeros(len(text), bool)
    for word in avoid.split():
        flags[slice(*pieces[words.index(word)])] = True
    return make_steps(text, sorted(spans, key=lambda span: span.start), pieces, heads, flags, 'en')


def test_a_verb_without_target_has_that_of_the_verb_before():
    steps = _steps('take cup gently place it onplate', {'take': 'action', 'cup': 'target', 'gently': 'manner',
                                                        'place': 'action', 'onplate': 'destination'},
                   {'cup': 'take', 'gently': 'place', 'onplate': 'place'}, [('take', 'place')])
    assert steps == (Step('take', 'cup'), Step('place', 'cup', 'onplate', manner='gently'))


def test_a_verb_with_nothing_at_all_has_the_target_of_the_next():
    marks = {'wash': 'action', 'dry': 'action', 'cup': 'target'}
    assert _steps('wash and dry cup', marks, {'cup': 'dry'}) == (Step('wash', 'cup'), Step('dry', 'cup'))
    marks = {'go': 'action', 'kitchen': 'destination', 'take': 'action', 'cup': 'target'}
    assert _steps('go kitchen take cup', marks, {'kitchen': 'go', 'cup': 'take'}) == (
        Step('go', destination='kitchen'), Step('take', 'cup'))


def test_a_verb_with_a_target_of_its_own_shares_none():
    text = 'after open box take screw'
    pieces = [(0, 5), (6, 10), (11, 14), (15, 19), (20, 25)]
    spans = [Span(6, 10, 'action'), Span(11, 14, 'target'), Span(15, 19, 'action'), Span(20, 25, 'target')]
    heads = {name: np.eye(5, dtype=np.float32) for name in ('argument', 'cause', 'action_order', 'time')}
    heads['argument'][2] = [0, 1, 0, 0, 0]
    heads['argument'][4] = [0, 0.45, 0, 0.55, 0]
    steps = make_steps(text, spans, pieces, heads, np.zeros(len(text), bool), 'en')
    assert steps == (Step('open', 'box'), Step('take', 'screw'))


def test_before_and_after_change_the_order():
    marks = {'close': 'action', 'box': 'target', 'put': 'action', 'pen': 'target'}
    links = {'box': 'close', 'pen': 'put'}
    text = 'so you close box put pen'
    assert [step.action for step in _steps(text, marks, links, [('put', 'close')])] == ['put', 'close']
    assert [step.action for step in _steps(text, marks, links, [('close', 'put')])] == ['close', 'put']
    both = [('put', 'close'), ('close', 'put')]     # a circle: the order of the text
    assert [step.action for step in _steps(text, marks, links, both)] == ['close', 'put']


@pytest.mark.parametrize(('text', 'order'), [
    ('before close box put pen', ['put', 'close']), ('put pen before close box', ['put', 'close']),
    ('after close box put pen', ['close', 'put']), ('put pen after close box', ['close', 'put']),
    ('put pen and after that close box', ['put', 'close']), ('put pen but first close box', ['close', 'put']),
    ('put pen before that close box', ['close', 'put'])])
def test_order_words_say_which_comes_first(text, order):
    marks = {'close': 'action', 'box': 'target', 'put': 'action', 'pen': 'target'}
    word = 'first' if 'first' in text else 'before' if 'before' in text else 'after'
    steps = _steps(text, marks, {'box': 'close', 'pen': 'put'}, time=[(word, 'close')])
    assert [step.action for step in steps] == order


@pytest.mark.parametrize(('text', 'order'), [
    ('close box as soon as you put pen', ['put', 'close']),
    ('as soon as you close box put pen', ['close', 'put']),
    ('close box as soon as possible put pen', ['close', 'put']),
    ('put pen prior to closing box', ['put', 'closing']),
    ('prior to closing box put pen', ['put', 'closing'])])
def test_two_words_say_which_comes_first(text, order):
    close = 'closing' if 'closing' in text else 'close'
    marks = {close: 'action', 'box': 'target', 'put': 'action', 'pen': 'target'}
    assert [step.action for step in _steps(text, marks, {'box': close, 'pen': 'put'})] == order


@pytest.mark.parametrize(('text', 'word', 'order'), [
    ('Before close box put pen', 'Before', ['put', 'close']),
    ('please before close box put pen', 'before', ['put', 'close']),
    ('and before close box put pen', 'before', ['put', 'close']),
    ('put pen once you close box', 'once', ['close', 'put']),
    ('put pen once close box', 'once', ['put', 'close']),       # one time
    ('put pen and before that close box', 'before', ['close', 'put']),
    ('put pen after this close box', 'after', ['put', 'close']),
    ('put pen after which close box', 'after', ['put', 'close']),
    ('put pen after all close box', 'after', ['put', 'close']),
    ('prior to lunch close box put pen', 'prior', ['close', 'put'])])
def test_order_words_turn_verbs_and_nothing_else(text, word, order):
    marks = {'close': 'action', 'box': 'target', 'put': 'action', 'pen': 'target'}
    steps = _steps(text, marks, {'box': 'close', 'pen': 'put'}, time=[(word, 'close')])
    assert [step.action for step in steps] == order


def test_an_order_word_that_belongs_to_no_verb_turns_nothing():
    marks = {'take': 'action', 'cookies': 'target', 'close': 'action', 'oven': 'target'}
    steps = _steps('before they burn take cookies close oven', marks, {'cookies': 'take', 'oven': 'close'})
    assert [step.action for step in steps] == ['take', 'close']


def test_targets_that_take_turns_with_places_have_one_each():
    marks = {'put': 'action', 'cup': 'target', 'ontable': 'destination', 'plate': 'target',
             'insink': 'destination'}
    links = {word: 'put' for word in marks if word != 'put'}
    assert _steps('put cup ontable and plate insink', marks, links) == (
        Step('put', 'cup', 'ontable'), Step('put', 'plate', 'insink'))
    each = tuple(Step('put', thing, place) for thing in ('cup', 'plate') for place in ('ontable', 'insink'))
    assert _steps('put cup plate ontable and insink', marks, links) == each


def test_no_span_ends_in_a_mark():
    text = 'put it on the wall, now'
    labels = [0] * 7 + [5] + [6] * 11 + [0] * 4
    assert spans_of(text, labels) == [Span(7, 18, ROLES[2])]


def test_korean_order_words_stand_behind_their_verb_or_before_the_next():
    marks = {'닫기': 'action', '상자를': 'target', '넣어': 'action', '펜을': 'target'}
    links = {'상자를': '닫기', '펜을': '넣어'}
    for word in ('전에', '전', '직전에'):
        steps = _steps(f'상자를 닫기 {word} 펜을 넣어', marks, links, time=[(word, '닫기')])
        assert [step.action for step in steps] == ['넣어', '닫기']
    three = _steps('컵을 씻어 상자를 닫기 전에 펜을 넣어', {'컵을': 'target', '씻어': 'action', **marks},
                   {'컵을': '씻어', **links}, time=[('전에', '펜을')])      # in doubt the nearest verb
    assert [step.action for step in three] == ['씻어', '넣어', '닫기']
    steps = _steps('상자를 닫기 그 전에 펜을 넣어', marks, links, time=[('전에', '넣어')])
    assert [step.action for step in steps] == ['넣어', '닫기']


def test_a_split_verb_is_one_action_and_targets_are_steps_each():
    steps = _steps('pick pen and cap up',
                   {'pick': 'action', 'pen': 'target', 'cap': 'target', 'up': 'action'},
                   {'pen': 'pick', 'cap': 'pick', 'up': 'pick'})
    assert steps == (Step('pick up', 'pen'), Step('pick up', 'cap'))


def test_what_is_forbidden_is_a_step_that_avoids():
    steps = _steps('take pen not cap never touch knife',
                   {'take': 'action', 'pen': 'target', 'touch': 'action', 'knife': 'target'},
                   {'pen': 'take', 'knife': 'touch'}, avoid='cap touch knife')
    assert steps == (Step('take', 'pen'), Step('touch', 'knife', avoid=True), Step('', 'cap', avoid=True))


def test_a_forbidden_pronoun_does_not_forbid_the_target():
    steps = _steps('take pen never drop it', {'take': 'action', 'pen': 'target', 'drop': 'action'},
                   {'pen': 'take'}, avoid='drop')
    assert steps == (Step('take', 'pen'), Step('drop', avoid=True))


def test_things_without_a_verb_are_steps():
    assert _steps('cup', {'cup': 'target'}, {}) == (Step(target='cup'),)
    both = _steps('cup and pen', {'cup': 'target', 'pen': 'target'}, {})
    assert both == (Step(target='cup'), Step(target='pen'))


@pytest.mark.parametrize(('text', 'inside'), [
    ('“빨간 컵”', '빨간 컵'), ('「컵」', '컵'), ('"red cup"', 'red cup'), ('"a" or "b"', '"a" or "b"'),
    ('집어줘~', '집어줘'),
    ('집어줘ㅎㅎ', '집어줘'), ('""', '""')])
def test_quotes_around_a_span_and_laughter_behind_it_are_left_out(text, inside):
    labels = [1, *[2] * (len(text) - 1)]
    span, = spans_of(text, labels)
    assert text[span.start:span.end] == inside


def test_a_quote_may_lie_just_outside_of_a_span():
    assert spans_of('"cup" now', [1, 2, 2, 2, 0, 0, 0, 0, 0]) == [Span(1, 4, 'target')]
    assert spans_of('5" cup', [1, 2, 0, 0, 0, 0]) == [Span(0, 2, 'target')]
