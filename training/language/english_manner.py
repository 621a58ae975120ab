"""English manners: adverbs, tools, grips, how far, how long, and what must not happen meanwhile."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.english_phrases import feature, noun_phrase, plural
from training.language.sample import Group, Word, mark, say


def manner(choose: Chooser, place: str, verb: str = '') -> tuple[list[Word], list[Group]]:
    """Return a manner and the spans in it (several: "slowly and carefully").

    :param place: 'before' the verb, 'front' of the clause, or 'after'.
    :param verb: in its base form; some take manners of their own ("into slices").
    """
    kind = (
        choose.pick(
            adverb=60,
            degree=7,
            phrase=12,
            without=10,
            touching=2.5,
            so=4,
            careful=3,
            loop=3,
            doing=5 if place == 'after' else 0,
            tool=80 if verb in choose.lists['using'] else 5,
            grip=22 if verb in choose.lists['verbs']['take'] else 4,
            beginning=0.8,
            facing=3,
            until=3,
            during=2.5,
            measured=25 if verb in choose.lists['measured'] else 1.5,
            shaped=3,
            sorted=40 if verb in choose.lists['sorting'] else 0.8,
            pieces=40 if verb in choose.lists['cutting'] else 0,
            formed=40 if verb in choose.lists['forming'] else 0,
            ways=60 if verb in choose.lists['turning'] and place == 'after' else 0,
            filled=60 if verb in choose.lists['filling'] else 0,
            postures=25 if verb in choose.lists['verbs']['place'] else 0,
            carried=8 if verb in choose.lists['verbs']['move'] + choose.lists['verbs']['take'] else 0,
        )
        if place != 'before'
        else 'adverb'
    )
    if kind == 'adverb':
        words = say(choose.word('preverb_adverbs' if place != 'after' or choose.chance(0.35) else 'adverbs'))
        first = Group(words, words[-1])
        if choose.chance(0.08):
            other = say(choose.word('preverb_adverbs'))
            mark(words, 'manner')
            mark(other, 'manner')
            between = say(choose.word('and_manner'))
            if between[0].text == ',':
                between[0].glue = True
            return words + between + other, [first, Group(other, other[-1])]
    else:
        words = _manner_phrase(choose, kind, place, verb)
        first = Group(words, words[-1])
    mark(words, 'manner')
    if place == 'after' and words[0].text in ('make', 'be') and choose.chance(0.8):
        return say('and') + words, [first]
    return words, [first]


def _manner_phrase(choose: Chooser, kind: str, place: str, verb: str) -> list[Word]:
    rng = choose.rng
    if kind == 'degree':
        adverb = choose.word('preverb_adverbs').split()[-1]
        return say(
            choose.word('manner_frames').format(
                adverb=adverb, degree=choose.word('intensifiers'), adjective=adverb.removesuffix('ly')
            )
        )
    if kind == 'phrase':
        return say(choose.template(choose.lists['manner_phrases']))
    if kind == 'without':
        return say('without ' + choose.template(choose.lists['without']))
    if kind == 'so':
        return say(f'{choose.word("so_frames")} {choose.template(choose.lists["so_that"])}')
    if kind == 'careful':
        return say(f'{choose.word("careful_frames")} {choose.word("not_to")}')
    if kind == 'loop':
        while_ = choose.word('while')
        during = while_.split()[0].endswith('ing') and (place == 'front' or choose.chance(0.55))
        return say(('while ' if during else '') + while_)
    if kind == 'doing':
        to = f'the {choose.noun()}' if choose.chance(0.25) else choose.word('doing_to')
        return say(f'{choose.word("doings")} {to} {choose.word("done_so")}')
    if kind == 'grip':
        colour = f'{choose.word("colours")} ' if choose.chance(0.1) else ''
        which = rng.choice(('the', 'the', 'the', 'its', 'its', 'both', 'their', 'one', 'the two'))
        return say(f'by {which} {colour}{choose.word("grips")}')
    if kind == 'facing':
        side = choose.word('sides_of')
        draw = rng.random()
        if draw < 0.12:
            return say(choose.word('facing'))
        if draw < 0.4:
            side = side if choose.chance(0.7) else plural(choose.noun(rng.choice(('nouns', 'parts'))))
            return say(f'{side} {choose.word("ends")}')
        return say(f'with {rng.choice(("the", "the", "its", "their"))} {side} {choose.word("facing")}')
    if kind == 'beginning':
        return say(choose.word('beginning')) + noun_phrase(choose, depth=1, post='none').all()
    if kind == 'until':
        who = rng.choice(('it', 'it', 'they', 'the ' + choose.noun()))
        return say(f'until {who} {choose.word("happens")}')
    if kind == 'during':
        return say(f'for {choose.word("durations")}')
    if kind == 'pieces':
        which = choose.word('pieces_are') + ' ' if choose.chance(0.7) else ''
        return say(f'{rng.choice(("into", "into", "in"))} {which}{choose.word("pieces")}')
    if kind == 'formed':
        return say(f'into {rng.choice(("a", "a", "a", "one", "two"))} {choose.word("formed_as")}')
    if kind == 'sorted':
        return say(choose.word('sorted_by'))
    if kind in ('postures', 'carried'):
        return say(choose.word(kind))
    if kind == 'measured':
        return say(_measured(choose))
    if kind == 'shaped':
        kind_of = choose.word('shaped_as') + ' ' if choose.chance(0.3) else ''
        return say(f'in {kind_of}{choose.word("shapes")}')
    if kind == 'ways':
        return say(choose.word('ways'))
    if kind == 'filled':
        if choose.chance(0.35) and verb.endswith(('fill', 'up')):
            return say(choose.word('measures'))
        which = rng.choice(('', '', 'the ', 'some ', 'hot ', 'cold ', 'fresh '))
        return say(f'with {which}{choose.noun(rng.choice(("liquid", "liquid", "food")))}')
    if kind == 'tool':
        return _tool(choose, place, verb)
    return _unhurt(choose)


def _measured(choose: Chooser) -> str:
    """Return how far: "two inches", "by about thirty degrees", "a quarter turn clockwise", "partway"."""
    if choose.chance(0.25):
        return choose.word('partly')
    about = choose.word('about') + ' ' if choose.chance(0.5) else ''
    if choose.chance(0.3):
        far = choose.word('one_unit')
    else:
        far = f'{choose.word("numerals")} {choose.word("units")}'
    way = ' ' + choose.word('further') if choose.chance(0.4) else ''
    return about + far + way


def _tool(choose: Chooser, place: str, verb: str) -> list[Word]:
    """Return what it is done with.

    Behind a thing, "with" is how the thing is done after verbs that take a tool, and for what holds things;
    else it would be part of the thing. "Using", and what opens the clause, is how after any verb.
    """
    using = verb in choose.lists['using']
    how = choose.rng.choice(('with', 'with', 'with', 'using'))
    if how == 'with' and not using and place == 'after':
        what = choose.word('grippers')
        which = '' if what.startswith('both') else choose.rng.choice(('the ', 'the ', 'your ', 'its ', ''))
        return say(f'with {which}{what}')
    if using and choose.chance(0.12):
        return say(f'{how} {choose.word("parts_of")} {choose.word("stuffs")}')
    if using and choose.chance(0.25):  # anything will do
        thing = noun_phrase(choose, depth=1, post='none')
        while thing.head.text in choose.lists['features']:
            thing = noun_phrase(choose, depth=1, post='none')
        return say(how) + thing.all()
    words = say(choose.rng.choice(('the', 'the', 'the', 'a', 'a', 'your', 'my', 'some', '')))
    for key, probability in (('sizes', 0.12), ('states', 0.12), ('colours', 0.2), ('materials', 0.12)):
        words += say(choose.word(key)) if choose.chance(probability) else []
    words += say(choose.word('tools'))
    if choose.chance(0.12):
        words += say(choose.word('near')) + noun_phrase(choose, depth=2, post='none', key='surfaces').all()
    elif choose.chance(0.06):
        words += say('with ' + feature(choose))
    return say(how) + words


def _unhurt(choose: Chooser) -> list[Word]:
    thing = noun_phrase(choose, depth=1, post='none')
    mark(thing.words, 'manner', avoid=True)
    if choose.chance(0.15):
        return say('being careful not to ' + choose.word('avoid_plain')) + thing.all()
    return say('without ' + choose.word('touching')) + thing.all()
