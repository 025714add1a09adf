"""What is asked: patient cases, their schema, and the cited library they draw on."""

from abscopt.instances.load import InputError, build, load, names, save, titles

__all__ = ["InputError", "build", "load", "names", "save", "titles"]
