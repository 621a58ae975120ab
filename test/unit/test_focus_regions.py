import numpy as np
import pytest

from vla_attention.focus import FocusRegion, Tracker, find_regions
from vla_attention.grounding import AttentionMaps

WIDTH, HEIGHT = 640, 480


def disc(x, y, radius):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius ** 2


def attention(*parts, phrase='cup', presence=0.9):
    """Return the maps of a phrase: the share of each patch that the parts (mask, strength) cover."""
    heat = sum(mask * strength for mask, strength in parts)
    cover = heat.reshape(30, 16, 40, 16).mean((1, 3)).astype(np.float32)
    return AttentionMaps((phrase,), cover[None], np.array([presence], np.float32), (WIDTH, HEIGHT))


def overlap(region, truth):
    have = region.mask > 0
    return (have & truth).sum() / (have | truth).sum()


@pytest.mark.parametrize('radius', [12, 30, 70])
def test_outlines_are_finer_than_a_patch(radius):
    truth = disc(301.5, 207.5, radius)
    region, = find_regions(attention((truth, 1.0)), 0, 'target')
    x0, y0, x1, y1 = region.box
    assert overlap(region, truth) > (0.55 if radius < 16 else 0.88)
    np.testing.assert_allclose([(x0 + x1) / 2, (y0 + y1) / 2], [302, 208], atol=3)
    assert max(abs(x1 - x0 - 2 * radius), abs(y1 - y0 - 2 * radius)) < 10       # a patch is 16
    assert region.role == 'target' and region.phrase == 'cup' and region.score == pytest.approx(0.9)
    assert set(np.unique(region.mask)) == {0, 255} and region.mask.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize('phrase, count', [('the cup', 1), ('the cups', 3), ('컵', 1), ('컵들', 3)])
def test_one_thing_or_several_as_the_phrase_says(phrase, count):
    parts = [(disc(100, 100, 40), 1.0), (disc(300, 300, 40), 0.9), (disc(520, 200, 40), 0.8)]
    regions = find_regions(attention(*parts, phrase=phrase), 0, 'target')
    assert len(regions) == count
    assert regions[0].box[0] < 100 < regions[0].box[2]
    scores = [region.score for region in regions]
    assert scores == sorted(scores, reverse=True) and 0 < scores[-1] <= scores[0] <= 1


def test_two_equal_answers_share_the_score():
    one = find_regions(attention((disc(100, 100, 40), 1.0)), 0, 'target', plural=False)[0]
    two = find_regions(attention((disc(100, 100, 40), 1.0), (disc(400, 100, 40), 1.0)), 0, 'target',
                       plural=False)[0]
    assert two.score == pytest.approx(one.score / 2, rel=0.1)


def test_neighbours_with_a_valley_between_are_two():
    regions = find_regions(attention((disc(200, 200, 40), 1.0), (disc(290, 200, 40), 1.0)), 0, 'target',
                           plural=True)
    assert len(regions) == 2


def test_background_is_no_region_and_max_regions_holds():
    weak = [(disc(100 + 150 * index, 400, 30), 0.3) for index in range(3)]
    assert len(find_regions(attention((disc(100, 100, 40), 1.0), *weak), 0, 'target', plural=True)) == 1
    strong = [(disc(80 + 120 * index, 300, 30), 1.0) for index in range(5)]
    assert len(find_regions(attention(*strong), 0, 'target', plural=True, max_regions=3)) == 3


def test_the_point_is_on_a_ring_not_in_its_hole():
    ring = disc(320, 240, 110) & ~disc(320, 240, 60)
    region, = find_regions(attention((ring, 1.0)), 0, 'target')
    assert region.mask[int(region.point[1]), int(region.point[0])] == 255


def test_a_region_at_the_border_stays_in_the_image():
    region, = find_regions(attention((disc(0, 470, 60), 1.0)), 0, 'target')
    x0, y0, x1, y1 = region.box
    assert (x0, y1) == (0, HEIGHT) and x1 < 80 and y0 > 390


def test_finer_masks_and_own_boxes_are_used():
    truth = disc(301.5, 207.5, 25)
    coarse = attention((truth, 1.0))
    fine = AttentionMaps(('cup',), coarse.maps, coarse.presence, (WIDTH, HEIGHT),
                         masks=truth.reshape(120, 4, 160, 4).mean((1, 3)).astype(np.float32)[None])
    assert overlap(find_regions(fine, 0, 'target')[0], truth) > 0.93
    boxed = AttentionMaps(('cup',), coarse.maps, coarse.presence, (WIDTH, HEIGHT),
                          boxes=(np.array([[270, 180, 335, 240, 0.8], [10, 10, 50, 50, 0.3]], np.float32),))
    region, = find_regions(boxed, 0, 'target')
    assert region.box == (270, 180, 335, 240) and region.score == pytest.approx(0.8)
    assert overlap(region, truth) > 0.8
    assert len(find_regions(boxed, 0, 'target', plural=True)) == 2


