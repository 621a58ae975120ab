"""Load a transformers model from a folder or the hub's cache: safetensors alone, offline by default."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vla_attention.grounding.backend import BackendError
from vla_attention.grounding.device import pick_device

# what a model needs; weights in any form but safetensors are never asked for
FILES = ('*.json', '*.safetensors', '*.txt', '*.model')
_PICKLES = ('.bin', '.pt', '.pth', '.ckpt', '.pkl', '.pickle')
_TOKENIZERS = (('tokenizer.json',), ('vocab.json', 'merges.txt'), ('vocab.txt',), ('spiece.model',),
               ('tokenizer.model',))
_DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


@dataclass(frozen=True)
class HubModel:
    """A loaded model with what prepares its inputs.

    ``image`` holds the settings of the model's own image processor (size, image_mean, image_std, resample
    ...).
    """

    model: Any
    tokenizer: Any
    image: dict[str, Any]
    folder: Path
    device: torch.device
    dtype: torch.dtype


def load_hub_model(name: str, model_type: str, architecture: str, *, device: str = 'auto',
                   dtype: str = 'auto', revision: str | None = None,
                   allow_download: bool = False) -> HubModel:
    """Load model and tokenizer in eval mode.

    :param name: a folder (as ``vla-attention fetch-weights`` writes it), or a hub name ("owner/model") that
        is in the hub's cache on this machine, or may be downloaded.
    :param model_type: the ``model_type`` that the folder's config.json must have.
    :param architecture: the class of transformers that reads it.
    :param device: 'auto' (CUDA where there is one), 'cpu', 'cuda', 'cuda:1'.
    :param dtype: 'auto' (float16 on CUDA, float32 on the CPU), 'float32', 'float16' or 'bfloat16'.
    :param revision: branch, tag or commit of a hub name; a commit pins the weights.
    :raises BackendError: anything that stands in the way; the message says what, and what to do.
    """
    torch_device = pick_device(device)
    torch_dtype = _pick_dtype(dtype, torch_device)
    transformers = import_transformers()
    folder = find_folder(name, revision=revision, allow_download=allow_download)
    check_folder(folder, model_type)
    logging = transformers.utils.logging
    bars = logging.is_progress_bar_enabled() and not sys.stderr.isatty()
    if bars:
        logging.disable_progress_bar()
    try:
        model, report = getattr(transformers, architecture).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch_dtype, output_loading_info=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:          # damaged files: safetensors and tokenizers raise kinds of their own
        raise BackendError(f'{folder} cannot be loaded as {architecture}: {error}') from error
    finally:
        if bars:
            logging.enable_progress_bar()
    lacking = sorted(report['missing_keys'])
    if lacking:
        raise BackendError(f'the weights in {folder} are not those of {architecture}: {len(lacking)} tensors '
                           f'are missing, {lacking[0]} among them')
    model = model.eval().requires_grad_(False).to(torch_device)
    if torch_device.type == 'cuda':
        model = model.to(memory_format=torch.channels_last)
    return HubModel(model, tokenizer, image_settings(folder), folder, torch_device, torch_dtype)


def import_transformers() -> Any:
    """Return the package transformers; :raises BackendError: it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise BackendError('the hub backends need transformers: '
                           f'pip install "transformers>=5.20,<6" "sentencepiece>=0.2" ({error})') from error
    return transformers


def _pick_dtype(name: str, device: torch.device) -> torch.dtype:
    if name == 'auto':
        return torch.float16 if device.type == 'cuda' else torch.float32
    if name not in _DTYPES:
        raise BackendError(f"dtype must be 'auto', {', '.join(map(repr, _DTYPES))}, not {name!r}")
    return _DTYPES[name]


def find_folder(name: str, *, revision: str | None = None, allow_download: bool = False) -> Path:
    """Return the folder that holds a model's files, downloading them only where that is allowed.

    :raises BackendError: there is no such folder, and the hub's cache has no such model.
    """
    try:
        folder = Path(name).expanduser()
    except RuntimeError as error:       # ~ of somebody who is not there
        raise BackendError(f'there is no folder {name}: {error}') from error
    if folder.is_dir():
        if revision:
            raise BackendError(f'revision {revision!r} is for hub names; {folder} is a folder')
        return folder
    if name.count('/') != 1 or name.startswith(('.', '/', '~')):
        raise BackendError(f'there is no folder {folder}, and {name!r} is not a hub name ("owner/model")')
    import_transformers()
    from huggingface_hub import snapshot_download
    try:
        return Path(snapshot_download(name, revision=revision or None, local_files_only=not allow_download,
                                      allow_patterns=list(FILES)))
    except Exception as error:          # the hub's client passes on what its transport raises
        pinned = f' --revision {revision}' if revision else ''
        version = f' at revision {revision}' if revision else ''
        why = (first_line(error) if allow_download
               else 'it may not be downloaded (allow_download is false)')
        raise BackendError(
            f'the model {name}{version} is not on this machine: {why}. '
            f'Where there is a network, run: vla-attention fetch-weights {name}{pinned} --out DIR; carry DIR '
            'here and give its path instead of the name') from error


def first_line(error: BaseException) -> str:
    """Return what an error says first, its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def check_folder(folder: Path, model_type: str) -> dict[str, Any]:
    """Return the folder's config.json after making sure that a model of the wanted type can be read.

    :raises BackendError: another architecture, no or pickled weights, no tokenizer, no image settings.
    """
    config = read_json(folder / 'config.json')
    found = config.get('model_type')
    if found != model_type:
        raise BackendError(f'{folder} holds a model of type {found!r}; this backend reads {model_type!r}')
    if not any(folder.glob('*.safetensors')):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
        if pickled:
            raise BackendError(f'{folder} has its weights as a pickle ({pickled[0]}), which can run code '
                               'when it is read, and is refused; use a revision with model.safetensors')
        raise BackendError(f'{folder} has no weights: model.safetensors is missing')
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        raise BackendError(f'{folder} has no tokenizer (tokenizer.json, vocab.json with merges.txt, '
                           'vocab.txt or spiece.model); copy the tokenizer files beside the weights')
    image_settings(folder)
    return config


def image_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the model's image processor; :raises BackendError: they are missing."""
    if (folder / 'preprocessor_config.json').is_file():
        return read_json(folder / 'preprocessor_config.json')
    if (folder / 'processor_config.json').is_file():
        settings = read_json(folder / 'processor_config.json').get('image_processor')
        if isinstance(settings, dict):
            return settings
    raise BackendError(f'{folder} does not say how images are prepared: preprocessor_config.json is missing')


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a model's file; :raises BackendError: it is missing or broken."""
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise BackendError(f'{path.parent} is no model folder: {path.name} is missing') from None
    except (OSError, ValueError) as error:
        raise BackendError(f'{path} cannot be read: {error}') from error
    if not isinstance(data, dict):
        raise BackendError(f'{path} does not hold a JSON object')
    return data
