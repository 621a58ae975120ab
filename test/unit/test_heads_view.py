import numpy as np
import pytest

from vla_attention.grounding.attention_maps import HEADS, AttentionMaps
from vla_attention.view.heads import COLUMNS, GAP, MARGIN, TILE, draw_heads

GRAY = np.full((120, 160, 3), 128, np.uint8)


def maps_of(*phrases, words=True, asked=('kind',), extra=()):
    count = len(phrases)
    spot = np.zeros((count, 6, 8), np.float32)
    spot[:, 1, 2] = 1
    heads = {name: spot if name in asked else np.ones_like(spot) for name in (*HEADS, *extra)}
    texts = tuple(tuple(phrase.split()) for phrase in phrases)
    each = [np.stack([np.roll(spot[0], number) for number in range(len(text))]) for text in texts]
    return AttentionMaps(phrases, spot, np.full(count, 0.5, np.float32), (160, 120), heads,
                         tuple(each) if words else (), texts if words else ())


def tile(picture, column):
    """Return a tile of the first row, which begins where the first colour is (below the black title)."""
    left = MARGIN + column * (TILE + GAP)
    height = TILE * 120 // 160
    top = next(row for row in range(len(picture)) if (picture[row, left:left + TILE] != 255).any(1).all())
    return picture[top:top + height, left:left + TILE].astype(int)


def test_the_map_s_peak_and_the_heads_that_are_asked_are_drawn():
    picture = draw_heads(GRAY, maps_of('red mug'))
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 2 * MARGIN + COLUMNS * TILE + (COLUMNS - 1) * GAP
    whole, colour = tile(picture, 0), tile(picture, 1 + HEADS.index('colour'))
    kind = tile(picture, 1 + HEADS.index('kind'))
    spot = (round(1.5 / 6 * kind.shape[0]), round(2.5 / 8 * kind.shape[1]))
    assert kind[spot][1] - kind[spot][2] > 60       # yellow where the attention is
    assert abs(kind[-20, -20] - kind[spot]).max() > 60
    assert np.ptp(colour) == 0                      # asked nothing: the image, dimmed
    assert (whole == 255).all(2).any()              # the ring
    assert not (kind == 255).all(2).any()


def test_words_with_one_map_share_a_tile_and_more_words_take_more_rows():
    alone = draw_heads(GRAY, maps_of('mug', words=False))
    few, many = draw_heads(GRAY, maps_of('red mug')), draw_heads(GRAY, maps_of('a b c d e f g'))
    assert alone.shape[0] < few.shape[0] < many.shape[0]
    maps = maps_of('a b c d e f')
    same = AttentionMaps(maps.phrases, maps.maps, maps.presence, maps.image_size, maps.heads,
                         (np.repeat(maps.words[0][:1], 6, axis=0),), maps.word_texts)
    assert draw_heads(GRAY, same).shape == few.shape


def test_korean_phrases_have_korean_captions_and_roles_their_colour():
    korean, english = (draw_heads(GRAY, maps_of(phrase, words=False)) for phrase in ('컵', 'a'))
    assert (korean[-60:] != english[-60:]).any()
    plain, named = (draw_heads(GRAY, maps_of('a', 'b'), roles) for roles in ((), ('target', 'avoid')))
    assert plain.shape == named.shape
    assert (named == (213, 94, 0)).all(2).any()
    assert not (plain == (213, 94, 0)).all(2).any()


def test_heads_of_a_backend_s_own_are_drawn_too():
    less, more = (draw_heads(GRAY, maps_of('a', words=False, extra=extra)) for extra in ((), ('decoder_6',)))
    assert more.shape[0] > less.shape[0]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r'image must be \(H, W, 3\) uint8'):
        draw_heads(GRAY.astype(float), maps_of('a'))
    with pytest.raises(ValueError, match='no phrase'):
        draw_heads(GRAY, AttentionMaps((), np.zeros((0, 6, 8)), np.zeros(0), (160, 120)))
    with pytest.raises(ValueError, match=r'one a phrase \(1\), got 2'):
        draw_heads(GRAY, maps_of('a'), ('target', 'avoid'))


@pytest.mark.parametrize('size', [(640, 32), (20000, 32), (32, 20000), (480, 640), (640, 480)])
def test_the_sheet_of_an_image_of_any_shape_has_an_end(size):
    image = np.full((*size, 3), 128, np.uint8)
    sheet = draw_heads(image, maps_of('red mug'))
    assert sheet.shape[1] == 2 * MARGIN + COLUMNS * TILE + (COLUMNS - 1) * GAP
    assert sheet.shape[0] < 2 * (1.5 * TILE + 50) + 150
    if size == (640, 32):       # the image keeps its shape: a column of 1.5 x 260 rows
        tall = (sheet[:, MARGIN:MARGIN + 12] != 255).any(2).all(1).sum()
        assert tall >= 1.5 * TILE - 10
        assert (sheet[150, MARGIN + 30:MARGIN + TILE] == 255).all()
