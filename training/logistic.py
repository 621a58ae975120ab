"""Logistic regression with a ridge."""

from __future__ import annotations

import numpy as np


def logistic_regression(table: np.ndarray, hits: np.ndarray, *, ridge: float,
                        shares: np.ndarray | None = None) -> np.ndarray:
    """Fit weights and a bias by Newton's method, from zero.

    It minimises the sum of the log losses, each times its share, and half of ``ridge`` times the squared
    weights; the bias is free.

    :param table: (N, K) features.
    :param hits: (N,) 0 or 1.
    :param shares: (N,) how much each row counts; 1 where None.
    :return: (K + 1,) float64, the bias last.
    """
    shares = np.ones(len(table)) if shares is None else shares
    design = np.column_stack([table, np.ones(len(table))]).astype(float)
    penalty = ridge * np.diag([*np.ones(table.shape[1]), 0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        right = 1 / (1 + np.exp(-design @ weights))
        hessian = (design * (shares * right * (1 - right))[:, None]).T @ design + penalty
        weights += np.linalg.solve(hessian, design.T @ (shares * (hits - right)) - penalty @ weights)
    return weights
