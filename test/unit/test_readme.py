"""What README says of topics and parameters is what the nodes do."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / 'scripts' / f'{name}.py')
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_parameter_tables_are_up_to_date():
    pytest.importorskip('rclpy', reason='rclpy is not installed')
    tables = load_script('parameter_tables')
    assert tables.BEGIN in README
    assert tables.updated(README) == README, 'run: python scripts/parameter_tables.py'


def test_figures_of_real_time_are_those_that_were_measured():
    page = (ROOT / 'docs' / 'real_time.md').read_text(encoding='utf-8')
    assert load_script('real_time_tables').updated(page) == page, 'run: python scripts/real_time_tables.py'


def test_every_published_topic_is_in_the_table():
    topics = set()
    for file in (ROOT / 'src' / 'vla_attention' / 'ros').glob('*.py'):
        topics |= set(re.findall(r"\.output\(\w+, '([^']+)'", file.read_text(encoding='utf-8')))
    assert len(topics) > 15
    missing = sorted(topic for topic in topics if f'`{topic}`' not in README)
    assert not missing, f'README lacks {missing}'


def test_every_link_to_a_file_leads_somewhere():
    links = re.findall(r'\]\((?!https?:|#)([^)#]+)', README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
