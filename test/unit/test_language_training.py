import random
import re
from argparse import Namespace
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

pytest.importorskip('training.language', reason='training/ is not installed: run from the checkout')

from training.averaging import keep
from training.language import english_asides, korean_asides
from training.language.chooser import Chooser, held_out, load_words
from training.language.dataset import batches, collate, samples
from training.language.evaluate import measure, right_answer
from training.language.invent import blend, code, korean_mimetic
from training.language.korean_phrases import particle
from training.language.korean_verbs import Verb, inflect
from training.language.sample import Word, link, mark, say, write
from training.language.train import losses, train
from training.language.weigh import occlusion_weights
from vla_attention.language import InstructionParser
from vla_attention.language.characters import encode, pieces_of
from vla_attention.language.instruction import HEADS
from vla_attention.language.network import LanguageNetwork
from vla_attention.language.parser import WEIGHTS, piece_tensors
from vla_attention.language.spans import spans_of
from vla_attention.language.traced import TracedNetwork


def test_samples_are_whole_and_the_same_for_a_seed():
    first, second = (list(islice(samples(4), 300)) for _ in range(2))
    assert first == second
    assert {sample.language for sample in first} == {'ko', 'en'}
    for sample in first:
        assert len(sample.labels) == len(sample.avoid) == len(sample.text)
        pieces = ''.join(sample.text[start:end] for start, end in sample.pieces)
        assert pieces == ''.join(sample.text.split())
        assert all(len(rows) == len(sample.pieces) and all(rows) for rows in sample.heads.values())
        for index, label in enumerate(sample.labels):      # no span is entered but by its beginning
            assert label == 0 or label % 2 or sample.labels[index - 1] in (label - 1, label)


def test_training_never_sees_the_nouns_of_the_test():
    for language in ('ko', 'en'):
        train, test = (Chooser(random.Random(0), language, test=test) for test in (False, True))
        assert not {train.noun() for _ in range(3000)} & {test.noun() for _ in range(3000)}
        assert not any(held_out(train.noun(key)) for key in ('surfaces', 'containers') for _ in range(300))
        new = set(load_words(language)['held_out'])
        templates = ['먼저', '둘째로', 'A T', 'A me T S', 'from there,']
        assert not any(train.template(templates) in new for _ in range(300))


def test_a_blend_begins_with_one_noun_and_ends_with_the_other():
    rng = random.Random(5)
    for first, second in (('slipper', 'frying pan'), ('whisk', 'tray'), ('숟가락', '냄비 뚜껑')):
        for _ in range(20):
            made = blend(first, second, rng)
            lead, _, last = made.rpartition(' ')
            assert lead == second.rpartition(' ')[0]
            assert last[0] == first[0] and last[-1] == second[-1]


def test_common_nouns_are_trained_on_more_often_than_the_last_of_the_list():
    train = Chooser(random.Random(1), 'en', test=False)
    drawn = [train.noun('surfaces') for _ in range(2000)]
    nouns = [noun for noun in load_words('en')['surfaces'] if not held_out(noun)]
    counts = [drawn.count(noun) for noun in nouns]
    third = len(nouns) // 3
    assert sum(counts[:third]) > 2 * sum(counts[-third:]) > 0
    assert 0.1 < sum(noun not in nouns for noun in drawn) / len(drawn) < 0.25     # blends


def test_a_command_is_written_with_its_spans_and_links():
    noun, verb = say('red cup'), say('take')
    mark(noun, 'target')
    mark(verb, 'action')
    link(noun[:1], 'modifier', noun[1:])
    link(noun[1:], 'argument', verb)
    words = [*verb, *say('the'), *noun, Word('!', glue=True)]
    sample = write(words, 'ko', 0, random.Random(0), noise=False)
    assert sample.text == 'take the red cup!'
    spans = spans_of(sample.text, sample.labels)
    assert [(sample.text[span.start:span.end], span.role) for span in spans] == [('take', 'action'),
                                                                                 ('red cup', 'target')]
    assert sample.heads['modifier'] == [[0], [1], [3], [3], [4]]
    assert sample.heads['argument'] == [[0], [1], [2], [0], [4]]


@pytest.mark.parametrize(('stem', 'eo', 'eu', 'forms'), [
    ('집', '집어', '', ('집으세요', '집은', '집을', '집는다', '집습니다')),
    ('들', '들어', '', ('드세요', '든', '들', '든다', '듭니다')),
    ('밀', '밀어', '', ('미세요', '민', '밀', '민다', '밉니다')),
    ('줍', '주워', '주우', ('주우세요', '주운', '주울', '줍는다', '줍습니다')),
    ('놓', '놓아', '', ('놓으세요', '놓은', '놓을', '놓는다', '놓습니다')),
    ('옮기', '옮겨', '', ('옮기세요', '옮긴', '옮길', '옮긴다', '옮깁니다'))])
