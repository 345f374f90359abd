"""Pooling of a recurrent network's states over the steps of a sequence into features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from skaudeep.nn.backends import uses_kernels
from skaudeep.nn.backends.cpu import project
from skaudeep.nn.parallel import parallel_map, torch_threads

# Parts of the features that `transform` returns, by the name of the representation.
REPRESENTATIONS = {
    "covariance": ("covariance",),
    "statistics": ("statistics",),
    "code": ("code",),
    "both": ("statistics", "code"),
    "components": ("components",),
    "states": ("states",),
}
FRAME_REPRESENTATIONS = ("components", "states")  # representations with a row for each frame
STATISTICS = ("mean", "std", "max", "change")
MIN_VARIANCE = 1e-12  # keeps the square root's gradient finite for constant states

N_COMPONENTS = 64  # principal components of the states, before their covariance
MIN_SHARE = 1e-3  # of the first component's variance; added to each variance before scaling
COVARIANCE_RIDGE = 0.03  # added to the variance of each component within a sequence
LAG = 4  # steps from the predictors to the predicted components
N_LAGGED = 20  # first components, which predict each other
TRANSITION_RIDGE = 0.3  # added to the mean square of each of these in their regression
# Newton-Schulz steps of each of four square roots: for eigenvalues that differ by factors of up to
# 1e5, 3e2, 18 and 4.
ITERATIONS = (20, 14, 11, 10)
BLOCK_BYTES = 2**20  # size of a block of components in float64, about that of a core's L2 cache


def state_statistics(states: list[Tensor], lengths: Tensor | None) -> Tensor:
    """Mean, standard deviation, maximum and mean absolute change of each state over the steps.

    Parameters
    ----------
    states : list of Tensors of shape (n_steps, n_sequences, n_units)
        Layer by layer; zero at padding.
    lengths : Tensor of shape (n_sequences,) or None
        True steps of each sequence; None where all fill the batch.

    Returns
    -------
    Tensor of shape (n_sequences, 4 * n_states)
        First the means of all states, then the other statistics likewise. The standard deviation
        divides by the number of steps; the change is that from one step to the next, 0 where there
        is only one.

    Examples
    --------
    >>> import torch
    >>> states = torch.tensor([1.0, 3.0, 0.0])[:, None, None]  # 3 steps of one sequence
    >>> state_statistics([states], torch.tensor([2]))
    tensor([[2., 1., 3., 2.]])
    """
    # Layer by layer: all of them side by side would be a second copy of the largest arrays.
    by_layer = [_statistics(layer, lengths) for layer in states]
    return torch.cat([torch.cat(kind, dim=1) for kind in zip(*by_layer, strict=True)], dim=1)


def _statistics(states: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if lengths is None:
        mean = states.mean(dim=0)  # (B, H)
        std = (states - mean).square().mean(dim=0).clamp_min(MIN_VARIANCE).sqrt()
        change = (states[1:] - states[:-1]).abs().sum(dim=0) / max(len(states) - 1, 1)
        return mean, std, states.amax(dim=0), change
    n_steps = lengths.to(states.device)[:, None]  # (B, 1)
    real = step_mask(states, lengths)  # (T, B, 1)
    mean = states.sum(dim=0) / n_steps  # (B, H)
    variance = ((states - mean) * real).square().sum(dim=0) / n_steps
    std = variance.clamp_min(MIN_VARIANCE).sqrt()
    maximum = states.masked_fill(~real, -torch.inf).amax(dim=0)
    change = ((states[1:] - states[:-1]) * real[1:]).abs().sum(dim=0) / (n_steps - 1).clamp(min=1)
    return mean, std, maximum, change


class StateCovariance(nn.Module):
    """Log-Euclidean covariance pooling and vector autoregression of a sequence's states.

    States are reduced to their principal components, each scaled to a variance of about 1 over the
    training data. Of each sequence the features are:

    * the mean of the components;
    * the logarithm of their covariance matrix, after 0.03 is added to its diagonal: covariance
      matrices lie in a curved space, their logarithms in a flat one [1]_, in which a linear
      classifier can separate them [2]_ and the strongest directions do not outweigh the others;
    * the coefficients of a ridge regression of the first 20 components on the same components four
      steps before (vector autoregression) [3]_; all are 0 for a sequence of four steps or fewer.
      The covariance does not depend on the order of steps; these do.

    Parameters
    ----------
    n_states : int
        Number of states per step.
    n_components : int, default=64
        Largest number of principal components.

    Attributes
    ----------
    center : Tensor of shape (n_states,)
        Mean of the states, set by `fit`; zero before.
    components : Tensor of shape (n_states, n_components)
        Scaled principal components, set by `fit`; before, they select the first states.
    n_components : int
        That of the parameters, or `n_states` where that is less.
    n_lagged : int
        20, or `n_components` where that is less.
    n_features : int
        Means, the upper triangle of the matrix row by row, and the coefficients, a row for each
        predictor and one for the intercept: ``n * (n + 3) / 2 + m * (m + 1)``.

    References
    ----------
    .. [1] Arsigny, Fillard, Pennec & Ayache (2006). Log-Euclidean metrics for fast and simple
       calculus on diffusion tensors. Magnetic Resonance in Medicine 56(2).
    .. [2] Barachant, Bonnet, Congedo & Jutten (2012). Multiclass brain-computer interface
       classification by Riemannian geometry. IEEE Transactions on Biomedical Engineering 59(4).
    .. [3] Bianchi, Scardapane, Loekse & Jenssen (2021). Reservoir computing approaches for
       representation and classification of multivariate time series. IEEE Transactions on Neural
       Networks and Learning Systems 32(5).

    Examples
    --------
    >>> import torch
    >>> covariance = StateCovariance(2)
    >>> states = torch.tensor([[[1.0, 5.0]], [[3.0, 5.0]]])  # 2 steps of one sequence
    >>> features = covariance(states, None)
    >>> features[:, :5]  # means, logarithms of 1 + 0.03 and of 0.03 on the diagonal
    tensor([[ 2.0000,  5.0000,  0.0296,  0.0000, -3.5066]])
    >>> features[:, 5:].tolist()  # too short for a regression
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    center: Tensor
    components: Tensor

    def __init__(self, n_states: int, n_components: int = N_COMPONENTS):
        super().__init__()
        self.n_components = min(n_components, n_states)
        self.n_lagged = min(N_LAGGED, self.n_components)
        n, m = self.n_components, self.n_lagged
        self.n_features = n * (n + 3) // 2 + m * (m + 1)
        self.register_buffer("center", torch.empty(n_states))
        self.register_buffer("components", torch.empty(n_states, self.n_components))
        self.reset()

    def reset(self) -> None:
        """Set the attributes back to those before `fit`."""
        if self.components.is_meta:  # nothing to set; torch would load its compiler for `eye`
            return
        nn.init.zeros_(self.center)
        nn.init.eye_(self.components)

    def feature_names(self, representation: str = "covariance") -> list[str]:
        """Name the features: ``mean_0 covariance_0_0 transition_0_0 intercept_0`` and so forth.

        Those of frames are ``component_0`` or ``state_0`` and so forth.
        """
        if representation == "components":
            return [f"component_{i}" for i in range(self.n_components)]
        if representation == "states":
            return [f"state_{i}" for i in range(len(self.center))]
        rows, columns = np.triu_indices(self.n_components)
        means = [f"mean_{i}" for i in range(self.n_components)]
        triangle = [f"covariance_{i}_{j}" for i, j in zip(rows, columns, strict=True)]
        lagged = range(self.n_lagged)
        transition = [f"transition_{i}_{j}" for i in lagged for j in lagged]
        return means + triangle + transition + [f"intercept_{i}" for i in lagged]

    def fit(self, moments: Tensor) -> None:
        """Set the principal components.

        Parameters
        ----------
        moments : Tensor of shape (1 + n_states, 1 + n_states), float64
            Sum of `moments` over the training data.
        """
        mean = moments[0, 1:] / moments[0, 0]
        covariance = moments[1:, 1:] / moments[0, 0] - mean.outer(mean)
        with torch_threads(1):  # LAPACK rounds by their number
            variances, vectors = torch.linalg.eigh(covariance.cpu())
        variances = variances.flip(0)[: self.n_components].clamp_min(0)
        vectors = vectors.flip(1)[:, : self.n_components]
        # The sign of a component is arbitrary: its largest entry is to be positive.
        largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
        scale = (variances + MIN_SHARE * variances[0]).clamp_min(MIN_VARIANCE).rsqrt()
        self.center.copy_(mean)
        self.components.copy_(vectors * largest.sign() * scale)

    def forward(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        """Compute the features of sequences.

        Without gradients, on the CPU, sequences are split into small blocks, each for one thread:
        one sequence never wakes torch's threads, which would wait for each other on busy cores.

        Parameters
        ----------
        states : Tensor of shape (n_steps, n_sequences, n_states)
        lengths : Tensor of shape (n_sequences,) or None
            True steps of each sequence; None where all fill the batch.

        Returns
        -------
        Tensor of shape (n_sequences, n_features)
        """
        if _needs_torch(states):
            by_products = _is_recorded() or states.device.type != "cpu"
            function = logarithm if by_products else logarithm_by_eigenvalues
            return self._features(self._project_by_torch(states), lengths, function)
        x = self._project(states.detach())
        # The size of blocks must not depend on the number of threads, nor must rounding.
        step = max(1, BLOCK_BYTES // (8 * max(1, len(x)) * self.n_components))
        blocks = x.split(step, dim=1)
        by_block = [None] * len(blocks) if lengths is None else lengths.split(step)
        with parallel_map(len(blocks)) as each:
            return torch.cat(list(each(self._block, blocks, by_block)))

    def project(self, states: Tensor) -> Tensor:
        """Return the components of states, one row for each frame.

        Parameters
        ----------
        states : Tensor of shape (n_steps, n_sequences, n_states)

        Returns
        -------
        Tensor of shape (n_steps, n_sequences, n_components)
        """
        needs_torch = _needs_torch(states)
        x = self._project_by_torch(states) if needs_torch else self._project(states.detach())
        return x.to(states.dtype)

    def _project_by_torch(self, states: Tensor) -> Tensor:
        components = self.components.double()
        return states.double() @ components - self.center.double() @ components  # (T, B, N)

    @torch.no_grad()
    def _project(self, states: Tensor) -> Tensor:
        """Return the components of states (T, B, S) on the CPU: (T, B, N).

        The kernels compute them, in the precision of the states. Unlike in a BLAS, a row's result
        does not depend on the rows beside it.
        """
        if not uses_kernels():
            centered = states.double() - self.center.double()
            return centered @ self.components.double()
        return project(states, self.center, self.components)

    @torch.no_grad()
    def _block(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Compute the features of a few sequences in the calling thread alone."""
        with torch_threads(1):
            if lengths is not None:
                x = x[: int(lengths.max())]
            return self._features(x, lengths, logarithm_by_eigenvalues)

    def _features(
        self, x: Tensor, lengths: Tensor | None, logarithm: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Compute the features from components of states, of shape (T, B, N)."""
        n_steps = torch.tensor(len(x)) if lengths is None else lengths
        n_steps = n_steps.to(x.device)[..., None, None]  # (1, 1) or (B, 1, 1)
        real = None if lengths is None else step_mask(x, lengths).transpose(0, 1)
        # float64, because the logarithm amplifies rounding, which depends on the size of a batch.
        x = x.transpose(0, 1).to(torch.float64, memory_format=torch.contiguous_format)  # (B, T, N)
        x = x if real is None else x * real
        mean = x.sum(dim=1, keepdim=True) / n_steps  # (B, 1, N)
        deviation = x - mean if real is None else (x - mean) * real
        covariance = deviation.transpose(1, 2) @ deviation / n_steps  # (B, N, N)
        flat = logarithm(
            covariance + COVARIANCE_RIDGE * torch.eye(self.n_components, device=x.device)
        )
        rows, columns = np.triu_indices(self.n_components)
        transition = _transition(x[:, :, : self.n_lagged], real)  # (B, M + 1, M)
        return torch.cat([mean[:, 0], flat[:, rows, columns], transition.flatten(1)], dim=1).float()


def _needs_torch(states: Tensor) -> bool:
    """Return whether torch must compute: for gradients, recorded graphs and other devices."""
    needs_gradient = torch.is_grad_enabled() and states.requires_grad
    return needs_gradient or _is_recorded() or states.device.type != "cpu"


def _is_recorded() -> bool:
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def _transition(x: Tensor, real: Tensor | None) -> Tensor:
    """Regress each sequence of x (B, T, M) on itself `LAG` steps before: (B, M + 1, M).

    The last row is that of the intercept.
    """
    before, after = x[:, :-LAG], x[:, LAG:]
    one = torch.ones_like(x[:, LAG:, :1])
    if real is not None:
        one = one * real[:, LAG:]
    before = torch.cat([before * one, one], dim=2)  # (B, T - L, M + 1)
    n_pairs = one.sum(dim=1, keepdim=True).clamp_min(1)
    square = before.transpose(1, 2) @ before / n_pairs
    ridge = TRANSITION_RIDGE * torch.eye(square.shape[-1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(square + ridge, before.transpose(1, 2) @ after / n_pairs)


def moments(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Sum the products of all states, and of a constant 1, over true steps.

    Parameters
    ----------
    states : Tensor of shape (n_steps, n_sequences, n_states)
        Zero at padding.
    lengths : Tensor of shape (n_sequences,) or None
        True steps of each sequence; None where all fill the batch.

    Returns
    -------
    Tensor of shape (1 + n_states, 1 + n_states), float64
        The number of steps in the corner, sums of states beside it, then sums of products.

    Examples
    --------
    >>> import torch
    >>> moments(torch.tensor([[[2.0]], [[3.0]]]), None)
    tensor([[ 2.,  5.],
            [ 5., 13.]], dtype=torch.float64)
    """
    one = torch.ones_like(states[:, :, :1])
    if lengths is not None:
        one = one * step_mask(states, lengths)
    x = torch.cat([one, states], dim=2).flatten(0, 1)  # (T*B, 1+H)
    x = x.double()  # rounding of float32 would turn the components of little variance
    return x.T @ x


def logarithm(x: Tensor) -> Tensor:
    """Compute the logarithms of symmetric positive definite matrices.

    Square roots, by the coupled Newton-Schulz iteration [1]_, until all eigenvalues are near 1,
    then a series [2]_: products alone, on any device and in any format.

    Parameters
    ----------
    x : Tensor of shape (..., n, n)
        Eigenvalues from about 1e-2 to 1e3.

    Returns
    -------
    Tensor of the shape of `x`
        In float32 to about 3e-5 where eigenvalues are below 30.

    References
    ----------
    .. [1] Higham (2008). Functions of matrices. SIAM, equation 6.35.
    .. [2] The same, section 11.5 (inverse scaling and squaring); the series is that of the inverse
       hyperbolic sine of half the difference between a root and its inverse.

    Examples
    --------
    >>> import torch
    >>> logarithm(torch.diag(torch.tensor([1.0, 10.0])))
    tensor([[0.0000, 0.0000],
            [0.0000, 2.3026]])
    """
    one = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    root, inverse = x, one
    for n_iterations in ITERATIONS:
        norm = torch.linalg.matrix_norm(root, keepdim=True)  # at least the largest eigenvalue
        root, inverse = root / norm, one.expand_as(x)
        for _ in range(n_iterations):
            step = 1.5 * one - 0.5 * inverse @ root
            root, inverse = root @ step, step @ inverse
        root, inverse = root * norm.sqrt(), inverse / norm.sqrt()
    sine = (root - inverse) / 2
    square = sine @ sine
    series = one / 6 - square @ (3 / 40 * one - 5 / 112 * square)
    return 2 ** len(ITERATIONS) * (sine @ (one - square @ series))


def logarithm_by_eigenvalues(x: Tensor) -> Tensor:
    """Compute the logarithms of symmetric positive definite matrices by LAPACK.

    On a CPU a tenth of the time of `logarithm`, and with gradients a fortieth; more exact where
    eigenvalues lie far apart. It cannot be recorded as a graph.

    Parameters
    ----------
    x : Tensor of shape (n_matrices, n, n)

    Returns
    -------
    Tensor of the shape of `x`
        NaN where a matrix holds NaN or infinity.

    Examples
    --------
    >>> import torch
    >>> logarithm_by_eigenvalues(torch.diag(torch.tensor([1.0, 10.0]))[None])
    tensor([[[0.0000, 0.0000],
             [0.0000, 2.3026]]])
    """
    finite = x.isfinite().all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)
    one = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    known = torch.where(finite, x, one)  # LAPACK refuses NaN
    return torch.where(finite, _LogarithmByEigenvalues.apply(known), torch.nan)


class _LogarithmByEigenvalues(torch.autograd.Function):
    """Logarithms with a gradient, by the formula of Daleckii and Krein [1]_.

    In the basis of the eigenvectors, the derivative multiplies each entry by the divided difference
    of the logarithm at its two eigenvalues.

    References
    ----------
    .. [1] Higham (2008). Functions of matrices. SIAM, theorem 3.11.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the logarithms of symmetric matrices (n_matrices, n, n) with eigenvalues > 0."""
        with torch_threads(1):  # small matrices: threads would wait for each other
            values, vectors = torch.linalg.eigh(x)
        # An eigenvalue below the rounding of the largest may come out as 0, or less.
        values = torch.maximum(values, torch.finfo(x.dtype).eps * values[:, -1:])
        ctx.save_for_backward(values, vectors)
        return vectors * values.log()[:, None, :] @ vectors.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to the matrices."""
        values, vectors = ctx.saved_tensors
        smaller = torch.minimum(values[:, :, None], values[:, None, :])
        ratio = (values[:, :, None] - values[:, None, :]).abs() / smaller
        # (log a - log b) / (a - b) = log(1 + r) / r / b with r = (a - b) / b; 1 / b where a = b.
        quotient = torch.where(ratio > 0, ratio.log1p() / ratio.clamp_min(1e-300), 1.0) / smaller
        inner = vectors.mT @ ((gradient + gradient.mT) / 2) @ vectors
        return vectors @ (inner * quotient) @ vectors.mT


def step_mask(x: Tensor, lengths: Tensor) -> Tensor:
    """Mask of the true steps of a batch (n_steps, n_sequences, ...): (n_steps, n_sequences, 1)."""
    return (torch.arange(len(x), device=x.device)[:, None] < lengths.to(x.device))[:, :, None]
