"""Tuning: from a space of candidates to the best of them, in stages that cost more and more on fewer and fewer.

    prune      every candidate is bound, checked and predicted: ``require``, threads, registers of its loops  10 ms each
    compile    at most ``limit`` of them, the best first                                                     0.3 s each
    measure    where there is a GPU: run, compared with the reference, timed; the best three once more, in turns
    read       where there is none: machine code is read, until the best is one that was                     0.5 s each

Compiling and reading run in parallel on any executor. A candidate that crashes, hangs or computes something else is set
aside and named; the others go on. The search ends early when a number of candidates in a row brought nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tilevm.arch import arch
from tilevm.errors import ArgumentError, Diagnostic, TilevmError, UsageError
from tilevm.runtime.cache import Cache
from tilevm.runtime.device import Device
from tilevm.runtime.tuning import measure
from tilevm.runtime.tuning.estimate import CostModel, Estimate, check_resources
from tilevm.runtime.tuning.progress import Progress
from tilevm.runtime.tuning.result import Candidate, grouped, in_text
from tilevm.runtime.tuning.runner import Outcome, Runner, process_pool
from tilevm.runtime.tuning.space import Config
from tilevm.runtime.tuning.store import current_versions
from tilevm.runtime.tuning.subject import Subject
from tilevm.runtime.tuning.tasks import (
    Job,
    Made,
    Refusal,
    Trial,
    compile_candidate,
    difference,
    lower_candidate,
    read_candidate,
    refusal,
    run_on_host,
)

__all__ = ["REFUSED", "Options", "Search"]

REFUSED = ("A018", "A019", "A034")
"""Codes of arguments that a candidate refuses, and others may take."""
MOST_READ = 8
"""Candidates whose machine code is read at most."""
FINALISTS = 3
GAIN = 0.99
"""A candidate brings something where it takes less than this part of the best time."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Options:
    """How a search is made; see ``tune``."""

    limit: int
    patience: int
    seconds: float
    executor: Executor | None
    workers: int | None
    model: CostModel
    reference: Callable[..., Any] | None
    tolerance: float | None
    check: str | None
    progress: bool | None


@dataclass(eq=False)
class _Entry:
    """A candidate on its way."""

    config: Config
    found: Candidate

    def predict(self, estimate: Estimate, **known: Any) -> None:
        """Notes what the cost model says, and what else is known."""
        told: dict[str, Any] = {"predicted": estimate.seconds, "bound": estimate.bound, "spent": estimate.spent}
        self.found = replace(self.found, **told, **known)

    def order(self) -> tuple[float, float]:
        """The fastest first; those that are bound alike by what they need in all."""
        return self.found.seconds or 0.0, self.found.spent or 0.0