def test_korean_verb_forms(stem, eo, eu, forms):
    verb = Verb(stem, eo, eu)
    assert (verb.eu_form('세요'), verb.adnominal(), verb.prospective(), verb.plain(), verb.formal()) == forms


@pytest.mark.parametrize(('verb', 'past'), [
    (Verb('집', '집어'), '집었'), (Verb('하', '해'), '했'), (Verb('주', '줘'), '줬')])
def test_korean_past(verb, past):
    assert verb.past() == past


def test_what_is_said_beside_a_command_is_not_looked_at():
    english, korean = (Chooser(random.Random(0), language, test=False) for language in ('en', 'ko'))
    made = [make(english) for _ in range(200)
            for make in (english_asides.remark, english_asides.condition, english_asides.purpose)]
    made += [make(korean) for make in (korean_asides.remark, korean_asides.condition) for _ in range(200)]
    assert all(words and not any(word.role or word.avoid or word.links for word in words) for words in made)


def test_made_up_marks_and_sounds():
    rng = random.Random(0)
    assert all(re.fullmatch(r'[A-Z]{0,3}-?\d{0,3}[A-Z]?', code(rng)) for _ in range(300))
    sounds = [korean_mimetic(rng) for _ in range(300)]
    assert all(len(sound) == 1 or sound[:len(sound) // 2] * 2 == sound for sound in sounds)
    assert {len(sound) for sound in sounds} == {1, 2, 4}


def test_the_auxiliary_melts_into_verbs_that_end_in_it():
    choose = Chooser(random.Random(0), 'ko', test=False)
    assert inflect(choose, Verb('가져다주', '가져다줘'), '{eo}_주세요') == '가져다주세요'
    assert inflect(choose, Verb('가져다주', '가져다줘'), '{eo}_줄래') == '가져다줄래'
    assert inflect(choose, Verb('집', '집어'), '{eo}_주세요') in ('집어 주세요', '집어주세요')


def test_particles_follow_the_last_sound():
    assert [particle('을', noun).text for noun in ('컵', '접시')] == ['을', '를']
    assert [particle('으로', noun).text for noun in ('상자', '바닥', '교실')] == ['로', '으로', '로']


def test_a_batch_teaches_every_part():
    torch.manual_seed(0)
    batch = next(batches(3, 8))
    parts = losses(LanguageNetwork(hidden_dim=32), batch)
    assert set(parts) == {'labels', 'starts', 'avoid', 'heads', 'kind'}
    sum(parts.values()).backward()
    assert all(torch.isfinite(part) for part in parts.values())


def test_a_batch_holds_heads_whose_rows_sum_to_one():
    batch = collate(list(islice(samples(5), 12)))
    count = (batch.bounds[..., 0] >= 0).sum(1)
    for index in range(12):
        rows = batch.heads[index, :, :count[index]].sum(-1)
        np.testing.assert_allclose(rows, np.ones((len(HEADS), count[index])), atol=1e-6)


def test_padding_changes_nothing():
    torch.manual_seed(0)
    network = LanguageNetwork(hidden_dim=32).eval()
    rows = sorted(islice(samples(6), 10), key=lambda row: len(row.text))
    short, long = rows[0], rows[-1]
    with torch.no_grad():
        alone, beside = (network(network.characters(batch.characters), batch.real, batch.bounds, batch.piece)
                         for batch in (collate([short]), collate([short, long])))
    size, count = len(short.text), len(short.pieces)
    torch.testing.assert_close(alone.labels[0], beside.labels[0, :size], atol=1e-4, rtol=1e-4)
    attention = beside.attention[0, :, :count, :count]
    torch.testing.assert_close(alone.attention[0], attention, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(alone.kind[0], beside.kind[0], atol=1e-4, rtol=1e-4)


def test_one_text_takes_another_way_to_the_same_numbers():
    torch.manual_seed(0)
    network = LanguageNetwork(hidden_dim=32).eval()
    for table in network.characters.embeddings:
        nn.init.normal_(table.weight)
    for row in islice(samples(7), 6):
        batch = collate([row])
        with torch.enable_grad():       # with gradients a text goes the way of a batch
            slow = network(network.characters(batch.characters), batch.real, batch.bounds, batch.piece)
        with torch.inference_mode():
            fast = network(network.characters(batch.characters), None, batch.bounds, batch.piece)
        for name in ('labels', 'avoid', 'kind', 'attention', 'weights'):
            torch.testing.assert_close(getattr(fast, name), getattr(slow, name), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('text', ['x', '컵', 'put the cup on the table', 'take it and ' * 60, 'a' * 300,
                                  'a ' * 1000, ''.join(chr(0xAC00 + index) for index in range(2000))])
def test_the_recorded_network_is_the_network_for_texts_of_any_length(text):
    torch.manual_seed(0)
    network = LanguageNetwork(hidden_dim=32).eval()
    traced = TracedNetwork(network)
    text = text.strip()
    characters = torch.from_numpy(encode(text)).unsqueeze(0)
    bounds, piece = piece_tensors(pieces_of(text, [False] * len(text)), len(text))
    with torch.inference_mode():
        states, cut = traced.read(characters)
        wanted = network.characters(characters)
        torch.testing.assert_close(states, wanted)
        torch.testing.assert_close(cut, network.cut(wanted))
        given = traced.attend(states, bounds.unsqueeze(0), piece.unsqueeze(0))
        right = network(wanted, None, bounds.unsqueeze(0), piece.unsqueeze(0))
    for name in ('labels', 'avoid', 'kind', 'attention', 'weights'):
        torch.testing.assert_close(getattr(given, name), getattr(right, name))


def test_a_network_in_training_is_not_recorded():
    with pytest.raises(ValueError, match='evaluation'):
        TracedNetwork(LanguageNetwork(hidden_dim=32))


def test_what_is_kept_for_one_text_follows_the_weights():
    torch.manual_seed(0)
    network, other = LanguageNetwork(hidden_dim=32).eval(), LanguageNetwork(hidden_dim=32).eval()
    characters = collate(list(islice(samples(8), 1))).characters
    with torch.inference_mode():
        before, wanted = network.characters(characters), other.characters(characters)
    network.load_state_dict(other.state_dict())
    with torch.inference_mode():
        assert not torch.equal(before, wanted)
        assert torch.equal(network.characters(characters), wanted)


def test_the_packages_model_parses_commands_it_never_saw():
    tally, wrong = measure(InstructionParser(), islice(samples(123, test=True, noise=False), 150))
    assert tally.f1('all') > 0.88
    assert all(right_answer(sample) for sample, _ in wrong)


def test_weights_are_those_of_leaving_words_out():
    parser = InstructionParser()
    given, true = [], []
    for sample in islice(samples(124, test=True, noise=False, negatives_too=False), 30):
        parsed = parser.parse(sample.text)
        if parsed.tokens and len(parsed.tokens) < 25:
            pieces = [(token.start, token.end) for token in parsed.tokens]
            true += occlusion_weights(parser.network, parsed.text, pieces).tolist()
            given += [token.weight for token in parsed.tokens]
    assert np.corrcoef(given, true)[0, 1] > 0.85


def test_one_text_has_one_answer():
    answers = {}
    for sample in islice(samples(31, noise=False), 3000):
        answer = sample.labels, sample.avoid, sample.kind
        assert answers.setdefault(sample.text.lower(), answer) == answer, sample.text
    assert len(answers) < 3000      # some were drawn twice, so that there was something to compare


def test_training_can_begin_with_given_weights(tmp_path):
    options = Namespace(start=str(WEIGHTS), steps=0, batch=2, rate=1e-3, seed=1, every=1, fresh=True,
                        keep=0.5, checkpoint=str(tmp_path / 'c.pt'), weights=str(tmp_path / 'w.safetensors'))
    given = load_file(WEIGHTS)
    begun = train(options).state_dict()
    assert all(torch.equal(begun[name], tensor) for name, tensor in given.items())


def test_a_share_of_the_old_weights_is_kept():
    new, old = (nn.Linear(2, 2) for _ in range(2))
    before, start = new.weight.clone(), old.state_dict()
    keep(new, start, 0.25)
    torch.testing.assert_close(new.weight, 0.75 * before + 0.25 * old.weight)
    keep(new, start, 1.0)
    assert torch.equal(new.bias, old.bias)


@pytest.mark.parametrize(('index', 'count'), [(0, 60), (1, 80), (2, 60), (3, 240), (5, 160)])
def test_blind_commands_are_taken_apart(index, count):
    language = pytest.importorskip('benchmarks.language', reason='run from the checkout')
    tally = language.tagged(InstructionParser(), language.BLIND[index])
    assert tally.commands['whole'][1] == count
    assert tally.f1('all') > 0.88


@pytest.mark.parametrize(('index', 'least', 'gap'), [(0, 0.93, 0.06), (1, 0.9, 0.08)])
def test_hand_written_commands_are_taken_apart(index, least, gap):
    language = pytest.importorskip('benchmarks.language', reason='run from the checkout')
    tally = language.tagged(InstructionParser(), language.OWN[index])
    assert tally.commands['whole'][1] > 100
    assert tally.f1('all') > least
    assert abs(tally.f1('ko') - tally.f1('en')) < gap
