"""Machine code is read from its text: instructions, loops and their nesting, pipes, widths."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from test_machine_code import compiled, needs_disassembler, needs_nvrtc

from tilevm.arch import ARCHITECTURES
from tilevm.devices import PIPES
from tilevm.runtime.cubin import disassemble
from tilevm.runtime.sass import SassKernel, pipe_of, read_sass

NESTED = """
	.target	sm_80
//--------------------- .text.first --------------------------
        .global         first
first:
.text.first:
	//## File "/tmp/kernel.cu", line 7
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;
        /*0010*/                   S2R R29, SR_CTAID.X ;
.L_x_2:
	//## File "/tmp/device.cuh", line 34 inlined at "/tmp/mm.tvm", line 8
	//## File "/tmp/mm.tvm", line 8
        /*0020*/                   SHF.R.U32.HI R6, RZ, 0x3, R6 ;
.L_x_1:
	//## File "/tmp/mm.tvm", line 9
        /*0030*/                   LDG.E.U16.CONSTANT R49, [R16.64] ;
        /*0040*/                   HMMA.16816.F32 R4, R8, R12, R4 ;
        /*0050*/              @!PT LDS RZ, [RZ] ;
        /*0060*/               @P1 BRA `(.L_x_1) ;
.L_x_0:
        /*0070*/                   LDL.64 R4, [R1] ;
        /*0080*/                   STL [R1+0x8], R4 ;
        /*0090*/                   FFMA R4, R4, R5, R6 ;
        /*00a0*/              @!P0 BRA `(.L_x_0) ;
        /*00b0*/                   UIADD3 UR4, UR4, 0x40, URZ ;
        /*00c0*/              @!P0 BRA `(.L_x_2) ;
        /*00d0*/               @P0 EXIT ;
        /*00e0*/                   BRA `(.L_x_4) ;
.L_x_4:
        /*00f0*/                   EXIT ;
.L_x_3:
        /*0100*/                   BRA `(.L_x_3);
        /*0110*/                   NOP;
.L_x_5:
//--------------------- .text.second --------------------------
.text.second:
        /*0000*/                   LDSM.16.MT88.4 R28, [R28+UR5] ;
        /*0010*/                   LDGSTS.E.BYPASS.LTC128B.128 [R3], desc[UR8][R4.64], P0 ;
        /*0020*/                   EXIT ;
"""


def test_functions_loops_and_their_nesting_are_found() -> None:
    kernels = read_sass(NESTED)
    assert list(kernels) == ["first", "second"]
    first = kernels["first"]
    (outer,) = first.loops
    assert [(hex(each.start), hex(each.end), each.count) for each in first.every_loop()] == [
        ("0x20", "0xc0", 3),
        ("0x30", "0x60", 4),
        ("0x70", "0xa0", 4),
    ]
    assert [each.start for each in outer.inner] == [0x30, 0x70]
    # The branch to itself behind the last exit is no loop, and not executed.
    assert [each.name for each in first.outside()] == ["IMAD", "S2R", "EXIT", "BRA", "EXIT"]
    assert kernels["second"].loops == ()
    assert kernels["second"].main_loop() is None


def test_the_main_loop_is_that_with_the_matrix_instructions() -> None:
    first = read_sass(NESTED)["first"]
    main = first.main_loop()
    assert main is not None
    assert main.start == 0x30
    assert main.by_pipe() == {"lsu": 1, "tensor": 1, "branch": 2}
    assert main.loads() == {"LDG.16": 1}
    assert main.opcodes() == {"LDG": 1, "HMMA": 1, "LDS": 1, "BRA": 1}
    assert main.spills() == 0
    other = first.loops[0].inner[1]
    assert (other.spills(), other.loads(), other.by_pipe()["fma"]) == (2, {"LDL.64": 1}, 1)


def test_an_instruction_knows_the_outermost_line_that_it_is_from() -> None:
    instructions = {each.address: each for each in read_sass(NESTED)["first"].instructions}
    assert instructions[0x00].place == ("/tmp/kernel.cu", 7)
    assert instructions[0x20].place == ("/tmp/mm.tvm", 8)
    assert instructions[0x60].place == ("/tmp/mm.tvm", 9)
    assert instructions[0x60].predicate == "@P1"
    shape = instructions[0x40].shape
    assert shape is not None
    assert (shape, shape.operations) == ((16, 8, 16), 4096)
    assert instructions[0x50].never


def test_what_a_branch_forward_skips_is_told() -> None:
    text = """.text.k:
.L_x_1:
        /*0000*/              @!P0 BRA `(.L_x_0) ;
        /*0010*/                   FFMA R4, R4, R5, R6 ;
        /*0020*/                   FFMA R4, R4, R5, R6 ;