def test_a_map_that_looks_nowhere_has_no_region():
    assert find_regions(attention((disc(1, 1, 1), 0.0)), 0, 'target') == []
    nan = attention((disc(300, 200, 40), 1.0))
    nan.maps[0, 5, 5] = np.nan
    assert len(find_regions(nan, 0, 'target')) == 1


def test_bad_arguments_are_named():
    maps = attention((disc(300, 200, 40), 1.0))
    with pytest.raises(ValueError, match='index is 3, but there are 1 phrases'):
        find_regions(maps, 3, 'target')
    with pytest.raises(ValueError, match='max_regions is 0'):
        find_regions(maps, 0, 'target', max_regions=0)
    flat = AttentionMaps(('cup',), np.ones((1, 30), np.float32), np.ones(1, np.float32), (WIDTH, HEIGHT))
    with pytest.raises(ValueError, match=r'shape \(30,\)'):
        find_regions(flat, 0, 'target')


# ---- from frame to frame


def seen(x, y, role='target', phrase='cup', radius=30, score=0.8):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((columns - x) ** 2 + (rows - y) ** 2 < radius ** 2) * np.uint8(255)
    return FocusRegion(role, phrase, score, (x - radius, y - radius, x + radius, y + radius), (x, y), mask)


def test_numbers_stay_with_things_that_move_and_pass():
    tracker = Tracker(0.5)
    numbers = set()
    for frame in range(60):
        left = seen(100 + 6 * frame, 200)
        right = seen(500 - 6 * frame, 300)
        order = [left, right] if frame % 2 else [right, left]       # scores swap from frame to frame
        found = {region.phrase + str(region.box[1] < 240): region.track for region in
                 tracker.update(order, frame / 30)}
        numbers.add(tuple(sorted(found.items())))
    assert len(numbers) == 1


def test_an_apple_on_a_plate_is_not_taken_for_the_plate():
    rng = np.random.default_rng(0)
    tracker = Tracker(0.5)
    numbers = []
    for frame in range(60):
        x, y = 200 + 4 * frame + rng.normal(0, 6, 2)
        plate, apple = seen(x, y, radius=60), seen(*(220 + 4 * frame + rng.normal(0, 6, 2)), radius=25)
        order = [plate, apple] if frame % 2 else [apple, plate]
        tracks = [region.track for region in tracker.update(order, frame / 10)]
        numbers.append(tracks if frame % 2 else tracks[::-1])
    assert all(each == numbers[0] for each in numbers)


def test_smoothing_takes_noise_away_without_lag():
    rng = np.random.default_rng(0)
    tracker = Tracker(0.7)
    raw, smooth, late = [], [], []
    for frame in range(90):
        true = 100 + 5.0 * frame
        noisy = true + rng.normal(0, 2.5)
        region, = tracker.update([seen(noisy, 240)], frame / 30)
        middle = (region.box[0] + region.box[2]) / 2
        if frame > 20:
            raw.append(abs(noisy - true))
            smooth.append(abs(middle - true))
            late.append(middle - true)
    assert np.mean(smooth) < 0.75 * np.mean(raw)
    assert abs(np.mean(late)) < 1.0        # 5 pixels a frame would show as lag


def test_masks_do_not_flicker_and_move_with_the_box():
    rng = np.random.default_rng(0)
    tracker = Tracker(0.6)
    raw, smooth = [], []
    for frame in range(40):
        region = seen(200 + 3 * frame, 240, radius=40)
        clean = region.mask > 0
        holes = clean & (rng.random(clean.shape) < 0.3)
        region.mask[holes] = 0
        answer, = tracker.update([region], frame / 30)
        if frame > 10:
            raw.append(overlap(region, clean))
            smooth.append(overlap(answer, clean))
    assert np.mean(smooth) > np.mean(raw) + 0.1


def test_another_phrase_and_a_reset_begin_anew_without_lag():
    tracker = Tracker(0.9)
    first, = tracker.update([seen(100, 100)], 0.0)
    second, = tracker.update([seen(110, 100, phrase='bowl')], 0.1)
    assert second.track != first.track and second.box == seen(110, 100).box
    tracker.reset()
    third, = tracker.update([seen(112, 100)], 0.2)
    assert third.track not in (first.track, second.track) and third.box == seen(112, 100).box


