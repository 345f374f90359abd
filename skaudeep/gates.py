"""The pointwise part of GRU and LSTM cells, one frame at a time, compiled by numba.

Arrays are time-major over a whole batch; each call works on frame ``t`` of the sequences from row
``start`` on, as many as its small arrays (``product``, ``gradient``) hold. In the shapes T is
frames, B sequences, H units, G gates (3 for GRU, 4 for LSTM). States have T + 1 frames, the initial
one first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload


def _compiled(function: Callable) -> Callable:
    # Contraction to fused multiply-add alone: the rest of fastmath loses NaN, and so divergence.
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no directory to cache in can be written
        return njit(**options)(function)


def _exp(x: Any) -> Any:
    return math.exp(x)


@overload(_exp)
def _exp_overload(x: Any) -> Any:
    """In float32 a polynomial (Cephes, expf; 1e-7), because only arithmetic is vectorised."""
    if x != types.float32:

        def exp64(x: Any) -> Any:
            return math.exp(x)

        return exp64
    f = np.float32

    def exp32(x: Any) -> Any:
        x = f(-87.0) if x < f(-87.0) else x  # in this order NaN stays
        x = f(88.0) if x > f(88.0) else x
        n = np.floor(x * f(1.44269504) + f(0.5))
        r = x - n * f(0.693359375) + n * f(2.12194440e-4)
        p = f(1.9875691500e-4)
        p = p * r + f(1.3981999507e-3)
        p = p * r + f(8.3334519073e-3)
        p = p * r + f(4.1665795894e-2)
        p = p * r + f(1.6666665459e-1)
        p = p * r + f(5.0000001201e-1)
        p = p * r * r + r + f(1.0)
        power = (np.int32(n) + np.int32(127)) << np.int32(23)
        return p * np.int32(power).view(np.float32)

    return exp32


# The loops are short, with few arrays each: LLVM vectorises only what it can prove not to overlap.


@_compiled
def gru_forward(gates, product, bias, reset_term, states, lengths, t, start):  # type: ignore[no-untyped-def]
    """Turn frame ``t`` of the input products in ``gates`` (T, B, 3H) into r, z, n; set the state.

    ``product`` (rows, 3H) is the state times ``weight_hh``; ``reset_term`` (T or 1, B, H) keeps
    what r multiplies. Past its length a sequence's state is zero.
    """
    n_units = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for row in range(len(product)):
        i = start + row
        after = states[t + 1, i]
        if t >= lengths[i]:
            for j in range(n_units):
                after[j] = 0
            continue
        before, gate, p = states[t, i], gates[t, i], product[row]
        for j in range(2 * n_units):
            gate[j] = one / (one + _exp(-(gate[j] + p[j] + bias[j])))
        r, z, n = gate[:n_units], gate[n_units : 2 * n_units], gate[2 * n_units :]
        term = reset_term[t % len(reset_term), i]
        p, b = p[2 * n_units :], bias[2 * n_units :]
        for j in range(n_units):
            term[j] = p[j] + b[j]
        for j in range(n_units):
            n[j] = one - two / (_exp(two * (n[j] + r[j] * term[j])) + one)  # tanh
        for j in range(n_units):
            after[j] = n[j] + z[j] * (before[j] - n[j])


@_compiled
def gru_backward(  # type: ignore[no-untyped-def]
    gates, reset_term, states, lengths, grad_outputs, gradient, grad_product, grad_new, t, start
):
    """From the gradient of the state after frame ``t`` to that of its products.

    ``gradient`` (rows, H) is changed in place to the part that reaches the state before not through
    ``weight_hh``; ``grad_product`` (T, B, 3H) and ``grad_new`` (T, B, H; before the tanh) are set.
    """
    n_units = states.shape[2]
    one = states.dtype.type(1)
    for row in range(len(gradient)):
        i = start + row
        to_product, to_new = grad_product[t, i], grad_new[t, i]
        if t >= lengths[i]:
            for j in range(3 * n_units):
                to_product[j] = 0
            for j in range(n_units):
                to_new[j] = 0
            continue
        before, gate, term = states[t, i], gates[t, i], reset_term[t, i]
        r, z, n = gate[:n_units], gate[n_units : 2 * n_units], gate[2 * n_units :]
        d, above = gradient[row], grad_outputs[t, i]
        to_r, to_z, to_term = (
            to_product[:n_units],
            to_product[n_units : 2 * n_units],
            to_product[2 * n_units :],
        )
        for j in range(n_units):
            d[j] += above[j]
        for j in range(n_units):
            to_new[j] = d[j] * (one - z[j]) * (one - n[j] * n[j])
        for j in range(n_units):
            to_z[j] = d[j] * (before[j] - n[j]) * z[j] * (one - z[j])
        for j in range(n_units):
            to_term[j] = to_new[j] * r[j]
        for j in range(n_units):
            to_r[j] = to_term[j] * term[j] * (one - r[j])
        for j in range(n_units):
            d[j] *= z[j]


@_compiled
def lstm_forward(gates, product, bias, states, cells, lengths, t, start):  # type: ignore[no-untyped-def]
    """Turn frame ``t`` of the input products in ``gates`` (T, B, 4H) into i, f, g, o; set states.

    ``product`` (rows, 4H) is the hidden state times ``weight_hh``; ``cells`` is shaped like
    ``states``. Past its length a sequence's states are zero.
    """
    n_units = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for row in range(len(product)):
        i = start + row
        after, cell_after = states[t + 1, i], cells[t + 1, i]
        if t >= lengths[i]:
            for j in range(n_units):
                after[j] = 0
            for j in range(n_units):
                cell_after[j] = 0
            continue
        cell, gate, p = cells[t, i], gates[t, i], product[row]
        for j in range(4 * n_units):
            gate[j] += p[j] + bias[j]
        g = gate[2 * n_units : 3 * n_units]
        for j in range(2 * n_units):
            gate[j] = one / (one + _exp(-gate[j]))
        for j in range(n_units):
            g[j] = one - two / (_exp(two * g[j]) + one)
        o = gate[3 * n_units :]
        for j in range(n_units):
            o[j] = one / (one + _exp(-o[j]))
        in_, forget = gate[:n_units], gate[n_units : 2 * n_units]
        for j in range(n_units):
            cell_after[j] = in_[j] * g[j] + forget[j] * cell[j]
        for j in range(n_units):
            after[j] = o[j] * (one - two / (_exp(two * cell_after[j]) + one))


@_compiled
def lstm_backward(  # type: ignore[no-untyped-def]
    gates, states, cells, lengths, grad_outputs, gradient, grad_cell, grad_product, t, start
):
    """From the gradients of the states after frame ``t`` to that of its products (T, B, 4H).

    ``gradient`` (rows, H) of the hidden state becomes zero, since all of it goes through
    ``weight_hh``, but stays at padding; ``grad_cell`` (rows, H) becomes that of the cell before.
    """
    n_units = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for row in range(len(gradient)):
        i = start + row
        to_product = grad_product[t, i]
        if t >= lengths[i]:
            for j in range(4 * n_units):
                to_product[j] = 0
            continue
        gate, cell, cell_after = gates[t, i], cells[t, i], cells[t + 1, i]
        in_, forget, g, o = (
            gate[:n_units],
            gate[n_units : 2 * n_units],
            gate[2 * n_units : 3 * n_units],
            gate[3 * n_units :],
        )
        to_in, to_forget, to_g, to_o = (
            to_product[:n_units],
            to_product[n_units : 2 * n_units],
            to_product[2 * n_units : 3 * n_units],
            to_product[3 * n_units :],
        )
        d, d_cell, above = gradient[row], grad_cell[row], grad_outputs[t, i]
        for j in range(n_units):
            d[j] += above[j]
        for j in range(n_units):  # tanh of the cell, for the two loops below
            to_g[j] = one - two / (_exp(two * cell_after[j]) + one)
        for j in range(n_units):
            d_cell[j] += d[j] * o[j] * (one - to_g[j] * to_g[j])
        for j in range(n_units):
            to_o[j] = d[j] * to_g[j] * o[j] * (one - o[j])
        for j in range(n_units):
            to_g[j] = d_cell[j] * in_[j] * (one - g[j] * g[j])
        for j in range(n_units):
            to_in[j] = d_cell[j] * g[j] * in_[j] * (one - in_[j])
        for j in range(n_units):
            to_forget[j] = d_cell[j] * cell[j] * forget[j] * (one - forget[j])
        for j in range(n_units):
            d_cell[j] *= forget[j]
        for j in range(n_units):
            d[j] = 0
