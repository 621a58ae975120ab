"""What a thing may also be called, and which names must not count as wrong for it."""

from __future__ import annotations

from functools import lru_cache

from vla_attention.language.lexicon import load_lexicon

# a thing of the kind on the left answers to each word on the right
IS_A = {
    'vinegar bottle': ('bottle',), 'oil bottle': ('bottle',), 'water bottle': ('bottle',),
    'fish can': ('can',), 'corn can': ('can',), 'bean can': ('can',), 'cereal box': ('box',),
    'milk carton': ('carton', 'milk'), 'juice carton': ('carton', 'juice'), 'yogurt carton': ('carton',),
    'jam jar': ('jar',), 'honey jar': ('jar',), 'chips': ('packet',), 'mug': ('cup',),
    'ratchet': ('wrench',), 'mallet': ('hammer',), 'soccer ball': ('ball',), 'tennis ball': ('ball',),
    'zucchini': ('vegetable',), 'tangerine': ('orange',),
}
_FRUIT = ('apple', 'banana', 'orange', 'lemon', 'lime', 'grapefruit', 'tangerine', 'peach', 'nectarine',
          'pear', 'plum', 'mango', 'melon', 'watermelon', 'kiwi', 'papaya', 'pomegranate', 'pineapple',
          'strawberry', 'avocado')
_VEGETABLE = ('carrot', 'tomato', 'cucumber', 'zucchini', 'eggplant', 'potato', 'onion', 'garlic', 'ginger',
              'mushroom', 'cabbage', 'leek', 'asparagus', 'beet', 'bell pepper', 'corn', 'broccoli')
_TOOL = ['wrench', 'screwdriver', 'pliers', 'hammer', 'ratchet', 'saw', 'utility knife', 'caliper', 'pincers',
         'file', 'drill', 'mallet', 'tape measure', 'scissors']
# packages of goods: it is not known which of these a picture shows
_PACKAGES = ('bottle', 'can', 'box', 'carton', 'jar', 'packet', 'bag', 'container', 'canister', 'tub')
_GOODS = ('soda', 'juice', 'spice', 'coffee', 'tomato sauce', 'pasta', 'sugar', 'tea', 'chocolate',
          'rice', 'flour', 'cake', 'nuts', 'candy', 'chips', 'milk')


@lru_cache(maxsize=1024)
def names_of(kind: str) -> frozenset[str]:
    """Return all kinds that a thing of this kind answers to, itself among them."""
    names = {kind, 'object', *IS_A.get(kind, ())}
    for group, members in (('fruit', _FRUIT), ('vegetable', _VEGETABLE), ('tool', _TOOL)):
        if kind in members:
            names.add(group)
            if group != 'tool':
                names.add('food')
    return frozenset(names)


@lru_cache(maxsize=65536)
def may_be(kind: str, word: str) -> bool:
    """Tell whether a thing of ``kind`` must not count as wrong for ``word``: looks or names are near."""
    like = load_lexicon().like
    if word in names_of(kind) or kind in names_of(word):
        return True
    if word in like.get(kind, ()) or kind in like.get(word, ()):
        return True
    return kind in _GOODS and word in _PACKAGES
