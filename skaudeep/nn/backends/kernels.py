"""GRU and LSTM layers through time, compiled by numba: products of matrices, and the gates.

Each function works on the sequences from row ``start`` to ``stop``, through all frames, without the
interpreter's lock: threads share a batch and do not wait for each other at every frame. A row's
result does not depend on the rows beside it. In the shapes T is frames, B sequences, H units;
states have T + 1 frames, the initial one first. All arrays are C-contiguous and of one float type.
Nothing here checks a shape: `skaudeep.nn.backends.cpu` has compared them.

Every product is ``c += a @ w.T`` by `_multiply`, which runs over c in tiles::

          w packed, panel after panel          a tile of c: TILE_ROWS x 2 vectors

          <- 2 vectors ->                      row i    | sum | sum |   each `sum` stays in a
        k | 0 | 1 | 2 ... |  panel 0           row i+1  | sum | sum |   register while k runs from
        | | column 0..w-1 |  (K x width)         ...                    0 to K: per k, one load of
        v | of row k      |                    row i+7  | sum | sum |   2 vectors of the panel, and
          ----------------                                              one number of a per row
          | panel 1       |  ... the last panel may be narrower: loops in numba take it

A panel is read once from its start to its end for each tile, and its part for one k is as wide as a
tile, so that loads are contiguous. `pack` makes panels from a matrix of torch's (N, K).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from skaudeep.nn.backends.compiler import TILE_ROWS, VECTOR_BYTES, compiled

TILE_VECTORS = 2  # vectors side by side in a tile
# Rows and columns of a gradient that are copied together, because its rows are far apart in memory.
SUM_ROWS, SUM_COLUMNS = 256, 128
BLOCK_ROWS = 32  # sequences that are computed together, so that their states stay in the L1 cache
# Number of frames that go through all layers before the next frames, without a backward pass, so
# that the output of a layer is in the L2 cache when the next one reads it. It is larger for fewer
# sequences.
CHUNK_FRAMES = 8
PART = 32  # terms that `project` sums at a time


class Strided(NamedTuple):
    """Position of the rows of a matrix in an array, counted in elements from its start."""

    array: Any
    offset: int  # position of the first element
    row: int  # from one row to the next
    step: int  # from one column to the next


@compiled
def pack(weight):
    """Lay out a matrix (N, K) for `_multiply` by its transpose: panels (K, width), one by one.

    A panel holds as many columns of the transpose as a tile is wide; the last one may hold fewer.
    """
    n_columns, depth = weight.shape
    width = TILE_VECTORS * VECTOR_BYTES // weight.itemsize
    packed = np.empty(n_columns * depth, weight.dtype)
    for j in range(0, n_columns, width):
        columns = min(width, n_columns - j)
        panel = packed[j * depth : (j + columns) * depth].reshape(depth, columns)
        for column in range(columns):
            values = weight[j + column]
            for k in range(depth):
                panel[k, column] = values[k]
    return packed


def _tile(n_rows: int) -> Callable:
    """Return a function that adds ``a @ w``, summed in registers, to a tile of c.

    For each array it takes the position of its first element (``_at``), the distance from one row
    of the tile to the next (``_row``) and that from one term of the sum to the next (``_step``).
    """

    @intrinsic
    def multiply_tile(typingctx, c, c_at, c_row, a, a_at, a_row, a_step, w, w_at, w_step, depth):
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            c, c_at, c_row, a, a_at, a_row, a_step, w, w_at, w_step, depth = args
            item = signature.args[0].dtype
            itemsize = item.bitwidth // 8
            lanes = VECTOR_BYTES // itemsize
            vector = ir.VectorType(context.get_value_type(item), lanes)
            vectors, rows = range(TILE_VECTORS), range(n_rows)

            def data(position: int, array: Any, at: Any) -> Any:
                kind = signature.args[position]
                pointer = context.make_array(kind)(context, builder, value=array).data
                return builder.gep(pointer, [at])

            def integer(value: int) -> Any:
                return ir.Constant(ir.IntType(64), value)

            def as_vector(pointer: Any, at: Any) -> Any:
                return builder.bitcast(builder.gep(pointer, [at]), vector.as_pointer())

            def spread(value: Any) -> Any:
                undefined = ir.Constant(vector, ir.Undefined)
                first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                return builder.shuffle_vector(first, undefined, zeros)

            to, left, right = data(0, c, c_at), data(3, a, a_at), data(7, w, w_at)
            targets = [
                [
                    as_vector(to, builder.add(builder.mul(integer(i), c_row), integer(v * lanes)))
                    for v in vectors
                ]
                for i in rows
            ]
            sums = [[cgutils.alloca_once(builder, vector) for _ in vectors] for _ in rows]
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            to_write, to_keep, data_cache = number(1), number(3), number(1)
            for i in rows:
                for v in vectors:
                    place = builder.bitcast(targets[i][v], byte)
                    builder.call(fetch, [place, to_write, to_keep, data_cache])
                    builder.store(ir.Constant(vector, None), sums[i][v])
            lefts = [builder.gep(left, [builder.mul(integer(i), a_row)]) for i in rows]
            with cgutils.for_range(builder, depth) as loop:
                at_a, at_w = builder.mul(loop.index, a_step), builder.mul(loop.index, w_step)
                weights = [
                    builder.load(
                        as_vector(right, builder.add(at_w, integer(v * lanes))), align=itemsize
                    )
                    for v in vectors
                ]
                for i in rows:
                    x = spread(builder.load(builder.gep(lefts[i], [at_a])))
                    for v in vectors:
                        product = builder.fmul(x, weights[v], flags=["contract"])
                        total = builder.fadd(builder.load(sums[i][v]), product, flags=["contract"])
                        builder.store(total, sums[i][v])
            for i in rows:
                for v in vectors:
                    before = builder.load(targets[i][v], align=itemsize)  # prefetched above
                    total = builder.fadd(before, builder.load(sums[i][v]))
                    builder.store(total, targets[i][v], align=itemsize)
            return context.get_dummy_value()

        i = types.intp
        return types.void(c, i, i, a, i, i, i, w, i, i, i), codegen

    return multiply_tile


_tile_of_rows = _tile(TILE_ROWS)
_tile_of_one = _tile(1)


@compiled
def _multiply(c, a, n_rows, w, n_columns, depth):
    """Add ``a @ w`` to c (n_rows, n_columns); c and a are `Strided`, ``w`` is packed."""
    width = TILE_VECTORS * VECTOR_BYTES // c.array.itemsize
    whole = n_rows - n_rows % TILE_ROWS
    for j in range(0, n_columns - width + 1, width):
        panel = j * depth
        for i in range(0, whole, TILE_ROWS):
            to, left = c.offset + i * c.row + j, a.offset + i * a.row
            _tile_of_rows(c.array, to, c.row, a.array, left, a.row, a.step, w, panel, width, depth)
        for i in range(whole, n_rows):
            to, left = c.offset + i * c.row + j, a.offset + i * a.row
            _tile_of_one(c.array, to, c.row, a.array, left, a.row, a.step, w, panel, width, depth)
    narrow = n_columns % width
    if narrow > 0:
        flat_c, flat_a = c.array.reshape(-1), a.array.reshape(-1)
        last = w[(n_columns - narrow) * depth :]
        for i in range(n_rows):
            row = flat_c[c.offset + i * c.row + n_columns - narrow :]
            for k in range(depth):
                x = flat_a[a.offset + i * a.row + k * a.step]
                for j in range(narrow):
                    row[j] += x * last[k * narrow + j]


@compiled
def product(x, w, bias, out, start, stop):
    """Set sequences of ``out`` (T, B, N) to ``x @ w + bias``; x is (T, B, K), w packed."""
    n_frames, n_sequences, depth = x.shape
    n_columns = out.shape[2]
    n_runs, n_rows = n_frames, stop - start
    if n_rows == n_sequences:  # one frame after the other without a gap
        n_runs, n_rows = 1, n_frames * n_sequences
    flat = out.reshape(-1, n_columns)
    for run in range(n_runs):
        end = run * n_sequences + start + n_rows
        for first in range(end - n_rows, end, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, end)
            for i in range(first, last):
                flat[i] = bias
            c = Strided(out, first * n_columns, n_columns, 1)
            a = Strided(x, first * depth, depth, 1)
            _multiply(c, a, last - first, w, n_columns, depth)


@compiled
def weight_gradient(gradient, x, out, start, stop):
    """Set rows of ``out`` (N, K) to those of ``gradient.T @ x``, from (M, N) and (M, K)."""
    n_rows, n_columns = x.shape
    width = TILE_VECTORS * VECTOR_BYTES // x.itemsize
    out[start:stop] = 0
    packed = np.empty(SUM_ROWS * n_columns, x.dtype)  # in the layout of `pack`
    block = np.empty((SUM_ROWS, SUM_COLUMNS), x.dtype)
    for k in range(0, n_rows, SUM_ROWS):
        depth = min(SUM_ROWS, n_rows - k)
        for j in range(0, n_columns, width):
            columns = min(width, n_columns - j)
            for row in range(depth):
                panel, values = packed[j * depth + row * columns :], x[k + row, j:]
                for column in range(columns):
                    panel[column] = values[column]
        for first in range(start, stop, SUM_COLUMNS):
            n = min(SUM_COLUMNS, stop - first)
            for row in range(depth):
                part, values = block[row], gradient[k + row, first:]
                for i in range(n):
                    part[i] = values[i]
            c = Strided(out, first * n_columns, n_columns, 1)
            a = Strided(block, 0, 1, SUM_COLUMNS)  # the transpose of what was copied
            _multiply(c, a, n, packed, n_columns, depth)


def _exp(x: Any) -> Any:
    return math.exp(x)


@overload(_exp)
def _exp_overload(x: Any) -> Any:
    """Return a float32 exponential by a polynomial (Cephes; error 1e-7), which is vectorised."""
    if x != types.float32:

        def exp64(x: Any) -> Any:
            return math.exp(x)

        return exp64
    f = np.float32

    def exp32(x: Any) -> Any:
        x = f(-87.0) if x < f(-87.0) else x  # this order of comparison keeps NaN
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


# The loops over units are short, with few arrays each, because LLVM vectorises a loop only if it
# can prove that its arrays do not overlap.


@compiled
def gru_forward(gates, w_gates, w_new, bias, states, term, lengths, start, stop):
    """Turn the products with the inputs in ``gates`` (T, B, 3H) into r, z, n; fill the states.

    ``term`` (T or 1, B, H) keeps what r multiplies, and ``bias`` (H,) belongs to it. ``w_gates``
    and ``w_new`` are packed rows of ``weight_hh``. Past its length a sequence's state is zero.
    """
    n_frames, n_sequences, _ = gates.shape
    n = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for t in range(n_frames):
            kept = t % len(term)
            for i in range(first, last):
                term[kept, i] = bias
            frame = t * n_sequences + first  # its row in arrays of (T * B, ...)
            before = Strided(states, frame * n, n, 1)
            _multiply(
                Strided(gates, frame * 3 * n, 3 * n, 1), before, last - first, w_gates, 2 * n, n
            )
            to_term = Strided(term, (kept * n_sequences + first) * n, n, 1)
            _multiply(to_term, before, last - first, w_new, n, n)
            for i in range(first, last):
                state, after = states[t, i], states[t + 1, i]
                if t >= lengths[i]:
                    for j in range(n):
                        after[j] = 0
                    continue
                gate, hidden = gates[t, i], term[kept, i]
                reset, update, new = gate[:n], gate[n : 2 * n], gate[2 * n :]
                for j in range(2 * n):
                    gate[j] = one / (one + _exp(-gate[j]))
                for j in range(n):  # tanh
                    new[j] = one - two / (_exp(two * (new[j] + reset[j] * hidden[j])) + one)
                for j in range(n):
                    after[j] = new[j] + update[j] * (state[j] - new[j])


@compiled
def gru_backward(
    gates, term, states, lengths, grad_outputs, w, gradient, to_product, to_new, start, stop
):
    """Compute the gradients of the products from those of outputs and final state.

    ``gradient`` (B, H) begins as that of the final state and ends as that of the initial one. ``w``
    is ``weight_hh.T``, packed. ``to_product`` (T, B, 3H) belongs to the product with the state,
    ``to_new`` (T, B, H) to the part of n in the one with the inputs.
    """
    n_frames, n_sequences, _ = gates.shape
    n = states.shape[2]
    one = states.dtype.type(1)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for t in range(n_frames - 1, -1, -1):
            for i in range(first, last):
                to_gate, to_n = to_product[t, i], to_new[t, i]
                if t >= lengths[i]:
                    for j in range(3 * n):
                        to_gate[j] = 0
                    for j in range(n):
                        to_n[j] = 0
                    continue
                before, gate, hidden = states[t, i], gates[t, i], term[t, i]
                reset, update, new = gate[:n], gate[n : 2 * n], gate[2 * n :]
                to_reset, to_update, to_hidden = to_gate[:n], to_gate[n : 2 * n], to_gate[2 * n :]
                d, above = gradient[i], grad_outputs[t, i]
                for j in range(n):
                    d[j] += above[j]
                for j in range(n):
                    to_n[j] = d[j] * (one - update[j]) * (one - new[j] * new[j])
                for j in range(n):
                    to_update[j] = d[j] * (before[j] - new[j]) * update[j] * (one - update[j])
                for j in range(n):
                    to_hidden[j] = to_n[j] * reset[j]
                for j in range(n):
                    to_reset[j] = to_hidden[j] * hidden[j] * (one - reset[j])
                for j in range(n):
                    d[j] *= update[j]
            c = Strided(gradient, first * n, n, 1)
            a = Strided(to_product, (t * n_sequences + first) * 3 * n, 3 * n, 1)
            _multiply(c, a, last - first, w, n, 3 * n)


@compiled
def lstm_forward(gates, w, states, cells, lengths, start, stop):
    """Turn the products with the inputs in ``gates`` (T, B, 4H) into i, f, g, o; fill the states.

    ``w`` is ``weight_hh``, packed. Past its length a sequence's states are zero.
    """
    n_frames, n_sequences, _ = gates.shape
    n = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for t in range(n_frames):
            frame = t * n_sequences + first  # its row in arrays of (T * B, ...)
            before = Strided(states, frame * n, n, 1)
            _multiply(Strided(gates, frame * 4 * n, 4 * n, 1), before, last - first, w, 4 * n, n)
            for i in range(first, last):
                after, cell, cell_after = states[t + 1, i], cells[t, i], cells[t + 1, i]
                if t >= lengths[i]:
                    for j in range(n):
                        after[j] = 0
                    for j in range(n):
                        cell_after[j] = 0
                    continue
                gate = gates[t, i]
                enter, forget = gate[:n], gate[n : 2 * n]
                new, leave = gate[2 * n : 3 * n], gate[3 * n :]
                for j in range(2 * n):
                    gate[j] = one / (one + _exp(-gate[j]))
                for j in range(n):
                    new[j] = one - two / (_exp(two * new[j]) + one)
                for j in range(n):
                    leave[j] = one / (one + _exp(-leave[j]))
                for j in range(n):
                    cell_after[j] = enter[j] * new[j] + forget[j] * cell[j]
                for j in range(n):
                    after[j] = leave[j] * (one - two / (_exp(two * cell_after[j]) + one))


@compiled
def lstm_backward(
    gates, states, cells, lengths, grad_outputs, w, gradient, grad_cell, to_product, start, stop
):
    """Compute the gradients of the products (T, B, 4H) from those of outputs and final states.

    ``gradient`` and ``grad_cell`` (B, H) begin as those of the final states and end as those of the
    initial ones. ``w`` is ``weight_hh.T``, packed.
    """
    n_frames, n_sequences, _ = gates.shape
    n = states.shape[2]
    one, two = states.dtype.type(1), states.dtype.type(2)
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        for t in range(n_frames - 1, -1, -1):
            for i in range(first, last):
                to_gate = to_product[t, i]
                if t >= lengths[i]:
                    for j in range(4 * n):
                        to_gate[j] = 0
                    continue
                gate, cell, cell_after = gates[t, i], cells[t, i], cells[t + 1, i]
                enter, forget = gate[:n], gate[n : 2 * n]
                new, leave = gate[2 * n : 3 * n], gate[3 * n :]
                to_enter, to_forget = to_gate[:n], to_gate[n : 2 * n]
                to_cell, to_leave = to_gate[2 * n : 3 * n], to_gate[3 * n :]
                d, d_cell, above = gradient[i], grad_cell[i], grad_outputs[t, i]
                for j in range(n):
                    d[j] += above[j]
                for j in range(n):  # tanh of the cell, for the two loops below
                    to_cell[j] = one - two / (_exp(two * cell_after[j]) + one)
                for j in range(n):
                    d_cell[j] += d[j] * leave[j] * (one - to_cell[j] * to_cell[j])
                for j in range(n):
                    to_leave[j] = d[j] * to_cell[j] * leave[j] * (one - leave[j])
                for j in range(n):
                    to_cell[j] = d_cell[j] * enter[j] * (one - new[j] * new[j])
                for j in range(n):
                    to_enter[j] = d_cell[j] * new[j] * enter[j] * (one - enter[j])
                for j in range(n):
                    to_forget[j] = d_cell[j] * cell[j] * forget[j] * (one - forget[j])
                for j in range(n):
                    d_cell[j] *= forget[j]
                for j in range(n):  # all of it goes through the product
                    d[j] = 0
            c = Strided(gradient, first * n, n, 1)
            a = Strided(to_product, (t * n_sequences + first) * 4 * n, 4 * n, 1)
            _multiply(c, a, last - first, w, n, 4 * n)


@compiled
def gru_top(x, lengths, w_ih, w_gates, w_new, biases, term_biases, backwards, out, at, start, stop):
    """Run layers of GRU; keep the states of the top one in columns of ``out`` (T, B, N) from `at`.

    ``w_ih`` (1-D), ``w_gates`` and ``w_new`` hold the packed weights layer after layer, ``biases``
    (L, 3H) and ``term_biases`` (L, H) a row for each. `backwards` reads each sequence from its own
    end. States below the top are kept for a chunk of frames.
    """
    n_layers, n = term_biases.shape
    depth = x.shape[2]
    for first in range(start, stop, BLOCK_ROWS):
        rows = min(first + BLOCK_ROWS, stop) - first
        own = lengths[first : first + rows]
        longest = max(own)
        n_chunk = max(1, min(CHUNK_FRAMES * (BLOCK_ROWS // rows), longest))
        frames = np.empty((n_chunk, rows, depth), x.dtype)
        states = np.zeros((n_layers * (n_chunk + 1), rows, n), x.dtype)
        gates = np.empty((n_chunk, rows, 3 * n), x.dtype)
        term = np.empty((1, rows, n), x.dtype)
        for t in range(0, longest, n_chunk):
            size = min(n_chunk, longest - t)
            _read(x, frames[:size], own, backwards, t, first)
            for layer in range(n_layers):
                base = layer * (n_chunk + 1)
                inputs, w = _inputs(layer, frames[:size], states, w_ih, 3 * n, n_chunk)
                product(inputs, w, biases[layer], gates[:size], 0, rows)
                to, left = states[base : base + size + 1], own - t
                w, bias = w_gates[layer], term_biases[layer]
                gru_forward(gates[:size], w, w_new[layer], bias, to, term, left, 0, rows)
            top = states[(n_layers - 1) * (n_chunk + 1) + 1 :]
            _write(top[:size], out, own, backwards, t, first, at)
            _carry_on(states, n_layers, size)
        out[longest:, first : first + rows, at : at + n] = 0


@compiled
def lstm_top(x, lengths, w_ih, w_hh, biases, backwards, out, at, start, stop):
    """Run layers of LSTM as `gru_top` does those of GRU; ``w_hh`` is packed, layer after layer."""
    n_layers, n = len(biases), biases.shape[1] // 4
    depth = x.shape[2]
    for first in range(start, stop, BLOCK_ROWS):
        rows = min(first + BLOCK_ROWS, stop) - first
        own = lengths[first : first + rows]
        longest = max(own)
        n_chunk = max(1, min(CHUNK_FRAMES * (BLOCK_ROWS // rows), longest))
        frames = np.empty((n_chunk, rows, depth), x.dtype)
        states = np.zeros((n_layers * (n_chunk + 1), rows, n), x.dtype)
        cells = np.zeros((n_layers * (n_chunk + 1), rows, n), x.dtype)
        gates = np.empty((n_chunk, rows, 4 * n), x.dtype)
        for t in range(0, longest, n_chunk):
            size = min(n_chunk, longest - t)
            _read(x, frames[:size], own, backwards, t, first)
            for layer in range(n_layers):
                base = layer * (n_chunk + 1)
                inputs, w = _inputs(layer, frames[:size], states, w_ih, 4 * n, n_chunk)
                product(inputs, w, biases[layer], gates[:size], 0, rows)
                to, memory = states[base : base + size + 1], cells[base : base + size + 1]
                lstm_forward(gates[:size], w_hh[layer], to, memory, own - t, 0, rows)
            top = states[(n_layers - 1) * (n_chunk + 1) + 1 :]
            _write(top[:size], out, own, backwards, t, first, at)
            _carry_on(states, n_layers, size)
            _carry_on(cells, n_layers, size)
        out[longest:, first : first + rows, at : at + n] = 0


@compiled
def _inputs(layer, frames, states, w_ih, n_gates, n_chunk):
    """Return the input of a layer in a chunk of frames, and its packed input weights."""
    size, _, depth = frames.shape
    if layer == 0:
        return frames, w_ih[: n_gates * depth]
    first = (layer - 1) * (n_chunk + 1) + 1
    done = n_gates * (depth + (layer - 1) * states.shape[2])
    return states[first : first + size], w_ih[done:]


@compiled
def _carry_on(states, n_layers, size):
    """Copy the last states of a chunk of frames to the states before the next, layer by layer."""
    for base in range(0, len(states), len(states) // n_layers):
        states[base] = states[base + size]


@compiled
def _read(x, frames, lengths, backwards, t, first):
    """Copy the frames of a chunk of a few sequences, in the order in which they are read."""
    for k in range(len(frames)):
        for i in range(len(lengths)):
            step = lengths[i] - 1 - t - k if backwards else t + k
            if t + k < lengths[i]:
                frames[k, i] = x[step, first + i]
            else:
                frames[k, i] = 0


@compiled
def _write(states, out, lengths, backwards, t, first, at):
    """Copy states of a chunk to the positions of the frames that `_read` has read."""
    n = states.shape[2]
    for k in range(len(states)):
        for i in range(len(lengths)):
            step = t + k
            if backwards and step < lengths[i]:
                step = lengths[i] - 1 - step
            out[step, first + i, at : at + n] = states[k, i]


@compiled
def project(x, center, w, out, start, stop):
    """Set rows of ``out`` (M, N) to ``(x - center) @ w``; x is (M, K).

    ``w`` holds rows of the matrix in parts of `PART`, each packed. The center goes first, and sums
    are of parts, so that rounding stays small.
    """
    depth, n_columns = x.shape[1], out.shape[1]
    centered = np.empty((BLOCK_ROWS, depth), x.dtype)
    for first in range(start, stop, BLOCK_ROWS):
        n = min(first + BLOCK_ROWS, stop) - first
        for i in range(n):
            values, own = x[first + i], centered[i]
            for k in range(depth):
                own[k] = values[k] - center[k]
        out[first : first + n] = 0
        c = Strided(out, first * n_columns, n_columns, 1)
        for k in range(0, depth, PART):
            a, size = Strided(centered, k, depth, 1), min(PART, depth - k)
            _multiply(c, a, n, w[k * n_columns :], n_columns, size)


@compiled
def drop(x, out, keys, threshold, scale, start, stop):
    """Set rows of ``out`` (T*B, F) to those of x times ``scale``, or 0 where a value is dropped.

    ``keys`` (B,) are those of `skaudeep.nn.counter_rng`, whose numbers are computed here again; a
    value is dropped where the upper half of its number is below ``threshold``.
    """
    golden, n = np.uint64(0x9E3779B97F4A7C15), x.shape[1]
    zero = x.dtype.type(0)
    for i in range(start, stop):
        values, kept = x[i], out[i]
        first = np.uint64(keys[i % len(keys)]) + np.uint64(i // len(keys) * n) * golden
        for j in range(n):
            z = first + np.uint64(j) * golden
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            level = np.uint32((z ^ (z >> np.uint64(31))) >> np.uint64(32))
            kept[j] = values[j] * scale if level >= np.uint32(threshold) else zero
