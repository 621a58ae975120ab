import json

import numpy as np
import pytest

from training.focus.calibrate import fit
from vla_attention.focus import find_regions
from vla_attention.focus.confidence import (
    FEATURES,
    Confidence,
    calibration_error,
    features,
    load_confidence,
)
from vla_attention.grounding import AttentionMaps

PLAIN = Confidence(-0.5, (0.3, 0.2, 0.3, 0.1))


def test_a_surer_larger_answer_without_a_rival_is_more_probable():
    def of(presence, scores, share):
        return PLAIN.probabilities(presence, scores, [share])[0]
    base = of(0.8, [0.6, 0.3], 0.02)
    assert of(0.95, [0.6, 0.3], 0.02) > base > of(0.55, [0.6, 0.3], 0.02)
    assert of(0.8, [0.6, 0.1], 0.02) > base > of(0.8, [0.6, 0.58], 0.02)
    assert of(0.8, [0.6, 0.3], 0.05) > base > of(0.8, [0.6, 0.3], 0.001)


def test_regions_stay_in_their_order_and_between_0_and_1():
    values = PLAIN.probabilities(1.0, [0.9, 0.5, 0.0], [1e-6, 0.9, 0.2])
    assert values == sorted(values, reverse=True) and 0 <= values[-1] <= values[0] <= 1


def test_the_only_candidate_and_no_candidate():
    assert features(0.9, [0.5], [0.01]).shape == (1, len(FEATURES))
    assert features(0.9, [], []).shape == (0, len(FEATURES)) and PLAIN.probabilities(0.9, [], []) == []


def test_features_are_what_they_are_said_to_be():
    found = features(0.5, [0.4, 0.2], [0.01, 0.1])
    np.testing.assert_allclose(found, [[0, np.log(0.8), np.log(2), np.log(0.01)],
                                       [0, np.log(0.4), -np.log(2), np.log(0.1)]])
    extreme = features(1.0, [1.0, 0.0], [1.0, 0.0])
    assert np.isfinite(extreme).all() and extreme[:, 2].tolist() == [4, -4]


def test_regions_carry_the_probability():
    boxes = np.array([[20, 20, 120, 120, 0.6], [200, 60, 260, 140, 0.5]], np.float32)
    maps = AttentionMaps(('the cups',), np.zeros((1, 15, 20), np.float32), np.array([0.9], np.float32),
                         (320, 240), boxes=(boxes,))
    expected = PLAIN.probabilities(0.9, boxes[:, 4], [100 * 100 / 76800, 60 * 80 / 76800])
    regions = find_regions(maps, 0, 'target', confidence=PLAIN, plural=True)
    np.testing.assert_allclose([region.score for region in regions], expected, rtol=1e-6)
    alone, = find_regions(maps, 0, 'target', confidence=PLAIN, plural=False)
    assert alone.score == pytest.approx(expected[0])        # its rival still counts


def test_what_was_fitted_comes_back():
    rng = np.random.default_rng(0)
    table = rng.normal(0, 1, (4000, 4)) * (1, 0.5, 2, 3) + (0, -1, 1, -4)
    truth = Confidence(0.5, (1.0, 0.5, -0.3, 0.1))
    hits = (rng.random(4000) < truth.of(table)).astype(float)
    found = fit(table, hits)
    np.testing.assert_allclose((found.bias, *found.slopes), (truth.bias, *truth.slopes), atol=0.25)
    assert calibration_error(found.of(table), hits) < 0.03
    with pytest.raises(ValueError, match='nothing to fit'):
        fit(table, np.ones(4000))


def test_calibration_error_of_known_answers():
    assert calibration_error(np.full(10, 0.85), np.array([1.0] * 8 + [0.0] * 2)) == pytest.approx(0.05)
    assert calibration_error(np.ones(4), np.zeros(4)) == 1      # sure, and wrong


def test_the_package_has_one_for_the_embedded_model_and_none_for_strangers():
    assert load_confidence('embedded') is not None and load_confidence('stranger') is None


def test_slopes_are_read_by_their_names_and_no_file_is_no_map(tmp_path):
    path = tmp_path / 'confidence.json'
    assert load_confidence('embedded', path) is None
    path.write_text(json.dumps({'embedded': {'bias': 0, 'slopes': {
        'area': 4, 'margin': 3, 'presence': 1, 'score': 2}}}))
    assert load_confidence('embedded', path) == Confidence(0.0, (1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize('text', ['', '[]', '{"embedded": {"bias": 1}}',
                                  '{"embedded": {"bias": 1, "slopes": {}}}'])
def test_a_broken_file_is_named(tmp_path, text):
    path = tmp_path / 'confidence.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'confidence\.json'):
        load_confidence('embedded', path)


def test_numbers_that_are_no_map_are_refused(tmp_path):
    with pytest.raises(ValueError, match='slopes'):
        Confidence(0.0, (1.0,))
    path = tmp_path / 'confidence.json'
    path.write_text(json.dumps({'embedded': {'bias': float('nan'), 'slopes': dict.fromkeys(FEATURES, 1.0)}}))
    with pytest.raises(ValueError, match='finite'):
        load_confidence('embedded', path)
