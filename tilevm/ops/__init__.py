"""LLM operators, written in the language: each is a program, and the Python that calls it."""