.L_x_0:
        /*0030*/                   IADD3 R0, R0, 0x1, RZ ;
        /*0040*/               @P1 BRA `(.L_x_1) ;
        /*0050*/                   EXIT ;
"""
    (loop,) = read_sass(text)["k"].loops
    assert [[each.address for each in skipped] for skipped in loop.skipped()] == [[0x10, 0x20]]
    assert [each.target for each in loop.instructions] == [0x30, None, None, None, 0x00]


@pytest.mark.parametrize(
    ("opcode", "bits"),
    [
        ("LDG.E.128.CONSTANT", 128),
        ("LDG.E.U8", 8),
        ("LDG.E.S16", 16),
        ("LDG.E.64", 64),
        ("LDG.E", 32),
        ("LDS.U.128", 128),
        ("LDSM.16.M88", 32),
        ("LDSM.16.MT88.2", 64),
        ("LDSM.16.M88.4", 128),
        ("LDGSTS.E.BYPASS.128", 128),
        ("LDGSTS.E.LTC128B.64", 64),
        ("STG.E.EF.128", 128),
    ],
)
def test_the_width_of_an_access_is_read_from_its_opcode(opcode: str, bits: int) -> None:
    text = f".text.k:\n        /*0000*/                   {opcode} R0, [R2] ;\n"
    assert read_sass(text)["k"].instructions[0].width == bits


@pytest.mark.parametrize(
    ("pipe", "opcodes"),
    [
        ("tensor", "HMMA.16816.F32 IMMA.16832.S8.S8 DMMA.884 QMMA.16832.F32 HGMMA.64x8x16.F32 UTCHMMA"),
        ("fma", "FADD FFMA FMUL.FTZ FFMA2"),
        ("heavy", "IMAD.WIDE.U32 IMAD.MOV.U32"),
        ("half", "HFMA2.BF16_V2 HADD2.F32 HMUL2 HSETP2.GT.AND"),
        ("alu", "LOP3.LUT SHF.R.U32.HI PRMT IADD3.X LEA.HI ISETP.GE.AND VIADD MOV SEL FMNMX F2FP.F16.F32.PACK_AB S2R"),
        ("xu", "MUFU.EX2 F2I.TRUNC.NTZ I2F.U32 POPC"),
        ("fp64", "DFMA DADD"),
        ("lsu", "LDG.E LDGSTS.E.BYPASS.128 STS.128 LDSM.16.M88.4 SHFL.BFLY ATOMG.E.ADD RED.E.ADD UTMALDG.2D LDC"),
        ("uniform", "UIADD3 ULDC.64 UMOV R2UR S2UR ULOP3.LUT"),
        ("branch", "BRA BAR.SYNC.DEFER_BLOCKING EXIT DEPBAR.LE LDGDEPBAR BSSY WARPSYNC"),
        ("other", "FROBNICATE"),
    ],
)
def test_opcodes_go_to_their_pipes(pipe: str, opcodes: str) -> None:
    assert {pipe_of(each) for each in opcodes.split()} == {pipe}
    assert pipe in {*PIPES, "tensor", "other"}


TARGETS = [
    pytest.param(name, marks=[pytest.mark.fuzz] * (name not in ("sm_80", "sm_90a", "sm_120a")))
    for name in ARCHITECTURES
    if name != "sm_75"
]
"""Those with ``mma.sync`` of m16n8k16."""


@cache
def read(name: str, target: str) -> SassKernel:
    kernel = compiled(name, target)
    return read_sass(disassemble(kernel.cubin, options=("-c", "-gi")))[kernel.emitted.kernel]


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize("target", TARGETS)
def test_every_instruction_of_real_machine_code_is_read_and_known(target: str) -> None:
    kernel = compiled("matmul_explicit", target)
    found = read("matmul_explicit", target)
    # Instructions of 16 bytes, up to the end of the code.
    assert [each.address for each in found.instructions] == list(range(0, kernel.resources.code_bytes, 16))
    assert not [each.opcode for each in found.instructions if each.pipe == "other"]
    main = found.main_loop()
    assert main is not None
    tensor = [each for each in main.instructions if each.pipe == "tensor"]
    assert Counter(each.shape for each in tensor) == {(16, 8, 16): 8}
    lines = {
        each.place[1] for each in main.instructions if each.place and each.place[0].endswith("matmul_explicit.tvm")
    }
    assert {31, 32, 34, 35, 37, 38} <= lines


@needs_nvrtc
@needs_disassembler
@pytest.mark.parametrize(
    "name", ["softmax", *(pytest.param(name, marks=pytest.mark.fuzz) for name in ("rms_norm", "attend"))]
)
def test_loops_of_a_program_are_loops_of_its_machine_code(name: str) -> None:
    kernel, found = compiled(name, "sm_80"), read(name, "sm_80")
    assert not [each.opcode for each in found.instructions if each.pipe == "other"]
    assert len(list(found.every_loop())) >= kernel.ir.count("for ")