def test_a_jump_is_followed_at_once_or_is_another_thing():
    tracker = Tracker(0.9)
    first, = tracker.update([seen(100, 100)], 0.0)
    near, = tracker.update([seen(140, 100)], 0.1)
    assert near.track == first.track and near.box == seen(140, 100).box
    far, = tracker.update([seen(500, 400)], 0.2)
    assert far.track != first.track


def test_a_number_outlives_a_short_gap_but_not_a_long_one_nor_a_clock_that_goes_back():
    tracker = Tracker(0.5)
    first, = tracker.update([seen(100, 100)], 10.0)
    assert tracker.update([], 10.3) == []
    assert tracker.update([seen(102, 100)], 10.6)[0].track == first.track
    assert tracker.update([seen(102, 100)], 14.0)[0].track != first.track
    last, = tracker.update([seen(102, 100)], 14.1)
    assert tracker.update([seen(102, 100)], 2.0)[0].track != last.track


def test_a_number_outlives_a_frame_out_of_order():
    tracker = Tracker(0.5)
    tracks = [tracker.update([seen(100, 100)], time)[0].track for time in (1.0, 1.033, 1.030, 1.066)]
    assert len(set(tracks)) == 1


def test_the_best_region_of_a_phrase_comes_first_by_the_scores_that_go_out():
    tracker = Tracker(0.5)
    tracker.update([seen(100, 100, score=0.9), seen(400, 100, score=0.2)], 0.0)
    knife = seen(300, 300, 'avoid', 'knife', score=1.0)
    answer = tracker.update([seen(400, 100, score=0.6), seen(100, 100, score=0.5), knife], 0.1)
    assert [region.point[0] for region in answer] == [100, 400, 300]
    assert [region.score for region in answer] == pytest.approx([0.7, 0.4, 1.0])


@pytest.mark.parametrize('smoothing', [0.5, 0.95])
def test_what_was_hidden_while_it_moved_comes_back_where_it_is(smoothing):
    tracker = Tracker(smoothing)
    for frame in range(60):
        first, = tracker.update([seen(100 + 2 * frame, 240)], frame / 30)
    tracker.update([], 2.2)
    for frame in range(10):     # it stands where it was seen last
        back, = tracker.update([seen(218, 240)], 2.5 + frame / 30)
        assert back.track == first.track and back.box == seen(218, 240).box


def test_stamps_that_come_twice_are_smoothed_as_well():
    rng = np.random.default_rng(0)
    tracker = Tracker(0.9)
    middles = [sum(tracker.update([seen(300 + rng.normal(0, 3), 240)], frame // 2 / 15)[0].box[::2]) / 2
               for frame in range(80)]
    assert np.std(middles[20:]) < 1


def test_another_image_size_begins_where_the_thing_is():
    tracker = Tracker(0.95)
    for frame in range(5):
        tracker.update([seen(60, 60, radius=40)], frame / 30)
    small = seen(45, 45, radius=30)
    small = FocusRegion('target', 'cup', 0.8, small.box, small.point, small.mask[:360, :480].copy())
    answer, = tracker.update([small], 0.2)
    assert answer.box == small.box and answer.mask.shape == (360, 480)


@pytest.mark.parametrize('part', [0.2, 0.7])
def test_the_mask_of_a_box_between_pixels_keeps_its_size_and_place(part):
    low, high = 100 + part, 120 + part
    middles = np.arange(WIDTH) + 0.5
    inside = (middles >= low) & (middles < high)
    mask = (inside[:HEIGHT, None] & inside) * np.uint8(255)
    region = FocusRegion('target', 'cup', 0.8, (low,) * 2 + (high,) * 2, (110.5, 110.5), mask)
    tracker = Tracker(0.5)
    for frame in range(3):
        answer, = tracker.update([region], frame / 10)
    np.testing.assert_array_equal(answer.mask, mask)


def test_without_smoothing_regions_come_as_they_are():
    tracker = Tracker(0.0)
    for frame in range(5):
        region = seen(100 + frame, 100, score=0.1 * frame)
        answer, = tracker.update([region], frame / 10)
        assert (answer.box, answer.score) == (region.box, region.score)
        assert (answer.mask == region.mask).all()
    for bad in (-0.1, 1.0):
        with pytest.raises(ValueError, match='smoothing is'):
            Tracker(bad)
