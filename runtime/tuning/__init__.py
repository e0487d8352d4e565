"""The autotuner: the values of compile-time parameters that are fastest for a kernel, a shape and a GPU.

space      the candidates: from ``tune`` clauses or from Python, less what was given
subject    what is tuned: a kernel with formats, shapes and an architecture; a key that says when a result holds
estimate   what a candidate will take, before anything is compiled
runner     tasks on any executor: those that crash or hang are set aside, and the others go on
tasks      what an executor is given: lower, compile, check; small to send
measure    one process with the GPU: run, compare with the reference, time
result     what came of it, for each candidate
store      results as readable JSON
search     the stages in order: ``tune``
autotune   a kernel that is tuned when it is first called
"""
