"""The transformers backends on tiny random models of each architecture, loaded once for all tests of them.

Modules that import from here name it in ``pytest_plugins`` too: PYTEST_DONT_REWRITE, it asserts nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip('transformers')
PIL_Image = pytest.importorskip('PIL.Image')

import hub_models  # noqa: E402

from vla_attention.grounding import make_backend  # noqa: E402

NAMES = tuple(hub_models.MAKERS)
PHRASES = ('red mug left of the laptop', '파란 접시 위', 'the left side', 'zorbly')
VISION = {'clipseg': 'clip.vision_model.embeddings', 'owlv2': 'owlv2.vision_model',
          'siglip': 'vision_model.embeddings', 'grounding_dino': 'model.backbone'}


@pytest.fixture(scope='module')
def one_thread():
    """Tiny models gain nothing from threads, which wait for each other where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    """Keep exported graphs out of the user's own cache, one folder for all tests."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.getbasetemp() / 'cache'))


@pytest.fixture(scope='session')
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp('models')
    return {name: make(root / name) for name, make in hub_models.MAKERS.items()}


@pytest.fixture(scope='session')
def backends(folders):
    return {name: make_backend(name, model=str(folder), device='cpu', engine='torch')
            for name, folder in folders.items()}


@pytest.fixture(scope='session')
def image():
    """A smooth picture with two things in it; noise would make every resize look different."""
    rng = np.random.default_rng(0)
    small = rng.integers(40, 216, (6, 8, 3), dtype=np.uint8)
    picture = np.array(PIL_Image.fromarray(small).resize((160, 120), PIL_Image.BICUBIC))
    picture[40:80, 20:50] = (200, 20, 20)
    picture[50:90, 100:140] = (30, 30, 200)
    return picture
