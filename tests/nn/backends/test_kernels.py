"""Compiled products and dropout against numpy, at shapes below, at and between tiles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.nn.counter_rng import CounterRNG

kernels = pytest.importorskip("skaudeep.nn.backends.kernels", exc_type=ImportError)

SIZES = st.integers(1, 70)


@given(rows=SIZES, columns=SIZES, depth=SIZES, double=st.booleans(), parts=st.booleans())
@settings(deadline=None, max_examples=40)
def test_product_is_numpys_matrix_product(rows, columns, depth, double, parts):
    rng = np.random.default_rng(rows + 71 * columns)
    dtype = np.float64 if double else np.float32
    x, weight = (rng.normal(size=(*n, depth)).astype(dtype) for n in ((3, rows), (columns,)))
    bias = rng.normal(size=columns).astype(dtype)
    out = np.empty((3, rows, columns), dtype)
    half = rows // 2 if parts else 0  # as two threads share it
    for start, stop in ((0, half), (half, rows)):
        kernels.product(x, kernels.pack(weight), bias, out, start, stop)
    np.testing.assert_allclose(out, x @ weight.T + bias, atol=1e-12 if double else 1e-4)


@given(rows=st.integers(1, 600), gates=SIZES, inputs=SIZES)
@settings(deadline=None, max_examples=40)
def test_weight_gradient_is_numpys_product_over_all_rows(rows, gates, inputs):
    rng = np.random.default_rng(rows)
    gradient, x = (rng.normal(size=(rows, n)) for n in (gates, inputs))
    out = np.empty((gates, inputs))
    half = gates // 2  # as two threads share it
    kernels.weight_gradient(gradient, x, out, 0, half)
    kernels.weight_gradient(gradient, x, out, half, gates)
    np.testing.assert_allclose(out, gradient.T @ x, atol=1e-10)


def test_drop_depends_on_key_and_position_alone():
    keys = CounterRNG(5, torch.arange(7)).keys().numpy()
    x, whole, parts = np.ones((210, 48), np.float32), *np.empty((2, 210, 48), np.float32)
    arguments = (keys, round(0.3 * 2**32), np.float32(1 / 0.7))
    kernels.drop(x, whole, *arguments, 0, 210)
    for start, stop in ((90, 210), (0, 90)):
        kernels.drop(x, parts, *arguments, start, stop)
    np.testing.assert_array_equal(parts, whole)
    assert (whole == 0).mean() == pytest.approx(0.3, abs=0.02)
    kernels.drop(x, parts, keys + 1, *arguments[1:], 0, 210)
    assert (parts != whole).any()


def test_drop_drops_where_the_generators_number_is_below_the_threshold():
    x, out = np.ones((5 * 7, 20), np.float32), np.empty((5 * 7, 20), np.float32)
    keys = CounterRNG(1, torch.arange(7)).keys().numpy()
    kernels.drop(x, out, keys, round(0.4 * 2**32), np.float32(1), 0, 35)
    high = CounterRNG(1, torch.arange(7)).bits(5, 20).numpy().view(np.uint64) >> np.uint64(32)
    np.testing.assert_array_equal(out.reshape(5, 7, 20) == 1, high >= round(0.4 * 2**32))
