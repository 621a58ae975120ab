"""One image and what phrases find in it: kind, colour, size and place put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from vla_attention.grounding.between import resolve_between
from vla_attention.grounding.colour import colour_evidence
from vla_attention.grounding.embedded_model import EmbeddedModel, Sight
from vla_attention.grounding.outline import outline
from vla_attention.grounding.proposals import (
    FINE,
    Candidates,
    best_apart,
    bump,
    colour_in_boxes,
    from_colour,
    from_patches,
    merge,
    paint,
)
from vla_attention.grounding.reference import is_place_between, references_of
from vla_attention.grounding.resolve import Resolution, resolve_parts
from vla_attention.grounding.second_look import SecondLook
from vla_attention.grounding.word_queries import DOUBT, WordQueries, attend
from vla_attention.language import Phrase
from vla_attention.language.lexicon import load_lexicon
from vla_attention.vision.engine import Engine
from vla_attention.vision.image import PATCH

MOST_BOXES = 10
ATTENTION_SHARE = 0.3   # of the attention in the map of a kind, beside the match of each patch by itself
# match logit of the first look, and logit of both looks, at which a thing is as likely in view as not. Set
# low: in places unlike those of the training things that are there match less well, and to refuse one wrongly
# costs more than to doubt
PRESENCE_EVEN = -2.8
PRESENCE_SLOPE = 1.5
PRESENCE_EVEN_NEAR = -3.4
# what both looks say of the kind is doubted a little beside what a phrase says of colour and place: in unlike
# places kinds are mistaken more often than colours
KIND_DOUBT = 1.5
KIND_LEAST = 0.03
NEAR_SHARE = 0.5        # of the second look's own box in a candidate's, beside the first look's
LEAST_SIDE = 4          # pixels of the model's image; a smaller box of the second look is not believed
COLOUR_FULL = 0.35      # share of a box's middle that is of a colour in things of that colour
COLOUR_DOUBT = 0.45     # what is left of the presence of a thing of which none has the colour
COLOUR_LEAST = 0.02     # what a candidate without any of the colour keeps of its score
# what is left of the presence where a noun that the lexicon does not have asks for any object: as of a kind
# whose likeness to a trained one goes over two others
UNKNOWN = DOUBT ** 2
# what everything stands on: pictures seldom show where it ends
SURFACES = frozenset({'table', 'desk', 'floor'})


@dataclass
class Answer:
    """What one phrase found; the fields are those of AttentionMaps, of one phrase."""

    map: np.ndarray
    mask: np.ndarray
    presence: float
    heads: dict[str, np.ndarray]
    words: np.ndarray
    word_texts: tuple[str, ...]
    boxes: np.ndarray


class Scene:
    """One image as the model sees it."""

    def __init__(self, model: EmbeddedModel, engine: Engine, seen: np.ndarray, image: np.ndarray,
                 queries: WordQueries, near: SecondLook | None = None) -> None:
        """Look once.

        :param seen: the image in the model's size; ``image`` the same as it came.
        :param near: looks at the candidates of each phrase again; None leaves it at the first look.
        """
        self.near = near
        self.model, self.engine, self.seen, self.image, self.queries = model, engine, seen, image, queries
        self.size = (seen.shape[1], seen.shape[0])
        self.grid = (seen.shape[1] // PATCH, seen.shape[0] // PATCH)
        self.fine = (seen.shape[1] // FINE, seen.shape[0] // FINE)
        sight = Sight(*engine(seen))
        self.attention, self.match = _attention(model, queries, sight)
        self.objectness = torch.sigmoid(sight.objectness[0]).cpu().numpy()
        self.reach = sight.boxes[0].cpu().numpy()
        self.small = cv2.resize(seen, self.fine, interpolation=cv2.INTER_AREA)
        self._kinds: dict[str, tuple[np.ndarray, float]] = {}
        self._colours: dict[tuple[str, ...], np.ndarray] = {}

    def look_for(self, phrase: Phrase) -> Answer:
        """Find what a phrase means."""
        if is_place_between(phrase):
            return self.between(phrase)
        kind, presence = self.kind_map(phrase.kind)
        colour = self.colour_map(phrase.colours)
        if self.near is not None:
            boxes = self.shortlist(phrase)
            logits = self.look_again(phrase.kind, boxes)
            fits = KIND_LEAST + (1 - KIND_LEAST) * _sigmoid(logits / KIND_DOUBT)
            candidates = Candidates(self.settled(boxes), fits)
            presence = float(_sigmoid(logits.max(initial=-9) - PRESENCE_EVEN_NEAR)) * self.trust(phrase.kind)
        else:
            candidates = self.candidates(kind, colour, bool(phrase.colours))
        in_colour = self.in_colour(phrase.colours, candidates.boxes)
        parts = self.resolve(phrase, candidates, in_colour)
        score = parts.score
        order = np.argsort(-score)[:MOST_BOXES]
        if phrase.noun and phrase.noun in phrase.unknown:
            presence *= UNKNOWN
        if phrase.colours and len(score):
            presence *= COLOUR_DOUBT + (1 - COLOUR_DOUBT) * float(in_colour[order[0]])
        return self.answer(phrase, kind, colour, candidates, parts, order, presence)

    def between(self, phrase: Phrase) -> Answer:
        """Find the place between two things; it is as surely there as the less sure of them."""
        answers = [self.look_for(reference) for reference in references_of(phrase)]
        boxes, parts = resolve_between(phrase, [answer.boxes for answer in answers],
                                       (self.image.shape[1], self.image.shape[0]))
        presence = min(answer.presence for answer in answers) if len(boxes) else 0.0
        boxes = np.column_stack([boxes[:, :4], parts.score])[np.argsort(-parts.score)[:MOST_BOXES]]
        share = boxes[:, 4] / max(float(boxes[:, 4].max(initial=0)), 1e-6)
        mask: np.ndarray = np.zeros(self.fine[::-1], np.float32)
        for box, value in zip((boxes[:, :4] / self._scale())[::-1], share[::-1], strict=True):
            part = _crop(mask, box / FINE)
            np.maximum(part, value, out=part)
        space: np.ndarray = cv2.resize(mask, self.grid, interpolation=cv2.INTER_AREA)
        space = space / max(float(space.max()), 1e-6)
        flat = np.ones_like(space)
        heads = {'kind': flat, 'colour': flat, 'space': space, 'size': flat}
        words, texts = _word_maps(phrase, heads)
        return Answer(space, mask, presence, heads, words, texts, boxes.astype(np.float32))

    def shortlist(self, phrase: Phrase) -> np.ndarray:
        """Return the boxes (N, 4) that are worth a second look."""
        if self.near is None:
            raise ValueError('there is no second look')
        kind, _ = self.kind_map(phrase.kind)
        candidates = self.candidates(kind, self.colour_map(phrase.colours), bool(phrase.colours))
        score = candidates.kind * self.in_colour(phrase.colours, candidates.boxes)
        return candidates.boxes[best_apart(score, candidates.boxes, self.near.most)]

    def in_colour(self, colours: tuple[str, ...], boxes: np.ndarray) -> np.ndarray:
        """Return (N,) how well boxes are of the named colours, 0..1; 1 where none is named."""
        if not colours:
            return np.ones(len(boxes), np.float32)
        share = colour_in_boxes(self.colour_map(colours), boxes)
        return np.clip(share / COLOUR_FULL, COLOUR_LEAST, 1).astype(np.float32)

    def kind_map(self, kind: str) -> tuple[np.ndarray, float]:
        """Return how well patches fit a kind, (rows, cols) with peak 1, and how probably it is in view.

        The second is by the first look alone.
        """
        if kind not in self._kinds:
            self._kinds[kind] = self._kind_map(kind)
        return self._kinds[kind]

    def _kind_map(self, kind: str) -> tuple[np.ndarray, float]:
        word = self.queries.kinds.index(kind)
        attention, match = self.attention[word], self.match[word]
        fits = _sigmoid(match) / _sigmoid(match.max())
        score = (attention / attention.max()) ** ATTENTION_SHARE * fits ** (1 - ATTENTION_SHARE)
        if kind in ('', 'object'):
            score = score * self.objectness / self.objectness.max()
        presence = float(_sigmoid(PRESENCE_SLOPE * (match.max() - PRESENCE_EVEN))) * self.trust(kind)
        return (score / score.max()).reshape(self.grid[::-1]).astype(np.float32), presence

    def trust(self, kind: str) -> float:
        """Return how far what is said of a kind can be trusted, 0..1."""
        return self.queries.trust[self.queries.kinds.index(kind)]

    def colour_map(self, colours: tuple[str, ...]) -> np.ndarray:
        """Return the evidence of the named colours at the fine scale; 1 where none is named."""
        if not colours:
            return np.ones(self.fine[::-1], np.float32)
        if colours not in self._colours:
            self._colours[colours] = colour_evidence(self.seen, colours, self.fine).max(axis=0)
        return self._colours[colours]

    def candidates(self, kind: np.ndarray, colour: np.ndarray, coloured: bool) -> Candidates:
        """Return boxes that may be the thing."""
        score = kind
        if coloured:
            coarse = cv2.resize(colour, self.grid, interpolation=cv2.INTER_AREA)
            near = cv2.dilate(coarse, np.ones((3, 3), np.uint8))
            score = kind * np.clip(near / COLOUR_FULL, 0.05, 1)
        middle = score.ravel() * np.sqrt(self.objectness / self.objectness.max())
        found = from_patches(middle, self.reach, self.size)
        if coloured:
            found = merge(found, from_colour(colour, kind))
        # a candidate is as good as the best patch in its middle, not as the patch that drew its box
        parts = [_crop(kind, box) for box in found.boxes / PATCH]
        values = [float((part * bump(*part.shape)).max()) for part in parts]
        return Candidates(found.boxes, np.clip(np.array(values, np.float32), 0, 1))

    def look_again(self, kind: str, boxes: np.ndarray) -> np.ndarray:
        """Return (N,) logits that boxes (N, 4) show a kind, by both looks.

        :raises ValueError: there is no second look.
        """
        if self.near is None:
            raise ValueError('there is no second look')
        *weights, bias = self.near.model.fusion
        logits: np.ndarray = self.evidence(kind, boxes) @ np.array(weights) + bias
        return logits

    def settled(self, boxes: np.ndarray) -> np.ndarray:
        """Return boxes (N, 4), each moved towards where the second look sees the thing in it.

        :raises ValueError: there is no second look.
        """
        if self.near is None:
            raise ValueError('there is no second look')
        limits = np.array(self.size * 2, np.float32)
        things = np.clip(self.near(self.to_image(boxes))[1] / self._scale(), 0, limits)
        moved = (1 - NEAR_SHARE) * boxes + NEAR_SHARE * things
        sides = things[:, 2:] - things[:, :2]
        return np.where((sides > LEAST_SIDE).all(axis=1, keepdims=True), moved, boxes).astype(np.float32)

    def evidence(self, kind: str, boxes: np.ndarray) -> np.ndarray:
        """Return (N, 3) logits that boxes show a kind.

        Of the match of the best patch in their middle, of a thing being there at all, of the second look.

        :raises ValueError: there is no second look.
        """
        if self.near is None:
            raise ValueError('there is no second look')
        word = self.queries.kinds.index(kind)
        match = self.match[word].reshape(self.grid[::-1])
        thing = self.objectness.reshape(self.grid[::-1])
        parts = [(_crop(match, box), _crop(thing, box)) for box in boxes / PATCH]
        weights = [np.log(bump(*part.shape)) for part, _ in parts]
        first = [float((part + weight).max()) for (part, _), weight in zip(parts, weights, strict=True)]
        there = np.clip([float((part * np.exp(weight)).max()) for (_, part), weight
                         in zip(parts, weights, strict=True)], 1e-4, 1 - 1e-4)
        near = self.near(self.to_image(boxes))[0][:, word]
        return np.stack([first, np.log(there / (1 - there)), near], axis=1).astype(np.float32)

    def resolve(self, phrase: Phrase, candidates: Candidates, in_colour: np.ndarray) -> Resolution:
        """Judge the candidates by all that the phrase says."""
        references = None
        on_surface = (phrase.relation == 'on' and phrase.reference is not None
                      and phrase.reference.kind in SURFACES)
        if phrase.relation and phrase.reference is not None and not on_surface:
            found = [self.look_for(reference).boxes for reference in references_of(phrase)]
            references = np.concatenate(found)
        else:
            # of a destination the thing itself is looked for; and "on the table" tells nothing apart
            phrase = replace(phrase, relation='')
        boxes = np.concatenate([self.to_image(candidates.boxes), candidates.kind[:, None]], axis=1)
        return resolve_parts(phrase, boxes, image_size=(self.image.shape[1], self.image.shape[0]),
                             references=references, colours=in_colour)

    def answer(self, phrase: Phrase, kind: np.ndarray, colour: np.ndarray, candidates: Candidates,
               parts: Resolution, order: np.ndarray, presence: float) -> Answer:
        """Draw the maps."""
        space = paint(candidates.boxes, parts.space, self.grid)
        size = paint(candidates.boxes, parts.size, self.grid)
        coarse_colour = cv2.resize(colour, self.grid, interpolation=cv2.INTER_AREA)
        heads = {'kind': kind, 'colour': coarse_colour, 'space': space, 'size': size}
        mask = np.zeros(self.fine[::-1], np.float32)
        best = float(parts.score.max(initial=0.0))
        for index in order[::-1]:
            (x0, y0, x1, y1), figure = outline(self.small, candidates.boxes[index])
            if phrase.colours:
                figure = figure * (0.5 + 0.5 * colour[y0:y1, x0:x1])
            drawn = figure / max(float(figure.max()), 1e-6) * parts.score[index] / max(best, 1e-6)
            mask[y0:y1, x0:x1] = np.maximum(mask[y0:y1, x0:x1], drawn)
        glow = np.zeros_like(kind)
        for index in order[::-1]:
            part = _crop(glow, candidates.boxes[index] / PATCH)
            np.maximum(part, bump(*part.shape) * parts.score[index] / max(best, 1e-6), out=part)
        whole = glow * 0.8 + 0.2 * kind * np.minimum(1, coarse_colour / COLOUR_FULL) * space * size
        boxes = np.concatenate([self.to_image(candidates.boxes[order]),
                                parts.score[order, None] * presence], axis=1)
        words, texts = _word_maps(phrase, heads)
        return Answer(whole / max(float(whole.max()), 1e-6), mask, presence, heads, words, texts,
                      boxes.astype(np.float32))

    def to_image(self, boxes: np.ndarray) -> np.ndarray:
        """Bring boxes (N, 4) from the model's pixels to the image's."""
        return boxes * self._scale()

    def _scale(self) -> np.ndarray:
        """Return (4,) the image's pixels in one of the model's, for each side of a box."""
        height, width = self.image.shape[:2]
        return np.array((width / self.size[0], height / self.size[1]) * 2, np.float32)


def _attention(model: EmbeddedModel, queries: WordQueries, sight: Sight) -> tuple[np.ndarray, np.ndarray]:
    attention, match, _ = attend(model, queries, sight.tokens, sight.embedding)
    return attention.mean(dim=0).cpu().numpy(), match.cpu().numpy()


def _sigmoid(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * (1 + np.tanh(values / 2))
    return result


def _crop(values: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the view of a map that a box in its cells covers, one cell at least."""
    rows, cols = values.shape
    x0, y0 = np.clip(np.floor(box[:2] + 0.25).astype(int), 0, (cols - 1, rows - 1))
    x1, y1 = np.clip(np.ceil(box[2:] - 0.25).astype(int), (x0 + 1, y0 + 1), (cols, rows))
    return values[y0:y1, x0:x1]


def _word_maps(phrase: Phrase, heads: dict[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give each word of the phrase the map of what it speaks of: its head, or all alike for other words."""
    texts = tuple(phrase.text.split())
    lexicon = load_lexicon()
    nouns = phrase.noun.split()
    flat = np.ones_like(heads['kind'])
    maps = []
    for text in texts:
        word = text.strip('.,').lower()
        if word in nouns:
            maps.append(heads['kind'])
        elif lexicon.lookup('colours', word, phrase.language):
            maps.append(heads['colour'])
        elif lexicon.lookup('sizes', word, phrase.language):
            maps.append(heads['size'])
        elif phrase.position or phrase.relation or phrase.ordinal:
            maps.append(heads['space'])
        else:
            maps.append(flat)
    return np.stack(maps) if maps else np.zeros((0, *flat.shape), np.float32), texts
