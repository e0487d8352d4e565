"""A scheme is data: the format of the codes, the blocks that share a scale, the scales, and what is done before.

    quantize(w, "nvfp4")                            a row of the table below
    quantize(w, "nvfp4", hadamard=16)               one with other parts
    quantize(w, Scheme("f5e2m2", (32, 4), "ue5m3")) parts alone
    quantize(w, "u3g64"), quantize(w, "f6e3m2")     a format and its groups

A part is a field of ``Scheme``; a row of ``SCHEMES`` is one ``Scheme``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from tilevm.dtypes import DType, codebook, dtype
from tilevm.errors import DTypeError, did_you_mean
from tilevm.quantization.calibration import Calibration

__all__ = ["SCALE_ROUNDINGS", "SCHEMES", "Scheme", "changed", "scheme"]

SCALE_ROUNDINGS = ("up", "nearest", "floor", "even", "power", "ratio")
"""How a scale is made of ``exact``, the scale that fits a block's range to the format:

    up         the next number of the scales' format, so that nothing is cut off
    nearest    the nearest one, at least the smallest above 0; what is cut off then saturates
    floor      2^(floor(log2(range)) - floor(log2(largest number of the format))): OCP MX v1.0
    even       the same, of the range rounded to as many digits as the format has, a half upwards: the largest number of
               a block saturates only where that is the nearest to it
    power      the next power of two: Wu et al., "ZeroQuant-FP", 2023, M1
    ratio      the largest scale along the axis, divided by a power of two: the same, M2
