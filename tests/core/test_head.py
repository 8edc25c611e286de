"""Pseudo-labels by hand; the sparse head is the dense head."""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn

from esmc_core.cluster import head as head_module
from esmc_core.cluster.head import N_HIDDEN, Head, train_head
from esmc_core.cluster.pseudo_labels import choose_pseudo_labels
from esmc_core.cluster.rows import SparseRows, rows_of
from esmc_core.errors import Cancelled
from tests.tiny_lens import clouds


def test_pseudo_labels_of_a_case_computed_by_hand():
    labels = np.array([0, 1, 0, 0, 1, 0, 2])
    distances = np.array([0.4, 0.2, 0.1, 0.3, 0.9, 0.2, 5.0])
    # Half of the four in cluster 0 are its nearest two; of the two in 1 one; the single one of 2.
    expected = [-1, 1, 0, -1, -1, 0, 2]
    assert choose_pseudo_labels(labels, distances, alpha=0.5).tolist() == expected


def test_every_cluster_keeps_at_least_one_image():
    labels = np.array([0, 0, 0, 1, 1])
    found = choose_pseudo_labels(labels, np.array([3.0, 1, 2, 9, 8]), alpha=0.01)
    assert found.tolist() == [-1, 0, -1, -1, 1]


def test_an_alpha_of_one_keeps_all_and_ties_go_to_the_first():
    labels = np.array([1, 0, 1, 1])
    assert choose_pseudo_labels(labels, np.zeros(4), alpha=1.0).tolist() == labels.tolist()
    assert choose_pseudo_labels(labels, np.zeros(4), alpha=0.34).tolist() == [1, 0, -1, -1]


def test_the_share_is_not_cut_by_rounding():
    found = choose_pseudo_labels(np.zeros(100, dtype=int), np.arange(100.0), alpha=0.29)
    assert (found == 0).sum() == 29


@pytest.fixture
def taught():
    matrix, truth = clouds(120, 4, spread=1.0)
    pseudo = torch.from_numpy(np.where(np.arange(120) < 40, truth, -1))
    return matrix, truth, pseudo


def test_sparse_training_equals_a_plain_dense_network(taught):
    """The paper's network written down with torch's own layers on the full width."""
    matrix, _, pseudo = taught
    rows = SparseRows.from_csr(matrix)
    untrained = Head.drawn(rows, 4, seed=3)
    dense = nn.Sequential(nn.Linear(matrix.shape[1], N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, 4))
    with torch.no_grad():
        dense[0].weight[:, rows.columns] = untrained.first.weight.T
        dense[0].bias.copy_(untrained.first.bias)
        dense[2].load_state_dict(untrained.second.state_dict())
    written, chosen = torch.from_numpy(matrix.toarray()), pseudo >= 0
    torch.testing.assert_close(untrained.outputs(rows), dense(written))

    optimizer = torch.optim.Adam(dense.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(dense(written[chosen]), pseudo[chosen]).backward()
        optimizer.step()
    found = train_head(rows, pseudo, 4, epochs=30, learning_rate=1e-3, seed=3).outputs(rows)
    torch.testing.assert_close(found, dense(written), rtol=1e-3, atol=1e-3)


def test_first_weights_have_the_scale_of_the_full_width(taught):
    head = Head.drawn(SparseRows.from_csr(taught[0]), 4)
    bound = taught[0].shape[1] ** -0.5
    assert 0.95 * bound < head.first.weight.abs().max() <= bound


def test_dense_rows_learn_too(taught):
    matrix, truth, pseudo = taught
    rows = rows_of(matrix.toarray())
    head = train_head(rows, pseudo, 4, epochs=60)
    assert (head.outputs(rows).argmax(1).numpy() == truth).mean() > 0.95


def test_same_seed_same_head_whatever_the_global_seed(taught):
    rows, pseudo = SparseRows.from_csr(taught[0]), taught[2]
    outputs = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        outputs.append(train_head(rows, pseudo, 4, epochs=3, batch_size=16, seed=7).outputs(rows))
    assert torch.equal(*outputs)
    other = train_head(rows, pseudo, 4, epochs=3, batch_size=16, seed=8).outputs(rows)
    assert not torch.equal(outputs[0], other)


def test_each_epoch_is_told_and_shows_the_head_as_it_is(taught):
    rows, pseudo = SparseRows.from_csr(taught[0]), taught[2]
    seen = []
    head = train_head(
        rows,
        pseudo,
        4,
        epochs=3,
        on_epoch=lambda epoch, head: seen.append((epoch, head.outputs(rows))),
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert not torch.equal(seen[0][1], seen[1][1])
    assert torch.equal(seen[2][1], head.outputs(rows))


def test_outputs_do_not_depend_on_the_batch_size(taught):
    rows = SparseRows.from_csr(taught[0])
    head = Head.drawn(rows, 4)
    torch.testing.assert_close(head.outputs(rows, batch_size=7), head.outputs(rows))


def test_of_very_many_columns_a_head_has_those_that_occur_most_often(taught, monkeypatch):
    matrix, _, pseudo = taught
    examples = SparseRows.from_csr(matrix[pseudo.numpy() >= 0])
    assert examples.most_frequent(examples.n_columns) is None, "there are no more than that"
    often = np.bincount(examples.columns[examples.indices[examples.values != 0]].numpy())
    monkeypatch.setattr(head_module, "MAX_COLUMNS", 20)
    rows = SparseRows.from_csr(matrix)
    head = train_head(rows, pseudo, 4, epochs=3)
    has = rows.columns[head.columns].numpy()
    assert head.first.weight.shape == (20, N_HIDDEN) and (np.diff(has) > 0).all()
    others = np.delete(often, has[has < len(often)])
    assert often[has].min() >= others.max()
    only = scipy.sparse.csr_matrix(matrix.toarray() * np.isin(np.arange(matrix.shape[1]), has))
    dense = torch.from_numpy(only.toarray())[:, has]
    expected = head.second(torch.relu(dense @ head.first.weight + head.first.bias))
    torch.testing.assert_close(head.outputs(rows), expected)


def test_it_stops_when_told(taught):
    with pytest.raises(Cancelled):
        train_head(rows_of(taught[0]), taught[2], 4, should_stop=lambda: True)