class Search:
    """One search."""

    def __init__(
        self,
        subject: Subject,
        arguments: Mapping[str, Any],
        space: Sequence[Config],
        options: Options,
        device: Device | None,
    ) -> None:
        self.subject, self.arguments, self.options, self.device = subject, arguments, options, device
        self.job = Job(next(_numbers), subject, options.model)
        self.notes: list[str] = []
        self.done: list[Candidate] = []
        """Candidates whose fate is known."""
        self.space = space
        self.open: list[_Entry] = []
        """The others, the most promising first."""

    # Before anything is compiled

    def _prune(self) -> Iterator[_Entry]:
        for config in self.space:
            try:
                yield self._entry(config)
            except ArgumentError as error:
                if error.code not in REFUSED:
                    raise  # the call itself is wrong, whatever the candidate
                self._refuse(config, refusal(error))
            except TilevmError as error:
                self._refuse(config, refusal(error))

    def _entry(self, config: Config) -> _Entry:
        """A candidate that is worth compiling. Raises what its program, a launch and ``check_resources`` raise."""
        row = arch(self.subject.target)
        program = self.subject.program(config)
        sizes = self.subject.sizes(program)
        check_resources(program, row)
        entry = _Entry(config, Candidate(config, "left out"))
        entry.predict(self.job.model(program, sizes, row, thorough=False))
        return entry

    def _refuse(self, config: Config, why: Refusal) -> None:
        self.done.append(Candidate(config, why.state, why.reason, why.detail))

    # The stages

    def run(self) -> Candidate:
        """The best candidate. Raises ``UsageError`` F052 where none is left."""
        options = self.options
        with ExitStack() as stack:
            bar = stack.enter_context(Progress(options.progress, self.subject.kernel.name))
            runner = stack.enter_context(Runner(options.executor, workers=options.workers, seconds=options.seconds))
            runner.begin()
            self.open = sorted(self._prune(), key=_Entry.order)
            if current_versions().nvrtc is None:
                self.notes.append("NVRTC is not installed: candidates are ranked by the cost model, and not compiled")
                self._lower(runner, bar)
            elif self.device is None:
                self.notes.append(
                    f"there is no GPU for {self.subject.target}: candidates are ranked by the cost model, and not run"
                )
                self._compile(runner, bar, lambda entry: entry.found)
                self._read(runner, bar)
            else:
                self._measure(runner, bar, stack)
            if options.check is not None:
                self._check_on_host(runner, bar)
        best = next((each for each in self.ordered() if each.state in ("measured", "ranked")), None)
        if best is None:
            raise self._nothing_works()
        return best

    def ordered(self) -> tuple[Candidate, ...]:
        """Every candidate: measured ones first, then ranked ones, each from the fastest on, then the others."""
        every = [*self.done, *(each.found for each in self.open)]
        states = ("measured", "ranked", "left out", "set aside", "failed")
        return tuple(sorted(every, key=lambda each: (states.index(each.state), each.seconds or 0.0, each.spent or 0.0)))

    def _lower(self, runner: Runner, bar: Progress) -> None:
        """Where there is no compiler: the passes, which find what does not fit, and a prediction after them."""
        for entry, estimate in self._tasks(runner, lower_candidate, self.open[: self.options.limit], bar, "lowering"):
            entry.predict(estimate, state="ranked")

    def _read(self, runner: Runner, bar: Progress) -> None:
        """Machine code is read of the best, until the best is one whose code was read."""
        read: set[_Entry] = set()
        while len(read) < MOST_READ:
            ranked = sorted((each for each in self.open if each.found.state == "ranked"), key=_Entry.order)
            unread = [each for each in ranked[: runner.workers] if each not in read]
            if not unread or ranked[0] in read:
                break
            for entry, estimate in self._tasks(runner, read_candidate, unread, bar, "reading"):
                entry.predict(estimate)
            read.update(unread)

    def _compile(self, runner: Runner, bar: Progress, judge: Callable[[_Entry], Candidate | None]) -> None:
        """Compiles in order of the prediction, and has each candidate judged; ends when nothing better comes."""
        best, waited = float("inf"), 0
        chosen = self.open[: self.options.limit]
        for entry, made in self._tasks(runner, compile_candidate, chosen, bar, "compiling"):
            assert isinstance(made, Made)
            if not runner.owned and self.device is not None:
                Cache().put(*made.entry)  # it may have been made on another machine
            entry.predict(
                made.estimate,
                state="ranked",
                registers=made.registers,
                spilled_bytes=made.spilled_bytes,
                shared_bytes=made.shared_bytes,
            )
            judged = judge(entry)
            if judged is None:
                continue
            entry.found = judged
            seconds = judged.seconds or 0.0
            waited = 0 if seconds < GAIN * best else waited + 1
            best = min(best, seconds)
            if waited >= self.options.patience:
                self.notes.append(f"{waited} candidates in a row were no faster: the search ended there")
                break

    def _tasks(
        self, runner: Runner, task: Callable[[Any], Any], entries: Iterable[_Entry], bar: Progress, what: str
    ) -> Iterator[tuple[_Entry, Any]]:
        """Runs a task on candidates; gives those that got through, and takes the others out of the open ones."""
        by_config = {tuple(each.config.items()): each for each in entries}
        items = [(self.job, each.config) for each in by_config.values()]
        with bar.stage(what, len(items)) as step:
            outcomes: Iterator[Outcome[Any]] = runner.run(task, items)
            for outcome in outcomes:
                step()
                entry = by_config[tuple(outcome.item[1].items())]
                why = outcome.value
                if outcome.problem is not None:
                    why = Refusal("failed", f"{outcome.problem} while {what}", outcome.reason)
                if isinstance(why, Refusal):
                    self._drop(entry, why)
                else:
                    yield entry, outcome.value

    def _drop(self, entry: _Entry, why: Refusal) -> None:
        self.open = [each for each in self.open if each is not entry]
        self._refuse(entry.config, why)

    # On the GPU

    def _measure(self, runner: Runner, bar: Progress, stack: ExitStack) -> None:
        session = measure.Session(
            self.subject,
            {name: measure.host_copy(name, given) for name, given in self.arguments.items()},
            self._reference(runner),
            self.options.tolerance,
        )
        make = partial(process_pool, initializer=measure.begin, arguments=(session,))
        gpu = stack.enter_context(Runner(workers=1, seconds=self.options.seconds, make=make))

        def judge(entry: _Entry) -> Candidate | None:
            timed = self._on_gpu(gpu, entry)
            if timed is None:
                return None
            return replace(entry.found, state="measured", measured=timed.median, low=timed.low, high=timed.high)

        self._compile(runner, bar, judge)
        self._final_race(gpu)

    def _on_gpu(self, gpu: Runner, entry: _Entry) -> measure.Timed | None:
        (outcome,) = gpu.run(measure.time_candidate, [entry.config])
        if outcome.problem is not None:
            self._drop(entry, Refusal("failed", f"{outcome.problem} on the GPU", outcome.reason))
        elif isinstance(outcome.value, Refusal):
            self._drop(entry, outcome.value)
        else:
            timed: measure.Timed = outcome.value
            return timed
        return None

    def _final_race(self, gpu: Runner) -> None:
        """The fastest, timed once more, in turns in one run."""
        timed = [each for each in self.open if each.found.measured is not None]
        finalists = sorted(timed, key=lambda each: each.found.measured or 0.0)[:FINALISTS]
        if len(finalists) < 2:
            return
        (outcome,) = gpu.run(measure.race, [tuple(each.config for each in finalists)])
        if outcome.problem is not None:
            self.notes.append(f"the best {len(finalists)} were not timed once more in turns: {outcome.reason}")
            return
        for entry, again in zip(finalists, outcome.value, strict=True):
            entry.found = replace(entry.found, measured=again.median, low=again.low, high=again.high)

    # Against the reference

    def _reference(self, runner: Runner) -> tuple[Any, ...] | None:
        """What a candidate has to compute: what the given function gives, else the interpreter."""
        if self.options.reference is not None:
            given = self.options.reference(**self.arguments)
            several = given if isinstance(given, tuple) else (given,)
            return tuple(measure.host_copy("reference", each) for each in several)
        on_host = {name: measure.host_copy(name, given) for name, given in self.arguments.items()}
        for entry in self.open:
            trial = Trial(self.subject, on_host, entry.config, "interpreter")
            (outcome,) = runner.run(run_on_host, [trial])
            if outcome.problem is None and not isinstance(outcome.value, Refusal):
                found: tuple[Any, ...] = outcome.value
                return found
            if outcome.problem == "hung":
                self.notes.append(
                    f"numbers were not compared: the interpreter took longer than {self.options.seconds:g} s for the "
                    "reference; reference=… gives another, seconds=… more time"
                )
                return None
            why = outcome.value if outcome.problem is None else None
            self._drop(entry, why or Refusal("failed", f"{outcome.problem} in the interpreter", outcome.reason))
        return None

    def _check_on_host(self, runner: Runner, bar: Progress) -> None:
        """Ranked candidates, run on the host and compared."""
        reference = self._reference(runner)
        ranked = [each for each in self.open if each.found.state in ("ranked", "measured")]
        if reference is None or not ranked:
            return
        on_host = {name: measure.host_copy(name, given) for name, given in self.arguments.items()}
        trials = {id(trial): (trial, entry) for entry in ranked for trial in [self._trial(entry, on_host)]}
        with bar.stage("checking", len(trials)) as step:
            for outcome in runner.run(run_on_host, [trial for trial, _ in trials.values()]):
                step()
                _, entry = trials[id(outcome.item)]
                if outcome.problem is not None:
                    self._drop(
                        entry, Refusal("failed", f"{outcome.problem} in the {self.options.check}", outcome.reason)
                    )
                elif isinstance(outcome.value, Refusal):
                    self._drop(entry, outcome.value)
                else:
                    wrong = difference(outcome.value, reference, self.options.tolerance)
                    if wrong:
                        self._drop(entry, Refusal("failed", "wrong numbers", wrong))

    def _trial(self, entry: _Entry, arguments: Mapping[str, Any]) -> Trial:
        return Trial(self.subject, arguments, entry.config, self.options.check or "interpreter")

    def _nothing_works(self) -> UsageError:
        """One diagnostic for each reason, with how many candidates it took and the first of them."""
        groups = grouped(self.done)
        details = {each.reason: each.detail for each in reversed(self.done)}
        return UsageError.of(
            Diagnostic(
                "F052",
                f"no candidate of kernel `{self.subject.kernel.name}` works: {len(configs)} of {len(self.done)} "
                f"because of {reason}",
                help=f"such as {in_text(configs[0])}: {details[reason]}",
            )
            for reason, configs in groups.items()
        )
