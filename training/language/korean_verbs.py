"""Korean verb forms, from a stem and its -아/어 form."""

from __future__ import annotations

from training.language.chooser import Chooser
from training.language.invent import korean_stem

_BASE = 0xAC00
_RIEUL, _NIEUN, _BIEUP, _SSANG_SIOT, _MIEUM = 8, 4, 17, 20, 16


def final_of(text: str) -> int:
    """Return the final consonant of the last syllable: its jamo number, 0 for none (and for other scripts)."""
    code = ord(text[-1]) - _BASE
    return code % 28 if 0 <= code < 11172 else 0


def with_final(text: str, final: int) -> str:
    """Return the text with this final consonant in its last, open (or -ㄹ) syllable."""
    code = ord(text[-1]) - _BASE
    return text[:-1] + chr(_BASE + code - code % 28 + final)


class Verb:
    """
    A verb: ``stem`` (집), ``eo`` (집어), and for irregular ones ``eu``, the stem before -(으) (주우).
    """

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


def _help(choose: Chooser, eo: str) -> str:
    """Join an auxiliary to the -어 form, with or without a space."""
    return eo + (' ' if choose.chance(0.55) else '')


def final_form(choose: Chooser, verb: Verb) -> tuple[str, bool]:
    """Return a form that ends a command, and whether it asks."""
    kind = choose.pick(eo=22, give=30, polite=20, eu=10, ask=13, plain=5, must=4, want=2, other=4)
    rng = choose.rng
    if kind == 'eo':
        return verb.eo + rng.choice(('', '', '', '', '라', '요')), False
    if kind == 'give':
        base = verb.eo if verb.eo.endswith(('줘', '주어')) else _help(choose, verb.eo) + '줘'
        return base + rng.choice(('', '', '', '', '요', '라')), False
    if kind == 'polite':
        base = verb.stem if verb.stem.endswith('주') and len(verb.stem) > 1 else _help(choose, verb.eo) + '주'
        return base + rng.choice(('세요', '세요', '세요', '세요', '십시오', '시기 바랍니다', '시면 됩니다', '시길 바랍니다', '렴', '시면 감사하겠습니다',
                                  '셔요')), False
    if kind == 'eu':
        return verb.eu_form(rng.choice(('세요', '세요', '십시오', '시오', '세요', '시면 돼요', '렴', '면 돼', '면 좋겠어', '시지요'))), False
    if kind == 'ask':
        base = verb.stem if verb.stem.endswith('주') and len(verb.stem) > 1 else _help(choose, verb.eo) + '주'
        return rng.choice((base[:-1] + '줄래', base[:-1] + '줄래요', base + '시겠어요', base[:-1] + '줄 수 있어', base[:-1] + '줄 수 있니',
                           base[:-1] + '줄 수 있을까', base + '실래요', base + '실 수 있나요', base + '실 수 있을까요', base[:-1] + '줄 수 있나요',
                           base[:-1] + '줄 수 있겠니', base + '시겠습니까', verb.prospective() + '래', verb.prospective() + '까요',
                           verb.prospective() + ' 수 있어', verb.prospective() + ' 수 있니', verb.stem + '지 않을래', verb.prospective() + ' 수 있을까',
                           base + '시면 안 될까요', base + '면 안 돼', verb.eo + ' 볼래', base[:-1] + '줄래')), True
    if kind == 'plain':
        return rng.choice((verb.plain(), verb.plain(), verb.formal(), verb.stem + '자', verb.stem + '기', verb.nominal(),
                           verb.stem + '도록', verb.stem + '지', verb.stem + '거라', verb.stem + '고')), False
    if kind == 'must':
        return rng.choice((verb.stem + '도록 해', verb.stem + '도록 하세요', verb.eo + '야 해', verb.eo + '야 합니다', verb.eo + '야 돼',
                           verb.stem + '도록 해 줘', verb.stem + '게 해 줘', verb.stem + '도록 하자', verb.eo + '야 해요', verb.stem + '도록 해라')), False
    if kind == 'want':
        return rng.choice((_help(choose, verb.eo) + '줬으면 좋겠어', _help(choose, verb.eo) + '주면 좋겠어', verb.stem + '고 싶어',
                           _help(choose, verb.eo) + '주면 고맙겠어', _help(choose, verb.eo) + '주었으면 해', verb.stem + '길 바라',
                           _help(choose, verb.eo) + '줬으면 해', verb.eu_form('면 좋겠어요'))), False
    return rng.choice((_help(choose, verb.eo) + '봐', _help(choose, verb.eo) + '놔', _help(choose, verb.eo) + '둬', _help(choose, verb.eo) + '보세요',
                       _help(choose, verb.eo) + '놓으세요', _help(choose, verb.eo) + '놓아 줘', _help(choose, verb.eo) + '봐요', verb.eo + '다오',
                       _help(choose, verb.eo) + '두세요', _help(choose, verb.eo) + '놔 줘', _help(choose, verb.eo) + '줘봐', _help(choose, verb.eo) + '주라')), False


def joining_form(choose: Chooser, verb: Verb) -> str:
    """Return a form that leads on to the next verb."""
    return choose.rng.choice((verb.eo + '서', verb.eo + '서', verb.eo + '서', verb.stem + '고', verb.stem + '고', verb.stem + '고', verb.eo,
                              verb.stem + '고 나서', verb.stem + '고서', verb.stem + '고는', verb.eo + '다가', verb.stem + '며',
                              _help(choose, verb.eo) + '주고', verb.stem + '자마자', verb.eu_form('면서') if choose.chance(0.2) else verb.stem + '고'))


def forbidding_form(choose: Chooser, verb: Verb, *, last: bool) -> str:
    """Return a form that forbids."""
    stem, rng = verb.stem, choose.rng
    if not last:
        return rng.choice((stem + '지 말고', stem + '지 말고', stem + '지 말고', stem + '지 않고', stem + '지 마시고'))
    return rng.choice((stem + '지 마', stem + '지 마', stem + '지 마', stem + '지 마세요', stem + '지 마세요', stem + '지마', stem + '지 마라',
                       stem + '지 말아 줘', stem + '지 말아줘', stem + '지 말아 주세요', stem + '지 마십시오', stem + '지 말 것',
                       verb.eu_form('면 안 돼'), verb.eu_form('면 안 돼요'), verb.eu_form('면 안 됩니다'), verb.eo + '서는 안 돼',
                       verb.eo + '선 안 됩니다', stem + '지 않도록 해', stem + '지 않도록 조심해', stem + '지 않게 조심해', stem + '지 않도록 주의하세요',
                       '절대 ' + stem + '지 마', stem + '지 말아라', stem + '지 말아요', stem + '지 말도록', stem + '지마세요', stem + '지 말아주세요'))
