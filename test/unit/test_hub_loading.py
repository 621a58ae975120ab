"""Models load from safetensors alone and offline; whatever stands in the way is said with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

transformers = pytest.importorskip('transformers')

import hub_models  # noqa: E402
from huggingface_hub import constants  # noqa: E402
from huggingface_hub.utils import httpx  # noqa: E402

from vla_attention.grounding import BackendError, make_backend  # noqa: E402
from vla_attention.grounding.device import pick_device  # noqa: E402
from vla_attention.grounding.fetch import MODELS, REVISIONS, fetch_weights  # noqa: E402


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.getbasetemp() / 'cache'))


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    return hub_models.clipseg(tmp_path_factory.mktemp('models') / 'clipseg')


@pytest.fixture
def folder(good, tmp_path):
    return Path(shutil.copytree(good, tmp_path / 'clipseg'))


def rewrite(path, **changes):
    data = json.loads(path.read_text())
    data.update(changes)
    path.write_text(json.dumps(data))


def refuses(match, name='clipseg', **options):
    with pytest.raises(BackendError, match=match):
        make_backend(name, device=options.pop('device', 'cpu'), **options)


def test_a_folder_of_another_architecture(folder):
    refuses("holds a model of type 'clipseg'; this backend reads 'owlv2'", name='owlv2', model=str(folder))


def test_a_folder_without_config(tmp_path):
    refuses('config.json is missing', model=str(tmp_path))


def test_a_broken_config(folder):
    (folder / 'config.json').write_text('{')
    refuses('config.json cannot be read', model=str(folder))


def test_a_missing_tokenizer(folder):
    (folder / 'tokenizer.json').unlink()
    refuses('has no tokenizer', model=str(folder))


def test_a_damaged_tokenizer(folder):
    (folder / 'tokenizer.json').write_text('{"version": "1.0"}')
    refuses('cannot be loaded as CLIPSegForImageSegmentation', model=str(folder))


def test_the_tokenizer_of_another_model(folder):
    tokenizer = hub_models.clip_tokenizer(32)
    tokenizer.add_tokens(['cup'])
    tokenizer.save_pretrained(folder)
    refuses('the tokenizer in .* is not that of the model: it has a token 514, where the model knows 514',
            model=str(folder))


def test_a_tokenizer_of_two_files_as_the_older_checkpoints_have_it(folder):
    """The usual CLIPSeg and OWLv2 have vocab.json and merges.txt, and no tokenizer.json."""
    wanted = make_backend('clipseg', model=str(folder), device='cpu', engine='torch')
    vocab = json.loads((folder / 'tokenizer.json').read_text())['model']['vocab']
    (folder / 'tokenizer.json').unlink()
    (folder / 'vocab.json').write_text(json.dumps(vocab))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    (folder / 'tokenizer_config.json').write_text(json.dumps(
        {'tokenizer_class': 'CLIPTokenizer', 'model_max_length': 77, 'pad_token': '<|endoftext|>'}))
    backend = make_backend('clipseg', model=str(folder), device='cpu', engine='torch')
    first, second = (each._tokens(['red mug'], padding='longest')['input_ids'].tolist()
                     for each in (wanted, backend))
    assert first == second and len(first[0]) > 2


def test_missing_image_settings(folder):
    (folder / 'preprocessor_config.json').unlink()
    refuses('preprocessor_config.json is missing', model=str(folder))


@pytest.mark.parametrize(('changes', 'message'), [
    ({'image_std': None}, 'lack'), ({'size': {'area': 3}}, 'size of unknown form'),
    ({'resample': 0}, 'resample 0'), ({'rescale_factor': 1.0}, 'rescale_factor')])
def test_strange_image_settings(folder, changes, message):
    settings = json.loads((folder / 'preprocessor_config.json').read_text())
    settings.update(changes)
    settings = {name: value for name, value in settings.items() if value is not None}
    (folder / 'preprocessor_config.json').write_text(json.dumps(settings))
    refuses(message, model=str(folder))


def test_image_settings_inside_the_processor_s(good, folder):
    settings = json.loads((folder / 'preprocessor_config.json').read_text())
    (folder / 'preprocessor_config.json').unlink()
    (folder / 'processor_config.json').write_text(json.dumps({'image_processor': settings}))
    there, here = (make_backend('clipseg', model=str(path), device='cpu') for path in (good, folder))
    assert there.transform == here.transform


def test_pickled_weights_are_not_read(folder):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (folder / 'exploded',))

    (folder / 'model.safetensors').unlink()
    torch.save({'weight': Bomb()}, folder / 'pytorch_model.bin')
    refuses(r'pickle \(pytorch_model.bin\)', model=str(folder))
    assert not (folder / 'exploded').exists()


def test_no_weights(folder):
    (folder / 'model.safetensors').unlink()
    refuses('has no weights', model=str(folder))


def test_damaged_weights(folder):
    weights = folder / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:1000])
    refuses('cannot be loaded as CLIPSegForImageSegmentation', model=str(folder))


def test_weights_of_another_model_under_a_right_name(folder, tmp_path):
    other = hub_models.siglip(tmp_path / 'siglip')
    shutil.copy(other / 'model.safetensors', folder / 'model.safetensors')
    refuses('not those of CLIPSegForImageSegmentation: .* tensors are missing', model=str(folder))


def test_code_in_a_model_folder_is_never_run(folder):
    (folder / 'evil.py').write_text(f'open({str(folder / "exploded")!r}, "w").close()\n')
    rewrite(folder / 'config.json', auto_map={'AutoModel': 'evil.Model', 'AutoConfig': 'evil.Config'})
    rewrite(folder / 'tokenizer_config.json', auto_map={'AutoTokenizer': ['evil.Tokenizer', None]})
    make_backend('clipseg', model=str(folder), device='cpu')
    assert not (folder / 'exploded').exists()


def test_cuda_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    refuses('sees no CUDA device; set device', model=str(folder), device='cuda')
    assert pick_device('auto').type == 'cpu'


def test_a_cuda_device_too_many(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert pick_device('auto').type == 'cuda'
    with pytest.raises(BackendError, match='there are 1 CUDA devices'):
        pick_device('cuda:3')


@pytest.mark.parametrize(('options', 'message'), [
    ({'device': 'tpu-9'}, 'device must be'), ({'device': 'meta'}, 'device must be'),
    ({'dtype': 'int8'}, 'dtype must be'),
    ({'translate': 'maybe'}, 'translate must be'), ({'threshold': 1.0}, 'threshold must lie'),
    ({'revision': 'main'}, 'revision .* is for hub names')])
def test_bad_options(folder, options, message):
    refuses(message, model=str(folder), **options)


def test_no_such_folder(tmp_path):
    refuses('there is no folder', model=str(tmp_path / 'nothing'))
    refuses('there is no folder ~nobody-of-this-name', model='~nobody-of-this-name/model')


def test_a_hub_name_that_is_not_here_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    refuses('run: vla-attention fetch-weights someone/model --revision abc --out DIR', model='someone/model',
            revision='abc')
    refuses(f'fetch-weights {MODELS["owlv2"]} --out DIR', name='owlv2')
    refuses(f'fetch-weights {MODELS["clipseg"]} --revision {REVISIONS["clipseg"]} --out DIR')


def test_a_hub_name_is_found_in_the_cache(good, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    commit = 'a' * 40
    snapshots = tmp_path / 'models--someone--model' / 'snapshots'
    shutil.copytree(good, snapshots / commit)
    (tmp_path / 'models--someone--model' / 'refs').mkdir()
    (tmp_path / 'models--someone--model' / 'refs' / 'main').write_text(commit)
    assert make_backend('clipseg', model='someone/model', device='cpu').name == 'clipseg'
    assert make_backend('clipseg', model='someone/model', device='cpu', revision=commit).name == 'clipseg'
    refuses('at revision b+ is not on this machine', model='someone/model', revision='b' * 40)


def test_downloads_only_where_that_is_allowed(good, monkeypatch):
    asked = []

    def snapshot(name, **options):
        asked.append((name, options['revision'], options['local_files_only'], options['allow_patterns']))
        return str(good)

    monkeypatch.setattr('huggingface_hub.snapshot_download', snapshot)
    make_backend('clipseg', model='someone/model', device='cpu')
    make_backend('clipseg', model='someone/model', device='cpu', allow_download=True, revision='v1')
    assert [one[:3] for one in asked] == [('someone/model', None, True), ('someone/model', 'v1', False)]
    assert not any(pattern.endswith(('.bin', '.pt', '.py', '*')) for pattern in asked[1][3])


def test_without_transformers(folder, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'transformers', None)
    refuses('pip install "transformers>=5.20,<6" "sentencepiece>=0.2"', model=str(folder))


def test_a_backend_can_be_made_after_a_failure(folder, good):
    refuses('pickle|no weights|missing', model=str(folder.parent))
    assert make_backend('clipseg', model=str(good), device='cpu').name == 'clipseg'


def test_fetch_weights_writes_a_folder_that_loads(good, tmp_path, monkeypatch):
    asked = []

    def snapshot(name, *, revision, local_dir, allow_patterns):
        asked.append((name, revision))
        shutil.copytree(good, local_dir, dirs_exist_ok=True)

    monkeypatch.setattr('huggingface_hub.snapshot_download', snapshot)
    out = fetch_weights('clipseg', tmp_path / 'deep' / 'folder', revision='abc')
    fetch_weights('clipseg', tmp_path / 'usual')
    fetch_weights(MODELS['clipseg'], tmp_path / 'named')
    revisions = ['abc', REVISIONS['clipseg'], None]
    assert asked == [(MODELS['clipseg'], revision) for revision in revisions]
    assert out == tmp_path / 'deep' / 'folder'
    assert make_backend('clipseg', model=str(out), device='cpu').name == 'clipseg'


def test_fetch_weights_says_why_not(good, tmp_path, monkeypatch):
    with pytest.raises(BackendError, match='neither a backend'):
        fetch_weights('nothing', tmp_path)

    def unreachable(*_, **__):
        raise OSError('no route to host')

    monkeypatch.setattr('huggingface_hub.snapshot_download', unreachable)
    with pytest.raises(BackendError, match='someone/model cannot be fetched: no route to host'):
        fetch_weights('someone/model', tmp_path)

    def cut_off(*_, **__):
        raise httpx.ReadTimeout('')         # of another family than OSError

    monkeypatch.setattr('huggingface_hub.snapshot_download', cut_off)
    with pytest.raises(BackendError, match='cannot be fetched: ReadTimeout'):
        fetch_weights('someone/model', tmp_path)
    refuses('is not on this machine: ReadTimeout', model='someone/model', allow_download=True)

    def another(*_, local_dir, **__):
        shutil.copytree(good, local_dir, dirs_exist_ok=True)
        rewrite(Path(local_dir) / 'config.json', model_type='bert')

    monkeypatch.setattr('huggingface_hub.snapshot_download', another)
    with pytest.raises(BackendError, match="of type 'bert'; the backends read 'clipseg', 'owlv2'"):
        fetch_weights('someone/model', tmp_path / 'another')
    with pytest.raises(BackendError, match=r"of type 'bert'; the backends read 'owlv2'$"):
        fetch_weights('owlv2', tmp_path / 'another')

    def pickled(*_, local_dir, **__):
        shutil.copytree(good, local_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns('*.safetensors'))

    def requests(repository, discussion_type):
        yield from (SimpleNamespace(title=title, author='SFconvertbot', git_reference=f'refs/pr/{number}')
                    for number, title in ((3, 'Fix the card'), (6, 'Adding `safetensors` variant')))

    monkeypatch.setattr('huggingface_hub.snapshot_download', pickled)
    monkeypatch.setattr('huggingface_hub.get_repo_discussions', requests)
    with pytest.raises(BackendError, match=r'--revision refs/pr/6 \(pull request "Adding .* of SFconvertbot'):
        fetch_weights('someone/model', tmp_path / 'pickled')
    monkeypatch.setattr('huggingface_hub.get_repo_discussions', unreachable)
    with pytest.raises(BackendError, match=r'no safetensors at this revision, .* --revision refs/pr/N'):
        fetch_weights('someone/model', tmp_path / 'pickled')
