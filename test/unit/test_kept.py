"""What trainings keep: whole files, and names that change with what the content depends on."""

import pytest
import torch

from training import averaging, kept
from training.kept import digest, whole


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / 'weights'
    path.write_text('before')
    with pytest.raises(KeyboardInterrupt), whole(path) as file:
        file.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'before' and list(tmp_path.iterdir()) == [path]
    with whole(path) as file:
        file.write_text('after')
    assert path.read_text() == 'after' and list(tmp_path.iterdir()) == [path]


def test_a_name_changes_with_weights_code_files_and_values(tmp_path):
    model, path = torch.nn.Linear(2, 2), tmp_path / 'labels'
    path.write_text('one')
    names = {digest(model, kept, path, 1)}
    names.add(digest(model, kept, path, 2))
    names.add(digest(model, averaging, path, 1))
    path.write_text('two')
    names.add(digest(model, kept, path, 1))
    with torch.no_grad():
        model.weight += 1
    names.add(digest(model, kept, path, 1))
    assert len(names) == 5 and digest(model, kept, path, 1) in names
