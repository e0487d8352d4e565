"""Casts of whole tiles, derived: from where the bits of a code lie and where the target wants them, straight-line steps
over 32-bit words.

``steps`` are the steps as data, ``evaluate`` computes them in NumPy. ``source_words`` finds words in which codes lie
where an operation can use them; ``integers``, ``floats`` and ``tables`` turn these into numbers of the target, and
``cast`` takes the cheapest way. Templates only spell the steps.
"""