"""
_ZEROS = ("scale", "code", "float")
_LEARNED = ("tensor", "block")


@dataclass(frozen=True)
class Scheme:
    """The parts of a scheme.

    - ``format``: of the codes.
    - ``block``: an integer, that many elements along the axis; None, the whole axis; ``"tensor"``; or extents of the
      last dimensions.
    - ``scale``: the format of the scales; ``scale_rounding``: one of ``SCALE_ROUNDINGS``.
    - ``two_levels``: whether scales are divided by one ``float32`` for the tensor, such that the largest just fits.
    - ``unit``: a constant that each scale is multiplied by: 2^-6 for MXINT8.
    - ``zero``: for unsigned integers, integers in the scales' format (``"scale"``) or in the codes' format
      (``"code"``), or any numbers in the scales' format (``"float"``).
    - ``symmetric``: whether signed integers leave out the least one, which has no positive counterpart.
    - ``calibration``: which range is covered; a name of ``CALIBRATIONS`` or one of its classes.
    - ``hadamard``: None, or the size of a random Hadamard transform along the axis that comes first.
    - ``second``: None, or the scheme by which the scales, less their mean, are quantised again.
    - ``learned``: None, or whether codes of an unsigned format stand for numbers that are found by k-means, for the
      ``"tensor"`` or for each ``"block"``.
    - ``activations``: the name of the scheme that inputs of a product with such weights are quantised by.

    Raises ``DTypeError`` D001 for unknown formats, D012 for a format that weights cannot be written in, D013 for one
    that does not hold scales or zero points, D019 for what no part can be.
    """

    format: DType | str
    block: int | tuple[int, ...] | str | None = 128
    scale: DType | str = "f16"
    scale_rounding: str = "up"
    two_levels: bool = False
    unit: float = 1.0
    zero: str | None = None
    symmetric: bool = False
    calibration: Calibration | str = "absmax"
    hadamard: int | None = None
    second: Scheme | None = None
    learned: str | None = None
    activations: str | None = None

    def __post_init__(self) -> None:
        kind, scale = dtype(self.format), dtype(self.scale)
        object.__setattr__(self, "format", kind)
        object.__setattr__(self, "scale", scale)
        for name, value, known in (
            ("scale_rounding", self.scale_rounding, SCALE_ROUNDINGS),
            ("zero", self.zero, (None, *_ZEROS)),
            ("learned", self.learned, (None, *_LEARNED)),
        ):
            if value not in known:
                names = [each for each in known if each]
                help = did_you_mean(str(value), names) or f"there are {', '.join(names)}"
                raise DTypeError("D019", f"`{name}` of a scheme cannot be {value!r}", help=help)
        if scale.kind != "float":
            raise DTypeError("D013", f"scales are floats, not {scale}", help="f16, bf16, f32, ue4m3, e8m0, …")
        if not kind.signed and kind.kind != "uint":
            raise DTypeError("D012", f"{kind} has no negative numbers and takes no zero point", help="it is for scales")
        if self.learned and (kind.kind != "uint" or kind.bits > 8):
            raise DTypeError("D012", f"learned codebooks have codes of u1 … u8, not {kind}")
        if self.second is not None and not isinstance(self.second, Scheme):
            raise DTypeError("D019", f"`second` of a scheme is a scheme, not {self.second!r}")
        if self.two_levels and (self.unit != 1 or scale.max > 2**20):
            what = "take no unit" if self.unit != 1 else f"have scales of a small range, not {scale}"
            raise DTypeError("D019", f"two levels {what}", help="f8e4m3, ue4m3, ue5m3, f16")
        if not 0 < self.unit < 2**20:
            raise DTypeError("D019", f"the unit of a scheme is above 0 and below 2^20, not {self.unit!r}")
        needed = kind.kind == "uint" and not self.learned
        if needed != (self.zero is not None):
            what = "needs a zero point" if needed else "takes no zero point"
            raise DTypeError("D019", f"a scheme of {kind} {what}", help=f"zero= is one of {', '.join(_ZEROS)}, or None")

    def check_zero_points(self) -> None:
        """Raises ``DTypeError`` D013 where the scales' format does not hold the zero points that are kept in it."""
        kind, scale = self.kind, self.scale_kind
        whole = scale.specials != "scale" and scale.mantissa + 1 >= kind.bits and scale.max >= kind.max
        if self.zero in ("scale", "float") and not whole:
            raise DTypeError(
                "D013",
                f"zero points of {kind} are integers up to {kind.max}, and {scale} does not hold all of them",
                help="f16, bf16 and f32 hold those of u1 to u8; signed formats need none",
            )

    @property
    def kind(self) -> DType:
        """The format of the codes."""
        return dtype(self.format)

    @property
    def scale_kind(self) -> DType:
        """The format of the scales."""
        return dtype(self.scale)

    @property
    def reach(self) -> float:
        """The largest magnitude that both signs have; where no number is positive, as in ``i1``, that of the least."""
        if self.learned:
            return 1.0
        return float(self.kind.max if self.kind.max > 0 else -self.kind.min)

    @property
    def idle_scale(self) -> float:
        """The scale of a block of zeros: 1. But 0, or next to it, where no code need stand for 0, as in learned
        codebooks, and where scales are quantised again, which a 1 among them would spoil."""
        if self.second is None and not self.learned and (self.kind.kind != "codebook" or 0.0 in self.kind.table):
            return 1.0
        return self.scale_kind.smallest if self.scale_kind.specials == "scale" else 0.0


def plain(kind: DType | str, block: int | None = 128, packed_zeros: bool = False) -> Scheme:
    """A format in groups with ``f16`` scales, and zero points where it is unsigned."""
    own = dtype(kind)
    return Scheme(own, block, zero=("code" if packed_zeros else "scale") if own.kind == "uint" else None)


_SIGN = codebook("sign", [-1.0, 1.0])
_CENTRED = Scheme("i8", 256, "f32", "nearest")

