"""The commands of ``yaff``, one module each, with ``run(arguments) -> exit status``."""
