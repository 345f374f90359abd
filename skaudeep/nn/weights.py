"""Random weights of a network, drawn from a generator of its own."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import nn

from skaudeep.nn.parallel import torch_threads
from skaudeep.nn.pooling import StateCovariance

GATES = {"gru": 3, "lstm": 4}
N = TypeVar("N", bound=Any)  # a network


def build(network_class: type[N], sizes: Any, seed: int) -> N:
    """Build a network on the CPU with random weights.

    Parameters
    ----------
    network_class : type
        A module that is made from its sizes and has a method ``draw_weights(generator)``.
    sizes : object
        With `n_units` and `n_layers`, among others.
    seed : int
        Determines the weights.

    Returns
    -------
    nn.Module

    Raises
    ------
    MemoryError
        If there is not enough memory for the weights.
    """
    try:
        # Built without storage, then filled: torch's global generator is never drawn from.
        with torch.device("meta"):
            network = network_class(sizes)
        allocate(network)
    except RuntimeError as error:
        raise MemoryError(
            f"A network with n_units={sizes.n_units} and n_layers={sizes.n_layers} does not fit "
            f"into memory ({str(error).splitlines()[0]}). Choose fewer units."
        ) from error
    network.draw_weights(torch.Generator().manual_seed(seed))
    return network


def resize(network: N, sizes: Any) -> N:
    """Build a network on the CPU with other sizes and the weights of one that is there.

    Parameters
    ----------
    network : nn.Module
        Made from its sizes.
    sizes : object
        They differ in what the weights do not hang on, such as dropout.

    Returns
    -------
    nn.Module
        Of the same class, in evaluation mode; it shares no memory with `network`.
    """
    with torch.device("meta"):
        other = type(network)(sizes)
    allocate(other)
    other.load_state_dict(network.state_dict())
    return other.eval()


def allocate(network: nn.Module) -> None:
    """Give a network that was built without storage memory on the CPU, with no values in it.

    ``network.to_empty(device="cpu")`` does the same, and loads torch's compiler and sympy for it,
    which takes a second.

    Parameters
    ----------
    network : nn.Module
        Built under ``torch.device("meta")``. Its generator draws no values there.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     network = nn.GRU(3, 4)
    >>> allocate(network)
    >>> network(torch.zeros(5, 2, 3))[0].shape
    torch.Size([5, 2, 4])
    """
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def draw_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights of a network, and forget its principal components.

    Weights from state to state are orthogonal for each gate [1]_, so that a state neither fades
    nor grows on its way through time. Those of the inputs are normal with variance ``1 / n_inputs``
    [2]_, so that a layer receives as much of its input whatever its width. All others are uniform
    within ``1 / sqrt(n_units)`` in recurrent layers and ``1 / sqrt(n_inputs)`` in linear ones, as
    in torch. Embeddings are standard normal.

    Parameters
    ----------
    network : nn.Module
        Of recurrent and linear layers and embeddings, on the CPU.
    generator : torch.Generator
        Modules draw in the order in which they are registered.

    References
    ----------
    .. [1] Saxe, McClelland & Ganguli (2014). Exact solutions to the nonlinear dynamics of learning
       in deep linear neural networks. ICLR.
    .. [2] LeCun, Bottou, Orr & Müller (1998). Efficient backprop. Section 4.6.
    """
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            bound = module.hidden_size**-0.5
            for name, parameter in module.named_parameters():
                if name.startswith("weight_hh"):
                    for gate in parameter.chunk(len(parameter) // module.hidden_size):
                        with torch_threads(1):  # the QR decomposition rounds by their number
                            nn.init.orthogonal_(gate, generator=generator)
                elif name.startswith("weight_ih"):
                    deviation = module.input_size**-0.5
                    nn.init.normal_(parameter, 0, deviation, generator=generator)
                else:
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=generator)
        elif isinstance(module, StateCovariance):
            module.reset()


def skip_decoder(
    generator: torch.Generator, *, n_bands: int, n_units: int, n_layers: int, cell: str
) -> None:
    """Move a generator past the numbers that `draw_weights` takes for a decoder of one direction.

    An autoencoder draws its decoder before its encoder. A network that has no decoder gets the
    weights of that encoder, for the same seed, where it leaves out the same numbers.

    Parameters
    ----------
    generator : torch.Generator
    n_bands, n_units, n_layers : int
    cell : {"gru", "lstm"}
    """
    n_gates = GATES[cell]
    for layer in range(n_layers):
        n_inputs = n_bands if layer == 0 else n_units
        torch.empty(n_gates * n_units, n_inputs).normal_(generator=generator)
        for _ in range(n_gates):
            torch.empty(n_units, n_units).normal_(generator=generator)
        for _ in range(2):
            torch.empty(n_gates * n_units).uniform_(generator=generator)
    torch.empty(n_bands, n_units).uniform_(generator=generator)
    torch.empty(n_bands).uniform_(generator=generator)