SCHEMES: dict[str, Scheme] = {
    **{f"mx{name}": Scheme(kind, 32, "e8m0", "floor") for name, kind in (
        ("fp8e4m3", "f8e4m3"), ("fp8e5m2", "f8e5m2"), ("fp6e2m3", "f6e2m3"), ("fp6e3m2", "f6e3m2"), ("fp4", "f4e2m1"),
    )},
    "mxint8": Scheme("i8", 32, "e8m0", "floor", unit=2.0**-6, symmetric=True),
    "nvfp4": Scheme("f4e2m1", 16, "f8e4m3", "nearest", two_levels=True),
    "nvfp4-2d": Scheme("f4e2m1", (16, 16), "f8e4m3", "nearest", two_levels=True),
    "nvint4": Scheme("i4", 16, "f8e4m3", "nearest", two_levels=True, symmetric=True),
    "ue5m3fp4": Scheme("f4e2m1", 16, "ue5m3", "nearest"),
    "ue5m3fp4-g32": Scheme("f4e2m1", 32, "ue5m3", "nearest"),
    "w4a8-fp8": Scheme("f4e2m1", 128, "f16", "power", activations="fp8"),
    "w4a8-fp8-ratio": Scheme("f4e2m1", 128, "f16", "ratio", activations="fp8"),
    "w4a8-int8": Scheme("i4", 128, "f16", symmetric=True, activations="int8"),
    "fp8": Scheme("f8e4m3", None, "f32", activations="fp8"),
    "int8": Scheme("i8", None, "f32", symmetric=True, activations="int8"),
    "fp8-tensor": Scheme("f8e4m3", "tensor", "f32", activations="fp8-tensor"),
    "int8-tensor": Scheme("i8", "tensor", "f32", symmetric=True, activations="int8-tensor"),
    "nf4-block64": Scheme("nf4", 64, "f32"),
    "nf4-double": Scheme("nf4", 64, "f32", second=_CENTRED),
    **{f"codebook{bits}": Scheme(f"u{bits}", 64, learned="tensor") for bits in (2, 3, 4)},
    **{f"codebook{bits}-channel": Scheme(f"u{bits}", None, learned="block") for bits in (2, 3, 4)},
    "ternary": Scheme("trit", None, calibration="mean", scale_rounding="nearest"),
    "ternary-g128": Scheme("trit", 128, calibration="mean", scale_rounding="nearest"),
    "binary": Scheme(_SIGN, None, calibration="mean", scale_rounding="nearest"),
}  # fmt: skip
"""Rows by name. MX: OCP Microscaling Formats v1.0. NVFP4: NVIDIA, "Pretraining Large Language Models with NVFP4", 2025.
NVINT4 and MXINT8 with symmetric clipping: Chen et al., "INT v.s. FP", 2025. NF4: Dettmers et al., "QLoRA", 2023.
Ternary: Ma et al., "The Era of 1-bit LLMs", 2024. Channels are columns of ``w[K, N]`` quantised along axis 0; with
activations ``x[M, K]`` along axis 1, the same schemes are per token.
"""

_GROUPED = re.compile(r"([a-z]\w*?) ?g([1-9]\d{0,8})")


def scheme(given: Scheme | DType | str) -> Scheme:
    """The scheme of a name; of a format, alone or with its group; one is taken as it is.

    Raises ``DTypeError`` D019 for a name that is neither, D001 for one that resembles a format.

    >>> scheme("u4g128") == Scheme("u4", 128, "f16", zero="code"), scheme("i3").block
    (True, 128)
    """
    if isinstance(given, Scheme):
        return given
    if not isinstance(given, str):
        return plain(dtype(given))
    if given in SCHEMES:
        return SCHEMES[given]
    grouped = _GROUPED.fullmatch(given)
    name = grouped[1] if grouped else given
    try:
        kind = dtype(name)
    except DTypeError:
        if re.match(r"([uif]|ue)\d", name):
            raise
        help = did_you_mean(given, SCHEMES) or f"schemes are {', '.join(SCHEMES)}, and formats: i4, f6e3m2, u4g128"
        raise DTypeError("D019", f"there is no scheme `{given}`", help=help) from None
    return plain(kind, int(grouped[2]), packed_zeros=True) if grouped else plain(kind)


def changed(given: Scheme, **parts: Any) -> Scheme:
    """A scheme with other parts. Raises ``DTypeError`` D019 for a name that no part has."""
    known = [each.name for each in fields(Scheme)]
    for name in parts:
        if name not in known:
            help = did_you_mean(name, known) or f"its parts are {', '.join(known)}"
            raise DTypeError("D019", f"a scheme has no part `{name}`", help=help)
    return replace(given, **parts)
