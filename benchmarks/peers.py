"""Other libraries' products with quantised weights, as their own documentation calls them. None of them is needed.

Each takes part where it is installed and has a product for the weights; one that fails is left out of that case, and
the result has its reason. Codes are given to those that take codes; the others quantise the same dense weights by
themselves, so their results are only compared roughly.

    torch int4      torch._weight_int4pack_mm, bf16 activations
    torch fp8       torch._scaled_mm, both factors in f8e4m3
    torch int8      torch._int_mm, both factors in i8, more than 16 rows
    torchao         int4 and int8 weights only
    bitsandbytes    nf4
    gemlite         1, 2, 4 and 8 bits
    humming         integers and floats of 1 to 8 bits
    Triton          the same algorithm written plainly, ``benchmarks.triton_product``
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contestants import Contestant, Launches, Product, sets_for
from benchmarks.product_data import STRIP, Data, error_of
from benchmarks.shapes import Weights
from tilevm.dtypes import dtype

__all__ = ["PEERS"]

OWN = "quantised by itself"
ROUGH = {8: 0.1, 7: 0.1, 6: 0.15, 5: 0.25, 4: 0.4, 3: 0.6, 2: 0.9, 1: 0.95}
"""How far a product with weights that a peer has quantised may be from that with the dense ones, by bits."""


class TorchPeer(ABC):
    """What peers of torch have in common: buffers in turns, and results on the host."""

    name = ""
    needs: tuple[str, ...] = ("torch",)

    @abstractmethod
    def takes(self, weights: Weights) -> bool:
        """Whether it multiplies by such weights."""

    @abstractmethod
    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        """A function from activations to results with weights of its own, and the bytes of these."""

    note = ""

    def activations(self, x: Any) -> Any:
        """The activations as this peer takes them."""
        import torch

        return torch.as_tensor(x, device="cuda")

    def load(self, data: Data) -> Product:
        multiply, nbytes = self.make(data)
        others = [self.make(data)[0] for _ in range(sets_for(nbytes) - 1)]
        return partial(self._product, data, [multiply, *others], nbytes)

    def _product(self, data: Data, sets: Sequence[Callable[[Any], Any]], nbytes: int, x: Any) -> Launches:
        given = self.activations(x)
        moved = nbytes + x.nbytes + 2 * x.shape[0] * data.weights.n
        own = self.note == OWN
        strip = data.dense_strip if own else data.strip

        def error() -> float:
            return error_of(sets[0](given).float().cpu().numpy(), data.cupy.asnumpy(x), strip)

        tolerance = ROUGH[dtype(data.weights.format).bits] if own else 0.02
        return Launches([partial(multiply, given) for multiply in sets], error, moved, tolerance, self.note)


def _dense(data: Data, kind: Any) -> Any:
    """The dense weights as torch's linear layers have them, ``[n, k]``."""
    import torch

    return torch.as_tensor(data.dense, device="cuda").t().contiguous().to(kind)


