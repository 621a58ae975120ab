"""Korean verb forms, from a stem and its -아/어 form."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.invent import korean_stem

_BASE = 0xAC00
_RIEUL, _NIEUN, _BIEUP, _SSANG_SIOT, _MIEUM = 8, 4, 17, 20, 16


def final_of(text: str) -> int:
    """Return the number of the last syllable's final consonant; 0 for none and for other scripts."""
    code = ord(text[-1]) - _BASE
    return code % 28 if 0 <= code < 11172 else 0


def with_final(text: str, final: int) -> str:
    """Return the text with this final consonant in its last, open (or -ㄹ) syllable."""
    code = ord(text[-1]) - _BASE
    return text[:-1] + chr(_BASE + code - code % 28 + final)


class Verb:
    """A verb: ``stem`` (집), ``eo`` (집어); ``eu`` (주우) is an irregular stem before -(으)."""

    def __init__(self, stem: str, eo: str, eu: str = '') -> None:
        self.stem = stem
        self.eo = eo
        self.eu = eu or (stem + '으' if final_of(stem) not in (0, _RIEUL) else stem)

    def eu_form(self, ending: str) -> str:
        """Stem + (으) + ending; ㄹ falls before ㄴ, ㅅ, ㅂ."""
        stem = self.eu
        if final_of(stem) == _RIEUL and ending[0] in '세십시니':
            stem = with_final(stem, 0)
        return stem + ending

    def adnominal(self) -> str:
        """-(으)ㄴ: 집은."""
        return with_final(self.eu, _NIEUN)

    def prospective(self) -> str:
        """-(으)ㄹ: 집을."""
        return with_final(self.eu, _RIEUL)

    def nominal(self) -> str:
        """-(으)ㅁ: 집음."""
        return with_final(self.eu, _MIEUM) if final_of(self.eu) != _RIEUL else self.stem + '기'

    def past(self) -> str:
        """-았/었: 집었."""
        return with_final(self.eo, _SSANG_SIOT)

    def plain(self) -> str:
        """-ㄴ/는다: 집는다."""
        final = final_of(self.stem)
        if final == 0:
            return with_final(self.stem, _NIEUN) + '다'
        return (with_final(self.stem, _NIEUN) + '다') if final == _RIEUL else self.stem + '는다'

    def formal(self) -> str:
        """-(스)ㅂ니다: 집습니다."""
        final = final_of(self.stem)
        return (with_final(self.stem, _BIEUP) + '니다') if final in (0, _RIEUL) else self.stem + '습니다'


def pick_verb(choose: Chooser, kind: str) -> Verb:
    """Draw a verb of a class, now and then a made-up one."""
    if choose.chance(0.02):
        return Verb(*korean_stem(choose.rng))
    return Verb(*choose.verb(kind))


def inflect(choose: Chooser, verb: Verb, pattern: str) -> str:
    """Return the verb in a form of the word list ("{eo}_주세요").

    The auxiliary 주다 melts into a verb that ends in it: 가져다주 + 주세요 is 가져다주세요.
    """
    if verb.stem.endswith('주') and len(verb.stem) > 1 and pattern.startswith('{eo}_'):
        helper = pattern[len('{eo}_') :]
        if '주' <= helper[0] <= '줳':
            return verb.stem[:-1] + helper
    if pattern.startswith('{eu}'):
        return verb.eu_form(pattern[len('{eu}') :])
    gap = ' ' if choose.chance(0.55) else ''
    return pattern.replace('_', gap).format(
        stem=verb.stem,
        eo=verb.eo,
        n=verb.adnominal(),
        l=verb.prospective(),
        m=verb.nominal(),
        plain=verb.plain(),
        noun=verb.stem[:-1] if verb.stem.endswith('하') and len(verb.stem) > 1 else verb.stem + '기',
        formal=verb.formal(),
    )


def final_form(choose: Chooser, verb: Verb) -> tuple[str, bool]:
    """Return a form that ends a command, and whether it asks."""
    kinds = list(choose.lists['endings'].values())
    kind = choose.rng.choices(kinds, [kind['weight'] for kind in kinds])[0]
    return inflect(choose, verb, choose.rng.choice(kind['forms'])), kind.get('asks', False)


def joining_form(choose: Chooser, verb: Verb) -> str:
    """Return a form that leads on to the next verb."""
    return inflect(choose, verb, choose.word('joining'))


def forbidding_form(choose: Chooser, verb: Verb, *, last: bool) -> str:
    """Return a form that forbids."""
    return inflect(choose, verb, choose.word('forbidding' if last else 'forbidding_on'))
