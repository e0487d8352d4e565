"""``tilevm inspect --passes`` and ``--remarks``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from tilevm.frontend import load_text
from tilevm.passes import run_passes
from tilevm.runtime.cli import cli
from tilevm.runtime.kernel import load

MATMUL = str(Path(__file__).parent.parent / "examples" / "matmul.tvm")
REMARK = "line 32: `acc` lies as the matrix instructions of sm_80 want it: [16,128]{2:R2 8:T4 | 4:T32 4:R4 4:T1 2:R1}"


def shown(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["inspect", MATMUL, "--kernel", "matmul", "--set", "W=u4", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_the_lowered_program_is_shown_and_parses_back() -> None:
    text = shown("--passes")
    (again,) = load_text(text).kernels.values()
    assert again.specialise({}) == run_passes(load(MATMUL)["matmul"].specialise(W="u4")).program


def test_remarks_are_shown_by_line_alone_or_after_the_program() -> None:
    remarks = shown("--remarks").splitlines()
    assert REMARK in remarks
    lines = [int(each.split(":")[0].removeprefix("line ")) for each in remarks]
    assert lines == sorted(lines)
    assert shown("--passes", "--remarks").splitlines() == [*shown("--passes").splitlines(), *remarks]


def test_the_program_may_be_shown_before_and_after() -> None:
    assert shown("--ir", "--passes") == shown("--ir") + shown("--passes")


def test_an_architecture_may_be_chosen() -> None:
    assert "sm_90a" in shown("--remarks", "--arch", "sm_90a")
    assert "error[F020]" in shown("--remarks", "--arch", "sm_1", code=1)
