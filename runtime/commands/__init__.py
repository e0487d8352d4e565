"""The commands of ``tilevm``: one module each, holding a click command named ``command``."""
