import pytest

from vla_attention.ros.stamps import StampMatcher

MS = 1_000_000


@pytest.fixture
def missed():
    return []


@pytest.fixture
def matcher(missed):
    return StampMatcher('regions', ('depth',), slop=lambda: 0.02, memory=lambda: 1.0,
                        missed=lambda topic, gap: missed.append((topic, gap)))


def test_an_equal_stamp_matches_whichever_comes_first(matcher):
    matcher.put('depth', 100 * MS, 'd1')
    assert matcher.put('regions', 100 * MS, 'r1', ['depth']) == {'regions': 'r1', 'depth': 'd1'}
    assert matcher.put('regions', 133 * MS, 'r2', ['depth', 'mask']) is None
    assert matcher.put('mask', 133 * MS, 'm2') is None
    assert matcher.put('depth', 133 * MS, 'd2') == {'regions': 'r2', 'depth': 'd2', 'mask': 'm2'}


def test_the_nearest_counts_once_nothing_nearer_can_come(matcher):
    matcher.put('regions', 105 * MS, 'r', ['depth'])
    assert matcher.put('depth', 100 * MS, 'early') is None      # an exact one may follow
    assert matcher.put('depth', 133 * MS, 'late')['depth'] == 'early'


def test_half_a_period_is_the_limit(matcher):
    for time in (0, 10, 20, 30):
        matcher.put('depth', time * MS, time)
    matcher.put('regions', 46 * MS, 'r', ['depth'])
    assert matcher.put('depth', 60 * MS, 60) is None        # 14 and 16 ms away: within slop, not within 5 ms


def test_only_near_topics_may_be_near(matcher):
    matcher.put('mask', 99 * MS, 'm')
    matcher.put('mask', 101 * MS, 'm')
    assert matcher.put('regions', 100 * MS, 'r', ['mask']) is None


def test_the_newest_goes_first_and_what_is_dropped_is_told(matcher, missed):
    matcher.put('regions', 100 * MS, 'r1', ['mask'])
    matcher.put('regions', 133 * MS, 'r2', ['mask'])
    assert matcher.put('mask', 133 * MS, 'm2') == {'regions': 'r2', 'mask': 'm2'}
    assert missed == [('mask', 33 * MS)]
    assert matcher.put('mask', 100 * MS, 'm1') is None      # what is older than what went out stays in


def test_a_reference_that_waits_in_vain_is_told(matcher, missed):
    matcher.put('depth', 0, 'd')
    matcher.put('depth', 5000 * MS, 'd')
    for time in (100, 400, 700):
        matcher.put('regions', time * MS, time, ['depth'])
    assert missed == [('depth', 4900 * MS)]


def test_stamps_that_start_over_match_again(matcher):
    matcher.put('depth', 9_000_000 * MS, 'd')
    matcher.put('regions', 9_000_000 * MS, 'r', ['depth'])
    matcher.put('depth', 5 * MS, 'new d')
    assert matcher.put('regions', 5 * MS, 'new r', ['depth']) == {'regions': 'new r', 'depth': 'new d'}


def test_old_messages_are_let_go(matcher):
    matcher.put('depth', 100 * MS, 'old')
    matcher.put('depth', 1200 * MS, 'new')
    assert matcher.find('depth', 100 * MS) is None and matcher.find('depth', 1200 * MS) == 'new'


def test_a_slow_reference_lengthens_the_memory():
    matcher = StampMatcher('regions', ('depth',), slop=lambda: 0.02, memory=lambda: 5.0,
                           missed=lambda topic, gap: None)
    matched = []
    for time in range(0, 12000, 100):       # regions come 3 s after their image
        matcher.put('depth', time * MS, time)
        if time >= 3000:
            match = matcher.put('regions', (time - 3000) * MS, time, ['depth'])
            matched += [match['depth']] if match else []
    assert matched[0] <= 3500 and matched[-1] == 8900 and len(matched) > 50


def test_what_is_from_before_depth_came_is_no_trouble(matcher, missed):
    matcher.put('regions', 1000 * MS, 'early', ['depth'])
    for stamp in range(1200, 8000, 100):
        matcher.put('depth', stamp * MS, 'depth')
        matcher.put('regions', stamp * MS, 'regions', ['depth'])
    assert missed == []


def test_clocks_that_are_not_in_step_are_told(matcher, missed):
    for stamp in range(0, 2000, 100):       # depth is an hour ahead
        matcher.put('depth', (3_600_000 + stamp) * MS, 'depth')
        matcher.put('regions', stamp * MS, 'regions', ['depth'])
    assert len(missed) > 10 and all(topic == 'depth' for topic, _ in missed)