def _codes(data: Data) -> Any:
    """Codes of 1, 2, 4 or 8 bits, one in a byte, ``[n, k]``."""
    import torch

    bits, n, k = dtype(data.weights.format).bits, data.weights.n, data.weights.k
    held = torch.as_tensor(data.codes.data, device="cuda")
    parts = [(held >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    return torch.stack(parts, -1).reshape(k, n).t().contiguous()


def _scales(data: Data) -> Any:
    """Scales in f16, ``[groups, n]``."""
    import torch

    held = torch.as_tensor(data.scales.data, device="cuda")
    return held.view(torch.float16).reshape(data.weights.groups, data.weights.n)


class TorchInt4(TorchPeer):
    name = "torch int4"
    note = "bf16 activations"

    def takes(self, weights: Weights) -> bool:
        fits = weights.n % 64 == 0 and weights.k % 1024 == 0
        return weights.format == "u4" and weights.scale == "f16" and weights.group in (32, 64, 128) and fits

    def activations(self, x: Any) -> Any:
        return super().activations(x).bfloat16()

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch

        codes, scales = _codes(data), _scales(data).bfloat16()
        pairs = (codes[:, ::2] << 4 | codes[:, 1::2]).contiguous()
        packed = torch._convert_weight_to_int4pack(pairs, 8)
        # It computes (code - 8) * scale + zero, and these codes stand for code * scale.
        both = torch.stack([scales, 8 * scales], -1).contiguous()
        multiply = torch._weight_int4pack_mm
        return lambda x: multiply(x, packed, data.weights.group, both), pairs.nbytes + both.nbytes


class TorchFp8(TorchPeer):
    name = "torch fp8"
    note = OWN

    def takes(self, weights: Weights) -> bool:
        return weights.format == "f8e4m3" and weights.n % 16 == 0 and weights.k % 16 == 0

    def activations(self, x: Any) -> Any:
        import torch

        return super().activations(x).to(torch.float8_e4m3fn)

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch

        weights = _dense(data, torch.float8_e4m3fn)
        one = torch.ones((), device="cuda")
        return (
            lambda x: torch._scaled_mm(x, weights.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16),
            weights.nbytes,
        )


class TorchInt8(TorchPeer):
    name = "torch int8"
    note = "the product alone, without scales"

    def takes(self, weights: Weights) -> bool:
        return weights.format == "i8" and weights.n % 8 == 0 and weights.k % 8 == 0

    def activations(self, x: Any) -> Any:
        import torch

        return (16 * super().activations(x)).round().clamp(-128, 127).to(torch.int8)

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch

        codes = torch.as_tensor(data.codes.data, device="cuda").view(torch.int8)
        weights = codes.reshape(data.weights.k, data.weights.n).clone()
        return lambda x: torch._int_mm(x, weights), weights.nbytes

    def _product(self, data: Data, sets: Sequence[Callable[[Any], Any]], nbytes: int, x: Any) -> Launches:
        if x.shape[0] <= 16:
            raise ValueError("torch._int_mm takes more than 16 rows")
        given = self.activations(x)
        moved = nbytes + given.nbytes + 4 * x.shape[0] * data.weights.n

        def error() -> float:
            # Activations are rounded to i8 too, so this is compared with the product of what was rounded.
            codes = data.cupy.asnumpy(data.codes.data).view(np.int8).reshape(data.weights.k, data.weights.n)
            found = sets[0](given).double().cpu().numpy()
            return error_of(found, given.double().cpu().numpy(), codes[:, -STRIP:].astype(np.float64))

        return Launches([partial(multiply, given) for multiply in sets], error, moved, 0.0, self.note)


class TorchAo(TorchPeer):
    name = "torchao"
    needs = ("torch", "torchao")
    note = OWN

    def takes(self, weights: Weights) -> bool:
        return weights.scale == "f16" and (weights.format, weights.group) in (("u4", 128), ("i4", 128), ("i8", 0))

    def activations(self, x: Any) -> Any:
        return super().activations(x).bfloat16()

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch
        from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

        layer = torch.nn.Linear(data.weights.k, data.weights.n, bias=False, device="cuda", dtype=torch.bfloat16)
        layer.weight.data = _dense(data, torch.bfloat16)
        quantize_(
            layer, Int8WeightOnlyConfig() if data.weights.format == "i8" else Int4WeightOnlyConfig(group_size=128)
        )
        return torch.no_grad()(layer.forward), data.weights.nbytes


class BitsAndBytes(TorchPeer):
    name = "bitsandbytes"
    needs = ("torch", "bitsandbytes")
    note = OWN

    def takes(self, weights: Weights) -> bool:
        return weights.format == "nf4" and weights.group in (64, 128)

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import bitsandbytes
        import torch
        from bitsandbytes.functional import quantize_4bit

        dense = _dense(data, torch.float16)
        codes, state = quantize_4bit(dense, blocksize=data.weights.group, quant_type="nf4")
        return lambda x: bitsandbytes.matmul_4bit(x, codes.t(), quant_state=state), codes.nbytes + state.absmax.nbytes


class GemLite(TorchPeer):
    name = "gemlite"
    needs = ("torch", "gemlite")

    def takes(self, weights: Weights) -> bool:
        return weights.format in ("u1", "u2", "u4", "u8") and weights.scale == "f16" and weights.group % 32 == 0

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch
        from gemlite import DType, GemLiteLinear

        weights, bits = data.weights, dtype(data.weights.format).bits
        group = weights.group or weights.k
        layer = GemLiteLinear(
            bits,
            group_size=group,
            in_features=weights.k,
            out_features=weights.n,
            input_dtype=DType.FP16,
            output_dtype=DType.FP16,
        )
        scales = _scales(data).t().reshape(-1, 1).contiguous()
        layer.pack(_codes(data).reshape(-1, group), scales, torch.zeros_like(scales), None)
        return layer, weights.nbytes


class Humming(TorchPeer):
    name = "humming"
    needs = ("torch", "humming")
    note = OWN

    def takes(self, weights: Weights) -> bool:
        kind = dtype(weights.format)
        return weights.scale == "f16" and (kind.kind == "uint" or (kind.kind == "float" and kind.signed))

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        import torch
        from humming.layer import HummingLayer

        weights = data.weights
        kind = weights.format.replace("u", "uint", 1) if weights.format[0] == "u" else f"float{weights.format[1:]}"
        layer = HummingLayer(
            shape_n=weights.n,
            shape_k=weights.k,
            weight_config={"dtype": kind, "group_size": weights.group},
            torch_dtype=torch.float16,
        ).cuda()
        layer.load_from_unquantized(_dense(data, torch.float16))
        layer.transform()
        return torch.no_grad()(layer.forward), weights.nbytes


class Triton(TorchPeer):
    name = "Triton"
    needs = ("torch", "triton")

    def takes(self, weights: Weights) -> bool:
        fits = weights.k % 128 == 0 and weights.n % 64 == 0 and weights.group in (64, 128)
        return weights.format in ("u1", "u2", "u4", "u8") and weights.scale == "f16" and fits

    def make(self, data: Data) -> tuple[Callable[[Any], Any], int]:
        from benchmarks.triton_product import multiply, pack_words

        words, scales = pack_words(_codes(data), dtype(data.weights.format).bits), _scales(data).clone()
        bits, group = dtype(data.weights.format).bits, data.weights.group
        return lambda x: multiply(x, words, scales, bits, group), words.nbytes + scales.nbytes


PEERS: tuple[Contestant, ...] = (
    TorchInt4(),
    TorchFp8(),
    TorchInt8(),
    TorchAo(),
    BitsAndBytes(),
    GemLite(),
    Humming(),
    Triton(),
)
