"""Write a model's files into a folder that can be carried to a robot without a network."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from vla_attention.grounding.backend import BACKENDS, BackendError
from vla_attention.grounding.hub import FILES, check_folder, first_line, import_transformers, read_json

# backend name -> the checkpoint that it is usually run with
MODELS = {
    'clipseg': 'CIDAS/clipseg-rd64-refined',
    'owlv2': 'google/owlv2-base-patch16-ensemble',
    'grounding_dino': 'IDEA-Research/grounding-dino-tiny',
    'siglip': 'google/siglip2-base-patch16-256',
}
# the revision of a usual checkpoint that has safetensors, where its main branch has a pickle alone: the
# commit of the hub's own converter (SFconvertbot), pull request 5
REVISIONS = {'clipseg': '325a839908143a34b409ae6f2910fa015ea390e6'}


def fetch_weights(name: str, out: Path, revision: str | None = None) -> Path:
    """Download a model from the hub into ``out`` and check that a backend can read it.

    Files: configuration, tokenizer, safetensors; pickled weights are never fetched. Progress goes to stderr.

    :param name: hub name ("google/owlv2-base-patch16-ensemble") or a backend's name ("owlv2":
        :data:`MODELS`).
    :param out: the folder to write; it is made. Its path is what the parameter ``model`` takes afterwards.
    :param revision: branch, tag or commit; a commit pins the weights. By default main, or for a backend's
        name what :data:`REVISIONS` has.
    :return: ``out``.
    :raises BackendError: the hub cannot be reached or has no such model, or what it has cannot be used.
    """
    import_transformers()
    from huggingface_hub import snapshot_download
    repository = MODELS.get(name, name)
    if repository.count('/') != 1:
        raise BackendError(f'{name!r} is neither a backend ({", ".join(MODELS)}) nor a hub name '
                           '("owner/model")')
    try:
        out.mkdir(parents=True, exist_ok=True)
        snapshot_download(repository, revision=revision or REVISIONS.get(name), local_dir=out,
                          allow_patterns=list(FILES))
    except Exception as error:          # the hub's client passes on what its transport raises
        raise BackendError(f'{repository} cannot be fetched: {first_line(error)}. Is there a network, and '
                           'does the hub have this model and revision?') from error
    if not any(out.glob('*.safetensors')):
        raise BackendError(f'{repository} has no safetensors at this revision, and pickled weights are not '
                           f'fetched. {_offers(repository)}')
    found = read_json(out / 'config.json').get('model_type')
    types = {backend: _model_type(backend) for backend in MODELS}
    wanted = [types[name]] if name in types else list(types.values())
    if found not in wanted:
        raise BackendError(f'{repository} is a model of type {found!r}; the backends read '
                           f'{", ".join(map(repr, wanted))}')
    check_folder(out, str(found))
    return out


def _offers(repository: str) -> str:
    """Say which pull requests offer safetensors; whose weights to trust is for the user to say."""
    from huggingface_hub import get_repo_discussions
    try:
        offers = [f'--revision {each.git_reference} (pull request "{each.title}" of {each.author})'
                  for each in get_repo_discussions(repository, discussion_type='pull_request')
                  if 'safetensors' in each.title.lower()]
    except Exception:                   # the list is a help alone
        offers = []
    if offers:
        return f'There are some at {" or ".join(offers[:3])}'
    return ("The hub's converter often keeps them on a pull request that the model's page lists: "
            '--revision refs/pr/N')


def _model_type(backend: str) -> str:
    module, name = BACKENDS[backend].split(':')
    model_type: str = getattr(import_module(module), name).model_type
    return model_type
