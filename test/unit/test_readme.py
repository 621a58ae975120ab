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


def headings(file):
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r'^#+ (.+)$', file.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('name', ['README.md', 'README.ko.md'])
def test_every_link_to_a_file_leads_somewhere(name):
    links = re.findall(r'\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)', (ROOT / name).read_text(encoding='utf-8'))
    assert len(links) > 10
    assert not [path for path, _ in links if not (ROOT / path).exists()]
    named = [(ROOT / (path or name), anchor) for path, anchor in links if anchor]
    assert not [(page, anchor) for page, anchor in named if anchor not in headings(page)]


def commands(page):
    """Return the lines of a page's code blocks without comments, whatever is quoted in them."""
    blocks = re.findall(r'^```(?:bash|python)\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    lines = (re.sub(r'\s*#.*', '', line) for block in blocks for line in block.splitlines())
    return {re.sub(r'"[^"]*"|\'[^\']*\'', '""', line).strip() for line in lines} - {''}


def test_the_korean_page_has_no_command_or_topic_of_its_own():
    korean = (ROOT / 'README.ko.md').read_text(encoding='utf-8')
    assert len(commands(korean)) > 20
    assert not commands(korean) - commands(README)
    rows = re.findall(r'^\| (`[a-z_/`, ]+)', korean, re.MULTILINE)
    topics = {topic for row in rows for topic in re.findall(r'`([a-z_]*/[a-z_/]+)`', row)}
    assert len(topics) > 10
    assert not [topic for topic in topics if f'`{topic}`' not in README]
